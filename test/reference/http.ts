/**
 * An answer as text: what its head says so far, from its first byte on, however it was segmented. RFC 9112. The text is
 * kept and read from the start each time.
 */

/** What a head means, to a Connection Request and to a CWMP session alike. */
export type Meaning =
  /** No final code has been read yet. */
  | 'waiting'
  /** 204, or a 2xx without a body. */
  | 'empty'
  /** Another 2xx. */
  | 'body'
  /** 401, 407, 3xx. */
  | 'retry'
  /** Any other code. */
  | 'refused'
  /** Not HTTP, or not readable as far as its code. */
  | 'unreadable';

export interface Head {
  meaning: Meaning;
  /** Further bytes change nothing. */
  isOver: boolean;
  /** Began like HTTP, and its final code has not been read. */
  isCut: boolean;
}

const NAME = 'HTTP/1.';
/** A whole head of a 1xx. */
const INTERIM = /^HTTP\/1\.[0-9.]* +1\d\d[^\n]*\n(?:(?!\r?\n)[^\n]*\n)*\r?\n/;

export function readHead(text: string): Head {
  const answer = text.replace(/^[\r\n]+/, '');
  if (answer === '') return { meaning: 'waiting', isOver: false, isCut: false };
  const began: Head = { meaning: 'waiting', isOver: false, isCut: true };
  if (NAME.startsWith(answer)) return began;
  if (!answer.startsWith(NAME)) return unreadable(answer.startsWith('HTTP/'));
  // The first character that fits neither a version, nor spaces, nor a code of three digits.
  const line = /^HTTP\/1\.[0-9.]*(?: +(\d{0,3}))?/.exec(answer)!;
  const code = line[1] ?? '';
  if (code.length < 3) return line[0].length === answer.length ? began : unreadable(true);
  if (code.startsWith('1')) {
    const interim = INTERIM.exec(answer);
    return interim ? readHead(answer.slice(interim[0].length)) : began;
  }
  if (code.startsWith('2') && code !== '204') return readFields(answer.slice(line[0].length));
  const meaning = code === '204' ? 'empty' : /^(401|407|3..)$/.test(code) ? 'retry' : 'refused';
  return { meaning, isOver: true, isCut: false };
}

function unreadable(isCut: boolean): Head {
  return { meaning: 'unreadable', isOver: true, isCut };
}

/** Behind the code of a 2xx: is there a body? */
function readFields(text: string): Head {
  let isChunked = false;
  const lines = text.split('\n');
  // Without the rest of the status line, and without the last line, which has not ended.
  for (let at = 1; at < lines.length - 1; at++) {
    if (lines[at] === '' || lines[at] === '\r') return readBody(lines.slice(at + 1).join('\n'), isChunked);
    if (/^content-length:[ \t]*0[0 \t\r]*$/i.test(lines[at])) return { meaning: 'empty', isOver: true, isCut: false };
    if (/^transfer-encoding:/i.test(lines[at])) isChunked = true;
  }
  return { meaning: 'body', isOver: false, isCut: false };
}

function readBody(body: string, isChunked: boolean): Head {
  if (isChunked && /^0+[\r\n;]/.test(body)) return { meaning: 'empty', isOver: true, isCut: false };
  return { meaning: 'body', isOver: !isChunked || !/^0*$/.test(body), isCut: false };
}

const ALERT = '\x15';
const APPLICATION_DATA = '\x17';
/** In TLS 1.3 an alert looks like application data. */
const HIDDEN_ALERT_BYTES = 24;

/** A TLS record that is an alert, or may be one, and nothing else in the segment. */
export function isAlert(payload: string): boolean {
  if (payload.length < 5 || payload[1] !== '\x03') return false;
  const recordBytes = payload.charCodeAt(3) * 256 + payload.charCodeAt(4);
  if (payload.length > 5 + recordBytes) return false;
  return payload[0] === ALERT || (payload[0] === APPLICATION_DATA && recordBytes <= HIDDEN_ALERT_BYTES);
}
