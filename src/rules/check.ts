import { type Topology } from '../splitter/topology';
import { type QueueNumbers } from './render';
export interface Difference {
  message: string;
}
export function checkRules(_t: Topology, _q: QueueNumbers): Difference[] {
  return [];
}
