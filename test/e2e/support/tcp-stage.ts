/**
 * A world whose hosts do nothing by themselves: a test opens, uses and closes each connection at its own pace, over
 * real NFQUEUE and the real TCP of each namespace. For whole CWMP sessions of simulated devices there is stage.ts.
 */
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Actor } from '../../../src/lab/actor';
import { Engine, type EngineOptions } from '../../../src/lab/engine';
import { isAlive } from '../../../src/lab/namespaces';
import { namespaceRights, REFUSED } from '../../../src/lab/rights';
import { REPORT_PORT, World, type Role, type WorldOptions } from '../../../src/lab/world';
import { askEngine, controlSocketPath } from '../../../src/engine/control/ask';
import { stateFilePath } from '../../../src/engine/shared/state-file';
import { type Status } from '../../../src/engine/report/status';
import { type ActivationEntry, type ConnectionEntry } from '../../../src/splitter/entries';
import { type TraceAnswer, type TraceEvent } from '../../../src/engine/control/operations';
import { expectFlowsAgree } from './flows';
import { eventually } from './run-host';
import { makePatient } from './patience';
import { DIST } from './stage';
import { End, hangUp, talk, type Accepted, type Ends, type Peer, type PeerEvent } from './tcp-end';
import { Wires } from './wires';
import { ADDRESSES, ANY_ADDRESS, FAMILY, IPTABLES } from './family';
import { FAST_PATH } from './fast-path';
import { PYTHON } from '../../support/tools';

const PROGRAMS = join(DIST, 'lab');
const PEER = join(__dirname, 'peer.py');

/** Port of the CPEs' Connection Request URL; REFUSING_PORT is closed. */
export const REQUEST_PORT = 7547;
export const REFUSING_PORT = 30005;

export type ServerName = 'itms' | 'c1' | 'c2';
export const SERVER_ADDRESSES: Record<ServerName, string> = {
  itms: ADDRESSES.itms,
  c1: ADDRESSES.collector,
  c2: ADDRESSES.secondCollector,
};

export interface ReportConnection extends Ends {
  server: ServerName;
}

export interface ConnectionRequest extends Ends {
  /** The other end's port as the CPE sees it. */
  seenFrom: number;
}

interface Seen {
  from: string;
}

export interface ConnectOptions {
  fromPort?: number;
  toPort?: number;
  timeoutMs?: number;
  initialSequence?: number;
  fastOpen?: string;
}

/** Bounds a failure. */
const PATIENCE_MS = 60_000;

/** A Connection Request's request. */
export const GET = 'GET /wake HTTP/1.1\r\nHost: cpe\r\n\r\n';

export function answerText(status: number): string {
  return `HTTP/1.1 ${status} -\r\nContent-Length: 0\r\n\r\n`;
}

export class TcpStage {
  private readonly claimed = new Set<Accepted>();
  /** Connections that two servers have seen, and that were told. */
  private readonly told = new Set<string>();

  private constructor(
    readonly world: World,
    public engine: Engine,
    readonly wires: Wires,
    readonly peers: Record<'cpe' | 'itms' | 'collector', Peer>,
    private readonly options: EngineOptions,
  ) {}

  /** @param options `lossy`: packets will be lost, and hosts shall repeat them as soon as kernels do */
  static async open(
    options: EngineOptions & Pick<WorldOptions, 'cpes' | 'hops' | 'outside'> & { lossy?: boolean },
  ): Promise<TcpStage> {
    if (namespaceRights() !== 'granted') throw new Error(REFUSED);
    if (!existsSync(join(PROGRAMS, 'acs-actor.js'))) throw new Error('not built: run npm run build');
    const words = { secondCollector: true, ...options };
    const { cpes, hops = false, outside = false, lossy = false, ...engineOptions } = words;
    const world = await World.create({ cpes, hops, outside, family: FAMILY, programs: PROGRAMS });
    try {
      if (!lossy) await makePatient(world, ['cpe', 'itms', 'collector']);
      const start = (role: Role): Promise<Peer> => Actor.launch<PeerEvent>(world, role, role, [PYTHON, PEER]);
      const [wires, engine, cpe, itms, collector] = await Promise.all([
        Wires.start(world),
        Engine.start(world, { fastPath: FAST_PATH, ...engineOptions }),
        start('cpe'),
        start('itms'),
        start('collector'),
      ]);
      const stage = new TcpStage(world, engine, wires, { cpe, itms, collector }, engineOptions);
      await cpe.ask('listen', { address: ANY_ADDRESS, port: REQUEST_PORT, fastOpen: true });
      for (const name of Object.keys(SERVER_ADDRESSES) as ServerName[]) await stage.listen(name);
      return stage;
    } catch (error) {
      await world.close();
      throw error;
    }
  }

  close(): Promise<void> {
    return this.world.close();
  }

  /**
   * Claims about everything that crossed so far, each told once. `torn` names the connections, as CPE-ADDRESS:PORT, that
   * two servers must have seen, because a test has destroyed what the splitter knew of them.
   */
  async expectOneServerEach(torn: readonly string[] = []): Promise<void> {
    const expected = torn.filter((connection) => !this.told.has(connection));
    const shared = await eventually(`two servers that have seen each of ${expected.join()}`, async () => {
      await this.wires.catchUp();
      const all = this.wires.shared().map((text) => text.split(' ')[0] as string);
      return expected.every((connection) => all.includes(connection)) ? all : undefined;
    });
    const news = shared.filter((connection) => !this.told.has(connection));
    for (const connection of shared) this.told.add(connection);
    expect(news.sort()).toEqual(expected.sort());
    expect([...this.wires.cpePeers]).toEqual(this.wires.cpePeers.size === 0 ? [] : [ADDRESSES.acs]);
    await expectFlowsAgree((command) => this.control(command));
  }

  peerOf(server: ServerName): Peer {
    return server === 'itms' ? this.peers.itms : this.peers.collector;
  }

  /** A server serves the report port, until `unlisten`: then it refuses. */
  listen(server: ServerName): Promise<void> {
    const place = { address: SERVER_ADDRESSES[server], port: REPORT_PORT };
    return this.peerOf(server).ask('listen', { ...place, fastOpen: true });
  }

  unlisten(server: ServerName): Promise<void> {
    return this.peerOf(server).ask('unlisten', { address: SERVER_ADDRESSES[server], port: REPORT_PORT });
  }

  // ---- report connections ----

  /** A CPE connects to the ACS address; rejects with an errno's name. */
  async connect(cpe: string, options: ConnectOptions = {}): Promise<ReportConnection> {
    const near = await this.dial(cpe, options);
    return { ...(await this.accepted(cpe, near.port)), cpe: near };
  }

  /** The CPE's end alone. */
  async dial(cpe: string, options: ConnectOptions = {}): Promise<End> {
    const order = { from: cpe, to: ADDRESSES.acs, toPort: REPORT_PORT, ...options };
    const { socket, port } = await this.peers.cpe.ask<{ socket: number; port: number }>('connect', order);
    return new End(this.peers.cpe, socket, port);
  }

  /** The server's end of a connection from this CPE's port, whichever server has accepted it. */
  async accepted(cpe: string, cpePort: number): Promise<{ server: ServerName; far: End }> {
    const names = Object.keys(SERVER_ADDRESSES) as ServerName[];
    const choices = names.map((server) => ({
      peer: this.peerOf(server),
      fits: ({ address, from, fromPort }: Accepted): boolean =>
        address === SERVER_ADDRESSES[server] && from === cpe && fromPort === cpePort,
    }));
    const { choice, accepted } = await this.claim(choices, `a connection of ${cpe}:${cpePort}`);
    const server = names[choice] as ServerName;
    return { server, far: new End(this.peerOf(server), accepted.socket, accepted.port) };
  }

  /** Report connections that a server has accepted, as CPE-ADDRESS:PORT. */
  connectionsOf(server: ServerName): Set<string> {
    const own = this.peerOf(server).events.filter(
      (event) => event.event === 'accepted' && event.address === SERVER_ADDRESSES[server],
    );
    return new Set(own.map((event) => (event.event === 'accepted' ? `${event.from}:${event.fromPort}` : '')));
  }

  /** A whole session: a line each way, closed by the CPE. Returns the server that had it. */
  async session(cpe: string, options: ConnectOptions = {}): Promise<ServerName> {
    const connection = await this.connect(cpe, options);
    await talk(connection);
    await hangUp(connection);
    return connection.server;
  }

  // ---- connection requests ----

  /** A server connects to a CPE. */
  async request(server: ServerName, cpe: string, options: ConnectOptions = {}): Promise<ConnectionRequest> {
    const { from, ...request } = await this.reach(server, cpe, options);
    expect(from).toBe(ADDRESSES.acs);
    return request;
  }

  /** The same, whether it is ours or not. @returns also whose address the CPE sees */
  async reach(server: ServerName, cpe: string, options: ConnectOptions = {}): Promise<ConnectionRequest & Seen> {
    const peer = this.peerOf(server);
    const order = { from: SERVER_ADDRESSES[server], to: cpe, toPort: REQUEST_PORT, ...options };
    const { socket, port } = await peer.ask<{ socket: number; port: number }>('connect', order);
    const arrival = { peer: this.peers.cpe, fits: ({ address }: Accepted) => address === cpe };
    const { accepted } = await this.claim([arrival], `a Connection Request at ${cpe}`);
    return {
      from: accepted.from,
      cpe: new End(this.peers.cpe, accepted.socket, accepted.port),
      far: new End(peer, socket, port),
      seenFrom: accepted.fromPort,
    };
  }

  /** The server asks, the CPE answers with this status; when this resolves, the splitter has seen the answer. */
  async ask({ cpe, far }: Ends, status: number): Promise<void> {
    await far.sendTo(cpe, GET);
    await cpe.sendTo(far, answerText(status));
  }

  /** A whole Connection Request for each group of statuses, closed by the server. */
  async wake(server: ServerName, cpe: string, ...connections: number[][]): Promise<void> {
    for (const statuses of connections.length > 0 ? connections : [[200]]) {
      const request = await this.request(server, cpe);
      for (const status of statuses) await this.ask(request, status);
      await hangUp(request, 'far');
    }
  }

  // ---- what the engine knows ----

  status(): Promise<Status> {
    return this.control('status') as Promise<Status>;
  }

  async activation(cpe: string): Promise<ActivationEntry | undefined> {
    return ((await this.control('tables', { table: 'activated', cpe })) as { entries: ActivationEntry[] }).entries[0];
  }

  async entries(table: 'requests' | 'connections', cpe: string): Promise<ConnectionEntry[]> {
    return ((await this.control('tables', { table, cpe })) as { entries: ConnectionEntry[] }).entries;
  }

  /** Waits until the next session of a CPE is the ITMS's by right: nothing is armed, and no grace runs. */
  async untilOver(cpe: string): Promise<void> {
    await eventually(`the end of the activation of ${cpe}`, async () => {
      const phase = (await this.activation(cpe))?.phase;
      return (phase !== 'armed' && phase !== 'grace') || undefined;
    });
  }

  /** Waits until a table holds nothing of a CPE any more. */
  async untilForgotten(table: 'requests' | 'connections', cpe: string): Promise<void> {
    await eventually(`no ${table} of ${cpe}`, async () => (await this.entries(table, cpe)).length === 0 || undefined);
  }

  /** The events of a CPE, in order. */
  async events(cpe: string): Promise<TraceEvent[]> {
    const { events } = (await this.control('events', { since: 0 })) as TraceAnswer;
    return events.filter((event) => event.cpe === cpe);
  }

  control(command: string, more: object = {}): Promise<unknown> {
    return askEngine(controlSocketPath(join(this.world.directory, 'state')), { command, ...more });
  }

  /** Ends the engine without a word, and starts another on empty tables, with other settings where given. */
  async restart(options: EngineOptions = {}): Promise<void> {
    process.kill(this.engine.pid, 'SIGKILL');
    await eventually('the engine to die', () => !isAlive(this.engine.pid) || undefined);
    rmSync(stateFilePath(join(this.world.directory, 'state')), { force: true });
    this.engine = await Engine.start(this.world, { fastPath: FAST_PATH, ...this.options, ...options });
  }

  /** Runs `happen` while no verdict is given: what is sent meanwhile waits in the queues. */
  async whileHeld<T>(happen: () => Promise<T>): Promise<T> {
    // The supervisor first: it would replace a worker that does nothing.
    const pids = [this.engine.pid, ...(await this.status()).workers.map(({ pid }) => pid)];
    for (const pid of pids) process.kill(pid, 'SIGSTOP');
    try {
      return await happen();
    } finally {
      for (const pid of pids) process.kill(pid, 'SIGCONT');
    }
  }

  /** In a run with the fast path: the kernel carries, on all interfaces. */
  async untilCarried(): Promise<void> {
    if (FAST_PATH === 'off') return;
    await eventually('the kernel to carry', async () => {
      const { carries, reason } = (await this.status()).fastPath;
      return (carries && reason === null) || undefined;
    });
  }

  // ---- the kernels of the hosts ----

  /** Runs `happen` while a rule of a host's own drops what fits it. */
  async whileDropping<T>(role: Role, rule: string, happen: () => Promise<T>): Promise<T> {
    const words = rule.split(' ');
    const iptables = (action: string): Promise<string> =>
      this.world.run(role, [IPTABLES, '-w', action, ...words, '-j', 'DROP']);
    await iptables('-I');
    try {
      return await happen();
    } finally {
      await iptables('-D');
    }
  }

  async sysctl(role: Role, setting: string): Promise<void> {
    await this.world.run(role, ['sysctl', '-qw', setting]);
  }

  /** Waits for the first unclaimed connection that fits one of the choices. */
  private claim(choices: Choice[], what: string): Promise<{ choice: number; accepted: Accepted }> {
    return new Promise((resolve, reject) => {
      const stops: (() => void)[] = [];
      const stop = (): void => {
        clearTimeout(timer);
        for (const one of stops) one();
      };
      const look = (): void => {
        for (const [choice, { peer, fits }] of choices.entries()) {
          const found = peer.events.find(
            (event) => event.event === 'accepted' && !this.claimed.has(event) && fits(event),
          );
          if (found?.event !== 'accepted') continue;
          this.claimed.add(found);
          stop();
          return resolve({ choice, accepted: found });
        }
      };
      const timer = setTimeout(() => {
        stop();
        reject(new Error(`waited ${PATIENCE_MS} ms in vain for ${what}`));
      }, PATIENCE_MS);
      for (const peer of new Set(choices.map((choice) => choice.peer))) stops.push(peer.listen(look));
      look();
    });
  }
}

interface Choice {
  peer: Peer;
  fits: (accepted: Accepted) => boolean;
}
