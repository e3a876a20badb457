// Through the whole server and Lua: echo, requests, handshakes, fan-out to
// connections; and what Lua alone does, asked for by a message.
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "count.h"
#include "gate.h"

static const char scripts[] = "tests/bench/count/scripts";

enum { CLIENTS = 10, UNITS = 1000, HANDSHAKES = 1000, PAYLOAD = 20 };

static const char ws_head[] =
    "GET %s HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
static const char ws_deflate_head[] =
    "GET %s HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";
static const char get_head[] =
    "GET %s HTTP/1.1\r\nHost: x\r\nUser-Agent: count/1.0\r\nAccept: */*\r\n\r\n";
static const char twenty_bytes[] = "twenty bytes of text";

static void add_text_frame(struct buf *out, const char *text) {
  buf_append_char(out, (char)0x81);
  buf_append_char(out, (char)(0x80 | strlen(text)));
  buf_append(out, "\0\0\0\0", 4);  // the mask
  buf_append_str(out, text);
}

static int open_client(const char *head, const char *path) {
  struct buf request = {0};
  buf_printf(&request, head, path);
  int client = gate_connect();
  gate_send(client, request.data, request.end);
  count_expect(gate_exchange(0, false) > 0, "no answer");
  buf_free(&request);
  return client;
}

// Every client sends `burst` again and again; the first round is not counted
// and tells how much comes back.
static void repeat_rounds(const int *clients, size_t client_count, const struct buf *burst,
                          unsigned rounds) {
  size_t expected = 0;
  for (unsigned round = 0; round <= rounds; round++) {
    for (size_t i = 0; i < client_count; i++) gate_send(clients[i], burst->data, burst->end);
    size_t got = gate_exchange(expected, round > 0);
    count_expect(got > 0, "no answer");
    expected = got;
  }
}

// ---- sessions ------------------------------------------------------------

static void run_echo(int in_flight) {
  struct buf burst = {0};
  int clients[CLIENTS];
  gate_start(scripts);
  for (int i = 0; i < CLIENTS; i++) clients[i] = open_client(ws_head, "/echo");
  for (int i = 0; i < in_flight; i++) add_text_frame(&burst, twenty_bytes);
  repeat_rounds(clients, CLIENTS, &burst, UNITS / CLIENTS / (unsigned)in_flight);
  buf_free(&burst);
  gate_stop();
}

// 100 subscribers, 10 messages one after the other.
static void fan_out_to(const char *head, const char *path, const char *text) {
  struct buf burst = {0};
  gate_start(scripts);
  for (int i = 0; i < 100; i++) open_client(head, path);
  int publisher = open_client(ws_head, "/publish");
  add_text_frame(&burst, text);
  // Past the first digit of ids, so that rounds are of one size.
  for (int i = 0; i < 10; i++) {
    gate_send(publisher, burst.data, burst.end);
    gate_exchange(0, false);
  }
  repeat_rounds(&publisher, 1, &burst, 10);
  buf_free(&burst);
  gate_stop();
}

static void run_fan_out_ws(int arg) {
  (void)arg;
  fan_out_to(ws_head, "/follow", twenty_bytes);
}

static void run_fan_out_deflated(int arg) {
  (void)arg;
  fan_out_to(
      ws_deflate_head, "/follow/deflated",
      "{\"from\":\"ann\",\"text\":\"The tide comes in, the tide goes out.\",\"to\":\"everybody\"}");
}

static void run_fan_out_sse(int arg) {
  (void)arg;
  fan_out_to(get_head, "/feed", twenty_bytes);
}

static void handshakes(unsigned count, bool is_counted) {
  char head[256];
  int len = snprintf(head, sizeof head, ws_head, "/auth?token=0123456789abcdef");
  static size_t expected;
  for (unsigned i = 0; i < count; i++) {
    int client = gate_connect();
    gate_send(client, head, (size_t)len);
    expected = gate_exchange(expected, is_counted);
    gate_close(client);
    gate_exchange(0, is_counted);
  }
}

static void run_handshake(int count) {
  gate_start(scripts);
  handshakes(2, false);
  handshakes((unsigned)count, true);
  gate_stop();
}

// ---- requests ------------------------------------------------------------

static void request_path(const char *path) {
  struct buf burst = {0};
  int clients[CLIENTS];
  gate_start(scripts);
  for (int i = 0; i < CLIENTS; i++) clients[i] = open_client(get_head, path);
  buf_printf(&burst, get_head, path);
  repeat_rounds(clients, CLIENTS, &burst, UNITS / CLIENTS);
  buf_free(&burst);
  gate_stop();
}

static void run_hello(int arg) {
  (void)arg;
  request_path("/hello");
}

static void run_json(int arg) {
  (void)arg;
  request_path("/api/users/42/posts?sort=new&limit=10");
}

// ---- Lua alone -----------------------------------------------------------

// The session at that path does UNITS things for one message and answers.
static void ask(const char *path) {
  struct buf burst = {0};
  gate_start(scripts);
  int client = open_client(ws_head, path);
  add_text_frame(&burst, "go");
  repeat_rounds(&client, 1, &burst, 1);
  buf_free(&burst);
  gate_stop();
}

static void run_route(int arg) {
  (void)arg;
  ask("/work/route");
}

static void run_publish(int arg) {
  (void)arg;
  ask("/work/publish");
}

const struct count_case count_script_cases[] = {
    {"echo-lua", UNITS, "message", run_echo, 1},
    {"echo-lua-20", UNITS, "message", run_echo, 20},
    {"server-fan-out-ws", UNITS, "delivery", run_fan_out_ws, 0},
    {"server-fan-out-deflated", UNITS, "delivery", run_fan_out_deflated, 0},
    {"server-fan-out-sse", UNITS, "delivery", run_fan_out_sse, 0},
    {"handshake-lua", HANDSHAKES, "handshake", run_handshake, HANDSHAKES},
    {"http-hello-lua", UNITS, "request", run_hello, 0},
    {"http-json-lua", UNITS, "request", run_json, 0},
    {"route-lua", UNITS, "path", run_route, 0},
    {"publish-lua", UNITS, "message", run_publish, 0},
    {0},
};
