// What a C programmer would write over libnetfilter_queue, at its best: the peer that acsplit is measured against.
//
// GSO super-packets unsegmented, 64 packets per recvmmsg, one sendmsg per batch, payloads gathered from where they are,
// checksums updated (RFC 1624), computed in full only where the kernel left that to do, and never over a super-packet.
// The same rewrite without any other rules: a CPE of the first network goes to the collector, any other to the ITMS,
// and packets from servers leave as the ACS.
//
//     rewriter FIRST_QUEUE ACS ITMS COLLECTOR NETWORK MASK       prints "ready" when verdicts flow
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <libnetfilter_queue/libnetfilter_queue.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum { BATCH = 64, SLOT = 65536 + 4096, QUEUES = 3, QUEUE_LENGTH = 16384, RECEIVE_BUFFER = 256 << 20 };

struct head {
  struct nlmsghdr message;
  struct nfgenmsg generic;
  struct nlattr verdict_attribute;
  struct nfqnl_msg_verdict_hdr verdict;
  struct nlattr payload_attribute;
};

static uint8_t slots[BATCH][SLOT];
static struct head heads[BATCH];
static struct mmsghdr datagrams[BATCH];
static struct iovec receive_pieces[BATCH], send_pieces[3 * BATCH];
static const uint8_t zeros[4];
static uint32_t acs, itms, collector, network, mask; // network order

static uint16_t load16(const uint8_t *at) {
  uint16_t word;
  memcpy(&word, at, 2);
  return word;
}

// RFC 1624 equation 3 for an address, all in network order: one's-complement sums do not care.
static void update(uint8_t *checksum, uint32_t from, uint32_t to) {
  uint32_t sum = (uint16_t)~load16(checksum) + (~from >> 16) + (~from & 0xffff) + (to >> 16) + (to & 0xffff);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  const uint16_t folded = (uint16_t)~sum;
  memcpy(checksum, &folded, 2);
}

static void fill_checksum(uint8_t *packet, size_t length) {
  const size_t ip = (packet[0] & 15) * 4u;
  uint8_t *tcp = packet + ip;
  const size_t segment = length - ip;
  memset(tcp + 16, 0, 2);
  uint64_t sum = htons(6) + htons((uint16_t)segment);
  for (size_t i = 12; i < 20; i += 2) sum += load16(packet + i);
  for (size_t i = 0; i + 1 < segment; i += 2) sum += load16(tcp + i);
  if (segment & 1) sum += tcp[segment - 1];
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  const uint16_t folded = (uint16_t)~sum;
  memcpy(tcp + 16, &folded, 2);
}

// True when the packet leaves rewritten.
static int rewrite(uint8_t *packet, size_t length, int from_cpe, uint32_t bits) {
  if (length < 40 || packet[0] >> 4 != 4 || packet[9] != 6) return 0;
  const size_t at = from_cpe ? 16 : 12;
  uint32_t old, source, new = acs;
  memcpy(&old, packet + at, 4);
  memcpy(&source, packet + 12, 4);
  if (from_cpe) new = (source & mask) == network ? collector : itms;
  memcpy(packet + at, &new, 4);
  update(packet + 10, old, new);
  uint8_t *tcp = packet + (packet[0] & 15) * 4u;
  if ((bits & (NFQA_SKB_CSUMNOTREADY | NFQA_SKB_GSO)) == NFQA_SKB_CSUMNOTREADY) fill_checksum(packet, length);
  else update(tcp + 16, old, new);
  return 1;
}

// Puts the verdict of one message behind the others; returns how many pieces there are now.
static size_t judge(struct head *head, uint8_t *message, uint16_t first, size_t pieces) {
  const struct nlmsghdr *netlink = (void *)message;
  if (netlink->nlmsg_type != (NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET)) return pieces;
  const struct nfgenmsg *generic = mnl_nlmsg_get_payload(netlink);
  uint32_t id = 0, bits = 0;
  uint8_t *packet = NULL;
  size_t length = 0;
  struct nlattr *attribute;
  mnl_attr_for_each(attribute, netlink, sizeof *generic) {
    const int type = mnl_attr_get_type(attribute);
    if (type == NFQA_PACKET_HDR) memcpy(&id, mnl_attr_get_payload(attribute), 4);
    if (type == NFQA_SKB_INFO) bits = ntohl(mnl_attr_get_u32(attribute));
    if (type != NFQA_PAYLOAD) continue;
    packet = mnl_attr_get_payload(attribute);
    length = mnl_attr_get_payload_len(attribute);
  }
  const int rewritten = packet != NULL && rewrite(packet, length, ntohs(generic->res_id) == first, bits);
  memset(head, 0, sizeof *head);
  const size_t bytes = rewritten ? sizeof *head : sizeof *head - sizeof head->payload_attribute;
  head->message.nlmsg_len = (uint32_t)(bytes + (rewritten ? MNL_ALIGN(length) : 0));
  head->message.nlmsg_type = NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_VERDICT;
  head->message.nlmsg_flags = NLM_F_REQUEST;
  head->generic.res_id = generic->res_id;
  head->verdict_attribute.nla_len = sizeof(struct nlattr) + sizeof(struct nfqnl_msg_verdict_hdr);
  head->verdict_attribute.nla_type = NFQA_VERDICT_HDR;
  head->verdict.verdict = htonl(NF_ACCEPT);
  head->verdict.id = id;
  send_pieces[pieces++] = (struct iovec){head, bytes};
  if (!rewritten) return pieces;
  head->payload_attribute.nla_len = (uint16_t)(sizeof(struct nlattr) + length);
  head->payload_attribute.nla_type = NFQA_PAYLOAD;
  send_pieces[pieces++] = (struct iovec){packet, length};
  const size_t padding = MNL_ALIGN(length) - length;
  if (padding > 0) send_pieces[pieces++] = (struct iovec){(void *)zeros, padding};
  return pieces;
}

static void die(const char *what) {
  perror(what);
  exit(1);
}

static void bind_queue(struct mnl_socket *socket, uint16_t queue) {
  char buffer[256];
  struct nlmsghdr *message = nfq_nlmsg_put(buffer, NFQNL_MSG_CONFIG, queue);
  nfq_nlmsg_cfg_put_cmd(message, AF_INET, NFQNL_CFG_CMD_BIND);
  nfq_nlmsg_cfg_put_params(message, NFQNL_COPY_PACKET, 0xffff);
  nfq_nlmsg_cfg_put_qmaxlen(message, QUEUE_LENGTH);
  mnl_attr_put_u32(message, NFQA_CFG_FLAGS, htonl(NFQA_CFG_F_GSO));
  mnl_attr_put_u32(message, NFQA_CFG_MASK, htonl(NFQA_CFG_F_GSO));
  if (mnl_socket_sendto(socket, message, message->nlmsg_len) < 0) die("bind");
}

int main(int count, char **words) {
  if (count != 7) return 2;
  const uint16_t first = (uint16_t)atoi(words[1]);
  uint32_t *const addresses[] = {&acs, &itms, &collector, &network, &mask};
  for (int i = 0; i < 5; i++) inet_pton(AF_INET, words[2 + i], addresses[i]);
  struct mnl_socket *netlink = mnl_socket_open(NETLINK_NETFILTER);
  if (netlink == NULL || mnl_socket_bind(netlink, 0, MNL_SOCKET_AUTOPID) < 0) die("socket");
  const int fd = mnl_socket_get_fd(netlink), one = 1, bytes = RECEIVE_BUFFER;
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes);
  setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &(int){8 << 20}, sizeof(int));
  setsockopt(fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, &one, sizeof one);
  for (uint16_t queue = 0; queue < QUEUES; queue++) bind_queue(netlink, (uint16_t)(first + queue));
  puts("ready");
  fflush(stdout);
  for (size_t i = 0; i < BATCH; i++) receive_pieces[i] = (struct iovec){slots[i], SLOT};
  for (size_t i = 0; i < BATCH; i++) datagrams[i].msg_hdr = (struct msghdr){.msg_iov = &receive_pieces[i], .msg_iovlen = 1};
  for (;;) {
    const int received = recvmmsg(fd, datagrams, BATCH, MSG_WAITFORONE, NULL);
    if (received < 0) continue; // a refused verdict, or an overrun
    size_t pieces = 0;
    for (int i = 0; i < received; i++) pieces = judge(&heads[i], slots[i], first, pieces);
    const struct msghdr batch = {.msg_iov = send_pieces, .msg_iovlen = pieces};
    if (pieces > 0 && sendmsg(fd, &batch, 0) < 0) perror("sendmsg");
  }
}
