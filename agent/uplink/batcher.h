/* batcher.h - what goes to the collector when: greeting, batches, acknowledgements, refusals.
 *
 *   DOWN --open--> GREETING --HelloReply--> RUNNING --epoch is done, ORDER, MALFORMED--> GREETING
 *                     ^------------- after a while: WAITING <-- BUSY, NOT_YOU, REVOKED ...
 *
 * After a refusal nothing more is sent until everything under way is answered; then a new greeting
 * tells what the collector has, and sending goes on from there. Neither clock nor network of its
 * own: a test can turn both by hand. */
#pragma once
#include "agent/uplink/spool.h"
#include "agent/uplink/uplink.h"
#include "common/buf.h"
#include "proto/msg.h"

struct batcher;

/* Its requests are numbered 1 .. this; numbers above are for others on the same connection. */
enum { BATCHER_ID_MAX = 0x3fffffff };

struct batcher_ops {
	/* Sends a request; its answer comes to batcher_reply with the same id. */
	int (*send)(void *arg, uint32_t id, struct slice msg, struct err *err);
	/* Closes the connection and dials again. batcher_close may follow from inside. */
	void (*restart)(void *arg);
	/* Packs a heartbeat request into out. */
	int (*heartbeat)(void *arg, struct buf *out, struct err *err);
	/* What the collector wants this host to be like; borrowed for the call. Nullable. */
	void (*on_configuration)(void *arg, const Picket__Configuration *c);
	/* Only when it changes. */
	void (*on_state)(void *arg, bool is_connected, const char *why);
};

/* spool, clk, cfg, agent_id, ops: borrowed until free. */
int batcher_new(struct spool *spool, const struct clock *clk, const struct uplink_config *cfg,
		const char *agent_id, const struct batcher_ops *ops, void *arg,
		struct batcher **ret, struct err *err) WARN_UNUSED;
/* The connection is open, or gone: then every request under way is void; or a dial failed. */
void batcher_open(struct batcher *b);
void batcher_close(struct batcher *b);
void batcher_failed(struct batcher *b, const char *why);
void batcher_reply(struct batcher *b, uint32_t id, struct slice msg);
/* Does what is due: sends what the spool has, heartbeats, timeouts. Returns in how many ms at the
 * latest it wants to be called again. */
uint64_t batcher_tick(struct batcher *b);
uint64_t batcher_last_ack_unix_ns(const struct batcher *b);
/* Newest number of the current epoch that the collector has. */
uint64_t batcher_acked(const struct batcher *b);
void batcher_free(struct batcher *b);
DEFINE_CLEANUP(struct batcher, batcher_free)
