/** A capture that cannot be read further: which file, where in it, and what is wrong. */
export class CaptureError extends Error {
  /**
   * @param file as the user named it
   * @param offset bytes from the file's beginning to the field or the end that is wrong
   */
  constructor(
    readonly file: string,
    readonly offset: number,
    readonly complaint: string,
  ) {
    super(`${file}: at byte ${offset}: ${complaint}`);
    this.name = 'CaptureError';
  }
}
