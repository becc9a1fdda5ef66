#!/bin/sh
# Runs a firewall as its package does, in this network namespace and with mounts of its own, so that nothing of it is left
# on the host: sh real-firewall.sh ufw|firewalld-nftables|firewalld-iptables|docker SCRATCH. Says "up", then takes a word
# a line: reload. Ends with its standard input. To be run in a mount namespace that nobody else uses: unshare -m.
set -eu
name="$1"
scratch="$2"
mkdir -p "$scratch/etc" "$scratch/data"
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var/log

# The package's configuration in a copy.
private() {
  copy="$scratch/etc/$(echo "$1" | tr / _)"
  cp -a "$1" "$copy"
  mount --bind "$copy" "$1"
}
until_true() {
  for _ in $(seq 100); do
    if "$@" >/dev/null 2>&1; then return; fi
    sleep 0.2
  done
  echo "$name does not come up: $(tail -n 5 /run/*.log 2>/dev/null)" >&2
  exit 1
}

reload=true
case "$name" in
ufw)
  private /etc/ufw
  private /etc/default/ufw
  ufw allow 22/tcp >&2
  ufw --force enable >&2
  reload='ufw reload'
  ;;
firewalld-*)
  private /etc/firewalld
  sed -i "s/^FirewallBackend=.*/FirewallBackend=${name#firewalld-}/" /etc/firewalld/firewalld.conf
  mkdir -p /run/dbus
  dbus-daemon --system --nofork --nopidfile 2>/dev/null &
  until_true test -S /run/dbus/system_bus_socket
  firewalld --nofork --nopid >&2 &
  until_true firewall-cmd --state
  reload='firewall-cmd --reload'
  ;;
docker)
  # It looks for the cgroups, and makes none until a container starts.
  mount -t tmpfs tmpfs /sys/fs/cgroup
  for hierarchy in devices cpuset pids; do
    mkdir "/sys/fs/cgroup/$hierarchy"
    mount -t cgroup -o "$hierarchy" cgroup "/sys/fs/cgroup/$hierarchy" 2>/dev/null || break
  done
  containerd --root "$scratch/data/ctd" --state /run/containerd --address /run/ctd.sock >/dev/null 2>&1 &
  until_true test -S /run/ctd.sock
  dockerd --data-root "$scratch/data/docker" --exec-root /run/docker --pidfile /run/docker.pid \
    --host unix:///run/docker.sock --storage-driver vfs --containerd /run/ctd.sock >/run/docker.log 2>&1 &
  until_true test -S /run/docker.sock
  until_true iptables -S DOCKER-USER
  sleep 2
  reload='true'
  ;;
esac
echo up
while read -r word; do
  if [ "$word" = reload ]; then
    $reload >&2
    echo reloaded
  fi
done
# shellcheck disable=SC2046 # numbers, one word each
kill -KILL $(jobs -p) 2>/dev/null || true
