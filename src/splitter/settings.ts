/** What an operator may change while the splitter runs; both families' decisions read this one object. */
import { type ActivationMode } from './topology';

export interface Settings {
  activation: ActivationMode;
  /** Ends all new diverting while true. */
  isPaused: boolean;
}
