# shellcheck shell=sh
# test: every check and every test, on this host's docker engine or on one that is gone afterwards.

TEST_DIR=${DOKKU_TEST_DIR:-/var/tmp/dokku-test}

run_tests() {
  prepare_tests
  phase checks "Checks"
  failed=
  checks
  finish_tests_stack
  phase tests "Tests: go test -race -parallel 3 ./..."
  tests
}

# prepare_tests installs and starts what tests and benchmarks need; the stack is made beside what comes next.
prepare_tests() {
  phase packages "Programs that have to be there"
  need_certificates
  start_job programs build
  # shellcheck disable=SC2046 # a list
  need_without_services $(platform_programs) shellcheck:shellcheck gcc:gcc /usr/include/stdio.h:libc6-dev \
    python3:python3 column:bsdextrautils openssl:openssl xauth:xauth mkfs.ext4:e2fsprogs \
    xz:xz-utils zstd:zstd
  phase engine "Docker engine"
  test_engine
  prepare_stack latest
  finish_job programs
}

finish_tests_stack() {
  phase stack "Image that apps are built on"
  finish_stack
}

# test_engine takes the host's engine, or demo's, or starts one that ends with us.
test_engine() {
  if [ -z "${DOCKER_HOST:-}" ] && ! answers "$HOST_ENGINE" && answers "unix://$DEMO/engine/docker.sock"; then
    DOCKER_HOST=unix://$DEMO/engine/docker.sock
  fi
  # shellcheck disable=SC2034 # at_end runs it
  AT_END=test_end
  use_engine "$TEST_DIR/engine"
}

test_end() {
  stop_engine "$TEST_DIR/engine"
  if [ -d "$TEST_DIR" ]; then
    rmdir "$TEST_DIR"
  fi
}

# checks runs all of them, whether or not one fails.
checks() {
  cd "$SRC" || exit
  scripts=$(go tool shfmt -f . | grep -v '^plugins-core/')
  check gofmt no_output gofmt -l .
  check "go mod tidy" go mod tidy -diff
  check "go vet" go vet ./...
  check staticcheck go tool staticcheck ./...
  # The scripts of plugins have settings of their own there.
  check shfmt go tool shfmt -d plugins-core
  # shellcheck disable=SC2086 # a list
  check shfmt go tool shfmt -i 2 -ci -bn -d $scripts
  # shellcheck disable=SC2046 # a list
  check shellcheck shellcheck -x $(go tool shfmt -f .)
}

check() { # NAME COMMAND...
  name=$1
  shift
  if "$@" >"$WORK/check.log" 2>&1; then
    note "$name: passed"
  else
    cat "$WORK/check.log"
    note "$name: FAILED"
    failed="$failed $name"
  fi
}

no_output() {
  "$@" >"$WORK/output" 2>&1
  cat "$WORK/output"
  [ ! -s "$WORK/output" ]
}

# tests ends with what go test said last, and fails when it or one of the checks did.
tests() {
  cd "$SRC" || exit
  { go test -race -parallel 3 -timeout 40m ./... 2>&1 || echo $? >"$WORK/tests.failed"; } | tee "$WORK/tests.log"
  phases
  if [ -n "$failed" ]; then
    note "checks that failed:$failed"
  fi
  if [ -e "$WORK/tests.failed" ]; then
    grep -E '^(--- FAIL|FAIL|panic:)' "$WORK/tests.log"
  else
    tail -n 3 "$WORK/tests.log"
  fi
  [ -z "$failed" ] && [ ! -e "$WORK/tests.failed" ] || exit 1
}

# bench prints a table of the benchmarks, floors beside what is ours.
bench() {
  prepare_tests
  finish_tests_stack
  phase bench "Benchmarks"
  load=$(cut -d ' ' -f 1 /proc/loadavg)
  cd "$SRC" || exit
  if ! go test -tags urfave_cli_no_docs -timeout 60m -run '^$' -bench . ./pluginhook ./sshcommand/sshcmd ./testscripts >"$WORK/bench.log" 2>&1; then
    cat "$WORK/bench.log"
    die "cannot finish the benchmarks: see above"
  fi
  printf '\n%s, %s processors, kernel %s, load at the start %s\n\n' \
    "$(awk -F': ' '/model name/ { print $2; exit }' /proc/cpuinfo)" "$(nproc)" "$(uname -r)" "$load"
  bench_table <"$WORK/bench.log"
  phases
}

# bench_table makes a table of what go test prints: a name, a number of runs, then values with their units.
bench_table() {
  awk '
    BEGIN { print "| benchmark | time | more |"; print "| --- | --- | --- |" }
    /^Benchmark/ && NF > 3 {
      name = $1
      sub(/^Benchmark/, "", name)
      sub(/-[0-9]+$/, "", name)
      time = more = ""
      for (i = 3; i < NF; i += 2) {
        if ($(i + 1) == "ns/op" && $i + 0 > 0 && time == "") time = sprintf("%.2f ms", $i / 1e6)
        else if ($(i + 1) == "ms/op") time = sprintf("%.2f ms", $i)
        else if ($(i + 1) != "ns/op" && $(i + 1) != "B/op" && $(i + 1) != "allocs/op") more = more (more == "" ? "" : ", ") $i " " $(i + 1)
      }
      printf "| %s | %s | %s |\n", name, time, more
    }'
}
