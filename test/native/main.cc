#include "check.h"

int main() {
  test_checksum();
  test_message();
  test_verdicts();
  test_queue();
  test_recovery();
  test_open();
  std::puts("native: checksum, message, verdicts, queue, recovery, open passed");
  return 0;
}
