/** Rules could not be rendered, read, installed or removed: one line that says what happened and what to do. */
export class RulesError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'RulesError';
  }
}
