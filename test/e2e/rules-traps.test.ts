/**
 * The traps of the rules on a real kernel, each found once and kept here: engine alive and dead, with a firewall as
 * strict as operators have it, strict reverse path filters, and both back ends of iptables.
 */

import { ADDRESSES } from '../../src/lab/world';
import { Capture, isReset, type Sight } from './support/capture';
import { makePatient } from './support/patience';
import { BACK_ENDS, type Peer, RulesHost, until } from './support/rules-host';

jest.setTimeout(240_000);

const { acs, itms, collector, outside } = ADDRESSES;
const CPE = '10.1.1.1';
const ADMIN = '10.1.9.9';
/** A port of the host's own, and one of a CPE's. */
const [SSH, WAKE] = [2222, 30005];

/** Nothing unknown to conntrack is forwarded or delivered, except the host's ssh and its outgoing masquerade. */
const STRICT_RULES = `*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
-A INPUT -m conntrack --ctstate INVALID -j DROP
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -p icmp -j ACCEPT
-A INPUT -p tcp -m tcp --dport ${SSH} -m conntrack --ctstate NEW -j ACCEPT
-A FORWARD -m conntrack --ctstate INVALID -j DROP
-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -i eth1 -o eth3 -m conntrack --ctstate NEW -j ACCEPT
COMMIT
*nat
-A POSTROUTING -o eth3 -j MASQUERADE
COMMIT
`;

/** Takes our jumps out of mangle and puts them back: the moment in which packets escape the queues. */
const QUEUE_JUMPS = ['PREROUTING -d 10.1.0.1/32 -p tcp -j ACSPLIT-CPE', 'FORWARD -p tcp -j ACSPLIT-SERVERS'];
const mangle = (option: '-A' | '-D') =>
  `*mangle\n${QUEUE_JUMPS.map((jump) => `${option} ${jump}`).join('\n')}\nCOMMIT\n`;

describe.each(BACK_ENDS)('with iptables-%s', (backEnd) => {
  let host: RulesHost;
  let onCpeWire: Capture;
  let onItmsWire: Capture;
  const cpeWire: Sight[] = [];
  const itmsWire: Sight[] = [];
  let services: Peer[];

  beforeAll(async () => {
    host = await RulesHost.create(backEnd, { cpes: [CPE, ADMIN], outside: true });
    await makePatient(host.world, ['cpe', 'itms', 'collector', 'outside']);
    // What else the rules can do while no engine runs: engine-down.test.ts.
    host.configure(host.configurationText.replace('onEngineDown: itms', 'onEngineDown: hold'));
    host.restore(STRICT_RULES);
    expect(host.rules('install')).toMatchObject({ status: 0, stderr: '' });
    expect(host.rules('check')).toMatchObject({ status: 0, stderr: '' });
    services = await Promise.all([
      host.listen('itms', itms, 7547),
      host.listen('collector', collector, 7547),
      host.listen('split', '0.0.0.0', SSH),
      host.listen('cpe', '0.0.0.0', WAKE),
      host.listen('outside', outside, 443),
    ]);
    onCpeWire = await Capture.start(host.world, 'cpe', (sight) => cpeWire.push(sight));
    onItmsWire = await Capture.start(host.world, 'itms', (sight) => itmsWire.push(sight));
  });
  afterAll(() => host?.close());

  const resets = async (): Promise<Sight[]> => {
    await onCpeWire.catchUp();
    await onItmsWire.catchUp();
    return [...cpeWire, ...itmsWire].filter(isReset);
  };
  afterEach(async () => expect(await resets()).toEqual([]));

  describe('foreign traffic works as if nothing were installed', () => {
    const claims = () => {
      it('a service of the host on the ACS address', () => host.talk('cpe', ADMIN, acs, SSH));
      it('the host as a client of something in a CPE network', () => host.talk('split', acs, ADMIN, WAKE));
      it('the ITMS’s masqueraded traffic to a fourth network', async () => {
        await host.talk('itms', itms, outside, 443);
        expect(services[4].events.filter(({ event }) => event === 'accepted').map(({ from }) => from)).toContain(
          '10.4.0.1',
        );
      });
    };
    describe('engine dead', claims);
    describe('engine alive', () => {
      beforeAll(() => host.startEngine());
      claims();

      it('and connections of the host outlive the engine', async () => {
        const ssh = host.connect('cpe', ADMIN, acs, SSH);
        const own = host.connect('split', acs, ADMIN, WAKE);
        await Promise.all([ssh.until('connected'), own.until('connected')]);
        await host.stopEngine();
        await Promise.all([ssh.echo('still there?'), own.echo('still there?')]);
        await host.startEngine();
        await Promise.all([ssh.echo('and now?'), own.echo('and now?')]);
        await Promise.all([ssh.stop(), own.stop()]);
      });
      afterAll(() => host.stopEngine());
    });
  });

  describe('while no engine runs packets wait, and none leaks', () => {
    it('a CPE’s session and a server’s request complete when the engine starts, and no peer saw anything before', async () => {
      await onItmsWire.catchUp();
      const [seenByItms, seenByCpe] = [itmsWire.length, cpeWire.length];
      const session = host.connect('cpe', CPE, acs, 7547);
      const request = host.connect('itms', itms, CPE, WAKE);
      // Both SYNs are on their wires, and are queued without a listener.
      await until(() => cpeWire.slice(seenByCpe).some((s) => s.destinationPort === 7547), 'the session’s SYN');
      await until(() => itmsWire.slice(seenByItms).some((s) => s.destinationPort === WAKE), 'the request’s SYN');
      await until(
        () => host.counted('mangle', 'ACSPLIT-FROM-CPE', '--dports 7547') > 0,
        'the session’s SYN to be steered',
      );
      await until(() => host.counted('mangle', 'ACSPLIT-TO-CPE', '10.2.0.2') > 0, 'the request’s SYN to be steered');
      await onItmsWire.catchUp();
      await onCpeWire.catchUp();
      expect(itmsWire.slice(seenByItms).filter(({ source }) => source !== itms)).toEqual([]);
      expect(cpeWire.slice(seenByCpe).filter(({ source }) => source !== CPE)).toEqual([]);

      await host.startEngine();
      await Promise.all([session.until('connected'), request.until('connected')]);
      await Promise.all([session.echo('late, but here'), request.echo('late, but here')]);
      await Promise.all([session.stop(), request.stop()]);
    });
  });

  describe('engine alive, INVALID dropped, policy DROP, rp_filter strict', () => {
    beforeAll(() => host.startEngine());
    afterAll(() => host.stopEngine());

    it('a CPE’s session, and the answers to Connection Requests on ports that no rule names', async () => {
      await host.talk('cpe', CPE, acs, 7547);
      await host.talk('itms', itms, CPE, WAKE);
      await host.talk('collector', collector, CPE, WAKE);
      const peers = cpeWire.filter(({ source }) => source !== CPE && source !== ADMIN).map(({ source }) => source);
      expect([...new Set(peers)]).toEqual([acs]);
    });

    it('conntrack knows none of it, and the host’s own connections it knows', async () => {
      const session = host.connect('cpe', CPE, acs, 7547);
      const request = host.connect('collector', collector, CPE, WAKE);
      const ssh = host.connect('cpe', ADMIN, acs, SSH);
      await Promise.all([session, request, ssh].map((peer) => peer.until('connected')));
      const known = host.must(['cat', '/proc/net/nf_conntrack']);
      expect(known).toMatch(new RegExp(`src=${ADMIN} dst=${acs} .*dport=${SSH} `));
      expect(known).not.toContain(`=${CPE} `);
      await Promise.all([session, request, ssh].map((peer) => peer.stop()));
    });

    it('packets that escape the queues in mid-session are held by the guards, and TCP repairs', async () => {
      const session = host.connect('cpe', CPE, acs, 7547);
      const request = host.connect('itms', itms, CPE, WAKE);
      await Promise.all([session.until('connected'), request.until('connected')]);
      const held = () => [
        host.counted('filter', 'ACSPLIT-INPUT', '-j DROP'),
        host.counted('filter', 'ACSPLIT-FROM-CPE', '-j DROP'),
        host.counted('filter', 'ACSPLIT-TO-CPE', '-s 10.2.0.2', '-j DROP'),
      ];
      const before = held();
      host.restore(mangle('-D'));
      session.send('escaping to INPUT');
      request.send('escaping to FORWARD');
      await until(() => held()[0] > before[0] && held()[2] > before[2], 'the guards to hold packets');
      host.restore(mangle('-A'));
      await session.until('line', ({ text }) => text === 'escaping to INPUT');
      await request.until('line', ({ text }) => text === 'escaping to FORWARD');

      // And the CPE's answers on other ports, which the local stack would reset as well.
      await request.echo('before');
      host.restore(`*mangle\n-D ${QUEUE_JUMPS[0]}\nCOMMIT\n`);
      const heldAnswers = held()[1];
      request.send('its answer escapes');
      await until(() => held()[1] > heldAnswers, 'the guard to hold an answer');
      host.restore(mangle('-D').replace(`-D ${QUEUE_JUMPS[0]}\n`, '') + mangle('-A'));
      await request.until('line', ({ text }) => text === 'its answer escapes');
      expect(host.rules('check')).toMatchObject({ status: 0 });
      await Promise.all([session.stop(), request.stop()]);
    });

    it('a source that is rewritten before routing is martian: why it happens in FORWARD', async () => {
      const martians = () =>
        host
          .must(['cat', '/proc/net/stat/rt_cache'])
          .trim()
          .split('\n')
          .slice(1)
          .reduce((sum, line) => sum + parseInt(line.trim().split(/\s+/)[7], 16), 0);
      const early = 'PREROUTING -s 10.2.0.2/32 -d 10.1.0.0/16 -i eth1 -p tcp -j NFQUEUE --queue-num 1';
      const before = martians();
      host.iptables(`-t mangle -I ${early}`);
      const session = host.connect('cpe', CPE, acs, 7547);
      await until(() => host.counted('mangle', 'PREROUTING', 'NFQUEUE') > 1, 'the ITMS to answer twice');
      await until(() => martians() > before, 'the kernel to drop a martian source');
      expect(session.events).toEqual([]);
      host.iptables(`-t mangle -D ${early}`);
      await session.until('connected');
      await session.stop();
    });

    it('a foreign rule behind our queue never runs, and before it does', async () => {
      const clamp = 'FORWARD -o eth0 -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --set-mss 1300';
      host.iptables(`-t mangle -A ${clamp}`);
      await host.talk('itms', itms, CPE, WAKE);
      expect(host.counted('mangle', 'FORWARD', 'TCPMSS')).toBe(0);
      expect(host.rules('check').stdout).toMatch(
        /^mangle FORWARD: ".*TCPMSS.*" is not ours and comes behind our .*\n$/,
      );

      expect(host.rules('install')).toMatchObject({ status: 0 });
      await host.talk('itms', itms, CPE, WAKE);
      expect(host.counted('mangle', 'FORWARD', 'TCPMSS')).toBeGreaterThan(0);
      expect(host.rules('check')).toMatchObject({ status: 0 });
      host.iptables(`-t mangle -D ${clamp}`);
    });

    it('an old DNAT for the report port does nothing: untracked packets never reach nat', async () => {
      const dnat = `PREROUTING -d ${acs}/32 -p tcp -m tcp --dport 7547 -j DNAT --to-destination ${collector}`;
      host.iptables(`-t nat -I ${dnat}`);
      const before = services[1].events.length;
      await host.talk('cpe', CPE, acs, 7547);
      expect(services[1].events.slice(before)).toEqual([]);
      expect(host.counted('nat', 'PREROUTING', 'DNAT')).toBe(0);
      host.iptables(`-t nat -D ${dnat}`);
    });

    it('notrack without the CPE networks would cut the ITMS’s masqueraded traffic: why it names them', async () => {
      const careless = 'PREROUTING -s 10.2.0.2/32 -i eth1 -p tcp -j CT --notrack';
      const careful = 'PREROUTING -s 10.2.0.2/32 -d 10.1.0.0/16 -i eth1 -p tcp -j CT --notrack';
      host.iptables(`-t raw -A ${careless}`);
      const counted = () => host.counted('filter', 'FORWARD', '-i eth1 -o eth3');
      const before = counted();
      const cut = host.connect('itms', itms, outside, 443);
      await until(() => host.counted('raw', 'PREROUTING', '-s 10.2.0.2/32') > 1, 'a second SYN');
      expect(cut.events).toEqual([]);
      expect(counted()).toBe(before);
      host.iptables(`-t raw -D ${careless}`);
      host.iptables(`-t raw -A ${careful}`);
      await cut.until('connected');
      await cut.stop();
      host.iptables(`-t raw -D ${careful}`);
    });

    it('installing and removing under running connections resets no connection', async () => {
      const ssh = host.connect('cpe', ADMIN, acs, SSH);
      const masqueraded = host.connect('itms', itms, outside, 443);
      const session = host.connect('cpe', CPE, acs, 7547);
      await Promise.all([ssh, masqueraded, session].map((peer) => peer.until('connected')));
      for (const command of ['remove', 'install', 'install', 'remove', 'install']) {
        expect(host.rules(command)).toMatchObject({ status: 0, stderr: '' });
        await Promise.all([ssh, masqueraded].map((peer) => peer.echo(`after ${command}`)));
      }
      await session.echo('after all');
      await Promise.all([ssh, masqueraded, session].map((peer) => peer.stop()));
    });
  });
});
