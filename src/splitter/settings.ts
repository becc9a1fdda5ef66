/** What an operator may change while the splitter runs; both families' decisions read this one object. */
import { type ActivationMode } from './topology';

export interface Settings {
  activation: ActivationMode;
  /** Ends all new diverting while true. */
  isPaused: boolean;
  /** By owner id, 1 for a collector that takes no session at present: its CPEs go to the ITMS. */
  unusable: Uint8Array;
}
