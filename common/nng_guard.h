/* nng_guard.h - what keeps a stranger from hurting nng: connections in negotiation are known by
 * their descriptor, counted, and cut when they take too long.
 *
 * nng 1.5.2 can be hurt by anyone who reaches the port, and 5 and 6 hurt itself. 1.10.1 still has 2, 3
 * and 4, so the guards are the same for both; 6 was not looked for there. (tests/fault with one guard
 * off: 2 leaked 600 descriptors in 10,000 connections, 3 kept 4,000 silent ones. 4 it provokes in
 * neither nng, but 1.10.1's nni_aio_begin still leaves a stopped operation without its callback, as
 * its machine code shows; which also shows 1 mended, by NNG_ECONNSHUT. 5: in 300 reconnects 137
 * strays, then none. 6: tests/common/test_wire_lost.c.)
 * 1. EPIPE while negotiating is taken for "closed" and the listener never accepts again. The
 *    sendmsg() of this executable says ECONNRESET instead.
 * 2. I/O started on a connection that died a moment ago never ends: descriptor and memory leak. The
 *    engine asks guard_is_dead() whenever it is about to wait.
 * 3. A negotiation may last for ever. guard_expire() shuts the descriptor down.
 * 4. A send or receive of a message takes several steps, each a callback on one of nng's task
 * threads. If the pipe is closed between two of them the operation is forgotten; nng's one reaper
 * then waits for it for ever, and nothing is ever freed again. Peers that go away while a message
 * is under way do it by chance, a malicious one at will. Hence
 *    - guard_one_task_thread(): with one thread the steps come in the order they were made;
 *    - the engine fails both directions at once, and never succeeds on a dead connection, so that
 * no step can come after a closing one; it also checks message lengths before nng does;
 *    - wire_*.c close a live connection by shutting its descriptor down, wait for
 *      NNG_PIPE_EV_REM_POST, and only then close the socket.
 * 5. A dialer whose pipe is gone dials again after a random part of RECONNMINT, which is negative, so
 *    at once, in half of the cases. Closing the socket then loses that connection in negotiation:
 *    descriptor, TLS state and 80 KB in one of twelve reconnects. tls_hub_expect() lets one
 *    connection begin for each dial of ours; others end before there is anything to lose.
 * 6. A dialer that is closed while nng_dialer_start() is in its first lines: the dial's operation is
 *    stopped before it begins, so its callback never comes and the call never returns. Seen in one
 *    of 25 runs of a test that frees clients while they dial; a debugger showed d_con_aio stopped and
 *    never begun. Hence nobody closes a dialer that dials: wire_link.c lets a dial end by itself,
 *    with tls_hub_stop() cutting or turning away its connection. And as 4 and 6 were found by chance,
 *    nobody but a thread made for it waits for a dial or a close (wire_lost() counts what is late).
 *
 * The descriptor is found without a table: guard_stream_fd() asks nng for the peer's address, nng
 * calls getpeername(fd) on the same thread, and the getpeername() of this executable takes note. */
#pragma once
#include <nng/nng.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum { GUARD_ADDR_MAX = 64 };

/* One connection in negotiation; embedded in the engine's connection. */
struct guard_conn {
	struct guard_conn *prev, *next;
	int fd; /* open from the engine's init to its fini; nng closes it after that */
	uint64_t since_ms;
	bool listed, cut;
	bool told; /* a reason was given already: cutting it is no news; under the mutex */
	char addr[GUARD_ADDR_MAX]; /* "192.0.2.1:55555", "[2001:db8::1]:55555" or "-" */
};

struct guard {
	pthread_mutex_t mutex;
	struct guard_conn *oldest, *newest;
	unsigned count, max;
	uint64_t deadline_ms;
	void (*on_cut)(void *arg, const struct guard_conn *c, bool too_many); /* under the mutex */
	void *arg;
};

/* Leaves nng one of its task threads and parks the others for good. Once, after nng has started. */
void guard_one_task_thread(void);
void guard_init(struct guard *g, unsigned max, uint64_t deadline_ms);
void guard_fini(struct guard *g);
/* Finds out the descriptor and the peer's address of a stream. fd is -1 when nng did not ask the
 * kernel in this thread; false when the peer is already gone. */
bool guard_stream_fd(nng_stream *s, struct guard_conn *ret);
/* Puts c at the end of the list; past the maximum the oldest is cut. */
void guard_add(struct guard *g, struct guard_conn *c);
/* Negotiated, or about to be freed. After it nobody touches c's descriptor. */
void guard_remove(struct guard *g, struct guard_conn *c);
/* Cuts what is older than the deadline. */
void guard_expire(struct guard *g);
/* Cuts everything in the list without a word. */
void guard_cut_all(struct guard *g);
/* Was the connection shut down or reset, by either side? */
bool guard_is_dead(int fd);
