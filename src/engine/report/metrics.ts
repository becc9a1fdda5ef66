/** Renders the engine's metrics for Prometheus: read at scrape time, from one snapshot, and not updated in between. */

import { collectDefaultMetrics, Counter, Gauge, type Metric, Registry } from 'prom-client';
import { type Histogram } from '../shared/histogram';
import { COUNTERS, GAUGES, HISTOGRAMS, labelsOf } from './metric-list';
import { type Snapshot } from './metric-readings';

/** Renders a scrape. @param look called once per scrape */
export function makeMetrics(look: () => Snapshot): { contentType: string; render(): Promise<string> } {
  const registry = new Registry();
  // Of the supervisor: process_* and nodejs_*.
  collectDefaultMetrics({ register: registry });
  let snapshot: Snapshot;
  for (const [name, help, read] of GAUGES) {
    const gauge: Gauge = new Gauge({
      ...{ name, help, labelNames: labelsOf(name), registers: [registry] },
      collect: () => {
        gauge.reset();
        for (const [labels, value] of read(snapshot)) gauge.set(labels, value);
      },
    });
  }
  for (const [name, help, read] of COUNTERS) {
    const counter: Counter = new Counter({
      ...{ name, help, labelNames: labelsOf(name), registers: [registry] },
      collect: () => {
        counter.reset();
        // Without labels a reset sets it to 0, which is not the same as absent.
        if (labelsOf(name).length === 0) counter.remove();
        for (const [labels, value] of read(snapshot)) counter.inc(labels, value);
      },
    });
  }
  for (const [name, help, of] of HISTOGRAMS) {
    registry.registerMetric(countedElsewhere(name, help, () => of(snapshot.observation)));
  }
  const render = () => {
    snapshot = look();
    return registry.metrics();
  };
  return { contentType: registry.contentType, render };
}

/** prom-client's histogram counts for itself; this one was counted in the verdict loop. */
function countedElsewhere(name: string, help: string, look: () => Histogram): Metric {
  const get = () => {
    const histogram = look();
    const upTo = histogram.cumulative();
    const buckets = Array.from(histogram.bounds, (le, i) => ({
      ...{ metricName: `${name}_bucket`, labels: { le: String(le) }, value: upTo[i] },
    }));
    const values = [
      ...buckets,
      { metricName: `${name}_bucket`, labels: { le: '+Inf' }, value: histogram.count },
      { metricName: `${name}_sum`, labels: {}, value: histogram.sum },
      { metricName: `${name}_count`, labels: {}, value: histogram.count },
    ];
    return Promise.resolve({ name, help, type: 'histogram', values, aggregator: 'sum' });
  };
  return { name, help, get, reset: () => undefined } as unknown as Metric;
}
