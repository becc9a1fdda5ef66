/** A line chart as SVG, drawn by hand: logarithmic across, linear upwards from zero. */

export interface Series {
  name: string;
  points: [x: number, y: number][];
}

const WIDTH = 640;
const HEIGHT = 320;
const EDGE = { left: 60, right: 200, top: 36, bottom: 44 };
const COLOURS = ['#1b6ca8', '#c8553d', '#588157'];
const STEPS = 4;

export function plot(title: string, xLabel: string, yLabel: string, series: readonly Series[]): string {
  const points = series.flatMap((one) => one.points);
  const xs = [...new Set(points.map(([x]) => x))];
  const [low, high] = [Math.log10(Math.min(...xs)), Math.log10(Math.max(...xs))];
  const top = Math.ceil(Math.max(...points.map(([, y]) => y)) / 50) * 50;
  const across = (x: number) => EDGE.left + ((Math.log10(x) - low) / (high - low)) * (WIDTH - EDGE.left - EDGE.right);
  const up = (y: number) => HEIGHT - EDGE.bottom - (y / top) * (HEIGHT - EDGE.top - EDGE.bottom);
  const text = (x: number, y: number, words: string, more = '') =>
    `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${more}>${words}</text>`;
  const lines = Array.from({ length: STEPS + 1 }, (_, step) => {
    const y = (top * step) / STEPS;
    const rule = `<path d="M${EDGE.left} ${up(y).toFixed(1)}H${WIDTH - EDGE.right}" stroke="#ddd"/>`;
    return rule + text(EDGE.left - 8, up(y) + 4, `${y}`, 'text-anchor="end"');
  });
  const ticks = xs.map((x) =>
    text(across(x), HEIGHT - EDGE.bottom + 18, x.toLocaleString('en').replaceAll(',', ' '), 'text-anchor="middle"'),
  );
  const curves = series.map((one, i) => {
    const colour = COLOURS[i % COLOURS.length];
    const path = one.points.map(([x, y]) => `${across(x).toFixed(1)} ${up(y).toFixed(1)}`).join('L');
    const dots = one.points
      .map(([x, y]) => `<circle cx="${across(x).toFixed(1)}" cy="${up(y).toFixed(1)}" r="3"/>`)
      .join('');
    const legend = text(WIDTH - EDGE.right + 14, EDGE.top + 18 * i + 8, one.name);
    return `<g fill="${colour}"><path d="M${path}" fill="none" stroke="${colour}" stroke-width="2"/>${dots}${legend}</g>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" font-family="sans-serif" font-size="12">`,
    '<rect width="100%" height="100%" fill="white"/>',
    text(EDGE.left, 20, `${title} (${yLabel})`, 'font-weight="bold"'),
    ...lines,
    ...ticks,
    text((WIDTH - EDGE.right + EDGE.left) / 2, HEIGHT - 8, xLabel, 'text-anchor="middle"'),
    ...curves,
    '</svg>',
    '',
  ].join('\n');
}
