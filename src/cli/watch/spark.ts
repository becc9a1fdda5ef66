/** Numbers as a row of small bars, the newest on the right. */

const BLOCKS = '▁▂▃▄▅▆▇█';
/** For terminals without UTF-8. */
const ASCII = '_.-=+*%#';

/** `width` columns: blank where there is no value yet, the lowest bar for 0, the highest for the largest value. */
export function sparkline(values: readonly number[], width: number, isAscii = false): string {
  const bars = isAscii ? ASCII : BLOCKS;
  const shown = width > 0 ? values.slice(-width) : [];
  const largest = Math.max(...shown, 0);
  const text = shown.map((value) => {
    if (largest === 0 || value <= 0) return bars[0];
    return bars[Math.min(bars.length - 1, Math.max(1, Math.ceil((value / largest) * (bars.length - 1))))];
  });
  return text.join('').padStart(width);
}

/** A share from 0 to 1 as a bar. Any share above 0 shows at least one cell. */
export function gauge(share: number, width: number, isAscii = false): string {
  const [full, empty] = isAscii ? ['#', '.'] : ['█', '░'];
  const bars = share <= 0 ? 0 : Math.min(width, Math.max(1, Math.round(share * width)));
  return full.repeat(bars) + empty.repeat(width - bars);
}
