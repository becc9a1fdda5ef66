#include "filter.h"

#include <bpf/libbpf.h>
#include <libmnl/libmnl.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstring>
#include <initializer_list>

namespace acsplit {
namespace {

int fail(int error) { return error < 0 ? -error : error; }

// What the kernel sends of a dump at a time.
constexpr size_t kDumpBytes = 32768;

// libbpf prints what it is refused, expected or not.
int be_silent(libbpf_print_level, const char*, va_list) { return 0; }

bpf_tc_hook hook_of(int ifindex, bpf_tc_attach_point point) {
  bpf_tc_hook hook;
  memset(&hook, 0, sizeof hook);
  hook.sz = sizeof hook;
  hook.ifindex = ifindex;
  hook.attach_point = point;
  return hook;
}

int count_one(const nlmsghdr* message, void* count) {
  if (message->nlmsg_type == RTM_NEWTFILTER) ++*static_cast<size_t*>(count);
  return MNL_CB_OK;
}

int count_on(mnl_socket* socket, int ifindex, uint32_t parent, size_t* count) {
  alignas(nlmsghdr) char bytes[kDumpBytes];
  nlmsghdr* message = mnl_nlmsg_put_header(bytes);
  message->nlmsg_type = RTM_GETTFILTER;
  message->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  message->nlmsg_seq = parent;
  auto* filter = static_cast<tcmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(tcmsg)));
  filter->tcm_family = AF_UNSPEC;
  filter->tcm_ifindex = ifindex;
  filter->tcm_parent = parent;
  if (mnl_socket_sendto(socket, message, message->nlmsg_len) < 0) return errno;
  for (;;) {
    const ssize_t length = mnl_socket_recvfrom(socket, bytes, sizeof bytes);
    if (length < 0) return errno;
    const int more = mnl_cb_run(bytes, static_cast<size_t>(length), parent, mnl_socket_get_portid(socket), count_one,
                                count);
    if (more < 0) return errno;
    if (more == 0) return 0;
  }
}

}  // namespace

int make_clsact(int ifindex, bool* is_new) {
  libbpf_set_print(be_silent);
  bpf_tc_hook hook = hook_of(ifindex, BPF_TC_INGRESS);
  const int error = fail(bpf_tc_hook_create(&hook));
  *is_new = error == 0;
  return error == EEXIST ? 0 : error;
}

int remove_clsact(int ifindex) {
  libbpf_set_print(be_silent);
  bpf_tc_hook hook = hook_of(ifindex, static_cast<bpf_tc_attach_point>(BPF_TC_INGRESS | BPF_TC_EGRESS));
  return fail(bpf_tc_hook_destroy(&hook));
}

int count_filters(int ifindex, size_t* count) {
  *count = 0;
  mnl_socket* socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
  if (socket == nullptr) return errno;
  int error = mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0 ? errno : 0;
  for (const uint32_t minor : {TC_H_MIN_INGRESS, TC_H_MIN_EGRESS}) {
    if (error == 0) error = count_on(socket, ifindex, TC_H_MAKE(TC_H_CLSACT, minor), count);
  }
  mnl_socket_close(socket);
  return error;
}

int query_filter(const Place& place, uint32_t* program_id) {
  libbpf_set_print(be_silent);
  *program_id = 0;
  bpf_tc_hook hook = hook_of(place.ifindex, BPF_TC_INGRESS);
  LIBBPF_OPTS(bpf_tc_opts, options, .handle = place.handle, .priority = place.priority);
  const int error = fail(bpf_tc_query(&hook, &options));
  if (error == 0) *program_id = options.prog_id;
  // EINVAL: the interface has no clsact; ENODEV: it is gone.
  return error == ENOENT || error == EINVAL || error == ENODEV ? 0 : error;
}

int attach_filter(const Place& place, int program, bool replaces) {
  libbpf_set_print(be_silent);
  bpf_tc_hook hook = hook_of(place.ifindex, BPF_TC_INGRESS);
  LIBBPF_OPTS(bpf_tc_opts, options, .prog_fd = program, .flags = static_cast<uint32_t>(replaces ? BPF_TC_F_REPLACE : 0),
              .handle = place.handle, .priority = place.priority);
  return fail(bpf_tc_attach(&hook, &options));
}

int detach_filter(const Place& place) {
  libbpf_set_print(be_silent);
  bpf_tc_hook hook = hook_of(place.ifindex, BPF_TC_INGRESS);
  LIBBPF_OPTS(bpf_tc_opts, options, .handle = place.handle, .priority = place.priority);
  return fail(bpf_tc_detach(&hook, &options));
}

int list_links(std::vector<Link>* links) {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  struct if_nameindex* all = if_nameindex();
  if (all == nullptr) {
    const int error = errno;
    close(fd);
    return error;
  }
  for (const struct if_nameindex* one = all; one->if_index != 0; one++) {
    ifreq request;
    memset(&request, 0, sizeof request);
    strncpy(request.ifr_name, one->if_name, IFNAMSIZ - 1);
    if (ioctl(fd, SIOCGIFHWADDR, &request) != 0) continue;  // It went meanwhile.
    links->push_back({one->if_name, one->if_index, request.ifr_hwaddr.sa_family == ARPHRD_ETHER});
  }
  if_freenameindex(all);
  close(fd);
  return 0;
}

}  // namespace acsplit
