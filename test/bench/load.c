// The traffic of the benchmark, for every peer the same: CPEs in the namespace in which it runs, half of which should
// reach the collector (first network), half the ITMS (second), and, for `story`, the collector's own requests.
//
//     load MODE MILLISECONDS PORT TO_COLLECTOR TO_ITMS [NAMESPACE]
//
// TO_...: the address to connect to; the ACS for all but plain forwarding. NAMESPACE: the collector's, as a path.
// Prints one line of JSON. `all` counts those of the warm-up too. `wrong` counts answers of the other server, and requests that broke off:
// a line on stderr says of each when it ended (CLOCK_REALTIME), whose it was, and how.
//
//     churn    connections one after the other on 64 CPEs, a request each     { done, all, seconds, wrong }
//     calm     the same, all of them the ITMS's                               { done, all, seconds, wrong }
//     latency  requests on two kept connections, by turns                     { done, p50, p99 (µs), wrong }
//     bulk     two downloads at once                                          { bytes, seconds, wrong }
//     flood    bare ACKs of 64 connections that stand, as fast as they go     { done, seconds }
//     story    Connection Request, then the diverted session, on 64 CPEs      { done, all, seconds, wrong }
//     paced    the same, 140 a second: a province of ten million CPEs         { done, all, seconds, wrong }
//     beside   latency, while `paced` runs                                    { done, p50, p99 (µs), wrong }
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CPES = 64, STORY_CPES = 4096, REQUEST_PORT = 7170, WARM_UP_MS = 750, TEXT = 1 << 16, BATCH = 64 };
// Host order: the two networks of CPEs, and an offset for each mode, so that modes do not share state.
enum { FIRST = 0x0a014000, SECOND = 0x0a016000, OF_CHURN = 0, OF_LATENCY = 256, OF_BULK = 258, OF_FLOOD = 512, OF_STORY = 4096 };
static const double PACE = 140; // a second

static uint16_t port;
static uint32_t to_collector, to_itms; // network order
static int milliseconds, epoll, cpe_namespace, collector_namespace;
static long done, wrong;
static char text[TEXT];

static void die(const char *what) {
  perror(what);
  exit(1);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

// CPE `n` of a mode: the even ones should reach the collector, the odd ones the ITMS.
static uint32_t cpe(int of, int n) { return htonl((uint32_t)((n & 1 ? SECOND : FIRST) + of + n / 2)); }

static struct sockaddr_in address(uint32_t ip, uint16_t at) {
  return (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = ip, .sin_port = htons(at)};
}

static int connect_from(uint32_t own, uint32_t peer, uint16_t at, int flags) {
  const int fd = socket(AF_INET, SOCK_STREAM | flags, 0), one = 1;
  if (fd < 0) die("socket");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
  struct sockaddr_in from = address(own, 0), to = address(peer, at);
  if (own != 0 && bind(fd, (void *)&from, sizeof from) < 0) die("bind");
  if (connect(fd, (void *)&to, sizeof to) < 0 && errno != EINPROGRESS) die("connect");
  return fd;
}

static int is_from(const char *answer, size_t length, int second) {
  return memmem(answer, length, second ? "X-Server: itms" : "X-Server: coll", 14) != NULL;
}

// ---- sessions: connections one after the other on each CPE; in `story`, each after a Connection Request ----

enum kind { SESSION, REQUEST, LISTENER, ANSWER };
struct connection {
  enum kind kind;
  int fd, slot, sent, answered, right;
};
static int turn[CPES]; // of each slot: which of its CPEs is at work
static int is_story, is_calm, is_paced;
static int is_busy[CPES]; // of each slot in `paced`

// Of `calm`, all are odd.
static int number_of(int slot) { return is_calm ? 2 * slot + 1 : slot; }

static uint32_t cpe_of(int slot) {
  return is_story ? htonl(FIRST + OF_STORY + (uint32_t)(slot + turn[slot] * CPES) % STORY_CPES) : cpe(OF_CHURN, number_of(slot));
}

static void watch(enum kind kind, int fd, int slot) {
  struct connection *connection = calloc(1, sizeof *connection);
  *connection = (struct connection){.kind = kind, .fd = fd, .slot = slot};
  struct epoll_event event = {.events = kind == ANSWER || kind == LISTENER ? EPOLLIN : EPOLLIN | EPOLLOUT, .data.ptr = connection};
  if (kind != LISTENER) event.events |= EPOLLET;
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0) die("epoll_ctl");
}

static void open_session(int slot) {
  const uint32_t peer = is_story || number_of(slot) % 2 == 0 ? to_collector : to_itms;
  watch(SESSION, connect_from(cpe_of(slot), peer, port, SOCK_NONBLOCK), slot);
}

static void open_request(int slot) {
  turn[slot]++;
  if (setns(collector_namespace, CLONE_NEWNET) < 0) die("setns");
  watch(REQUEST, connect_from(0, cpe_of(slot), REQUEST_PORT, SOCK_NONBLOCK), slot);
  if (setns(cpe_namespace, CLONE_NEWNET) < 0) die("setns");
}

static void accept_request(struct connection *listener) {
  struct sockaddr_in own;
  socklen_t length = sizeof own;
  const int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK);
  if (fd < 0) return;
  getsockname(fd, (void *)&own, &length);
  watch(ANSWER, fd, (int)((ntohl(own.sin_addr.s_addr) - FIRST - OF_STORY) % CPES));
}

static void begin(int slot) {
  if (is_story) open_request(slot);
  else open_session(slot);
}

static void tell_of_wrong(const struct connection *connection, int failure) {
  struct timespec time;
  struct sockaddr_in own = {0};
  socklen_t length = sizeof own;
  clock_gettime(CLOCK_REALTIME, &time);
  getsockname(connection->fd, (void *)&own, &length);
  fprintf(stderr, "wrong: %ld.%06ld %s:%d, %s, %s\n", (long)time.tv_sec, time.tv_nsec / 1000, inet_ntoa(own.sin_addr), ntohs(own.sin_port),
          connection->answered ? "another's answer" : connection->sent ? "no answer" : "not asked", failure ? strerror(failure) : "closed");
}

// `failure`: an errno, or 0 when the other side has closed.
static void end(struct connection *connection, int failure) {
  const int slot = connection->slot;
  const enum kind kind = connection->kind;
  if (kind == SESSION) {
    done++;
    wrong += !connection->right;
    if (!connection->right) tell_of_wrong(connection, failure);
  }
  close(connection->fd);
  free(connection);
  if (kind == SESSION && is_paced) is_busy[slot] = 0;
  else if (kind == SESSION) begin(slot);
  if (kind == ANSWER) open_session(slot); // the collector's FIN is here: the CPE was woken
}

static void on_event(struct connection *connection, uint32_t events) {
  static const char ask[] = "GET / HTTP/1.0\r\nHost: acs\r\n\r\n", yes[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
  if (connection->kind == LISTENER) return accept_request(connection);
  if (connection->kind != ANSWER && !connection->sent && (events & EPOLLOUT)) {
    connection->sent = 1;
    if (send(connection->fd, ask, sizeof ask - 1, MSG_NOSIGNAL) < 0) return end(connection, errno);
  }
  if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR))) return;
  for (;;) {
    const ssize_t got = recv(connection->fd, text, TEXT, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) return end(connection, got < 0 ? errno : 0);
    connection->answered = 1;
    if (connection->kind == REQUEST) return end(connection, 0); // the whole 200: a FIN is the answer
    if (connection->kind == SESSION) connection->right |= is_from(text, (size_t)got, !is_story && number_of(connection->slot) % 2);
    if (connection->kind == ANSWER && send(connection->fd, yes, sizeof yes - 1, MSG_NOSIGNAL) < 0) return end(connection, errno);
  }
}

static void sessions(void) {
  struct epoll_event events[CPES];
  epoll = epoll_create1(0);
  if (is_story) {
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
    struct sockaddr_in any = address(INADDR_ANY, REQUEST_PORT);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (void *)&any, sizeof any) < 0 || listen(listener, 4096) < 0) die("listen");
    watch(LISTENER, listener, 0);
  }
  for (int slot = 0; slot < CPES && !is_paced; slot++) begin(slot);
  double due = now();
  int next = 0;
  const double warm = now() + WARM_UP_MS / 1e3;
  double started = 0, time;
  long before = 0;
  while ((time = now()) < warm + milliseconds / 1e3) {
    if (started == 0 && time >= warm) {
      started = time;
      before = done;
      done = 0;
    }
    for (; is_paced && due <= time; due += 1 / PACE, next = (next + 1) % CPES) {
      if (is_busy[next]) continue;
      is_busy[next] = 1;
      begin(next);
    }
    const int count = epoll_wait(epoll, events, CPES, is_paced ? 2 : 100);
    for (int i = 0; i < count; i++) on_event(events[i].data.ptr, events[i].events);
  }
  printf("{\"done\":%ld,\"all\":%ld,\"seconds\":%.6f,\"wrong\":%ld}\n", done, before + done, time - started, wrong);
}

// ---- kept connections ----

static int compare(const void *one, const void *other) {
  const double a = *(const double *)one, b = *(const double *)other;
  return (a > b) - (a < b);
}

static void latency(void) {
  static const char ask[] = "GET / HTTP/1.1\r\nHost: acs\r\n\r\n";
  enum { MOST = 1 << 20 };
  double *const took = malloc(MOST * sizeof *took);
  const int fds[] = {connect_from(cpe(OF_LATENCY, 0), to_collector, port, 0), connect_from(cpe(OF_LATENCY, 1), to_itms, port, 0)};
  const double warm = now() + WARM_UP_MS / 1e3;
  double begun = now();
  for (int n = 0; begun < warm + milliseconds / 1e3 && done < MOST; n++) {
    if (send(fds[n & 1], ask, sizeof ask - 1, 0) < 0) die("send");
    const ssize_t got = recv(fds[n & 1], text, TEXT, 0); // an answer of 200 bytes is one segment
    if (got <= 0) die("recv");
    const double ended = now();
    wrong += !is_from(text, (size_t)got, n & 1);
    if (begun >= warm) took[done++] = (ended - begun) * 1e6;
    begun = ended;
  }
  qsort(took, (size_t)done, sizeof *took, compare);
  printf("{\"done\":%ld,\"p50\":%.1f,\"p99\":%.1f,\"wrong\":%ld}\n", done, took[done / 2], took[done * 99 / 100], wrong);
}

// The child's sessions go on for as long as the parent measures.
static void beside(void) {
  const pid_t child = fork();
  if (child < 0) die("fork");
  if (child == 0) {
    is_story = is_paced = 1;
    milliseconds += 60000;
    if (freopen("/dev/null", "w", stdout) == NULL) die("freopen");
    sessions();
    _exit(0);
  }
  latency();
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
}

static void bulk(void) {
  static const char ask[] = "GET /bulk HTTP/1.1\r\nHost: acs\r\n\r\n";
  enum { REQUESTS = 400 }; // of 64 MiB each: more than a run can take
  int fds[2];
  epoll = epoll_create1(0);
  for (int n = 0; n < 2; n++) {
    fds[n] = connect_from(cpe(OF_BULK, n), n ? to_itms : to_collector, port, 0);
    for (int request = 0; request < REQUESTS; request++) if (send(fds[n], ask, sizeof ask - 1, 0) < 0) die("send");
    const ssize_t got = recv(fds[n], text, 256, MSG_PEEK | MSG_WAITALL);
    wrong += got <= 0 || !is_from(text, (size_t)got, n);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fds[n]};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fds[n], &event);
  }
  const double warm = now() + WARM_UP_MS / 1e3;
  double started = 0, time, bytes = 0;
  while ((time = now()) < warm + milliseconds / 1e3) {
    if (started == 0 && time >= warm) {
      started = time;
      bytes = 0;
    }
    struct epoll_event events[2];
    const int count = epoll_wait(epoll, events, 2, 100);
    for (int i = 0; i < count; i++) {
      // Cut off, not copied: the receiver should cost little.
      const ssize_t got = recv(events[i].data.fd, NULL, 8 << 20, MSG_TRUNC | MSG_DONTWAIT);
      if (got > 0) bytes += (double)got;
      else if (got == 0) die("a download that ended");
    }
  }
  printf("{\"bytes\":%.0f,\"seconds\":%.6f,\"wrong\":%ld}\n", bytes, time - started, wrong);
}

// ---- bare packets ----

struct packet {
  struct iphdr ip;
  struct tcphdr tcp;
};

static uint16_t fold(const void *bytes, size_t length, uint32_t sum) {
  for (size_t at = 0; at < length; at += 2) {
    uint16_t word;
    memcpy(&word, (const char *)bytes + at, 2);
    sum += word;
  }
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return (uint16_t)~sum;
}

// What the kernel sends next, or expects next, on a connection.
static uint32_t number_in(int fd, int queue) {
  uint32_t number;
  socklen_t length = sizeof number;
  if (setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, &queue, sizeof queue) < 0) die("TCP_REPAIR_QUEUE");
  if (getsockopt(fd, IPPROTO_TCP, TCP_QUEUE_SEQ, &number, &length) < 0) die("TCP_QUEUE_SEQ");
  return number;
}

// An acknowledgement as the kernel itself would send it, on a connection that stands.
static struct packet bare(int n) {
  const int fd = connect_from(cpe(OF_FLOOD, n), n & 1 ? to_itms : to_collector, port, 0), one = 1;
  if (setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &one, sizeof one) < 0) die("TCP_REPAIR");
  struct sockaddr_in own;
  socklen_t length = sizeof own;
  getsockname(fd, (void *)&own, &length);
  struct packet packet = {
      .ip = {.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_TCP, .tot_len = htons(sizeof packet)},
      .tcp = {.source = own.sin_port, .dest = htons(port), .doff = 5, .window = htons(1000)}};
  packet.tcp.seq = htonl(number_in(fd, 2));
  packet.tcp.ack_seq = htonl(number_in(fd, 1));
  packet.tcp.ack = 1;
  packet.ip.saddr = cpe(OF_FLOOD, n);
  packet.ip.daddr = n & 1 ? to_itms : to_collector;
  const uint32_t sum = fold(&packet.ip.saddr, 8, 0) ^ 0xffff;
  packet.tcp.check = fold(&packet.tcp, sizeof packet.tcp, sum + htons(IPPROTO_TCP) + htons(sizeof packet.tcp));
  return packet;
}

static void flood(void) {
  struct packet packets[BATCH];
  struct iovec pieces[BATCH];
  struct mmsghdr messages[BATCH];
  struct sockaddr_in to[2] = {address(to_collector, 0), address(to_itms, 0)};
  const int fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
  if (fd < 0) die("socket");
  for (int i = 0; i < BATCH; i++) {
    pieces[i] = (struct iovec){&packets[i], sizeof packets[i]};
    messages[i].msg_hdr = (struct msghdr){.msg_name = &to[i & 1], .msg_namelen = sizeof to[0], .msg_iov = &pieces[i], .msg_iovlen = 1};
    packets[i] = bare(i);
  }
  const double started = now();
  double time;
  while ((time = now()) < started + milliseconds / 1e3) {
    const int sent = sendmmsg(fd, messages, BATCH, 0);
    if (sent > 0) done += sent;
  }
  printf("{\"done\":%ld,\"seconds\":%.6f}\n", done, time - started);
}

int main(int count, char **words) {
  if (count < 6) return 2;
  milliseconds = atoi(words[2]);
  port = (uint16_t)atoi(words[3]);
  inet_pton(AF_INET, words[4], &to_collector);
  inet_pton(AF_INET, words[5], &to_itms);
  const int is_beside = strcmp(words[1], "beside") == 0;
  is_paced = strcmp(words[1], "paced") == 0;
  is_story = is_paced || strcmp(words[1], "story") == 0;
  is_calm = strcmp(words[1], "calm") == 0;
  if (is_story || is_beside) {
    cpe_namespace = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    collector_namespace = open(words[6], O_RDONLY | O_CLOEXEC);
  }
  if (is_story || is_calm || strcmp(words[1], "churn") == 0) sessions();
  else if (strcmp(words[1], "latency") == 0) latency();
  else if (is_beside) beside();
  else if (strcmp(words[1], "bulk") == 0) bulk();
  else if (strcmp(words[1], "flood") == 0) flood();
  else return 2;
  return 0;
}
