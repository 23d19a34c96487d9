# shellcheck shell=sh
# The last step in a new root, when all packages and our files are there.
set -eu
rm /.finish
# The user that apps run as.
echo 'app:x:32767:32767::/app:/bin/bash' >>/etc/passwd
echo 'app:x:32767:' >>/etc/group
chown 32767:32767 /app
if [ -n "$(find /usr/local/share/ca-certificates -name '*.crt')" ]; then
  update-ca-certificates >&2
fi
# What the smallest Debian has brought before dpkg was told to leave it out.
for dir in man doc info locale lintian bash-completion zsh; do
  rm -rf "/usr/share/${dir:?}"/*
done
# Lists of packages, logs and caches that a package manager makes anew.
rm -rf /var/cache/debconf/*-old /var/cache/ldconfig/* /var/log/*.log /var/log/apt/* /var/lib/dpkg/*-old
