#include "check.h"

int main() {
  test_checksum();
  test_message();
  test_verdicts();
  test_queue();
  std::puts("native: checksum, message, verdicts, queue passed");
  return 0;
}
