/** Each switch between two routers, many times under load; and the same between two plain routers with conntrackd. */
import { type Switch, SWITCHES } from '../../src/lab/routers/switches';
import { Routers, type RoutersOptions, type Turn } from '../e2e/support/routers';
import { bothActive, STORE_FAULTS } from '../e2e/support/routers-stores';
import { RIVAL } from '../e2e/support/routers-rival';
import { median, table } from '../bench/numbers';
import type { Limits, Proof } from './proof';

type Say = (line: string) => void;

/** Without `--repeat`. */
const TIMES = 100;
/** Of each kind, before the other side has its turn: the machine's other work meets both. */
const BLOCK = 10;
/** Of a block that ends early. */
const MOST_TRIES = 3;
/** Milliseconds. What is longer is told, and fails nothing: a busy machine decides it. docs/cluster.md */
const PROMISED_MS: Partial<Record<Switch, number>> = { planned: 0, 'power loss': 800, 'engine killed': 2500 };

export const routers: Proof = {
  name: 'routers',
  shows:
    'two routers with real keepalived and redis-server: each switch 100 times under load, beside two with conntrackd ' +
    '(-- --repeat 10 --minutes 20)',
  takes: '90 minutes, root, keepalived, redis-server, conntrackd',
  needsRoot: true,
  section: { file: 'docs/reliability.md', name: 'routers' },
  smallest: { tests: ['test/e2e/routers.test.ts'] },
  full: async (say, limits) => {
    const stores = await sufferStores(say);
    const parted = await sufferPartition(say);
    const { own, rival, failures } = await playBoth(say, limits);
    const text = table(
      [
        '',
        'switch',
        'times',
        'no new connection passed for, ms: median, most; longer than promised',
        'undiverted broken',
        'diverted broken',
        'woken CPEs at the ITMS',
        'sessions at a collector that did not wake them',
        'connections at two servers',
      ],
      [...own, ...rival].filter(({ turns }) => turns.length > 0).map(rowOf),
    );
    failures.push(...own.flatMap(({ turns }) => turns.flatMap(failuresOf)), ...stores.failures, ...parted.failures);
    const faults = STORE_FAULTS.map(({ name }) => name).join('; ');
    const wrong = stores.failures.length === 0 ? 'Nothing broke.' : `What broke: ${stores.failures.join('; ')}.`;
    const waited = `No new connection passed for ${stores.longestMs} ms at the most.`;
    return {
      failures,
      isCounted: true,
      text: `${text}\n\nStores, each fault once under load: ${faults}. ${wrong} ${waited}\n\n${parted.text}`,
    };
  },
};

interface Played {
  by: string;
  kind: Switch;
  turns: Turn[];
}

interface Both {
  own: Played[];
  rival: Played[];
  /** What ended it early. */
  failures: string[];
}

/** Block by block, so that both have about as many turns whenever it ends; and each switch once among three routers. */
async function playBoth(say: Say, { times = TIMES, isOver }: Limits): Promise<Both> {
  const begin = (by: string, kinds: readonly Switch[]) =>
    kinds.map((kind): Played => ({ by, kind, turns: [] })) as [Played, ...Played[]];
  const noEngine = SWITCHES.filter((kind) => kind !== 'engine killed');
  const three = begin('acsplit, three routers', SWITCHES);
  const two = begin('acsplit', SWITCHES);
  const rival = begin('conntrackd', noEngine);
  const failures: string[] = [];
  const run = async (played: readonly [Played, ...Played[]], options: RoutersOptions, times: number) => {
    const [{ turns }] = played;
    const end = turns.length + times;
    for (let tries = 0; tries < MOST_TRIES && turns.length < end && !isOver(); tries++) {
      try {
        await play(played, options, end - turns.length, say, isOver);
      } catch (error) {
        // What was interrupted may fail. All else is a failure, and the rest begins with other routers.
        if (!isOver()) failures.push(`ended early: ${(error as Error).message}`);
      }
    }
  };
  await run(three, { cluster: true, routers: 3 }, 1);
  for (let done = 0; done < times && !isOver(); done += BLOCK) {
    const block = Math.min(BLOCK, times - done);
    await run(two, { cluster: true }, block);
    await run(rival, RIVAL, block);
  }
  return { own: [...two, ...three], rival, failures };
}

/** The kinds in turn, so that a disturbance of the machine meets all alike. */
async function play(
  played: readonly Played[],
  options: RoutersOptions,
  times: number,
  say: Say,
  isOver: () => boolean,
): Promise<void> {
  const stage = await Routers.open(options);
  try {
    for (let time = 0; time < times && !isOver(); time++) {
      for (const { by, kind, turns } of played) {
        const { stories, ...turn } = await stage.turn(kind);
        turns.push({ ...turn, stories });
        say(`${by} ${turns.length}, ${JSON.stringify(turn)}`);
        // The rival's are many, and no riddle.
        if (options.cluster === true) for (const story of stories) say(story);
      }
    }
  } finally {
    await stage.close();
  }
}

/** Each fault once, and a planned switch after it. @returns what went wrong */
async function sufferStores(say: Say): Promise<{ failures: string[]; longestMs: number }> {
  const stage = await Routers.open({ cluster: true });
  const failures: string[] = [];
  let longestMs = 0;
  try {
    for (const fault of STORE_FAULTS) {
      const { during, after } = await stage.suffer(fault);
      say(`stores ${fault.name}: ${JSON.stringify({ during, after })}`);
      const broken = [...during.divertedBroken, ...after.divertedBroken].map((one) => `diverted: ${one}`);
      longestMs = Math.max(longestMs, during.interruptionMs);
      const all = [...failuresOf({ kind: 'planned', ...during }), ...failuresOf(after), ...broken];
      failures.push(...all.map((what) => `stores ${fault.name}: ${what}`));
    }
  } finally {
    await stage.close();
  }
  return { failures, longestMs };
}

/** A CPE was woken through one router, its session went to the ITMS through the other: the next one is diverted. */
const isLate = (line: string) => line.startsWith('own session of ');

/** Both routers active: what that costs is said, what must never happen fails. */
async function sufferPartition(say: Say): Promise<{ failures: string[]; text: string }> {
  const stage = await Routers.open({ cluster: true });
  const failures: string[] = [];
  const rows: string[][] = [];
  try {
    for (const fault of [bothActive(false), bothActive(true)]) {
      const { during, after } = await stage.suffer(fault);
      say(`${fault.name}: ${JSON.stringify({ during, after })}`);
      const turns: Turn[] = [{ kind: 'planned', ...during }, after];
      const late = turns.flatMap(({ wrongCollector }) => wrongCollector.filter(isLate));
      for (const turn of turns) {
        const wrongCollector = turn.wrongCollector.filter((line) => !isLate(line));
        failures.push(...failuresOf({ ...turn, wrongCollector }).map((what) => `${fault.name}: ${what}`));
      }
      const broken = turns.flatMap(({ divertedBroken }) => divertedBroken);
      rows.push([
        fault.name,
        `${broken.length} of ${during.diverted}`,
        `${during.wokenAtItms} of ${during.woken}`,
        `${late.length}`,
      ]);
    }
  } finally {
    await stage.close();
  }
  const head = [
    'for 4 s',
    'diverted broken',
    'woken CPEs at the ITMS',
    'whose next session went to the collector instead',
  ];
  return { failures, text: table(head, rows) };
}

function failuresOf(turn: Turn): string[] {
  const { kind, twoServers, wrongCollector, ownBroken, silent } = turn;
  return [
    ...twoServers.map((one) => `two servers: ${one}`),
    ...wrongCollector.map((one) => `not woken by it: ${one}`),
    ...ownBroken.map((one) => `undiverted: ${one}`),
    ...(silent > 0 ? ['kept connections stayed silent'] : []),
  ].map((what) => `${kind}: ${what}`);
}

function rowOf({ by, kind, turns }: Played): string[] {
  const sum = (pick: (turn: Turn) => number) => turns.reduce((total, turn) => total + pick(turn), 0);
  const of = (part: number, whole: number) => `${part} of ${whole}`;
  const interruptions = turns.map(({ interruptionMs }) => interruptionMs);
  return [
    by,
    kind,
    `${turns.length}`,
    `${median(interruptions)}, ${Math.max(...interruptions)}; ${late(kind, interruptions)}`,
    of(
      sum(({ ownBroken }) => ownBroken.length),
      sum(({ own }) => own),
    ),
    of(
      sum(({ divertedBroken }) => divertedBroken.length),
      sum(({ diverted }) => diverted),
    ),
    of(
      sum(({ wokenAtItms }) => wokenAtItms),
      sum(({ woken }) => woken),
    ),
    `${sum(({ wrongCollector }) => wrongCollector.length)}`,
    `${sum(({ twoServers }) => twoServers.length)}`,
  ];
}

/** How many of them took longer than is promised. */
function late(kind: Switch, interruptions: readonly number[]): string {
  const most = PROMISED_MS[kind];
  return most === undefined ? '-' : `${interruptions.filter((ms) => ms > most).length} of ${interruptions.length}`;
}
