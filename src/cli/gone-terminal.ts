/** The end of a process whose terminal may be gone by then. */
import { closeSync } from 'node:fs';
import { isatty } from 'node:tty';

/**
 * Node ends by giving terminals back as it found them, and aborts where one is gone. Nothing of ours changes them, so they
 * are closed before.
 */
export function endWithoutTerminal(): void {
  const terminals = [0, 1, 2].filter((descriptor) => isatty(descriptor));
  process.once('exit', () => {
    for (const descriptor of terminals) closeSync(descriptor);
  });
}
