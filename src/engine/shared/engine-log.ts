/** The log interface of the engine's parts. */

/** For rare events, never one per packet. pino's loggers fit. */
export interface EngineLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
