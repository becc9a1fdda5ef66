/**
 * Reference and core agree on every packet (verdict, addresses, ports) and on the tables afterwards. A failure prints its
 * seed and the shortest sequence that shows it. MODEL_SEED repeats a seed, MODEL_RUNS sets how many sequences run.
 */
import * as fc from 'fast-check';
import { Verdict } from '../../src/packet/batch';
import { buildTcp } from '../../src/packet/builder';
import { activationEntries, type ConnectionEntry, reportEntries, requestEntries } from '../../src/splitter/entries';
import { ACTIVATION_MODES, type ActivationMode } from '../../src/splitter/topology';
import { addressNamed, FAMILY, packetIn, textOf } from '../support/family';
import { packetEnds } from '../support/packet-ends';
import { ACS, FLAGS, ITMS_PORT, type Outcome, type Party, Rig, SERVERS, TOPOLOGY } from '../support/rig';
import { type Connection, type Decision, phaseOf, Reference, type World } from '../reference/reference';
import { type Act, acts, actText, type Sent } from '../model/traffic';

/** Both families run the same decision code, so the second needs fewer runs. */
const RUNS = Number(process.env.MODEL_RUNS ?? (FAMILY === 'ipv6' ? 400 : 1250));
const SEED = process.env.MODEL_SEED === undefined ? undefined : Number(process.env.MODEL_SEED);
const CAPACITIES = [2, 4, 12, 12];

function worldOf(collectors: ('c1' | 'c2')[]): World {
  return {
    acs: textOf(ACS),
    itms: textOf(SERVERS.itms),
    collectors: Object.fromEntries(collectors.map((name) => [name, textOf(SERVERS[name])])),
    isCpe: (address) => address.startsWith(FAMILY === 'ipv4' ? '10.1.' : '2001:db8:a01:'),
    reportPorts: TOPOLOGY.reportPorts,
    itmsPorts: [ITMS_PORT],
  };
}

interface Resolved extends Sent {
  from: Party;
  /** What stands in the packet: the server's own port, where that differs from the one that the CPE sees. */
  ownPort: number;
}

function bytesOf({ from, type, cpe, cpePort, port, ownPort, sequence, ahead = 1, payload }: Resolved): Uint8Array {
  const ends =
    from === 'cpe'
      ? { source: cpe, sourcePort: cpePort, destination: ACS, destinationPort: port }
      : { source: SERVERS[from], sourcePort: ownPort, destination: cpe, destinationPort: cpePort };
  const numbers = { sequence: sequence | 0, acknowledgement: (sequence + ahead) | 0 };
  return buildTcp(packetIn({ ...ends, ...numbers, flags: FLAGS[type], payload }));
}

class Pair {
  readonly rig: Rig;
  readonly reference: Reference;
  packets = 0;

  constructor(mode: ActivationMode, capacityEntries: number) {
    this.rig = new Rig({ activation: mode, capacityEntries });
    this.reference = new Reference(worldOf(['c1', 'c2']), mode, capacityEntries);
  }

  take(act: Act): void {
    const { rig, reference } = this;
    switch (act.what) {
      case 'wait':
        return void rig.wait(act.ms);
      case 'send':
        return act.packets.forEach((packet) => {
          const resolved = this.resolve(packet);
          this.send(resolved.from, bytesOf(resolved));
        });
      case 'corrupt': {
        const resolved = this.resolve(act.packet);
        return this.send(resolved.from, corrupted(bytesOf(resolved), act));
      }
      case 'pause':
        rig.splitter.paused = reference.context.isPaused = act.paused;
        return;
      case 'sweep':
        return rig.splitter.sweep(rig.nowMs);
      case 'reload':
        return this.reload(act.collectors);
      default:
        return this.byHand(act.what, act.cpe, act.collector);
    }
  }

  /** Says who `peer` is. */
  private resolve(sent: Sent): Resolved {
    if (sent.from !== 'peer') return { ...sent, from: sent.from, ownPort: sent.port };
    const { cpePort, port } = sent;
    this.reference.context.nowMs = this.rig.nowMs;
    const known = this.reference.ownerOf(textOf(sent.cpe), cpePort, port);
    return { ...sent, from: (known?.owner ?? 'itms') as Party, ownPort: known?.ownPort ?? port };
  }

  private send(from: Party, bytes: Uint8Array): void {
    this.packets++;
    const outcome = this.rig.sendBytes(from, bytes);
    const found = decisionOf(outcome);
    const expected = this.reference.decide(from === 'cpe', bytes, this.rig.nowMs, found);
    if (JSON.stringify(found) !== JSON.stringify(expected)) {
      throw new Error(`core: ${JSON.stringify(found)} (${outcome.reason})\nreference: ${JSON.stringify(expected)}`);
    }
  }

  private reload(names: ('c1' | 'c2')[]): void {
    const { rig, reference } = this;
    const collectors = names.map((name) => ({ name, interface: 'col0', address: { ipv4: SERVERS[name] } }));
    rig.restart({ topology: { ...TOPOLOGY, collectors } }).splitter.paused = reference.context.isPaused;
    reference.context.world = worldOf(names);
  }

  private byHand(what: 'activate' | 'deactivate', cpe: string, collector: 'c1' | 'c2'): void {
    const { rig, reference } = this;
    const { nowMs } = rig;
    const address = addressNamed(cpe);
    if (what === 'deactivate') {
      expect(rig.splitter.deactivate(address, nowMs)).toBe(reference.deactivate(textOf(cpe), nowMs));
    } else if (collector in reference.context.world.collectors) {
      const isArmed = reference.activate(textOf(cpe), collector, nowMs);
      expect(rig.splitter.activate(address, collector, nowMs)).toBe(isArmed);
    }
  }

  compareTables(): void {
    const { nowMs, splitter } = this.rig;
    splitter.sweep(nowMs);
    const { state } = splitter;
    const { memory } = this.reference.context;
    const all = { limit: 99 };
    const activations = activationEntries(state, all).entries.map((one) => `${one.cpe} ${one.phase} ${one.collector}`);
    compare('requests', requestEntries(state, all).entries.map(entryText), memory.requests(nowMs).map(connectionText));
    compare('reports', reportEntries(state, all).entries.map(entryText), memory.reports(nowMs).map(connectionText));
    compare('activations', activations, this.reference.activations(nowMs));
  }
}

/** What the core did, in the reference's words. */
function decisionOf({ verdict, bytes }: Outcome): Decision {
  if (verdict === Verdict.Drop) return 'dropped';
  if (verdict === Verdict.Accept) return 'untouched';
  const { source, sourcePort, destination, destinationPort } = packetEnds(bytes);
  return { source: textOf(source), sourcePort, destination: textOf(destination), destinationPort };
}

function compare(what: string, core: string[], reference: string[]): void {
  if (core.sort().join() !== reference.sort().join())
    throw new Error(`${what}\ncore: ${core}\nreference: ${reference}`);
}

function entryText({ cpe, cpePort, port, ownPort, owner, phase }: ConnectionEntry): string {
  return `${cpe}:${cpePort} ${port} ${ownPort} ${owner} ${phase}`;
}

function connectionText(connection: Connection): string {
  const { cpe, cpePort, port, ownPort, owner } = connection;
  return `${cpe}:${cpePort} ${port} ${ownPort} ${owner} ${phaseOf(connection)}`;
}

function corrupted(bytes: Uint8Array, { at, value, cut }: Extract<Act, { what: 'corrupt' }>): Uint8Array {
  bytes[at] = value;
  return bytes.slice(0, bytes.length - cut);
}

test('reference and core agree on every packet of random traffic, and on their tables afterwards', () => {
  let packets = 0;
  fc.assert(
    fc.property(
      fc.constantFrom(...ACTIVATION_MODES),
      fc.constantFrom(...CAPACITIES),
      acts,
      (mode, capacity, sequence) => {
        const pair = new Pair(mode, capacity);
        sequence.forEach((act, index) => {
          try {
            pair.take(act);
            pair.compareTables();
          } catch (error) {
            const told = sequence
              .slice(0, index + 1)
              .map(actText)
              .join('\n');
            throw new Error(`${(error as Error).message}\nin mode ${mode}, ${capacity} entries:\n${told}`, {
              cause: error,
            });
          }
        });
        packets += pair.packets;
      },
    ),
    { numRuns: RUNS, ...(SEED !== undefined && { seed: SEED }) },
  );
  expect(packets).toBeGreaterThan(RUNS * 30);
});
