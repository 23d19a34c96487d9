# shellcheck shell=sh
# Programs that are missing come from Debian's packages.

# Daemons that the packages would start, now and at every boot. demo and test start their own.
DAEMONS="docker containerd nginx ssh"
HELD=
UPDATED=

# hold_services keeps daemons from being started while packages are installed.
hold_services() {
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    HELD=/usr/sbin/policy-rc.d
    printf '#!/bin/sh\nexit 101\n' >"$HELD"
    chmod 755 "$HELD"
  fi
}

release_services() {
  if [ -n "$HELD" ]; then
    rm -f "$HELD"
  fi
  HELD=
}

# need installs the packages of those programs (or files) that are missing.
need() { # PROGRAM:PACKAGE...
  missing=
  for pair; do
    case $pair in
      /*) [ ! -e "${pair%%:*}" ] || continue ;;
      *) ! command -v "${pair%%:*}" >/dev/null 2>&1 || continue ;;
    esac
    case "$missing " in
      *" ${pair#*:} "*) ;;
      *) missing="$missing ${pair#*:}" ;;
    esac
  done
  if [ -z "$missing" ]; then
    return
  fi
  command -v apt-get >/dev/null 2>&1 || die "cannot install$missing: only Debian's packages are known here; install them yourself, then run this again"
  note "installing:$missing"
  export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
  if [ -z "$UPDATED" ]; then
    quietly apt-get -q update
    UPDATED=yes
  fi
  # shellcheck disable=SC2086 # a list
  quietly apt-get -q -y --no-install-recommends -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 install $missing
}

# need_client installs the engine's client where that is a package of its own, as newer Debians have it.
need_client() {
  if command -v dockerd >/dev/null 2>&1 && ! command -v docker >/dev/null 2>&1; then
    need docker:docker-cli
  fi
}

# need_without_services is need, and leaves the host's daemons as they were: one that is new is neither started nor
# started at the next boot.
need_without_services() {
  before=
  for daemon in $DAEMONS; do
    if [ -e "/etc/init.d/$daemon" ] || [ -e "/lib/systemd/system/$daemon.service" ]; then
      before="$before $daemon "
    fi
  done
  hold_services
  need "$@"
  need_client
  release_services
  for daemon in $DAEMONS; do
    case $before in
      *" $daemon "*) ;;
      *) daemon_at_boot "$daemon" disable ;;
    esac
  done
}

# daemon_at_boot switches a daemon's start at boot, with whatever init the host has.
daemon_at_boot() { # DAEMON enable|disable
  if [ -e "/lib/systemd/system/$1.service" ] && command -v systemctl >/dev/null 2>&1; then
    systemctl --quiet "$2" "$1.service" >/dev/null 2>&1 || :
  elif [ -e "/etc/init.d/$1" ]; then
    update-rc.d "$1" "$2" >/dev/null 2>&1 || :
  fi
}

# need_certificates comes before the programs are built: without them no module can be fetched.
need_certificates() { need_without_services /etc/ssl/certs/ca-certificates.crt:ca-certificates; }

# platform_programs lists what a platform is made of.
platform_programs() {
  echo dockerd:docker.io docker:docker.io nginx:nginx sshd:openssh-server ssh:openssh-client git:git sudo:sudo curl:curl \
    mmdebstrap:mmdebstrap mount:mount ps:procps ip:iproute2 iptables:iptables \
    /usr/share/keyrings/debian-archive-keyring.gpg:debian-archive-keyring
  # An engine that finds AppArmor in the kernel starts nothing without it.
  if grep -qs Y /sys/module/apparmor/parameters/enabled; then
    echo apparmor_parser:apparmor
  fi
}
