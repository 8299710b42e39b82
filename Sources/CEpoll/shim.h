#ifndef WSCOPE_CEPOLL_H
#define WSCOPE_CEPOLL_H

/* Linux headers that Swift's Glibc module leaves out. */
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>

/* Variadic, which Swift does not see. How much later than asked the kernel may wake this thread, in
 * nanoseconds; 50 000 by default. */
static inline int wscope_setTimerSlack(unsigned long nanoseconds) {
  return prctl(PR_SET_TIMERSLACK, nanoseconds);
}

/* Without _GNU_SOURCE, which the importer does not set, the headers keep it to themselves. */
extern int accept4(int descriptor, struct sockaddr *address, socklen_t *length, int flags);

static inline int wscope_accept(int descriptor, struct sockaddr *address, socklen_t *length) {
  return accept4(descriptor, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

#endif
