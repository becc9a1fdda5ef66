/** The two ways a command fails. Each message is one line: what happened and what to do about it. */

/** Escapes control characters, so that a hostile file name or value cannot break out of its line on a terminal. */
function oneLine(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (character) => {
    if (character === '\n') return '\\n';
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

/** Used or configured wrongly: exit status 2. */
export class UsageError extends Error {
  readonly exitCode = 2;

  constructor(message: string, options?: ErrorOptions) {
    super(oneLine(message), options);
    this.name = 'UsageError';
  }
}

/** Used correctly, but it failed: exit status 1. */
export class Failure extends Error {
  readonly exitCode = 1;

  constructor(message: string, options?: ErrorOptions) {
    super(oneLine(message), options);
    this.name = 'Failure';
  }
}

/** Any other error is a bug: exit status 1. */
export function exitCodeOf(error: unknown): number {
  return error instanceof UsageError || error instanceof Failure ? error.exitCode : 1;
}
