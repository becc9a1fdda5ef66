/** The settings an operator may change while the splitter runs; both families' decisions read this one object. */
import { type ActivationMode } from './topology';

export interface Settings {
  activation: ActivationMode;
  /** Stops all new diversions while true. */
  isPaused: boolean;
  /** By owner id; 1 for a collector that takes no sessions at present, so its CPEs go to the ITMS. */
  unusable: Uint8Array;
}
