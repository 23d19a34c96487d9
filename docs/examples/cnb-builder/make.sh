#!/bin/sh
# Makes a builder image of Cloud Native Buildpacks without a registry, dokku/cnb-builder, and its run image, dokku/cnb-run:
# the lifecycle, built from its Go module, and the buildpacks of this directory, on a Debian image.
# Arguments: [BASE], the image on which apps are built and run. Needs go and docker.
set -eu

VERSION=0.21.0
BASE=${1:-dokku/stack:latest}
HERE=$(cd "$(dirname "$0")" && pwd)
KEPT=${DOKKU_CACHE_DIR:-/var/cache/dokku}/lifecycle-$VERSION

# The programs are made once, and kept.
if [ ! -x "$KEPT/lifecycle" ] || [ ! -x "$KEPT/launcher" ]; then
  module=$(cd / && go mod download -json "github.com/buildpacks/lifecycle@v$VERSION" | sed -n 's/^[[:space:]]*"Dir": "\(.*\)",\{0,1\}$/\1/p')
  mkdir -p "$KEPT"
  new=$(mktemp -d "$KEPT/.new.XXXXXX")
  (cd "$module" && CGO_ENABLED=0 GOFLAGS=-mod=readonly go build -trimpath \
    -ldflags "-s -w -X github.com/buildpacks/lifecycle/cmd.Version=$VERSION" -o "$new" ./cmd/lifecycle ./cmd/launcher)
  mv "$new/lifecycle" "$new/launcher" "$KEPT"
  rmdir "$new"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/cnb/lifecycle" "$work/cnb/buildpacks"
cp "$KEPT/lifecycle" "$KEPT/launcher" "$work/cnb/lifecycle"
for phase in analyzer builder creator detector exporter extender rebaser restorer; do
  ln -s lifecycle "$work/cnb/lifecycle/$phase"
done
for pack in "$HERE"/buildpacks/*; do
  name=$(basename "$pack")
  mkdir -p "$work/cnb/buildpacks/example_$name"
  cp -R "$pack" "$work/cnb/buildpacks/example_$name/1.0.0"
done
cp "$HERE/order.toml" "$HERE/run.toml" "$work/cnb"
cp "$HERE/Dockerfile" "$work"
chmod -R u=rwX,go=rX "$work"
for image in run builder; do
  docker build --quiet --build-arg "BASE=$BASE" --target "$image" --tag "dokku/cnb-$image:latest" "$work" >/dev/null
done
