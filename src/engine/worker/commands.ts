/** The commands that change a running splitter. Every argument comes from outside and is checked here. */
import { type Splitter } from '../../splitter/splitter';
import {
  type ActivateAnswer,
  type Answers,
  type ChangeName,
  type ControlRequest,
  cpeOf,
  refuseStranger,
} from '../shared/control-request';
import { EngineError } from '../shared/engine-error';

/** Where a pause is stored so that it outlives this process. */
interface Memory {
  paused: boolean;
}

/** @param nowMs of the engine's clock */
export function changes(splitter: Splitter, memory: Memory, nowMs: number): Answers<ChangeName> {
  const setPaused = (paused: boolean) => {
    const was = splitter.paused;
    memory.paused = splitter.paused = paused;
    return { paused, was };
  };
  return {
    activate: (request) => activate(splitter, request, nowMs),
    deactivate: (request) => deactivate(splitter, request, nowMs),
    pause: () => setPaused(true),
    resume: () => setPaused(false),
  };
}

function activate(splitter: Splitter, request: ControlRequest, nowMs: number): ActivateAnswer {
  const cpe = cpeOf(request);
  const { collector } = request;
  if (typeof collector !== 'string') throw new EngineError('activate needs a collector');
  refuseStranger(splitter, cpe);
  // RangeError: no collector has that name.
  if (!splitter.activate(cpe, collector, nowMs)) {
    throw new EngineError('the table of activated CPEs is full; raise tables.capacity');
  }
  return { collector, activation: splitter.activation, paused: splitter.paused };
}

function deactivate(splitter: Splitter, request: ControlRequest, nowMs: number): { ended: boolean } {
  const cpe = cpeOf(request);
  const ended = splitter.deactivate(cpe, nowMs);
  // An activation armed before a reload removed its network can still be ended.
  if (!ended) refuseStranger(splitter, cpe);
  return { ended };
}
