/** What may change while the splitter runs; both families' decisions read this one object. */
import { type ServerWatch } from './health/server-watch';
import { type ActivationMode } from './topology';

export interface Settings {
  activation: ActivationMode;
  /** Stops all new diversions while true. */
  isPaused: boolean;
  /** By owner id; 1 for a collector that takes no sessions at present, so its CPEs go to the ITMS. */
  unusable: Uint8Array;
  /** Undefined: nobody judges the servers. */
  watch: ServerWatch | undefined;
}
