# shellcheck shell=sh
# The stack: the image on which apps without a Dockerfile are built and run. Its base is a Debian root file system, made
# once per recipe and kept; `dokku stack:build` lays our programs over it.

STACK_SUITE=bookworm
STACK_PACKAGES=bash,ca-certificates,curl,file,gcc,git,golang-go,libc6-dev,make,patch,pkg-config,procps,python3,unzip,xz-utils

# What no build needs: documents, the tests and the own sources of the Go toolchain, link-time optimisation and the
# sanitizers of gcc.
STACK_WITHOUT='
  /usr/share/man/* /usr/share/doc/* /usr/share/info/* /usr/share/locale/*
  /usr/share/go-*/test/* /usr/share/go-*/api/* /usr/share/go-*/src/cmd/* /usr/share/go-*/src/*_test.go
  /usr/share/go-*/src/*/testdata/* /usr/lib/go-*/pkg/linux_*/cmd/*
  /usr/lib/gcc/*/lto1 /usr/bin/*-lto-dump-* */libasan.* */libtsan.* */liblsan.* */libubsan.* */libhwasan.*'

# The user that apps run as.
STACK_USER='app:x:32767:32767::/app:/bin/bash'
STACK_GROUP='app:x:32767:'

CERTIFICATES=/usr/local/share/ca-certificates

# debian_sources prints the host's own sources of the suite, a line each, whichever of apt's two formats they are in;
# those of other vendors are left out. Without any it prints the usual ones.
debian_sources() {
  cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null \
    | sed -n 's/#.*//; s/\[[^]]*\]//; s/^deb  *\(.*\)$/\1/p' >"$WORK/sources"
  for file in /etc/apt/sources.list.d/*.sources; do
    [ -e "$file" ] || continue
    awk 'function flush(  i, j, u, s) {
           if (on && types ~ /(^| )deb( |$)/)
             for (i = split(uris, u, " "); i > 0; i--)
               for (j = split(suites, s, " "); j > 0; j--) print u[i], s[j], components
           types = uris = suites = components = ""; on = 1
         }
         BEGIN { on = 1 }
         /^[ \t]*$/ { flush(); next }
         { key = tolower($1); $1 = ""; sub(/^ /, "") }
         key == "types:" { types = $0 }
         key == "uris:" { uris = $0 }
         key == "suites:" { suites = $0 }
         key == "components:" { components = $0 }
         key == "enabled:" { on = ($0 != "no") }
         END { flush() }' "$file" >>"$WORK/sources"
  done
  awk -v suite="$STACK_SUITE" '$1 ~ /\/debian(-security)?\/?$/ && ($2 == suite || index($2, suite "-") == 1) { print "deb", $0 }' \
    "$WORK/sources" | sort -u >"$WORK/chosen"
  if ! grep -q " $STACK_SUITE " "$WORK/chosen"; then
    cat <<EOF
deb http://deb.debian.org/debian $STACK_SUITE main
deb http://deb.debian.org/debian $STACK_SUITE-updates main
deb http://deb.debian.org/debian-security $STACK_SUITE-security main
EOF
    return
  fi
  cat "$WORK/chosen"
}

# stack_recipe_id names what the root file system is made of.
stack_recipe_id() {
  {
    cat "$SRC/.bootstrap/stack.sh"
    debian_sources
    dpkg --print-architecture
    if [ -n "${DOKKU_STACK:-}" ]; then
      cat "$DOKKU_STACK"
    fi
    find "$CERTIFICATES" -type f -name '*.crt' -exec cat {} + 2>/dev/null || :
  } | sha256sum | cut -c 1-16
}

# make_rootfs makes the tar FILE, and keeps it in the cache.
make_rootfs() { # ID FILE
  kept=$CACHE/stack-$1.tar.zst
  if [ -n "${DOKKU_STACK:-}" ]; then
    ln -s "$(realpath "$DOKKU_STACK")" "$2"
  elif [ -e "$kept" ]; then
    zstd -q -d "$kept" -o "$2"
  else
    rootfs "$2"
    mkdir -p "$CACHE"
    zstd -q -T0 -3 "$2" -o "$kept.$$"
    mv "$kept.$$" "$kept"
    find "$CACHE" -name 'stack-*' ! -name "stack-$1.tar.zst" -delete
  fi
}

rootfs() { # FILE
  proxy=
  eval "$(apt-config shell proxy Acquire::http::Proxy)"
  if [ -n "$proxy" ]; then
    export http_proxy="$proxy"
  fi
  # shellcheck disable=SC2016 # the hooks' shell expands $1, the new root
  set -- --mode=root --quiet --variant=apt --include="$STACK_PACKAGES" --aptopt='Apt::Install-Recommends "false"' \
    --customize-hook='mkdir -p "$1/app" && chown 32767:32767 "$1/app"' \
    --customize-hook="echo '$STACK_USER' >>\"\$1/etc/passwd\" && echo '$STACK_GROUP' >>\"\$1/etc/group\"" \
    "$STACK_SUITE" "$1" -
  if [ -n "$(find "$CERTIFICATES" -name '*.crt' 2>/dev/null)" ]; then
    set -- --customize-hook="copy-in $CERTIFICATES /usr/local/share" \
      --customize-hook="chroot \"\$1\" update-ca-certificates" "$@"
  fi
  set -f
  for path in $STACK_WITHOUT; do
    set -- --dpkgopt="path-exclude=$path" "$@"
  done
  set +f
  debian_sources >"$WORK/stack-sources"
  mmdebstrap "$@" <"$WORK/stack-sources"
}

has_image() { docker image inspect "$1" >/dev/null 2>&1; }

# prepare_stack begins to make the root file system, beside what follows, unless the engine has the image of it.
prepare_stack() {
  STACK_ID=$(stack_recipe_id)
  STACK_TAR=
  if ! has_image "dokku/stack-base:$STACK_ID"; then
    STACK_TAR=$WORK/stack.tar
    start_job stack make_rootfs "$STACK_ID" "$STACK_TAR"
  fi
}

# finish_stack makes the image dokku/stack:TAG. The base is known by the recipe's name too, so that all stacks of an
# engine share it, and only the newest is kept.
finish_stack() { # TAG DOKKU...
  tag=$1
  shift
  if [ -z "$STACK_TAR" ]; then
    docker tag "dokku/stack-base:$STACK_ID" "dokku/stack-base:$tag"
    "$@" stack:build
    return
  fi
  finish_job stack
  chmod 755 "$WORK"
  "$@" stack:build "$STACK_TAR"
  rm -f "$STACK_TAR"
  docker tag "dokku/stack-base:$tag" "dokku/stack-base:$STACK_ID"
  docker image ls --format '{{.Repository}}:{{.Tag}}' dokku/stack-base \
    | grep -E ':[0-9a-f]{16}$' | grep -v ":$STACK_ID$" | while read -r old; do
    docker image rm "$old" >/dev/null || :
  done
}
