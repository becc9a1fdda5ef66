/** Converts timestamps of any resolution to whole seconds and nanoseconds, exactly. */

const NANOSECONDS = 1_000_000_000;
const TWO_32 = 4294967296;
/** Up to this value every step of the long division below stays under 2^53. */
const MAX_PLAIN_UNITS = 2 ** 36;
/** pcapng's if_tsresol: a power of two if this bit is set, else a power of ten. */
const POWER_OF_TWO = 0x80;

/** Splits one interface's 64-bit timestamps. `seconds` and `nanoseconds` hold the result until the next call. */
export class TimestampScale {
  seconds = 0;
  /** 0 to 999 999 999. */
  nanoseconds = 0;
  private readonly units: number;
  private readonly exactUnits: bigint;

  /**
   * @param resolution the byte of if_tsresol; 6 (microseconds) is pcapng's default
   * @param offsetSeconds if_tsoffset, added to every timestamp
   */
  constructor(
    resolution: number,
    private readonly offsetSeconds: number,
  ) {
    const exponent = BigInt(resolution & ~POWER_OF_TWO);
    this.exactUnits = (resolution & POWER_OF_TWO ? 2n : 10n) ** exponent;
    this.units = Number(this.exactUnits);
  }

  /** @param high, low uint32 halves of the timestamp */
  split(high: number, low: number): void {
    if (this.units > MAX_PLAIN_UNITS) this.splitExactly(high, low);
    else this.splitInDigits(high, low);
    this.seconds += this.offsetSeconds;
  }

  /** Long division in base 2^16: a remainder is below 2^36, so remainder and next digit fit 53 bits. */
  private splitInDigits(high: number, low: number): void {
    const { units } = this;
    let quotient = Math.floor(high / units);
    let rest = high - quotient * units;
    for (let shift = 16; shift >= 0; shift -= 16) {
      const value = rest * 65536 + ((low >>> shift) & 0xffff);
      const digit = Math.floor(value / units);
      rest = value - digit * units;
      quotient = quotient * 65536 + digit;
    }
    this.seconds = quotient;
    this.nanoseconds = nanosecondsOf(rest, units);
  }

  /** For resolutions finer than 14 picoseconds, which are too rare to be fast. */
  private splitExactly(high: number, low: number): void {
    const stamp = BigInt(high) * BigInt(TWO_32) + BigInt(low);
    this.seconds = Number(stamp / this.exactUnits);
    this.nanoseconds = Number(((stamp % this.exactUnits) * BigInt(NANOSECONDS)) / this.exactUnits);
  }
}

/** @param rest below `units` */
function nanosecondsOf(rest: number, units: number): number {
  // Powers of ten divide evenly. For powers of two an error of one nanosecond is below their precision.
  if (NANOSECONDS % units === 0) return rest * (NANOSECONDS / units);
  if (units % NANOSECONDS === 0) return Math.floor(rest / (units / NANOSECONDS));
  return Math.min(NANOSECONDS - 1, Math.floor((rest / units) * NANOSECONDS));
}

/** The last second that a 64-bit count of nanoseconds can express. */
const MAX_SECONDS = 18446744072;

/**
 * Joins seconds and nanoseconds to one 64-bit count of nanoseconds; clamps times outside its range.
 * @param halves receives the high and the low 32 bits
 */
export function joinNanoseconds(seconds: number, nanoseconds: number, halves: Uint32Array): void {
  const whole = Math.min(Math.max(seconds, 0), MAX_SECONDS);
  // whole = upper * 2^16 + lower keeps every product below 2^53.
  const upper = Math.floor(whole / 65536) * NANOSECONDS;
  const upperHigh = Math.floor(upper / 65536);
  const rest = (upper - upperHigh * 65536) * 65536 + (whole % 65536) * NANOSECONDS + nanoseconds;
  const carry = Math.floor(rest / TWO_32);
  halves[0] = upperHigh + carry;
  halves[1] = rest - carry * TWO_32;
}
