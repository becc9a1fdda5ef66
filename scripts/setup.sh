#!/bin/sh
# Makes a fresh checkout on Debian or Ubuntu ready, and does nothing when it is: system packages, npm packages, build.
#
#     sh scripts/setup.sh         what the product needs
#     sh scripts/setup.sh test    and what the tests need
#     sh scripts/setup.sh bench   or what the benchmarks need
#     sh scripts/setup.sh deb     or what builds the Debian packages
#
# Installs system packages as root only; anybody else gets the line to run. Says what it does on stderr.
set -eu
exec </dev/null # nothing here may ask anything
cd "$(dirname "$0")/.."
PATH="$PATH:/usr/sbin:/sbin" # where Debian keeps iptables and ip from an ordinary user
export PATH

say() { echo "set-up: $*" >&2; }
fail() {
  say "$*"
  exit 1
}

# --- Node --------------------------------------------------------------------------------------------------------

command -v npm >/dev/null || fail 'npm is missing: install Node.js 20 or newer'
[ "$(node -p 'process.versions.node.split(".")[0] >= 20')" = true ] ||
  fail "Node.js 20 or newer is needed, found $(node --version)"

# --- System packages ---------------------------------------------------------------------------------------------

missing=''
command_from() { command -v "$1" >/dev/null || missing="$missing $2"; }
file_from() { [ -e "$1" ] || missing="$missing $2"; }

find_missing() {
  missing=''
  command_from g++ g++
  command_from make make
  command_from python3 python3 # node-gyp is written in it
  file_from /usr/include/libnetfilter_queue/libnetfilter_queue.h libnetfilter-queue-dev
  file_from /usr/include/libmnl/libmnl.h libmnl-dev
  file_from /usr/include/bpf/libbpf.h libbpf-dev # for fastPath; everything else builds without it
  command_from iptables iptables
  command_from ipset ipset # for onEngineDown: itms
  command_from ip iproute2
  command_from sysctl procps
  if [ "$1" = bench ]; then
    command_from nginx nginx-light
    command_from haproxy haproxy
    command_from nft nftables
    command_from tcprewrite tcpreplay
    grep -qs '^ID=debian' /etc/os-release && command_from perf linux-perf # elsewhere it goes by the kernel's version
  fi
  [ "$1" != deb ] || command_from dh debhelper
  [ "$1" = test ] || return 0
  command_from clang clang # builds native/fast-path/carry.bpf.o again, to compare
  command_from bpftool bpftool
  command_from curl curl
  command_from hping3 hping3
  command_from jq jq
  command_from nginx nginx-light # a server with habits
  command_from openssl openssl
  command_from keepalived keepalived
  command_from redis-server redis-server
  command_from conntrackd conntrackd # the rival of two routers
  command_from nft nftables
  command_from shellcheck shellcheck
  command_from systemd-analyze systemd
  command_from tcpdump tcpdump
  command_from tcprewrite tcpreplay
  command_from tshark tshark # with dumpcap
  grep -qs '^ID=debian' /etc/os-release && command_from chromium chromium # elsewhere it is no Debian package
  return 0
}

install_missing() {
  # shellcheck disable=SC2086 # package names, one word each
  DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 --no-install-recommends install $missing >&2
}

what="${1:-product}"

find_missing "$what"
line="apt-get update && apt-get install -y --no-install-recommends$missing"
if [ -n "$missing" ]; then
  command -v apt-get >/dev/null || fail "install what your system calls these Debian packages:$missing"
  [ "$(id -u)" = 0 ] || fail "system packages are missing; run: sudo sh -c '$line'"
fi

# --- npm packages, beside the system packages. No install scripts run: the addons are built below ----------------------

installed=node_modules/.package-lock.json
packages=''
trap '[ -z "$packages" ] || kill "$packages" 2>/dev/null' EXIT
if [ ! -e "$installed" ] || [ -n "$(find package-lock.json -newer "$installed")" ]; then
  say 'npm ci'
  npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2 &
  packages=$!
fi
if [ -n "$missing" ]; then
  say "installing$missing"
  # Lists that were never fetched, or are out of date, are the usual reason to fail: fetch them then, and only then.
  install_missing 2>/dev/null || {
    apt-get -q -o DPkg::Lock::Timeout=300 update >&2 || fail 'apt-get update failed; is the network there?'
    install_missing || fail "could not install; run and see: $line"
  }
  find_missing "$what"
  [ -z "$missing" ] || fail "still missing after the installation:$missing"
fi
if [ -n "$packages" ]; then
  wait "$packages" || fail 'npm ci failed'
  packages=''
  touch "$installed"
fi

# --- Build: the addons beside the compiler --------------------------------------------------------------------------

is_older() { # FILE SOURCE...: FILE is missing, or older than anything under the sources
  file="$1"
  shift
  [ ! -e "$file" ] || [ -n "$(find "$@" -newer "$file" | head -n 1)" ]
}

sh scripts/addons.sh "$what" &
addons=$!
if is_older dist/.built src page tsconfig.json tsconfig.build.json scripts/bundle.mjs package-lock.json; then
  say 'compiling'
  node_modules/.bin/tsc -p tsconfig.build.json >&2
  node scripts/bundle.mjs >&2
  touch dist/.built
fi
wait "$addons" || fail 'the addons could not be built'

# --- promtool, for the tests of the alert rules: out of its package, whose installation would start a Prometheus ---------

tools=build/tools
if [ "$what" = test ] && [ ! -x "$tools/promtool" ] && ! command -v promtool >/dev/null; then
  say 'unpacking promtool'
  rm -rf "$tools" && mkdir -p "$tools"
  download() { (cd "$tools" && apt-get -q download prometheus >/dev/null 2>&1); }
  download || { apt-get -q -o DPkg::Lock::Timeout=300 update >&2 && download; } || fail 'cannot download the package prometheus'
  dpkg-deb --fsys-tarfile "$tools"/prometheus_*.deb | tar -xO ./usr/bin/promtool >"$tools/promtool.new"
  chmod +x "$tools/promtool.new" && mv "$tools/promtool.new" "$tools/promtool"
  rm -f "$tools"/*.deb
fi
