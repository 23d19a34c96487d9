# shellcheck shell=sh
# The stack: the image on which apps without a Dockerfile are built and run. `dokku stack:create` makes it, beside what
# follows, as soon as the programs are built. The root file system in it is kept in DOKKU_CACHE_DIR.

# prepare_stack begins to make the image dokku/stack:TAG.
prepare_stack() { # TAG
  STACK_IMAGE=dokku/stack:$1
  # shellcheck disable=SC2034 # install tells what has changed
  STACK_BEFORE=$(stack_id)
  start_job stack make_stack
}

stack_id() { docker image inspect --format '{{.Id}}' "$STACK_IMAGE" 2>/dev/null || :; }

# make_stack does it with a platform that is there for nothing else. It waits for the programs, which are a job as well.
make_stack() {
  until [ -e "$WORK/programs.seconds" ]; do
    sleep 0.1
  done
  set -- stack:create
  if [ -n "${DOKKU_STACK:-}" ]; then
    set -- "$@" --from "$(realpath "$DOKKU_STACK")"
  fi
  mkdir -p "$WORK/root"
  stack_dokku core-install
  stack_dokku "$@"
}

stack_dokku() {
  env DOKKU_ROOT="$WORK/root" DOKKU_LIB_ROOT="$WORK/lib" PLUGIN_PATH="$WORK/lib/plugins" DOKKU_IMAGE="$STACK_IMAGE" \
    DOKKU_CACHE_DIR="$CACHE" DOKKU_SYSTEM_USER="$(id -un)" DOKKU_SYSTEM_GROUP="$(id -gn)" "$SRC/bin/dokku" "$@"
}

# finish_stack waits for it, and tells how it ended.
finish_stack() {
  finish_job stack
  sed -n 's/^-----> \(.*dokku\/stack.*\)/       \1/p' "$WORK/stack.log"
}
