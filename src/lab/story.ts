/**
 * The story that the lab plays: which server answers the sessions of a CPE that a collection server wakes, and those of
 * its neighbour. Every claim is judged by what servers and CPEs saw; the engine is only asked for its reasons.
 */
import { REASONS } from '../splitter/reasons';
import { settle, type Acs, type Cast, type Sighting } from './cast';
import type { CpeSettings, Session } from './cpe';
import { CONNECTION_REQUEST, PERIODIC } from './cwmp';
import { pause, type Engine } from './engine';
import type { Narrator } from './narrator';
import { ADDRESSES } from './world';

/**
 * The CPE that is woken. It asks for credentials, as most devices do. It opens its session on command, so that the story
 * does not depend on timing; a real device takes up to thirty seconds.
 */
export const CPE: CpeSettings = {
  address: '10.1.0.17',
  requestPort: 7547,
  credentials: { username: 'itms', password: 'itms' },
  informDelayMs: null,
};
/** Its neighbour, a different model: another port, no credentials. It is never woken. */
export const NEIGHBOUR: CpeSettings = { address: '10.1.0.42', requestPort: 30005, informDelayMs: null };

/** Time between the diverted session and the next one; longer than `ttl.grace`. */
export const LATER_MS = 5000;

export interface Claim {
  scene: number;
  claim: string;
  true: boolean;
}

interface Stage {
  cast: Cast;
  engine: Engine;
  narrator: Narrator;
  claims: Claim[];
  scene: number;
}

/** Plays all scenes; a false claim does not stop the story. */
export async function playStory(cast: Cast, engine: Engine, narrator: Narrator): Promise<Claim[]> {
  const stage: Stage = { cast, engine, narrator, claims: [], scene: 0 };
  const { cpes, itms, collector } = cast;

  begin(stage, `CPE ${CPE.address} informs, as it does every few hours`);
  await session(stage, CPE, itms, PERIODIC, () => cpes.inform(CPE));

  begin(stage, `The collection server wakes it with a Connection Request`);
  await wake(stage);

  begin(stage, `Meanwhile its neighbour ${NEIGHBOUR.address} informs`);
  await session(stage, NEIGHBOUR, itms, PERIODIC, () => cpes.inform(NEIGHBOUR));

  begin(stage, `The woken CPE opens its session, to the one address it knows`);
  await session(stage, CPE, collector, CONNECTION_REQUEST, () => cpes.informAsAsked(CPE));

  begin(stage, `${LATER_MS / 1000} seconds later it informs again`);
  await pause(LATER_MS);
  await session(stage, CPE, itms, PERIODIC, () => cpes.inform(CPE));

  begin(stage, 'Looking back');
  lookBack(stage);
  return stage.claims;
}

function begin(stage: Stage, title: string): void {
  stage.narrator.scene(++stage.scene, title);
}

function claim(stage: Stage, claimed: string, came: boolean): void {
  stage.claims.push({ scene: stage.scene, claim: claimed, true: came });
  stage.narrator.claim(came, claimed);
}

/** One session of a CPE, and the claim that only the expected server saw it, and saw all of it. */
async function session(
  stage: Stage,
  cpe: CpeSettings,
  expected: Acs,
  eventCode: string,
  play: () => Promise<Session>,
): Promise<void> {
  const { cast, narrator } = stage;
  let played: Session | undefined;
  const why = await reasonsOf(stage, async () => {
    played = await play().catch((error: Error): Session => failed(cpe, eventCode, error));
    if (!played.ok) narrator.saw(`the CPE’s session failed: ${played.error}`);
    await settle(cast);
  });
  const seen = [cast.itms, cast.collector].flatMap((server) =>
    server.informs.filter((sighting) => isOf(sighting, played)).map((sighting) => ({ server, sighting })),
  );
  for (const { server, sighting } of seen) narrator.saw(path(stage, server, sighting));
  for (const reason of why) narrator.because(reason);
  const [only] = seen;
  const alone =
    seen.length === 1 &&
    only?.server === expected &&
    only.sighting.peer === cpe.address &&
    only.sighting.eventCodes.includes(eventCode) &&
    expected.ended.some((end) => end.session === only.sighting.session);
  claim(stage, `only the ${expected.actor.name} saw this session, from the CPE’s own address`, alone);
}

function failed(cpe: CpeSettings, eventCode: string, { message }: Error): Session {
  return { cpe: cpe.address, eventCode, ports: [], ok: false, error: message };
}

/** A CPE never reuses a port, so serial number and port identify a session at any server. */
function isOf({ serial, port }: Sighting, session: Session | undefined): boolean {
  return session !== undefined && serial === session.cpe && session.ports.includes(port);
}

async function wake(stage: Stage): Promise<void> {
  const { cast, engine, narrator } = stage;
  const before = cast.cpes.wakers.length;
  const outcome = await cast.collector.wake(CPE).catch((error: Error) => {
    narrator.saw(`the Connection Request failed: ${error.message}`);
    return { statuses: [], peer: CPE.address };
  });
  await settle(cast);
  const peers = new Set(cast.cpes.wakers.slice(before));
  narrator.saw(
    `${ADDRESSES.collector} ──▶ ${outcome.peer}   ${outcome.statuses.join(', then ')}` +
      `   (the CPE sees ${[...peers].join(', ')})`,
  );
  const { activatedCpes } = (await engine.status()).tables;
  if (activatedCpes.count > 0) {
    narrator.because('its 200 passed the splitter, which now expects one session of this CPE [P9, D]');
  }
  claim(stage, 'the Connection Request succeeded', outcome.statuses.at(-1) === 200);
  claim(stage, 'the CPE saw the ACS address, not the collection server', peers.size === 1 && peers.has(ADDRESSES.acs));
}

function lookBack(stage: Stage): void {
  const { itms, collector, cpes } = stage.cast;
  const own = (server: Acs, address: string): number => server.informs.filter(({ peer }) => peer === address).length;
  const [atItms, atCollector] = [own(itms, CPE.address), own(collector, CPE.address)];
  claim(
    stage,
    `of ${CPE.address}’s sessions, ITMS and collection server saw 2 and 1`,
    atItms === 2 && atCollector === 1,
  );
  const known = new Set(cpes.settings.map(({ address }) => address));
  const foreign = [...itms.peers, ...collector.peers].filter((peer) => !known.has(peer));
  claim(stage, 'both servers saw only the CPEs’ own addresses', foreign.length === 0);
  const unnoticed = !collector.peers.includes(NEIGHBOUR.address) && own(itms, NEIGHBOUR.address) === 1;
  claim(stage, `the neighbour ${NEIGHBOUR.address} never reached the collection server`, unnoticed);
  const strays = itms.strays.length + collector.strays.length;
  claim(stage, 'no session was split between the two servers', strays === 0);
  claim(stage, 'CPEs saw only the ACS address', new Set(cpes.wakers).size === 1 && cpes.wakers[0] === ADDRESSES.acs);
}

/** The path of a session, drawn on one line. */
function path({ narrator, cast }: Stage, server: Acs, { peer, port, eventCodes }: Sighting): string {
  const name = narrator.ink(server.actor.name, 'bold', server === cast.itms ? 'cyan' : 'yellow');
  return `${peer}:${port} ──▶ ${ADDRESSES.acs} ──▶ ${name}   "${eventCodes.join(', ')}"`;
}

/** The reasons that the engine counted for SYNs of CPEs while `happen` ran. */
async function reasonsOf({ engine }: Stage, happen: () => Promise<void>): Promise<string[]> {
  const before = (await engine.status()).packets.byReason;
  await happen();
  const after = (await engine.status()).packets.byReason;
  return REASONS.filter(
    ([name, , meaning]) => meaning.startsWith('SYN of a') && (after[name] ?? 0) > (before[name] ?? 0),
  ).map(([name, , meaning]) => `${meaning} (${name})`);
}
