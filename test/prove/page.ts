/**
 * The page beside a busy engine: tables of a million entries, 10 000 events a minute, searches, and a page that looks. What
 * the page takes of the supervisor's event loop, and what the browser takes to draw.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import { openBrowser, untilText, visit } from '../support/browser';
import { event, openStand, statusOf } from '../support/page-stand';
import { TOPOLOGY } from '../support/rig';
import { Splitter } from '../../src/splitter/splitter';
import type { Findings, Proof } from './proof';

const ENTRIES = 1_000_000;
const EVENTS_A_MINUTE = 10_000;
const SECONDS = 60;
const TICK_MS = 60;
const MAX_DELAY_MS = 100;
const MAX_SEARCH_MS = 1000;

async function prove(say: (line: string) => void): Promise<Findings> {
  const splitter = new Splitter({ topology: TOPOLOGY, activation: 'auto', capacityEntries: 1 << 20, seed: 1 });
  // 10.1.0.0/16 holds 65 536 CPEs: the other entries are of addresses that only the table knows.
  for (let n = 0; n < ENTRIES; n++) splitter.activate(Int32Array.of(0x0a010000 + n), 'c1', 0);
  say(`${splitter.tables.activatedCpes.count} entries`);
  let received = 0;
  const status = () => statusOf({ packets: { ...statusOf().packets, received: (received += 1000) } });
  const stand = await openStand({ look: () => splitter, status });
  let n = 0;
  const timer = setInterval(() => {
    for (const end = n + (EVENTS_A_MINUTE * TICK_MS) / 60_000; n < end; n++)
      stand.events.push(event(n, { timeMs: Date.now() }));
  }, TICK_MS);
  const browser = await openBrowser();
  try {
    const { page, complaints } = await visit(browser, `${stand.url}/?lang=en`);
    await untilText(page, /Newest events/);
    await page.evaluate(`window.longest = 0;
      new PerformanceObserver((list) => {
        for (const { duration } of list.getEntries()) window.longest = Math.max(window.longest, duration);
      }).observe({ type: 'longtask' });`);
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    const [cpuBefore, drawnBefore] = [process.cpuUsage(), await page.metrics()];
    const searchesMs: number[] = [];
    for (const endMs = performance.now() + SECONDS * 1000; performance.now() < endMs;) {
      const startedMs = performance.now();
      await (await fetch(`${stand.url}/api/cpe?address=10.1.${n & 255}.7`)).text();
      searchesMs.push(performance.now() - startedMs);
      await pause(1000);
    }
    const [cpu, drawn] = [process.cpuUsage(cpuBefore), await page.metrics()];
    delay.disable();
    const share = ((cpu.user + cpu.system) / (SECONDS * 1e6)) * 100;
    const drawnShare = ((drawn.TaskDuration! - drawnBefore.TaskDuration!) / SECONDS) * 100;
    const longestMs = Number(await page.evaluate('window.longest'));
    searchesMs.sort((one, other) => one - other);
    const [medianMs, slowestMs] = [searchesMs[searchesMs.length >> 1]!, searchesMs.at(-1)!];
    const delayMs = delay.percentile(99.9) / 1e6;
    const failures = complaints.slice();
    if (delayMs > MAX_DELAY_MS) failures.push(`the event loop stood for ${delayMs.toFixed()} ms`);
    if (slowestMs > MAX_SEARCH_MS) failures.push(`a search took ${slowestMs.toFixed()} ms`);
    const text = [
      '| entries | events a minute | CPU of the supervisor, a search a second included | its event loop held up, 99.9 % | a search: median, slowest | drawing: share of a core, longest |',
      '| --- | --- | --- | --- | --- | --- |',
      `| ${ENTRIES} | ${EVENTS_A_MINUTE} | ${share.toFixed(1)} % | ${delayMs.toFixed()} ms | ${medianMs.toFixed()} ms, ${slowestMs.toFixed()} ms | ${drawnShare.toFixed(1)} %, ${longestMs.toFixed()} ms |`,
    ].join('\n');
    return { failures, text };
  } finally {
    clearInterval(timer);
    await browser.close();
    await stand.close();
  }
}

export const page: Proof = {
  name: 'page',
  shows: 'the page beside a million entries and 10 000 events a minute stays quick, and the supervisor does not notice',
  takes: 'a minute and a half',
  needsRoot: false,
  section: { file: 'docs/decisions/page.md', name: 'page' },
  smallest: { tests: ['test/host/page.test.ts'] },
  full: prove,
};
