/**
 * The signals that `acsplit run` answers. They are listened to before anything else is loaded (main.ts) and until the
 * process is gone: whenever one comes, it does not kill. Until somebody asks, they are remembered.
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

/** What SIGHUP does from now on; at once where one has come already. */
export function onReload(act: () => void): void {
  reload = act;
  if (isReloadWanted) act();
}

function askForReload(): void {
  isReloadWanted = true;
  reload?.();
}
