/** The newest events of activations and connections, and the newest lines of the log. */
import { useEffect, useState } from 'preact/hooks';
import { type TraceEvent } from '../src/engine/control/operations';
import { type EventsAnswer } from './engine';
import { printable, timeText } from './format';
import { type Say, sayListed } from './texts';

/** Rows that are shown; the page must stay quick whatever comes. */
const MOST_ROWS = 60;

export function EventRows({ events, say, first }: { events: readonly TraceEvent[]; say: Say; first?: number }) {
  return (
    <ol class="events">
      {events.map((event, i) => (
        // Numbered from the newest, so that rows that stay are not drawn again.
        <li key={first === undefined ? i : first + events.length - i}>
          <time>{timeText(event.timeMs)}</time>
          <span class="address">{printable(event.cpe)}</span>
          <span>{sayListed(say, 'event', printable(event.event), { owner: printable(event.owner) })}</span>
        </li>
      ))}
    </ol>
  );
}

interface EventsProps {
  answer: EventsAnswer | undefined;
  isFrozen: boolean;
  onFreeze: () => void;
  say: Say;
}

/** How many events passed unseen between the last two looks. */
function useSkipped(answer: EventsAnswer | undefined): number {
  const [state, setState] = useState({ next: -1, skipped: 0 });
  useEffect(() => {
    if (answer === undefined) return;
    setState(({ next }) => ({
      next: answer.first + answer.events.length,
      skipped: next < 0 || answer.first < next ? 0 : answer.first - next,
    }));
  }, [answer]);
  return state.skipped;
}

export function Events({ answer, isFrozen, onFreeze, say }: EventsProps) {
  const [kept, setKept] = useState<EventsAnswer>();
  useEffect(() => {
    if (!isFrozen) setKept(answer);
  }, [answer, isFrozen]);
  const skipped = useSkipped(kept);
  const shown = isFrozen ? (kept ?? answer) : answer;
  if (shown === undefined) return null;
  const events = shown.events.slice(-MOST_ROWS).reverse();
  const first = shown.first + shown.events.length - events.length;
  const log = shown.log.slice(-MOST_ROWS).reverse();
  return (
    <div class="two">
      <section aria-labelledby="events-title">
        <div class="head">
          <h2 id="events-title">{say('events.title')}</h2>
          <button type="button" onClick={onFreeze} aria-pressed={isFrozen}>
            {isFrozen ? say('events.go-on') : say('events.freeze')}
          </button>
        </div>
        <div class="tall" tabIndex={0} role="group" aria-labelledby="events-title">
          {skipped > 0 && <p class="quiet">{say('events.skipped', { count: skipped })}</p>}
          {events.length === 0 && <p class="quiet">{say('events.none')}</p>}
          <EventRows events={events} first={first} say={say} />
        </div>
      </section>
      <section aria-labelledby="log-title">
        <h2 id="log-title">{say('events.log')}</h2>
        <div class="tall" tabIndex={0} role="group" aria-labelledby="log-title">
          {log.length === 0 && <p class="quiet">{say('events.none')}</p>}
          <ol class="events log">
            {log.map(({ number, timeMs, level, event, message }) => (
              <li key={number} class={level === 'error' ? 'bad' : level === 'warn' ? 'odd' : ''}>
                <time>{timeText(timeMs)}</time>
                <span class="address">{printable(level === 'info' ? event : `${level}: ${event}`)}</span>
                <span>{printable(message)}</span>
              </li>
            ))}
          </ol>
        </div>
      </section>
    </div>
  );
}
