/* known_server: a WebSocket server of known behaviour, one thread, with a log of its own.
 *
 *   known_server [--delay const:MS | uniform:MS:MS | two:MS:MS:SHARE | load:MS:MS] [--capacity RATE] [--lose N] [--double N] [--push N]
 *                [--die N:AT:close|rst] [--refuse N] [--alter] [--seed N] LOG
 *
 * It listens on a free port of 127.0.0.1, prints `ready PORT`, and echoes each message after its delay: always the same, spread evenly,
 * one of two (SHARE of them the second), or the first and the second for each open connection. --capacity: at most so many echoes a
 * second, one after the other. --lose: each N-th message has no echo; --double: has two; --push: has a message of the server's own before
 * it. --die: the first N connections end at their AT-th message; --refuse: each N-th upgrade gets 503; --alter: the last byte of an echo
 * is another. At SIGTERM it writes LOG: a line `CONNECTION NUMBER RECEIVED SENT` for each message, as it
 * came, with both times in ns of CLOCK_MONOTONIC: RECEIVED is when the kernel had it, so that a time in which this program was held up
 * is in the log; SENT is taken before write and is 0 without an echo.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { INPUT = 1 << 17, MOST = 4096 };

struct connection {
  int fd, number;
  bool open, upgraded;
  size_t have, messages;
  uint8_t *input;
};

struct entry { /* of the log */
  int connection;
  uint32_t number;
  uint64_t received, sent;
};

struct echo { /* that is due */
  uint64_t due;
  size_t entry, bytes;
  int connection;
  uint8_t *frame;
};

static struct connection all[MOST];
static int accepted, open_now;
static struct entry *entries;
static size_t entry_count, entry_room;
static struct echo *heap;
static size_t heap_count, heap_room;
static double first_ms, second_ms, share;
static char delay_kind = 'c';
static uint64_t gap, free_at, seed = 1;
static int lose, twice, push, die_count, die_at, refuse;
static bool die_by_reset, alter;
static volatile sig_atomic_t ended;

static void on_signal(int number) { ended = number; }

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static double uniform(void) { /* xorshift64* */
  seed ^= seed >> 12;
  seed ^= seed << 25;
  seed ^= seed >> 27;
  return (double)((seed * 2685821657736338717u) >> 11) / 9007199254740992.0;
}

static uint64_t delay(void) {
  double ms = first_ms;
  if (delay_kind == 'u') ms += uniform() * (second_ms - first_ms);
  if (delay_kind == 't' && uniform() < share) ms = second_ms;
  if (delay_kind == 'l') ms += second_ms * open_now;
  return (uint64_t)(ms * 1e6);
}

/* SHA-1 (RFC 3174) of at most 119 bytes, for Sec-WebSocket-Accept. */
static void sha1(const char *text, size_t count, uint8_t out[20]) {
  uint8_t data[128] = {0};
  size_t total = count < 56 ? 64 : 128;
  memcpy(data, text, count);
  data[count] = 0x80;
  for (int i = 0; i < 8; i++) data[total - 1 - (size_t)i] = (uint8_t)(((uint64_t)count * 8) >> (8 * i));
  uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
  for (size_t block = 0; block < total; block += 64) {
    uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
    for (int i = 0; i < 80; i++) {
      if (i < 16) {
        const uint8_t *p = data + block + 4 * i;
        w[i] = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
      } else {
        uint32_t x = w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16];
        w[i] = x << 1 | x >> 31;
      }
      uint32_t f = i < 20 ? (b & c) | (~b & d) : i < 40 || i >= 60 ? b ^ c ^ d : (b & c) | (b & d) | (c & d);
      uint32_t k = i < 20 ? 0x5a827999 : i < 40 ? 0x6ed9eba1 : i < 60 ? 0x8f1bbcdc : 0xca62c1d6;
      uint32_t t = (a << 5 | a >> 27) + f + e + k + w[i];
      e = d, d = c, c = b << 30 | b >> 2, b = a, a = t;
    }
    h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
  }
  for (int i = 0; i < 20; i++) out[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
}

static void base64(const uint8_t in[20], char out[29]) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (int i = 0; i < 7; i++) {
    uint32_t x = (uint32_t)in[3 * i] << 16 | (uint32_t)in[3 * i + 1] << 8 | (i < 6 ? in[3 * i + 2] : 0);
    for (int j = 0; j < 4; j++) out[4 * i + j] = digits[x >> (18 - 6 * j) & 63];
  }
  out[27] = '=';
  out[28] = 0;
}

static void write_all(struct connection *c, const uint8_t *bytes, size_t count) {
  while (count && c->open) {
    ssize_t done = send(c->fd, bytes, count, MSG_NOSIGNAL);
    if (done < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (done < 0) return;
    bytes += done, count -= (size_t)done;
  }
}

static void drop(struct connection *c) {
  if (!c->open) return;
  close(c->fd);
  free(c->input);
  c->open = false;
  open_now -= 1;
}

static bool earlier(const struct echo *a, const struct echo *b) {
  return a->due != b->due ? a->due < b->due : a->entry < b->entry;
}

static void schedule(struct echo e) {
  if (heap_count == heap_room) heap = realloc(heap, (heap_room = heap_room ? 2 * heap_room : 1024) * sizeof *heap);
  size_t at = heap_count++;
  while (at && earlier(&e, &heap[(at - 1) / 2])) heap[at] = heap[(at - 1) / 2], at = (at - 1) / 2;
  heap[at] = e;
}

static struct echo take(void) {
  struct echo top = heap[0], last = heap[--heap_count];
  size_t at = 0, child;
  while ((child = 2 * at + 1) < heap_count) {
    if (child + 1 < heap_count && earlier(&heap[child + 1], &heap[child])) child += 1;
    if (!earlier(&heap[child], &last)) break;
    heap[at] = heap[child], at = child;
  }
  heap[at] = last;
  return top;
}

static void message(struct connection *c, uint8_t opcode, const uint8_t *payload, size_t size, uint64_t when) {
  c->messages += 1;
  if (entry_count == entry_room) entries = realloc(entries, (entry_room = entry_room ? 2 * entry_room : 65536) * sizeof *entries);
  size_t number = entry_count++;
  entries[number] = (struct entry){c->number, (uint32_t)c->messages - 1, when, 0};
  if (c->number < die_count && (int)c->messages >= die_at) {
    if (die_by_reset) {
      struct linger none = {1, 0};
      setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    } else {
      write_all(c, (const uint8_t[]){0x88, 2, 0x03, 0xf3}, 4); /* 1011 */
    }
    return drop(c);
  }
  if (lose && (number + 1) % (size_t)lose == 0) return;
  if (push && (number + 1) % (size_t)push == 0) write_all(c, (const uint8_t *)"\x81\x04news", 6);
  size_t head = size < 126 ? 2 : 4;
  uint8_t *frame = malloc(head + size);
  frame[0] = 0x80 | opcode;
  frame[1] = size < 126 ? (uint8_t)size : 126;
  if (head == 4) frame[2] = (uint8_t)(size >> 8), frame[3] = (uint8_t)size;
  memcpy(frame + head, payload, size);
  if (alter && size) frame[head + size - 1] ^= 1;
  uint64_t due = when + delay();
  if (gap) {
    free_at = (free_at > due ? free_at : due) + gap;
    due = free_at;
  }
  schedule((struct echo){due, number, head + size, c->number, frame});
  if (twice && (number + 1) % (size_t)twice == 0) {
    uint8_t *copy = malloc(head + size);
    memcpy(copy, frame, head + size);
    schedule((struct echo){due, number, head + size, c->number, copy});
  }
}

static void upgrade(struct connection *c) {
  if (c->have >= INPUT - 1) return drop(c);
  c->input[c->have] = 0;
  char *end = strstr((char *)c->input, "\r\n\r\n"), *key = strcasestr((char *)c->input, "sec-websocket-key:");
  if (!end || !key) return;
  if (refuse && (c->number + 1) % refuse == 0) {
    static const char no[] = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    write_all(c, (const uint8_t *)no, sizeof no - 1);
    return drop(c);
  }
  char text[128], digest[29], reply[256];
  uint8_t sum[20];
  for (key += 18; *key == ' '; key++) {}
  int count = snprintf(text, sizeof text, "%.24s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
  sha1(text, (size_t)count, sum);
  base64(sum, digest);
  count = snprintf(reply, sizeof reply, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", digest);
  write_all(c, (const uint8_t *)reply, (size_t)count);
  c->upgraded = true;
  size_t used = (size_t)(end + 4 - (char *)c->input);
  memmove(c->input, c->input + used, c->have -= used);
}

static void frames(struct connection *c, uint64_t when) {
  size_t at = 0;
  while (c->open && c->have - at >= 6) {
    uint8_t *frame = c->input + at;
    size_t size = frame[1] & 127, head = 6;
    if (size == 127) return drop(c);
    if (size == 126) size = (size_t)frame[2] << 8 | frame[3], head = 8;
    if (c->have - at < head + size) break;
    uint8_t *payload = frame + head, *mask = payload - 4;
    for (size_t i = 0; i < size; i++) payload[i] ^= mask[i & 3];
    at += head + size;
    if ((frame[0] & 15) == 8) {
      write_all(c, (const uint8_t[]){0x88, 2, 0x03, 0xe8}, 4); /* 1000 */
      return drop(c);
    }
    if ((frame[0] & 15) < 3) message(c, frame[0] & 15, payload, size, when);
  }
  if (c->open) memmove(c->input, c->input + at, c->have -= at);
}

static uint64_t arrival(struct msghdr *head) {
  uint64_t read_at = now();
  struct timespec wall, stamp;
  clock_gettime(CLOCK_REALTIME, &wall); /* the clock of the kernel's stamps */
  for (struct cmsghdr *one = CMSG_FIRSTHDR(head); one; one = CMSG_NXTHDR(head, one)) {
    if (one->cmsg_level != SOL_SOCKET || one->cmsg_type != SCM_TIMESTAMPNS) continue;
    memcpy(&stamp, CMSG_DATA(one), sizeof stamp);
    int64_t waited = (int64_t)(wall.tv_sec - stamp.tv_sec) * 1000000000 + wall.tv_nsec - stamp.tv_nsec;
    if (waited > 0) return read_at - (uint64_t)waited;
  }
  return read_at;
}

static void readable(struct connection *c) {
  char control[128];
  struct iovec into = {c->input + c->have, INPUT - 1 - c->have};
  struct msghdr head = {.msg_iov = &into, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  ssize_t count = recvmsg(c->fd, &head, 0);
  uint64_t when = count > 0 ? arrival(&head) : 0;
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count <= 0) return drop(c);
  c->have += (size_t)count;
  if (!c->upgraded) upgrade(c);
  if (c->open && c->upgraded) frames(c, when);
}

static void options(int count, char **words) {
  for (int i = 1; i + 1 < count; i++) {
    char *name = words[i], *value = words[i + 1], how[8] = "";
    if (!strcmp(name, "--alter")) {
      alter = true;
      continue;
    }
    i += 1;
    if (!strcmp(name, "--delay")) {
      delay_kind = value[0];
      sscanf(strchr(value, ':') + 1, "%lf:%lf:%lf", &first_ms, &second_ms, &share);
    } else if (!strcmp(name, "--capacity")) gap = (uint64_t)(1e9 / atof(value));
    else if (!strcmp(name, "--lose")) lose = atoi(value);
    else if (!strcmp(name, "--double")) twice = atoi(value);
    else if (!strcmp(name, "--push")) push = atoi(value);
    else if (!strcmp(name, "--refuse")) refuse = atoi(value);
    else if (!strcmp(name, "--seed")) seed = (uint64_t)atoll(value);
    else if (!strcmp(name, "--die")) {
      sscanf(value, "%d:%d:%7s", &die_count, &die_at, how);
      die_by_reset = !strcmp(how, "rst");
    } else {
      fprintf(stderr, "known_server: unknown option %s\n", name);
      exit(2);
    }
  }
}

int main(int count, char **words) {
  if (count < 2) return 2;
  options(count, words);
  signal(SIGTERM, on_signal);
  signal(SIGINT, on_signal);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), loop = epoll_create1(EPOLL_CLOEXEC);
  if (bind(listener, (struct sockaddr *)&address, length) || listen(listener, 1024)) fail("listen");
  getsockname(listener, (struct sockaddr *)&address, &length);
  struct epoll_event event = {.events = EPOLLIN, .data.u32 = MOST}, events[256];
  epoll_ctl(loop, EPOLL_CTL_ADD, listener, &event);
  printf("ready %d\n", ntohs(address.sin_port));
  fflush(stdout);
  while (!ended) {
    uint64_t time_now = now(), due = heap_count ? heap[0].due : time_now + 100000000u, wait = due > time_now ? due - time_now : 0;
    struct timespec pause = {(time_t)(wait / 1000000000u), (long)(wait % 1000000000u)};
    int ready = epoll_pwait2(loop, events, 256, &pause, NULL);
    for (int i = 0; i < ready; i++) {
      if (events[i].data.u32 < MOST) {
        if (all[events[i].data.u32].open) readable(&all[events[i].data.u32]);
        continue;
      }
      int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), yes = 1;
      if (fd < 0 || accepted == MOST) continue;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
      setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &yes, sizeof yes);
      all[accepted] = (struct connection){.fd = fd, .number = accepted, .open = true, .input = malloc(INPUT)};
      event.data.u32 = (uint32_t)accepted++;
      open_now += 1;
      epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event);
    }
    while (heap_count && heap[0].due <= now()) {
      struct echo e = take();
      if (all[e.connection].open) {
        if (!entries[e.entry].sent) entries[e.entry].sent = now();
        write_all(&all[e.connection], e.frame, e.bytes);
      }
      free(e.frame);
    }
  }
  FILE *log = fopen(words[count - 1], "w");
  if (!log) fail(words[count - 1]);
  for (size_t i = 0; i < entry_count; i++)
    fprintf(log, "%d %u %llu %llu\n", entries[i].connection, entries[i].number, (unsigned long long)entries[i].received, (unsigned long long)entries[i].sent);
  return fclose(log) ? 1 : 0;
}
