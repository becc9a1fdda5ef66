/** A capture cannot be read any further: the file, the offset and what is wrong. */
export class CaptureError extends Error {
  /**
   * @param file as the user named it
   * @param offset bytes from the start of the file to the wrong field or to the unexpected end
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
