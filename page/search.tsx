/** Where the sessions of one CPE go, and why, and where they went. */
import { type ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { type CpeAnswer } from '../src/engine/page/cpe';
import { type SearchAnswer } from '../src/engine/recorder/search';
import { type ConnectionEntry } from '../src/splitter/entries';
import { ask, AskError, type StatusAnswer } from './engine';
import { EventRows } from './events';
import { durationText, printable, timeText } from './format';
import { type Language, type Say, sayListed } from './texts';

interface Found {
  cpe: CpeAnswer;
  atMs: number;
  history?: SearchAnswer;
  historyError?: string;
}

interface SearchProps {
  say: Say;
  language: Language;
  names: StatusAnswer['names'];
}

export function Search({ say, language, names }: SearchProps) {
  const [address, setAddress] = useState('');
  const [found, setFound] = useState<Found>();
  const [error, setError] = useState<string>();
  const [isSearching, setSearching] = useState(false);

  const search = async (event: Event) => {
    event.preventDefault();
    if (isSearching || address.trim() === '') return;
    setSearching(true);
    setError(undefined);
    const query = `?address=${encodeURIComponent(address.trim())}`;
    try {
      const cpe = await ask<CpeAnswer>(`/api/cpe${query}`);
      setFound({ cpe, atMs: Date.now() });
      const kept = names.hasHistory ? await askHistory(query) : { historyError: 'no-history' };
      setFound({ cpe, atMs: Date.now(), ...kept });
    } catch (failure) {
      setFound(undefined);
      setError(codeOf(failure));
    } finally {
      setSearching(false);
    }
  };

  return (
    <section aria-labelledby="search-title">
      <h2 id="search-title">{say('search.title')}</h2>
      <form onSubmit={search} class="search" role="search">
        <label for="address">{say('search.label')}</label>
        <input
          id="address"
          value={address}
          onInput={(event) => setAddress(event.currentTarget.value)}
          maxLength={64}
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
          placeholder="10.1.0.5"
        />
        <button type="submit" disabled={isSearching}>
          {isSearching ? say('search.searching') : say('search.go')}
        </button>
      </form>
      <div aria-live="polite">
        {error !== undefined && <p class="bad">{sayListed(say, 'error', error)}</p>}
        {found !== undefined && <Answer found={found} say={say} language={language} />}
      </div>
    </section>
  );
}

async function askHistory(query: string): Promise<Pick<Found, 'history' | 'historyError'>> {
  try {
    return { history: await ask<SearchAnswer>(`/api/history${query}`) };
  } catch (failure) {
    return { historyError: codeOf(failure) };
  }
}

function codeOf(failure: unknown): string {
  return failure instanceof AskError ? failure.code : 'failed';
}

function Answer({ found, say, language }: { found: Found; say: Say; language: Language }) {
  const { cpe, history, historyError, atMs } = found;
  const { next, requests, connections, events } = cpe;
  const collector = printable(next.collector ?? '');
  const to = next.to === 'itms' ? say('search.to-itms') : printable(next.to);
  const left =
    next.remainingMs === undefined ? '' : say('search.left', { time: durationText(next.remainingMs, language) });
  return (
    <div class="answer">
      <p class="verdict">
        <b>{cpe.cpe}</b> <span class="quiet">{say('page.updated', { time: timeText(atMs) })}</span>
        <br />
        <strong>{say('search.next', { to })}</strong>
        {': '}
        {sayListed(say, 'next', next.why, { collector })}
        {left !== '' && <span class="quiet"> ({left})</span>}
      </p>
      <h3>{say('search.now')}</h3>
      <Connections title={say('search.requests')} rows={requests} say={say} language={language} />
      <Connections title={say('search.reports')} rows={connections} say={say} language={language} />
      <h3>{say('search.newest')}</h3>
      {events.length === 0 ? (
        <p class="quiet">{say('search.none')}</p>
      ) : (
        <EventRows events={[...events].reverse()} say={say} />
      )}
      <h3>{say('search.history')}</h3>
      {historyError !== undefined && <p class="quiet">{sayListed(say, 'error', historyError)}</p>}
      {history !== undefined && <History history={history} say={say} />}
    </div>
  );
}

interface ConnectionsProps {
  title: string;
  rows: readonly ConnectionEntry[];
  say: Say;
  language: Language;
}

function Connections({ title, rows, say, language }: ConnectionsProps) {
  if (rows.length === 0) {
    return (
      <p>
        {title}: <span class="quiet">{say('search.none')}</span>
      </p>
    );
  }
  const heads = ['search.server', 'search.phase', 'search.ports', 'search.idle'] as const;
  return (
    <Table caption={title} heads={heads.map((head) => say(head))}>
      {rows.map(({ owner, phase, cpePort, port, idleMs }) => (
        <tr key={`${cpePort}-${port}-${owner}`}>
          <td class="name">{printable(owner)}</td>
          <td>{sayListed(say, 'phase', phase)}</td>
          <td class="number">{`${cpePort} – ${port}`}</td>
          <td class="number">{durationText(idleMs, language)}</td>
        </tr>
      ))}
    </Table>
  );
}

/** A table that scrolls by itself where it is wider than the screen. */
export function Table({
  caption,
  heads,
  children,
}: {
  caption?: string;
  heads: readonly string[];
  children: ComponentChildren;
}) {
  return (
    <div class="scroll" tabIndex={0} role="group" aria-label={caption ?? heads[0]}>
      <table>
        {caption !== undefined && <caption>{caption}</caption>}
        <thead>
          <tr>
            {heads.map((head) => (
              <th key={head} scope="col">
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}

function History({ history, say }: { history: SearchAnswer; say: Say }) {
  const { sessions, events, seen, damaged } = history;
  const heads = ['search.ended', 'search.server', 'search.woken', 'search.connections', 'search.outcome'] as const;
  return (
    <>
      {sessions.length === 0 && events.length === 0 && <p class="quiet">{say('search.none')}</p>}
      {sessions.length > 0 && (
        <Table caption={say('search.kept', { count: sessions.length, seen })} heads={heads.map((head) => say(head))}>
          {sessions.map((session, i) => (
            <tr key={i}>
              <td class="number">{timeText(Number(session.endedMs))}</td>
              <td class="name">{printable(session.collector)}</td>
              <td>{sayListed(say, 'woken', printable(session.woken))}</td>
              <td class="number">{printable(session.connections)}</td>
              <td>{sayListed(say, 'outcome', printable(session.outcome))}</td>
            </tr>
          ))}
        </Table>
      )}
      {events.length > 0 && (
        <ul class="events">
          {events.map((event, i) => (
            <li key={i}>
              <time>{timeText(event.timeMs)}</time>
              <span>{operatorText(event, say)}</span>
            </li>
          ))}
        </ul>
      )}
      {damaged > 0 && <p class="bad">{say('search.damaged', { count: damaged })}</p>}
    </>
  );
}

function operatorText(event: Record<string, unknown>, say: Say): string {
  const { command, login, refused } = event;
  const values = { command: printable(command), login: printable(login), why: printable(refused) };
  return say(refused === undefined ? 'search.operator' : 'search.operator.refused', values);
}
