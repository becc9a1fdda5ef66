/**
 * Packets that no kernel of the test's hosts sent: forged, duplicated, late. The numbers they must fit are read off the
 * wire.
 */
import { REPORT_PORT } from '../../../src/lab/world';
import { buildTcp } from '../../../src/packet/builder';
import { TcpFlag } from '../../../src/packet/tcp';
import { hasFlag, type Sight } from './capture';
import { SERVER_ADDRESSES, type ServerName, type TcpStage } from './tcp-stage';
import { ADDRESSES } from './family';

/** The current numbers of a report connection, from what the CPEs' wire has seen. */
export interface Numbers {
  /** The CPE's initial sequence number. */
  isn: number;
  /** What each end will send next. */
  cpeNext: number;
  serverNext: number;
}

/** The numbers of the latest connection from a CPE's port; `stage.wires.keepSights` must have kept its packets. */
export async function numbersOf(stage: TcpStage, cpe: string, port: number): Promise<Numbers> {
  await stage.wires.catchUp();
  const all = stage.wires.sights.filter(({ wire }) => wire === 'cpe');
  const own = all.filter((sight) => sight.source === cpe && sight.sourcePort === port);
  const begin = own.map((sight) => hasFlag(sight, TcpFlag.Syn)).lastIndexOf(true);
  const answers = all.filter((sight) => sight.destination === cpe && sight.destinationPort === port);
  const synAck = answers.filter((sight) => hasFlag(sight, TcpFlag.Syn)).at(-1);
  if (begin < 0 || synAck === undefined) throw new Error(`no connection of ${cpe}:${port} on the wire`);
  const isn = own[begin]!.sequence;
  return { isn, cpeNext: furthest(isn, own.slice(begin)), serverNext: furthest(synAck.sequence, answers) };
}

/** The end of what was sent from `isn` on, around 2^32. */
function furthest(isn: number, sights: readonly Sight[]): number {
  const spans = sights.map((sight) => {
    const flags = Number(hasFlag(sight, TcpFlag.Syn)) + Number(hasFlag(sight, TcpFlag.Fin));
    return (sight.sequence - isn + sight.payloadBytes + flags) >>> 0;
  });
  // What is half the space away came before this connection.
  return (isn + Math.max(...spans.filter((span) => span < 2 ** 31))) >>> 0;
}

export interface Forged {
  flags: number;
  sequence: number;
  acknowledgement?: number;
  payload?: string;
  window?: number;
}

/** A packet as from the CPE's port to the report port of the ACS address. */
export function forgeFromCpe(stage: TcpStage, cpe: string, port: number, forged: Forged): Promise<void> {
  const ends = { source: cpe, sourcePort: port, destination: ADDRESSES.acs, destinationPort: REPORT_PORT };
  return stage.peers.cpe.ask('packet', { hex: hexOf({ ...ends, ...asPacket(forged) }) });
}

/** A packet as from a server's report port to the CPE. */
export function forgeFromServer(
  stage: TcpStage,
  server: ServerName,
  cpe: string,
  port: number,
  forged: Forged,
): Promise<void> {
  const ends = {
    source: SERVER_ADDRESSES[server],
    sourcePort: REPORT_PORT,
    destination: cpe,
    destinationPort: port,
  };
  return stage.peerOf(server).ask('packet', { hex: hexOf({ ...ends, ...asPacket(forged) }) });
}

function asPacket({ flags, sequence, acknowledgement = 0, payload = '', ...window }: Forged) {
  return { flags, sequence: sequence | 0, acknowledgement: acknowledgement | 0, payload, ...window };
}

export function hexOf(packet: Parameters<typeof buildTcp>[0]): string {
  return Buffer.from(buildTcp(packet)).toString('hex');
}
