/** Numbers as a row of small bars, the newest to the right. */

const BLOCKS = '▁▂▃▄▅▆▇█';
/** For terminals that do not speak UTF-8. */
const ASCII = '_.-=+*%#';

/** `width` columns: blank where nothing is known, the lowest bar for next to nothing, the highest for the largest. */
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

/** A share from 0 to 1 as a bar; anything above nothing shows. */
export function gauge(share: number, width: number, isAscii = false): string {
  const [full, empty] = isAscii ? ['#', '.'] : ['█', '░'];
  const bars = share <= 0 ? 0 : Math.min(width, Math.max(1, Math.round(share * width)));
  return full.repeat(bars) + empty.repeat(width - bars);
}
