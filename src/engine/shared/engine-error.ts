/** The engine cannot start or go on for a reason outside it; the message is one line for people. */
export class EngineError extends Error {
  override readonly name = 'EngineError';
}
