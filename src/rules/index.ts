/** The iptables bundle: rendered from the topology, installed, removed, compared with what is live. */

export { checkRules, type Difference } from './check';
export { installRules, removeRules, type System } from './install';
export { familiesOf, type Family } from './family';
export { type QueueNumbers, renderRules } from './render';
export { type Outcome, type Runner, runProgram } from './iptables';
export { RulesError } from './rules-error';
export { tryBundle } from './trial';
