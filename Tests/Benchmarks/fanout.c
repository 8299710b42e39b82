/* fanout: a lean load client of broadcasts, one thread, one epoll loop; the same yardstick for every server.
 *
 *   fanout -c CONNECTIONS [--senders N] [--rooms N] [--path FORMAT] [--rate R] -d SECONDS [-w WARMUP] [--size BYTES] [--server-pid PID] PORT
 *
 * Connection i is in room i modulo N, whose path is FORMAT with the room's number. The first N connections send. Without a rate a sender
 * sends its next message when its last one has come to all members of its room, itself included; with a rate the senders take turns at R
 * messages a second in total, whatever is outstanding. Every delivery must have the right header and the next number of its sender, so
 * nothing wrong counts as fast. Prints one JSON line: the deliveries in the window after the warm-up, the time of each from the sending
 * (with a rate: from when it was due), and the CPU time that both sides and the whole machine used in it.
 */
#include "lean.h"

#define BUFFER (256 * 1024)

struct connection {
  int fd, room;
  size_t kept;            /* bytes of an incomplete frame at the start of its buffer */
  uint8_t *buffer;
  uint32_t *expected;     /* the next number of each sender */
  /* As a sender: */
  uint32_t next;
  int remaining;          /* deliveries that the last message still lacks */
  uint64_t *stamps;       /* when each message was sent, a ring */
};

#define STAMPS 4096

static int connections = 100, senders = 0, rooms = 1, server_pid, port;
static size_t size = 20, head_bytes, reply_bytes;
static double seconds = 5, warmup = 1, rate;
static const char *path_format = "/";
static uint8_t reply_head[10];
static struct connection *all;
static uint64_t delivered;

static int members(int room) { return connections / rooms + (room < connections % rooms); }

static void send_message(struct connection *c, uint64_t time) {
  static uint8_t frame[70000];
  uint8_t *at = frame + write_head(frame, 2, size, true);
  uint32_t key = random_key(), number[2] = {(uint32_t)(c - all), c->next};
  memcpy(at, &key, 4);
  memset(at + 4, 'x', size);
  memcpy(at + 4, number, 8);
  for (size_t i = 0; i < size; i++) at[4 + i] ^= ((uint8_t *)&key)[i & 3];
  c->stamps[c->next++ % STAMPS] = time;
  c->remaining = members(c->room);
  size_t bytes = (size_t)(at - frame) + 4 + size;
  ssize_t sent = send(c->fd, frame, bytes, MSG_NOSIGNAL);
  /* One small message is in flight, so only a server that does not read fills the socket. */
  if (sent != (ssize_t)bytes) fail("the server does not read");
}

static void take(struct connection *c, const uint8_t *at, uint64_t time) {
  uint32_t number[2];
  errno = 0;
  if (memcmp(at, reply_head, head_bytes)) fail("the server sent something else");
  memcpy(number, at + head_bytes, 8);
  if (number[0] >= (uint32_t)senders || all[number[0]].room != c->room) fail("a message of another room");
  struct connection *sender = &all[number[0]];
  if (number[1] != c->expected[number[0]]++) fail("a message was lost or came out of order");
  record(time - sender->stamps[number[1] % STAMPS]);
  delivered += 1;
  if (--sender->remaining == 0 && rate == 0) send_message(sender, now());
}

static void receive(struct connection *c) {
  ssize_t count = recv(c->fd, c->buffer + c->kept, BUFFER - c->kept, 0);
  if (count < 0 && errno == EAGAIN) return;
  if (count == 0) errno = 0;
  if (count <= 0) fail("the server closed a connection");
  uint64_t time = now();
  const uint8_t *at = c->buffer, *end = c->buffer + c->kept + count;
  for (; (size_t)(end - at) >= reply_bytes; at += reply_bytes) take(c, at, time);
  c->kept = (size_t)(end - at);
  memmove(c->buffer, at, c->kept);
}

int main(int count, char **words) {
  for (int i = 1; i < count; i++) {
    const char *word = words[i];
    if (!strcmp(word, "-c")) connections = atoi(value(&i, count, words));
    else if (!strcmp(word, "--senders")) senders = atoi(value(&i, count, words));
    else if (!strcmp(word, "--rooms")) rooms = atoi(value(&i, count, words));
    else if (!strcmp(word, "--path")) path_format = value(&i, count, words);
    else if (!strcmp(word, "--rate")) rate = atof(value(&i, count, words));
    else if (!strcmp(word, "-d")) seconds = atof(value(&i, count, words));
    else if (!strcmp(word, "-w")) warmup = atof(value(&i, count, words));
    else if (!strcmp(word, "--size")) size = (size_t)atol(value(&i, count, words));
    else if (!strcmp(word, "--server-pid")) server_pid = atoi(value(&i, count, words));
    else if (*word != '-' && !port) port = atoi(word);
    else fail("usage: fanout -c CONNECTIONS [--senders N] [--rooms N] [--path FORMAT] [--rate R] -d SECONDS ... PORT");
  }
  if (!senders) senders = connections;
  if (!port || connections < 1 || senders > connections || rooms < 1 || rooms > connections || size < 8 || size > 60000) fail("usage: fanout ... PORT");
  if (getrandom(&random_state, sizeof random_state, 0) != sizeof random_state || !random_state) fail("getrandom");
  head_bytes = write_head(reply_head, 2, size, false);
  reply_bytes = head_bytes + size;
  if (!(all = calloc((size_t)connections, sizeof *all))) fail("calloc");
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) fail("epoll_create1");
  for (int i = 0; i < connections; i++) {
    struct connection *c = &all[i];
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    char path[200];
    c->room = i % rooms;
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(path, sizeof path, path_format, c->room);
    c->fd = open_socket(port, path);
    if (!(c->buffer = malloc(BUFFER)) || !(c->expected = calloc((size_t)senders, 4)) || !(c->stamps = calloc(STAMPS, 8))) fail("malloc");
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event)) fail("epoll_ctl");
  }
  usleep(100000); /* the server has let the last one in: its reply came before it joined, perhaps */
  uint64_t gap = rate > 0 ? (uint64_t)(1e9 / rate) : 0, due = now() + gap, turn = 0;
  if (rate == 0) for (int i = 0; i < senders; i++) send_message(&all[i], now());

  struct window window = window_after(warmup);
  uint64_t time = 0;
  struct epoll_event events[256];
  while (!window.end || time < window.end) {
    uint64_t before = now(), wait = rate > 0 ? (due > before ? due - before : 0) : 10000000000u;
    struct timespec timeout = {(time_t)(wait / 1000000000), (long)(wait % 1000000000)};
    int ready = epoll_pwait2(epoll, events, 256, &timeout, NULL);
    if (ready == 0 && rate == 0) fail("nothing came for 10 s");
    if (ready < 0 && errno != EINTR) fail("epoll_pwait2");
    for (int i = 0; i < ready; i++) receive(events[i].data.ptr);
    time = now();
    for (; rate > 0 && due <= time; due += gap) send_message(&all[turn++ % (uint64_t)senders], due);
    if (window_opens(&window, time, seconds, server_pid)) delivered = 0;
  }
  print_result(&window, delivered, server_pid);
  return 0;
}
