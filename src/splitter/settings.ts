/** What may change while the splitter runs; both families' decisions read this one object. */
import { type ServerWatch } from './health/server-watch';
import { type ActivationMode } from './topology';

export interface Settings {
  activation: ActivationMode;
  /** Stops all new diversions while true. */
  isPaused: boolean;
  /** Undefined: nobody judges the servers. */
  watch: ServerWatch | undefined;
}
