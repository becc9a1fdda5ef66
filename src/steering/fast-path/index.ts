/** The fast path: a BPF program at tc ingress that carries what needs no decision. */

export { FastPath } from './fast-path';
export { prepareFastPath } from './prepare';
export { CARRY_REASONS, type CarryReason } from './layout';
export { removeFastPath } from './remove';
