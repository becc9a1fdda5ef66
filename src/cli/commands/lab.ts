/** `acsplit lab`: demonstrates acsplit live, on real NFQUEUE, in its own network namespaces. */
import { type CommandModule } from 'yargs';
import { Failure, UsageError } from '../../configuration/errors';
import { startCast } from '../../lab/cast';
import { Engine } from '../../lab/engine';
import { Narrator } from '../../lab/narrator';
import { namespaceRights, reexecute, REFUSED } from '../../lab/rights';
import { missingPrograms } from '../../lab/routers/programs';
import { playTwoRouters } from '../../lab/routers/story';
import { RouterWorld } from '../../lab/routers/world';
import { stay } from '../../lab/stay';
import { CPE, NEIGHBOUR, playStory, type Claim } from '../../lab/story';
import { ADDRESSES, REPORT_PORT, World } from '../../lab/world';
import { type GlobalOptions, jsonOption } from '../options';

interface LabOptions extends GlobalOptions {
  stay: boolean;
  'two-routers': boolean;
  json: boolean;
}

/** What is to be taken down at the end. */
interface Stage {
  world?: World | RouterWorld;
}

/** Exit codes after a signal, as shells count. */
const INTERRUPTED: Record<string, number> = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 };

export const labCommand: CommandModule<GlobalOptions, LabOptions> = {
  command: 'lab',
  describe: 'demonstrate acsplit live in network namespaces: which server answers a CPE',
  builder: (parser) =>
    parser
      .option('stay', { type: 'boolean', default: false, describe: 'keep the lab open afterwards' })
      .option('two-routers', {
        type: 'boolean',
        default: false,
        describe: 'two routers with keepalived and Redis: one loses power while a CPE downloads',
      })
      .option('json', jsonOption)
      .example('$0 lab', 'takes about ten seconds, needs no configuration, leaves this host’s network alone')
      .example('$0 lab --two-routers', 'needs keepalived and redis-server')
      .example('$0 lab --stay', 'then wake CPEs yourself and watch'),
  handler: async (argv) => {
    if (argv.stay && argv.json) throw new UsageError('lab: use either --stay or --json, not both');
    if (argv.stay && argv['two-routers']) throw new UsageError('lab: use either --stay or --two-routers, not both');
    if (argv['two-routers']) requirePrograms();
    switch (namespaceRights()) {
      case 'refused':
        throw new Failure(`lab: ${REFUSED}`);
      case 'unshare':
        process.exitCode = await reexecute();
        return;
      case 'granted':
        await playUninterrupted(argv);
    }
  },
};

/** Plays until the end or a signal, then takes the world down. */
async function playUninterrupted(argv: LabOptions): Promise<void> {
  const stage: Stage = {};
  const interrupted = new Promise<NodeJS.Signals>((resolve) => {
    // Stays installed, so that a second Ctrl-C does not interrupt the clean-up.
    for (const signal of Object.keys(INTERRUPTED) as NodeJS.Signals[]) process.on(signal, resolve);
  });
  const playing = argv['two-routers'] ? playRouters(argv, stage) : play(argv, stage);
  // After a signal the world goes away while actors still run; ignore the errors this causes.
  playing.catch(() => {});
  try {
    const signal = await Promise.race([playing.then(() => undefined), interrupted]);
    if (signal === undefined) return;
    await stage.world?.close();
    process.exit(INTERRUPTED[signal]);
  } catch (error) {
    throw error instanceof Failure ? error : new Failure(`lab: ${(error as Error).message}`, { cause: error });
  } finally {
    await stage.world?.close();
  }
}

async function play(argv: LabOptions, stage: Stage): Promise<void> {
  const narrator = new Narrator(argv.json ? undefined : process.stdout);
  introduce(narrator);
  const world = await World.create({ cpes: [CPE.address, NEIGHBOUR.address] });
  stage.world = world;
  narrator.claim(true, `four network namespaces joined by veth: ${world.prefix}-*`);
  const [cast, engine] = await Promise.all([startCast(world, [CPE, NEIGHBOUR]), Engine.start(world)]);
  narrator.claim(true, 'iptables rules installed in the splitter’s namespace');
  narrator.claim(true, `engine running there as process ${engine.pid}, activation auto`);
  const claims = await playStory(cast, engine, narrator);
  conclude(argv, narrator, claims);
  if (argv.stay) await stay({ world, cast, engine, narrator });
  judge(claims);
}

async function playRouters(argv: LabOptions, stage: Stage): Promise<void> {
  const narrator = new Narrator(argv.json ? undefined : process.stdout);
  introduceRouters(narrator);
  const world = await RouterWorld.create({ cpes: [CPE.address] });
  stage.world = world;
  narrator.claim(true, `six network namespaces, with switches between them: ${world.prefix}-*`);
  const claims = await playTwoRouters(world, narrator);
  conclude(argv, narrator, claims);
  judge(claims);
}

/** @throws Failure, before anything is built */
function requirePrograms(): void {
  const missing = missingPrograms();
  if (missing.length === 0) return;
  const names = missing.join(' ');
  throw new Failure(
    `lab: --two-routers needs ${missing.join(' and ')}: apt-get install --no-install-recommends ${names}`,
  );
}

/** @throws Failure */
function judge(claims: Claim[]): void {
  const failed = claims.filter((claim) => !claim.true);
  if (failed.length > 0)
    throw new Failure(`lab: the story did not come true: ${failed.map(({ claim }) => claim).join('; ')}`);
}

function introduceRouters(narrator: Narrator): void {
  narrator.line();
  narrator.line(`                          ┌── router a ──┐   ┌── ITMS               ${ADDRESSES.itms}`);
  narrator.line(`  ${CPE.address}  CPE ───────────┤   ${ADDRESSES.acs}   ├───┤`);
  narrator.line(`                          └── router b ──┘   └── collection server  ${ADDRESSES.collector}`);
  narrator.line();
  narrator.line('  Each router runs acsplit, keepalived and a store, with the files in cluster/ of this package.');
  narrator.line();
}

function introduce(narrator: Narrator): void {
  const acs = narrator.ink(`${ADDRESSES.acs}  acsplit`, 'bold');
  narrator.line();
  narrator.line(`  ${CPE.address}  CPE ──┐                         ┌── ITMS               ${ADDRESSES.itms}`);
  narrator.line(`                   ├──  ${acs}  ──┤`);
  narrator.line(
    `  ${NEIGHBOUR.address}  CPE ──┘                         └── collection server  ${ADDRESSES.collector}`,
  );
  narrator.line();
  narrator.line(`  Both CPEs know one ACS: ${ADDRESSES.acs}, port ${REPORT_PORT}. Behind it there are two servers.`);
  narrator.line();
}

function conclude(argv: LabOptions, narrator: Narrator, claims: Claim[]): void {
  const true_ = claims.filter((claim) => claim.true).length;
  const all = true_ === claims.length;
  if (argv.json) process.stdout.write(JSON.stringify({ cameTrue: all, claims }, null, 2) + '\n');
  const verdict = all
    ? narrator.ink(
        `The story came true: ${true_} of ${claims.length} claims, judged by what CPEs and servers saw.`,
        'bold',
        'green',
      )
    : narrator.ink(`The story did not come true: ${true_} of ${claims.length} claims.`, 'bold', 'red');
  narrator.line();
  narrator.line(`  ${verdict}`);
}
