/** Debian's Chromium, without a window. */
import { type Browser, type Page, launch } from 'puppeteer-core';

export { type Browser, type Page };

/** @param program Chromium, or what starts it elsewhere */
export function openBrowser(program = '/usr/bin/chromium'): Promise<Browser> {
  return launch({
    executablePath: program,
    pipe: true,
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run', '--mute-audio'],
  });
}

export interface Visit {
  page: Page;
  /** What the page complained of: errors, refused scripts, requests to other hosts. */
  complaints: string[];
}

/** A new tab that records what goes wrong in it. */
export async function visit(browser: Browser, url: string, width = 1200, height = 900): Promise<Visit> {
  const page = await browser.newPage();
  const complaints: string[] = [];
  await page.setViewport({ width, height });
  page.on('pageerror', (error) => complaints.push(`error: ${String(error)}`));
  page.on('dialog', (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('console', (message) => {
    // A failed fetch is told as an error, too, and is no fault of the page.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) {
      complaints.push(`console: ${message.text()}`);
    }
  });
  const { host } = new URL(url);
  page.on('request', (request) => {
    const asked = new URL(request.url());
    if (asked.host !== host && asked.protocol !== 'data:') complaints.push(`asked ${request.url()}`);
  });
  await page.goto(url, { waitUntil: 'domcontentloaded' });
  return { page, complaints };
}

/** Waits until the page's text fits. */
export async function untilText(page: Page, pattern: RegExp): Promise<string> {
  await page.waitForFunction(`${String(pattern)}.test(document.body.innerText)`, { polling: 50, timeout: 20_000 });
  return textOf(page);
}

export async function textOf(page: Page): Promise<string> {
  return String(await page.evaluate('document.body.innerText'));
}

/** By how many pixels the page is wider than its window; a wide table scrolls by itself. */
export async function overhang(page: Page): Promise<number> {
  return Number(await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth'));
}
