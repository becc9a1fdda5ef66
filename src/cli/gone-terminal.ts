/** How a process exits whose terminal may have been closed. */
import { closeSync } from 'node:fs';
import { isatty } from 'node:tty';

/**
 * At exit Node restores the terminal settings, and aborts if a terminal is gone. We never change them, so we close the
 * terminals first.
 */
export function endWithoutTerminal(): void {
  const terminals = [0, 1, 2].filter((descriptor) => isatty(descriptor));
  process.once('exit', () => {
    for (const descriptor of terminals) closeSync(descriptor);
  });
}
