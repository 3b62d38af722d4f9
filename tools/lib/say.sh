# Sourced by the tools: messages. Everything a tool says about itself goes to standard error, one
# line each; standard output is for results.

say() { printf '%s\n' "${tool:-tools}: $*" >&2; }

fail() {
  say "$*"
  exit 1
}

# The end of a log, indented, when what wrote it failed.
show_log() { tail -n "${2:-40}" "$1" | sed 's/^/    /' >&2; }

# Whole seconds since the argument, a value of $SECONDS.
since() { printf '%s s' "$((SECONDS - $1))"; }
