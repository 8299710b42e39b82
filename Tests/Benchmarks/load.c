/* load: a lean closed-loop WebSocket load client, one thread, one epoll loop; the same yardstick for every echo server.
 *
 *   load -c CONNECTIONS -d SECONDS [-w WARMUP] [--depth K] [--size BYTES] [--text] [--server-pid PID] PORT
 *
 * Each connection to 127.0.0.1 keeps K messages in flight. Every message has a random mask and, from 8 bytes on, begins with its
 * sequence number; each echo must have the right header and number, so nothing wrong counts as fast. Prints one JSON line: the
 * messages answered in the window after the warm-up, round-trip times, and the CPU time that both sides and the whole machine used in it. Exit 1: the
 * server did something else than echo, or nothing for 10 s.
 */
#include "lean.h"

struct connection {
  int fd;
  uint32_t next_sent, next_received;
  uint64_t *stamps;      /* when each message in flight was sent, a ring of depth */
  size_t position;       /* bytes of the current reply frame read so far */
  uint8_t head[20];      /* its header and sequence number, when they come in pieces */
  uint8_t *unsent;       /* what the kernel did not take yet */
  size_t unsent_bytes;
};

static int connections = 1, depth = 1, server_pid, port;
static size_t size = 20, frame_bytes, reply_bytes, head_bytes, checked_bytes;
static double seconds = 5, warmup = 1;
static uint8_t opcode = 2, reply_head[10];
static uint8_t received[1 << 20], *pattern, *outgoing;
static struct connection *all;
static uint64_t answered;

static uint64_t letters(uint32_t number) { /* eight letters A to P: a sequence number that is text too */
  uint64_t x = number;
  x = (x | x << 16) & 0x0000ffff0000ffff;
  x = (x | x << 8) & 0x00ff00ff00ff00ff;
  x = (x | x << 4) & 0x0f0f0f0f0f0f0f0f;
  return x + 0x4141414141414141;
}

static uint8_t *write_frame(uint8_t *at, uint32_t number) {
  at += write_head(at, opcode, size, true);
  uint32_t key = random_key();
  memcpy(at, &key, 4);
  at += 4;
  uint64_t wide = (uint64_t)key << 32 | key, word = letters(number);
  size_t done = 0;
  if (size >= 8) {
    word ^= wide;
    memcpy(at, &word, 8);
    done = 8;
  }
  for (; done + 8 <= size; done += 8) {
    memcpy(&word, pattern + done, 8);
    word ^= wide;
    memcpy(at + done, &word, 8);
  }
  for (; done < size; done++) at[done] = pattern[done] ^ ((uint8_t *)&wide)[done & 7];
  return at + size;
}

static void watch(int epoll, struct connection *c, int operation) {
  struct epoll_event event = {.events = EPOLLIN | (c->unsent_bytes ? (uint32_t)EPOLLOUT : 0), .data.ptr = c};
  if (epoll_ctl(epoll, operation, c->fd, &event)) fail("epoll_ctl");
}

static void keep_unsent(int epoll, struct connection *c, const uint8_t *bytes, size_t count) {
  if (!c->unsent && !(c->unsent = malloc(frame_bytes * (size_t)depth))) fail("malloc");
  bool waiting = c->unsent_bytes > 0;
  memcpy(c->unsent + c->unsent_bytes, bytes, count); /* fits: never more than depth frames are in flight */
  c->unsent_bytes += count;
  if (!waiting) watch(epoll, c, EPOLL_CTL_MOD);
}

static void send_unsent(int epoll, struct connection *c) {
  ssize_t sent = send(c->fd, c->unsent, c->unsent_bytes, MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) fail("send");
  if (sent <= 0) return;
  c->unsent_bytes -= (size_t)sent;
  memmove(c->unsent, c->unsent + sent, c->unsent_bytes);
  if (!c->unsent_bytes) watch(epoll, c, EPOLL_CTL_MOD);
}

static void send_messages(int epoll, struct connection *c, int count, uint64_t time) {
  uint8_t *end = outgoing;
  for (int i = 0; i < count; i++) {
    c->stamps[c->next_sent % (uint32_t)depth] = time;
    end = write_frame(end, c->next_sent++);
  }
  size_t bytes = (size_t)(end - outgoing);
  if (c->unsent_bytes) return keep_unsent(epoll, c, outgoing, bytes);
  ssize_t sent = send(c->fd, outgoing, bytes, MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) fail("send");
  if (sent < 0) sent = 0;
  if ((size_t)sent < bytes) keep_unsent(epoll, c, outgoing + sent, bytes - (size_t)sent);
}

static void check_head(const uint8_t *at, size_t count) {
  if (!memcmp(at, reply_head, count < head_bytes ? count : head_bytes)) return;
  fprintf(stderr, "load: frame begins %02x %02x, wanted %02x %02x\n", at[0], at[1], reply_head[0], reply_head[1]);
  errno = 0;
  fail("the server did not echo");
}

static void check_reply(struct connection *c, const uint8_t *at, uint64_t time) {
  uint64_t number, wanted = letters(c->next_received);
  check_head(at, head_bytes);
  if (size >= 8) {
    memcpy(&number, at + head_bytes, 8);
    errno = 0;
    if (number != wanted) fail("an echo out of order, or of another message");
  }
  record(time - c->stamps[c->next_received++ % (uint32_t)depth]);
}

static int receive(struct connection *c) {
  ssize_t count = recv(c->fd, received, sizeof received, 0);
  if (count < 0 && errno == EAGAIN) return 0;
  if (count == 0) errno = 0;
  if (count <= 0) fail("the server closed a connection");
  uint64_t time = now();
  const uint8_t *at = received, *end = received + count;
  int replies = 0;
  while (at < end) {
    size_t left = (size_t)(end - at);
    if (c->position == 0 && left >= reply_bytes) {
      check_reply(c, at, time);
      at += reply_bytes;
      replies += 1;
      continue;
    }
    size_t take = reply_bytes - c->position < left ? reply_bytes - c->position : left;
    if (c->position < checked_bytes) {
      size_t part = checked_bytes - c->position < take ? checked_bytes - c->position : take;
      memcpy(c->head + c->position, at, part);
      check_head(c->head, c->position + part);
      if (c->position + part == checked_bytes) check_reply(c, c->head, time);
    }
    c->position += take;
    at += take;
    if (c->position == reply_bytes) {
      c->position = 0;
      replies += 1;
    }
  }
  answered += (uint64_t)replies;
  return replies;
}

int main(int count, char **words) {
  for (int i = 1; i < count; i++) {
    const char *word = words[i];
    if (!strcmp(word, "-c")) connections = atoi(value(&i, count, words));
    else if (!strcmp(word, "-d")) seconds = atof(value(&i, count, words));
    else if (!strcmp(word, "-w")) warmup = atof(value(&i, count, words));
    else if (!strcmp(word, "--depth")) depth = atoi(value(&i, count, words));
    else if (!strcmp(word, "--size")) size = (size_t)atol(value(&i, count, words));
    else if (!strcmp(word, "--text")) opcode = 1;
    else if (!strcmp(word, "--server-pid")) server_pid = atoi(value(&i, count, words));
    else if (*word != '-' && !port) port = atoi(word);
    else fail("usage: load -c CONNECTIONS -d SECONDS [-w WARMUP] [--depth K] [--size BYTES] [--text] [--server-pid PID] PORT");
  }
  if (!port || connections < 1 || depth < 1 || seconds <= 0) fail("usage: load -c CONNECTIONS -d SECONDS ... PORT");
  if (getrandom(&random_state, sizeof random_state, 0) != sizeof random_state || !random_state) fail("getrandom");
  head_bytes = write_head(reply_head, opcode, size, false);
  reply_bytes = head_bytes + size;
  frame_bytes = reply_bytes + 4;
  checked_bytes = head_bytes + (size >= 8 ? 8 : 0);
  pattern = malloc(size + 8);
  outgoing = malloc(frame_bytes * (size_t)depth);
  all = calloc((size_t)connections, sizeof *all);
  if (!pattern || !outgoing || !all) fail("malloc");
  for (size_t i = 0; i < size; i++) pattern[i] = (uint8_t)('a' + i % 26);

  int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) fail("epoll_create1");
  for (int i = 0; i < connections; i++) {
    all[i].fd = open_socket(port, "/");
    if (!(all[i].stamps = calloc((size_t)depth, sizeof *all[i].stamps))) fail("calloc");
    watch(epoll, &all[i], EPOLL_CTL_ADD);
  }
  for (int i = 0; i < connections; i++) send_messages(epoll, &all[i], depth, now());

  struct window window = window_after(warmup);
  uint64_t time = 0;
  struct epoll_event events[256];
  while (!window.end || time < window.end) {
    int ready = epoll_wait(epoll, events, 256, 10000);
    if (ready == 0) fail("no answer for 10 s");
    if (ready < 0 && errno != EINTR) fail("epoll_wait");
    time = now();
    for (int i = 0; i < ready; i++) {
      struct connection *c = events[i].data.ptr;
      if (events[i].events & EPOLLOUT) send_unsent(epoll, c);
      if (events[i].events & ~(uint32_t)EPOLLOUT) {
        int replies = receive(c);
        if (replies) send_messages(epoll, c, replies, now());
      }
    }
    if (window_opens(&window, time, seconds, server_pid)) answered = 0;
  }
  print_result(&window, answered, server_pid);
  for (int i = 0; i < connections; i++) { /* Close 1000; nobody waits for the answer */
    static const uint8_t close_1000[] = {0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8};
    if (!all[i].unsent_bytes) send(all[i].fd, close_1000, sizeof close_1000, MSG_NOSIGNAL);
    close(all[i].fd);
  }
  return 0;
}
