/** For programs: what test/support/family.ts reads must be there before it is loaded. */
Object.assign(globalThis, { ACSPLIT_FAMILY: 'ipv6' });

export {};
