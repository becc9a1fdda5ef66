/**
 * For `npm run prove doctor`: what the engine says of a fault while CPEs call, in its status, log, metrics and history.
 * Without ACSPLIT_DOCTOR_FAULTS, a file that gets a JSON line for each fault, it looks at nothing.
 */
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Finding } from '../../../src/doctor/check';
import { readHistory } from '../../../src/engine/recorder/read-history';
import { type HistoryEvent } from '../../../src/engine/shared/recorder-protocol';
import { type Family } from '../../../src/packet/address';
import { type RulesHost } from './rules-host';

const FILE = process.env.ACSPLIT_DOCTOR_FAULTS;
export const isLookedOn = FILE !== undefined;

/** CPEs call for so long while a fault is there: the aim is to tell it within this. */
const OBSERVED_MS = 10_000;
/** A degraded server is up again 30 s after the trouble. */
const RECOVERY_MS = 45_000;
/** No server is in trouble any more after so long without: a SYN that waited is repeated within it. */
const QUIET_MS = 4000;
export const CALLERS = 20;
const SERVER_TROUBLE = / (down|degraded)$|^no packets$/;

/** What onlooker.js prints. Times are since the first call. */
interface Seen {
  /** What the status said at the end. */
  last: string[];
  /** By what the status said: when first. */
  told: Record<string, number>;
  /** Two scrapes, and the seconds between them. */
  metrics: [string, string];
  seconds: number;
  /** Wall clock of the first call. */
  calledAt: number;
}

/** Something that was said, and when: from the first call on, or from the planting if that is how it was noticed. */
export interface Told {
  what: string;
  ms: number;
}

/** One line of the file. */
export interface FaultRow {
  fault: string;
  check: string;
  level: Finding['level'];
  /** Of doctor, from its start to its end. */
  ms: number;
  isByCommand: boolean;
  seen: Seen;
  log: Told[];
  history: Told[];
}

interface Found {
  finding: Finding;
  ms: number;
  plantedAt: number;
  untilAt: number;
  seen: Seen;
}

export class DoctorOnlooker {
  private healthyAt = Date.now();
  /** The first finding of a test, and what the engine says meanwhile. */
  private first: Found | undefined;

  /** @param family in which CPEs call */
  constructor(
    private readonly router: RulesHost,
    private readonly stateDirectory: string,
    readonly history: string,
    private readonly family: Family,
  ) {}

  /** doctor has found nothing, or a fault after `ms`. */
  heard(finding: Finding | undefined, ms: number): void {
    if (!isLookedOn) return;
    if (finding === undefined) this.healthyAt = Date.now();
    else if (this.first === undefined) {
      const plantedAt = this.healthyAt;
      const seen = this.look(OBSERVED_MS);
      this.first = { finding, ms, plantedAt, seen, untilAt: Date.now() };
    }
  }

  /** What was found so far in this test belongs to no fault; one is planted now. */
  begin(): void {
    this.first = undefined;
    this.healthyAt = Date.now();
  }

  /** One line: this test's fault, which is mended now. */
  async note(): Promise<void> {
    const { first, router } = this;
    this.first = undefined;
    if (FILE === undefined || first === undefined) return;
    // What the engine has logged while this process looked on is still in its pipe.
    await new Promise((resolve) => setTimeout(resolve, 200));
    const { finding, ms, plantedAt, untilAt, seen } = first;
    const timed = (entries: { what: string; at: number }[]): Told[] =>
      entries
        .filter(({ at }) => at >= plantedAt && at <= untilAt)
        .map(({ what, at }) => ({ what, ms: at - (at >= seen.calledAt ? seen.calledAt : plantedAt) }));
    const log = router.logged().map(({ event, time, ...more }) => ({
      what: event === 'operator' ? `operator ${String((more as { command?: string }).command)}` : event,
      at: Date.parse(time),
    }));
    const fault = expect.getState().currentTestName!;
    if ([...Object.keys(seen.told), ...seen.last].some((said) => SERVER_TROUBLE.test(said)))
      this.look(RECOVERY_MS, QUIET_MS);
    const row: FaultRow = {
      ...{ fault, check: finding.check, level: finding.level, ms, isByCommand: finding.mend !== null, seen },
      ...{ log: timed(log), history: timed(this.past()) },
    };
    appendFileSync(FILE, `${JSON.stringify(row)}\n`);
  }

  private past(): { what: string; at: number }[] {
    const entries: { what: string; at: number }[] = [];
    const keep = ({ kind, timeMs, command, state }: HistoryEvent): void =>
      void entries.push({ what: [kind, command ?? state].filter((word) => word !== undefined).join(' '), at: timeMs });
    readHistory({ directory: join(this.history, 'default') }, { sessions: () => undefined, events: keep });
    return entries;
  }

  /** Lets CPEs call. @param quietMs ends earlier, when no server was in trouble for so long */
  private look(forMs: number, quietMs = forMs): Seen {
    const { world } = this.router;
    const program = join(__dirname, 'onlooker.js');
    const cpes = `/run/netns/${world.namespace('cpe')}`;
    const words = [join(world.programs, '..'), this.stateDirectory, cpes, this.family, String(forMs), String(quietMs)];
    return JSON.parse(this.router.must([process.execPath, program, ...words])) as Seen;
  }
}
