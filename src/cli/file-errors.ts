/** Error messages for files. */

import { cutBack } from '../replay/cut-back';
import { type DescriptorSink, WriteError } from '../replay/byte-io';
import { Failure } from '../configuration/errors';

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory',
  EACCES: 'permission denied',
  EISDIR: 'it is a directory',
  EROFS: 'the file system is read-only',
  ENOSPC: 'no space left on the device',
  EDQUOT: 'disk quota exceeded',
  EFBIG: 'the file has reached the size limit',
  EPIPE: 'its reader has closed it',
  EIO: 'input/output error on the device',
};

/** @param what `cannot read FILE` @param reasons texts by code that replace the usual ones */
export function fileFailure(what: string, error: unknown, reasons: Readonly<Record<string, string>> = {}): Failure {
  const { code = '', message } = error as NodeJS.ErrnoException;
  return new Failure(`${what}: ${reasons[code] ?? REASONS[code] ?? message}`, { cause: error });
}

/**
 * Truncates a capture to its last whole packet after `error`. If writing that capture was what failed, the message says
 * how many packets are left in it.
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
