/**
 * Reads the head of an HTTP/1 answer (RFC 9112) as it passes, however it is segmented: its code, and whether a 200 is
 * empty. The state fits into a few bits of the connection's entry, so nothing is buffered.
 *
 *     bits 0 to 6    Stage: where in the head the next byte is
 *     bit  7         the head has Transfer-Encoding: chunked
 *     bits 8 to 10   Head of the code, Interim while a 1xx is skipped
 *     bits 11 to 13  segments of data since the server's acknowledgement changed
 *     bit  15        the code is 401
 */

/** What an answer means for its session. */
export const enum Head {
  /** No request so far. */
  None,
  /** A request was sent, and no final code has been read yet. */
  Unanswered,
  /** 204, or a 200 without a body: a CWMP session is over. */
  Empty,
  /** Another 2xx. */
  Body,
  /** 401, 407, 3xx: the request will be repeated. */
  Retry,
  /** Any other code. */
  Refused,
  /** Not HTTP/1: TLS, or something else. */
  Unreadable,
  /** A 1xx: the final answer follows. */
  Interim,
}

const enum Stage {
  Idle,
  /** Before the status line; empty lines are skipped (RFC 9112 section 2.2). */
  Start,
  /** One character of `HTTP/1.` has been read; the other characters follow. */
  Name,
  Version = 8,
  Spaces,
  /** The code's first digit, 0 to 9. */
  Digit,
  /** Its first two digits, as far as they distinguish codes. */
  Code1 = 20,
  Code20,
  Code2,
  Code3,
  Code40,
  CodeOther,
  /** In a header line that does not matter. */
  Line,
  LineStart,
  LineStartCr,
  /** Behind `content-length:`, before any digit or after zeros only. */
  Length,
  LengthZero,
  /** In the first chunk's size, after a zero. */
  Chunk,
  ChunkZero,
  /** One character of `content-length:` has been read; the other characters follow. */
  ContentLength = 40,
  TransferEncoding = 60,
  Done = 100,
  /** Began like HTTP but cannot be read as far as its code. */
  Broken,
  /** Does not begin like HTTP. */
  Other,
}

const STAGE_MASK = 0x7f;
const CHUNKED = 1 << 7;
const HEAD_SHIFT = 8;
const HEAD_MASK = 7 << HEAD_SHIFT;
const SEGMENTS_SHIFT = 11;
const SEGMENTS_MASK = 7 << SEGMENTS_SHIFT;
const UNAUTHORIZED = 1 << 15;

const CR = 0x0d;
const LF = 0x0a;
const SPACE = 0x20;
const TAB = 0x09;
const DOT = 0x2e;
const SEMICOLON = 0x3b;
const ZERO = 0x30;
const ONE = 0x31;
const NINE = 0x39;
const LOWER_CASE = 0x20;

const codes = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));
const NAME = codes('HTTP/1.');
/** The first of these, `HTTP/`: an answer that differs only after them began like HTTP. */
const PROTOCOL_CHARACTERS = 5;
const CONTENT_LENGTH = codes('content-length:');
const TRANSFER_ENCODING = codes('transfer-encoding:');

/** A request was sent: read its answer from the start. */
export function asked(head: number): number {
  return (head & SEGMENTS_MASK) | Stage.Start | (Head.Unanswered << HEAD_SHIFT);
}

/** A head of which only this is known: nothing more is read of it. */
export function withoutReading(head: Head): number {
  return (head === Head.None ? Stage.Idle : Stage.Done) | (head << HEAD_SHIFT);
}

export function headOf(head: number): Head {
  const found: Head = (head & HEAD_MASK) >>> HEAD_SHIFT;
  return found === Head.Interim ? Head.Unanswered : found;
}

/** A login was asked for, or refused: the code is 401, and no other one after which the CPE repeats its request. */
export function isUnauthorized(head: number): boolean {
  return (head & UNAUTHORIZED) !== 0;
}

/** True while further bytes may still matter. */
export function isReading(head: number): boolean {
  const stage = head & STAGE_MASK;
  return stage !== Stage.Idle && stage < Stage.Done;
}

/** True when an answer began like HTTP and was not read to its final code. */
export function isCut(head: number): boolean {
  const stage = head & STAGE_MASK;
  if (headOf(head) === Head.Unanswered) return stage > Stage.Start && stage < Stage.Done;
  return stage === Stage.Broken;
}

/** How many segments of an answer are read, and how many bytes of each: as much as the fast path copies. */
const MAX_SEGMENTS = 4;
export const MAX_SEGMENT_BYTES = 255;

/** Counts one more segment, at most one above the limit. */
export function withSegment(head: number): number {
  const count = (head & SEGMENTS_MASK) >>> SEGMENTS_SHIFT;
  return (head & ~SEGMENTS_MASK) | (Math.min(count + 1, MAX_SEGMENTS + 1) << SEGMENTS_SHIFT);
}

/** The server's acknowledgement has changed. */
export function withoutSegments(head: number): number {
  return head & ~SEGMENTS_MASK;
}

/** As many segments as the other head has counted. */
export function withSegmentsOf(head: number, other: number): number {
  return (head & ~SEGMENTS_MASK) | (other & SEGMENTS_MASK);
}

export function isWithinSegments(head: number): boolean {
  return (head & SEGMENTS_MASK) >>> SEGMENTS_SHIFT <= MAX_SEGMENTS;
}

/** Continues reading with the bytes that follow those read last. */
export function readHead(head: number, bytes: Uint8Array, at: number, length: number): number {
  let now = head;
  for (let i = at; i < at + length && isReading(now); i++) now = next(now, bytes[i]);
  return now;
}

function next(head: number, byte: number): number {
  const stage = head & STAGE_MASK;
  if (stage < Stage.Version) return inName(head, stage, byte);
  if (stage < Stage.Line) return inCode(head, stage, byte);
  if (stage >= Stage.ContentLength) return inField(head, stage, byte);
  switch (stage) {
    case Stage.Line:
      return byte === LF ? to(head, Stage.LineStart) : head;
    case Stage.LineStart:
      return atLineStart(head, byte);
    case Stage.LineStartCr:
      return byte === LF ? ended(head) : to(head, Stage.Line);
    case Stage.Length:
    case Stage.LengthZero:
      return inLength(head, stage, byte);
    case Stage.Chunk:
      return byte === ZERO ? to(head, Stage.ChunkZero) : to(head, Stage.Done);
    default:
      if (byte === ZERO) return head;
      return byte === CR || byte === LF || byte === SEMICOLON ? found(head, Head.Empty) : to(head, Stage.Done);
  }
}

function inName(head: number, stage: number, byte: number): number {
  if (stage === Stage.Start && (byte === CR || byte === LF)) return head;
  const read = stage - Stage.Start;
  if (byte === NAME[read]) return to(head, stage + 1);
  return broken(head, read >= PROTOCOL_CHARACTERS ? Stage.Broken : Stage.Other);
}

function inCode(head: number, stage: number, byte: number): number {
  const isDigit = byte >= ZERO && byte <= NINE;
  if (stage === Stage.Version) {
    if (isDigit || byte === DOT) return head;
    return byte === SPACE ? to(head, Stage.Spaces) : broken(head, Stage.Broken);
  }
  if (stage === Stage.Spaces && byte === SPACE) return head;
  if (!isDigit) return broken(head, Stage.Broken);
  if (stage === Stage.Spaces) return to(head, Stage.Digit + byte - ZERO);
  if (stage < Stage.Code1) return to(head, afterTwo(stage - Stage.Digit, byte - ZERO));
  const isLogin = stage === Stage.Code40 && byte === ONE;
  return coded(isLogin ? head | UNAUTHORIZED : head, afterThree(stage, byte - ZERO));
}

function afterTwo(first: number, second: number): Stage {
  if (first === 1) return Stage.Code1;
  if (first === 2) return second === 0 ? Stage.Code20 : Stage.Code2;
  if (first === 3) return Stage.Code3;
  return first === 4 && second === 0 ? Stage.Code40 : Stage.CodeOther;
}

function afterThree(stage: number, third: number): Head {
  if (stage === Stage.Code1) return Head.Interim;
  if (stage === Stage.Code20) return third === 4 ? Head.Empty : Head.Body;
  if (stage === Stage.Code2) return Head.Body;
  if (stage === Stage.Code3) return Head.Retry;
  return stage === Stage.Code40 && (third === 1 || third === 7) ? Head.Retry : Head.Refused;
}

function coded(head: number, code: Head): number {
  const known = (head & ~(HEAD_MASK | CHUNKED)) | (code << HEAD_SHIFT);
  return to(known, code === Head.Body || code === Head.Interim ? Stage.Line : Stage.Done);
}

function atLineStart(head: number, byte: number): number {
  if (byte === CR) return to(head, Stage.LineStartCr);
  if (byte === LF) return ended(head);
  const letter = byte | LOWER_CASE;
  if (letter === CONTENT_LENGTH[0]) return to(head, Stage.ContentLength);
  return to(head, letter === TRANSFER_ENCODING[0] ? Stage.TransferEncoding : Stage.Line);
}

/** In the name of a field that may be one of the two. */
function inField(head: number, stage: number, byte: number): number {
  if (byte === LF) return to(head, Stage.LineStart);
  const isLength = stage < Stage.TransferEncoding;
  const name = isLength ? CONTENT_LENGTH : TRANSFER_ENCODING;
  const read = stage - (isLength ? Stage.ContentLength : Stage.TransferEncoding) + 1;
  if (name[read] !== (read === name.length - 1 ? byte : byte | LOWER_CASE)) return to(head, Stage.Line);
  if (read < name.length - 1) return to(head, stage + 1);
  return isLength ? to(head, Stage.Length) : to(head | CHUNKED, Stage.Line);
}

function inLength(head: number, stage: number, byte: number): number {
  if (byte === ZERO) return to(head, Stage.LengthZero);
  if (byte === SPACE || byte === TAB || (byte === CR && stage === Stage.LengthZero)) return head;
  if (byte !== LF) return to(head, Stage.Line);
  if (stage === Stage.Length || isInterim(head)) return to(head, Stage.LineStart);
  return found(head, Head.Empty);
}

/** The empty line after the fields. */
function ended(head: number): number {
  if (isInterim(head)) return asked(head);
  return to(head, head & CHUNKED ? Stage.Chunk : Stage.Done);
}

function isInterim(head: number): boolean {
  return (head & HEAD_MASK) === Head.Interim << HEAD_SHIFT;
}

function found(head: number, what: Head): number {
  return to((head & ~HEAD_MASK) | (what << HEAD_SHIFT), Stage.Done);
}

function broken(head: number, stage: Stage): number {
  return to((head & ~HEAD_MASK) | (Head.Unreadable << HEAD_SHIFT), stage);
}

function to(head: number, stage: number): number {
  return (head & ~STAGE_MASK) | stage;
}

const ALERT = 0x15;
const APPLICATION_DATA = 0x17;
const TLS_MAJOR = 3;
const RECORD_HEADER_BYTES = 5;
/** TLS 1.3 hides an alert in an application-data record: two bytes, a type, and an authentication tag. */
const MAX_HIDDEN_ALERT_BYTES = 24;

/**
 * True when a segment is exactly one TLS alert, such as close_notify (RFC 8446 sections 5.1 and 6).
 *
 * @param length of the segment's data as far as it is present @param sentLength as it was sent
 */
export function isAlert(bytes: Uint8Array, at: number, length: number, sentLength: number): boolean {
  if (length < RECORD_HEADER_BYTES || bytes[at + 1] !== TLS_MAJOR) return false;
  const recordBytes = (bytes[at + 3] << 8) | bytes[at + 4];
  if (sentLength > RECORD_HEADER_BYTES + recordBytes) return false;
  return bytes[at] === ALERT || (bytes[at] === APPLICATION_DATA && recordBytes <= MAX_HIDDEN_ALERT_BYTES);
}
