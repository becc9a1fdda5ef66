/**
 * Reference and core agree on every packet (verdict, addresses, ports, reason) and on the tables afterwards. A failure
 * prints its seed and the shortest sequence that shows it. MODEL_SEED repeats a seed, MODEL_RUNS sets how many
 * sequences run.
 */
import * as fc from 'fast-check';
import { Side, Verdict } from '../../src/packet/batch';
import { buildTcp } from '../../src/packet/builder';
import { activationEntries, type ConnectionEntry, reportEntries, requestEntries } from '../../src/splitter/entries';
import { ACTIVATION_MODES, type ActivationMode } from '../../src/splitter/topology';
import { addressNamed, FAMILY, packetIn, textOf } from '../support/family';
import { buildError, TYPES } from '../support/icmp';
import { packetEnds } from '../support/packet-ends';
import { ACS, ITMS_PORT, type Outcome, type Party, REPORT_PORT, Rig, SERVERS, TOPOLOGY } from '../support/rig';
import { Turnstile } from '../support/turnstile';
import { type Connection, type Decision, phaseOf, Reference, type Tables, type World } from '../reference/reference';
import { Conversations, type Resolved } from '../model/conversations';
import { type Act, actText, type Sent } from '../model/act';
import { acts } from '../model/traffic';

/** Both families run the same decision code, so the second needs fewer. Thousands: `npm run prove model`. */
const RUNS = Number(process.env.MODEL_RUNS ?? (FAMILY === 'ipv6' ? 150 : 500));
const SEED = process.env.MODEL_SEED === undefined ? undefined : Number(process.env.MODEL_SEED);
/** The default most often. */
const MODES = ['auto' as const, 'auto' as const, ...ACTIVATION_MODES];
const CAPACITIES = [2, 4, 12, 40, 40];
/** What is no TCP packet for us is left alone, for reasons that are the core's own. */
const FOREIGN = ['not-ip', 'not-tcp', 'jumbogram', 'source-routed', 'icmp-not-ours', 'icmp-unreadable', 'not-ours'];

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

class Pair {
  readonly rig: Rig;
  private readonly turnstile = new Turnstile();
  readonly reference: Reference;
  packets = 0;
  private readonly conversations = new Conversations();

  constructor(mode: ActivationMode, capacityEntries: number) {
    this.rig = new Rig({ activation: mode, capacityEntries, health: this.turnstile });
    this.reference = new Reference(worldOf(['c1', 'c2']), mode, capacityEntries, undefined, this.tables());
  }

  /** The core's tables after a packet. */
  private tables(): Tables {
    const familyOf = (cpe: string) => this.rig.splitter.state.familyOf(addressNamed(cpe))!;
    return {
      hasRequest: (cpe, cpePort, port) => familyOf(cpe).connectionRequests.find(addressNamed(cpe), cpePort, port) >= 0,
      hasReport: (cpe, cpePort, port) => familyOf(cpe).reportConnections.find(addressNamed(cpe), cpePort, port) >= 0,
      hasActivation: (cpe) => familyOf(cpe).activatedCpes.find(addressNamed(cpe)) >= 0,
    };
  }

  take(act: Act): void {
    const { rig, reference } = this;
    switch (act.what) {
      case 'wait':
        return void rig.wait(act.ms);
      case 'send': {
        const resolved = this.resolve(act.packet);
        return this.send(resolved.from, this.conversations.bytesOf(resolved));
      }
      case 'corrupt': {
        const resolved = this.resolve({ ...act.packet, isStray: true });
        return this.send(resolved.from, corrupted(this.conversations.bytesOf(resolved), act));
      }
      case 'unreachable':
        return this.unreachable(act);
      case 'pause':
        rig.splitter.paused = reference.context.isPaused = act.paused;
        return;
      case 'usable':
        return this.setUsable(act.collector, act.isUsable);
      case 'sweep':
        return rig.splitter.sweep(rig.nowMs);
      case 'forget':
        this.reload(['c1', 'c2'], rig.loseTables());
        return reference.forget();
      case 'engine down':
        rig.splitter.endActivations(rig.nowMs);
        return reference.endActivations(rig.nowMs);
      case 'reload':
        return this.reload(act.collectors);
      default:
        return this.byHand(act.what, act.cpe, act.collector);
    }
  }

  /** Resolves `peer`, and the port that the CPE sees. */
  private resolve(sent: Sent): Resolved {
    const { cpePort, port } = sent;
    const cpe = textOf(sent.cpe);
    this.reference.context.nowMs = this.rig.nowMs;
    if (sent.from === 'cpe') return { ...sent, from: sent.from, ownPort: port };
    if (sent.from !== 'peer') {
      const visible = this.reference.visiblePort(cpe, cpePort, port, sent.from);
      return { ...sent, from: sent.from, port: visible, ownPort: port };
    }
    const known = this.reference.ownerOf(cpe, cpePort, port);
    return { ...sent, from: (known?.owner ?? 'itms') as Party, ownPort: known?.ownPort ?? port };
  }

  private send(from: Party, bytes: Uint8Array): void {
    this.packets++;
    const outcome = this.rig.sendBytes(from, bytes);
    const found = decisionOf(outcome);
    const expected = this.reference.decide(from === 'cpe', bytes, this.rig.nowMs, found);
    const { reason } = this.reference;
    const isSameReason = reason === outcome.reason || (reason === 'foreign' && FOREIGN.includes(outcome.reason));
    if (JSON.stringify(found) === JSON.stringify(expected) && isSameReason) return;
    throw new Error(
      `core: ${JSON.stringify(found)} (${outcome.reason})\nreference: ${JSON.stringify(expected)} (${reason})`,
    );
  }

  private unreachable({ server, cpe, cpePort, isn }: Extract<Act, { what: 'unreachable' }>): void {
    const { rig, reference } = this;
    const ends = { source: cpe, sourcePort: cpePort, destination: SERVERS[server], destinationPort: REPORT_PORT };
    const quoted = buildTcp(packetIn({ ...ends, flags: 2, sequence: isn }));
    const error = { source: '10.9.9.9', destination: cpe, type: TYPES.unreachable[FAMILY], quoted };
    const { reason } = rig.decideBytes(Side.Collector, buildError(error), 0);
    const expected = reference.unreachable(textOf(cpe), cpePort, REPORT_PORT, server, isn >>> 0, rig.nowMs);
    if (reason !== expected) throw new Error(`core: ${reason}\nreference: ${expected}`);
  }

  private setUsable(collector: 'c1' | 'c2', isUsable: boolean): void {
    const { rig, reference } = this;
    if (!(collector in reference.context.world.collectors)) return;
    this.turnstile.set(rig.splitter, collector, !isUsable);
    if (isUsable) reference.context.unusable.delete(collector);
    else reference.context.unusable.add(collector);
  }

  private reload(names: ('c1' | 'c2')[], rig = this.rig): void {
    const { reference } = this;
    const collectors = names.map((name) => ({ name, interface: 'col0', address: { ipv4: SERVERS[name] } }));
    rig.restart({ topology: { ...TOPOLOGY, collectors } }).splitter.paused = reference.context.isPaused;
    reference.context.world = worldOf(names);
    reference.context.unusable.clear();
    this.turnstile.clear();
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
    fc.property(fc.constantFrom(...MODES), fc.constantFrom(...CAPACITIES), acts, (mode, capacity, sequence) => {
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
    }),
    { numRuns: RUNS, ...(SEED !== undefined && { seed: SEED }) },
  );
  expect(packets).toBeGreaterThan(RUNS * 30);
});
