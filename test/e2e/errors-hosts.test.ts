/**
 * ICMP errors of hosts, of routers and of the splitter's own kernel, about connections that cross the splitter: the
 * host that opened the connection gets the error, as if there were no splitter. The splitter's host drops what
 * conntrack calls INVALID.
 */
import { ADDRESSES, FAMILY, street } from './support/family';
import { openErrorStage, whileRefusing } from './support/errors';
import { type ServerName, type TcpStage } from './support/tcp-stage';

jest.setTimeout(240_000);

const cpes = street(2, 20);
let next = 0;
const newCpe = (): string => cpes[next++]!;

const PORT_UNREACHABLE = { ipv4: 'icmp-port-unreachable', ipv6: 'icmp6-port-unreachable' };
const HOST_UNREACHABLE = { ipv4: 'icmp-host-unreachable', ipv6: 'icmp6-addr-unreachable' };
const PROHIBITED = { ipv4: 'icmp-admin-prohibited', ipv6: 'icmp6-adm-prohibited' };
const PROHIBITED_CODE = { ipv4: 'EHOSTUNREACH', ipv6: 'EACCES' }[FAMILY];

describe('errors about connections that cross the splitter', () => {
  let stage: TcpStage;

  beforeAll(async () => {
    stage = await openErrorStage(cpes);
  });
  afterAll(() => stage?.close());
  afterEach(() => stage?.expectOneServerEach());

  it('the ITMS’s port is closed: the CPE’s attempt is refused', () =>
    whileRefusing(stage, 'itms', 'INPUT', PORT_UNREACHABLE, async () => {
      await expect(stage.dial(newCpe())).rejects.toThrow('ECONNREFUSED');
    }));

  it('a router before the ITMS says that it is not there: the CPE hears it at once', () =>
    whileRefusing(stage, 'itmshop', 'FORWARD', HOST_UNREACHABLE, async () => {
      await expect(stage.dial(newCpe())).rejects.toThrow('EHOSTUNREACH');
    }));

  it.each([
    ['the collector’s host refuses', 'collector', 'INPUT', PORT_UNREACHABLE, 'ECONNREFUSED'],
    ['a router before the collector refuses', 'collectorhop', 'FORWARD', HOST_UNREACHABLE, 'EHOSTUNREACH'],
    ['a filter before the collector refuses', 'collectorhop', 'FORWARD', PROHIBITED, PROHIBITED_CODE],
  ] as const)(
    '%s a diverted session: the CPE hears it, and its next attempt is the ITMS’s',
    async (_, room, chain, what, heard) => {
      const cpe = newCpe();
      await stage.wake('c1', cpe);
      await whileRefusing(stage, room, chain, what, async () => {
        await expect(stage.dial(cpe)).rejects.toThrow(heard);
      });
      expect(await stage.session(cpe)).toBe('itms');
    },
  );

  describe.each<ServerName>(['itms', 'c1'])('a Connection Request of %s', (server) => {
    it('to a CPE that says it does not listen is refused', () =>
      whileRefusing(stage, 'cpe', 'INPUT', PORT_UNREACHABLE, async () => {
        await expect(stage.request(server, newCpe())).rejects.toThrow('ECONNREFUSED');
      }));

    it('to a CPE that a router cannot reach fails at once', () =>
      whileRefusing(stage, 'cpehop', 'FORWARD', HOST_UNREACHABLE, async () => {
        await expect(stage.request(server, newCpe())).rejects.toThrow('EHOSTUNREACH');
      }));

    it('to a CPE that the splitter’s own kernel cannot reach fails: the error was addressed to the splitter', async () => {
      // No host has the next hop's address, so the kernel gives up on packets that already have the ACS address.
      const route = (end: number) => {
        const via = FAMILY === 'ipv6' ? `fd09::1:${end}` : `10.9.1.${end}`;
        return stage.world.run('split', ['ip', 'route', 'replace', ADDRESSES.cpeNetwork, 'via', via]);
      };
      await route(77);
      try {
        await expect(stage.request(server, newCpe())).rejects.toThrow('EHOSTUNREACH');
      } finally {
        await route(2);
      }
    });
  });
});
