#!/bin/sh
# The Debian package of `npm run deb` under a real systemd, process 1 of a Debian of its own: installed, restarted, upgraded,
# upgraded to a version that does not start, downgraded, removed. By hand, as root: takes debootstrap, systemd-container and,
# for a minute, a mirror.
#
#     sh scripts/try-systemd.sh [ROOT]    ROOT: a Debian made by an earlier run; default: build/booted-root, made if missing
set -eu
exec </dev/null
cd "$(dirname "$0")/.."
root="${1-$PWD/build/booted-root}"
scratch="$(mktemp -d)"
say() { echo "try-systemd: $*"; }
fail() {
  say "FAILED: $*"
  inside 'systemctl status acsplit --no-pager; journalctl -u acsplit -n 20 -o cat' || true
  exit 1
}
leader=''
inside() { nsenter -t "$leader" -m -u -i -n -p -- env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root sh -c "$1"; }
container=''
clean() {
  [ -z "$leader" ] || inside 'systemctl poweroff' >/dev/null 2>&1 || true
  [ -z "$container" ] || wait "$container" || true
  rm -rf "$scratch"
}
trap clean EXIT
trap 'exit 1' HUP INT TERM
until_true() { # WHAT SECONDS COMMAND
  end=$(($(date +%s) + $2))
  until eval "$3" >/dev/null 2>&1; do
    [ "$(date +%s)" -lt "$end" ] || fail "$1 is still to come"
    sleep 0.3
  done
  say "ok: $1"
}

[ -e "$root/usr/bin/systemctl" ] || {
  mkdir -p "$root"
  debootstrap --variant=minbase \
    --include=systemd,systemd-sysv,dbus,iproute2,iptables,ipset,procps,kmod,libnetfilter-queue1,libmnl0,libbpf1 \
    bookworm "$root" >"$root.log"
}

# The same program under three versions; the last one's engine ends at once.
deb="$(ls build/deb/acsplit_*.deb)"
package() { # VERSION [COMMAND in its folder]
  rm -rf "$scratch/tree"
  dpkg-deb -R "$deb" "$scratch/tree"
  sed -i "s/^Version:.*/Version: $1/" "$scratch/tree/DEBIAN/control"
  (cd "$scratch/tree" && eval "${2-true}")
  dpkg-deb -z1 -b "$scratch/tree" "$root/root/acsplit_$1.deb" >/dev/null
}
package 1.0
package 1.1
# shellcheck disable=SC2016 # for the other version's shell
package 1.2 'sed -i "2i if (process.argv[2] === \"run\") process.exit(1);" usr/lib/acsplit/dist/cli/main.js'
cp build/deb/acsplit-node_*.deb "$root/root"

systemd-nspawn -D "$root" --boot --private-network --register=no --keep-unit --machine="acsplit-try-$$" \
  --capability=CAP_NET_ADMIN,CAP_NET_RAW,CAP_BPF --system-call-filter=bpf >"$scratch/boot.log" 2>&1 &
container=$!
booted() {
  leader="$(cut -d' ' -f1 "/proc/$container/task/$container/children")"
  [ -n "$leader" ] && inside 'systemctl is-active multi-user.target'
}
until_true 'Debian is up' 120 booted

cat >"$root/root/network.sh" <<'EOF'
sysctl -qw net.ipv4.ip_forward=1
wire() { # NAME INTERFACE NEAR FAR
  ip netns add $1
  ip link add $2 type veth peer name eth0 netns $1
  ip addr add $3/16 dev $2
  ip link set $2 up
  ip -n $1 addr add $4/16 dev eth0
  ip -n $1 link set eth0 up
  ip -n $1 link set lo up
  ip -n $1 route add default via $3
}
wire cpe eth0 10.1.0.1 10.1.0.5
wire itms eth1 10.2.0.1 10.2.0.2
wire c1 eth2 10.3.0.1 10.3.0.2
cp /usr/lib/acsplit-node/bin/node /root/node # outlives the package
for name in itms c1; do
  ip netns exec $name /root/node -e 'require("net").createServer((s) => s.on("error", () => {}).end(process.argv[1])).listen(7547)' $name </dev/null >/dev/null 2>&1 &
done
EOF
answers() {
  inside "ip netns exec cpe /root/node -e 'require(\"net\").connect(7547, \"10.1.0.1\").setTimeout(4000, () => process.exit(1)).on(\"error\", () => process.exit(1)).pipe(process.stdout)'"
}
shown() { inside "systemctl show acsplit -p $1 --value"; }
active() { [ "$(shown ActiveState)" = active ]; }
pid=''
another() { active && [ "$(shown MainPID)" != "$pid" ]; }
tries_on() { [ "$(shown NRestarts)" -ge 3 ]; }
served_by() { [ "$(answers)" = "$1" ]; }
installs() { inside "dpkg -i /root/acsplit_$1.deb" >"$scratch/dpkg.log" 2>&1 || fail "$(tail -n 5 "$scratch/dpkg.log")"; }
armed() { inside 'acsplit activate 10.1.0.5 --collector c1' >/dev/null; }
files() { inside "find / -xdev ! -path '/proc/*' ! -path '/root/*' ! -path '/tmp/*' ! -path '/var/log/*' ! -path '/var/cache/*' ! -path '/var/lib/dpkg/*-old' ! -path '/var/lib/systemd/*'; find /run -name '*acsplit*'" | sort; }

files >"$scratch/before"
inside 'dpkg -i /root/acsplit-node_*.deb' >/dev/null
installs 1.0
inside 'sh -e /root/network.sh'
[ "$(shown ActiveState)" = inactive ] || fail 'it runs before it has a configuration'
# hold: the kernel never stands in for an engine that is away for long, so what was armed must still be.
cat >"$root/etc/acsplit/acsplit.yaml" <<'EOF'
cpe: { interface: eth0, address: 10.1.0.1, networks: [10.1.0.0/16] }
itms: { interface: eth1, address: 10.2.0.2 }
collectors: [{ name: c1, interface: eth2, address: 10.3.0.2 }]
reportPorts: [7547]
tables: { capacity: 65536 }
onEngineDown: hold
EOF
inside 'systemctl enable --now acsplit acsplit-rules.timer' >/dev/null 2>&1 || fail 'enable --now'
until_true 'installed, enabled, active' 60 active
until_true 'a session: at the ITMS' 20 'served_by itms'
armed
until_true 'that of an armed CPE: at the collector' 20 'served_by c1'

pid="$(shown MainPID)"
armed
inside 'systemctl restart acsplit'
until_true 'restarted' 60 another
until_true 'what was armed still is' 20 'served_by c1'

pid="$(shown MainPID)"
armed
installs 1.1
until_true 'upgraded: another engine runs' 60 another
until_true 'what was armed before the upgrade still is' 20 'served_by c1'
inside 'acsplit rules check' >/dev/null || fail 'the rules differ after the upgrade'

sed -i 's/hold/itms/' "$root/etc/acsplit/acsplit.yaml"
inside 'systemctl restart acsplit'
until_true 'now with onEngineDown: itms' 60 active
installs 1.2
until_true 'a version that does not start: the kernel serves the CPEs' 30 'served_by itms'
[ "$(shown ActiveState)" != active ] || fail 'a version that does not start is active'
until_true 'systemd tries on' 30 tries_on
until_true 'CPEs are served meanwhile' 20 'served_by itms'
installs 1.1
until_true 'downgraded: active again' 60 active
armed
until_true 'and it diverts' 20 'served_by c1'

inside 'dpkg -r acsplit' >/dev/null 2>&1
[ "$(shown ActiveState)" = inactive ] || fail 'removed, and it still runs'
if inside 'iptables-save; ipset list -name' | grep ACSPLIT; then fail 'removed, and its rules are there'; fi
[ -e "$root/etc/acsplit/acsplit.yaml" ] || fail 'remove has taken the configuration'
say 'ok: removed with its rules; the configuration stays'
inside 'dpkg --purge acsplit acsplit-node' >/dev/null 2>&1
files >"$scratch/after"
diff "$scratch/before" "$scratch/after" || fail 'this is left'
say 'ok: purged, nothing is left'
say 'all as it should be'
