/* wire.h - requests and replies over nng (REQ/REP, raw mode) on TLS 1.3, delivered on the loop.
 *
 * Raw mode is why nng never resends by itself: only the spool decides what is sent again. The engine
 * under it (nng_tls.c) is OpenSSL; it takes each peer's identity when the pipe opens, and guards
 * against nng 1.5.2's faults. A message is an nng message; here it is just bytes. */
#pragma once
#include "common/buf.h"
#include "common/err.h"
#include "common/loop.h"
#include "common/tls.h"

enum {
	WIRE_MAX_MESSAGE_BYTES = 4 * 1024 * 1024,
	/* Of a request to a listener with no_client_cert: whoever sends more is cut, so that strangers
	 * can't fill the memory. */
	WIRE_MAX_STRANGER_BYTES = 64 * 1024,
	/* Requests without an answer, of one client. nng's raw REP keeps 64 replies a connection and
	 * silently drops the next, so more can't be promised an answer: wire_request says EAGAIN, and
	 * the server cuts who sends more anyway. */
	WIRE_MAX_OPEN = 64,
	/* Tokens of all peers together; the server stops reading until some are used up. */
	WIRE_MAX_TOKENS = 16384,
	WIRE_MAX_PEERS = 8192, /* open connections of one listener; further ones are refused */
	WIRE_MAX_LOST = 64,    /* see wire_lost() */
};

/* What happened to connections so far (and negotiating: now). */
struct wire_counts {
	uint64_t started;	 /* TCP connections that reached TLS */
	uint64_t opened;	 /* negotiated */
	uint64_t refused;	 /* with a reason; each goes to on_refused, but for... */
	uint64_t refused_untold; /* ...those that came faster than the loop took them */
	uint64_t too_slow, too_many; /* of the refused: past the deadline; cut for a newer one */
	uint64_t went_away;	     /* closed by the peer before they were negotiated */
	uint64_t overfull;	     /* open connections cut for passing WIRE_MAX_OPEN */
	unsigned negotiating;
};

struct wire_tls {
	struct slice ca_pem;   /* trusted CA(s), PEM; empty with a pin */
	const uint8_t *ca_pin; /* client only, nullable: trust the CA with this SHA-256 that the
				  server sends along in its chain */
	struct slice cert_pem; /* own chain; empty for a client without a certificate */
	struct slice key_pem;
	const char *server_name; /* client: DNS name or IP that the certificate must carry */
	bool no_client_cert;	 /* server: the enrolment listener asks for none */
};

/* ---- the listening side ---- */
struct wire_server;
struct wire_peer; /* one open connection; valid inside callbacks and until on_close */

struct wire_server_ops {
	/* A pipe is open and its certificate verified (identity empty without one).
	 * false refuses it: the pipe is closed before any message. */
	bool (*on_open)(void *arg, struct wire_peer *p, const struct tls_identity *id);
	/* msg: borrowed for the call. Answer now or later with wire_reply(token). */
	void (*on_message)(void *arg, struct wire_peer *p, uint64_t token, struct slice msg);
	void (*on_close)(void *arg, struct wire_peer *p);
	/* A handshake failed: why in a few words. Rate-limited by the caller's log. */
	void (*on_refused)(void *arg, const char *peer_addr, const char *why);
	/* All messages that were waiting have been delivered: a good moment to commit a group. */
	void (*on_idle)(void *arg);
};

/* url: "tls+tcp://0.0.0.0:7443" or [::]; port 0 picks one (see wire_server_port).
 * Handshakes must end within 10 s. ops: borrowed until free. */
int wire_server_new(struct loop *l, const char *url, const struct wire_tls *tls,
		    const struct wire_server_ops *ops, void *arg, struct wire_server **ret,
		    struct err *err) WARN_UNUSED;
int wire_server_port(const struct wire_server *s);
/* token: from on_message; used up by the call. A peer that is gone is silently skipped. */
void wire_reply(struct wire_server *s, uint64_t token, struct slice msg);
/* Takes no message for so long (or until an earlier hold ends), so that the loop's other descriptors get their
 * turn. What comes waits, in nng and with its senders. */
void wire_server_hold(struct wire_server *s, uint64_t ms);
/* The request gets no answer (the client will time out and come again). */
void wire_drop(struct wire_server *s, uint64_t token);
const struct tls_identity *wire_peer_identity(const struct wire_peer *p);
/* "192.0.2.1:55555"; borrowed as long as the peer. */
const char *wire_peer_address(const struct wire_peer *p);
void wire_peer_set(struct wire_peer *p, void *data);
void *wire_peer_get(const struct wire_peer *p);
/* Cuts an open session, as after a revocation. on_close follows. */
void wire_peer_close(struct wire_peer *p);
/* Calls fn for each open peer; fn may close it. */
void wire_server_each(struct wire_server *s, void (*fn)(void *arg, struct wire_peer *p), void *arg);
size_t wire_server_peer_count(const struct wire_server *s);
/* Certificates with this serial (tls_identity's form) are refused from now on, within the handshake,
 * so that the agent learns why; open sessions of it are cut. Errors: EINVAL, ERR_LIMIT (65,536). */
int wire_server_deny(struct wire_server *s, const char *serial, struct err *err) WARN_UNUSED;
void wire_server_counts(struct wire_server *s, struct wire_counts *ret);
/* Calls on_close for what is open. Not from inside a callback of this server. Takes 5 s at most: what
 * nng has not closed by then stays, with all that its threads might still touch. */
void wire_server_free(struct wire_server *s);
DEFINE_CLEANUP(struct wire_server, wire_server_free)

/* ---- the dialing side ---- */
struct wire_client;

struct wire_client_ops {
	void (*on_open)(void *arg);
	/* id: as given to wire_request. msg: borrowed for the call. */
	void (*on_reply)(void *arg, uint32_t id, struct slice msg);
	/* The connection is gone: every open request is void. Dialing goes on with jittered
	 * back-off 0.5 s .. 30 s. */
	void (*on_close)(void *arg);
	/* A dial failed: "connection refused", "certificate expired"… Past 12 s it is given up. */
	void (*on_failed)(void *arg, const char *why);
};

int wire_client_new(struct loop *l, const char *url, const struct wire_tls *tls,
		    const struct wire_client_ops *ops, void *arg, struct wire_client **ret,
		    struct err *err) WARN_UNUSED;
/* id: the caller's, below 2^31, unique among open requests. Errors: ENOTCONN, EAGAIN, EMSGSIZE. */
int wire_request(struct wire_client *c, uint32_t id, struct slice msg, struct err *err) WARN_UNUSED;
bool wire_client_is_open(const struct wire_client *c);
/* Closes the connection and dials again, after the back-off. */
void wire_client_restart(struct wire_client *c);
/* Takes 2 s at most. What has not ended by then, as a dial that nobody answers, ends later. */
void wire_client_free(struct wire_client *c);
DEFINE_CLEANUP(struct wire_client, wire_client_free)

/* Sockets of this process that were let go and have not ended. What stays for minutes, nng has
 * forgotten: a thread and some 100 KB each, for ever. At WIRE_MAX_LOST clients stop to dial and say
 * so in on_failed; only a new process helps then. */
unsigned wire_lost(void);
