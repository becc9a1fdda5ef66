/** Addresses that `activate -` and `deactivate -` read from standard input. */
import { parseAddresses, requireAddress } from '../../../src/cli/addresses';

test('blanks and line ends separate; each address is named once, in its canonical text', () => {
  const input = '10.1.0.5\n\n  10.1.0.6\t10.1.0.7 \r\n10.1.0.5\n2001:DB8:0::5';
  expect(parseAddresses(input)).toEqual(['10.1.0.5', '10.1.0.6', '10.1.0.7', '2001:db8::5']);
});

test('a mistyped address is refused with its line, and nothing is done', () => {
  expect(() => parseAddresses('10.1.0.5\n10.1.0\n')).toThrow(
    'standard input, line 2: "10.1.0" is not an IP address; nothing was done',
  );
});

test.each(['', ' \n\n'])('no address: refused', (input) => {
  expect(() => parseAddresses(input)).toThrow('standard input: found no address');
});

test('one address as an argument', () => {
  expect(requireAddress('2001:DB8::0005')).toBe('2001:db8::5');
  expect(() => requireAddress('x')).toThrow('"x" is not an IP address such as 10.1.0.5 or 2001:db8::5');
});
