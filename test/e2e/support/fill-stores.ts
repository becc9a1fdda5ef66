/**
 * A router of the group that has many established connections, and tells them to the stores: half Connection Requests,
 * half diverted sessions. Prints a line once all are in every store.
 *
 *     fill-stores SETTINGS COUNT      SETTINGS: JSON, ClusterSettings
 */
import { connectionKey } from '../../../src/cluster/key';
import { Kind, Step } from '../../../src/cluster/row';
import { Rows } from '../../../src/cluster/rows';
import { Store } from '../../../src/engine/cluster/store';
import { type ClusterSettings } from '../../../src/engine/shared/cluster-protocol';

const LIFE_MS = 3_600_000;
const CPE_PORT = 40_000;
/** 10.1.255.0/24 are the routers' own addresses. */
const CPES = 127 << 8;
const REPORT_PORT = 7547;
const REQUEST_PORT = 7170;

const settings = JSON.parse(process.argv[2]!) as ClusterSettings;
const count = Number(process.argv[3]);

const rows = new Rows(settings.name);
for (let n = 0; n < count; n++) {
  const isReport = n % 2 === 0;
  // From 10.1.128.0 on; beyond them, further ports.
  const cpe = Int32Array.of(0x0a018000 + ((n >> 1) % CPES));
  const shift = Math.floor((n >> 1) / CPES);
  const key = isReport
    ? connectionKey(Kind.Report, cpe, CPE_PORT + shift, REPORT_PORT)
    : connectionKey(Kind.Request, cpe, REQUEST_PORT, CPE_PORT + shift);
  const fields = { owner: 'c1', isn: n, seen: 0, scales: 0, head: 0 };
  const more = isReport ? {} : { ownPort: CPE_PORT + shift, tag: 0, remapped: false };
  rows.change(
    {
      ...{ key, step: Step.Confirmed, begins: true, isStanding: false, applied: 0 },
      ...{ deadlineMs: Date.now() + LIFE_MS, fields: { ...fields, ...more } },
    },
    Date.now(),
  );
}

const nothing = () => undefined;
const stores = settings.stores.map(
  (one) =>
    new Store({
      ...{ settings: one, group: settings.group, router: settings.name, rows },
      ...{ onRow: nothing, onRefused: nothing, onGreeting: nothing, onLoaded: nothing, onState: nothing },
      greeting: () => ({ ready: true, pause: 0, version: 'filler' }),
    }),
);
const timer = setInterval(() => {
  for (const store of stores) store.tick(Date.now());
  if (!stores.every(({ published }) => published >= count)) return;
  clearInterval(timer);
  process.stdout.write('filled\n');
  void Promise.all(stores.map((store) => store.stop())).then(() => process.exit(0));
}, 10);
