/**
 * Hosts that do not repeat a packet because its ACK was late. Linux repeats after as little as 200 ms; a busy machine
 * rests longer now and then, and what is repeated in vain is on the wires all the same: a second FIN, or a RST of the end
 * that closed last and knows nothing of it any more. Where a test counts packets, or forbids resets, that is noise.
 */
import { type Role, type World } from '../../../src/lab/world';

/** Longer than any rest, shorter than anybody waits: what is really lost is repeated after that. SYNs still after 1 s. */
const RTO_MIN = '2s';

// ip-route(8): rto_min. tcp(7): without early retransmission there are no probes after a lost tail, either.
const SCRIPT = `
echo 0 > /proc/sys/net/ipv4/tcp_early_retrans
for family in -4 -6; do
  ip $family route show | grep -v ^fe80 | while read -r route; do ip $family route change $route rto_min ${RTO_MIN}; done
done
`;

export async function makePatient(world: World, roles: readonly Exclude<Role, 'split'>[]): Promise<void> {
  await Promise.all(roles.map((role) => world.run(role, ['sh', '-e', '-c', SCRIPT])));
}
