/** Results by run, as text. */
import { byResult } from '../../prove/rows';

const FAMILIES = ['ipv4', 'ipv6'];
const STATES = ['auto', 'dead, hold'];
const runs = (result: (family: string, state: string) => string) =>
  FAMILIES.flatMap((family) => STATES.map((state) => ({ at: [family, state], result: result(family, state) })));

test('one result names all values of each dimension once', () => {
  expect(byResult(runs(() => 'right'))).toBe('- 4 of 4 runs (ipv4, ipv6; auto, dead with hold): right');
});

test('a run apart is named by itself, after the others', () => {
  const text = byResult(runs((family, state) => (family === 'ipv6' && state === 'auto' ? 'wrong' : 'right')));
  expect(text).toBe(
    '- 3 of 4 runs (ipv4 auto, ipv4 dead with hold, ipv6 dead with hold): right\n- 1 of 4 runs (ipv6; auto): wrong',
  );
});
