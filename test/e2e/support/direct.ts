/**
 * CPEs that talk to a server's own address, through a router with our rules: what they get in each state of the engine.
 * The test takes one instance, `npm run prove direct` the product. docs/decisions/direct.md
 */
import { type ChildProcess, execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { cli, configurationText, Engine } from '../../../src/lab/engine';
import { execute } from '../../../src/lab/namespaces';
import { PLACES, REPORT_PORT, World } from '../../../src/lab/world';
import { type Family } from '../../../src/packet/address';
import { type BackEnd, linkBackEnd } from './back-end';
import { DIST } from './stage';
import { FAST_PATH } from './fast-path';

export const ENGINE_STATES = [
  'without us',
  'dead',
  'starting',
  'auto',
  'paused',
  'off',
  'dead again',
  'dead, hold',
] as const;
export type EngineState = (typeof ENGINE_STATES)[number];

export interface DirectOptions {
  family: Family;
  backEnd: BackEnd;
  states: readonly EngineState[];
  /** Of the download. */
  mebibytes: number;
  /** Rules of a firewall, in place before ours: a shell line for the router. */
  firewall?: string;
}

/** What a CPE got: `ok`, or curl's error. */
export interface DirectRow {
  state: EngineState;
  server: 'itms' | 'collector';
  what: string;
  got: string;
}

const [HTTP, TLS, CLOSED] = [8099, 8443, 8098];
const CPE: Readonly<Record<Family, string>> = { ipv4: '10.1.1.1', ipv6: '2001:db8:1::1:1' };
const SERVER = join(__dirname, 'direct-server.js');
/** curl's exit status for a refused connection. */
const REFUSED = 7;
const OTHER_END_SECONDS = '20';

export async function measureDirect(options: DirectOptions): Promise<DirectRow[]> {
  const { family } = options;
  const world = await World.create({ cpes: [CPE[family]], family, programs: join(DIST, 'lab') });
  const router = new Router(world, options);
  try {
    await router.prepare();
    const rows: DirectRow[] = [];
    for (const state of options.states) {
      await router.enter(state);
      rows.push(...(await router.measure(state)));
    }
    return rows;
  } finally {
    await world.close();
  }
}

class Router {
  private readonly servers: ChildProcess[] = [];
  private readonly file: string;
  private engine: Engine | undefined;
  private starting: Promise<Engine> | undefined;

  constructor(
    private readonly world: World,
    private readonly options: DirectOptions,
  ) {
    linkBackEnd(this.binaries, options.backEnd);
    this.file = join(world.directory, 'acsplit.yaml');
  }

  private get binaries(): string {
    return join(this.world.directory, 'back-end');
  }

  private run(...argv: string[]): Promise<string> {
    const path = [this.binaries, process.env.PATH ?? ''].join(delimiter);
    return this.world.run('split', ['env', `PATH=${path}`, ...argv]);
  }

  private acsplit(...words: string[]): Promise<string> {
    return this.run(...cli(this.world, ...words, '-c', this.file));
  }

  async prepare(): Promise<void> {
    const [key, certificate] = ['key.pem', 'certificate.pem'].map((name) => join(this.world.directory, name));
    const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=acs.example', '-days', '2'];
    execFileSync('openssl', [...request, '-keyout', key!, '-out', certificate!], { stdio: 'ignore' });
    for (const role of ['itms', 'collector'] as const) {
      const words = [PLACES[this.options.family][role], HTTP, REPORT_PORT, TLS].map(String);
      const server = this.world.start(role, [process.execPath, SERVER, ...words, key!, certificate!]);
      await new Promise((resolve) => server.stdout!.once('data', resolve));
      this.servers.push(server);
    }
    if (this.options.firewall !== undefined) await this.run('sh', '-c', this.options.firewall);
  }

  private configure(more: { activation?: 'auto' | 'off'; onEngineDown?: 'hold' }): void {
    writeFileSync(
      this.file,
      configurationText(this.world.directory, { family: this.options.family, fastPath: FAST_PATH, ...more }),
    );
  }

  async enter(state: EngineState): Promise<void> {
    switch (state) {
      case 'without us':
        return;
      case 'dead':
        this.configure({});
        await this.acsplit('rules', 'install');
        return;
      case 'starting':
        this.starting = Engine.run(this.world, this.file);
        return;
      case 'auto':
        this.engine = await (this.starting ?? Engine.run(this.world, this.file));
        return;
      case 'paused':
        await this.acsplit('pause');
        return;
      case 'off':
        await this.acsplit('resume');
        this.configure({ activation: 'off' });
        process.kill(this.engine!.pid, 'SIGHUP');
        return;
      case 'dead again':
        await this.engine!.stop();
        return;
      case 'dead, hold':
        this.configure({ onEngineDown: 'hold' });
        await this.acsplit('rules', 'install');
    }
  }

  async measure(state: EngineState): Promise<DirectRow[]> {
    const rows: DirectRow[] = [];
    for (const server of ['itms', 'collector'] as const) {
      const address = PLACES[this.options.family][server];
      const host = address.includes(':') ? `[${address}]` : address;
      const bytes = this.options.mebibytes * 2 ** 20;
      const gets: [what: string, url: string, bytes: number][] = [
        ['HTTP', `http://${host}:${HTTP}/1000`, 1000],
        ['TLS', `https://${host}:${TLS}/1000`, 1000],
        ['the report port', `http://${host}:${REPORT_PORT}/1000`, 1000],
        [`${this.options.mebibytes} MiB`, `http://${host}:${HTTP}/${bytes}`, bytes],
      ];
      for (const [what, url, length] of gets) rows.push({ state, server, what, got: await this.get(url, length) });
      const refused = await this.get(`http://${host}:${CLOSED}/1`, 1);
      rows.push({ state, server, what: 'a closed port', got: refused === `curl ${REFUSED}` ? 'ok' : refused });
      // Without a rule that asks for it, conntrack does nothing.
      if (state !== 'without us') rows.push({ state, server, what: 'conntrack', got: await this.known(address) });
    }
    return rows;
  }

  /** `ok` for the right number of bytes. */
  private async get(url: string, bytes: number): Promise<string> {
    const words = ['-sk', '-m', OTHER_END_SECONDS, '--interface', CPE[this.options.family], '-o', '/dev/null'];
    try {
      const got = await this.world.run('cpe', ['curl', ...words, '-w', '%{size_download}', url]);
      return got === String(bytes) ? 'ok' : `${got} bytes`;
    } catch (error) {
      return `curl ${(error as { exitCode?: number }).exitCode}`;
    }
  }

  /** Whether conntrack has seen both ends of a connection of the CPE's to that address, and of none to the ACS. */
  private async known(server: string): Promise<string> {
    const table = await execute(this.world.inside('split', ['cat', '/proc/net/nf_conntrack']));
    const long = (text: string) => expand(text);
    const line = table
      .split('\n')
      .find(
        (one) => one.includes(`dst=${long(server)} `) && one.includes(`dport=${HTTP} `) && one.includes('[ASSURED]'),
      );
    return line === undefined ? 'not known' : 'ok';
  }
}

/** As /proc/net/nf_conntrack writes an address. */
export function expand(address: string): string {
  if (!address.includes(':')) return address;
  const [head, tail = ''] = address.split('::').map((half) => half.split(':').filter(Boolean));
  const rest = tail === '' ? [] : [...tail];
  const zeros = new Array<string>(8 - head!.length - rest.length).fill('0');
  return [...head!, ...zeros, ...rest].map((group) => group.padStart(4, '0')).join(':');
}
