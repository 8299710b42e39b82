// stalls CORE OTHER-CORE SECONDS: what the machine keeps from a thread on CORE that never sleeps, while another one does the same on
// OTHER-CORE. Prints, as JSON, the share of the time that went in gaps of more than 100 us between two looks at the clock, and the longest.
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static long long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static int pin(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  return sched_setaffinity(0, sizeof set, &set);
}

int main(int count, char **words) {
  if (count != 4) return 2;
  int core = atoi(words[1]), other = atoi(words[2]);
  long long begin = now(), end = begin + (long long)(atof(words[3]) * 1e9);
  int is_other = other != core && fork() == 0;
  if (pin(is_other ? other : core) != 0) return 1;
  long long last = begin, lost = 0, longest = 0;
  while (last < end) {
    long long time = now(), gap = time - last;
    if (gap > 100000) {
      lost += gap;
      if (gap > longest) longest = gap;
    }
    last = time;
  }
  if (!is_other) printf("{\"share\": %.5f, \"longest_ms\": %.3f}\n", (double)lost / (double)(last - begin), longest / 1e6);
  return 0;
}
