#ifndef WSCOPE_CPCRE2_H
#define WSCOPE_CPCRE2_H

/* The library for UTF-8; the names of its functions then end in `_8`. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <time.h>

/* ns of CPU time that the calling thread has used. */
static inline long long wscope_threadTime(void) {
  struct timespec time = {0, 0};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

#endif
