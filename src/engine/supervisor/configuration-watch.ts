/**
 * Reloads, and whether the engine runs with what its configuration file says now. A difference is logged once, when it has
 * stood for a while: somebody who edits the file is about to reload.
 */
import { statSync } from 'node:fs';
import { type ConfigurationStatus } from '../report/status';
import { type EngineLog } from '../shared/engine-log';

/** Every key with its value, defaults included. */
export type Keys = Readonly<Record<string, string>>;

export interface ConfigurationWatchOptions {
  file: string;
  /** In force. */
  keys: Keys;
  /** Identifies the file's content; changes with it. */
  mark: () => string;
  /** Of the file as it is now. @throws Error, one line */
  readKeys: () => Keys;
  /** Of the installed program; undefined while there is none. */
  installedVersion: () => string | undefined;
  version: string;
  log: EngineLog;
}

/** What two looks have seen is logged: within ten seconds, and not while an editor writes. */
const LOOK_MS = 4000;

export class ConfigurationWatch {
  private isUpgraded = false;
  private keys: Keys;
  private readonly reloads = { done: 0, refused: 0 };
  private isRefused = false;
  private mark: string | undefined;
  private differs: readonly string[] = [];
  private error: string | null = null;
  private seen = '';
  private told = '';
  private readonly timer: NodeJS.Timeout;

  constructor(private readonly options: ConfigurationWatchOptions) {
    this.keys = options.keys;
    this.timer = setInterval(() => this.look(), LOOK_MS);
    this.timer.unref();
  }

  get status(): ConfigurationStatus {
    this.compare();
    const { differs, error, reloads, isRefused, isUpgraded } = this;
    const { file } = this.options;
    return { file, differs, error, reloads: { ...reloads }, refused: isRefused, upgraded: isUpgraded };
  }

  /** @returns the keys that have changed */
  reloaded(keys: Keys): string[] {
    const changed = differences(this.keys, keys);
    this.keys = keys;
    this.mark = undefined;
    this.reloads.done++;
    this.isRefused = false;
    return changed;
  }

  refused(): void {
    this.reloads.refused++;
    this.isRefused = true;
  }

  /** Logs what has differed since the last look, once; and another version. */
  look(): void {
    this.lookAtVersion();
    this.compare();
    const { file, log } = this.options;
    const now = this.error ?? this.differs.join(', ');
    if (now !== '' && now === this.seen && now !== this.told) {
      this.told = now;
      const what =
        this.error === null
          ? `${file} differs from what runs in ${now}: reload (SIGHUP), or restart the engine`
          : `a restart would fail: ${now}`;
      log.warn({ event: 'drift', file, differs: this.differs, error: this.error }, what);
    }
    if (now === '') this.told = '';
    this.seen = now;
  }

  /** Once for each version. */
  lookAtVersion(): void {
    const { version: running, installedVersion, log } = this.options;
    const installed = installedVersion();
    const isUpgraded = installed !== undefined && installed !== running;
    if (isUpgraded && !this.isUpgraded) {
      const what = `version ${installed} is installed, and ${running} goes on: restart the engine when it suits`;
      log.warn({ event: 'upgraded', installed, running }, what);
    }
    this.isUpgraded = isUpgraded;
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** Reads the file only if it has changed. */
  private compare(): void {
    try {
      const mark = this.options.mark();
      if (mark === this.mark) return;
      this.mark = mark;
      this.differs = differences(this.keys, this.options.readKeys());
      this.error = null;
    } catch (error) {
      this.differs = [];
      this.error = (error as Error).message;
    }
  }
}

function differences(some: Keys, others: Keys): string[] {
  const keys = new Set([...Object.keys(some), ...Object.keys(others)]);
  return [...keys].filter((key) => some[key] !== others[key]).sort();
}

/** Changes with the file's content. @throws SystemError */
export function markOf(file: string): string {
  const { ino, size, mtimeNs } = statSync(file, { bigint: true });
  return [ino, size, mtimeNs].join();
}
