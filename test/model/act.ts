/** Random traffic as acts, each with its line of text. */
import { type Party, type Server, type Type } from '../support/rig';

/** A number in a packet: where its own end continues, where its last packet began, what is acknowledged, or zero. */
export interface Place {
  base: 'next' | 'last' | 'acked' | 'zero';
  by: number;
}

export interface Sent {
  /** `peer`: the server that has the connection when this packet is sent; the ITMS if there is none. */
  from: Party | 'peer';
  type: Type;
  cpe: string;
  cpePort: number;
  /** At the ACS address. */
  port: number;
  sequence: Place;
  acknowledgement: Place;
  payload: string;
  window: number;
  /** What a SYN offers. */
  scale?: number | undefined;
  /** With a wrong checksum. */
  isWrong?: boolean;
  /** Neither end continues from it. */
  isStray?: boolean;
}

export type Act =
  | { what: 'wait'; ms: number }
  | { what: 'send'; packet: Sent }
  | { what: 'corrupt'; packet: Sent; at: number; value: number; cut: number }
  /** An ICMP error from the collectors' side, about a SYN with that number to that server. */
  | { what: 'unreachable'; server: Server; cpe: string; cpePort: number; isn: number }
  | { what: 'reload'; collectors: ('c1' | 'c2')[] }
  | { what: 'pause'; paused: boolean }
  | { what: 'usable'; collector: 'c1' | 'c2'; isUsable: boolean }
  | { what: 'sweep' | 'forget' | 'engine down' }
  | { what: 'activate' | 'deactivate'; cpe: string; collector: 'c1' | 'c2' };

/** As a failing sequence is printed: a line an act. */
export function actText(act: Act): string {
  if (act.what === 'send') return packetText(act.packet);
  if (act.what === 'corrupt')
    return `corrupt: ${packetText(act.packet)}, byte ${act.at} is ${act.value}, ${act.cut} bytes cut`;
  return JSON.stringify(act);
}

function packetText({ from, type, cpe, cpePort, port, payload, ...rest }: Sent): string {
  const { sequence, acknowledgement, window, scale: offered, isWrong: wrong, isStray } = rest;
  const at = ({ base, by }: Place) => `${base}${by < 0 ? by : `+${by}`}`;
  const more = [
    window === 64_240 ? '' : `window ${window}`,
    offered === undefined ? '' : `scale ${offered}`,
    wrong ? 'wrong checksum' : '',
    isStray ? 'stray' : '',
  ].filter((word) => word !== '');
  const numbers = `sequence ${at(sequence)}, acknowledging ${at(acknowledgement)}`;
  return [
    `${from} sends ${type}, ${cpe}:${cpePort} and port ${port}, ${numbers}`,
    ...more,
    JSON.stringify(payload),
  ].join(', ');
}
