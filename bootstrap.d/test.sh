# shellcheck shell=sh
# test: every check and every test, on this host's docker engine or on one that is gone afterwards.

TEST_DIR=${DOKKU_TEST_DIR:-/var/tmp/dokku-test}

run_tests() {
  phase packages "Programs that have to be there"
  need_certificates
  start_job programs build
  # shellcheck disable=SC2046 # a list
  need_without_services $(platform_programs) shellcheck:shellcheck gcc:gcc /usr/include/stdio.h:libc6-dev \
    python3:python3 column:bsdextrautils openssl:openssl xauth:xauth
  phase engine "Docker engine"
  test_engine
  # The stack is made beside the checks.
  prepare_stack
  finish_job programs
  phase checks "Checks"
  failed=
  checks
  phase stack "Image that apps are built on"
  test_dokku core-install >/dev/null
  finish_stack latest test_dokku
  phase tests "Tests: go test -race ./..."
  tests
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

# test_dokku is dokku of a platform that is there to make the stack, and for nothing else.
test_dokku() {
  mkdir -p "$WORK/root"
  env -u DOKKU_IMAGE DOKKU_ROOT="$WORK/root" DOKKU_LIB_ROOT="$WORK/lib" PLUGIN_PATH="$WORK/lib/plugins" \
    DOKKU_SYSTEM_USER="$(id -un)" DOKKU_SYSTEM_GROUP="$(id -gn)" "$SRC/bin/dokku" "$@"
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
  { go test -race -timeout 40m ./... 2>&1 || echo $? >"$WORK/tests.failed"; } | tee "$WORK/tests.log"
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

bench() {
  cd "$SRC" || exit
  exec go test -run '^$' -bench . -benchmem ./...
}
