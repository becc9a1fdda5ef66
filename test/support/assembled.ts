/** A splitter whose changes go through the flow ring to the assembled sessions, as from the worker to the recorder. */
import { type SessionRow } from '../../src/engine/recorder/session';
import { Sessions } from '../../src/engine/recorder/sessions';
import { FlowRing } from '../../src/engine/shared/flow-ring';
import { FlowRecorder } from '../../src/engine/worker/flow-recorder';
import { type Rig } from './rig';

/** Engine time of the rig, and the wall clock at it. */
const WALL_MS = 1_800_000_000_000;

export class Assembled {
  readonly ring = new FlowRing(new ArrayBuffer(FlowRing.BYTES));
  readonly rows: SessionRow[] = [];
  readonly sessions = new Sessions((row) => this.rows.push(row));
  private listener!: FlowRecorder;

  constructor(private readonly rig: Rig) {
    this.listen();
  }

  get wallMs(): number {
    return WALL_MS + Math.round(this.rig.nowMs);
  }

  /** A worker has begun. */
  listen(): void {
    this.listener = new FlowRecorder(this.ring, this.rig.splitter.state);
    this.listener.isCatchingUp = true;
    this.rig.splitter.listen(this.listener);
    this.listener.isCatchingUp = false;
    this.tick();
  }

  /** Sets the listener's clock, as before each batch. */
  tick(): void {
    this.listener.nowMs = this.wallMs;
  }

  /** The recorder reads the ring. */
  read(): this {
    const taken = this.ring.take(
      (change) => this.sessions.take(change),
      ({ words, timeMs }) => this.sessions.cleared(words, timeMs),
    );
    this.ring.release(taken);
    return this;
  }
}
