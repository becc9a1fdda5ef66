#!/bin/sh
# `npm run deb`: the Debian packages of this checkout, for this machine's architecture, in build/deb. On amd64
# `npm run deb -- arm64` cross-builds them; it takes g++-aarch64-linux-gnu.
#
#     acsplit         the program with its JavaScript dependencies and addons, units, manual, completion
#     acsplit-node    Node.js in a folder of its own, for systems without Node.js 20 or newer
#
# Node's fixes are followed by raising NODE and building again; `npm outdated` tells of none, so look at the releases.
set -eu
exec </dev/null
cd "$(dirname "$0")/.."
NODE=24.22.3

here="$(dpkg --print-architecture)"
architecture="${1:-$here}"
case "$architecture" in
amd64) platform=linux-x64 ;;
arm64) platform=linux-arm64 ;;
*)
  echo 'deb: only amd64 and arm64' >&2
  exit 1
  ;;
esac
sh scripts/setup.sh deb
addons=build/Release
cross=''
if [ "$architecture" != "$here" ]; then
  [ "$architecture" = arm64 ] || {
    echo 'deb: only arm64 is cross-built' >&2
    exit 1
  }
  command -v aarch64-linux-gnu-g++ >/dev/null || {
    echo 'deb: run apt-get install g++-aarch64-linux-gnu first' >&2
    exit 1
  }
  cross="$PWD/build/cross"
  addons="$cross/build/Release"
  sh scripts/cross-addons.sh "$cross"
fi
version="$(node -p 'require("./package.json").version')"
work=build/deb/acsplit-$version
rm -rf build/deb
mkdir -p "$work/tree/lib/build/Release" "$work/tree/lib/native/fast-path" "$work/tree/completions" "$work/tree/tmpfiles" \
  "$work/tree/examples" "$work/tree/node/bin"

cp -R debian README.md SECURITY.md docs systemd "$work"
# The date of the newest change, so that the same checkout gives the same package.
{
  printf 'acsplit (%s) unstable; urgency=medium\n\n  * See CHANGELOG.md.\n\n' "$version"
  printf ' -- The acsplit authors <acsplit@localhost.localdomain>  %s\n' "$(git log -1 --format=%aD)"
} >"$work/debian/changelog"

lib="$work/tree/lib"
cp -R dist iptables cluster package.json "$lib"
cp "$addons"/*.node "$lib/build/Release"
cp native/fast-path/*.o "$lib/native/fast-path"
# What `npm install --omit=dev` would bring, without asking the registry. node-addon-api is for building alone.
npm ls --omit=dev --all --parseable | sed -n "s|^$PWD/||p" | grep -v /node-addon-api | while read -r package; do
  find "$package" -type f \( -name '*.js' -o -name '*.cjs' -o -name '*.mjs' -o -name '*.json' -o -iname 'licen[cs]e*' \) \
    ! -name '.*' ! -path '*/test/*' ! -path '*/benchmarks/*' ! -path '*/examples/*' -exec cp --parents '{}' "$lib" \;
done
find "$lib" \( -name '*.d.ts' -o -name '*.map' -o -name bin.js \) -delete
[ -n "$cross" ] || strip --strip-unneeded "$lib"/build/Release/*.node

cat >"$work/tree/acsplit" <<'END'
#!/bin/sh
node=/usr/lib/acsplit-node/bin/node
[ -x "$node" ] || node=node
exec "$node" /usr/lib/acsplit/dist/cli/main.js "$@"
END
chmod 755 "$work/tree/acsplit"
node dist/cli/main.js completion >"$work/tree/completions/acsplit"
node scripts/man.mjs "$work/tree/man"
node -p "require('./dist/configuration/start-file.js').exampleFile('/usr/lib/acsplit/dist/acsplit.schema.json')" \
  >"$work/tree/examples/acsplit.yaml"
echo 'net.ipv4.ip_forward = 1' >"$work/tree/examples/sysctl.conf"
# For engines started by hand; under systemd the unit makes these.
printf 'd %s 0711 root root -\n' /run/acsplit /run/acsplit-engines >"$work/tree/tmpfiles/acsplit.conf"

(cd build/deb && npm pack --silent "node-$platform@$NODE" >/dev/null && tar -xzf node-*.tgz)
cp build/deb/package/bin/node "$work/tree/node/bin"
cp build/deb/package/LICENSE "$work/tree/node"
rm -rf build/deb/package build/deb/*.tgz

set -- --build=binary --no-sign
if [ -n "$cross" ]; then
  set -- "$@" --host-arch "$architecture" -d
  # dpkg knows nothing of the other architecture's libraries.
  ACSPLIT_LIBRARIES="$cross/root/usr/lib/aarch64-linux-gnu:/usr/aarch64-linux-gnu/lib"
  export ACSPLIT_LIBRARIES
  sed 's/$/ (>= 2.36)/' >"$work/debian/shlibs.local" <<'END'
libc 6 libc6
libm 6 libc6
libdl 2 libc6
libpthread 0 libc6
ld-linux-aarch64 1 libc6
END
  cat >>"$work/debian/shlibs.local" <<'END'
libstdc++ 6 libstdc++6
libgcc_s 1 libgcc-s1
libatomic 1 libatomic1
libnetfilter_queue 1 libnetfilter-queue1
libmnl 0 libmnl0
libbpf 1 libbpf1
END
fi
(cd "$work" && dpkg-buildpackage "$@" >../build.log 2>&1) || {
  tail -n 20 build/deb/build.log >&2
  exit 1
}
ls -sh build/deb/*.deb
