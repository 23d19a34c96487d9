# shellcheck shell=sh
# The docker engine: the one that is there, or a private one.

HOST_ENGINE=unix:///var/run/docker.sock

answers() { docker --host "$1" version >/dev/null 2>&1; }

# use_engine sets DOCKER_HOST to an engine that answers, and starts a private one in the directory when there is none.
use_engine() { # DIRECTORY
  if [ -n "${DOCKER_HOST:-}" ]; then
    answers "$DOCKER_HOST" || die "cannot reach the docker engine at DOCKER_HOST=$DOCKER_HOST"
  elif answers "$HOST_ENGINE"; then
    DOCKER_HOST=$HOST_ENGINE
  else
    start_engine "$1"
  fi
  export DOCKER_HOST
  note "the engine at $DOCKER_HOST"
}

start_engine() { # DIRECTORY
  # A socket's path has at most 107 bytes, and the longest one below is 45 bytes long.
  [ ${#1} -le 60 ] || die "cannot keep a docker engine in $1: the path is too long"
  DOCKER_HOST=unix://$1/docker.sock
  if answers "$DOCKER_HOST"; then
    return
  fi
  mkdir -p "$1"
  mount_cgroups "$1"
  if ! pid_of "$1/docker.pid" "$1" >/dev/null; then
    rm -f "$1/docker.pid"
    make_network "$1"
    dir=$1
    set -- dockerd --data-root "$1/data" --exec-root "$1/run" --pidfile "$1/docker.pid" --host "$DOCKER_HOST" \
      --bridge "$(bridge_of "$1")"
    if getent group docker >/dev/null; then
      set -- "$@" --group docker
    fi
    # An engine wants a root that is a mount, which that of a plain chroot is not.
    if ! awk '$5 == "/" { found = 1 } END { exit !found }' /proc/self/mountinfo; then
      mkdir -p "$dir/root"
      mount --rbind / "$dir/root"
      mount --make-rprivate "$dir/root"
      set -- chroot "$dir/root" "$@"
    fi
    setsid "$@" >"$dir/log" 2>&1 </dev/null &
    set -- "$dir" "$!"
  fi
  if ! until_ok 60 engine_is_up "$@"; then
    tail -n 5 "$1/log" >&2
    die "cannot start a docker engine: see above, and $1/log"
  fi
}

# engine_is_up stops the wait when the process has ended.
engine_is_up() { # DIRECTORY [PID]
  if [ -n "${2:-}" ] && ! kill -0 "$2" 2>/dev/null; then
    tail -n 5 "$1/log" >&2
    die "cannot start a docker engine: see above, and $1/log"
  fi
  answers "$DOCKER_HOST"
}

# mount_cgroups gives a bare root (a chroot, mostly) the file systems that an engine cannot do without. What it mounts
# is listed in the file mounts, for stop_engine.
mount_cgroups() { # DIRECTORY
  if grep -q ' /sys/fs/cgroup' /proc/self/mounts; then
    return
  fi
  if [ ! -d /sys/fs/cgroup ]; then
    mount_listed "$1" sysfs "" /sys
  fi
  if ! grep -q '^[0-9]*:[a-z]' /proc/self/cgroup; then
    mount_listed "$1" cgroup2 "" /sys/fs/cgroup
    return
  fi
  mount_listed "$1" tmpfs mode=755 /sys/fs/cgroup
  # A line is NUMBER:CONTROLLER,...:PATH
  sed -n 's/^[0-9]*:\([a-z_,][a-z_,]*\):.*/\1/p' /proc/self/cgroup | while read -r controllers; do
    mkdir "/sys/fs/cgroup/$controllers"
    mount_listed "$1" cgroup "$controllers" "/sys/fs/cgroup/$controllers"
    for controller in $(echo "$controllers" | tr , ' '); do
      [ -e "/sys/fs/cgroup/$controller" ] || ln -s "$controllers" "/sys/fs/cgroup/$controller"
    done
  done
}

mount_listed() { # DIRECTORY TYPE OPTIONS TARGET
  mount -t "$2" ${3:+-o "$3"} "$2" "$4" || die "cannot mount $2 on $4, which a docker engine needs: mount it from outside"
  echo "$(cat /proc/sys/kernel/random/boot_id) $4" >>"$1/mounts"
}

# bridge_of names the bridge of a directory's engine: one of its own, since an engine that was killed leaves docker0 with
# the ends of its containers, whose addresses still answer there.
bridge_of() { # DIRECTORY
  printf 'dokku%x' "$(printf %s "$1" | cksum | cut -d ' ' -f 1)"
}

# make_network makes that bridge, and notes what an engine changes in the kernel's network unless one did that before.
make_network() { # DIRECTORY
  if [ ! -e "$1/forward" ] && [ ! -e /sys/class/net/docker0 ]; then
    echo "$(iptables -S FORWARD | sed -n 's/^-P FORWARD //p') $(cat /proc/sys/net/ipv4/ip_forward)" >"$1/forward"
  fi
  bridge=$(bridge_of "$1")
  remove_bridge "$bridge"
  for subnet in $(seq 20 31); do
    if ! ip -4 route | grep -q "172\.$subnet\."; then
      # Without an address of its own a bridge has that of one of its ports. When that goes, what other containers are
      # sending gets lost until they ask for the new one.
      ip link add "$bridge" address "02:42:ac:$(printf %02x "$subnet"):00:01" type bridge
      ip address add "172.$subnet.0.1/16" dev "$bridge"
      ip link set "$bridge" up
      return
    fi
  done
  die "cannot start a docker engine: 172.20.0.0 to 172.31.0.0 are all in use, see ip route"
}

# remove_bridge removes it with what containers left there.
remove_bridge() { # BRIDGE
  for port in "/sys/class/net/$1/brif/"*; do
    [ ! -e "$port" ] || ip link delete "${port##*/}" || :
  done
  [ ! -e "/sys/class/net/$1" ] || ip link delete "$1" || :
}

# restore_network takes away an engine's bridge and rules; the chains of all engines only if it made them.
restore_network() { # DIRECTORY
  bridge=$(bridge_of "$1")
  mine=$bridge
  if read -r policy forward 2>/dev/null <"$1/forward" && [ ! -e /sys/class/net/docker0 ]; then
    mine="DOCKER\\|$bridge"
  fi
  for table in filter nat; do
    iptables -t "$table" -S | sed -n "/$mine/s/^-A /-D /p" >"$WORK/rules"
    if [ "$mine" != "$bridge" ]; then
      iptables -t "$table" -S | sed -n 's/^-N \(DOCKER\)/-X \1/p' >>"$WORK/rules"
    fi
    while read -r rule; do
      # shellcheck disable=SC2086 # the words of a rule
      iptables -t "$table" $rule || :
    done <"$WORK/rules"
  done
  if [ "$mine" != "$bridge" ]; then
    iptables -P FORWARD "$policy"
    echo "$forward" >/proc/sys/net/ipv4/ip_forward
  fi
  remove_bridge "$bridge"
}

# stop_engine ends the private engine of a directory and removes all it had.
stop_engine() { # DIRECTORY
  if [ ! -d "$1" ]; then
    return
  fi
  stop_pid "$1/docker.pid" "$1"
  mounts_below "$1" | sort -r | while read -r target; do
    umount "$target" 2>/dev/null || umount -l "$target" || :
  done
  restore_network "$1"
  if [ -e "$1/mounts" ]; then
    # Those of an earlier boot are gone, and others may be in their place.
    sed -n "s/^$(cat /proc/sys/kernel/random/boot_id) //p" "$1/mounts" | sort -r | while read -r target; do
      umount -l "$target" || :
    done
  fi
  [ -z "$(mounts_below "$1")" ] || die "cannot remove $1: there are still mounts in it"
  rm -rf --one-file-system "$1"
}

mounts_below() { awk -v dir="$1/" 'index($2, dir) == 1 { print $2 }' /proc/self/mounts; }
