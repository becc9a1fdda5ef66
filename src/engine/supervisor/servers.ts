/** The servers' health as the supervisor sees it: read from the worker's memory, told in log and history, probed. */
import { ServerRows } from '../../splitter/health/server-row';
import { type OnCollectorDown, type Topology } from '../../splitter/topology';
import { type Family } from '../../packet/address';
import { addressOfRow, composeServers, rowNames, type ServersParts, type ServerStatus } from '../report/servers';
import { type EngineLog } from '../shared/engine-log';
import { Probe, type ProbeTarget } from './probe';
import { watchServers } from './server-log';

export interface ServersOptions {
  /** The worker's memory of Health. */
  memory: ArrayBuffer;
  /** What a reload may change. */
  settings: () => {
    topology: Topology;
    onCollectorDown: OnCollectorDown;
    probe: { interval: number } | undefined;
  };
  /** A look at the tables' state, and the splitter's time. */
  look: () => Pick<ServersParts, 'state' | 'nowMs'>;
  log: EngineLog;
  /** Keeps an event in the history. */
  note: (kind: 'server', details: object) => void;
  /** A probe has connected to a server that is down. */
  onProbed: (server: string, family: Family) => void;
}

/** What happens while a collector is down. */
const EFFECTS: Readonly<Record<OnCollectorDown, string>> = {
  itms: 'its CPEs go to the ITMS, but for one trial session every 10 s',
  divert: 'its CPEs are diverted all the same (onCollectorDown: divert)',
};

export class Servers {
  private readonly rows: ServerRows;
  private probe: Probe | undefined;
  private serverLog: { stop(): void } | undefined;

  constructor(private readonly options: ServersOptions) {
    this.rows = new ServerRows(options.memory);
  }

  /** Begins to tell and to probe. */
  start(): void {
    const { options } = this;
    this.probe = new Probe({
      targets: () => targetsOf(options.settings().topology),
      interval: () => options.settings().probe?.interval,
      onAnswer: (target) => this.probed(target),
    });
    this.serverLog = watchServers({
      changes: (since, visit) => this.rows.readChanges(since, visit),
      serverOf: (row) => {
        const server = rowNames({ ...options.look(), collectors: this.collectors }).get(row);
        return server === undefined ? undefined : { server, address: addressOfRow(this.rows, row) };
      },
      log: options.log,
      note: options.note,
      effect: () => EFFECTS[options.settings().onCollectorDown],
    });
  }

  reload(): void {
    this.probe?.begin();
  }

  stop(): void {
    this.probe?.stop();
    this.serverLog?.stop();
  }

  status(): Record<string, ServerStatus> {
    const { options, rows, probe } = this;
    return composeServers({
      ...options.look(),
      collectors: this.collectors,
      rows,
      ...(probe && { probes: probe.results }),
    });
  }

  private get collectors(): string[] {
    return this.options.settings().topology.collectors.map(({ name }) => name);
  }

  private probed({ server, address }: ProbeTarget): void {
    const isDown = this.status()[server]?.addresses.some((one) => one.address === address && one.state === 'down');
    if (isDown) this.options.onProbed(server, address.includes(':') ? 'ipv6' : 'ipv4');
  }
}

/** Every server's serving addresses, at the first report port. */
function targetsOf({ itms, collectors, reportPorts: [port] }: Topology): ProbeTarget[] {
  return [{ name: 'itms', address: itms.address }, ...collectors].flatMap(({ name, address }) =>
    Object.values(address).map((one) => ({ server: name, address: one, port })),
  );
}
