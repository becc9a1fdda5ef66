/** ACSPLIT_FAST_PATH=on: the worlds of this run carry by the fast path what needs no decision. docs/testing.md */
const asked = process.env.ACSPLIT_FAST_PATH ?? 'off';
if (asked !== 'off' && asked !== 'on') throw new Error(`ACSPLIT_FAST_PATH is "${asked}", expected off or on`);

export const FAST_PATH: 'off' | 'on' = asked;
