/* The maps that user space and the program share: keys, values, reasons. src/steering/fast-path/layout.ts says the same
 * in TypeScript, and a test compares the two. Addresses and ports are in network order. */
#ifndef ACSPLIT_FAST_PATH_LAYOUT_H
#define ACSPLIT_FAST_PATH_LAYOUT_H

#include <linux/bpf.h>
#include <linux/types.h>

/* What became of a packet. The first four were carried; all others passed to the network stack unchanged. */
enum reason {
  CARRIED_TO_ITMS,
  CARRIED_FROM_ITMS,
  CARRIED_TO_COLLECTOR,
  CARRIED_FROM_COLLECTOR,
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
  /* A SYN is the engine's to decide, and so is a SYN+ACK that another may have preceded. */
  SYN,
  /* The connection is diverted, and the engine has it. */
  DIVERTED,
  /* A FIN or RST that may end a diverted connection, or another packet that the engine has to see. */
  ENDING,
  /* Not proven to be the CPE's: docs/decisions/proof.md */
  UNPROVEN,
  /* An earlier packet of the connection may still wait in the queue: opening.h */
  OVERTAKING,
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
  /* Not a packet's fate: the engine should have got a copy of it, and the ring was full. */
  UNHEARD,
  REASONS,
};

/* Index into `control`. */
enum control {
  /* Which of the two configurations is in force: 0 or 1. */
  CONTROL_SLOT,
  /* 1 while `flows` holds every entry of the report table. */
  CONTROL_OPEN,
  /* CLOCK_BOOTTIME in ms, modulo 2^32, until when the engine is alive unless it says so again; 0: for ever. */
  CONTROL_ALIVE_UNTIL,
  /* Lives of a flow that is offered, and of one that is carried, in ms; 0: they do not end here. */
  CONTROL_OFFERED_MS,
  CONTROL_CARRIED_MS,
  /* Changes with each connection added to `foreign`, and each CPE that somebody begins to trace: ways.h */
  CONTROL_FOREIGN_EPOCH,
  CONTROLS,
};

/* Bits of an interface's role. */
enum role { ROLE_CPE_IN = 1, ROLE_CPE_OUT = 2, ROLE_ITMS = 4, ROLE_COLLECTOR = 8 };

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

/* A connection to the ITMS, by a hash of the CPE's address and both ports. */
#define OPENINGS_BITS 16
#define MAX_OPENINGS (1 << OPENINGS_BITS)
struct opening {
  __u32 hash;
  __u32 isn;
  __u32 state;
  __u32 ms; /* of the last SYN or SYN+ACK, CLOCK_BOOTTIME */
};
enum opening_state {
  OPENING_NONE,
  /* The engine has the CPE's SYN. */
  OPENING_ASKED,
  /* The ITMS has answered this SYN. */
  OPENING_ANSWERED,
  /* The SYN was repeated, or something came between: all packets go to the engine. */
  OPENING_REPEATED,
};

/* Who has a diverted connection. Only the one who has it writes its numbers. */
enum flow_state {
  /* The engine: every packet passes to it. */
  FLOW_OF_ENGINE,
  /* The engine has let the collector's SYN+ACK pass: the CPE's valid ACK confirms the connection. */
  FLOW_OFFERED,
  /* The program: it carries ACKs and data. */
  FLOW_CARRIED,
  /* The engine again, which has yet to take the numbers. */
  FLOW_HANDED,
  /* Nobody: the engine was dead when the CPE opened another connection. The entry's packets are carried to the ITMS. */
  FLOW_GONE,
};

/* Bits of `marks`, as in the report table's rows (src/tables/connection-row.ts, src/splitter/decide/http-head.ts): window
 * scales of CPE and server, and how many segments of data the server has sent since its acknowledgement changed. */
#define SCALE_MASK 15
#define SERVER_SCALE_SHIFT 4
#define SEGMENTS_SHIFT 19
#define SEGMENTS_MASK (7U << SEGMENTS_SHIFT)
/* The program's own: the CPE has sent new data since the engine was last told of the server's. */
#define ASKED (1U << 22)
/* As many segments of an answer, and as many bytes of each, are copied to the engine. */
#define COPIED_SEGMENTS 4
#define COPIED_BYTES 255

/* A diverted connection's numbers: src/tables/connection-numbers.ts. Times are CLOCK_BOOTTIME in ns. */
struct numbers {
  __u64 spoke; /* the last valid packet */
  __u64 data;  /* the last valid data */
  __u32 state;
  __u32 server[4]; /* in network order; IPv4: the first word */
  __u32 isn;
  __u32 server_next;
  __u32 server_ack;
  __u32 server_edge;
  __u32 cpe_next;
  __u32 cpe_ack;
  __u32 cpe_edge;
  __u32 head_at;
  __u32 marks;
};
/* The lock first: without CAP_PERFMON a program may not add to a pointer to get at it. */
struct flow {
  struct bpf_spin_lock lock;
  __u32 unused;
  struct numbers numbers;
};

/* Where a copied packet came from: Side in src/packet/batch.ts */
enum side { SIDE_CPE, SIDE_ITMS, SIDE_COLLECTOR };

/* A packet that was carried, as it came, and the numbers before it; of the ITMS's packets, zeros. The engine makes of the
 * copy what it would have made of the packet. */
#define COPY_BYTES (40 + 60 + COPIED_BYTES + 1)
#define OVERHEARD_BYTES (1 << 22)
struct overheard {
  struct numbers before;
  __u32 side;
  __u32 bytes;
  __u8 packet[COPY_BYTES];
};

#endif
