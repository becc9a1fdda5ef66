/** The messages between supervisor and recorder on Node's IPC channel. Descriptors: FD in worker-protocol.ts. */

/** `history` in the configuration. */
export interface HistorySettings {
  /** Of all instances; each has a directory of its name in it. */
  directory: string;
  keepDays: number;
  maxMiB: number;
}

/** What is kept beside sessions. */
export const EVENT_KINDS = [
  'engine-started',
  'engine-stopped',
  'worker-restarted',
  'tables-reset',
  'reloaded',
  'reload-refused',
  'operator',
  'server',
  'fallback-began',
  'fallback-ended',
] as const;
export type EventKind = (typeof EVENT_KINDS)[number];

export interface HistoryEvent extends Record<string, unknown> {
  /** Wall clock, ms since 1970. */
  timeMs: number;
  kind: EventKind;
}

export interface RecorderStart {
  kind: 'start';
  /** Process id of the supervisor. */
  parent: number;
  /** Identifies the run of the engine. */
  run: string;
  settings: HistorySettings;
  /** The instance's own directory. */
  directory: string;
}

export type ToRecorder = RecorderStart | { kind: 'event'; id: number; event: HistoryEvent } | { kind: 'stop' };

export type FromRecorder =
  /** It waits for its instructions. */
  | { kind: 'up' }
  /** The event is in the files. */
  | { kind: 'kept'; id: number }
  /** The files cannot be written; undefined: they can again. */
  | { kind: 'failing'; reason: string | undefined };

/** What `status` tells of the history. */
export interface RecorderStatus {
  state: 'on' | 'failing';
  directory: string;
  /** Process id, 0 while none runs. */
  pid: number;
  restarts: number;
  /** Sessions written by this engine, and those not written yet. */
  sessions: number;
  open: number;
  /** Changes that the recorder has not read yet. */
  waiting: number;
  events: number;
  bytes: number;
  lost: Lost;
}

/** What is missing in the history. */
export interface Lost {
  /** Changes of entries that the recorder was too slow for. */
  changes: number;
  /** Diverted connections among them, and those of killed recorders and of sessions that could not be written. */
  connections: number;
  sessions: number;
  events: number;
}
