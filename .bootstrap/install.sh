# shellcheck shell=sh
# install: makes this host a platform, or brings it up to date. Each step says whether it changed anything; a second run
# changes nothing.

INSTALL_BIN=/usr/local/bin
INSTALL_ROOT=/home/dokku
INSTALL_LIB=/var/lib/dokku
INSTALL_UNIT=/etc/systemd/system/dokku-redeploy.service
INSTALL_CHANGED=

install_host() {
  case ${DOKKU_ROOT:-$INSTALL_ROOT}:${DOKKU_LIB_ROOT:-$INSTALL_LIB} in
    "$INSTALL_ROOT:$INSTALL_LIB") ;;
    *) die "cannot install with DOKKU_ROOT or DOKKU_LIB_ROOT set: a host's platform is in $INSTALL_ROOT and $INSTALL_LIB" ;;
  esac
  phase programs "Programs"
  need /etc/ssl/certs/ca-certificates.crt:ca-certificates
  start_job programs build
  step "packages" "dpkg-query -W" install_packages
  step "daemons" running_daemons install_daemons
  export DOCKER_HOST="${DOCKER_HOST:-$HOST_ENGINE}"
  prepare_stack latest
  finish_job programs
  step "programs in $INSTALL_BIN" "state_of $INSTALL_BIN/dokku $INSTALL_BIN/buildstep $INSTALL_BIN/sshcommand $INSTALL_BIN/pluginhook" install_programs
  phase platform "Platform"
  step "user dokku" "state_of $INSTALL_ROOT/.ssh $INSTALL_ROOT/.sshcommand /etc/passwd /etc/group" install_user
  step "core plugins in $INSTALL_LIB" "state_of $INSTALL_LIB/core-plugins $INSTALL_LIB/plugins" "$INSTALL_BIN/dokku" core-install
  step "settings in $INSTALL_ROOT" "state_of $INSTALL_ROOT/.dokkurc $INSTALL_ROOT/HOSTNAME $INSTALL_ROOT/VHOST $INSTALL_ROOT/VERSION" install_settings
  step "directories" "state_of $INSTALL_LIB/data $INSTALL_LIB/config /var/log/dokku" install_directories
  step "install hooks of the plugins" "state_of /etc/nginx /etc/sudoers.d /etc/systemd/system $INSTALL_ROOT/HOSTNAME $INSTALL_ROOT/VHOST $INSTALL_LIB/plugins" \
    "$INSTALL_BIN/dokku" plugins-install
  phase stack "Image that apps are built on"
  finish_stack
  tell_step dokku/stack "$STACK_BEFORE" "$(stack_id)"
  phase boot "Start at boot"
  step "boot job" "state_of $INSTALL_UNIT /etc/systemd/system/multi-user.target.wants" install_boot_job
  install_next
  phases
}

# step does one thing and tells whether that changed what STATE, a command, prints.
step() { # NAME STATE COMMAND...
  step_name=$1
  state=$2
  shift 2
  before=$($state 2>/dev/null || :)
  "$@"
  tell_step "$step_name" "$before" "$($state 2>/dev/null || :)"
}

tell_step() { # NAME BEFORE AFTER
  if [ "$2" = "$3" ]; then
    note "$1: unchanged"
  else
    note "$1: changed"
    INSTALL_CHANGED="$INSTALL_CHANGED, $1"
  fi
}

# state_of prints all about files but when they were written.
state_of() { # PATH...
  find "$@" -printf '%p %M %u %g %l\n' -type f -exec sha256sum {} + | sort
}

install_packages() {
  # shellcheck disable=SC2046 # a list
  need $(platform_programs)
  need_client
}

systemd_runs() { [ -d /run/systemd/system ]; }

running_daemons() {
  for daemon in dockerd nginx sshd; do
    for comm in /proc/[0-9]*/comm; do
      if [ "$(cat "$comm" 2>/dev/null)" = "$daemon" ]; then
        echo "$daemon"
        break
      fi
    done
  done
}

# install_daemons starts what does not run, now and at each boot. The engine may be another's than Debian's.
install_daemons() {
  for daemon in docker nginx ssh; do
    if [ "$daemon" = docker ] && { [ -n "${DOCKER_HOST:-}" ] || answers "$HOST_ENGINE"; }; then
      continue
    fi
    if systemd_runs; then
      quietly systemctl enable --now "$daemon"
      continue
    fi
    daemon_at_boot "$daemon" enable
    case $daemon in
      docker) mount_cgroups "$WORK" ;;
      ssh) running=sshd ;;
      nginx) running=nginx ;;
    esac
    if [ "$daemon" = docker ] || ! running_daemons | grep -qx "$running"; then
      quietly service "$daemon" start
    fi
  done
  if [ -z "${DOCKER_HOST:-}" ]; then
    until_ok 60 answers "$HOST_ENGINE" || die "cannot start the docker engine: see /var/log/docker.log or journalctl -u docker"
  fi
}

install_programs() {
  for program in dokku sshcommand pluginhook; do
    if ! cmp -s "$SRC/bin/$program" "$INSTALL_BIN/$program"; then
      install -m 755 "$SRC/bin/$program" "$INSTALL_BIN/.$program.new"
      mv "$INSTALL_BIN/.$program.new" "$INSTALL_BIN/$program"
    fi
  done
  # The command buildstep is dokku by another name.
  if [ ! -e "$INSTALL_BIN/buildstep" ]; then
    ln -s dokku "$INSTALL_BIN/buildstep"
  fi
}

install_user() {
  "$INSTALL_BIN/sshcommand" create dokku "$INSTALL_BIN/dokku"
  home=$(getent passwd dokku | cut -d : -f 6)
  [ "$home" = "$INSTALL_ROOT" ] || die "cannot use the home directory $home of user dokku: it has to be $INSTALL_ROOT"
  # Plugins and nginx look for the files of apps in it.
  chmod a+x "$INSTALL_ROOT"
  if getent group docker >/dev/null && ! id -nG dokku | grep -qw docker; then
    usermod -aG docker dokku
  fi
}

install_settings() {
  {
    if [ "$DOCKER_HOST" != "$HOST_ENGINE" ]; then
      setting DOCKER_HOST "$DOCKER_HOST"
    fi
    network_settings
  } >"$WORK/settings"
  if [ -s "$WORK/settings" ]; then
    install -d -o dokku -g dokku -m 755 "$INSTALL_ROOT/.dokkurc"
    replace "$INSTALL_ROOT/.dokkurc/host" 644 <"$WORK/settings" || :
  fi
  if [ -n "${DOKKU_HOSTNAME:-}" ]; then
    echo "$DOKKU_HOSTNAME" | replace "$INSTALL_ROOT/HOSTNAME" || :
  fi
  if [ -n "${DOKKU_VHOST:-}" ]; then
    echo "$DOKKU_VHOST" | replace "$INSTALL_ROOT/VHOST" || :
  fi
  version=$(git -C "$SRC" -c safe.directory="$SRC" describe --tags 2>/dev/null) \
    || version=$(DOKKU_ROOT=$WORK DOKKU_SYSTEM_USER=root "$INSTALL_BIN/dokku" version)
  echo "$version" | replace "$INSTALL_ROOT/VERSION" || :
  for file in .dokkurc/host HOSTNAME VHOST VERSION; do
    if [ -e "$INSTALL_ROOT/$file" ]; then
      chown dokku:dokku "$INSTALL_ROOT/$file"
    fi
  done
}

install_directories() {
  install -d -o dokku -g dokku -m 755 "$INSTALL_LIB/data" "$INSTALL_LIB/config" /var/log/dokku
  chown -R dokku:dokku "$INSTALL_LIB/data" "$INSTALL_LIB/config"
}

# install_boot_job has the apps started at boot: the engine does not do it for those that ended in order.
install_boot_job() {
  if [ ! -d /etc/systemd/system ]; then
    note "there is no systemd: have $INSTALL_BIN/dokku ps:restore run at boot, after docker and nginx"
    return
  fi
  replace "$INSTALL_UNIT" <<EOF || :
[Unit]
Description=Start the apps of dokku again
Wants=docker.service
After=docker.service nginx.service network-online.target

[Service]
Type=oneshot
User=dokku
RuntimeDirectory=dokku
RuntimeDirectoryPreserve=yes
ExecStartPre=/bin/mkdir -p /run/dokku/ready
ExecStart=$INSTALL_BIN/dokku ps:restore

[Install]
WantedBy=multi-user.target docker.service
EOF
  if systemd_runs; then
    quietly systemctl daemon-reload
    quietly systemctl enable dokku-redeploy.service
  fi
}

install_next() {
  if [ -z "$INSTALL_CHANGED" ]; then
    printf '\n=====> Nothing was changed: all is as it should be.\n'
  else
    printf '\n=====> Changed: %s\n' "${INSTALL_CHANGED#, }"
  fi
  host=$(cat "$INSTALL_ROOT/VHOST" 2>/dev/null || cat "$INSTALL_ROOT/HOSTNAME")
  cat <<EOF

Let somebody push:       cat KEY.pub | sudo sshcommand acl-add dokku NAME
Push, from their side:   git push dokku@$host:APP main
EOF
  if [ ! -e "$INSTALL_ROOT/VHOST" ]; then
    cat <<EOF
Give apps host names:    echo DOMAIN | sudo -u dokku tee $INSTALL_ROOT/VHOST   (*.DOMAIN has to lead to this host)
EOF
  fi
  cat <<EOF
See what there is:       dokku help

EOF
}
