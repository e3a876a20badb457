// A whole server and its clients in one thread: the clients write, the loop turns
// (that alone is counted), the clients read. Over a unix socket, where nothing is
// ever on its way. The fuzz driver `gate` uses it too.
#ifndef TIDEGATE_BENCH_GATE_H
#define TIDEGATE_BENCH_GATE_H

#include <stdbool.h>
#include <stddef.h>

void gate_start(const char *scripts);
void gate_stop(void);

// Connects a client; it is accepted in the next turn.
int gate_connect(void);

// Sends bytes to the server; must fit the socket (about 100 KB).
void gate_send(int client, const char *data, size_t len);

// Turns the loop until `expected` bytes have come to all clients together; for 0
// until a few turns have brought nothing. Returns the bytes that came.
size_t gate_exchange(size_t expected, bool is_counted);

void gate_close(int client);

void gate_turn(void);          // one turn, not counted
size_t gate_conn_count(void);  // connections that the server has

struct worker;
struct worker *gate_worker(void);

#endif
