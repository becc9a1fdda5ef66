/** The options that an engine starts with, and what it offers to the process that started it. */
import { type FastPath, type FastPathMode } from '../shared/fast-path';
import { type RecentLog } from '../report/recent-log';
import { type ClusterSettings } from '../shared/cluster-protocol';
import { type EngineLog } from '../shared/engine-log';
import { type HistorySettings } from '../shared/recorder-protocol';
import { type Reloadable } from '../shared/worker-protocol';
import { type Keys } from './configuration-watch';
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
  /** Every key of the configuration in force, with its value. */
  keys: Keys;
  /** The same of the file as it is now. @throws Error, one line */
  readKeys: () => Keys;
  /** Connections that the rules have sent to the ITMS without the engine; undefined where they cannot be read. */
  countFallbackSessions: () => Promise<number | undefined>;
  /** Where Prometheus scrapes and the page is; `tokenFile` holds what the page's readers must know to see names. */
  metrics: { listen: string; tokenFile?: string | undefined };
  fastPath: FastPathMode;
  /** Made for this instance. */
  carrier: FastPath;
  /** Undefined: sessions are not kept. */
  history: HistorySettings | undefined;
  /** The group of routers that it belongs to; undefined: none. */
  cluster: ClusterSettings | undefined;
  /** Every so many seconds a TCP connection to each server; undefined: none. */
  probe: { interval: number } | undefined;
  version: string;
  log: EngineLog;
  /** The same log, with its newest lines. */
  recentLog?: RecentLog | undefined;
}

export interface Reloaded {
  options: EngineOptions;
  /** Keys of the configuration. */
  changed: string[];
}

export interface Engine {
  /** Sends verdicts for the packets already read, closes the queues, removes the control socket. Idempotent. */
  stop(): Promise<void>;
  /**
   * Applies new settings to the running engine; no session is lost.
   * @param read the new settings; may throw
   * @throws EngineError or what `read` throws, and nothing has changed
   */
  reload(read: () => EngineOptions): Promise<Reloaded>;
  /** See Liveness. */
  verdictsFlow(): boolean;
  /** Resolves after `stop`; rejects with EngineError when the engine cannot go on. */
  finished: Promise<void>;
}
