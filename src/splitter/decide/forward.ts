/**
 * The rewrites that all decisions share: a CPE's packet goes to a server, a server's packet leaves from the ACS
 * address. [P3]
 */
import { rewriteDestination, rewriteSource } from '../../packet/rewrite';
import { type PacketView } from '../../packet/view';
import { Reason } from '../reasons';
import { type Servers } from '../memory/servers';

export class Forward {
  constructor(
    private readonly view: PacketView,
    readonly servers: Servers,
  ) {}

  /** To the server, or to the ITMS if the server is no longer configured. */
  toOwner(owner: number, reason: Reason): Reason {
    if (this.servers.isConfigured(owner)) {
      rewriteDestination(this.view, this.servers.addressOf(owner));
      return reason;
    }
    rewriteDestination(this.view, this.servers.itmsAddress);
    return Reason.OwnerGone;
  }

  /** To that address of the server, or to the ITMS if the server is no longer configured. @param tag see Servers */
  toAddressOf(owner: number, tag: number, reason: Reason): Reason {
    if (!this.servers.isConfigured(owner)) return this.toOwner(owner, reason);
    rewriteDestination(this.view, this.servers.addressTagged(owner, tag));
    return reason;
  }

  asAcs(reason: Reason): Reason {
    rewriteSource(this.view, this.servers.acsAddress);
    return reason;
  }
}
