# Sourced by the tools: configuring and building a preset, quietly unless it fails.
# Needs $root, and tools/setup to have run.

# ccache wants a folder it may write to; a home that is missing or read-only must not end a build.
choose_ccache_folder() {
  [[ -z ${CCACHE_DIR:-} ]] || return 0
  local cache=${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}
  if ! mkdir -p "$cache/ccache" 2>/dev/null || [[ ! -w $cache/ccache ]]; then
    export CCACHE_DIR=$root/build/ccache
  fi
}

# build_preset PRESET [TARGET...]: 0, or 1 after the end of the log was shown. Two tools started at
# the same time take turns.
build_preset() {
  local preset=$1 folder=$root/build/$1 log=$root/build/$1.log began=$SECONDS
  shift
  choose_ccache_folder
  mkdir -p "$root/build"
  say "building $preset (minutes the first time; progress: tail -f ${log#"$root"/})"
  (
    flock 9
    cd "$root"
    # Ninja configures again by itself when a list file changes, but not for the presets.
    if [[ ! -f $folder/build.ninja || $root/CMakePresets.json -nt $folder/build.ninja ]]; then
      say "configuring $preset"
      cmake --preset "$preset" 9>&- || exit 1
      touch "$folder/build.ninja"
    fi
    cmake --build --preset "$preset" -j "$(nproc)" ${*:+--target "$@"} 9>&-
  ) 9>"$root/build/.$preset.lock" >"$log" 3>&2 2>&1 || {
    grep -v '^\[[0-9]*/[0-9]*\] ' "$log" | tail -n 60 | sed 's/^/    /' >&2 || true
    say "could not build $preset; the whole log is in ${log#"$root"/}"
    return 1
  }
  say "built $preset in $(since "$began")"
}
