// The seam of net/app.h with a plain C app behind it, over real sockets: what
// the server does must not depend on Lua.
#include <arpa/inet.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/session.h"
#include "net/app.h"
#include "net/server.h"
#include "net/sse.h"
#include "net/ws.h"
#include "proto/ws_handshake.h"

// ---- the app: GET / says hello, POST echoes, /ws echoes and joins, /sse joins

static atomic_int closed_code = -1;
static atomic_int closed_count;
static atomic_int gone_requests;

static void *start_worker(struct worker *worker, void *ctx) {
  (void)ctx;
  return worker;
}

static void stop_worker(void *state) { (void)state; }

static void join(struct session *session) {
  struct hub_join_options options = {.since = HUB_SINCE_NOW};
  assert_int_equal(hub_join(&session->reader, slice_str("t"), &options, NULL), HUB_OK);
}

static void on_request(struct http_call *call) {
  const struct http_request *request = call->request;
  struct session *session = NULL;
  if (request->upgrades_websocket) {
    struct ws_handshake handshake = ws_handshake_check(request);
    struct ws_options options = {.max_message = 1000, .compress = WS_COMPRESS_ON};
    assert_int_equal(ws_accept(call, &handshake, &options, NULL, 0, &session), HTTP_SENT);
    join(session);
  } else if (slice_equal(request->path, slice_str("/sse"))) {
    struct sse_options options = {0};
    assert_int_equal(sse_accept(call, &options, NULL, 0, &session), HTTP_SENT);
    join(session);
  } else if (request->has_body) {
    if (http_want_body(call)) http_respond(call, 200, NULL, 0, http_body(call));
  } else {
    struct http_field bad = {slice_str("X"), slice_str("a\r\nb")};
    assert_int_equal(http_respond(call, 200, &bad, 1, slice_str("")), HTTP_SEND_BAD_FIELD);
    struct http_field own = {slice_str("Content-Length"), slice_str("7")};
    assert_int_equal(http_respond(call, 200, &own, 1, slice_str("")), HTTP_SEND_BAD_FIELD);
    assert_int_equal(http_respond(call, 200, NULL, 0, slice_str("hello")), HTTP_SENT);
  }
}

static void on_body(struct http_call *call) { http_respond(call, 200, NULL, 0, http_body(call)); }
static void on_request_event(struct http_call *call) { (void)call; }
static void on_request_closed(struct http_call *call) {
  (void)call;
  gone_requests++;
}

static void on_message(struct session *session, enum message_kind kind, struct slice data) {
  struct message_fields fields = {.kind = kind, .payload = data, .topic = slice_str("t")};
  if (data.len > 0 && data.ptr[0] == '!') {
    hub_publish(session_worker(session)->hub, session_worker(session)->port, message_new(&fields),
                NULL);
  } else {
    ws_send(session, kind, data);
  }
}

static void on_gap(struct session *session, struct slice topic, uint64_t missed) {
  (void)session, (void)topic, (void)missed;
}
static void on_drained(struct session *session) { (void)session; }
static void on_closed(struct session *session, int code, struct slice reason) {
  (void)session, (void)reason;
  if (code != 0) closed_code = code;
  closed_count++;
}

static const struct app app = {
    .worker_start = start_worker,
    .worker_stop = stop_worker,
    .request = on_request,
    .request_body = on_body,
    .request_drained = on_request_event,
    .request_closed = on_request_closed,
    .message = on_message,
    .gap = on_gap,
    .drained = on_drained,
    .closed = on_closed,
};

// ---- a client ------------------------------------------------------------

static struct config config;
static struct server server;

static int connect_client(void) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  address.sin_port = htons((uint16_t)atoi(strrchr(server.places[0].name, ':') + 1));
  inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  struct timeval limit = {20, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
  return fd;
}

static void send_text(int fd, const char *text) {
  assert_int_equal(send(fd, text, strlen(text), 0), strlen(text));
}

// Reads until `end` has arrived; the text is in a static buffer.
static const char *read_until(int fd, const char *end) {
  static char text[4096];
  size_t len = 0;
  text[0] = '\0';
  while (strstr(text, end) == NULL) {
    ssize_t got = recv(fd, text + len, sizeof text - 1 - len, 0);
    if (got <= 0) fail_msg("no \"%s\" in \"%s\"", end, text);
    len += (size_t)got;
    text[len] = '\0';
  }
  return text;
}

static void send_frame(int fd, int opcode, const char *text) {
  unsigned char frame[200] = {(unsigned char)(0x80 | opcode), (unsigned char)(0x80 | strlen(text))};
  memcpy(frame + 6, text, strlen(text));  // the mask is zero
  assert_true(send(fd, frame, 6 + strlen(text), 0) > 0);
}

// header: of the handshake, ended by CRLF, or nothing.
static int open_ws_with(const char *header) {
  int fd = connect_client();
  send_text(fd,
            "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n");
  send_text(fd, header);
  send_text(fd, "\r\n");
  assert_non_null(
      strstr(read_until(fd, "\r\n\r\n"), "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
  return fd;
}

static int open_ws(void) { return open_ws_with(""); }

// ---- tests ---------------------------------------------------------------

static int start_server(void **state) {
  (void)state;
  config_init(&config);
  config.workers = 2;
  config_clear_listen(&config);
  free(config_set(&config, config_key_find("listen", 6), CONFIG_FLAG, "127.0.0.1:0"));
  char *error = server_init(&server, &config, &app);
  if (error != NULL) fail_msg("%s", error);
  assert_null(server_start(&server));
  return 0;
}

static int stop_server(void **state) {
  (void)state;
  server_stop(&server);
  server_join(&server);
  server_free(&server);
  config_free(&config);
  return 0;
}

static void answers_in_order_and_keeps_alive(void **state) {
  (void)state;
  int fd = connect_client();
  send_text(fd,
            "GET / HTTP/1.1\r\nHost: x\r\n\r\nPOST /b HTTP/1.1\r\nHost: x\r\nContent-Length: "
            "4\r\n\r\nbodyGET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const char *text = read_until(fd, "Connection: close\r\n\r\nhello");
  const char *first = strstr(text, "\r\n\r\nhello");
  assert_non_null(first);
  assert_non_null(strstr(first, "\r\n\r\nbody"));
  char byte;
  assert_int_equal(recv(fd, &byte, 1, 0), 0);
  close(fd);
  assert_true(gone_requests >= 3);
}

static void one_message_reaches_both_transports(void **state) {
  (void)state;
  int stream = connect_client();
  send_text(stream, "GET /sse HTTP/1.1\r\nHost: x\r\n\r\n");
  read_until(stream, "\r\n\r\n");
  int reader = open_ws();
  int writer = open_ws();
  assert_int_equal(hub_count(server.hub, slice_str("t")), 3);
  int closed_before = closed_count;
  send_frame(writer, 1, "!news");
  read_until(reader, "!news");
  read_until(writer, "!news");
  read_until(stream, "data: !news\nid: ");
  close(stream);
  close(reader);
  close(writer);
  // On their workers, in time of theirs: the next test asks for the code of its own session.
  for (int i = 0; i < 20000 && closed_count < closed_before + 3; i++) usleep(1000);
  assert_int_equal(closed_count, closed_before + 3);
}

static void echoes_and_closes(void **state) {
  (void)state;
  int fd = open_ws();
  send_frame(fd, 1, "echo");
  read_until(fd, "echo");
  closed_code = -1;
  send_frame(fd, 8,
             "\x03\xe9"
             "bye");  // 1001
  char answer[16];
  assert_int_equal(recv(fd, answer, sizeof answer, 0), 4);
  assert_memory_equal(answer, "\x88\x02\x03\xe9", 4);
  assert_int_equal(recv(fd, answer, sizeof answer, 0), 0);
  assert_int_equal(closed_code, 1001);
  close(fd);
}

static void compresses_for_who_offers_it(void **state) {
  (void)state;
  static const char text[] =
      "ebb and flow and ebb and flow and ebb and flow and ebb and flow and ebb and flow";
  unsigned char answer[200];
  int fd = open_ws_with("Sec-WebSocket-Extensions: permessage-deflate\r\n");
  send_frame(fd, 1, text);
  assert_true(recv(fd, answer, sizeof answer, 0) > 2);
  assert_int_equal(answer[0], 0xC1);  // the final frame of a text, with RSV1
  assert_true(answer[1] < sizeof text / 2);
  close(fd);
}

// What an app runs on the worker's libuv loop: a timer, and work on a thread.
static sem_t timer_ran, work_ran;

static void on_uv_timer(uv_timer_t *timer) {
  uv_close((uv_handle_t *)timer, NULL);
  sem_post(&timer_ran);
}
static void do_work(uv_work_t *work) { (void)work; }
static void on_worked(uv_work_t *work, int status) {
  (void)work;
  if (status == 0) sem_post(&work_ran);
}

static void start_on_loop(struct worker *worker, void *arg) {
  static uv_timer_t timer;
  static uv_work_t work;
  (void)arg;
  uv_timer_init(&worker->loop, &timer);
  uv_timer_start(&timer, on_uv_timer, 5, 0);
  uv_queue_work(&worker->loop, &work, do_work, on_worked);
}

static void runs_what_the_app_has_on_libuv(void **state) {
  (void)state;
  struct timespec limit;
  sem_init(&timer_ran, 0, 0);
  sem_init(&work_ran, 0, 0);
  worker_post(&server.workers[1], start_on_loop, NULL);
  clock_gettime(CLOCK_REALTIME, &limit);
  limit.tv_sec += 20;
  assert_int_equal(sem_timedwait(&work_ran, &limit), 0);
  assert_int_equal(sem_timedwait(&timer_ran, &limit), 0);
  sem_destroy(&timer_ran);
  sem_destroy(&work_ran);
}

// More than one read takes, sent while the server answers nothing: edge-triggered,
// the rest must be asked for.
static void reads_on_after_a_full_buffer(void **state) {
  (void)state;
  enum { BODY = 5 * WORKER_READ_BYTES };
  static char body[BODY + 1], answer[BODY + 200];
  int fd = connect_client();
  memset(body, 'x', BODY);
  body[BODY - 1] = '!';
  char head[100];
  snprintf(head, sizeof head, "POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", BODY);
  send_text(fd, head);
  send_text(fd, body);
  shutdown(fd, SHUT_WR);  // the end is read, too
  size_t len = 0;
  for (ssize_t got; (got = recv(fd, answer + len, sizeof answer - len, 0)) > 0;) len += (size_t)got;
  assert_true(len > BODY);
  assert_int_equal(answer[len - 1], '!');
  close(fd);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(answers_in_order_and_keeps_alive),
      cmocka_unit_test(one_message_reaches_both_transports),
      cmocka_unit_test(echoes_and_closes),
      cmocka_unit_test(compresses_for_who_offers_it),
      cmocka_unit_test(runs_what_the_app_has_on_libuv),
      cmocka_unit_test(reads_on_after_a_full_buffer),
  };
  return cmocka_run_group_tests(tests, start_server, stop_server);
}
