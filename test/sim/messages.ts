/**
 * Messages of CPEs and servers: HTTP with bodies that stand for CWMP (TR-069, 3.4), or the same over TLS. The last byte
 * identifies a message, so hosts need no parser; the splitter sees the first bytes.
 */
import { Payload, SEGMENT_BYTES } from './wire';

export const enum Kind {
  // A session.
  Inform = 65,
  InformAuthorized,
  InformResponse,
  Empty,
  Rpc,
  RpcResponse,
  /** The session is over: 204, or one of the two forms of an empty 200. */
  NoContent,
  SessionUnauthorized,
  ServerError,
  // A Connection Request.
  Get,
  GetAuthorized,
  Success,
  Unauthorized,
  Unavailable,
  /** Not HTTP at all. */
  Odd,
}
/** In the last byte, besides the kind: the message came over TLS. */
const TLS = 0x80;

/** Segments, as they are sent. */
export type Message = readonly Payload[];

/** Of a message's last byte. */
export function kindOf(byte: number): Kind {
  return byte & ~TLS;
}

export function isTls(byte: number): boolean {
  return (byte & TLS) !== 0;
}

const post = (body: number) => `POST /ACS-server/ACS HTTP/1.1\r\nHost: acs\r\nContent-Length: ${body}\r\n\r\n`;
const answer = (status: string, body = 0) => `HTTP/1.1 ${status}\r\nContent-Length: ${body}\r\n\r\n`;
/** RFC 9110 section 8.6: without a length. */
const NO_CONTENT = 'HTTP/1.1 204 No Content\r\n\r\n';
const get = (rest: string) => `GET /wake HTTP/1.1\r\nHost: cpe\r\n${rest}\r\n`;

/** A session's messages, in the clear and over TLS. */
export interface Words {
  inform: Message;
  informAuthorized: Message;
  informResponse: Message;
  empty: Message;
  rpc: Message;
  rpcResponse: Message;
  /** Each ends the session. */
  noContent: readonly Message[];
  unauthorized: Message;
  serverError: Message;
  /** Before a close; nothing in the clear. */
  goodbye: Message;
}

export const CLEAR: Words = {
  inform: message(Kind.Inform, post(900), 900),
  informAuthorized: message(Kind.InformAuthorized, post(950), 950),
  informResponse: message(Kind.InformResponse, answer('200 OK', 300), 300),
  empty: message(Kind.Empty, post(0)),
  rpc: message(Kind.Rpc, answer('200 OK', 350), 350),
  rpcResponse: message(Kind.RpcResponse, post(600), 600),
  noContent: [
    message(Kind.NoContent, NO_CONTENT),
    message(Kind.NoContent, answer('200 OK')),
    message(Kind.NoContent, 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'),
  ],
  unauthorized: message(Kind.SessionUnauthorized, answer('401 Unauthorized', 20), 20),
  serverError: message(Kind.ServerError, answer('500 Internal Server Error')),
  goodbye: [],
};

export const OVER_TLS: Words = {
  inform: record(Kind.Inform, 1000),
  informAuthorized: record(Kind.InformAuthorized, 1050),
  informResponse: record(Kind.InformResponse, 380),
  empty: record(Kind.Empty, 120),
  rpc: record(Kind.Rpc, 430),
  rpcResponse: record(Kind.RpcResponse, 700),
  noContent: [record(Kind.NoContent, 90)],
  unauthorized: record(Kind.SessionUnauthorized, 110),
  serverError: record(Kind.ServerError, 100),
  // close_notify, in TLS 1.2 and hidden in 1.3; recognised by its missing PSH.
  goodbye: [new Payload('\x15\x03\x03\x00\x02\x01\x00')],
};

export const GET = message(Kind.Get, get(''));
export const GET_AUTHORIZED = message(Kind.GetAuthorized, get('Authorization: Digest username="itms"\r\n'));
export const SUCCESSES: readonly Message[] = [
  message(Kind.Success, answer('200 OK')),
  message(Kind.Success, NO_CONTENT),
  // An interim answer before it.
  message(Kind.Success, `HTTP/1.1 100 Continue\r\n\r\n${answer('200 OK')}`),
  message(Kind.Success, 'HTTP/1.0  200\r\n\r\n'),
];
/** Its status line is split over two segments. */
export const SPLIT_SUCCESS = split(Kind.Success, answer('200 OK'), 10);
/** Whole, but in two segments. */
export const LONG_SUCCESS = split(Kind.Success, answer('200 OK'), 20);
export const UNAUTHORIZED = message(Kind.Unauthorized, answer('401 Unauthorized'));
export const UNAVAILABLE = message(Kind.Unavailable, answer('503 Service Unavailable'));
/** Each cannot be read as an HTTP answer; the second begins like one. */
export const ODD: readonly Message[] = [message(Kind.Odd, '\x15\x03\x01 what'), message(Kind.Odd, 'HTTP/2 200 what')];

function message(kind: Kind, head: string, bodyBytes = 0): Message {
  return segments(head + 'x'.repeat(bodyBytes) + String.fromCharCode(kind));
}

/** A record of application data (RFC 8446 section 5.1). */
function record(kind: Kind, bytes: number): Message {
  const head = String.fromCharCode(0x17, 3, 3, bytes >>> 8, bytes & 0xff);
  return segments(head + 'x'.repeat(bytes - 1) + String.fromCharCode(kind | TLS));
}

function segments(text: string): Message {
  const found: Payload[] = [];
  for (let at = 0; at < text.length; at += SEGMENT_BYTES) found.push(new Payload(text.slice(at, at + SEGMENT_BYTES)));
  return found;
}

function split(kind: Kind, head: string, at: number): Message {
  return [new Payload(head.slice(0, at)), new Payload(head.slice(at) + String.fromCharCode(kind))];
}
