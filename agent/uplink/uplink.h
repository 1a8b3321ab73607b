/* uplink.h - what leaves this host: the spool on disk, batches to the collector, acknowledgements.
 *
 * Does not look inside a record. One thread: the loop. */
#pragma once
#include "common/clock.h"
#include "common/err.h"
#include "common/loop.h"
#include "common/slice.h"

struct uplink;

enum uplink_class { UPLINK_PROCESS, UPLINK_RARE, UPLINK_VOLUME, UPLINK_CLASS_COUNT };

/* Every string: borrowed until uplink_free. */
struct uplink_config {
	const char *state_dir;	  /* holds spool/, agent.key, agent.pem, ca.pem, agent.id */
	const char *url;	  /* tls+tcp://collector:7443 */
	const char *server_name;  /* in the collector's certificate */
	uint64_t spool_max_bytes; /* 1 MiB .. 64 GiB */
	uint64_t flush_ms;	  /* longest time a record waits for its batch; 5 .. 10,000; default 20 */
	uint64_t sync_ms;	  /* longest time before fdatasync of the spool; default 100 */
	uint64_t heartbeat_ms;	  /* default 10,000 */
	const char *hostname, *agent_version, *kernel, *machine_id, *boot_id;
};

struct uplink_loss {
	enum uplink_class class;
	uint64_t lost, from_unix_ns, to_unix_ns;
	const char *reason; /* spool_full, spool_damaged, disk_full … */
};

struct uplink_sensor {
	const char *name, *why_not;
	bool attached;
};

/* What the agent says of itself; the uplink adds epoch, produced and the spool's figures. */
struct uplink_heartbeat {
	uint64_t lost[UPLINK_CLASS_COUNT]; /* counted since the agent started, kernel and spool */
	uint64_t rss_bytes, cpu_ns;
	uint32_t containers, processes;
	const char *rules_version;
	const struct uplink_sensor *sensors; /* borrowed until the next call */
	size_t sensor_count;
	uint64_t folded, actions; /* since the agent started: matches folded, responses done */
	struct uplink_policy {	  /* borrowed until the next call; NULL counts as "" */
		const char *digest, *source, *mode, *error; /* as PolicyState has them */
		bool has_admission, has_network;
		uint64_t denied, would_deny;
	} policy;
};

struct uplink_ops {
	/* Called for each heartbeat: fill in *ret, which is zeroed. */
	void (*on_heartbeat)(void *arg, struct uplink_heartbeat *ret);
	/* Records were lost between here and the collector: make a Gap record of it and append it. */
	void (*on_loss)(void *arg, const struct uplink_loss *loss);
	/* The collector wants this policy to be in force; text is left out while the last heartbeat had its digest.
	 * Nullable. */
	void (*on_policy)(void *arg, struct slice text, const char *digest);
	/* For the log and status: "connected", or why not. */
	void (*on_state)(void *arg, bool is_connected, const char *why);
};

/* Opens (and recovers) the spool, then dials. Errors: ENOENT without an enrolment, ERR_CORRUPT … */
int uplink_new(struct loop *l, const struct clock *clk, const struct uplink_config *cfg,
	       const struct uplink_ops *ops, void *arg, struct uplink **ret, struct err *err) WARN_UNUSED;
/* Copies a packed Record into the spool and gives it its sequence number (*ret_seq, nullable).
 * Never blocks on the network. A full spool drops the oldest segment of the lowest class, counted.
 * Fails only when the record could not be kept at all (disk error): then it is counted as lost. */
int uplink_append(struct uplink *u, enum uplink_class class, uint64_t time_unix_ns,
		  struct slice record, uint64_t *ret_seq, struct err *err) WARN_UNUSED;
/* A question beside the batches, one at a time: its answer is not waited for by any record, and it is not
 * spooled. m: body set, the rest is filled in here. fn: exactly once, on the loop, with the reply (borrowed
 * for the call; a Refusal is one, too) or NULL when the connection went, nothing was answered within a
 * minute, or the answer made no sense; not from within this call. Errors: ENOTCONN, EAGAIN (one is under
 * way), ERR_LIMIT, ERR_CORRUPT (m is out of its bounds). uplink_free drops the question silently. */
struct Picket__Request;
struct Picket__Reply;
typedef void (*uplink_answer_fn)(void *arg, const struct Picket__Reply *reply);
int uplink_ask(struct uplink *u, struct Picket__Request *m, uplink_answer_fn fn, void *arg,
	       struct err *err) WARN_UNUSED;
struct uplink_stats {
	bool is_connected;
	char why[200];
	uint64_t epoch, produced, acked, spool_records, spool_bytes, spool_oldest_unix_ns;
	uint64_t lost[UPLINK_CLASS_COUNT];
	uint64_t last_ack_unix_ns;
};
void uplink_stats(const struct uplink *u, struct uplink_stats *ret);
/* Syncs and closes; what is unacknowledged stays for the next start. */
void uplink_free(struct uplink *u);
DEFINE_CLEANUP(struct uplink, uplink_free)

/* ---- enrolment (blocking, for the command line) ---- */
struct enrol_result {
	char agent_id[64];
	char url[256];	       /* the collector's address for agents */
	char server_name[256];
};
/* Makes a key that never leaves state_dir, asks with the token, stores agent.key (0600), agent.pem,
 * ca.pem, agent.id. collector_url: overrides the token's addresses; nullable. An enrolment that is
 * there already is an error (EEXIST) unless force. timeout_ms: whole exchange. */
int uplink_enrol(const char *token, const char *collector_url, const char *state_dir,
		 const char *hostname, const char *machine_id, bool force, uint64_t timeout_ms,
		 struct enrol_result *ret, struct err *err) WARN_UNUSED;
