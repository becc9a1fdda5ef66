/**
 * An activation's row holds two things: the state of the arming, and the request that is pending. A request that one router
 * sees starts a new generation, which would overwrite what another router has recorded about the arming in the meantime. So
 * a used arming stays used and an ended one stays ended, whichever row wins.
 */
import { type ActivationFields, type Fields } from './row';

/** Two times of arming are the same: routers compare their clocks by messages. No CPE is armed twice as fast. */
const SAME_MS = 50;
const ARMED = 1;

type Arming = Pick<ActivationFields, 'phase' | 'armedAt' | 'overAt'>;

/** Whether both are of one arming, which `one` knows to be further on. */
export function isFurther(one: Fields, other: Fields): boolean {
  const [mine, theirs] = [one as unknown as Arming, other as unknown as Arming];
  const at = armedAt(mine);
  return at > 0 && Math.abs(at - armedAt(theirs)) <= SAME_MS && progress(mine) > progress(theirs);
}

/** `row` with what `known` says of the arming. */
export function withArming(row: Fields, known: Fields): Fields {
  const { collector, phase, grace, cpePort, port, phaseAt, armedAt: at, overAt = 0 } = known as ActivationFields;
  return { ...row, collector, phase, grace, cpePort, port, phaseAt, armedAt: at, overAt };
}

/** Of an arming that is over, its time, so that nobody takes it up again. */
export function overAt(fields: Fields, before: Fields | undefined): Fields {
  const at = before === undefined ? 0 : armedAt(before as unknown as Arming);
  return (fields as unknown as Arming).phase === 0 && at > 0 ? { overAt: at } : {};
}

function armedAt({ phase, armedAt: at, overAt: over }: Arming): number {
  return phase > 0 ? at : (over ?? 0);
}

function progress({ phase }: Arming): number {
  if (phase === 0) return 3;
  return phase === ARMED ? 1 : 2;
}
