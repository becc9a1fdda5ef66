/** The hosts of a lab: the CPEs, the ITMS, one or two collection servers, each a program in its own namespace. */
import type { AcsEvent, AcsSettings } from './acs-actor';
import { Actor } from './actor';
import type { ConnectionRequestOrder, ConnectionRequestOutcome } from './connection-request';
import type { CpeEvent, CpesSettings } from './cpe-actor';
import type { CpeSettings, Session } from './cpe';
import { type Launcher } from './rooms';
import { type Places, REPORT_PORT, type Role } from './world';

/** A world, as far as the hosts must know it. */
export type Scene = Launcher & { readonly places: Places };

export type Sighting = Extract<AcsEvent, { event: 'inform' }>;
export type WakeOptions = Omit<ConnectionRequestOrder, 'url' | 'from'>;

/** A server: the ITMS or a collection server. */
export class Acs {
  private constructor(readonly actor: Actor<AcsEvent>) {}

  static async start(world: Launcher, role: Role, name: string, address: string): Promise<Acs> {
    const settings: AcsSettings = { name, address, reportPort: REPORT_PORT };
    return new Acs(await Actor.start<AcsEvent>(world, role, name, 'acs-actor', settings));
  }

  /** Sends a CPE a Connection Request; resolves when all its connections are closed. */
  wake(cpe: CpeSettings, options: WakeOptions = {}): Promise<ConnectionRequestOutcome> {
    const host = cpe.address.includes(':') ? `[${cpe.address}]` : cpe.address;
    const url = `http://${host}:${cpe.requestPort}/wake`;
    return this.actor.ask('wake', { url, ...(cpe.credentials && { credentials: cpe.credentials }), ...options });
  }

  /** Closes the connections of kept-alive Connection Requests, which resolves `wake`. */
  release(): Promise<void> {
    return this.actor.ask('release');
  }

  /** The Informs seen so far, in order. */
  get informs(): Sighting[] {
    return this.actor.events.filter((event): event is Sighting => event.event === 'inform');
  }

  /** Source address of each connection to the report port, as this server sees it. */
  get peers(): string[] {
    return this.actor.events.filter((event) => event.event === 'connected').map(({ peer }) => peer);
  }

  /** Sessions that ended at this server. */
  get ended(): Extract<AcsEvent, { event: 'ended' }>[] {
    return this.actor.events.filter((event) => event.event === 'ended');
  }

  /** Requests that belong to a session of another server. */
  get strays(): Extract<AcsEvent, { event: 'stray' }>[] {
    return this.actor.events.filter((event) => event.event === 'stray');
  }
}

/** All CPEs of a world: one program, with one address per CPE. */
export class Cpes {
  private constructor(
    readonly actor: Actor<CpeEvent>,
    readonly settings: readonly CpeSettings[],
  ) {}

  static async start(world: Scene, cpes: readonly CpeSettings[]): Promise<Cpes> {
    const settings: CpesSettings = { acs: { address: world.places.acs, port: REPORT_PORT }, cpes: [...cpes] };
    return new Cpes(await Actor.start<CpeEvent>(world, 'cpe', 'cpes', 'cpe-actor', settings), cpes);
  }

  /** Runs one session now; resolves when it is over. `connections` 2: it continues on a second connection. */
  inform(cpe: CpeSettings, eventCode?: string, connections?: 1 | 2): Promise<Session> {
    return this.actor.ask('inform', { cpe: cpe.address, eventCode, connections });
  }

  /** Starts the session that a Connection Request asked for, for a CPE without a delay. */
  informAsAsked(cpe: CpeSettings): Promise<Session> {
    return this.actor.ask('informAsAsked', { cpe: cpe.address });
  }

  configure(cpe: CpeSettings, settings: Partial<CpeSettings>): Promise<void> {
    return this.actor.ask('configure', { cpe: cpe.address, settings });
  }

  /** Waits for the next session a CPE opened because it was woken, after skipping `skip` sessions. */
  async wokenSession(cpe: CpeSettings, skip = 0): Promise<Session> {
    const sessions = await this.actor.untilCount(
      skip + 1,
      (event) => event.event === 'session' && event.cpe === cpe.address && event.eventCode.startsWith('6 '),
      `a session of ${cpe.address} after a Connection Request`,
    );
    return sessions[skip] as Extract<CpeEvent, { event: 'session' }>;
  }

  /** Source addresses of Connection Requests as the CPEs saw them. */
  get wakers(): string[] {
    return this.actor.events
      .filter((event) => event.event === 'woken')
      .map(({ peer }) => peer.slice(0, peer.lastIndexOf(':')));
  }
}

export interface Cast {
  cpes: Cpes;
  itms: Acs;
  collector: Acs;
  secondCollector: Acs | undefined;
}

export async function startCast(
  world: Scene,
  cpes: readonly CpeSettings[],
  options: { secondCollector?: boolean } = {},
): Promise<Cast> {
  const second = options.secondCollector === true;
  const [cpeActors, itms, collector, secondCollector] = await Promise.all([
    Cpes.start(world, cpes),
    Acs.start(world, 'itms', 'ITMS', world.places.itms),
    Acs.start(world, 'collector', 'collection server', world.places.collector),
    second ? Acs.start(world, 'collector', 'second collection server', world.places.secondCollector) : undefined,
  ]);
  return { cpes: cpeActors, itms, collector, secondCollector };
}

/**
 * Waits until the director has received everything that has happened so far. Each actor reports through its own pipe, so
 * reports of different actors may be read out of order; a reply requested now arrives after all of them.
 */
export async function settle({ cpes, itms, collector, secondCollector }: Cast): Promise<void> {
  const actors = [cpes.actor, itms.actor, collector.actor, ...(secondCollector ? [secondCollector.actor] : [])];
  await Promise.all(actors.map((actor) => actor.ask('settle')));
}
