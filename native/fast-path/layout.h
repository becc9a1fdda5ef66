/* The maps that user space and the program share: keys, values, reasons. src/steering/fast-path/layout.ts says the same
 * in TypeScript, and a test compares the two. Addresses and ports are in network order. */
#ifndef ACSPLIT_FAST_PATH_LAYOUT_H
#define ACSPLIT_FAST_PATH_LAYOUT_H

#include <linux/types.h>

/* What became of a packet. The first two were carried; all others passed to the network stack unchanged. */
enum reason {
  CARRIED_TO_ITMS,
  CARRIED_FROM_ITMS,
  /* The mirror of the report table is not complete. */
  CLOSED,
  /* The frame is for another host, a broadcast or a multicast. */
  NOT_FOR_US,
  VLAN_TAG,
  /* Neither IPv4 nor IPv6, or not between CPEs and the ITMS on a steered port. */
  NOT_STEERED,
  NOT_TCP,
  /* IPv4 options, IPv6 extension headers. */
  OPTIONS,
  FRAGMENT,
  /* Time to live or hop limit below 2. */
  TTL,
  /* A length or checksum that lies, a TCP header that is cut. */
  UNREADABLE,
  /* Flags that no TCP sends together. */
  FLAGS,
  /* A SYN is the engine's to decide. */
  SYN,
  /* The connection is diverted. */
  DIVERTED,
  /* The CPE speaks to the ITMS's own address. */
  DIRECT,
  /* The ITMS answers on a connection to its own address. */
  FOREIGN,
  /* `acsplit trace --cpe` */
  WATCHED,
  /* The other end of the packet is not in cpe.networks. */
  NOT_A_CPE,
  /* The ACS address is not an address of this host now. */
  STANDBY,
  /* The way back to the sender is another interface, or the sender claims an address of this host. */
  SOURCE,
  /* No route, another interface than configured, forwarding is off, or the route prohibits it. */
  ROUTE,
  /* Larger than the MTU of the route. */
  MTU,
  /* The kernel refused a rewrite half way: dropped, the only packets that do not leave. */
  DROPPED,
  REASONS,
};

/* Index into `control`. */
enum control {
  /* Which of the two configurations is in force: 0 or 1. */
  CONTROL_SLOT,
  /* 1 while `flows` holds every entry of the report table. */
  CONTROL_OPEN,
  CONTROLS,
};

/* Bits of an interface's role. */
enum role { ROLE_CPE_IN = 1, ROLE_CPE_OUT = 2, ROLE_ITMS = 4 };

/* A configuration slot. A family that is not configured has zeros. */
struct configuration {
  __u32 acs4;
  __u32 itms4;
  __u32 acs6[4];
  __u32 itms6[4];
};

struct interface_key {
  __u32 slot;
  __u32 ifindex;
};

/* A class by port. */
struct port_key {
  __u16 slot; /* host order */
  __u16 port;
};
enum port_class { PORT_REPORT = 1, PORT_ITMS = 2 };

/* Longest prefix wins: a server inside a CPE network has an entry of its own, with the value 0. `bits` counts the slot's
 * 32 bits too. */
struct network4_key {
  __u32 bits;
  __u32 slot;
  __u32 address;
};
struct network6_key {
  __u32 bits;
  __u32 slot;
  __u32 address[4];
};

/* A connection of a CPE: of `flows` and `foreign`. */
struct flow4_key {
  __u32 cpe;
  __u16 cpe_port;
  __u16 port;
};
struct flow6_key {
  __u32 cpe[4];
  __u16 cpe_port;
  __u16 port;
};

#endif
