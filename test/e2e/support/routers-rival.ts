/**
 * What an operator would pick instead: two plain Linux routers with keepalived, a ruleset of nftables with conntrack, and
 * conntrackd, which copies its connections. At its best: several collectors, both families, no cache in between.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bothOf, ownAddresses } from '../../../src/lab/routers/places';
import { type Router } from '../../../src/lab/routers/router';
import { type RoutersOptions } from './routers';
import { eventually } from './run-host';
import { REPORT_PORT } from '../../../src/lab/world';

const family = (word: 'ip' | 'ip6', [acs, itms, c1, c2]: readonly string[]) => `
table ${word} rival {
  map remembered {
    type ${word === 'ip' ? 'ipv4_addr : ipv4_addr' : 'ipv6_addr : ipv6_addr'}
    size 1048576
    flags dynamic,timeout
    timeout 60s
  }
  chain learn {
    type filter hook forward priority mangle; policy accept;
    iifname eth2 oifname eth0 ${word} saddr { ${c1}, ${c2} } tcp flags & fin == fin update @remembered { ${word} daddr : ${word} saddr }
  }
  chain steer {
    type nat hook prerouting priority dstnat; policy accept;
    iifname eth0 ${word} daddr ${acs} tcp dport ${REPORT_PORT} dnat to ${word} saddr map @remembered
    iifname eth0 ${word} daddr ${acs} tcp dport ${REPORT_PORT} dnat to ${itms}
  }
  chain hide {
    type nat hook postrouting priority srcnat; policy accept;
    oifname eth0 snat to ${acs}
  }
}`;

function ruleset(): string {
  const places = ['acs', 'itms', 'collector', 'secondCollector'] as const;
  const both = places.map((place) => bothOf((all) => all[place]));
  return [
    family(
      'ip',
      both.map(([address]) => address),
    ),
    family(
      'ip6',
      both.map(([, address]) => address),
    ),
  ].join('\n');
}

function synchronization(router: Router): string {
  const [own] = ownAddresses(3, router.name);
  const [other] = ownAddresses(3, router.name === 'a' ? 'b' : 'a');
  return `
Sync {
  Mode FTFW {
    DisableExternalCache On
  }
  UDP {
    IPv4_address ${own}
    IPv4_Destination_Address ${other}
    Port 3780
    Interface eth3
    SndSocketBuffer 1249280
    RcvSocketBuffer 1249280
    Checksum on
  }
}
General {
  HashSize 32768
  HashLimit 131072
  LockFile ${join(router.directory, 'conntrackd.lock')}
  UNIX {
    Path ${join(router.directory, 'conntrackd.ctl')}
  }
  NetlinkBufferSize 2097152
  NetlinkBufferSizeMaxGrowth 8388608
  Filter From Kernelspace {
    Protocol Accept {
      TCP
    }
    Address Ignore {
      IPv4_address 127.0.0.1
      IPv4_address ${own}
      IPv4_address ${other}
    }
  }
}
`;
}

/** As Debian's example does it: /usr/share/doc/conntrackd/examples/sync/primary-backup.sh */
function notify(configuration: string): string {
  const ask = (...flags: string[]) => flags.map((flag) => `conntrackd -C ${configuration} ${flag}`).join('; ');
  return `#!/bin/sh\ncase "$1" in master) ${ask('-f', '-R', '-B')} ;; *) ${ask('-t', '-n')} ;; esac\n`;
}

async function startRival(router: Router): Promise<void> {
  const at = (name: string) => join(router.directory, name);
  writeFileSync(at('rules.nft'), ruleset());
  writeFileSync(at('conntrackd.conf'), synchronization(router));
  writeFileSync(at('notify.sh'), notify(at('conntrackd.conf')), { mode: 0o755 });
  mkdirSync(at('state'), { recursive: true });
  // Nothing that a reboot would not leave: no lock, no tables, no connections.
  rmSync(at('conntrackd.lock'), { force: true });
  await router.shell(
    'set -e',
    'nft delete table ip rival 2>/dev/null || true',
    'nft delete table ip6 rival 2>/dev/null || true',
    `nft -f ${at('rules.nft')}`,
    // What it has learned from the other router has no windows.
    'sysctl -qw net.netfilter.nf_conntrack_tcp_be_liberal=1',
  );
  router.run('store', ['conntrackd', '-C', at('conntrackd.conf')]);
  await eventually('conntrackd', () =>
    router.shell(`conntrackd -C ${at('conntrackd.conf')} -F`).then(
      () => true,
      () => undefined,
    ),
  );
}

/** The shipped configuration, but conntrackd's script instead of acsplit's. */
function editRival(router: Router, text: string): string {
  const script = (state: string) => `"${join(router.directory, 'notify.sh')} ${state}"`;
  const lines = ['master', 'backup', 'fault'].map((state) => `  notify_${state} ${script(state)}`).join('\n');
  return text.replace(/ {2}track_script \{[^}]*\}/, lines);
}

export const RIVAL: RoutersOptions = { rival: startRival, editKeepalived: editRival };
