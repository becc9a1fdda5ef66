/**
 * Path-MTU discovery through the splitter: a narrow link behind a router on either side, or the splitter's own. Large
 * transfers complete, and the sender's kernel shows what it has learned, although the splitter's host drops whatever
 * conntrack calls INVALID.
 */
import { type Side } from '../../src/lab/world';
import { ADDRESSES, street } from './support/family';
import { closeBoth, forgetPaths, learnedMtu, narrow, narrowNear, openErrorStage, transfer } from './support/errors';
import { type ServerName, type TcpStage } from './support/tcp-stage';

jest.setTimeout(240_000);

const cpes = street(2, 40);
let next = 0;
const newCpe = (): string => cpes[next++]!;

const SIDES: Record<ServerName, Side> = { itms: 'itms', c1: 'collector', c2: 'collector' };
const SERVERS: ServerName[] = ['itms', 'c1'];
const ETHERNET = 1500;

describe('path-MTU discovery, where INVALID is dropped', () => {
  let stage: TcpStage;

  beforeAll(async () => {
    stage = await openErrorStage(cpes);
  });
  afterAll(() => stage?.close());
  afterEach(() => stage?.expectOneServerEach());

  /** A report connection to this server. */
  const connectTo = async (server: ServerName, cpe: string) => {
    if (server !== 'itms') await stage.wake(server, cpe);
    const connection = await stage.connect(cpe);
    expect(connection.server).toBe(server);
    return connection;
  };

  const narrowed = async (set: typeof narrow, side: Side, bytes: number, happen: () => Promise<void>) => {
    await set(stage, side, bytes);
    try {
      await happen();
    } finally {
      await set(stage, side, ETHERNET);
      await forgetPaths(stage);
    }
  };

  describe.each([1280, 1400, 1492])('a link of %i bytes', (bytes) => {
    it.each(SERVERS)('before the CPE: %s learns it while it sends, behind a router that says so', (server) => {
      const cpe = newCpe();
      return narrowed(narrow, 'cpe', bytes, async () => {
        const connection = await connectTo(server, cpe);
        await transfer(connection.far, connection.cpe);
        expect(await learnedMtu(stage, SIDES[server], cpe)).toBe(bytes);
        await closeBoth(connection);
      });
    });

    it.each(SERVERS)('before %s: the CPE learns it while it sends', (server) => {
      const cpe = newCpe();
      return narrowed(narrow, SIDES[server], bytes, async () => {
        const connection = await connectTo(server, cpe);
        await transfer(connection.cpe, connection.far);
        expect(await learnedMtu(stage, 'cpe', ADDRESSES.acs)).toBe(bytes);
        await closeBoth(connection);
      });
    });
  });

  it.each(SERVERS)('a connection that %s has opened to a CPE: both ends learn', async (server) => {
    const cpe = newCpe();
    await narrowed(narrow, 'cpe', 1300, async () => {
      const request = await stage.request(server, cpe);
      await transfer(request.far, request.cpe);
      expect(await learnedMtu(stage, SIDES[server], cpe)).toBe(1300);
      await closeBoth(request);
    });
    await narrowed(narrow, SIDES[server], 1300, async () => {
      const request = await stage.request(server, cpe);
      await transfer(request.cpe, request.far);
      expect(await learnedMtu(stage, 'cpe', ADDRESSES.acs)).toBe(1300);
      await closeBoth(request);
    });
  });

  describe('the splitter’s own link is the narrow one, and its own kernel says so', () => {
    it.each(SERVERS)('towards %s: the CPE learns it', (server) => {
      const cpe = newCpe();
      return narrowed(narrowNear, SIDES[server], 1350, async () => {
        const connection = await connectTo(server, cpe);
        await transfer(connection.cpe, connection.far);
        expect(await learnedMtu(stage, 'cpe', ADDRESSES.acs)).toBe(1350);
        await closeBoth(connection);
      });
    });

    it.each(SERVERS)('towards the CPEs: %s learns it', (server) => {
      const cpe = newCpe();
      return narrowed(narrowNear, 'cpe', 1350, async () => {
        const connection = await connectTo(server, cpe);
        await transfer(connection.far, connection.cpe);
        expect(await learnedMtu(stage, SIDES[server], cpe)).toBe(1350);
        await closeBoth(connection);
      });
    });
  });
});
