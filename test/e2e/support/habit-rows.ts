/** The habits that are tried: rows of test/e2e/habits.test.ts and of `npm run prove habits`. */
import { type Habit } from './habits';

/** Shorter than in the field, longer than the second after which a server's FIN is an idle close: docs/architecture.md. */
const IDLE_MS = 1500;
const LONGER_MS = 3000;

export const HABITS: readonly Habit[] = [
  {
    claim: 'three requests on one connection, closed after a 204',
    waitsMs: [0, 0, 0],
    session: ['c1', 'c1', 'c1'],
    next: 'itms',
  },
  {
    claim: 'the server closes the idle connection in the middle',
    idleMs: IDLE_MS,
    waitsMs: [0, LONGER_MS, LONGER_MS],
    session: ['c1', 'c1', 'c1'],
    next: 'itms',
  },
  {
    claim: 'the same over TLS 1.2',
    idleMs: IDLE_MS,
    tls: 'TLSv1.2',
    waitsMs: [0, LONGER_MS],
    session: ['c1', 'c1'],
    next: 'c1',
  },
  {
    claim: 'the same over TLS 1.3',
    idleMs: IDLE_MS,
    tls: 'TLSv1.3',
    waitsMs: [0, LONGER_MS],
    session: ['c1', 'c1'],
    next: 'c1',
  },
  {
    claim: 'over TLS, and the next session after the grace',
    tls: 'TLSv1.3',
    waitsMs: [0, 100],
    pauseMs: 3500,
    session: ['c1', 'c1'],
    next: 'itms',
  },
  { claim: 'an empty 200 ends the session', kind: 'empty-200', waitsMs: [0, 0], session: ['c1', 'c1'], next: 'itms' },
  {
    claim: 'an empty chunked 200 ends it too',
    kind: 'empty-chunked',
    waitsMs: [0, 0],
    session: ['c1', 'c1'],
    next: 'itms',
  },
  {
    claim: 'the server closes after every answer',
    kind: 'closes-each',
    waitsMs: Array<number>(40).fill(0),
    session: Array<string>(40).fill('c1'),
    next: 'itms',
  },
  {
    claim: 'a 401, closed by FIN, and back with a login',
    kind: 'asks-login',
    credentials: true,
    waitsMs: [0, 0],
    session: ['c1', 'c1', 'c1'],
    next: 'itms',
  },
  {
    claim: 'a 401, closed by RST, and back with a login',
    kind: 'asks-login',
    credentials: true,
    closeBy: 'rst',
    waitsMs: [0, 0],
    session: ['c1', 'c1', 'c1'],
    next: 'itms',
  },
  {
    claim: 'a 401 for good, and the next session 5 s later',
    kind: 'refuses-login',
    credentials: true,
    waitsMs: [0],
    pauseMs: 5000,
    session: ['c1', 'c1'],
    next: 'itms',
  },
  { claim: 'a 500', kind: 'fails', waitsMs: [0], session: ['c1'], next: 'itms' },
  {
    claim: 'the CPE opens its session before it answers the Connection Request',
    opensFirst: true,
    waitsMs: [0, 0],
    session: ['itms', 'itms'],
    next: 'itms',
  },
];

/** Servers as they are shipped: Node closes an idle connection after 5 s, nginx after 75 s. */
const SERVERS = [{ server: 'Node' }, { server: 'nginx', program: 'nginx' }] as const satisfies readonly (Pick<
  Habit,
  'program'
> & { server: string })[];
const PROTOCOLS = [undefined, 'TLSv1.2', 'TLSv1.3'] as const;
/** Over TLS the last answer cannot be read: the session after it must wait for the end of `ttl.grace`. */
const AFTER_GRACE_MS = 3500;

/** CPEs that need so long between two requests, with each server over plain HTTP and TLS. */
export function waitingHabits(waitsSeconds: readonly number[]): Habit[] {
  return SERVERS.flatMap(({ server, ...program }) =>
    PROTOCOLS.flatMap((tls) =>
      waitsSeconds.map((seconds): Habit => ({
        claim: `${server}, ${tls ?? 'plain HTTP'}: ${seconds} s between requests`,
        ...program,
        ...(tls === undefined ? {} : { tls, pauseMs: AFTER_GRACE_MS }),
        waitsMs: [0, 1000 * seconds, 1000 * seconds],
        session: ['c1', 'c1', 'c1'],
        next: 'itms',
      })),
    ),
  );
}
