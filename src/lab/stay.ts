/** `lab --stay`: the lab stays open, with a prompt here and commands for other terminals. */
import { createInterface } from 'node:readline';
import type { Acs, Cast } from './cast';
import { CPE, NEIGHBOUR } from './story';
import { cli, type Engine } from './engine';
import type { CpeSettings } from './cpe';
import type { Narrator } from './narrator';
import { ADDRESSES, type World } from './world';

const HELP: readonly (readonly [what: string, does: string])[] = [
  [`wake ${CPE.address}`, 'the collection server sends a Connection Request; the CPE opens a session soon after'],
  [`wake ${CPE.address} itms`, 'the ITMS does'],
  [`inform ${NEIGHBOUR.address}`, 'a CPE opens a session on its own'],
  ['status', 'tables, verdicts by reason'],
  ['rules', 'the installed iptables rules'],
  ['help', 'this list'],
  ['quit', 'ends the lab, as do Ctrl-C and Ctrl-D'],
];

const INFORM_DELAY_MS = 1000;

interface Stage {
  world: World;
  cast: Cast;
  engine: Engine;
  narrator: Narrator;
}

/** Reads commands until `quit`, end of input or Ctrl-C. */
export async function stay(stage: Stage): Promise<void> {
  explain(stage);
  // From now on woken CPEs open their session by themselves.
  const { cpes } = stage.cast;
  for (const cpe of cpes.settings) await cpes.configure(cpe, { informDelayMs: INFORM_DELAY_MS });
  const interactive = process.stdin.isTTY;
  const prompt = createInterface({
    input: process.stdin,
    ...(interactive && { output: process.stdout, prompt: 'lab> ' }),
  });
  const ask = (): void => {
    if (interactive) prompt.prompt(true);
  };
  // A report replaces the prompt's line, and the prompt is printed again below it.
  const say = (text: string): void => {
    stage.narrator.line(interactive ? `\r\x1b[K${text}` : text);
    ask();
  };
  const stopTelling = tellSessions(stage, say);
  prompt.on('SIGINT', () => prompt.close());
  ask();
  for await (const line of prompt) {
    const [word = '', ...rest] = line.trim().split(/\s+/);
    if (word === 'quit' || word === 'exit') break;
    try {
      await act(stage, word, rest);
      ask();
    } catch (error) {
      say(`  ${stage.narrator.ink((error as Error).message, 'red')}`);
    }
  }
  prompt.close();
  stopTelling();
}

async function act(stage: Stage, word: string, [address = '', by]: string[]): Promise<void> {
  const { cast, engine, narrator, world } = stage;
  switch (word) {
    case '':
      return;
    case 'help':
      return help(narrator);
    case 'wake': {
      const server = by === 'itms' ? cast.itms : cast.collector;
      const { statuses } = await server.wake(cpeAt(cast, address));
      return narrator.line(`  ${server.actor.name} ──▶ ${address}   ${statuses.join(', then ')}`);
    }
    case 'inform': {
      const { ok, error } = await cast.cpes.inform(cpeAt(cast, address));
      return ok ? undefined : narrator.line(`  session failed: ${error}`);
    }
    case 'status':
      return narrator.line(await world.run('split', cli(world, 'status', '-c', engine.configurationFile)));
    case 'rules':
      return narrator.line(await world.run('split', ['iptables-save']));
    default:
      throw new Error(`no such command: ${word} (try help)`);
  }
}

function explain({ world, engine, narrator }: Stage): void {
  const enter = `${enterPrefix()}ip netns exec ${world.namespace('split')}`;
  const acsplit = cli(world).join(' ');
  narrator.line();
  narrator.line(`  ${narrator.ink('The lab stays open.', 'bold')} At this prompt:`);
  help(narrator);
  narrator.line();
  narrator.line('  From another terminal:');
  narrator.line(`    ${acsplit} status -c ${engine.configurationFile}`);
  narrator.line(`    ${enter} iptables-save`);
  narrator.line(`    ${enter} ${acsplit} rules check -c ${engine.configurationFile}`);
  narrator.line(`    ${enter} tcpdump -ni eth0 tcp port 7547`);
  narrator.line();
}

/** An ordinary user's lab runs in a user namespace, which another terminal must enter first. */
function enterPrefix(): string {
  const inside = process.env.ACSPLIT_LAB_UNSHARED !== undefined;
  return inside ? `nsenter --target ${process.pid} --user --preserve-credentials --net --mount ` : '';
}

function help(narrator: Narrator): void {
  for (const [what, does] of HELP) narrator.line(`    ${what.padEnd(22)} ${narrator.ink(does, 'dim')}`);
}

/** Prints which server each session reached. Returns a function that stops this. */
function tellSessions({ cast }: Stage, say: (text: string) => void): () => void {
  const servers: Acs[] = [cast.itms, cast.collector];
  const stops = servers.map(({ actor }) =>
    actor.listen((event) => {
      if (event.event !== 'inform') return;
      const { peer, port, eventCodes } = event;
      say(`  ${peer}:${port} ──▶ ${ADDRESSES.acs} ──▶ ${actor.name}   "${eventCodes.join(', ')}"`);
    }),
  );
  return () => stops.forEach((stop) => stop());
}

function cpeAt(cast: Cast, address: string): CpeSettings {
  const cpe = cast.cpes.settings.find((one) => one.address === address);
  if (cpe === undefined) {
    throw new Error(
      `no such CPE: ${address || '(none)'}; there are ${cast.cpes.settings.map((one) => one.address).join(', ')}`,
    );
  }
  return cpe;
}
