/* fleet_agent.h - one simulated agent: makes numbers, sends batches under credit until they are acknowledged,
 * comes back after a cut, and keeps the ledger that the store is compared with. */
#pragma once
#include "tests/fleet/fleet_link.h"
#include "tests/fleet/fleet_mix.h"

enum { HIST_BUCKETS = 64 * 16 };

/* Times in us, 16 buckets a power of two: 6 % wide. */
struct hist {
	uint64_t count, max_us, bucket[HIST_BUCKETS];
};
void hist_add(struct hist *h, uint64_t us, uint64_t weight);
double hist_ms(const struct hist *h, double quantile);

struct fleet_config {
	struct mix mix;
	uint64_t epoch;
	double rate;	     /* events/s of one agent */
	unsigned burst;	     /* of them together, on average */
	unsigned flush_ms;   /* what is made waits so long for its batch */
	uint64_t spool_max;  /* events; older ones are dropped and counted; 0: no bound */
	unsigned replay_pct; /* of the acknowledgements are answered with a nasty repeat */
	uint64_t old_epoch, old_end; /* those repeat this epoch's numbers 1 .. old_end, too; 0: none */
	unsigned batch_max;  /* records; 0: the protocol's */
};

struct fleet_totals {
	uint64_t batches, records, resent, bytes, acks, opens, closes, failed_dials, refused[16], timeouts;
	uint64_t replays, replays_answered, replays_refused, replays_wrong;
	uint64_t acked_lost, phantom; /* the collector forgot, or knows what was never sent: both must be 0 */
	struct hist send_to_ack, made_to_ack; /* of batches; of events */
	struct hist others; /* made_to_ack of all but agent 0 */
	char last_why[160];
};

struct fleet;
struct agent;

struct agent *agent_new(struct fleet *f, uint32_t index, const char *id, const char *host, X509 *cert, EVP_PKEY *key);
void agent_free(struct agent *a);
/* Makes what is due, sends what may go, dials when its time has come. */
void agent_turn(struct agent *a, uint64_t now_ns);
/* Adds count numbers at once; rate: from now on, 0 none. */
void agent_make(struct agent *a, uint64_t now_ns, uint64_t count);
void agent_rate(struct agent *a, uint64_t now_ns, double rate);
void agent_cut(struct agent *a, uint64_t now_ns); /* comes again after the back-off */
void agent_hold(struct agent *a, bool is_held);	  /* sends nothing */
void agent_heartbeat(struct agent *a);
bool agent_is_settled(const struct agent *a); /* all is acknowledged, and the last heartbeat */
bool agent_is_open(const struct agent *a);
uint64_t agent_produced(const struct agent *a), agent_acked(const struct agent *a), agent_lost(const struct agent *a);
/* A line of the ledger: id host index epoch produced acked lost ranges. */
void agent_print(const struct agent *a, FILE *f);

extern const struct link_ops agent_link_ops;

/* What all agents share; one thread. */
struct fleet {
	struct fleet_config cfg;
	struct fleet_totals t;
	struct link_pool *pool;
	uint64_t now_ns;
	uint64_t random;
	struct buf data, out;
	struct slice *records; /* LIMIT_BATCH_RECORDS */
	struct arena *arena;
};
uint64_t fleet_random(struct fleet *f);
