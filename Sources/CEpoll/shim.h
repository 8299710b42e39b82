#ifndef WSCOPE_CEPOLL_H
#define WSCOPE_CEPOLL_H

/* Linux headers that Swift's Glibc module leaves out. */
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Variadic, which Swift does not see. How much later than asked the kernel may wake this thread, in
 * nanoseconds; 50 000 by default. */
static inline int wscope_setTimerSlack(unsigned long nanoseconds) {
  return prctl(PR_SET_TIMERSLACK, nanoseconds);
}

/* A socket that does not block and is not handed on, in one call: the headers keep accept4 for those who
 * define _GNU_SOURCE. The header of sockets stays out: its types would be this module's then. The flags are
 * those of open(2) for sockets, events and all other descriptors. */
static inline int wscope_accept(int descriptor, void *address, unsigned int *length) {
  return (int)syscall(SYS_accept4, descriptor, address, length, EFD_NONBLOCK | EFD_CLOEXEC);
}

#endif
