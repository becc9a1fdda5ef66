/** The page in Debian's Chromium, with an engine behind it that says what a test wants: hostile texts, silence. */
import { type Status } from '../../src/engine/report/status';
import { openBrowser, overhang, textOf, untilText, visit, type Browser } from '../support/browser';
import { arm, event, openStand, samples, type Stand, statusOf } from '../support/page-stand';
import { serverStatus } from '../support/server-status';
import { describeWith } from '../support/tools';

jest.setTimeout(120_000);

const LONG = 'ö'.repeat(3000);
const HOSTILE = [
  '<script>alert(1)</script>',
  '<img src=x onerror=alert(2)>',
  '"><svg onload=alert(3)>',
  "javascript:alert('4')",
  '{{constructor.constructor("alert(5)")()}} ${alert(6)} {count}',
  '\u202egnihtyna\u0000\u001b[31m\u2028</textarea></title></style>',
  LONG,
  '__proto__',
];

describeWith('chromium', 'the page', () => {
  let browser: Browser;
  const stands: Stand[] = [];
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterEach(async () => {
    for (const stand of stands.splice(0)) await stand.close();
    for (const page of (await browser.pages()).slice(1)) await page.close();
  });
  afterAll(() => browser?.close());

  async function open(...words: Parameters<typeof openStand>): Promise<Stand> {
    const stand = await openStand(...words);
    stands.push(stand);
    return stand;
  }

  test('state, servers, tables, plots, events; a search by keyboard alone; both languages', async () => {
    const stand = await open();
    arm(stand, '10.1.0.5');
    stand.events.push(event(1), event(5, { cpe: '10.1.0.5', timeMs: Date.now() }));
    stand.log.warn({ event: 'server-degraded' }, 'collector c1 is degraded');
    const { page, complaints } = await visit(browser, `${stand.url}/?lang=en`);
    const text = await untilText(page, /Log/);
    for (const part of [
      'Verdicts flow',
      'ITMS',
      'c1',
      'carries',
      'connectionRequests',
      '91.6 %',
      'Packets per second',
    ]) {
      expect(text).toContain(part);
    }
    expect(text).toContain('collector c1 is degraded');
    expect(text).not.toMatch(/Cluster|undefined|NaN|\[object/);
    // A canvas without a line would be one colour.
    const inked = await page.evaluate(`(() => {
      const canvas = document.querySelector('canvas');
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      return new Set(new Uint32Array(data.buffer)).size;
    })()`);
    expect(inked).toBeGreaterThan(10);

    await page.keyboard.press('/');
    await page.keyboard.type('10.1.0.5');
    await page.keyboard.press('Enter');
    const found = await untilText(page, /Its next session goes to c1: c1 has woken it/);
    expect(found).toContain('No history is kept');
    await page.evaluate('document.activeElement.blur()');
    await page.keyboard.press('l');
    const chinese = await untilText(page, /下一个会话将转往 c1/);
    expect(chinese).toContain('与 c1 的会话已关闭');
    expect(page.url()).toContain('lang=zh');
    expect(await page.evaluate('document.documentElement.lang')).toBe('zh-CN');
    await page.keyboard.press('?');
    await untilText(page, /快捷键/);
    await page.keyboard.press('f');
    await untilText(page, /继续/);
    stand.events.push(event(9, { owner: 'c-unseen' }));
    expect(await textOf(page)).not.toContain('c-unseen');
    await page.keyboard.press('f');
    await untilText(page, /c-unseen/);
    expect(complaints).toEqual([]);
  });

  test('an engine that goes away: said since when, the last figures stay, greyed; then it is back', async () => {
    const stand = await open();
    const listen = stand.url.slice('http://'.length);
    const { page, complaints } = await visit(browser, `${stand.url}/?lang=en`);
    await untilText(page, /Verdicts flow/);
    const since = new Date();
    await stand.close();
    const text = await untilText(page, /does not answer since \d\d:\d\d:\d\d/);
    const told = /since (?:\S+ )?(\d\d):(\d\d):(\d\d)/.exec(text)!.slice(1).map(Number);
    const seconds = (told[0]! * 60 + told[1]!) * 60 + told[2]!;
    const expected = (since.getHours() * 60 + since.getMinutes()) * 60 + since.getSeconds();
    expect(Math.abs(seconds - expected)).toBeLessThanOrEqual(5);
    expect(text).toContain('4321 in all');
    expect(await page.evaluate(`getComputedStyle(document.querySelector('.away')).filter`)).toBe('grayscale(1)');
    await page.type('#address', '10.1.0.5');
    await page.keyboard.press('Enter');
    await untilText(page, /\nThe engine does not answer\.\n/);
    await open({ status: () => statusOf({ ready: false, paused: true }) }, listen);
    const back = await untilText(page, /No verdicts flow, seen since/);
    expect(back).toContain('Paused by an operator');
    expect(back).not.toContain('does not answer since');
    expect(complaints).toEqual([]);
  });

  test('hostile names, reasons, events and log lines are text: nothing runs, nothing leaves its place', async () => {
    const everywhere = (text: string): Partial<Status> => ({
      ...{ version: text, name: text, activation: text as Status['activation'] },
      servers: Object.fromEntries(
        HOSTILE.map((name) => [name, serverStatus({ state: 'down', why: text, address: text, sinceMs: 1e15 })]),
      ),
      fastPath: {
        mode: 'on',
        loaded: true,
        carries: false,
        interfaces: HOSTILE,
        reason: text,
        flows: 0,
        packets: { [text]: 1e300 },
      },
      configuration: {
        ...{ file: text, differs: HOSTILE, error: text },
        ...{ reloads: { done: 0, refused: 0 }, refused: true, upgraded: true },
      },
      cluster: {
        state: text,
        peers: HOSTILE.map((name) => ({ name, lagMs: 1e300, seenMs: -1 })),
      } as Status['cluster'] & {
        state: 'joined';
      },
    });
    let text = HOSTILE[0]!;
    const find = () =>
      Promise.resolve(
        JSON.stringify({
          sessions: HOSTILE.map((word) => ({
            endedMs: word,
            collector: word,
            woken: word,
            outcome: word,
            connections: word,
          })),
          events: HOSTILE.map((word) => ({ timeMs: 1e300, kind: word, command: word, login: word, refused: word })),
          ...{ seen: 9, damaged: 9 },
        }),
      );
    const hour = samples(5).map((sample) => ({
      ...sample,
      packets: Object.fromEntries(HOSTILE.map((name) => [name, 1e12])),
    }));
    const stand = await open({
      status: () => statusOf(everywhere(text)),
      hour: () => ({ intervalMs: 10_000, samples: hour }),
      history: { isKept: true, find },
    });
    for (const [n, word] of HOSTILE.entries()) {
      stand.events.push(event(n, { event: word, owner: word, cpe: word, timeMs: 1e300 }), event(n, { owner: word }));
      stand.log.error({ event: word }, word);
    }
    for (const [width, language] of [
      [360, 'zh'],
      [1200, 'en'],
    ] as const) {
      const { page, complaints } = await visit(browser, `${stand.url}/?lang=${language}`, width);
      await page.waitForSelector('.log li');
      await page.type('#address', '10.1.0.5');
      await page.keyboard.press('Enter');
      await page.waitForSelector('.answer .scroll');
      for (text of HOSTILE) {
        await page.waitForFunction(
          `document.body.innerText.includes(${JSON.stringify(text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}]/gu, '�').slice(0, 30))})`,
        );
      }
      expect(await overhang(page)).toBe(0);
      // No element came out of a text.
      expect(await page.evaluate(`document.querySelectorAll('script, img, svg, iframe, title + title').length`)).toBe(
        1,
      );
      expect(
        await page.evaluate(`[...document.querySelectorAll('*')].some((one) =>
        [...one.attributes].some(({ name }) => name.startsWith('on')))`),
      ).toBe(false);
      expect(complaints).toEqual([]);
      await page.close();
    }
  });

  test('a script or style that got into the page would not run: the policy refuses it', async () => {
    const stand = await open();
    const { page } = await visit(browser, stand.url);
    await untilText(page, /acsplit/);
    const ran = await page.evaluate(`(() => {
      const script = document.createElement('script');
      let refused = '';
      try { script.textContent = 'window.ran = true'; } catch (error) { refused = String(error); }
      document.body.append(script);
      let markup = '';
      try { document.body.innerHTML = '<b>'; } catch (error) { markup = String(error); }
      return { ran: window.ran === true, refused, markup };
    })()`);
    expect(ran).toMatchObject({ ran: false, markup: expect.stringContaining('TrustedHTML') as string });
  });

  test('names hidden: told how to see them; with the token they are shown, and it is in no address', async () => {
    const token = '0123456789abcdef';
    const stand = await open({ token });
    stand.events.push(event(1));
    const { page, complaints } = await visit(browser, `${stand.url}/?lang=en`);
    const text = await untilText(page, /need the token of metrics.tokenFile/);
    expect(text).not.toContain('Newest events');
    await page.type('#token', token);
    await page.keyboard.press('Enter');
    expect(await untilText(page, /Newest events/)).toContain('diverted to c1');
    expect(page.url()).not.toContain(token);
    expect(complaints).toEqual([]);
  });

  test('phone and dark: nothing wider than the screen, and text that can be read', async () => {
    const stand = await open();
    for (let n = 0; n < 200; n++) stand.events.push(event(n));
    const { page } = await visit(browser, `${stand.url}/?lang=zh`, 320, 640);
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: 'dark' }]);
    await untilText(page, /最新事件/);
    expect(await overhang(page)).toBe(0);
    const luminance = (selector: string, property: string) =>
      page.evaluate(`(() => {
        const [r, g, b] = getComputedStyle(document.querySelector('${selector}')).${property}.match(/[\\d.]+/g).map((part) => {
          const share = part / 255;
          return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      })()`) as Promise<number>;
    for (const scheme of ['dark', 'light']) {
      await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
      for (const part of ['td', '.tile .quiet', '.tile .good', 'th']) {
        const [ink, card] = [await luminance(part, 'color'), await luminance('section', 'backgroundColor')];
        // WCAG 2.2, 1.4.3
        expect((Math.max(ink, card) + 0.05) / (Math.min(ink, card) + 0.05)).toBeGreaterThan(4.5);
      }
    }
  });
});
