/* nng_tls.h - OpenSSL 3 as the TLS engine under nng: TLS 1.3 only, identities, reasons.
 *
 * A hub is what the connections of one listener or one dialer have in common: keys and trust, the
 * connections still negotiating, the serials that are denied, the reasons of refusals. nng's
 * threads write to it, the loop reads. (Names start with tls_hub, since nng_tls_ is nng's own.) */
#pragma once
#include <nng/nng.h>
#include <nng/supplemental/tls/tls.h>

#include "common/nng_guard.h"
#include "common/wire.h"

struct tls_hub;

enum {
	TLS_HUB_DEADLINE_MS = 10000,	/* for TLS and nng's own greeting together */
	TLS_HUB_NEGOTIATING_MAX = 1024, /* at 55 KB each; past it the oldest is cut */
	TLS_HUB_REFUSALS_MAX = 256, /* waiting for tls_hub_take; past it they are only counted */
	TLS_HUB_DENIED_MAX = 65536,
	TLS_HUB_WHY_MAX = 160,
};

struct tls_hub_refusal {
	char addr[GUARD_ADDR_MAX];
	char why[TLS_HUB_WHY_MAX];
};

/* Checks and loads everything, so that a wrong key is told here and not at the first connection.
 * *ret: caller frees with tls_hub_free. Errors: ERR_CRYPTO, EINVAL. */
int tls_hub_new(bool is_server, const struct wire_tls *tls, struct tls_hub **ret,
		struct err *err) WARN_UNUSED;
/* For nng's NNG_OPT_TLS_CONFIG. Borrowed until tls_hub_expect or the hub's end; nng holds it as long
 * as it needs. */
nng_tls_config *tls_hub_config(struct tls_hub *h);
/* A client's hub lets one connection begin for each call, on the configuration that tls_hub_config
 * returns from then on; what nng dials by itself is turned away (fault 5 in nng_guard.h), and so is
 * what earlier dials bring late. Returns an NNG error. */
int tls_hub_expect(struct tls_hub *h) WARN_UNUSED;
/* The dials so far may end: a connection in negotiation is cut, one that begins later turned away.
 * True when the expected one had not begun, and so never will. */
bool tls_hub_stop(struct tls_hub *h);
/* Readable while refusals wait. Borrowed. */
int tls_hub_fd(const struct tls_hub *h);
/* The oldest refusal; false when there is none. */
bool tls_hub_take(struct tls_hub *h, struct tls_hub_refusal *ret);
/* Queues a refusal for tls_hub_take. Any thread. */
void tls_hub_refuse(struct tls_hub *h, const char *addr, const char *why);
/* Once a second or so: cuts negotiations past their deadline. */
void tls_hub_expire(struct tls_hub *h);
/* Cuts every negotiation now, silently. */
void tls_hub_cut_all(struct tls_hub *h);
struct tls_hub_conn {
	struct tls_identity id; /* verified; empty without a certificate */
	char addr[GUARD_ADDR_MAX];
	int fd; /* open until the pipe's REM_POST has returned */
};
/* To be called in NNG_PIPE_EV_ADD_PRE; ends the negotiation. False: not a connection of this
 * engine. */
bool tls_hub_conn(nng_pipe pipe, struct tls_hub_conn *ret);
/* From now on a certificate with this serial (hex, upper case) is refused as revoked. Known ones
 * are fine. ERR_LIMIT past TLS_HUB_DENIED_MAX. */
int tls_hub_deny(struct tls_hub *h, const char *serial, struct err *err) WARN_UNUSED;
void tls_hub_counts(struct tls_hub *h, struct wire_counts *ret);
/* NULL is fine. Connections that nng still tears down keep what they need. */
void tls_hub_free(struct tls_hub *h);
DEFINE_CLEANUP(struct tls_hub, tls_hub_free)
