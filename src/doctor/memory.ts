/** One diagnosis looks at one state of the host: what several checks ask for is asked once. */

import { type EngineAnswer, type Host } from './host';
import { type Outcome } from '../steering/iptables';

/** The same host, with the answers of programs without input, and the engine's, kept. */
export function withMemory(host: Host): Host {
  const outcomes = new Map<string, Outcome>();
  const answers = new Map<string, Promise<EngineAnswer>>();
  return {
    ...host,
    run: (program, words, input) => {
      if (input !== undefined) return host.run(program, words, input);
      return remember(outcomes, JSON.stringify([program, ...words]), () => host.run(program, words));
    },
    askEngine: (directory) => remember(answers, directory, () => host.askEngine(directory)),
  };
}

function remember<Value>(known: Map<string, Value>, key: string, find: () => Value): Value {
  const found = known.get(key) ?? find();
  known.set(key, found);
  return found;
}
