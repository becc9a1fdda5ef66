/** Lines over the last hour. Colours come from the style sheet, so they follow dark and light. */
import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import { countText, rateText } from './format';
import { type Say } from './texts';

export interface Line {
  label: string;
  values: readonly number[];
}

interface PlotProps {
  title: string;
  timeMs: readonly number[];
  lines: readonly Line[];
  say: Say;
}

const HEIGHT = 150;
/** The least that is shown: an engine that has just started would be a line at the edge of an hour. */
const LEAST_S = 600;

function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** Changes when the reader's system turns dark or light. */
function useScheme(): boolean {
  const query = useRef(matchMedia('(prefers-color-scheme: dark)'));
  const [isDark, setDark] = useState(query.current.matches);
  useEffect(() => {
    const { current } = query;
    const look = () => setDark(current.matches);
    current.addEventListener('change', look);
    return () => current.removeEventListener('change', look);
  }, []);
  return isDark;
}

function axes(): uPlot.Axis[] {
  const common = {
    stroke: colour('--quiet'),
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { show: false },
    font: '11px system-ui, sans-serif',
  };
  return [
    { ...common, space: 60, values: '{HH}:{mm}', size: 24 },
    { ...common, size: 46, space: 34, values: (_plot, ticks) => ticks.map((tick) => shortText(tick)) },
  ];
}

function shortText(value: number): string {
  return value >= 100_000 ? countText(value) : String(Math.round(value * 100) / 100);
}

export function Plot({ title, timeMs, lines, say }: PlotProps) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>();
  const isDark = useScheme();
  const names = lines.map(({ label }) => label).join('\n');
  const data = [timeMs.map((ms) => ms / 1000), ...lines.map(({ values }) => values)] as uPlot.AlignedData;
  const latest = useRef(data);
  latest.current = data;

  useEffect(() => {
    const { current } = place;
    if (current === null) return;
    const width = () => Math.max(120, current.clientWidth);
    const made = new uPlot(
      {
        width: width(),
        height: HEIGHT,
        padding: [8, 8, 0, 0],
        legend: { show: false },
        cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
        scales: {
          x: { range: (_plot, least, most) => [Math.min(least, most - LEAST_S), most] },
          y: { range: (_plot, _least, most) => [0, most > 0 ? most * 1.1 : 1] },
        },
        axes: axes(),
        series: [
          {},
          ...lines.map(({ label }, i) => ({
            label,
            stroke: colour(`--line-${i + 1}`),
            width: 1.5,
            points: { show: false },
          })),
        ],
      },
      latest.current,
      current,
    );
    plot.current = made;
    const observer = new ResizeObserver(() => made.setSize({ width: width(), height: HEIGHT }));
    observer.observe(current);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = undefined;
    };
    // Everything else is data.
  }, [names, isDark]);

  useEffect(() => plot.current?.setData(data), [timeMs, lines]);

  const summary = lines.map(({ label, values }) => {
    const highest = values.reduce((most, value) => Math.max(most, value), 0);
    return `${label}: ${say('plot.summary', { latest: rateText(values.at(-1)), highest: rateText(highest) })}`;
  });
  return (
    <figure class="plot">
      <figcaption>{title}</figcaption>
      <div ref={place} role="img" aria-label={`${title}. ${summary.join('. ')}`} />
      <ul class="legend">
        {lines.map(({ label, values }, i) => (
          <li key={label}>
            <span class={`swatch line-${i + 1}`} aria-hidden="true" />
            {label} <b>{rateText(values.at(-1))}</b>
          </li>
        ))}
      </ul>
    </figure>
  );
}
