#!/bin/sh
# Makes a Debian of its own with this checkout installed in it as docs/operations.md says, to boot systemd in:
# sh systemd-root.sh ROOT. What is there already stays, but for acsplit itself. Takes debootstrap and the network.
set -eu
exec </dev/null >&2
root="$1"
here="$(cd "$(dirname "$0")/../../.." && pwd)"

if [ ! -e "$root/usr/bin/systemctl" ]; then
  rm -rf "$root"
  mkdir -p "$root"
  debootstrap --variant=minbase \
    --include=systemd,systemd-sysv,dbus,iproute2,iptables,ipset,procps,kmod,libstdc++6,libnetfilter-queue1,libmnl0,libbpf1 \
    bookworm "$root" >"$root.log" || {
    tail -n 5 "$root.log"
    exit 1
  }
fi
node="$(readlink -f "$(command -v node)")"
cp "$node" "$root/usr/bin/node"

scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
cd "$here"
rm -rf "$root/var/log/journal" "$root"/etc/systemd/system/*.wants/acsplit*
npm pack --silent --ignore-scripts --pack-destination "$scratch" >/dev/null
rm -rf "$root/usr/local/lib/node_modules"
npm_config_nodedir="$(dirname "$(dirname "$node")")" \
  npm install --silent --global --allow-scripts=acsplit --prefix "$root/usr/local" "$scratch"/acsplit-*.tgz
install -m 644 "$root"/usr/local/lib/node_modules/acsplit/systemd/* "$root/etc/systemd/system/"
