#!/bin/sh
# Builds and tests acsplit under other versions of Node, by hand: sh scripts/node-versions.sh [MAJOR...] (default 22 24).
#
# Node comes from the registry's package "node" into build/node-MAJOR; nothing of the system is touched. The addon speaks
# Node-API, whose binary interface all versions share: the one that `npm run build` made is loaded as it is.
set -eu
exec </dev/null
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- 22 24
[ -e build/Release/acsplit.node ] || {
  echo 'build first: npm run build' >&2
  exit 1
}
npm run --silent compile

failed=''
for major; do
  folder="build/node-$major"
  node="$PWD/$folder/node_modules/node/bin/node"
  if [ ! -x "$node" ]; then
    mkdir -p "$folder"
    echo '{ "private": true }' >"$folder/package.json"
    npm install --prefix "$folder" --no-audit --no-fund --loglevel=error "node@$major"
  fi
  echo "== Node $("$node" --version)"
  jest="$node node_modules/jest/bin/jest.js --maxWorkers=1 --silent --cacheDirectory=build/jest-cache-$major"
  # Tests start what they start with the Node that runs them.
  # shellcheck disable=SC2086 # a command and its words
  $jest --selectProjects pure || failed="$failed $major:pure"
  if [ "$(id -u)" = 0 ]; then
    # The addon, the engine, the story: what depends on Node itself. Everything else is the kernel's. The other binding,
    # which native-agreement measures ours by, would have to be built anew for each version.
    # shellcheck disable=SC2086
    $jest --selectProjects e2e --testPathPatterns 'e2e/(native-(lay|lif|mem|soc|tra)|run-engine|operations|story-auto|story-lab|transfer-bulk)' ||
      failed="$failed $major:e2e"
  else
    echo 'end to end was not run: that takes root'
  fi
done
[ -z "$failed" ] || {
  echo "FAILED:$failed"
  exit 1
}
