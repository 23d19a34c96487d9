# shellcheck shell=sh
# Arguments: DIR SUITE URI KEY OVERLAY PACKAGE... Prints the root file system as a tar.
dir=$1 suite=$2 uri=$3 key=$4 overlay=$5
shift 5
root=$dir/root
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
unset TMPDIR
say() { echo "I: $*" >&2; }
debootstrap --variant=minbase ${key:+--keyring="$key"} "$suite" "$root" "$uri" >&2
cp "$dir/sources.list" "$root/etc/apt/sources.list"
cp "$dir/dpkg.cfg" "$root/etc/dpkg/dpkg.cfg.d/99stack"
echo 'Apt::Install-Recommends "false";' >"$root/etc/apt/apt.conf.d/99stack"
if [ -n "$key" ]; then
  mkdir -p "$root${key%/*}"
  cp "$key" "$root$key"
fi
mount -t proc proc "$root/proc"
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"
say "installing packages..."
export DEBIAN_FRONTEND=noninteractive
chroot "$root" apt-get -q update >&2
chroot "$root" apt-get -q -y upgrade >&2
chroot "$root" apt-get -q -y install "$@" >&2
rm "$root/usr/sbin/policy-rc.d"
tar -xf "$overlay" -C "$root"
chroot "$root" /bin/sh /.finish
chroot "$root" apt-get clean
umount "$root/proc"
rm -rf "$root"/var/lib/apt/lists/*
say "creating tarball..."
tar -C "$root" --numeric-owner --one-file-system -cf - .
