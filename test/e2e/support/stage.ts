/**
 * A world of its own for a test file: namespaces, actors, rules, engine, and captures on every wire.
 * Needs the build (npm run build): actors and engine run from dist/ as users run them.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { loadConfiguration } from '../../../src/configuration/configuration';
import { askEngine, controlSocketPath } from '../../../src/engine/control/ask';
import { settle, startCast, type Acs, type Cast } from '../../../src/lab/cast';
import type { CpeSettings } from '../../../src/lab/cpe';
import { Engine, type EngineOptions } from '../../../src/lab/engine';
import { namespaceRights, REFUSED } from '../../../src/lab/rights';
import { World } from '../../../src/lab/world';
import { expectFlowsAgree } from './flows';
import { Wires } from './wires';
import { ADDRESSES, FAMILY } from './family';
import { FAST_PATH } from './fast-path';

export { makeCpes } from './cpes';

/** The build under test. */
export const DIST = join(__dirname, '..', '..', '..', process.env.ACSPLIT_DIST ?? 'dist');
const PROGRAMS = join(DIST, 'lab');

/** Longer than the grace in which a session may continue, and more than a test's "later" needs. */
export const LATER_MS = 3000;

if (typeof jest !== 'undefined') jest.setTimeout(180_000);

export interface StageOptions extends EngineOptions {
  cpes: readonly CpeSettings[];
  /** A network that floods: see Wires. */
  flood?: string;
}

export class Stage {
  private constructor(
    readonly world: World,
    readonly cast: Cast,
    public engine: Engine,
    readonly wires: Wires,
  ) {}

  static async open(options: StageOptions): Promise<Stage> {
    if (namespaceRights() !== 'granted') throw new Error(REFUSED);
    if (!existsSync(join(PROGRAMS, 'acs-actor.js'))) throw new Error('not built: run npm run build');
    const { cpes, flood, ...engineOptions } = options;
    const world = await World.create({
      cpes: cpes.map((cpe) => cpe.address),
      family: FAMILY,
      programs: PROGRAMS,
    });
    try {
      const wires = await Wires.start(world, flood);
      const [engine, cast] = await Promise.all([
        Engine.start(world, { fastPath: FAST_PATH, ...engineOptions }),
        startCast(world, cpes, options),
      ]);
      return new Stage(world, cast, engine, wires);
    } catch (error) {
      await world.close();
      throw error;
    }
  }

  close(): Promise<void> {
    return this.world.close();
  }

  /** Starts an engine where the last one has ended, over the rules and the state that it left. */
  async startAgain(): Promise<void> {
    this.engine = await Engine.run(this.world, this.engine.configurationFile);
  }

  /** Every server of this stage with its address. */
  get servers(): [Acs, string][] {
    const { itms, collector, secondCollector } = this.cast;
    const servers: [Acs, string][] = [
      [itms, ADDRESSES.itms],
      [collector, ADDRESSES.collector],
    ];
    if (secondCollector !== undefined) servers.push([secondCollector, ADDRESSES.secondCollector]);
    return servers;
  }

  /**
   * Claims about everything that happened so far: each connection had one server, CPEs saw the ACS address alone,
   * nothing was reset, no session was torn, and the captures saw every connection that the servers saw.
   */
  async expectCleanWires(): Promise<void> {
    const { wires, cast } = this;
    await settle(cast);
    await wires.catchUp();
    expect(wires.shared()).toEqual([]);
    expect([...wires.cpePeers]).toEqual([ADDRESSES.acs]);
    expect(new Set(cast.cpes.wakers)).toEqual(new Set(cast.cpes.wakers.length > 0 ? [ADDRESSES.acs] : []));
    expect(wires.resets).toEqual([]);
    for (const [server, address] of this.servers) {
      expect(server.strays).toEqual([]);
      const accepted = server.actor.events.filter((event) => event.event === 'connected');
      const own = accepted.map(({ peer, port }) => `${peer}:${port}`);
      expect(wires.connectionsAt(address)).toEqual(new Set(own));
    }
    const { stateDirectory } = loadConfiguration(this.engine.configurationFile);
    await expectFlowsAgree((command) => askEngine(controlSocketPath(stateDirectory), { command }));
  }

  /** Runs `happen` and answers which servers saw Informs of this CPE meanwhile: by name, with their event codes. */
  async sightings(cpe: CpeSettings, happen: () => Promise<unknown>): Promise<string[]> {
    const before = this.servers.map(([server]) => server.informs.length);
    await happen();
    await settle(this.cast);
    return this.servers.flatMap(([server], index) =>
      server.informs
        .slice(before[index])
        .filter(({ peer }) => peer === cpe.address)
        .map(({ eventCodes }) => `${server.actor.name}: ${eventCodes.join()}`),
    );
  }

  /** An unsolicited session; returns the servers that saw it. */
  async inform(cpe: CpeSettings, connections?: 1 | 2): Promise<string[]> {
    return this.sightings(cpe, async () => {
      expect(await this.cast.cpes.inform(cpe, undefined, connections)).toMatchObject({ ok: true });
    });
  }
}

export function later(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, LATER_MS));
}
