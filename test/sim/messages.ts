/**
 * What CPEs and servers say to each other: HTTP, with bodies that stand for CWMP (TR-069, 3.4). A message is told by its
 * last byte, so that hosts need no parser; the splitter sees the first ones.
 */
import { Payload, SEGMENT_BYTES } from './wire';

export const enum Kind {
  // A session.
  Inform = 65,
  InformResponse,
  Empty,
  Rpc,
  RpcResponse,
  NoContent,
  // A Connection Request.
  Get,
  GetAuthorized,
  Success,
  Unauthorized,
  Unavailable,
  /** Not HTTP at all. */
  Odd,
}

/** Segments, as they are sent. */
export type Message = readonly Payload[];

const post = (body: number) => `POST /ACS-server/ACS HTTP/1.1\r\nHost: acs\r\nContent-Length: ${body}\r\n\r\n`;
const answer = (status: string) => `HTTP/1.1 ${status}\r\nContent-Length: 0\r\n\r\n`;
const get = (rest: string) => `GET /wake HTTP/1.1\r\nHost: cpe\r\n${rest}\r\n`;

export const INFORM = message(Kind.Inform, post(900), 900);
export const INFORM_RESPONSE = message(Kind.InformResponse, answer('200 OK'), 300);
export const EMPTY = message(Kind.Empty, post(0));
export const RPC = message(Kind.Rpc, answer('200 OK'), 350);
export const RPC_RESPONSE = message(Kind.RpcResponse, post(600), 600);
export const NO_CONTENT = message(Kind.NoContent, answer('204 No Content'));

export const GET = message(Kind.Get, get(''));
export const GET_AUTHORIZED = message(Kind.GetAuthorized, get('Authorization: Digest username="itms"\r\n'));
export const SUCCESSES: readonly Message[] = [
  message(Kind.Success, answer('200 OK')),
  message(Kind.Success, answer('204 No Content')),
];
/** Its status line is split over two segments. */
export const SPLIT_SUCCESS = split(Kind.Success, answer('200 OK'), 10);
/** Whole, but in two segments. */
export const LONG_SUCCESS = split(Kind.Success, answer('200 OK'), 20);
export const UNAUTHORIZED = message(Kind.Unauthorized, answer('401 Unauthorized'));
export const UNAVAILABLE = message(Kind.Unavailable, answer('503 Service Unavailable'));
/** Each begins like no HTTP answer. */
export const ODD: readonly Message[] = [message(Kind.Odd, '\x15\x03\x01 what'), message(Kind.Odd, 'HTTP/2 200 what')];

function message(kind: Kind, head: string, bodyBytes = 0): Message {
  const text = head + 'x'.repeat(bodyBytes) + String.fromCharCode(kind);
  const segments: Payload[] = [];
  for (let at = 0; at < text.length; at += SEGMENT_BYTES)
    segments.push(new Payload(text.slice(at, at + SEGMENT_BYTES)));
  return segments;
}

function split(kind: Kind, head: string, at: number): Message {
  return [new Payload(head.slice(0, at)), new Payload(head.slice(at) + String.fromCharCode(kind))];
}
