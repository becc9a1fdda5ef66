/** What an operator may change while the splitter runs; the rules of all families look at the one object. */
import { type ActivationMode } from './topology';

export interface Settings {
  activation: ActivationMode;
  /** Ends all new diverting while true. */
  isPaused: boolean;
}
