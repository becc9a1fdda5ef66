#!/bin/sh
# Runs the end-to-end tests over a slow engine; by hand, as root:
#   sh scripts/slow-engine.sh before|after|stall [MS] [JEST-WORD...]
#
# A test that checks before its packets were decided or have arrived nearly always passes, and fails on a busy machine.
# With an engine that waits MS (default 15) before each batch is decided, or between its decision and its verdicts, such
# a test fails every time. `stall` pauses for longer (default 300) before an occasional batch, as a machine without free
# CPUs does: long enough for TCP to retransmit what was not lost. Tests that need a fast engine (a flood, a batch of one
# packet) are left out.
#
# It works in a copy of the committed files, which it removes at the end.
set -eu
exec </dev/null
cd "$(dirname "$0")/.."
where="${1-}" ms=15
case "$where" in
before) site='is_deciding_ = true;' put="usleep(MS000); is_deciding_ = true;" ;;
after) site='is_deciding_ = false;' put="is_deciding_ = false; usleep(MS000);" ;;
stall)
  ms=300
  site='is_deciding_ = true;'
  # One batch in eight, and at most a third of the time.
  put="static unsigned dice = getpid(); static double rested = 0; if (rand_r(\\&dice) % 8 == 0 \\&\\& boottime_ms() - rested > 3 * MS) { usleep(MS000); rested = boottime_ms(); } $site"
  ;;
*)
  echo 'usage: sh scripts/slow-engine.sh before|after|stall [MS] [JEST-WORD...]' >&2
  exit 2
  ;;
esac
shift
case "${1-}" in
[0-9]*)
  ms="$1"
  shift
  ;;
esac
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' HUP INT TERM
git clone --quiet --no-tags . "$folder"
ln -s "$PWD/node_modules" "$folder/node_modules"
cd "$folder"
file=native/verdict_loop.cc
put="$(echo "$put" | sed "s/MS/$ms/g")"
sed -i "s/^#include <ctime>/#include <cstdlib>\n&\n#include <unistd.h>/; s/^  $site/  $put/" "$file"
# One line changed and two added, no more: notice when an anchor is gone.
[ "$(git diff --numstat "$file" | cut -f 1)" = 3 ] || {
  echo "$file does not have the lines that this script expects" >&2
  exit 1
}
prefix="$(dirname "$(dirname "$(readlink -f "$(command -v node)")")")"
[ ! -e "$prefix/include/node/node_api.h" ] || export npm_package_config_node_gyp_nodedir="$prefix"
npx node-gyp rebuild --loglevel=error >/dev/null
npm run --silent compile
npx jest --selectProjects e2e 'e2e, IPv6' --testPathIgnorePatterns scale-flood native-traffic --maxWorkers 3 "$@"
