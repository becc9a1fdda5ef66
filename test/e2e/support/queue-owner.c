/* A program that has nothing to do with us and owns an NFQUEUE, as libnetfilter_queue's own example does:
 *
 *     queue-owner NUMBER     says "bound" and waits for its end
 */
#include <libnetfilter_queue/libnetfilter_queue.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int drop(struct nfq_q_handle *queue, struct nfgenmsg *message, struct nfq_data *packet, void *nothing) {
  (void)queue, (void)message, (void)packet, (void)nothing;
  return 0;
}

int main(int count, char **words) {
  struct nfq_handle *library = nfq_open();
  if (count != 2 || library == NULL || nfq_create_queue(library, (uint16_t)atoi(words[1]), &drop, NULL) == NULL) return 1;
  puts("bound");
  fflush(stdout);
  pause();
  return 0;
}
