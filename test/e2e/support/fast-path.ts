/** ACSPLIT_FAST_PATH=auto or on: the kernel carries what needs no decision in the worlds of this run. docs/testing.md */
const asked = process.env.ACSPLIT_FAST_PATH ?? 'off';
if (asked !== 'off' && asked !== 'auto' && asked !== 'on')
  throw new Error(`ACSPLIT_FAST_PATH is "${asked}", expected off, auto or on`);

export const FAST_PATH: 'off' | 'auto' | 'on' = asked;
