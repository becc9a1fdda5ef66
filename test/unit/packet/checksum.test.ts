/** The Internet checksum: the examples of its RFCs. */
import { finish, sum, updateInt32, updateWord } from '../../../src/packet/checksum';

describe('in full (RFC 1071 section 3)', () => {
  const EXAMPLE = Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7);
  test.each([
    ['the example of the RFC', EXAMPLE, 0xddf2 ^ 0xffff],
    ['nothing', new Uint8Array(0), 0xffff],
    ['zeros', new Uint8Array(40), 0xffff],
    ['ones: 0xffff is another name of zero', new Uint8Array(40).fill(0xff), 0x0000],
    ['one byte is the high half of its word', Uint8Array.of(0x12), 0x1200 ^ 0xffff],
    ['three bytes', Uint8Array.of(0x12, 0x34, 0x56), (0x1234 + 0x5600) ^ 0xffff],
    ['64 KiB of ones do not overflow', new Uint8Array(65536).fill(0xff), 0x0000],
  ])('%s', (_what, bytes, expected) => {
    expect(finish(sum(bytes, 0, bytes.length))).toBe(expected);
    const amid = new Uint8Array(bytes.length + 8).fill(0xa5);
    amid.set(bytes, 3);
    expect(finish(sum(amid, 3, bytes.length))).toBe(expected);
  });
});

describe('updated', () => {
  test('the example of RFC 1624 section 4, on which RFC 1141 gives 0xffff', () => {
    expect(updateWord(0xdd2f, 0x5555, 0x3285)).toBe(0x0000);
  });

  test.each([
    ['a word that does not change', 0x1234, 0x5555, 0x5555, 0x1234],
    ['zero for ones: they are the same number', 0x1234, 0xffff, 0x0000, 0x1234],
    ['ones for zero', 0x1234, 0x0000, 0xffff, 0x1234],
    ['one more', 0x1234, 0x0000, 0x0001, 0x1233],
    ['with an end-around carry', 0x0000, 0x0000, 0x0001, 0xfffe],
  ])('%s', (_what, checksum, from, to, expected) => {
    expect(updateWord(checksum, from, to)).toBe(expected);
    expect(updateInt32(checksum, from << 16, to << 16)).toBe(expected);
    expect(updateInt32(checksum, from, to)).toBe(expected);
  });
});
