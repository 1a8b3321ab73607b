/* wire_priv.h - what both sides of wire.h share. */
#pragma once
#include <nng/nng.h>
#include <pthread.h>

#include "common/nng_tls.h"

enum {
	WIRE_ID_BYTES = 4,	       /* REQ/REP's request id before every message */
	WIRE_REQUEST_BIT = 0x80000000, /* set in every request id; ends REQ/REP's address stack */
	WIRE_CLOSE_MAX_MS = 2000,      /* what a free waits for nng */
};

/* "what: why" for an NNG error, as the nearest errno. Returns -code. */
int wire_err(struct err *err, int rv, const char *what);
/* Plain words: "connection refused". Borrowed, for ever. */
const char *wire_words(int rv);

/* ---- wire_wait.c ---- */

/* nng_close in a thread of its own, then done(arg): here, or if that takes longer than max_ms, later
 * in that thread. Until then, which may be for ever, nng's threads may call back. */
void wire_close_socket(nng_socket sock, unsigned max_ms, void (*done)(void *arg), void *arg);
/* Around a close, for wire_lost(). */
void wire_lost_begin(void);
void wire_lost_end(void);
/* A detached thread with a small stack. 0 or NNG_ENOMEM. */
int wire_start_thread(void *(*fn)(void *arg), void *arg);
/* For wire_wait_until, which needs the monotonic clock. */
void wire_cond_init(pthread_cond_t *c);
/* Under m. Returns *flag. */
bool wire_wait_until(pthread_cond_t *c, pthread_mutex_t *m, const bool *flag, unsigned max_ms);

/* ---- wire_client.c, for its test ---- */
struct wire_client;
/* Instead of 12 s. From the next dial on. */
void wire_client_set_dial_max(struct wire_client *c, uint64_t max_ms);
