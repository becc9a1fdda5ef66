/** The engine cannot start or continue for an external reason. The message is one line for people. */
export class EngineError extends Error {
  override readonly name = 'EngineError';
}
