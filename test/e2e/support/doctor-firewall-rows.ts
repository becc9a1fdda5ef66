/** Rules for `acsplit doctor` that are missing, or that others have put into our traffic's way. */
import { type Planted } from './doctor-host';

/** firewalld's chains, shortened: what no zone takes is rejected. */
const FIREWALLD = `
  table inet firewalld {
    chain filter_FORWARD {
      type filter hook forward priority filter + 10; policy accept;
      ct state { established, related } accept
      iifname "lo" accept
      ct state invalid drop
      jump filter_FORWARD_ZONES
      reject with icmpx admin-prohibited
    }
    chain filter_FORWARD_ZONES {
      iifname "eth7" accept
    }
  }`;

export const FIREWALL_ROWS: [string, Planted][] = [
  [
    'rules missing',
    {
      plant: 'iptables -t mangle -F ACSPLIT-TO-CPE',
      ...{ level: 'failure', check: 'rules' },
      ...{ says: /^mangle ACSPLIT-TO-CPE: missing .*\(and 1 more\)$/, mend: /^acsplit rules install -c \S+$/ },
    },
  ],
  [
    'rules out of order',
    {
      plant:
        'iptables -t mangle -D ACSPLIT-FROM-CPE 1 && iptables -t mangle -A ACSPLIT-FROM-CPE -p tcp -m multiport --dports 7547 -j NFQUEUE --queue-num 0',
      ...{ level: 'failure', check: 'rules' },
      ...{ says: /not in its place/, mend: /^acsplit rules install -c \S+$/ },
    },
  ],
  [
    'drop before ours in FORWARD',
    {
      plant: `iptables -N DOCKER-USER && iptables -I FORWARD -j DOCKER-USER && iptables -A DOCKER-USER -i eth0 -m comment --comment '"$(reboot)"; run: reboot -j ACSPLIT-CPE' -j DROP`,
      ...{ level: 'failure', check: 'foreign-rules' },
      ...{
        says: /^filter DOCKER-USER: "-i eth0 -m comment --comment .* -j DROP" is not ours/,
        mend: /^iptables -t filter -D DOCKER-USER -i eth0 -m comment --comment '"\$\(reboot\)"; run: reboot -j ACSPLIT-CPE' -j DROP$/,
      },
    },
  ],
  [
    'ufw before our INPUT',
    {
      plant:
        'iptables -N ufw-before-input && iptables -A ufw-before-input -i eth0 -j ACCEPT && iptables -I INPUT -j ufw-before-input',
      ...{ level: 'failure', check: 'foreign-rules' },
      ...{ says: /comes before/, mend: /^acsplit rules install -c \S+$/ },
    },
  ],
  [
    'clamp behind our queue',
    {
      plant: 'iptables -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu',
      ...{ level: 'warning', check: 'foreign-rules' },
      ...{ says: /comes behind/, mend: /^acsplit rules install -c \S+$/ },
    },
  ],
  [
    'policy drop in mangle',
    {
      plant: 'iptables -t mangle -P FORWARD DROP',
      ...{ level: 'failure', check: 'forward-policy' },
      ...{ says: /^mangle FORWARD: policy DROP drops/, mend: /^iptables -t mangle -P FORWARD ACCEPT$/ },
    },
  ],
  [
    'legacy policy drop',
    {
      plant: 'iptables-legacy -P FORWARD DROP',
      ...{ level: 'failure', check: 'forward-policy' },
      says: /^iptables-legacy: filter FORWARD: policy DROP drops/,
      mend: /^iptables-legacy -t filter -P FORWARD ACCEPT$/,
    },
  ],
  [
    'legacy REJECT',
    {
      plant: 'iptables-legacy -A FORWARD -i eth0 -o eth2 -j REJECT',
      ...{ level: 'failure', check: 'foreign-rules' },
      says: /^iptables-legacy: filter FORWARD: "-i eth0 -o eth2 -j REJECT/,
      mend: /^iptables-legacy -t filter -D FORWARD -i eth0 -o eth2 -j REJECT/,
    },
  ],
  [
    'firewalld rejects',
    {
      plant: `nft '${FIREWALLD}'`,
      ...{ level: 'failure', check: 'firewalls' },
      says: /^nftables inet firewalld filter_FORWARD \(forward\): "reject with .*" drops sessions of CPEs/,
      mend: /^nft 'insert rule inet firewalld filter_FORWARD iifname .* ct state untracked accept'$/,
      after: 'nft delete table inet firewalld',
    },
  ],
  [
    'nft policy drop',
    {
      plant: `nft 'table ip security { chain pre { type filter hook prerouting priority 0; policy drop; ct state established accept; tcp dport 22 accept; }; }'`,
      ...{ level: 'failure', check: 'firewalls' },
      ...{
        says: /^nftables ip security pre \(prerouting\): policy drop drops/,
        mend: /^nft 'insert rule ip security pre iifname [^o]* ct state/,
      },
      // iptables shows no base chain of this table but its own. It drops what this host has for itself, too.
      after: 'nft delete table ip security',
    },
  ],
  ...['ip saddr 10.1.1.0/24', 'tcp dport 7547'].map((match): [string, Planted] => [
    `nft drop: ${match}`,
    {
      plant: `nft 'table inet own { chain pre { type filter hook prerouting priority 0; ${match} counter drop; }; }'`,
      ...{ level: 'failure', check: 'firewalls' },
      says: new RegExp(`^nftables inet own pre \\(prerouting\\): "${match} counter .*drop" drops `),
      mend: /^nft delete rule inet own pre handle \d+$/,
      after: 'nft delete table inet own',
    },
  ]),
  [
    'nft drop at ingress',
    {
      plant: `nft 'table netdev own { set bad { type ipv4_addr; flags interval; elements = { 10.1.1.0/24 }; }; chain in { type filter hook ingress device eth0 priority 0; ip saddr @bad drop; }; }'`,
      ...{ level: 'failure', check: 'firewalls' },
      ...{
        says: /^nftables netdev own in \(ingress\): "ip saddr @bad drop" drops some /,
        mend: /^nft delete rule netdev own in handle \d+$/,
      },
      after: 'nft delete table netdev own',
    },
  ],
  [
    'ipset drop in raw',
    {
      plant:
        'ipset create bad hash:net && ipset add bad 10.1.1.0/24 && iptables -t raw -I PREROUTING -m set --match-set bad src -j DROP',
      ...{ level: 'warning', check: 'foreign-rules' },
      says: /^raw PREROUTING: "-m set --match-set bad src -j DROP" is not ours, and its set, rate or mark decides/,
      mend: /^iptables -t raw -D PREROUTING -m set --match-set bad src -j DROP$/,
      after: 'ipset destroy bad',
    },
  ],
];
