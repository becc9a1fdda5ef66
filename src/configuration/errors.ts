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

/** A configuration with errors. The message is the first one; a command prints them all, one a line. */
export class ConfigurationError extends UsageError {
  /** The first errors, each with its place. */
  readonly problems: readonly string[];
  /** How many more there are. */
  readonly untold: number;

  /** @param told one or more @param count of all */
  constructor(told: readonly string[], count: number) {
    super(`${told[0]}${count > 1 ? ` (and ${count - 1} more)` : ''}`);
    this.problems = told.map(oneLine);
    this.untold = count - told.length;
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
