/** Rules could not be rendered, read, installed or removed: one line that says what happened and what to do. */
export class RulesError extends Error {
  /** The kernel module that may be missing, where the complaint points to one. */
  readonly module: string | undefined;

  constructor(message: string, options?: ErrorOptions & { module?: string }) {
    super(message, options);
    this.name = 'RulesError';
    this.module = options?.module;
  }
}
