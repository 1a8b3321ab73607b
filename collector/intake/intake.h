/* intake.h - takes batches from agents: who are you, is it whole, is it new, store, then answer.
 *
 * Exactly once: a batch's records, what the pipeline makes of them and the watermark are one
 * transaction; the acknowledgement goes out after its commit. Batches that arrive together share one. */
#pragma once
#include "collector/store/store.h"
#include "common/loop.h"
#include "common/prom.h"
#include "common/wire.h"

struct intake;

struct intake_config {
	const char *url; /* tls+tcp://[::]:7443 */
	struct wire_tls tls;
	uint32_t credit; /* batches under way per agent, 1 .. LIMIT_CREDIT */
};

struct intake_ops {
	/* Each new record, in order, inside the store's transaction. A failure rolls the group back
	 * and the agents send it again; an agent whose batch failed is alone in its group then, and
	 * ERR_LIMIT, EINVAL or ERR_SYNTAX there refuses the batch for good. */
	int (*on_record)(void *arg, const char *agent, const char *host, uint64_t epoch, uint64_t seq,
			 const Picket__Record *rec, struct err *err);
	/* After the group is committed. */
	void (*on_committed)(void *arg);
	/* Something a person should know (becomes a system alert): revoked_agent, forged_sender,
	 * sequence_jump, identity_clone, epoch_back, name_taken (detail: the name it wants). Called while a group's transaction may be open: note it, and
	 * write it later. Texts are borrowed for the call. Nullable. */
	void (*on_notice)(void *arg, const char *what, const char *agent, const char *detail);
	/* An agent said hello from this address ("192.0.2.1:55555"). Borrowed for the call. Nullable. */
	void (*on_address)(void *arg, const char *agent, const char *host, const char *address);
	/* What a heartbeat says beyond the agent's own figures, inside the store's transaction; *ret may get a
	 * configuration, its parts in a. Nullable. */
	int (*on_heartbeat)(void *arg, const char *agent, const char *host, const Picket__Heartbeat *h, struct arena *a,
			    Picket__HeartbeatReply *ret, struct err *err);
	/* A request about images or checks, inside the store's transaction; *ret is filled in, its parts in a, and goes out
	 * after the commit. A wrong request is a Refusal in *ret; a failure rolls the group back. Nullable: such
	 * requests are refused. */
	int (*on_request)(void *arg, const char *agent, const Picket__Request *rq, struct arena *a,
			  Picket__Reply *ret, struct err *err);
};

int intake_new(struct loop *l, struct store *s, const struct clock *clk, const struct intake_config *cfg,
	       const struct intake_ops *ops, void *arg, struct intake **ret, struct err *err) WARN_UNUSED;
int intake_port(const struct intake *in);
/* Closes sessions of agents that may no longer talk (revoked by another process, or with a certificate
 * that has expired). Call each second. */
void intake_sweep(struct intake *in);
struct intake_stats {
	uint64_t connections, refused_handshakes, refused_batches, batches, records, duplicates, groups, failed_groups;
	size_t peers;
};
void intake_stats(const struct intake *in, struct intake_stats *ret);
/* How long requests waited for their answers, which go out after the commit. Borrowed. */
const struct prom_durations *intake_answers(const struct intake *in);
void intake_metrics(const struct intake *in, struct buf *out);
void intake_free(struct intake *in);
DEFINE_CLEANUP(struct intake, intake_free)
