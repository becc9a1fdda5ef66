/** The options that an engine starts with, and what it offers to the process that started it. */
import { type FastPath, type FastPathMode } from '../shared/fast-path';
import { type EngineLog } from '../shared/engine-log';
import { type HistorySettings } from '../shared/recorder-protocol';
import { type Reloadable } from '../shared/worker-protocol';
import { type SelfEmptyingSet } from './dead-mans-switch';
import { type QueueSettings } from './queues';

export interface EngineOptions extends Reloadable {
  /** The instance: `name` in the configuration. */
  name: string;
  /** Absolute path of the configuration file. */
  file: string;
  capacityEntries: number;
  queue: QueueSettings;
  stateDirectory: string;
  /** The group whose members may use the control socket, besides root. */
  controlGroup: string | undefined;
  /** Refreshed while verdicts flow; when they are empty, the iptables rules send CPEs to the ITMS. None with `hold`. */
  aliveSets: readonly SelfEmptyingSet[];
  /** Where Prometheus scrapes. */
  metrics: { listen: string };
  fastPath: FastPathMode;
  /** Made for this instance. */
  carrier: FastPath;
  /** Undefined: sessions are not kept. */
  history: HistorySettings | undefined;
  version: string;
  log: EngineLog;
}

export interface Engine {
  /** Sends verdicts for the packets already read, closes the queues, removes the control socket. Idempotent. */
  stop(): Promise<void>;
  /** Applies new settings to the running engine; no session is lost. @throws EngineError, and nothing has changed */
  reload(options: EngineOptions): Promise<void>;
  /** See Liveness. */
  verdictsFlow(): boolean;
  /** Resolves after `stop`; rejects with EngineError when the engine cannot go on. */
  finished: Promise<void>;
}
