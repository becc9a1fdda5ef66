#!/bin/sh
# Builds the two addons where they are missing, or older than what they are built from; for `test` and `bench` also that of
# the npm package nfqueue, which ours is measured by.
set -eu
cd "$(dirname "$0")/.."

# Node's own headers, where they came with it: node-gyp then has nothing to download.
prefix="$(dirname "$(dirname "$(readlink -f "$(command -v node)")")")"
if [ -e "$prefix/include/node/node_api.h" ]; then
  npm_package_config_node_gyp_nodedir="$prefix"
  export npm_package_config_node_gyp_nodedir
fi

addon=build/Release/acsplit.node
# Files alone: a copy of the tree, or a checkout, gives folders the time at which it was made.
if [ ! -e "$addon" ] || [ -n "$(find native binding.gyp -type f -newer "$addon" | head -n 1)" ]; then
  echo 'set-up: building the addons' >&2
  said="$(node_modules/.bin/node-gyp --silent configure build --jobs max 2>&1)" || {
    printf '%s\n' "$said" >&2
    exit 1
  }
  touch "$addon"
fi

case "${1-}" in test | bench)
  if [ ! -e node_modules/nfqueue/build/Release/nfqueue.node ]; then
    echo 'set-up: building nfqueue' >&2
    npm rebuild --loglevel=error nfqueue >&2
  fi
  ;;
esac
