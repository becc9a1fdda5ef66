#!/bin/sh
# The packages, tried as root in a bare Debian 12 without compiler and network, as docs/operations.md says under "Without
# network": its commands are typed as they are printed. Installed, configured, run, a session diverted, removed; then nothing
# may be left. By hand: takes debootstrap and, for a minute, a mirror.
#
#     sh scripts/try-package.sh deb [ROOT]    the packages of `npm run deb`, in a Debian without Node
#     sh scripts/try-package.sh npm [ROOT]    the tarball of `npm pack`, in a Debian with this machine's Node and npm
#
# ROOT: a Debian made by an earlier run; default: build/bare-root, made if it is not there.
set -eu
cd "$(dirname "$0")/.."
what="${1-}"
case "$what" in deb | npm) ;; *)
  echo 'usage: try-package.sh deb|npm [ROOT]' >&2
  exit 2
  ;;
esac
root="${2-$PWD/build/bare-root}"
scratch="$(mktemp -d)"
id="acsplit-try-$$"
say() { echo "try-package: $*"; }
fail() {
  say "FAILED: $*"
  exit 1
}
expect() { # WHAT PATTERN TEXT
  # shellcheck disable=SC2254 # it is a pattern
  case "$3" in
  *$2*) say "ok: $1" ;;
  *) fail "$1: expected $2 in: $3" ;;
  esac
}
stop_all() { for pid in $(ip netns pids "$id-$1" 2>/dev/null); do kill "$pid" 2>/dev/null || true; done; }
clean() {
  for host in router cpe itms collector; do
    stop_all "$host"
    ip netns del "$id-$host" 2>/dev/null || true
  done
  for place in dev run sys proc root; do umount "$root/$place" 2>/dev/null || true; done
  rm -rf "$scratch"
}
trap clean EXIT
trap 'exit 1' HUP INT TERM

[ -e "$root/usr/sbin/ipset" ] || {
  mkdir -p "$root"
  debootstrap --variant=minbase --include=iptables,ipset,iproute2,procps,libnetfilter-queue1,libmnl0,libbpf1,nftables \
    bookworm "$root" >"$root.log"
}

# --- A router between CPE, ITMS and collector, which reach nothing else ----------------------------------------------

for host in router cpe itms collector; do
  ip netns add "$id-$host"
  ip -n "$id-$host" link set lo up
done
wire() { # HOST INTERFACE OURS THEIRS
  ip link add "$2" netns "$id-router" type veth peer name eth0 netns "$id-$1"
  ip -n "$id-router" addr add "$3" dev "$2"
  ip -n "$id-$1" addr add "$4" dev eth0
  ip -n "$id-router" link set "$2" up
  ip -n "$id-$1" link set eth0 up
  ip -n "$id-$1" route add default via "${3%/*}"
}
wire cpe eth0 10.1.0.1/16 10.1.1.1/16
wire itms eth1 10.2.0.1/24 10.2.0.2/24
wire collector eth2 10.3.0.1/24 10.3.0.2/24
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/root"
mount --bind /dev "$root/dev"
export HOME=/root
on_router() { ip netns exec "$id-router" chroot "$root" "$@"; }
on() { ip netns exec "$id-$1" sh -c "$2"; }

serve() { # HOST ADDRESS PORT
  mkdir -p "$scratch/$1"
  echo "this is the $1" >"$scratch/$1/index.html"
  on "$1" "exec python3 -m http.server $3 -b $2 -d '$scratch/$1'" >/dev/null 2>&1 &
}
serve itms 10.2.0.2 7547
serve collector 10.3.0.2 7547
serve cpe 10.1.1.1 30005
fetch() { on "$1" "curl -s -m 5 --retry 9 --retry-connrefused http://$2/"; }

# --- What the page says ---------------------------------------------------------------------------------------------

# Commands of one of its blocks: `lines deb router`, for the block after the comment <!-- deb router -->.
lines() {
  awk -v mark="<!-- $* -->" '$0 == mark { found = 1 } found && /^```$/ { exit } found && inside { print }
    found && /^```sh$/ { inside = 1 }' docs/operations.md
}
type_lines() { # WHERE, with the commands on stdin; each is a shell of its own
  while read -r line; do
    say "$1\$ $line"
    case "$1" in
    router) on_router sh -c "cd && $line" ;;
    *) (cd "$scratch" && sh -c "$line") ;;
    esac >"$scratch/said" 2>&1 </dev/null || fail "$(tail -n 5 "$scratch/said")"
    case "$line" in *'&') until on_router acsplit status >/dev/null 2>&1; do sleep 0.5; done ;; esac
  done
}

if [ "$what" = npm ]; then
  # As Node's own archive would put them there; from where nothing is asked, but npm's cache is under the registry's name.
  node="$(readlink -f "$(command -v node)")"
  cp "$node" "$root/usr/local/bin/node"
  mkdir -p "$root/usr/local/lib/node_modules"
  cp -R "$(npm root --global)/npm" "$root/usr/local/lib/node_modules"
  ln -sf ../lib/node_modules/npm/bin/npm-cli.js "$root/usr/local/bin/npm"
  npm_config_registry="$(npm config get registry)"
  export npm_config_registry
  npm pack --silent --pack-destination "$scratch" >/dev/null
  lines npm elsewhere >"$scratch/elsewhere"
  type_lines elsewhere <"$scratch/elsewhere"
  cp -R "$scratch/npm-cache" "$scratch"/acsplit-*.tgz "$root/root"
else
  cp build/deb/*.deb "$root/root"
fi
on_router sh -c 'command -v gcc cc g++ make python3' && fail 'this Debian is not bare'
[ "$what" = npm ] || ! on_router sh -c 'command -v node nodejs npm' || fail 'this Debian has a Node'
on_router ip route get 1.1.1.1 >/dev/null 2>&1 && fail 'this Debian has a network'

# All that could be left: files, what the kernel holds, processes.
state() {
  on_router find / /run -xdev ! -path '/proc/*' ! -path '/tmp/*' ! -path '/root/*' ! -path '/var/lib/dpkg/*-old' \
    ! -path '/var/log/*' ! -path '/var/cache/*' ! -path '/run/*.lock' | sort
  on_router sh -c 'iptables-save; ip6tables-save; ipset list -name; ip rule' | grep -v '^[#:*C]' || true
  for interface in eth0 eth1 eth2; do
    on_router tc qdisc show dev "$interface"
    on_router tc filter show dev "$interface" ingress
  done
  ip netns pids "$id-router" | wc -l
}
state >"$scratch/before"

# The page leaves the addresses to an editor.
cat >"$root/usr/local/bin/editor" <<'EOF'
#!/bin/sh
sed -i '0,/CHANGE ME$/s//10.2.0.2/; s/address: CHANGE ME/address: 10.3.0.2/; s/^activation: off/activation: auto/' "$1"
EOF
chmod 755 "$root/usr/local/bin/editor"

lines "$what" router >"$scratch/install"
lines configure router >"$scratch/configure"
lines "$what" remove >"$scratch/remove"
for file in install configure remove; do [ -s "$scratch/$file" ] || fail "the page has no commands to $file"; done

type_lines router <"$scratch/install"
type_lines router <"$scratch/configure"
expect 'doctor' '0 failures, 0 warnings' "$(on_router acsplit doctor || true)"
expect 'a session' 'the itms' "$(fetch cpe 10.1.0.1:7547)"
expect 'a Connection Request' 'the cpe' "$(fetch collector 10.1.1.1:30005)"
expect 'the next session' 'the collector' "$(fetch cpe 10.1.0.1:7547)"
expect 'it is counted' '"diverted": *[1-9]' "$(on_router acsplit status --json)"
if [ "$what" = deb ]; then
  for page in man8/acsplit.8 man5/acsplit.yaml.5; do
    [ -e "$root/usr/share/man/$page.gz" ] || fail "no manual page $page"
  done
fi

stop_all router
until [ -z "$(ip netns pids "$id-router")" ]; do sleep 0.2; done
type_lines router <"$scratch/remove"
rm "$root/usr/local/bin/editor"
state >"$scratch/after"
diff "$scratch/before" "$scratch/after" || fail 'this is left'
say 'ok: nothing is left'
if [ "$what" = npm ]; then rm -rf "$root/usr/local/bin/node" "$root/usr/local/bin/npm" "$root/usr/local/lib/node_modules"; fi
say 'all as it should be'
