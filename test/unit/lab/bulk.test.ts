/** Bulk content: of the requested length, determined by its seed, and measured alike at both ends. */
import { createHash } from 'node:crypto';
import { PassThrough } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { receiveBulk, seededStream, sendBulk } from '../../../src/lab/bulk';

describe('bulk transfers', () => {
  it.each([0, 1, 256 << 10, (256 << 10) + 1, 1_000_003])('%d bytes are %d bytes', async (bytes) => {
    expect(await buffer(seededStream(bytes, 1))).toHaveLength(bytes);
  });

  it('the seed, and it alone, decides the content', async () => {
    const [one, again, other] = await Promise.all([1, 1, 2].map((seed) => buffer(seededStream(100_000, seed))));
    expect(one?.equals(again as Buffer)).toBe(true);
    expect(one?.equals(other as Buffer)).toBe(false);
  });

  it('sender and receiver meter the same bytes, and the digest is that of the content', async () => {
    const pipe = new PassThrough();
    const [sent, received] = await Promise.all([sendBulk(pipe, 1_000_003, 3), receiveBulk(pipe)]);
    const content = await buffer(seededStream(1_000_003, 3));
    expect(sent).toEqual({ bytes: 1_000_003, sha256: createHash('sha256').update(content).digest('hex') });
    expect(received).toEqual(sent);
  });
});
