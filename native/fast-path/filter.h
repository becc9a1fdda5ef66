// The tc filter that runs the program on an interface's ingress, and the interfaces. No napi. Each function returns 0 or errno.
#ifndef ACSPLIT_FAST_PATH_FILTER_H_
#define ACSPLIT_FAST_PATH_FILTER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace acsplit {

// Where our filter stands among those of an interface.
struct Place {
  int ifindex;
  uint32_t handle;
  uint32_t priority;
};

// Creates the clsact qdisc unless one is there. `is_new`: it was not.
int make_clsact(int ifindex, bool* is_new);
// Takes the clsact qdisc away, with every filter on it.
int remove_clsact(int ifindex);
// How many filters an interface's clsact has, in both directions.
int count_filters(int ifindex, size_t* count);
// The program of the filter in this place; 0 when there is none.
int query_filter(const Place& place, uint32_t* program_id);
// EEXIST without `replaces` when another filter has the place.
int attach_filter(const Place& place, int program, bool replaces);
int detach_filter(const Place& place);

struct Link {
  std::string name;
  uint32_t index;
  bool is_ethernet;  // frames have an Ethernet header
};
int list_links(std::vector<Link>* links);

}  // namespace acsplit

#endif  // ACSPLIT_FAST_PATH_FILTER_H_
