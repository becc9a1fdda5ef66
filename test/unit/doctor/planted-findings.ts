/** What a check finds on a planted host. */
import { type Row } from '../../../src/doctor/check';
import { CHECKS } from '../../../src/doctor/checks';
import { CONFIGURATION, done, plantedHost, type Plants } from './planted-host';

export const named = (name: string): Row => CHECKS.find((check) => check.name === name)!;

/** Findings of one check on a host of these facts. */
export const findings = (name: string, plants: Plants) => named(name).find(plantedHost(plants), CONFIGURATION);

export const link = (ifname: string, more: object = {}) => ({ ifname, flags: ['UP', 'LOWER_UP'], mtu: 1500, ...more });
export const links = (...list: object[]) => ({ 'ip -j': done(JSON.stringify(list)) });
