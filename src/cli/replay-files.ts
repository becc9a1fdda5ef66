/** The files of a replay: opened with complaints of one line, never written over what is being read. */

import { closeSync, fstatSync, openSync, type Stats } from 'node:fs';
import { type ByteSource, DescriptorSink, DescriptorSource } from '../replay/byte-io';
import { Failure, UsageError } from '../configuration/errors';
import { fileFailure } from './file-errors';

/** The name that means stdin or stdout. */
export const STANDARD = '-';

/** Captures of Connection Requests hold credentials. */
const PRIVATE_MODE = 0o600;

const STDIN = 0;
const STDOUT = 1;

/** Remembers what is open, so that no output is one of the inputs, and all is closed in the end. */
export class ReplayFiles {
  /** Bytes of all inputs; NaN when one is no plain file. */
  inputBytes = 0;
  private readonly open: { name: string; stats: Stats; close: () => void }[] = [];

  add(name: string, stats: Stats, close: () => void): void {
    this.open.push({ name, stats, close });
  }

  /** The file that is open already and is the same as this one, under whatever name. */
  find(stats: Stats): string | undefined {
    return this.open.find((one) => one.stats.ino === stats.ino && one.stats.dev === stats.dev)?.name;
  }

  closeAll(): void {
    for (const { close } of this.open) close();
  }
}

export function openInput(files: ReplayFiles, name: string): ByteSource {
  if (name === STANDARD) {
    files.inputBytes = Number.NaN;
    return new DescriptorSource('stdin', STDIN, false);
  }
  const descriptor = attempt(`cannot read ${name}`, () => openSync(name, 'r'));
  const source = new DescriptorSource(name, descriptor, true);
  const stats = fstatSync(descriptor);
  files.add(name, stats, () => source.close());
  if (stats.isDirectory()) throw new Failure(`cannot read ${name}: it is a directory`);
  files.inputBytes += stats.isFile() ? stats.size : Number.NaN;
  return source;
}

export function openOutput(files: ReplayFiles, name: string): DescriptorSink {
  if (name === STANDARD) return new DescriptorSink('stdout', STDOUT, false);
  // Opened without truncation first: the name may lead to one of the inputs.
  const probe = attempt(`cannot write ${name}`, () => openSync(name, 'a', PRIVATE_MODE));
  const stats = fstatSync(probe);
  closeSync(probe);
  const same = files.find(stats);
  if (same !== undefined && stats.isFile()) throw new UsageError(`${name} is already in use as ${same}`);
  const descriptor = attempt(`cannot write ${name}`, () => openSync(name, 'w', PRIVATE_MODE));
  const sink = new DescriptorSink(name, descriptor, true);
  files.add(name, stats, () => sink.abandon());
  return sink;
}

function attempt<T>(complaint: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw fileFailure(complaint, error);
  }
}
