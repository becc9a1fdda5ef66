/**
 * Ends live captures on a signal, so that a replay completes its outputs. Ctrl-C reaches every program of a pipeline:
 * `tcpdump -w - | acsplit replay -` then still reads what tcpdump writes before it exits.
 */

import { type LiveSource } from '../replay/live-source';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** How long a writer that goes on writing may do so after the first signal. A second signal ends the wait. */
const GRACE_MS = 1000;

/** Returns a function that restores the usual handling. Without live sources, signals end the process as usual. */
export function stopOnSignals(sources: readonly LiveSource[]): () => void {
  if (sources.length === 0) return () => undefined;
  let timer: NodeJS.Timeout | undefined;
  const stop = () => {
    for (const source of sources) source.stop();
  };
  const onSignal = () => {
    if (timer) stop();
    else timer = setTimeout(stop, GRACE_MS);
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  return () => {
    clearTimeout(timer);
    for (const signal of SIGNALS) process.off(signal, onSignal);
  };
}
