# Sourced by tools/setup: what must be installed on the system, and how to see that it is.
#
# One line a package: Debian's name | build, test, demo or models | how to find it without dpkg | what for.
# `test`, `demo` and `models` include `build`. The probe is a program in PATH, a pkg-config module, a C++
# header or a file. docs/dependencies.md says why each was chosen.

package_table() {
  cat <<'TABLE'
g++                    | build | program:g++                                     | C++20 compiler
cmake                  | build | program:cmake                                   | build
ninja-build            | build | program:ninja                                   | build
ccache                 | build | program:ccache                                  | faster rebuilds
pkg-config             | build | program:pkg-config                              | finds the libraries
python3-venv           | build | program:python3                                 | Python environment: LibTorch, consort-prepare
libjemalloc-dev        | build | module:jemalloc                                 | allocator
libboost-dev           | build | header:boost/interprocess/managed_mapped_file.hpp | shared memory, results as values
libboost-filesystem-dev | build | header:boost/filesystem.hpp                     | needed by Boost.Process
libcli11-dev           | build | header:CLI/CLI.hpp                              | command line
libhwloc-dev           | build | module:hwloc                                    | processors and memory nodes
libsndfile1-dev        | build | module:sndfile                                  | audio files
libavformat-dev        | build | module:libavformat                              | containers that libsndfile does not read
libavcodec-dev         | build | module:libavcodec                               | their codecs
libavutil-dev          | build | module:libavutil                                | needed by both
libsoxr-dev            | build | module:soxr                                     | resampling
nlohmann-json3-dev     | build | header:nlohmann/json.hpp                        | manifests
libssl-dev             | build | module:libcrypto                                | SHA-256
libsqlite3-dev         | build | module:sqlite3                                  | the job's journal
libgtest-dev           | build | header:gtest/gtest.h                            | unit tests
libbenchmark-dev       | build | header:benchmark/benchmark.h                    | benchmarks
relacy-dev             | test  | header:relacy/relacy.hpp                        | checks every interleaving of the ring
spin                   | test  | program:spin                                    | checks the model of the protocol
gcc                    | test  | program:gcc                                     | compiles SPIN's checker
strace                 | test  | program:strace                                  | system calls that fail, or are the last
sox                    | test  | program:sox                                     | makes WAV, AIFF, AU, NIST, VOC … as others write them
ffmpeg                 | test  | program:ffmpeg                                  | makes M4A, WebM and others, and decodes them for comparison
alsa-utils             | test demo | file:/usr/share/sounds/alsa/Front_Center.wav | spoken sounds
sonic-pi-samples       | test demo | file:/usr/share/sonic-pi/samples/drum_cowbell.flac | instrument sounds
espeak-ng              | test models | program:espeak-ng                           | speaks what digits is trained on
fluidsynth             | test models | program:fluidsynth                              | renders the notes that instruments is trained on
timgm6mb-soundfont     | test models | file:/usr/share/sounds/sf2/TimGM6mb.sf2         | their sounds
TABLE
}

# Lines of the table that the purpose needs: "package|probe|what for".
packages_for() {
  local purpose=$1
  package_table | while IFS='|' read -r package purposes probe reason; do
    [[ " $purposes " == *" build "* || " $purposes " == *" $purpose "* ]] || continue
    printf '%s|%s|%s\n' "${package//[[:space:]]/}" "${probe//[[:space:]]/}" "$(trim "$reason")"
  done
}

trim() {
  local text=$1
  text="${text#"${text%%[![:space:]]*}"}"
  printf '%s' "${text%"${text##*[![:space:]]}"}"
}

probe_finds() {
  local kind=${1%%:*} name=${1#*:}
  case $kind in
    program) command -v "$name" >/dev/null ;;
    module) pkg-config --exists "$name" 2>/dev/null ;;
    header) printf '#include <%s>\n' "$name" | ${CXX:-g++} -std=c++20 -E -x c++ - >/dev/null 2>&1 ;;
    file) [[ -e $name ]] ;;
  esac
}

# Prints the lines of packages_for that are not there.
missing_packages() {
  local purpose=$1 installed="" package probe reason
  if command -v dpkg-query >/dev/null; then
    installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' 2>/dev/null |
      sed -n 's/^installed //p')
    packages_for "$purpose" | awk -F'|' 'NR == FNR { have[$1]; next } !($1 in have)' \
      <(printf '%s\n' "$installed") -
  else
    packages_for "$purpose" | while IFS='|' read -r package probe reason; do
      probe_finds "$probe" || printf '%s|%s|%s\n' "$package" "$probe" "$reason"
    done
  fi
}

# install_packages LOG PACKAGE...
install_packages() {
  local log=$1 as_root=() try
  shift
  if [[ $(id -u) != 0 ]]; then
    command -v sudo >/dev/null ||
      fail "not root, and there is no sudo; as root, run: apt-get install --no-install-recommends $*"
    as_root=(sudo)
  fi
  # A second try, because a fresh machine's lists may name versions that the mirror no longer has.
  for try in 1 2; do
    if "${as_root[@]}" apt-get -o DPkg::Lock::Timeout=120 update >"$log" 2>&1 &&
      "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 \
        install -y --no-install-recommends "$@" >>"$log" 2>&1 </dev/null; then
      return 0
    fi
    [[ $try == 2 ]] || sleep 3
  done
  show_log "$log"
  fail "could not install the Debian packages; the whole log is in $log"
}
