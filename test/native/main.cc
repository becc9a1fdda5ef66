#include "check.h"

int main() {
  test_checksum();
  test_message();
  test_verdicts();
  test_queue();
  test_recovery();
  std::puts("native: checksum, message, verdicts, queue, recovery passed");
  return 0;
}
