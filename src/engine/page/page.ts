/**
 * The page at `/` of the metrics' listener, and what it asks for under /api/. It only reads. It runs in the supervisor,
 * which decides no packet: answers that many may ask for are made twice a second at the most, a search of the tables
 * goes on in steps of about a millisecond, and a search of the history is a process of its own. docs/decisions/page.md
 */
import { type IncomingMessage, type ServerResponse } from 'node:http';
import { type Address, formatAddress, parseAddress } from '../../packet/address';
import { type Splitter } from '../../splitter/splitter';
import { type OnCollectorDown } from '../../splitter/topology';
import { type TraceAnswer, type TraceEvent } from '../control/operations';
import { type HourSample } from '../report/last-hour';
import { type LogLine } from '../report/recent-log';
import { type Status } from '../report/status';
import { answerOf, entriesOf, nextSession, rulesOf } from './cpe';
import { type PageFile } from './files';
import { isCrossSite, isForUs, maySeeNames } from './guard';
import { Busy, type HistorySearch } from './history-search';

export interface PageParts {
  files: ReadonlyMap<string, PageFile>;
  /** undefined: none is configured; null: it is, and cannot be read. */
  token: string | null | undefined;
  status: () => Status;
  hour: () => { intervalMs: number; samples: readonly HourSample[] };
  /** The newest lines of the log, the oldest first. */
  log: () => readonly LogLine[];
  /** Events of activations and connections; without `since` none, and where to begin. */
  events: (since?: number) => TraceAnswer;
  look: () => Splitter;
  onCollectorDown: () => OnCollectorDown;
  history: Pick<HistorySearch, 'isKept' | 'find'>;
}

const HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; " +
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
} as const;

/** As long an answer serves everybody. */
const SHARED_MS = 500;
/** Newest events in an answer. */
const MOST_EVENTS = 100;
/** Events of one CPE in an answer. */
const MOST_OF_CPE = 100;
const MOST_URL = 512;

/** What went wrong; the page has a sentence for each. */
export const PAGE_ERRORS = ['names', 'address', 'stranger', 'busy', 'no-history', 'failed'] as const;
type PageError = (typeof PAGE_ERRORS)[number];
const STATUS_OF: Readonly<Record<PageError, number>> = {
  names: 403,
  address: 400,
  stranger: 404,
  busy: 503,
  'no-history': 404,
  failed: 500,
};

class Refused extends Error {
  constructor(readonly code: PageError) {
    super(code);
  }
}

export class Page {
  private readonly statusText: () => string;
  private readonly hourText: () => string;
  private readonly eventsText: () => string;
  private isSearching = false;

  constructor(
    private readonly parts: PageParts,
    clock: () => number = () => performance.now(),
  ) {
    this.statusText = shared(() => JSON.stringify(parts.status()), clock);
    this.hourText = shared(() => JSON.stringify(columnsOf(parts.hour())), clock);
    this.eventsText = shared(() => JSON.stringify(this.newest()), clock);
  }

  /** Answers, unless the path is none of the page's. The caller has refused everything but GET. */
  answer(request: IncomingMessage, response: ServerResponse): boolean {
    const url = request.url ?? '/';
    const path = url.split('?', 1)[0];
    const file = this.parts.files.get(path);
    const isApi = path.startsWith('/api/');
    if (file === undefined && !isApi) return false;
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
    if (!isForUs(request)) sayText(response, 421, 'open the page by an IP address of this host, or its host name\n');
    else if (url.length > MOST_URL) sayText(response, 414, 'too long\n');
    else if (file !== undefined) sayFile(request, response, file);
    else if (isCrossSite(request)) sayText(response, 403, 'asked by the page of another site\n');
    else void this.answerApi(path, url, request, response);
    return true;
  }

  private async answerApi(path: string, url: string, request: IncomingMessage, response: ServerResponse) {
    const { headers, socket } = request;
    const maySee = maySeeNames({ headers, remoteAddress: socket.remoteAddress }, this.parts.token);
    try {
      const text = await this.api(path, url, maySee);
      if (text === undefined) sayText(response, 404, 'there is nothing here\n');
      else sayJson(response, 200, text);
    } catch (error) {
      const code = error instanceof Refused ? error.code : error instanceof Busy ? 'busy' : 'failed';
      sayJson(response, STATUS_OF[code], JSON.stringify({ error: code }));
    }
  }

  /** Undefined for a path that does not exist. @throws Refused, Busy, or what a search throws */
  private api(path: string, url: string, maySee: boolean): string | Promise<string> | undefined {
    switch (path) {
      case '/api/status': {
        const { token, history } = this.parts;
        const names = { maySee, hasToken: token !== undefined, hasHistory: history.isKept };
        return `{"nowMs":${Date.now()},"names":${JSON.stringify(names)},"status":${this.statusText()}}`;
      }
      case '/api/hour':
        return this.hourText();
      case '/api/events':
        requireNames(maySee);
        return this.eventsText();
      case '/api/cpe':
        requireNames(maySee);
        return this.findCpe(this.cpeOf(url));
      case '/api/history':
        requireNames(maySee);
        if (!this.parts.history.isKept) throw new Refused('no-history');
        return this.parts.history.find(formatAddress(this.cpeOf(url)));
      default:
        return undefined;
    }
  }

  /** @throws Refused */
  private cpeOf(url: string): Address {
    const text = new URLSearchParams(url.slice(url.indexOf('?') + 1)).get('address') ?? '';
    const address = parseAddress(text.trim());
    if (address === undefined) throw new Refused('address');
    if (!this.parts.look().isCpe(address)) throw new Refused('stranger');
    return address;
  }

  private async findCpe(cpe: Address): Promise<string> {
    if (this.isSearching) throw new Refused('busy');
    this.isSearching = true;
    try {
      const { look } = this.parts;
      const [activatedCpes, connectionRequests, reportConnections] = [
        await entriesOf(look, 'activatedCpes', cpe),
        await entriesOf(look, 'connectionRequests', cpe),
        await entriesOf(look, 'reportConnections', cpe),
      ];
      const text = formatAddress(cpe);
      const { nowMs, events } = this.parts.events(0);
      const own = events.filter((event) => event.cpe === text).slice(-MOST_OF_CPE);
      const parts = { status: this.parts.status(), onCollectorDown: this.parts.onCollectorDown() };
      const entries = { activatedCpes, connectionRequests, reportConnections };
      const activation = answerOf(cpe, { to: 'itms', why: 'not-woken' }, entries, []).activation;
      const next = nextSession(activation, { ...parts, ...rulesOf(look(), cpe) });
      return JSON.stringify(answerOf(cpe, next, entries, onWallClock(own, nowMs)));
    } finally {
      this.isSearching = false;
    }
  }

  private newest(): { nowMs: number; log: readonly LogLine[]; first: number; events: TraceEvent[] } {
    const { log, events } = this.parts;
    const { next } = events();
    const since = Math.max(0, next - MOST_EVENTS);
    const newest = events(since);
    const first = newest.next - newest.events.length;
    return { nowMs: Date.now(), log: log(), first, events: onWallClock(newest.events, newest.nowMs) };
  }
}

function requireNames(maySee: boolean): void {
  if (!maySee) throw new Refused('names');
}

/** Times of CLOCK_BOOTTIME, as ms since 1970. */
function onWallClock(events: readonly TraceEvent[], nowMs: number): TraceEvent[] {
  const ahead = Date.now() - nowMs;
  return events.map((event) => ({ ...event, timeMs: Math.round(event.timeMs + ahead) }));
}

/** One answer serves all requests that come within SHARED_MS. */
function shared(make: () => string, clock: () => number): () => string {
  let madeMs = -Infinity;
  let text = '';
  return () => {
    const nowMs = clock();
    if (nowMs - madeMs >= SHARED_MS) {
      text = make();
      madeMs = nowMs;
    }
    return text;
  };
}

/** A column for each line of a plot: a third of the bytes that rows take. */
function columnsOf({ intervalMs, samples }: { intervalMs: number; samples: readonly HourSample[] }): object {
  const group = (of: (sample: HourSample) => Record<string, number>) => {
    const names = samples.length === 0 ? [] : Object.keys(of(samples[samples.length - 1]));
    return Object.fromEntries(names.map((name) => [name, samples.map((sample) => of(sample)[name] ?? 0)]));
  };
  return {
    intervalMs,
    timeMs: samples.map(({ timeMs }) => timeMs),
    packets: group(({ packets }) => packets),
    tables: group(({ tables }) => tables),
    diverted: samples.map(({ diverted }) => diverted),
    dropped: samples.map(({ dropped }) => dropped),
    waiting: samples.map(({ waiting }) => waiting),
  };
}

function sayText(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' });
  response.end(text);
}

function sayJson(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' });
  response.end(text);
}

function sayFile(request: IncomingMessage, response: ServerResponse, file: PageFile): void {
  const { headers } = request;
  response.setHeader('etag', file.tag).setHeader('cache-control', 'no-cache').setHeader('vary', 'accept-encoding');
  if (headers['if-none-match'] === file.tag) {
    response.writeHead(304).end();
    return;
  }
  const isGzipped = /\bgzip\b/.test(headers['accept-encoding']?.toString() ?? '');
  const body = isGzipped ? file.gzipped : file.plain;
  if (isGzipped) response.setHeader('content-encoding', 'gzip');
  response.writeHead(200, { 'content-type': file.type, 'content-length': body.length });
  response.end(body);
}
