/** The iptables bundle: rendered from the topology, installed, removed, compared with what is live. */

export { acsElsewhere, describeElsewhere, localRoutes } from './acs-address';
export { checkRules, type Difference } from './check';
export { describeDone, type Done, installedInstances, installRules, removeRules, type System } from './install';
export { countFallbackSessions } from './fallback-sessions';
export { describeQueues, installedQueue } from './installed-queue';
export { DEFAULT_INSTANCE, isOfAnyInstance } from './instance';
export { lockRules } from './lock';
export { renderRules, type Steering } from './render';
export { type Outcome, type Runner, runProgram } from './iptables';
export { RulesError } from './rules-error';
export { type AliveSet, aliveSets, type LiveSet, readSet } from './sets';
export { unquoted } from './ruleset';
export { tryBundle } from './trial';
export { quoted } from './typed';
