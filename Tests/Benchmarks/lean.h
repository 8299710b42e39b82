/* What the lean load clients of this folder share: the handshake, frame headers, a histogram, CPU times. Included once in each. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static uint64_t random_state, histogram[59 * 64];

static void fail(const char *what) {
  fprintf(stderr, "%s: %s%s%s\n", program_invocation_short_name, what, errno ? ": " : "", errno ? strerror(errno) : "");
  exit(1);
}

static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint32_t random_key(void) { /* xorshift64*, seeded by the system: random enough for a mask */
  random_state ^= random_state >> 12;
  random_state ^= random_state << 25;
  random_state ^= random_state >> 27;
  return (uint32_t)((random_state * 2685821657736338717u) >> 32);
}

static void record(uint64_t ns) { /* 64 steps per power of two: within 1.6 % */
  int shift = ns < 128 ? 0 : 57 - __builtin_clzll(ns);
  histogram[(size_t)shift * 64 + (ns >> shift)] += 1;
}

static double percentile(uint64_t answered, double share) { /* microseconds */
  uint64_t seen = 0, wanted = (uint64_t)((double)answered * share);
  for (size_t i = 0; i < sizeof histogram / sizeof *histogram; i++) {
    seen += histogram[i];
    if (seen > wanted || (seen == answered && seen)) {
      size_t shift = i < 128 ? 0 : i / 64 - 1;
      return (double)((uint64_t)(i - shift * 64) << shift) / 1000;
    }
  }
  return 0;
}

static size_t write_head(uint8_t *at, uint8_t opcode, size_t size, bool masked) {
  uint8_t bit = masked ? 0x80 : 0;
  at[0] = 0x80 | opcode;
  if (size < 126) {
    at[1] = bit | (uint8_t)size;
    return 2;
  }
  int bytes = size < 65536 ? 2 : 8;
  at[1] = bit | (bytes == 2 ? 126 : 127);
  for (int i = 0; i < bytes; i++) at[2 + i] = (uint8_t)((uint64_t)size >> 8 * (bytes - 1 - i));
  return 2 + (size_t)bytes;
}

/* A socket after its handshake, which does not block; the server must not speak first. */
static int open_socket(int port, const char *path) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  struct timeval patience = {.tv_sec = 10};
  char request[600], reply[4096];
  uint8_t nonce[16];
  char key[25];
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  int one = 1;
  size_t have = 0;
  if (getrandom(nonce, sizeof nonce, 0) != sizeof nonce) fail("getrandom");
  for (int i = 0; i < 22; i++) {
    int bit = 6 * i;
    uint16_t pair = (uint16_t)(nonce[bit / 8] << 8 | (bit / 8 < 15 ? nonce[bit / 8 + 1] : 0));
    key[i] = digits[pair >> (10 - bit % 8) & 63];
  }
  memcpy(key + 22, "==", 3);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("socket");
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (connect(fd, (struct sockaddr *)&address, sizeof address)) fail("connect");
  int length = snprintf(request, sizeof request,
    "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n\r\n",
    path, port, key);
  if (send(fd, request, (size_t)length, MSG_NOSIGNAL) != length) fail("send");
  do {
    ssize_t count = recv(fd, reply + have, sizeof reply - 1 - have, 0);
    if (count == 0) errno = 0;
    if (count <= 0) fail("no reply to the handshake");
    have += (size_t)count;
    reply[have] = 0;
  } while (!strstr(reply, "\r\n\r\n"));
  errno = 0;
  if (strncmp(reply, "HTTP/1.1 101", 12)) fail("the server refused the upgrade");
  if (strstr(reply, "\r\n\r\n")[4]) fail("the server speaks first");
  if (fcntl(fd, F_SETFL, O_NONBLOCK)) fail("fcntl");
  return fd;
}

struct cpu { double user, total; };

static struct cpu own_cpu(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  double user = (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec / 1e6;
  return (struct cpu){user, user + (double)usage.ru_stime.tv_sec + (double)usage.ru_stime.tv_usec / 1e6};
}

static struct cpu server_cpu(int server_pid) {
  char path[40], line[1024];
  unsigned long user = 0, system = 0;
  if (!server_pid) return (struct cpu){0, 0};
  snprintf(path, sizeof path, "/proc/%d/stat", server_pid);
  FILE *file = fopen(path, "r");
  if (!file || !fgets(line, sizeof line, file)) fail("the server's /proc entry");
  fclose(file);
  sscanf(strrchr(line, ')') + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system);
  double tick = (double)sysconf(_SC_CLK_TCK);
  return (struct cpu){(double)user / tick, (double)(user + system) / tick};
}

static double machine_busy(void) { /* CPU seconds of all cores and everybody; what is not ours or the server's is others' */
  unsigned long long t[7];
  FILE *file = fopen("/proc/stat", "r");
  if (!file || fscanf(file, "cpu %llu %llu %llu %llu %llu %llu %llu", t, t + 1, t + 2, t + 3, t + 4, t + 5, t + 6) != 7) fail("/proc/stat");
  fclose(file);
  return (double)(t[0] + t[1] + t[2] + t[5] + t[6]) / (double)sysconf(_SC_CLK_TCK);
}

/* What is measured: from the end of the warm-up on, for some seconds. */
struct window { uint64_t begin, end; struct cpu own, server; double busy; };

static struct window window_after(double warmup) {
  return (struct window){.begin = now() + (uint64_t)(warmup * 1e9)};
}

/* Whether the window opens at this time; it does so once. */
static bool window_opens(struct window *w, uint64_t time, double seconds, int server_pid) {
  if (w->end || time < w->begin) return false;
  memset(histogram, 0, sizeof histogram);
  w->own = own_cpu();
  w->server = server_cpu(server_pid);
  w->busy = machine_busy();
  w->begin = now();
  w->end = w->begin + (uint64_t)(seconds * 1e9);
  return true;
}

static void print_result(const struct window *w, uint64_t messages, int server_pid) {
  double took = (double)(now() - w->begin) / 1e9, busy = machine_busy() - w->busy;
  struct cpu own = own_cpu(), server = server_cpu(server_pid);
  errno = 0;
  if (!messages) fail("nothing came in the window");
  printf("{\"msgs\":%llu,\"seconds\":%.3f,\"rate\":%.0f,\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"max\":%.1f,"
         "\"client\":{\"user\":%.3f,\"cpu\":%.3f},\"server\":{\"user\":%.3f,\"cpu\":%.3f},\"busy\":%.3f}\n",
         (unsigned long long)messages, took, (double)messages / took, percentile(messages, 0.5), percentile(messages, 0.9),
         percentile(messages, 0.99), percentile(messages, 1), own.user - w->own.user, own.total - w->own.total,
         server.user - w->server.user, server.total - w->server.total, busy);
}

static const char *value(int *at, int count, char **words) {
  if (++*at >= count) fail("an option without its value");
  return words[*at];
}
