/** The verdict loop's decider, with its work recorded in the observation that the supervisor reads. */
import { type Observation } from '../shared/observation';
import { type Decider } from './verdict-loop';

/** Wraps `decider`. @param clockMs monotonic */
export function observe(decider: Decider, observation: Observation, clockMs: () => number): Decider {
  const { ring, batchPackets, decideSeconds } = observation;
  return {
    decide: (batch, nowMs) => {
      const beganMs = clockMs();
      ring.before(batch, nowMs);
      decider.decide(batch, nowMs);
      ring.after(batch);
      observation.count(batch);
      batchPackets.observe(batch.count);
      decideSeconds.observe((clockMs() - beganMs) / 1000);
    },
    sweep: (nowMs) => decider.sweep(nowMs),
  };
}
