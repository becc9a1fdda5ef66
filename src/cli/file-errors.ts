/** Trouble with files, in words. */

import { cutBack } from '../replay/cut-back';
import { type DescriptorSink, WriteError } from '../replay/byte-io';
import { Failure } from '../configuration/errors';

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory',
  EACCES: 'permission denied',
  EISDIR: 'it is a directory',
  EROFS: 'the file system is read-only',
  ENOSPC: 'no space left on the device',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'the file is as large as files may be',
  EIO: 'the device fails',
};

/** @param what `cannot read FILE` @param reasons by code, where others fit better */
export function fileFailure(what: string, error: unknown, reasons: Readonly<Record<string, string>> = {}): Failure {
  const { code = '', message } = error as NodeJS.ErrnoException;
  return new Failure(`${what}: ${reasons[code] ?? REASONS[code] ?? message}`, { cause: error });
}

/**
 * Leaves whole packets in a capture that is not completed, because of `error`; where that is the file's own, says how
 * many they are.
 */
export function giveUp(capture: DescriptorSink | undefined, error: unknown): unknown {
  const packets = capture && cutBack(capture);
  capture?.abandon();
  if (!(error instanceof WriteError)) return error;
  const failure = fileFailure(`cannot write ${error.file}`, error);
  if (packets === undefined || error.file !== capture?.name) return failure;
  const left = packets === 1 ? '1 packet is in it' : `${packets} packets are in it`;
  return new Failure(`${failure.message}; ${left}`, { cause: error });
}
