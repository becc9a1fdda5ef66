/**
 * What the decision tells of the servers, and asks about them. A splitter without a watch diverts to every collector.
 *
 * All calls come while a packet is decided. None may change the tables, allocate or wait.
 */
import { type Address } from '../../packet/address';

/** A server's serving address. */
export interface WatchedServer {
  owner: number;
  address: Address;
}

/** Ports are the CPE's and the report port. */
export interface ServerWatch {
  /** The servers to be judged from now on: at construction, and so after each reload. */
  watch(servers: readonly WatchedServer[]): void;
  /** The time of all that follows. @param nowMs as of `Splitter.decide` */
  advance(nowMs: number): void;
  /** One bounded step of what must happen without a packet. */
  sweep(): void;
  /** A CPE's SYN goes to the server; the same ISN again is a retransmission. */
  opened(owner: number, cpe: Address, cpePort: number, port: number, isn: number): void;
  /** A SYN+ACK of the server. @param isn of the SYN that it acknowledges @param sequence its own number */
  accepted(owner: number, cpe: Address, cpePort: number, port: number, isn: number, sequence: number): void;
  /**
   * A RST of the server, or an ICMP error about the SYN. @param isn of the SYN that it refuses; another one: it resets an
   * established connection @param sequence of the RST
   */
  reset(owner: number, cpe: Address, cpePort: number, port: number, isn: number, sequence: number): void;
  /** True while the collector is down and takes no new session. */
  turnsAway(owner: number, cpe: Address): boolean;
}
