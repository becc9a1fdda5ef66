#!/bin/sh
# Builds and runs the native tests under the address and undefined-behaviour sanitizers: the parts below napi as a
# program of their own, then the addon inside Node on real queues (root only).
set -eu
cd "$(dirname "$0")/.."
out=build/sanitize
mkdir -p "$out"
sanitizers='-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -g -O1'

is_older() { # FILE: missing, or older than what it is built from
  [ ! -e "$1" ] || [ -n "$(find native test/native binding.gyp "$0" -newer "$1" -type f | head -n 1)" ]
}

# shellcheck disable=SC2086 # options, not one word
! is_older "$out/native-test" ||
  ${CXX:-g++} -std=c++17 -Wall -Wextra -Werror -fno-exceptions $sanitizers -o "$out/native-test" test/native/*.cc \
    native/checksum.cc native/mapping.cc native/message.cc native/open.cc native/queue.cc native/verdicts.cc -lnetfilter_queue -lmnl
"$out/native-test"

# The fuzz target for netlink messages, driven by the corpus. With clang, libFuzzer drives it: docs/testing.md.
# shellcheck disable=SC2086
! is_older "$out/native-fuzz" ||
  ${CXX:-g++} -std=c++17 -Wall -Wextra -Werror -fno-exceptions $sanitizers -o "$out/native-fuzz" test/native/fuzz/*.cc \
    native/checksum.cc native/message.cc native/verdicts.cc -lmnl
"$out/native-fuzz" test/native/fuzz/corpus "${FUZZ_ROUNDS:-200000}"

if [ "$(id -u)" != 0 ]; then
  echo 'native: the addon inside Node was not run under the sanitizers: it needs root'
  exit 0
fi

# Build the addon's sources under another root, so that build/Release stays as it is.
for entry in binding.gyp native node_modules package.json; do ln -sfn "../../$entry" "$out/$entry"; done
addon="$out/build/Release/acsplit.node"
if is_older "$addon" && ! CXXFLAGS="$sanitizers" LDFLAGS='-fsanitize=address,undefined' \
  npx --no-install node-gyp rebuild -C "$out" >"$out/build.log" 2>&1; then
  cat "$out/build.log" >&2
  exit 1
fi
# The sanitizer's library must be loaded before the addon, and jest loads the addon too. Programs that jest starts
# should not have it, so jest removes it from its environment; test/e2e/support/netns.ts passes it to programs that load
# the addon. Node itself leaks by design, and V8 keeps pointers where the leak checker does not look.
preload=$(${CXX:-g++} -print-file-name=libasan.so)
ACSPLIT_TEST_ADDON="$PWD/$addon" ACSPLIT_TEST_PRELOAD="$preload" LD_PRELOAD="$preload" \
  ASAN_OPTIONS=detect_leaks=0 \
  node --import 'data:text/javascript,delete process.env.LD_PRELOAD' node_modules/jest/bin/jest.js --selectProjects e2e \
  --maxWorkers=1 test/e2e/native-traffic test/e2e/native-lifetime test/e2e/native-memory test/e2e/native-recovery \
  test/e2e/native-layout test/e2e/native-socket
