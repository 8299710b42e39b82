#ifndef WSCOPE_CEPOLL_H
#define WSCOPE_CEPOLL_H

/* Linux headers that Swift's Glibc module leaves out. */
#include <sys/epoll.h>
#include <sys/eventfd.h>

#endif
