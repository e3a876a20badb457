// The limit: a raw epoll server that does nothing but what the bench asks. All
// messages of a loop turn become one contiguous buffer per wire form, and each
// subscriber costs one send. No timeouts, no limits, no checks of what clients
// send beyond what is needed to answer: not a server to put anywhere.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_BYTES = 256 * 1024, EVENTS_MAX = 512, TOKEN_BYTES = 16 };

enum role { ROLE_HTTP, ROLE_SUBSCRIBER, ROLE_STREAM, ROLE_PUBLISHER, ROLE_ECHO };

struct bytes {
  char *data;
  size_t len, capacity;
};

// Kept small: what an idle connection costs is this and the kernel's part.
struct conn {
  struct bytes *in, *out;  // incomplete input, unsent output; NULL when there is none
  uint32_t subscriber;     // place in `subscribers`
  uint8_t role;
  bool is_closing;
};

static int epoll;
static struct conn *conns;  // by file descriptor
static int *subscribers;
static uint32_t subscriber_count;
static struct bytes ws_batch, sse_batch, reply;
static uint64_t published;
static char read_buffer[READ_BYTES];

// ---- bytes -----------------------------------------------------------------

static char *bytes_grow(struct bytes *bytes, size_t more) {
  if (bytes->len + more > bytes->capacity) {
    bytes->capacity = (bytes->len + more) * 2;
    bytes->data = realloc(bytes->data, bytes->capacity);
    if (bytes->data == NULL) abort();
  }
  bytes->len += more;
  return bytes->data + bytes->len - more;
}

static void bytes_append(struct bytes *bytes, const void *data, size_t len) {
  memcpy(bytes_grow(bytes, len), data, len);
}

static void bytes_drop(struct bytes **bytes) {
  if (*bytes != NULL) free((*bytes)->data);
  free(*bytes);
  *bytes = NULL;
}

static void keep(struct bytes **bytes, const char *data, size_t len) {
  if (*bytes == NULL) *bytes = calloc(1, sizeof **bytes);
  if (*bytes == NULL) abort();
  bytes_append(*bytes, data, len);
}

// ---- connections -----------------------------------------------------------

static void close_conn(int fd) {
  struct conn *conn = &conns[fd];
  if (conn->role == ROLE_SUBSCRIBER || conn->role == ROLE_STREAM) {
    int last = subscribers[--subscriber_count];
    subscribers[conn->subscriber] = last;
    conns[last].subscriber = conn->subscriber;
  }
  bytes_drop(&conn->in);
  bytes_drop(&conn->out);
  close(fd);
}

static void watch(int fd, int operation, uint32_t events) {
  struct epoll_event event = {.events = events, .data.fd = fd};
  epoll_ctl(epoll, operation, fd, &event);
}

// Sends, and keeps what the socket does not take. Errors show when reading.
static void send_bytes(int fd, const char *data, size_t len) {
  struct conn *conn = &conns[fd];
  if (conn->out != NULL) return keep(&conn->out, data, len);
  ssize_t sent = send(fd, data, len, MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) return;
  if (sent < 0) sent = 0;
  if ((size_t)sent == len) return;
  keep(&conn->out, data + sent, len - (size_t)sent);
  watch(fd, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
}

static void on_writable(int fd) {
  struct conn *conn = &conns[fd];
  if (conn->out == NULL) return;
  ssize_t sent = send(fd, conn->out->data, conn->out->len, MSG_NOSIGNAL);
  if (sent <= 0) return;
  conn->out->len -= (size_t)sent;
  memmove(conn->out->data, conn->out->data + sent, conn->out->len);
  if (conn->out->len > 0) return;
  bytes_drop(&conn->out);
  watch(fd, EPOLL_CTL_MOD, EPOLLIN);
}

static void subscribe(int fd) {
  static uint32_t capacity;
  if (subscriber_count == capacity) {
    capacity = capacity > 0 ? capacity * 2 : 64;
    subscribers = realloc(subscribers, capacity * sizeof *subscribers);
    if (subscribers == NULL) abort();
  }
  conns[fd].subscriber = subscriber_count;
  subscribers[subscriber_count++] = fd;
}

// ---- WebSocket -------------------------------------------------------------

static void write_frame(struct bytes *out, int opcode, const char *payload, size_t len) {
  unsigned char head[4] = {(unsigned char)(0x80 | opcode), (unsigned char)len};
  size_t head_len = 2;
  if (len > 125) {
    head[1] = 126;
    head[2] = (unsigned char)(len >> 8);
    head[3] = (unsigned char)len;
    head_len = 4;
  }
  bytes_append(out, head, head_len);
  bytes_append(out, payload, len);
}

static void publish(const char *payload, size_t len) {
  char id[64];
  int id_len =
      snprintf(id, sizeof id, "id: 0123456789abcdef-%llu\ndata: ", (unsigned long long)++published);
  write_frame(&ws_batch, 1, payload, len);
  bytes_append(&sse_batch, id, (size_t)id_len);
  bytes_append(&sse_batch, payload, len);
  bytes_append(&sse_batch, "\n\n", 2);
}

static void unmask(char *payload, size_t len, const unsigned char *mask) {
  uint32_t one;
  memcpy(&one, mask, 4);
  uint64_t both = (uint64_t)one << 32 | one;
  size_t i = 0;
  for (; i + 8 <= len; i += 8) {
    uint64_t word;
    memcpy(&word, payload + i, 8);
    word ^= both;
    memcpy(payload + i, &word, 8);
  }
  for (; i < len; i++) payload[i] = (char)(payload[i] ^ mask[i & 3]);
}

static void on_frame(int fd, int opcode, const char *payload, size_t len) {
  struct conn *conn = &conns[fd];
  if (opcode == 8) {
    write_frame(&reply, 8, payload, len);
    conn->is_closing = true;
  } else if (opcode == 9) {
    write_frame(&reply, 10, payload, len);
  } else if (conn->role == ROLE_ECHO) {
    write_frame(&reply, opcode, payload, len);
  } else if (conn->role == ROLE_PUBLISHER) {
    publish(payload, len);
  }
}

// Handles the frame at the front; returns its size, 0 when it is incomplete.
static size_t take_frame(int fd, char *data, size_t len) {
  const unsigned char *in = (const unsigned char *)data;
  if (len < 6) return 0;
  size_t size = in[1] & 0x7f, head = 2;
  if (size == 126) {
    size = (size_t)in[2] << 8 | in[3];
    head = 4;
  }
  if (len < head + 4 + size) return 0;
  unmask(data + head + 4, size, in + head);
  on_frame(fd, in[0] & 0x0f, data + head + 4, size);
  return head + 4 + size;
}

// ---- HTTP ------------------------------------------------------------------

static bool starts_with(const char *text, const char *with) {
  return strncmp(text, with, strlen(with)) == 0;
}

static void reply_text(const char *text) { bytes_append(&reply, text, strlen(text)); }

static void accept_ws(int fd, const char *head, enum role role) {
  static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  const char *key = strstr(head, "Sec-WebSocket-Key: ");
  char joined[64];
  unsigned char hash[SHA_DIGEST_LENGTH], accept[32];
  if (key == NULL) return (void)(conns[fd].is_closing = true);
  snprintf(joined, sizeof joined, "%.24s%s", key + 19, guid);
  SHA1((const unsigned char *)joined, strlen(joined), hash);
  EVP_EncodeBlock(accept, hash, sizeof hash);
  reply_text(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Accept: ");
  reply_text((char *)accept);
  reply_text("\r\n\r\n");
  conns[fd].role = (uint8_t)role;
  if (role == ROLE_SUBSCRIBER) subscribe(fd);
}

static void accept_stream(int fd) {
  reply_text("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n");
  conns[fd].role = ROLE_STREAM;
  subscribe(fd);
}

static const struct {
  const char *path;
  enum role role;
} ws_routes[] = {
    {"/ws/sub ", ROLE_SUBSCRIBER},
    {"/ws/pub ", ROLE_PUBLISHER},
    {"/ws/echo ", ROLE_ECHO},
    {"/ws/auth?token=0123456789abcdef ", ROLE_ECHO},
};

// Answers the request at the front; returns its size, 0 when it is incomplete.
// `data` ends in a NUL.
static size_t take_request(int fd, char *data, size_t len) {
  const char *end = memmem(data, len, "\r\n\r\n", 4);
  if (end == NULL) return 0;
  const char *path = data + strlen("GET ");
  size_t route = 0, count = sizeof ws_routes / sizeof *ws_routes;
  while (route < count && !starts_with(path, ws_routes[route].path)) route++;
  if (route < count) {
    accept_ws(fd, data, ws_routes[route].role);
  } else if (starts_with(path, "/sse/sub ")) {
    accept_stream(fd);
  } else if (starts_with(path, "/hello ")) {
    reply_text(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, world!");
  } else {
    reply_text("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
  }
  return (size_t)(end + 4 - data);
}

// ---- the loop --------------------------------------------------------------

static void on_readable(int fd) {
  struct conn *conn = &conns[fd];
  size_t kept = conn->in != NULL ? conn->in->len : 0, used = 0;
  ssize_t got = recv(fd, read_buffer + kept, READ_BYTES - 1 - kept, 0);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) return close_conn(fd);
  if (kept > 0) memcpy(read_buffer, conn->in->data, kept);
  bytes_drop(&conn->in);
  size_t len = kept + (size_t)got;
  read_buffer[len] = '\0';
  reply.len = 0;
  for (size_t size = 1; used < len && size > 0 && !conn->is_closing; used += size) {
    bool is_http = conn->role == ROLE_HTTP || conn->role == ROLE_STREAM;
    size = (is_http ? take_request : take_frame)(fd, read_buffer + used, len - used);
  }
  if (reply.len > 0) send_bytes(fd, reply.data, reply.len);
  if (conn->is_closing) return close_conn(fd);
  if (used < len) keep(&conn->in, read_buffer + used, len - used);
}

static void accept_all(int listener) {
  for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    conns[fd] = (struct conn){0};
    watch(fd, EPOLL_CTL_ADD, EPOLLIN);
  }
}

// Gives what was published in this turn to everybody.
static void fan_out(void) {
  if (ws_batch.len == 0) return;
  for (uint32_t i = 0; i < subscriber_count; i++) {
    int fd = subscribers[i];
    const struct bytes *batch = conns[fd].role == ROLE_STREAM ? &sse_batch : &ws_batch;
    send_bytes(fd, batch->data, batch->len);
  }
  ws_batch.len = sse_batch.len = 0;
}

static int listen_on(int port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 4096) != 0) {
    perror("raw: listen");
    exit(EXIT_FAILURE);
  }
  return fd;
}

static rlim_t raise_open_files(void) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

int main(int argc, char **argv) {
  if (argc != 2) return fprintf(stderr, "usage: raw PORT\n"), 2;
  signal(SIGPIPE, SIG_IGN);
  conns = calloc(raise_open_files(), sizeof *conns);
  epoll = epoll_create1(EPOLL_CLOEXEC);
  int listener = listen_on(atoi(argv[1]));
  watch(listener, EPOLL_CTL_ADD, EPOLLIN);
  if (conns == NULL || epoll < 0) return perror("raw"), 1;
  for (;;) {
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(epoll, events, EVENTS_MAX, -1);
    for (int i = 0; i < count; i++) {
      int fd = events[i].data.fd;
      if (fd == listener) {
        accept_all(listener);
        continue;
      }
      if (events[i].events & EPOLLOUT) on_writable(fd);
      if (events[i].events & ~(uint32_t)EPOLLOUT) on_readable(fd);
    }
    fan_out();
  }
}
