// Connections of the load generator: see client.h.
#include "load/client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load/inflate.h"
#include "load/load.h"
#include "load/wire.h"

// What is read of one client at a time; shared, since only what is incomplete
// stays with the client.
enum { READ_BYTES = 256 * 1024, STALLED_RECEIVE_BYTES = 4096, STALLED_SEGMENT_BYTES = 536 };
static char read_buffer[READ_BYTES];

static void bytes_reserve(struct bytes *bytes, size_t more) {
  if (bytes->len + more <= bytes->capacity) return;
  size_t capacity = bytes->capacity > 0 ? bytes->capacity : 256;
  while (capacity < bytes->len + more) capacity *= 2;
  bytes->data = realloc(bytes->data, capacity);
  if (bytes->data == NULL) load_fail("out of memory");
  bytes->capacity = capacity;
}

void bytes_append(struct bytes *bytes, const char *data, size_t len) {
  if (len == 0) return;
  bytes_reserve(bytes, len);
  memcpy(bytes->data + bytes->len, data, len);
  bytes->len += len;
}

static void bytes_consume(struct bytes *bytes, size_t count) {
  bytes->len -= count;
  memmove(bytes->data, bytes->data + count, bytes->len);
}

// ---- dialects --------------------------------------------------------------

// Socket.IO wraps every message in an array with an event name, after the
// packet type "42": 42["m","payload"].
static bool is_socketio(const struct client *client) {
  return client->load->options.dialect[0] == 's';
}

static void queue_frame(struct client *client, int opcode, const char *data, size_t len) {
  bytes_reserve(&client->out, len + WIRE_FRAME_HEAD);
  client->out.len += wire_write_ws(client->out.data + client->out.len, opcode, data, len);
}

static void queue_socketio(struct client *client, const char *payload, size_t len) {
  static char text[1 << 17];
  int size = snprintf(text, sizeof text, "42[\"m\",\"%.*s\"]", (int)len, payload);
  queue_frame(client, WIRE_TEXT, text, (size_t)size);
}

static void on_socketio(struct client *client, const char *data, size_t len) {
  const struct load *load = client->load;
  if (len > 0 && data[0] == '0') {
    queue_frame(client, WIRE_TEXT, "40", 2);
  } else if (len > 0 && data[0] == '2') {
    queue_frame(client, WIRE_TEXT, "3", 1);
  } else if (len >= 2 && memcmp(data, "40", 2) == 0) {
    client->state = CLIENT_OPEN;
    load->mode->opened(client);
  } else if (len > 10 && memcmp(data, "42[\"m\",\"", 8) == 0) {
    load->mode->message(client, data + 8, len - 10);
  } else {
    load_fail("not a Socket.IO message: %.*s", (int)(len < 80 ? len : 80), data);
  }
}

// ---- sending ---------------------------------------------------------------

void client_queue(struct client *client, const char *payload, size_t len) {
  if (client->kind == CLIENT_HTTP) {
    char request[512];
    int size = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
                        client->path);
    bytes_append(&client->out, request, (size_t)size);
  } else if (is_socketio(client)) {
    queue_socketio(client, payload, len);
  } else {
    queue_frame(client, WIRE_TEXT, payload, len);
  }
}

void client_queue_close(struct client *client) {
  queue_frame(client, WIRE_CLOSE, "\x03\xe8", 2);  // 1000
}

static void set_events(struct client *client, int operation) {
  struct epoll_event event = {.data.ptr = client};
  event.events = EPOLLIN | (client->wants_write ? EPOLLOUT : 0);
  if (epoll_ctl(client->load->epoll, operation, client->fd, &event) != 0) {
    load_fail("epoll_ctl: %s", strerror(errno));
  }
}

void client_flush(struct client *client) {
  if (client->out.len == 0 || client->state == CLIENT_CLOSED) return;
  ssize_t sent = send(client->fd, client->out.data, client->out.len, MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) {
    if (errno != EPIPE && errno != ECONNRESET) load_fail("send: %s", strerror(errno));
    sent = (ssize_t)client->out.len;  // reading will find the end
  }
  if (sent > 0) bytes_consume(&client->out, (size_t)sent);
  bool wants_write = client->out.len > 0;
  if (wants_write == client->wants_write) return;
  client->wants_write = wants_write;
  set_events(client, EPOLL_CTL_MOD);
}

// ---- opening and closing ---------------------------------------------------

static void bind_source(int fd, unsigned source) {
  // The port is chosen at connect, where a port may be used again for another
  // destination or source address.
  setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){1}, sizeof(int));
  struct sockaddr_in from = {.sin_family = AF_INET};
  from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + source);
  if (bind(fd, (struct sockaddr *)&from, sizeof from) != 0) {
    load_fail("bind to 127.0.0.%u: %s", 1 + source, strerror(errno));
  }
}

void client_open(struct client *client) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) load_fail("socket: %s", strerror(errno));
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
  if (client->is_stalled) {
    // Small segments make the server's socket buffer small, so that a reader
    // that does not read is felt after some ten kilobytes instead of megabytes.
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &(int){STALLED_RECEIVE_BYTES}, sizeof(int));
    setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &(int){STALLED_SEGMENT_BYTES}, sizeof(int));
  }
  bind_source(fd, client->source);
  struct sockaddr_in to = {.sin_family = AF_INET};
  to.sin_port = htons((uint16_t)client->load->options.port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0 && errno != EINPROGRESS) {
    load_fail("connect: %s", strerror(errno));
  }
  client->fd = fd;
  client->state = CLIENT_HANDSHAKE;
  client->in.len = client->out.len = 0;
  client->wants_write = true;
  set_events(client, EPOLL_CTL_ADD);
}

void client_close(struct client *client) {
  close(client->fd);
  client->state = CLIENT_CLOSED;
}

static void on_open(struct client *client) {
  client->state = client->kind == CLIENT_WS && is_socketio(client) ? CLIENT_JOINING : CLIENT_OPEN;
  if (client->is_stalled) epoll_ctl(client->load->epoll, EPOLL_CTL_DEL, client->fd, NULL);
  if (client->state == CLIENT_OPEN) client->load->mode->opened(client);
}

static void on_connected(struct client *client) {
  int error = 0;
  socklen_t len = sizeof error;
  getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &error, &len);
  if (error != 0) load_fail("connect: %s", strerror(error));
  static const char ws[] =
      "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n";
  static const char deflate[] = "Sec-WebSocket-Extensions: " WIRE_DEFLATE_OFFER "\r\n";
  static const char sse[] =
      "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n";
  const char *extensions = client->is_compressed ? deflate : "";
  char request[1024];
  int size = 0;
  if (client->kind == CLIENT_WS)
    size = snprintf(request, sizeof request, ws, client->path, extensions);
  if (client->kind == CLIENT_SSE) size = snprintf(request, sizeof request, sse, client->path);
  if (client->kind == CLIENT_HTTP && client->is_stalled)
    size = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost", client->path);
  bytes_append(&client->out, request, (size_t)size);
  client_flush(client);
  if (client->out.len == 0 && client->wants_write) {
    client->wants_write = false;
    set_events(client, EPOLL_CTL_MOD);
  }
  if (client->kind == CLIENT_HTTP) on_open(client);
}

// ---- reading ---------------------------------------------------------------

static void on_control(struct client *client, const struct wire_message *message) {
  if (message->opcode == WIRE_PING) queue_frame(client, WIRE_PONG, message->data, message->len);
  if (message->opcode == WIRE_CLOSE) client_close(client);
}

static void on_message(struct client *client, struct wire_message *message) {
  if (message->is_deflated && !client->is_compressed) load_fail("%s: compressed", client->path);
  if (message->is_deflated) inflate_message(client, message);
  if (message->opcode >= WIRE_CLOSE) {
    on_control(client, message);
  } else if (client->kind == CLIENT_WS && is_socketio(client)) {
    on_socketio(client, message->data, message->len);
  } else if (client->load->mode->message != NULL) {
    client->load->mode->message(client, message->data, message->len);
  }
}

static ssize_t take_unit(struct client *client, const char *data, size_t len) {
  static wire_reader *const readers[] = {wire_read_ws, wire_read_sse, wire_read_http};
  if (client->state == CLIENT_HANDSHAKE) {
    ssize_t head = wire_read_head(data, len, client->kind == CLIENT_WS ? 101 : 200);
    if (head > 0 && client->is_compressed && !wire_agrees_deflate(data, (size_t)head))
      load_fail("%s: declines " WIRE_DEFLATE_OFFER, client->path);
    if (head > 0) on_open(client);
    return head;
  }
  struct wire_message message = {0};
  ssize_t used = readers[client->kind](data, len, &message);
  if (used > 0 && message.data != NULL) on_message(client, &message);
  return used;
}

static void parse(struct client *client, const char *data, size_t len) {
  while (len > 0 && client->state != CLIENT_CLOSED) {
    ssize_t used = take_unit(client, data, len);
    if (used < 0)
      load_fail("%s: unexpected: %.*s", client->path, (int)(len < 300 ? len : 300), data);
    if (used == 0) break;
    data += used;
    len -= (size_t)used;
  }
  client->in.len = 0;
  if (len > 0) bytes_append(&client->in, data, len);
}

static void on_end(struct client *client) {
  if (client->load->mode->closed == NULL) load_fail("%s: the server closed", client->path);
  client->load->mode->closed(client);
}

static void on_readable(struct client *client) {
  size_t kept = client->in.len;
  if (kept >= READ_BYTES / 2) load_fail("%s: a message of %zu bytes", client->path, kept);
  if (kept > 0) memcpy(read_buffer, client->in.data, kept);
  ssize_t got = recv(client->fd, read_buffer + kept, READ_BYTES - kept, 0);
  client->load->now_ns = load_now_ns();
  if (got > 0) {
    client->load->received_bytes += (uint64_t)got;
    parse(client, read_buffer, kept + (size_t)got);
  }
  if (got == 0 || (got < 0 && errno != EAGAIN)) client_close(client);
  if (client->state == CLIENT_CLOSED) return on_end(client);
  // What came in one piece is answered in one piece.
  client_flush(client);
}

void client_on_event(struct client *client, uint32_t events) {
  bool is_connecting =
      client->state == CLIENT_HANDSHAKE && client->out.len == 0 && client->wants_write;
  if (is_connecting) {
    if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) on_connected(client);
    return;
  }
  if (events & EPOLLOUT) client_flush(client);
  if (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) on_readable(client);
}
