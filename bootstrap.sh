#!/bin/sh
# Sets up all that this project needs: a private platform to try it on, what its tests need, a real host.
# Run it without arguments for help. It is plain sh; its parts are in .bootstrap/.
set -eu
umask 022
export LC_ALL=C.UTF-8
PATH=$PATH:/usr/local/go/bin:/usr/local/sbin:/usr/sbin:/sbin
export PATH

SRC=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
CACHE=${DOKKU_CACHE_DIR:-/var/cache/dokku}

# shellcheck source=.bootstrap/common.sh
. "$SRC/.bootstrap/common.sh"
# shellcheck source=.bootstrap/packages.sh
. "$SRC/.bootstrap/packages.sh"
# shellcheck source=.bootstrap/engine.sh
. "$SRC/.bootstrap/engine.sh"
# shellcheck source=.bootstrap/stack.sh
. "$SRC/.bootstrap/stack.sh"
# shellcheck source=.bootstrap/demo.sh
. "$SRC/.bootstrap/demo.sh"
# shellcheck source=.bootstrap/test.sh
. "$SRC/.bootstrap/test.sh"
# shellcheck source=.bootstrap/install.sh
. "$SRC/.bootstrap/install.sh"

usage() {
  cat <<EOF
usage: ./bootstrap.sh COMMAND

  demo         push a sample app to a private platform and see it served
  demo-clean   remove all that demo made
  test         run all checks and all tests
  install      set this host up as a platform, or bring it up to date
  build        compile the programs into bin/
  bench        run the benchmarks and print a table

Go $(go_wanted) or newer has to be there. What else is missing is installed, from Debian's packages.

Environment:
  DOKKU_DEMO_DIR   where demo keeps everything (/var/tmp/dokku-demo)
  DOKKU_CACHE_DIR  where the root file system of app images is kept once made (/var/cache/dokku)
  DOKKU_STACK      a root file system (tar) to use in its place
  DOCKER_HOST      the docker engine to use; without it the host's, or a private one when there is none
EOF
}

main() {
  command=${1:-help}
  if [ $# -gt 1 ]; then
    die "cannot use '$2': one command is enough; see ./bootstrap.sh help"
  fi
  case $command in
    demo | test | bench | install) need_go && become_root "$command" ;;
    demo-clean) become_root "$command" ;;
    build) need_go ;;
  esac
  case $command in
    help | -h | --help) usage ;;
    build)
      build
      note "bin/dokku, bin/pluginhook, bin/sshcommand"
      ;;
    bench) bench ;;
    demo) demo ;;
    demo-clean) demo_clean ;;
    test) run_tests ;;
    install) install_host ;;
    *) die "cannot run '$command': no such command; see ./bootstrap.sh help" ;;
  esac
}

main "$@"
