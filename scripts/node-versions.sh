#!/bin/sh
# Tests acsplit under every version of Node that it supports.
#
#     npm run test:nodes [-- MAJOR...]            the quick tests, and those that touch Node itself; default: 20 22 24
#     sh scripts/node-versions.sh --smallest      one file of the quick tests on each: what `npm test` runs
#
# Each Node comes from the npm package node-linux-ARCHITECTURE into build/node-MAJOR; the system's own Node is used for its version. The
# addon needs no rebuild: it speaks Node-API, whose binary interface is the same in all of them.
set -eu
exec </dev/null
cd "$(dirname "$0")/.."
smallest=''
[ "${1-}" != --smallest ] || {
  smallest=yes
  shift
}
[ $# -gt 0 ] || set -- 20 22 24
[ -n "$smallest" ] || [ -e build/Release/acsplit.node ] || {
  echo 'build first: npm run build' >&2
  exit 1
}

package="node-linux-$(node -p process.arch)"

# Prints the path of Node MAJOR, fetching it if necessary.
node_of() {
  if [ "$(node -p 'process.versions.node.split(".")[0]')" = "$1" ]; then
    command -v node
    return
  fi
  folder="build/node-$1"
  if [ ! -x "$folder/node_modules/$package/bin/node" ]; then
    mkdir -p "$folder"
    echo '{ "private": true }' >"$folder/package.json"
    npm install --prefix "$folder" --no-audit --no-fund --loglevel=error --ignore-scripts "$package@$1" >&2 || return 1
  fi
  echo "$PWD/$folder/node_modules/$package/bin/node"
}

# Runs jest on Node $node. Each version has its own cache, because versions must not share compiled code.
run_jest() {
  "$node" node_modules/jest/bin/jest.js --silent --cacheDirectory="build/jest-cache-$major" "$@"
}

failed=''
for major; do
  if ! node="$(node_of "$major")" || ! version="$("$node" --version)"; then
    [ -n "$smallest" ] || failed="$failed $major:fetch"
    echo "Node $major was not run: it could not be fetched"
    continue
  fi
  echo "== Node $version"
  if [ -n "$smallest" ]; then
    run_jest --runInBand --selectProjects pure --testPathPatterns unit/splitter/topology ||
      failed="$failed $major:smallest"
    continue
  fi
  run_jest --selectProjects pure 'pure, IPv6' --maxWorkers=2 || failed="$failed $major:pure"
  # The state file's mapping and files, and replay's pipes. Tests start what they start with the Node that runs them.
  run_jest --selectProjects host deep --testPathPatterns 'host/' 'deep/(replay|engine)/' --maxWorkers=1 ||
    failed="$failed $major:host"
  if [ "$(id -u)" = 0 ]; then
    # The addon, the engine's two processes, the lab. The rest of the end-to-end tests is about the kernel, and the other
    # binding that native-agreement measures ours by would need a rebuild for each version.
    run_jest --selectProjects e2e --maxWorkers=1 --testPathPatterns \
      'e2e/(native-(lay|lif|mem|soc|tra)|run-engine|operations|story-auto|story-lab|state-replaced|transfer-bulk)' ||
      failed="$failed $major:e2e"
  else
    echo 'end to end was not run: it needs root'
  fi
done
[ -z "$failed" ] || {
  echo "FAILED:$failed"
  exit 1
}
