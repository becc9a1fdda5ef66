#!/bin/sh
# The packages of `npm run deb`, tried as root in a bare Debian 12 without compiler, Node and network: installed, configured,
# run, a session diverted, removed, purged. By hand: takes debootstrap and, for a minute, a mirror.
#
#     sh scripts/try-deb.sh [ROOT]     ROOT: a Debian made by an earlier run; default: a new one, removed at the end
set -eu
cd "$(dirname "$0")/.."
id="acsplit-deb-$$"
root="${1-}"
own=''
say() { echo "try-deb: $*"; }
fail() {
  say "FAILED: $*"
  exit 1
}
expect() { # WHAT PATTERN TEXT
  case "$3" in
  *$2*) say "ok: $1" ;;
  *) fail "$1: expected $2 in: $3" ;;
  esac
}
clean() {
  for host in split cpe itms collector; do
    for pid in $(ip netns pids "$id-$host" 2>/dev/null); do kill "$pid" 2>/dev/null || true; done
    ip netns del "$id-$host" 2>/dev/null || true
  done
  for place in dev run sys proc; do umount "$root/$place" 2>/dev/null || true; done
  [ -z "$own" ] || rm -rf "$own"
}
trap clean EXIT
trap 'exit 1' HUP INT TERM

if [ -z "$root" ]; then
  own="$(mktemp -d)"
  root="$own/root"
  debootstrap --variant=minbase --include=iptables,ipset,iproute2,procps,libnetfilter-queue1,libmnl0,libbpf1,nftables \
    bookworm "$root" >"$own/log"
fi

for host in split cpe itms collector; do
  ip netns add "$id-$host"
  ip -n "$id-$host" link set lo up
done
wire() { # HOST INTERFACE OURS THEIRS
  ip link add "$2" netns "$id-split" type veth peer name eth0 netns "$id-$1"
  ip -n "$id-split" addr add "$3" dev "$2"
  ip -n "$id-$1" addr add "$4" dev eth0
  ip -n "$id-split" link set "$2" up
  ip -n "$id-$1" link set eth0 up
  ip -n "$id-$1" route add default via "${3%/*}"
}
wire cpe eth0 10.1.0.1/16 10.1.1.1/16
wire itms eth1 10.2.0.1/24 10.2.0.2/24
wire collector eth2 10.3.0.1/24 10.3.0.2/24
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t tmpfs tmpfs "$root/run"
mount --bind /dev "$root/dev"
on_router() { ip netns exec "$id-split" chroot "$root" "$@"; }
on() { ip netns exec "$id-$1" sh -c "$2"; }

cp build/deb/*.deb "$root/tmp"
on_router sysctl -qw net.ipv4.ip_forward=1
on_router sh -c 'command -v gcc node npm' && fail 'this Debian is not bare'
on_router sh -c 'dpkg -i /tmp/acsplit*.deb' >/dev/null
expect 'installed' '.' "$(on_router acsplit --version)"

file=/etc/acsplit/acsplit.yaml
on_router sh -c "acsplit config init >$file"
expect 'config check names what is missing' ':28:' "$(on_router acsplit config check 2>&1 || true)"
sed -i '0,/CHANGE ME$/s//10.2.0.2/' "$root$file" # the head, which has the word in the middle of a line, stays
sed -i 's/address: CHANGE ME/address: 10.3.0.2/; s/^activation: off/activation: auto/' "$root$file"
expect 'config check' 'is valid' "$(on_router acsplit config check)"
on_router acsplit rules install >/dev/null
on_router acsplit run >"$root/tmp/log" 2>&1 &
for _ in 1 2 3 4 5 6 7 8 9 10; do
  on_router acsplit status >/dev/null 2>&1 && break
  sleep 1
done
serve() { # HOST ADDRESS PORT
  mkdir -p "$root/tmp/$1"
  echo "this is the $1" >"$root/tmp/$1/index.html"
  on "$1" "exec python3 -m http.server $3 -b $2 -d '$root/tmp/$1'" >/dev/null 2>&1 &
}
serve itms 10.2.0.2 7547
serve collector 10.3.0.2 7547
serve cpe 10.1.1.1 30005
for host in itms collector; do
  for _ in 1 2 3 4 5; do
    [ -z "$(on "$host" 'ss -Hltn sport = :7547')" ] || break
    sleep 1
  done
done
fetch() { on "$1" "curl -s -m 5 --retry 5 --retry-connrefused http://$2/"; }
expect 'doctor' '0 failures, 0 warnings' "$(on_router acsplit doctor || true)"
expect 'a session' 'the itms' "$(fetch cpe 10.1.0.1:7547)"
expect 'a Connection Request' 'the cpe' "$(fetch collector 10.1.1.1:30005)"
expect 'the next session' 'the collector' "$(fetch cpe 10.1.0.1:7547)"

for pid in $(ip netns pids "$id-split"); do kill "$pid" 2>/dev/null || true; done
sleep 2
on_router sh -c 'dpkg -r acsplit' >/dev/null 2>&1
expect 'removed with its rules' 'none' "$(on_router iptables-save | grep ACSPLIT || echo none)"
on_router sh -c 'dpkg --purge acsplit acsplit-node' >/dev/null 2>&1
left="$(on_router find / -xdev -name '*acsplit*' ! -path '/tmp/*' ! -path '/proc/*')"
expect 'purged: nothing is left' 'none' "${left:-none}"
say 'all as it should be'
