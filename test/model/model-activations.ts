/** The model's activations: who may have a CPE's next session. */
import { type Connection } from './model-connections';

export interface ModelActivation {
  owner: string;
  armed: boolean;
  /** The report connection that consumed it. */
  ports: string;
  answered: boolean;
  hasFin: boolean;
  isReset: boolean;
  touchedMs: number;
}

const ARMED_MS = 60_000;
const GRACE_MS = 2_000;
const UNANSWERED_MS = 10_000;
const ESTABLISHED_MS = 7_500_000;
const RST_MS = 10_000;

export class ModelActivations {
  private readonly byCpe = new Map<string, ModelActivation>();
  private nowMs = 0;

  constructor(private readonly capacity: number) {}

  at(nowMs: number): void {
    this.nowMs = nowMs;
    for (const [cpe, activation] of this.byCpe) {
      if (nowMs - activation.touchedMs > lifeMs(activation)) this.byCpe.delete(cpe);
    }
  }

  /** The collector for which the CPE's next SYN would be. */
  standingFor(cpe: string): string | undefined {
    const activation = this.byCpe.get(cpe);
    return activation && (activation.armed || isGrace(activation)) ? activation.owner : undefined;
  }

  armedFor(cpe: string): string | undefined {
    const activation = this.byCpe.get(cpe);
    return activation?.armed ? activation.owner : undefined;
  }

  arm(cpe: string, owner: string): boolean {
    if (!this.byCpe.has(cpe) && this.byCpe.size >= this.capacity) return false;
    const nothingYet = { ports: '', answered: false, hasFin: false, isReset: false };
    this.byCpe.set(cpe, { owner, armed: true, ...nothingYet, touchedMs: this.nowMs });
    return true;
  }

  /** False where there was none. */
  end(cpe: string): boolean {
    return this.byCpe.delete(cpe);
  }

  consume(connection: Connection): void {
    const activation = this.byCpe.get(connection.cpe);
    if (!activation) return;
    const consumed = { armed: false, ports: portsOf(connection), answered: false, hasFin: false, isReset: false };
    Object.assign(activation, consumed, { touchedMs: this.nowMs });
  }

  // ---- what happens on the report connection that consumed it ----

  synAgainOn(connection: Connection): void {
    this.on(connection, () => ({ touchedMs: this.nowMs }));
  }

  answeredOn(connection: Connection): void {
    this.on(connection, () => ({ answered: true, touchedMs: this.nowMs }));
  }

  finOn(connection: Connection): void {
    this.on(connection, ({ answered }) => (answered ? { hasFin: true, touchedMs: this.nowMs } : {}));
  }

  resetOn(connection: Connection): void {
    this.on(connection, ({ hasFin }) => ({ isReset: true, ...(!hasFin && { touchedMs: this.nowMs }) }));
  }

  forgedResetOn(connection: Connection): void {
    this.on(connection, ({ hasFin }) => ({ isReset: false, ...(!hasFin && { touchedMs: this.nowMs }) }));
  }

  /** Such as `10.1.7.1 armed c1`. */
  list(): string[] {
    return [...this.byCpe].map(
      ([cpe, one]) => `${cpe} ${one.armed ? 'armed' : isGrace(one) ? 'grace' : 'consumed'} ${one.owner}`,
    );
  }

  private on(connection: Connection, change: (activation: ModelActivation) => Partial<ModelActivation>): void {
    const activation = this.byCpe.get(connection.cpe);
    if (!activation || activation.armed || activation.ports !== portsOf(connection)) return;
    Object.assign(activation, change(activation));
    // A reset taken back may leave a grace that has run out meanwhile.
    this.at(this.nowMs);
  }
}

function portsOf({ cpePort, port }: Connection): string {
  return `${cpePort} to ${port}`;
}

function isGrace({ answered, hasFin, isReset }: ModelActivation): boolean {
  return answered && hasFin && !isReset;
}

function lifeMs({ armed, isReset, hasFin, answered }: ModelActivation): number {
  if (armed) return ARMED_MS;
  if (isReset) return RST_MS;
  if (hasFin) return GRACE_MS;
  return answered ? ESTABLISHED_MS : UNANSWERED_MS;
}
