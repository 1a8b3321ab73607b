/* live_priv.h - what live's files share. */
#pragma once
#include "collector/correlate/live.h"
#include "collector/correlate/live_journal.h"
#include "collector/store/store_correlations.h"

/* What the loop makes itself takes some 6 to 12 ms for each MiB. A fork, whatever the size, took a collector of 130 MB 0.6 s
 * on a virtual machine whose page tables are shadowed (of faults afterwards, most of them). */
enum { LIVE_COPY_BYTES = 12 << 20 };
enum { LIVE_WORLD_BYTES = 64 << 10 };

/* live_world.c */
struct live_world;
int live_world_new(struct store *s, const struct clock *clk, struct live_world **ret, struct err *err) WARN_UNUSED;
void live_world_free(struct live_world *w);
const struct observed_world *live_world_ops(struct live_world *w);
/* What a record tells of the world: a container that changed, an address of a host. */
void live_world_learn(struct live_world *w, const char *agent, const char *host, const Picket__Record *rec);
void live_world_address(struct live_world *w, const char *host, struct slice address);
/* Something was judged: what is known of images may be old. */
void live_world_forget(struct live_world *w);
/* Gives each agent that fell silent or came back since the last call. */
int live_world_agents(struct live_world *w, int (*fn)(void *arg, const char *agent, const char *host, const char *state), void *arg,
		      struct err *err) WARN_UNUSED;

/* live_copy.c: a process that takes a snapshot of the engine as it is now. Zeroed: there is none. */
struct live_copy {
	int pid; /* 0: it has ended */
	int fd;
};
int live_copy_start(const struct engine *e, size_t cap, struct live_copy *ret, struct err *err) WARN_UNUSED;
/* 0: not yet. 1: *ret_bytes are there. */
int live_copy_poll(struct live_copy *c, size_t *ret_bytes, struct err *err) WARN_UNUSED;
/* n bytes, which must be there, in place of what out holds. */
int live_copy_read(const struct live_copy *c, size_t at, size_t n, struct buf *out, struct err *err) WARN_UNUSED;
void live_copy_end(struct live_copy *c);

struct live {
	struct store *store;
	const struct clock *clk;
	struct live_config cfg;
	struct live_ops ops;
	void *arg;
	struct ruleset *rules;
	struct engine *engine;
	struct live_world *world;
	struct arena *arena; /* of one event */
	unsigned *matched;   /* room for every rule */
	uint32_t *map;	     /* while a journal is read: its rules' numbers here; UINT32_MAX: gone */
	size_t map_count;
	uint16_t fields[UINT16_MAX + 1]; /* likewise */
	struct live_row row;
	struct buf packed;
	/* What is being fed, for the engine's callback. */
	const struct observed *event;
	bool is_replaying;
	int failed;
	struct err *err;
	unsigned fired_now;
	uint64_t ticked_unix_ns; /* how far the clock has come */
	int64_t journal;      /* number of the last row that the engine was told */
	int64_t lateness_ns;  /* more than asked for while agents tell what they kept when we were away */
	uint64_t wide_until_boot_ns; /* 0: as asked for */
	uint64_t snapshot_boot_ns, looked_boot_ns, agents_boot_ns, told_boot_ns, state_lost_boot_ns;
	uint64_t told_evicted, told_late;
	int64_t generation; /* of the newest snapshot in the store */
	/* One on its way into the store, part by part: as the engine was when the journal had come to `journal`. */
	struct live_pending {
		bool is_open;
		struct buf names, snapshot; /* snapshot: of a large one the part in hand */
		struct live_copy copy;	    /* of a large one: who makes it, or where it is */
		bool is_copied, is_made;
		size_t bytes, done, part_bytes;
		uint64_t begun_boot_ns;
		uint64_t parts;
		int64_t journal;
		uint64_t journal_rows, journal_bytes; /* it holds so many */
	} pending;
	size_t copy_bytes; /* states larger than this are made by a copy of the process */
	bool is_copy_bad; /* the last one failed: the next snapshot is made here */
	bool must_tidy;
	struct live_loading *loading; /* NULL: no files are being read */
	bool must_reload;	      /* when they are: once more */
	uint64_t signature; /* of the files as they were when last read */
	struct live_stats stats;
};

/* live_state.c */
/* The engine as snapshot and journal have it. */
int live_rebuild(struct live *l, struct err *err) WARN_UNUSED;
/* Forgets what was counted, in the store too. Its own transaction. */
int live_begin_anew(struct live *l, const char *why, struct err *err) WARN_UNUSED;
/* Rebuilds where the last transaction did not come to be. */
int live_check(struct live *l, struct err *err) WARN_UNUSED;
int live_journal_add(struct live *l, const struct live_row *row, struct err *err) WARN_UNUSED;
/* Tells the engine a row. */
enum engine_taken live_apply(struct live *l, const struct live_row *row);
/* Its own transaction. */
int live_snapshot(struct live *l, struct err *err) WARN_UNUSED;
void live_snapshot_if_due(struct live *l);
/* The same in steps: the state as it is now, then a part each in its own transaction; the last makes it count. */
int live_snapshot_begin(struct live *l, struct err *err) WARN_UNUSED;
int live_snapshot_step(struct live *l, struct err *err) WARN_UNUSED;
void live_pending_fini(struct live *l);
/* Other rules, or another lateness: state goes on. Taken only on success. */
int live_switch(struct live *l, struct ruleset *rules, struct err *err) WARN_UNUSED;
int live_new_engine(struct live *l, const struct ruleset *rules, struct engine **ret, struct err *err) WARN_UNUSED;

/* live_files.c */
int live_load(const struct live_config *cfg, bool is_lenient, struct ruleset **ret, struct err *err) WARN_UNUSED;
uint64_t live_signature(const struct live *l);
void live_look(struct live *l);

/* live_load.c */
/* The files are as this signature says: reads them. */
void live_read(struct live *l, uint64_t signature);
/* Puts in force what was read meanwhile; true: it is still being read. */
bool live_take(struct live *l);
void live_loading_end(struct live *l);
