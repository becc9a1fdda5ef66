/** The page. It shows what /api/ answers, as text: nothing that comes from outside is ever read as markup. */
import { render } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { type Status } from '../src/engine/report/status';
import { carriedPackets, type HourAnswer, keepToken, type Seen, useEngine } from './engine';
import { Events } from './events';
import { countText, durationText, printable, rateText, timeText } from './format';
import { Plot } from './plots';
import { Search, Table } from './search';
import { chooseLanguage, type Language, type Say, sayListed, speaker } from './texts';

function useLanguage(): [Language, () => void] {
  const [language, setLanguage] = useState(() => chooseLanguage(location.search, navigator.languages));
  useEffect(() => {
    document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en';
  }, [language]);
  const turn = () => {
    const other = language === 'zh' ? 'en' : 'zh';
    const url = new URL(location.href);
    url.searchParams.set('lang', other);
    history.replaceState(null, '', url);
    setLanguage(other);
  };
  return [language, turn];
}

function Page() {
  const [language, turnLanguage] = useLanguage();
  const say = useMemo(() => speaker(language), [language]);
  const seen = useEngine();
  const [isFrozen, setFrozen] = useState(false);
  const [hasHelp, setHelp] = useState(false);
  const toSearch = () => document.getElementById('address')?.focus();

  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const isTyping = event.target instanceof HTMLInputElement;
      if (event.key === 'Escape') setHelp(false);
      if (isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
      const act = {
        '/': toSearch,
        f: () => setFrozen((was) => !was),
        l: turnLanguage,
        '?': () => setHelp((was) => !was),
      };
      if (!Object.hasOwn(act, event.key)) return;
      event.preventDefault();
      act[event.key as keyof typeof act]();
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  });

  const { answer, isAway } = seen;
  const names = answer?.names;
  return (
    <>
      <header>
        <h1>
          acsplit <span class="quiet">{printable(answer?.status.version ?? '')}</span>
          {answer !== undefined && answer.status.name !== 'default' && (
            <span class="name"> {printable(answer.status.name)}</span>
          )}
        </h1>
        <span class="quiet updated">
          {seen.answeredMs !== undefined && say('page.updated', { time: timeText(seen.answeredMs) })}
        </span>
        <button type="button" onClick={turnLanguage} lang={language === 'zh' ? 'en' : 'zh-CN'}>
          {say('page.language')}
        </button>
      </header>
      {hasHelp && <Help say={say} />}
      <Banner seen={seen} say={say} />
      <div class={isAway ? 'away' : ''}>
        {answer !== undefined && <Figures seen={seen} say={say} language={language} />}
      </div>
      {names?.maySee && <Search say={say} language={language} names={names} />}
      {names !== undefined && !names.maySee && <Names say={say} hasToken={names.hasToken} />}
      <div class={isAway ? 'away' : ''}>
        {seen.hour !== undefined && <Hour hour={seen.hour} say={say} />}
        {names?.maySee && (
          <Events answer={seen.events} isFrozen={isFrozen} onFreeze={() => setFrozen(!isFrozen)} say={say} />
        )}
      </div>
    </>
  );
}

function Help({ say }: { say: Say }) {
  const keys = [
    ['/', 'keys.search'],
    ['f', 'keys.freeze'],
    ['l', 'keys.language'],
    ['?', 'keys.help'],
  ] as const;
  return (
    <section aria-labelledby="keys-title" class="help">
      <h2 id="keys-title">{say('keys.title')}</h2>
      <dl>
        {keys.map(([key, text]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{say(text)}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

/** What is not as it should be, the worst first. */
function Banner({ seen, say }: { seen: Seen; say: Say }) {
  const { answer, isAway, answeredMs, idleSinceMs } = seen;
  const lines: [kind: 'bad' | 'odd', text: string][] = [];
  if (isAway) {
    const text = answeredMs === undefined ? say('engine.never') : say('engine.away', { time: timeText(answeredMs) });
    lines.push(['bad', text]);
  }
  if (answer !== undefined) {
    const { status } = answer;
    const { configuration: kept, losses } = status;
    if (idleSinceMs !== undefined) lines.push(['bad', say('engine.not-ready.since', { time: timeText(idleSinceMs) })]);
    if (status.fallback?.active) lines.push(['bad', say('engine.fallback')]);
    if (status.paused) lines.push(['odd', say('engine.paused')]);
    if (status.activation === 'off') lines.push(['odd', say('engine.off')]);
    if (kept?.error) lines.push(['bad', say('engine.unusable', { why: printable(kept.error) })]);
    if (kept !== undefined && kept.differs.length > 0) {
      lines.push(['odd', say('engine.drift', { keys: printable(kept.differs.join(', ')) })]);
    }
    if (kept?.upgraded) lines.push(['odd', say('engine.upgraded')]);
    const lost = Object.values(losses).reduce((sum, count) => sum + count, 0);
    if (lost > 0) lines.push(['odd', say('engine.lost', { count: countText(lost) })]);
  }
  return (
    <div role="status">
      {lines.map(([kind, text]) => (
        <p key={text} class={`banner ${kind}`}>
          {text}
        </p>
      ))}
    </div>
  );
}

function Figures({ seen, say, language }: { seen: Seen; say: Say; language: Language }) {
  const { answer, rates } = seen;
  if (answer === undefined) return null;
  const { status } = answer;
  const restarts = status.workers.reduce((sum, worker) => sum + worker.restarts, 0);
  const { mode = 'off', carries = false, interfaces = [], reason = null } = status.fastPath ?? {};
  const perSecond = (rate: number | undefined) => say('tile.per-second', { rate: rateText(rate) });
  const byReason = status.packets.byReason;
  const diverted = (byReason.diverted ?? 0) + (byReason['diverted-in-grace'] ?? 0);
  const engineText = status.ready ? say('engine.ready') : say('engine.not-ready');
  return (
    <>
      <div class="tiles">
        <Tile title={say('tile.engine')} kind={status.ready ? 'good' : 'bad'} value={engineText}>
          {say('tile.up', { time: durationText(status.uptimeMs, language), restarts })}
        </Tile>
        <Tile
          title={say('tile.activation')}
          kind={status.paused || status.activation === 'off' ? 'odd' : 'good'}
          value={printable(status.activation)}
        >
          {say('tile.running', { count: countText(status.tables.reportConnections.count) })}
        </Tile>
        <Tile title={say('tile.diverted')} value={perSecond(rates.diverted)}>
          {say('tile.total', { count: countText(diverted) })}
        </Tile>
        <Tile title={say('tile.packets')} value={perSecond(rates.packets)}>
          {say('tile.total', { count: countText(status.packets.received) })}
        </Tile>
        <Tile
          title={say('tile.fast-path')}
          kind={mode === 'off' ? undefined : carries && reason === null ? 'good' : 'odd'}
          value={mode === 'off' ? say('fast-path.off') : carries ? say('fast-path.on') : say('fast-path.not')}
        >
          {mode !== 'off' && `${say('tile.carried')}: ${perSecond(rates.carried)}, `}
          {mode !== 'off' && say('tile.total', { count: countText(carriedPackets(status)) })}
          {mode !== 'off' && <div class="name">{printable([...interfaces, reason ?? ''].join(' '))}</div>}
        </Tile>
      </div>
      <div class="two">
        <Servers seen={seen} say={say} language={language} />
        <Tables seen={seen} say={say} />
      </div>
      <ClusterView cluster={status.cluster} say={say} language={language} />
    </>
  );
}

interface TileProps {
  title: string;
  value: string;
  kind?: 'good' | 'odd' | 'bad' | undefined;
  children?: preact.ComponentChildren;
}

function Tile({ title, value, kind, children }: TileProps) {
  return (
    <section class="tile">
      <h2>{title}</h2>
      <p class={`value ${kind ?? ''}`}>{value}</p>
      <div class="quiet">{children}</div>
    </section>
  );
}

const KIND_OF = { up: 'good', degraded: 'odd', down: 'bad' } as const;

function Servers({ seen: { answer, rates }, say, language }: { seen: Seen; say: Say; language: Language }) {
  const servers = Object.entries(answer?.status.servers ?? {});
  if (servers.length === 0) return null;
  const heads = [
    'servers.name',
    'servers.state',
    'servers.opened',
    'servers.failed',
    'servers.answers',
    'servers.why',
  ] as const;
  return (
    <section aria-labelledby="servers-title">
      <h2 id="servers-title">{say('servers.title')}</h2>
      <Table heads={heads.map((head) => say(head))}>
        {servers.map(([name, one]) => (
          <tr key={name}>
            <td class="name">{name === 'itms' ? say('servers.itms') : printable(name)}</td>
            <td class="number">
              <b class={KIND_OF[one.state] ?? ''}>{sayListed(say, 'state', one.state)}</b>{' '}
              <span class="quiet">{durationText(one.sinceMs, language)}</span>
            </td>
            <td class="number">{rateText(rates.opened[name])}</td>
            <td class="number">{countText(one.refused + one.unanswered)}</td>
            <td class="number">{one.answerMs === null ? '–' : `${one.answerMs} ms`}</td>
            <td class="wide">{printable(one.why ?? '')}</td>
          </tr>
        ))}
      </Table>
    </section>
  );
}

function Tables({ seen: { answer }, say }: { seen: Seen; say: Say }) {
  if (answer === undefined) return null;
  const heads = ['tables.name', 'tables.entries', 'tables.capacity', 'tables.fill', 'tables.refused'] as const;
  return (
    <section aria-labelledby="tables-title">
      <h2 id="tables-title">{say('tables.title')}</h2>
      <Table heads={heads.map((head) => say(head))}>
        {Object.entries(answer.status.tables).map(([name, { count, capacity, full }]) => {
          const share = capacity === 0 ? 0 : (100 * count) / capacity;
          return (
            <tr key={name}>
              <td>{sayListed(say, 'table', name)}</td>
              <td class="number">{countText(count)}</td>
              <td class="number">{countText(capacity)}</td>
              <td class="number">
                <meter min={0} max={100} high={70} optimum={0} value={share} aria-hidden="true" /> {share.toFixed(1)} %
              </td>
              <td class={`number ${full > 0 ? 'bad' : ''}`}>{countText(full)}</td>
            </tr>
          );
        })}
      </Table>
    </section>
  );
}

interface ClusterProps {
  /** An older engine has none. */
  cluster: Status['cluster'] | undefined;
  say: Say;
  language: Language;
}

/** Nothing where this router is in no cluster. */
function ClusterView({ cluster, say, language }: ClusterProps) {
  if (cluster === undefined || cluster.state === 'off') return null;
  const { state, peers = [], stores = [] } = cluster;
  const title = `${say('cluster.title')}: ${sayListed(say, 'cluster-state', printable(state))}`;
  const peerHeads = ['cluster.peer', 'servers.state', 'cluster.lag', 'cluster.seen'] as const;
  const storeHeads = ['cluster.store', 'servers.state', 'servers.why'] as const;
  return (
    <section aria-labelledby="cluster-title">
      <h2 id="cluster-title">{title}</h2>
      <div class="two">
        {peers.length === 0 ? (
          <p class="quiet">{say('cluster.none')}</p>
        ) : (
          <Table heads={peerHeads.map((head) => say(head))}>
            {peers.map(({ name, ready, lagMs, seenMs }) => (
              <tr key={name}>
                <td class="name">{printable(name)}</td>
                <td>{say(ready ? 'engine.ready' : 'engine.not-ready')}</td>
                <td class="number">{`${countText(lagMs)} ms`}</td>
                <td class="number">{durationText(seenMs, language)}</td>
              </tr>
            ))}
          </Table>
        )}
        {stores.length > 0 && (
          <Table heads={storeHeads.map((head) => say(head))}>
            {stores.map(({ address, state: one, error }) => (
              <tr key={address}>
                <td class="name">{printable(address)}</td>
                <td class={one === 'up' ? 'good' : 'odd'}>{sayListed(say, 'store', printable(one))}</td>
                <td class="wide">{printable(error ?? '')}</td>
              </tr>
            ))}
          </Table>
        )}
      </div>
    </section>
  );
}

function Hour({ hour, say }: { hour: HourAnswer; say: Say }) {
  const { timeMs, packets, tables, diverted, dropped, waiting } = hour;
  const plots = useMemo(() => {
    const named = (columns: Record<string, number[]>, list: string) =>
      Object.entries(columns).map(([name, values]) => ({ label: sayListed(say, list, name), values }));
    const isShown = ({ label, values }: { label: string; values: number[] }) =>
      label !== say('line.host') || values.some((value) => value > 0);
    return [
      { title: say('plot.packets'), lines: named(packets, 'line').filter(isShown) },
      {
        title: say('plot.sessions'),
        lines: [
          { label: say('line.diverted'), values: diverted },
          { label: say('line.dropped'), values: dropped },
        ],
      },
      { title: say('plot.fill'), lines: named(tables, 'table') },
      { title: say('plot.waiting'), lines: [{ label: say('line.waiting'), values: waiting }] },
    ];
  }, [hour, say]);
  if (timeMs.length === 0) return <p class="quiet">{say('plot.empty')}</p>;
  return (
    <div class="plots">
      {plots.map(({ title, lines }) => (
        <Plot key={title} title={title} timeMs={timeMs} lines={lines} say={say} />
      ))}
    </div>
  );
}

function Names({ say, hasToken }: { say: Say; hasToken: boolean }) {
  const [text, setText] = useState('');
  const use = (event: Event) => {
    event.preventDefault();
    keepToken(text.trim());
    setText('');
  };
  return (
    <section aria-labelledby="names-title">
      <h2 id="names-title">{say('names.title')}</h2>
      <p>{hasToken ? say('names.token') : say('names.loopback')}</p>
      {hasToken && (
        <form class="search" onSubmit={use}>
          <label for="token">{say('names.enter')}</label>
          <input
            id="token"
            type="password"
            autocomplete="off"
            maxLength={512}
            value={text}
            onInput={(event) => setText(event.currentTarget.value)}
          />
          <button type="submit">{say('names.use')}</button>
        </form>
      )}
    </section>
  );
}

const place = document.getElementById('page');
if (place !== null) render(<Page />, place);
