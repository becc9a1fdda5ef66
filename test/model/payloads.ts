/** Payloads of a random conversation: requests, and answers of every kind, whole and in pieces. */
import { GET, OK, UNAUTHORIZED } from '../support/rig';

const POST = 'POST /acs HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody';
const HELLO = '\x16\x03\x01\x00\x05hello';

export const REQUESTS = [GET, GET, POST, POST, 'G', HELLO];

const WITH_BODY = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello';
const NO_CONTENT = 'HTTP/1.1 204 No Content\r\n\r\n';
const EMPTY_CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n';
const CHUNKED = 'HTTP/1.0 200 OK\nTRANSFER-ENCODING:chunked\n\n05\r\nhello\r\n0\r\n\r\n';
const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n';
const LONG = `HTTP/1.1 200 OK\r\nX-Pad: ${'x'.repeat(300)}\r\nContent-Length: 0\r\n\r\n`;

const WHOLE = [
  OK,
  OK,
  UNAUTHORIZED,
  NO_CONTENT,
  WITH_BODY,
  EMPTY_CHUNKED,
  CHUNKED,
  LONG,
  `${CONTINUE}${OK}`,
  `\r\n${CONTINUE}HTTP/1.1 204\r\n\r\n`,
  'HTTP/1.1 503 Service Unavailable\r\n\r\n',
  'HTTP/1.1 407 Proxy\r\n\r\n',
  'HTTP/1.1  302 Found\r\n\r\n',
  'HTTP/1.1 200',
  'HTTP/1.1 202 Accepted\r\ncontent-length:00 \r\n\r\n',
  'HTTP/1.1 200 OK\r\nContent-Length: 01\r\nContent-Type: text\r\n\r\nx',
];
const BANNERS = ['vendor protocol', 'HTTP/2 200', 'HTTP/1.1 2x0', 'HTT', '220 ready\r\n'];
/** A record, an alert, one that TLS 1.3 hides, and one that is too long for that. */
export const TLS = [
  HELLO,
  '\x15\x03\x03\x00\x02\x01\x00',
  `\x17\x03\x03\x00\x13${'a'.repeat(19)}`,
  `\x17\x03\x03\x00\x20${'a'.repeat(32)}`,
];
/** What comes one after the other makes a whole, or does not. */
const PIECES = [
  'H',
  '\r\n',
  'HTTP/1.1 ',
  'HTTP/1.1 2',
  '00 OK\r\n',
  '401 ',
  'Content-Length: 0\r\n',
  '\r\n\r\n',
  'Transfer-Encoding: chunked\r\n\r\n',
  '0',
  '\r\n',
  CONTINUE,
  'HTTP/1.1 100 Co',
];

export const ANSWERS = [...WHOLE, ...WHOLE, ...BANNERS, ...TLS, ...PIECES];
/** Answers in several segments. */
export const PIECED: string[][] = [
  ['HTTP/1.1 2', '00 OK\r\nContent-Le', 'ngth: 0\r\n\r\n'],
  ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n', '\r\n', '0', '\r\n\r\n'],
  [CONTINUE, OK],
  ['\r\n', 'HTTP/1.1 401 Unauthorized\r\n\r\n'],
  ['H', 'TTP/1.1 ', '204', '\r\n\r\n'],
  ['HTTP/1.1 200 OK\r\n', 'A: b\r\n', 'C: d\r\n', 'E: f\r\n', 'Content-Length: 0\r\n\r\n'],
  [LONG, WITH_BODY],
];
