#!/bin/sh
# Builds the addons for arm64 on another machine, into FOLDER, against Debian 12's arm64 libraries: sh cross-addons.sh FOLDER.
# Takes g++-aarch64-linux-gnu and, for a moment, a mirror.
set -eu
exec </dev/null
cd "$(dirname "$0")/.."
out="$1"
mkdir -p "$out/lists/partial" "$out/cache/archives/partial" "$out/root"
out="$(cd "$out" && pwd)"
if [ ! -e "$out/root/usr/include/libmnl" ]; then
  touch "$out/status"
  from() {
    apt-get -qq -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o APT::Sandbox::User=root \
      -o Dir::State::Lists="$out/lists" -o Dir::State::status="$out/status" -o Dir::Cache="$out/cache" "$@"
  }
  from update >&2
  (cd "$out" && from download libnetfilter-queue-dev libnetfilter-queue1 libnfnetlink0 libmnl-dev libmnl0 libbpf-dev libbpf1 \
    libelf1 zlib1g >&2)
  for package in "$out"/*.deb; do dpkg-deb -x "$package" "$out/root"; done
fi
for entry in binding.gyp native node_modules package.json; do ln -sfn "$PWD/$entry" "$out/$entry"; done
prefix="$(dirname "$(dirname "$(readlink -f "$(command -v node)")")")"
if [ -e "$prefix/include/node/node_api.h" ]; then
  npm_package_config_node_gyp_nodedir="$prefix"
  export npm_package_config_node_gyp_nodedir
fi
libraries="$out/root/usr/lib/aarch64-linux-gnu"
CC=aarch64-linux-gnu-gcc CXX=aarch64-linux-gnu-g++ CXXFLAGS="-idirafter $out/root/usr/include" \
  LDFLAGS="-L$libraries -Wl,-rpath-link,$libraries" \
  node_modules/.bin/node-gyp --silent configure build -C "$out" --arch=arm64 --jobs max >"$out/build.log" 2>&1 || {
  tail -n 20 "$out/build.log" >&2
  exit 1
}
aarch64-linux-gnu-strip --strip-unneeded "$out"/build/Release/*.node
