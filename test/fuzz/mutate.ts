/**
 * Derives inputs from inputs: bytes flipped, replaced, cut, inserted and crossed over, often with the lengths corrected
 * afterwards.
 */
import { type Prng } from '../sim/prng';
import { addressNamed } from '../support/family';
import { type Input } from './seeds';

const MOST_BYTES = 2000;
const MOST_CHANGES = 5;
const FLAGS = [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 24];
const BYTES = [0, 1, 4, 5, 6, 8, 0x0f, 0x11, 0x2b, 0x2c, 0x33, 0x3a, 0x3c, 0x40, 0x45, 0x60, 0x7f, 0x80, 0xff];
/** Values found in our packets: ports, lengths, fragment flags. */
const WORDS = [7547, 40001, 50001, 61000, 22, 0, 1, 8, 20, 40, 1280, 1500, 0x1fff, 0x2000, 0x4000, 0xffff, 0xfff8];
const HOSTS = ['10.1.0.1', '10.1.7.1', '10.1.7.2', '10.2.0.2', '10.3.0.2', '10.3.0.3', '10.3.0.9', '192.0.2.1'];
const ADDRESSES = HOSTS.flatMap((host) => [octets(host, 'ipv4'), octets(host, 'ipv6')]);
/** Extension headers of eight bytes, by their number. */
const EXTENSIONS = [0, 43, 44, 51, 60, 58, 6];

function octets(host: string, family: 'ipv4' | 'ipv6'): number[] {
  return [...addressNamed(host, family)].flatMap((word) => [
    word >>> 24,
    (word >>> 16) & 255,
    (word >>> 8) & 255,
    word & 255,
  ]);
}

/** A new input from one of `corpus`. */
export function mutated(prng: Prng, corpus: readonly Input[]): Input {
  const seed = prng.pick(corpus);
  let bytes = Array.from(seed.bytes);
  // Some stay unchanged, so that connections continue.
  for (let n = prng.integer(0, MOST_CHANGES); n > 0; n--) bytes = change(prng, bytes, corpus);
  bytes.length = Math.min(bytes.length, MOST_BYTES);
  if (prng.chance(0.6)) putLengthsRight(bytes);
  const queue = prng.chance(0.8) ? seed.queue : prng.integer(0, 3);
  return { name: `from ${seed.name}`, queue, flags: prng.pick(FLAGS), bytes: Uint8Array.from(bytes) };
}

function change(prng: Prng, bytes: number[], corpus: readonly Input[]): number[] {
  const at = prng.integer(0, Math.max(0, bytes.length - 1));
  // Headers are at the beginning, and so is what matters.
  const near = Math.min(at, prng.integer(0, 100));
  switch (prng.integer(0, 8)) {
    case 0:
      return replaced(bytes, near, [(bytes[near] ?? 0) ^ (1 << prng.integer(0, 7))]);
    case 1:
      return replaced(bytes, near, [prng.pick(BYTES)]);
    case 2: {
      const word = prng.pick(WORDS);
      return replaced(bytes, near & ~1, [word >> 8, word & 255]);
    }
    case 3:
      return replaced(bytes, prng.pick([8, 12, 16, 24, 40, 44, 56, 60, 72, near]), prng.pick(ADDRESSES));
    case 4:
      return bytes.slice(0, at);
    case 5:
      return [...bytes, ...new Array<number>(prng.integer(1, 60)).fill(prng.pick(BYTES))];
    case 6:
      return [...bytes.slice(0, at), ...prng.pick(corpus).bytes.slice(prng.chance(0.5) ? at : 0)];
    case 7:
      return extended(prng, bytes);
    default:
      return [...bytes.slice(0, near), prng.integer(0, 255), ...bytes.slice(near)];
  }
}

/** As long as it was. */
function replaced(bytes: number[], at: number, octetsThere: number[]): number[] {
  const copy = bytes.slice();
  octetsThere.forEach((octet, i) => {
    if (at + i < copy.length) copy[at + i] = octet;
  });
  return copy;
}

/** With one more extension header behind an IPv6 header. */
function extended(prng: Prng, bytes: number[]): number[] {
  if (bytes.length < 40 || bytes[0] >> 4 !== 6) return bytes;
  const body = Array.from({ length: 6 }, () => prng.pick([0, 0, 0, 1, 2, 8, 255]));
  const header = [bytes[6], prng.chance(0.8) ? 0 : prng.integer(0, 255), ...body];
  return replaced([...bytes.slice(0, 40), ...header, ...bytes.slice(40)], 6, [prng.pick(EXTENSIONS)]);
}

function putLengthsRight(bytes: number[]): void {
  if (bytes.length >= 20 && bytes[0] >> 4 === 4) [bytes[2], bytes[3]] = [bytes.length >> 8, bytes.length & 255];
  if (bytes.length >= 40 && bytes[0] >> 4 === 6)
    [bytes[4], bytes[5]] = [(bytes.length - 40) >> 8, (bytes.length - 40) & 255];
}
