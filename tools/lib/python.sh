# Sourced by tools/setup: the Python environment build/python. It holds LibTorch (the torch wheel),
# what consort-prepare needs, and the tests' tools.

# A Python that can make an environment and for which the pinned wheels exist.
find_python() {
  local name
  for name in python3.11 python3 python3.12 python3.13 /usr/bin/python3; do
    command -v "$name" >/dev/null || continue
    if "$name" -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
      2>/dev/null; then
      command -v "$name"
      return 0
    fi
  done
  return 1
}

# offers_cpu_torch PYTHON VERSION: false if all that pip would install is PyPI's own build, for CUDA: gigabytes, which prepare_python
# refuses. The CPU build has a label. It is asked what there is: pip install --dry-run downloads it (before pip 23.3).
offers_cpu_torch() {
  local offered
  if "$1" -m pip show --quiet torch 2>/dev/null; then return 0; fi
  offered=$("$1" -m pip index versions --disable-pip-version-check --no-input torch 2>/dev/null) || return 0  # installing tells why
  [[ $offered == *"$2+cpu"* || $offered != *"$2"* ]]
}

# prepare_python FOLDER LOG REQUIREMENTS REQUIREMENTS_WITHOUT_DEPENDENCIES. The stamp holds the
# hash of both lists, so that nothing is asked of pip, nor of Python, when they are unchanged.
prepare_python() {
  local folder=$1 log=$2 list=$3 bare_list=$4
  local stamp=$folder/.requirements.sha256 wanted began=$SECONDS python
  local cpu_wheels="point pip at PyTorch's CPU wheels (PIP_EXTRA_INDEX_URL or pip.conf)"
  wanted=$(cat "$list" "$bare_list" | sha256sum | cut -d' ' -f1)
  if [[ -x $folder/bin/python && -f $stamp && $(<"$stamp") == "$wanted" ]]; then return 0; fi

  if ! "$folder/bin/python" -c '' 2>/dev/null; then
    python=$(find_python) ||
      fail "found no Python 3.11, 3.12 or 3.13 with venv; install one (Debian 12: python3-venv)"
    say "making the Python environment ${folder#"$root"/} with $python (PyTorch, NumPy, …: a few hundred MB)"
    "$python" -m venv --clear "$folder" >"$log" 2>&1 || {
      show_log "$log"
      fail "could not make a Python environment in $folder"
    }
  else
    say "bringing the Python environment ${folder#"$root"/} up to date"
    : >"$log"
  fi
  offers_cpu_torch "$folder/bin/python" "$(sed -n 's/^torch==//p' "$list")" ||
    fail "pip finds torch for CUDA alone, gigabytes that consort has no use for; $cpu_wheels and call again"
  # The environment is used by its path only; a wheel's own warning about a cache is not news.
  if ! "$folder/bin/python" -m pip install --disable-pip-version-check --no-input -r "$list" >>"$log" 2>&1 ||
    ! "$folder/bin/python" -m pip install --disable-pip-version-check --no-input --no-deps -r "$bare_list" >>"$log" 2>&1; then
    show_log "$log"
    fail "could not install the Python packages; the whole log is in $log"
  fi
  "$folder/bin/python" - >>"$log" 2>&1 <<'PYTHON' ||
import sys, torch
sys.exit(torch.version.cuda is not None or not torch.__version__.startswith("2.13.0"))
PYTHON
    fail "the torch in $folder is not the CPU build of 2.13.0; $cpu_wheels, remove $folder and call again"
  printf '%s\n' "$wanted" >"$stamp"
  say "Python environment ready after $(since "$began")"
}
