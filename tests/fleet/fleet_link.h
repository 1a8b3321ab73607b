/* fleet_link.h - a thousand agents' connections in one thread: TLS 1.3 and nng's wire format, by hand.
 *
 * nng as the client costs a socket, a dialer and a thread for each connection (common/wire_client.c), on the
 * same two cores as the collector that is to be measured. On the wire this is the same: the SP greeting of
 * REQ, then messages of an 8-byte length, a request id and the body. */
#pragma once
#include <openssl/ssl.h>

#include "common/buf.h"
#include "common/err.h"

struct link_pool; /* one epoll */
struct link;

struct link_ops {
	void (*on_open)(void *arg);
	void (*on_reply)(void *arg, uint32_t id, struct slice msg); /* msg: borrowed for the call */
	/* The connection is gone, or never came; the link can be dialed again. why: borrowed. */
	void (*on_close)(void *arg, const char *why);
};

int link_pool_new(const char *host, uint16_t port, const char *server_name, struct slice ca_pem,
		  const struct link_ops *ops, struct link_pool **ret, struct err *err) WARN_UNUSED;
/* Handles what is ready, waiting at most wait_ms. */
void link_pool_step(struct link_pool *p, int wait_ms);
void link_pool_free(struct link_pool *p);

/* cert, key: taken. NULL when out of memory. */
struct link *link_new(struct link_pool *p, X509 *cert, EVP_PKEY *key, void *arg) WARN_UNUSED;
void link_dial(struct link *l);
bool link_is_idle(const struct link *l); /* neither open nor on its way */
/* Queues a request; what the socket does not take now goes when it can. */
void link_send(struct link *l, uint32_t id, struct slice msg);
/* Bytes queued that the socket has not taken. */
size_t link_queued(const struct link *l);
/* Cuts it, without on_close. */
void link_close(struct link *l);
/* Neither reads nor writes until told otherwise: a host that hangs. */
void link_freeze(struct link *l, bool is_frozen);
void link_free(struct link *l);
