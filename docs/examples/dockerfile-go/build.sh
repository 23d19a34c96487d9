#!/bin/sh
# Compiles the server into ./server. An image FROM scratch has no compiler in it, so the program is built here, and
# committed or copied beside the Dockerfile before the push.
set -eu

cd "$(dirname "$0")"
CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o server .
