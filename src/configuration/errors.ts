/** The two ways a command fails. Each is one line for people: what happened, and what to do about it. */

/** Control characters written out, so that a hostile file name or value stays one harmless line on a terminal. */
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

/** Used rightly, but it did not work: exit status 1. */
export class Failure extends Error {
  readonly exitCode = 1;

  constructor(message: string, options?: ErrorOptions) {
    super(oneLine(message), options);
    this.name = 'Failure';
  }
}

/** What a failure that is none of the two is, is a bug: exit status 1. */
export function exitCodeOf(error: unknown): number {
  return error instanceof UsageError || error instanceof Failure ? error.exitCode : 1;
}
