/**
 * What `acsplit rules check` last found: it tells the engine, which cannot look by itself (reading rules that name sets
 * takes CAP_NET_RAW). acsplit-rules.timer runs it every 30 s. A change is logged once.
 */
import { type RulesStatus } from '../report/status';
import { type ControlRequest } from '../shared/control-request';
import { EngineError } from '../shared/engine-error';
import { type EngineLog } from '../shared/engine-log';

/** Bounds what is kept of one line. */
const MOST_CHARACTERS = 500;

export class RulesWatch {
  private differences = 0;
  private checks = 0;
  private checkedMs: number | undefined;

  constructor(
    private readonly log: EngineLog,
    private readonly clock: () => number = () => performance.now(),
  ) {}

  get status(): RulesStatus {
    const { differences, checks, checkedMs } = this;
    return { differences, checks, checkedMs: checkedMs === undefined ? null : Math.round(this.clock() - checkedMs) };
  }

  /** The answer to the command `rules`. @throws EngineError */
  checked({ differences, first }: ControlRequest): object {
    if (typeof differences !== 'number' || !Number.isSafeInteger(differences) || differences < 0) {
      throw new EngineError('differences must be a whole number');
    }
    const before = this.differences;
    this.differences = differences;
    this.checks++;
    this.checkedMs = this.clock();
    if (before === 0 && differences > 0) {
      const what = typeof first === 'string' ? first.slice(0, MOST_CHARACTERS) : '';
      const more = differences === 1 ? '' : ` (and ${differences - 1} more)`;
      this.log.warn({ event: 'rules', differences }, `the rules are not as configured: ${what}${more}`);
    }
    if (before > 0 && differences === 0) this.log.info({ event: 'rules', differences }, 'the rules are as configured');
    return {};
  }
}
