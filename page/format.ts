/** Numbers and times as text. */
import { type Language } from './texts';

/** What came from outside, on one line: control characters and those that turn the direction of text would disturb it. */
export function printable(value: unknown): string {
  return String(value ?? '').replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '�');
}

/** In full up to 99 999, then `123k`, `12.3M`. */
export function countText(count: number): string {
  if (!Number.isFinite(count)) return '–';
  if (count < 100_000) return String(Math.round(count));
  const [unit, letter] = count < 1e6 ? [1e3, 'k'] : count < 1e9 ? [1e6, 'M'] : [1e9, 'G'];
  const scaled = count / unit;
  return `${scaled.toFixed(scaled < 10 ? 2 : scaled < 100 ? 1 : 0)}${letter}`;
}

/** `0`, `0.4`, `12`, `123k`; `–` before the first measurement. */
export function rateText(rate: number | undefined): string {
  if (rate === undefined) return '–';
  return rate > 0 && rate < 10 ? rate.toFixed(1) : countText(Math.round(rate));
}

const UNITS: Record<Language, readonly [string, string, string, string]> = {
  en: [' s', ' min', ' h', ' d'],
  zh: [' 秒', ' 分钟', ' 小时', ' 天'],
};

export function durationText(ms: number, language: Language): string {
  const [second, minute, hour, day] = UNITS[language];
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 120) return `${seconds}${second}`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)}${minute}`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)}${hour}`;
  return `${Math.floor(seconds / 86_400)}${day}`;
}

/** Local time of the reader, `22:37:04`; with the date if it was another day. */
export function timeText(timeMs: number, nowMs = Date.now()): string {
  const time = new Date(timeMs);
  if (Number.isNaN(time.getTime())) return '–';
  const two = (part: number) => String(part).padStart(2, '0');
  const clock = `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
  if (time.toDateString() === new Date(nowMs).toDateString()) return clock;
  return `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())} ${clock}`;
}
