/** The topologies that the rules are tested with, each in both families. */

import { type Steering } from '../../../../src/steering/iptables';
import { type Topology } from '../../../../src/splitter/topology';

/** What happens while no engine runs, queues from 0 on. */
export const HOLD: Steering = { instance: 'default', first: 0, onEngineDown: 'hold' };
export const ITMS: Steering = { instance: 'default', first: 0, onEngineDown: 'itms' };

const both = (ipv4: string, ipv6: string) => ({ ipv4, ipv6 });

/** One collector on an interface of its own, as in the README. */
export const plain: Topology = {
  cpe: {
    interfaces: [{ in: 'eth0', out: 'eth0' }],
    address: both('10.1.0.1', '2001:db8:1::1'),
    networks: ['10.1.0.0/16', '2001:db8:1::/48'],
  },
  itms: { interface: 'eth1', address: both('10.2.0.2', '2001:db8:2::2') },
  collectors: [{ name: 'c1', interface: 'eth2', address: both('10.3.0.2', '2001:db8:3::2') }],
  reportPorts: [7547],
  itmsPorts: [],
};

/** ITMS and two collectors behind one interface, a third collector behind another. */
export const sharedInterface: Topology = {
  ...plain,
  itms: { interface: 'bond0.20', address: both('10.2.0.2', '2001:db8:2::2') },
  collectors: [
    { name: 'c1', interface: 'bond0.20', address: both('10.2.0.3', '2001:db8:2::3') },
    { name: 'c2', interface: 'bond0.20', address: both('10.2.0.4', '2001:db8:2::4') },
    { name: 'far', interface: 'eth2', address: both('10.3.0.2', '2001:db8:3::2') },
  ],
};

/** More ports than one multiport match holds. */
export const manyPorts: Topology = {
  ...plain,
  reportPorts: [7547, 9090, 8080, 8443, 443, 7548, 7549, 7550, 7551, 7552, 7553, 7554, 7555, 7556],
  itmsPorts: [9000, 9001, 9002],
};

/** CPEs in several networks, one of which the servers live in as well. */
export const severalNetworks: Topology = {
  ...plain,
  cpe: {
    interfaces: [{ in: 'ppp-aggr', out: 'ppp-aggr' }],
    address: both('100.64.0.1', '2001:db8:100::1'),
    networks: ['100.64.0.0/10', '10.0.0.0/8', '172.16.5.0/24', '2001:db8:100::/40', '2001:db8:2::/47', '::/3'],
  },
};

export const TOPOLOGIES: Record<string, Topology> = { plain, sharedInterface, manyPorts, severalNetworks };
