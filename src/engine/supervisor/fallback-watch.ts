/**
 * Counts the times in which the kernel alone sent new sessions to the ITMS, and how many it sent. The supervisor is not
 * there for all of them: after a start it knows only for how long nobody gave verdicts.
 */
import { type FallbackStatus } from '../report/status';
import { type EngineLog } from '../shared/engine-log';

export type FallbackCause = 'worker' | 'supervisor' | 'engine';

export interface FallbackOptions {
  /** Connections that the rules of table nat have sent to the ITMS so far; undefined where they cannot be read. */
  countSessions: () => Promise<number | undefined>;
  keep: (kind: 'fallback-began' | 'fallback-ended', details: object) => void;
  log: EngineLog;
}

export class FallbackWatch {
  readonly status: FallbackStatus = { active: false, times: 0, totalMs: 0, sessions: 0 };
  /** What the rules had counted when verdicts last flowed. */
  private before: Promise<number | undefined>;

  constructor(private readonly options: FallbackOptions) {
    this.before = this.count();
  }

  /** The entries of the sets have expired while this process watched. */
  began(): void {
    this.status.active = true;
    this.options.log.warn({ event: 'fallback-began' }, 'no verdicts: the kernel sends new sessions to the ITMS');
    this.options.keep('fallback-began', { cause: 'worker' });
  }

  /** @param fallenMs how long the sets were empty */
  ended(fallenMs: number, cause: FallbackCause): void {
    const { status } = this;
    status.active = false;
    status.times++;
    status.totalMs += fallenMs;
    const { before } = this;
    this.before = this.count();
    void this.tell(fallenMs, cause, before, this.before);
  }

  /** No engine ran for longer than the entries live. */
  endedAtStart(fallenMs: number): void {
    void this.tell(fallenMs, 'engine', Promise.resolve(undefined), this.before);
  }

  private async tell(
    fallenMs: number,
    cause: FallbackCause,
    before: Promise<number | undefined>,
    after: Promise<number | undefined>,
  ): Promise<void> {
    const { status } = this;
    const [was = NaN, is = NaN] = await Promise.all([before, after]);
    // Rules that were installed again count from 0.
    const sessions = Number.isNaN(is - was) ? null : is >= was ? is - was : is;
    if (cause !== 'engine')
      status.sessions = sessions === null || status.sessions === null ? null : status.sessions + sessions;
    const why = { worker: 'no verdicts', supervisor: 'the supervisor did not run', engine: 'no engine ran' }[cause];
    const sent = sessions === null ? 'new sessions' : `${sessions} new sessions`;
    const what = `${why}: for ${fallenMs} ms the kernel sent ${sent} to the ITMS`;
    this.options.log.warn({ event: 'fallback', fallenMs, cause, sessions }, what);
    this.options.keep('fallback-ended', { cause, fallenMs, sessions });
  }

  private count(): Promise<number | undefined> {
    return this.options.countSessions().catch(() => undefined);
  }
}
