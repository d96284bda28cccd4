#!/bin/sh
# Make the three locks anew from pyproject.toml. Needs uv; keeps what is locked unless told otherwise, e.g.
#   requirements/lock.sh --upgrade-package cryptography       or       requirements/lock.sh --upgrade
set -eu
cd "$(dirname "$0")/.."

lock() {
  out=requirements/$1.txt
  shift
  uv pip compile pyproject.toml --universal --generate-hashes --no-header --no-annotate --quiet \
    --python-version 3.11 --no-emit-package gatepost --output-file "$out" "$@" >/dev/null
  echo "$out: $(grep -c == "$out") packages"
}

lock run --extra embedded "$@"
lock prod --extra postgres --extra otel --constraint requirements/run.txt "$@"
lock dev --extra embedded --extra postgres --extra otel --group dev --constraint requirements/run.txt "$@"
