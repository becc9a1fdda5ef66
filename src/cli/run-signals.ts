/**
 * The signals that `acsplit run` handles. The handlers are installed before anything else is loaded (main.ts) and stay
 * until the process exits, so no signal kills it. A signal that arrives early is remembered until its handler is set.
 */

const stopping = new AbortController();
let isReloadWanted = false;
let reload: (() => void) | undefined;
let isListening = false;

/** Idempotent. */
export function listen(): void {
  if (isListening) return;
  isListening = true;
  const stop = () => stopping.abort();
  process.on('SIGTERM', stop).on('SIGINT', stop).on('SIGHUP', askForReload);
}

/** Aborted by SIGTERM and SIGINT. */
export function stopSignal(): AbortSignal {
  return stopping.signal;
}

/** Sets what SIGHUP does. If one has already arrived, acts at once. */
export function onReload(act: () => void): void {
  reload = act;
  if (isReloadWanted) act();
}

function askForReload(): void {
  isReloadWanted = true;
  reload?.();
}
