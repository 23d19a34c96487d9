# shellcheck shell=sh
# What all parts of bootstrap.sh share: messages, seconds per phase, jobs in the background, processes by their pid.

say() { printf -- '-----> %s\n' "$*"; }
note() { printf '       %s\n' "$*"; }

die() {
  printf 'bootstrap.sh: %s\n' "$*" >&2
  exit 1
}

# show prints a command line before it runs it.
show() {
  printf '       $ %s\n' "$*"
  "$@"
}

# WORK is a directory of this run. It goes, and what was started for this run ends, however the run ends.
WORK=$(mktemp -d "${TMPDIR:-/tmp}/bootstrap.XXXXXX")
JOBS=
AT_END=:
at_end() {
  status=$?
  trap - EXIT
  for pid in $JOBS; do
    end_tree "$pid"
  done
  $AT_END
  release_services
  rm -rf "$WORK"
  exit "$status"
}
trap at_end EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# end_tree ends a process and all that it started.
end_tree() {
  # shellcheck disable=SC2013 # words are what it holds
  for child in $(cat "/proc/$1/task/$1/children" 2>/dev/null); do
    (end_tree "$child")
  done
  kill "$1" 2>/dev/null || :
}

# phase ends the phase before it and begins the one that is named. phases prints the seconds that each took.
PHASE=
PHASES=
STARTED=$(date +%s)
phase() {
  end_phase
  PHASE=$1
  PHASE_STARTED=$(date +%s)
  say "${2:-$1}"
}

end_phase() {
  if [ -n "$PHASE" ]; then
    PHASES="$PHASES$PHASE $(($(date +%s) - PHASE_STARTED)), "
  fi
  PHASE=
}

phases() {
  end_phase
  printf 'seconds: %stotal %s\n' "$PHASES" "$(($(date +%s) - STARTED))"
}

# start_job NAME COMMAND... runs beside what follows, until finish_job NAME waits for it.
start_job() {
  job=$1
  shift
  (
    began=$(date +%s)
    "$@"
    echo $(($(date +%s) - began)) >"$WORK/$job.seconds"
  ) >"$WORK/$job.log" 2>&1 </dev/null &
  eval "JOB_$job=$!"
  JOBS="$JOBS $!"
}

finish_job() {
  eval "pid=\$JOB_$1"
  if ! wait "$pid"; then
    tail -n 40 "$WORK/$1.log" >&2
    die "cannot make the $1: see above"
  fi
  JOBS=$(printf '%s ' "$JOBS" | sed "s/ $pid / /")
  PHASES="$PHASES$1 $(cat "$WORK/$1.seconds") (beside), "
}

# quietly runs a command and shows what it said only when it fails.
quietly() {
  if ! "$@" >"$WORK/quiet.log" 2>&1 </dev/null; then
    tail -n 40 "$WORK/quiet.log" >&2
    die "cannot run: $*"
  fi
}

go_wanted() { sed -n 's/^go //p' "$SRC/go.mod"; }

# need_go stops when Go is missing or too old; a newer toolchain that Go would fetch by itself does not count.
need_go() {
  [ -e /proc/self/exe ] || die "cannot work without /proc, and Go neither: mount -t proc proc /proc"
  wanted=$(go_wanted)
  command -v go >/dev/null 2>&1 || die "cannot find Go: install Go $wanted or newer (https://go.dev/dl/) and put it in PATH"
  have=$(cd / && GOTOOLCHAIN=local go env GOVERSION)
  have=${have#go}
  if [ "$(printf '%s\n%s\n' "$wanted" "${have%% *}" | sort -V | head -n 1)" != "$wanted" ]; then
    die "cannot use Go $have: install Go $wanted or newer (https://go.dev/dl/)"
  fi
  # Go asks git for the version, and git asks for a permission when the sources are another user's.
  if [ ! -O "$SRC" ]; then
    export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0="$SRC"
  fi
}

# build compiles the programs, static, into bin/.
build() (
  cd "$SRC" || exit
  export CGO_ENABLED=0
  go build -trimpath -tags urfave_cli_no_docs -ldflags '-s -w' -o bin/ ./dokku ./sshcommand ./pluginhook/cmd/pluginhook
  give_back bin
)

# give_back gives the user who called sudo what root has made in their name.
give_back() { # PATH...
  if [ -n "${SUDO_UID:-}" ] && [ "$(id -u)" -eq 0 ]; then
    chown -R "$SUDO_UID:${SUDO_GID:-$SUDO_UID}" "$@"
  fi
}

# become_root starts bootstrap.sh anew through sudo when the user is not root.
become_root() {
  if [ "$(id -u)" -eq 0 ]; then
    return
  fi
  command -v sudo >/dev/null 2>&1 || die "cannot do '$1' as user $(id -un): it takes root, and there is no sudo; run it as root"
  rm -rf "$WORK"
  exec sudo -E -H env PATH="$PATH" sh "$SRC/bootstrap.sh" "$1"
}

# pid_of prints the process in a pid file, if it runs and has the directory in its command line: the number may be
# another process's by now.
pid_of() { # FILE DIRECTORY
  pid=$(cat "$1" 2>/dev/null) || return 1
  if [ -n "$pid" ] && tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -qF "$2/"; then
    echo "$pid"
  else
    return 1
  fi
}

# stop_pid ends the process in a pid file and waits until it is gone.
stop_pid() { # FILE DIRECTORY
  victim=$(pid_of "$1" "$2") || return 0
  kill "$victim"
  for _ in $(seq 300); do
    if ! kill -0 "$victim" 2>/dev/null; then
      return 0
    fi
    sleep 0.1
  done
  kill -KILL "$victim"
}

# until_ok tries a command until it succeeds, 10 times a second.
until_ok() { # SECONDS COMMAND...
  tries=$(($1 * 10))
  shift
  while ! "$@"; do
    tries=$((tries - 1))
    if [ "$tries" -le 0 ]; then
      return 1
    fi
    sleep 0.1
  done
}

# free_port prints the first port from $1 on at which nothing listens, in no address family.
free_port() {
  port=$1
  while awk -v port="$(printf ':%04X' "$port")" '$4 == "0A" && substr($2, length($2) - 4) == port { found = 1 } END { exit !found }' \
    /proc/net/tcp /proc/net/tcp6 2>/dev/null; do
    port=$((port + 1))
  done
  echo "$port"
}

# replace writes stdin to a file if that says something else. It succeeds when the file was changed.
replace() { # FILE [MODE]
  cat >"$WORK/replace"
  if cmp -s "$WORK/replace" "$1"; then
    return 1
  fi
  install -m "${2:-644}" "$WORK/replace" "$1"
}
