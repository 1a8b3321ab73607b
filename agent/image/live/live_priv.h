/* live_priv.h - as the files of live share it: live.c (what runs, what is due), images.c (the table), stock.c
 * (children that take stock), tell.c (what the collector is told), scans.c (what it says of images, for the policy), use.c (packages in use), sweep.c (mapped
 * files), child.c (child processes), updates.c (registries, all local images). */
#pragma once
#include <sys/queue.h>
#include <uthash.h>

#include "agent/image/live/child.h"
#include "agent/image/live/live.h"
#include "agent/image/live/maps.h"
#include "agent/image/live/summary.h"
#include "common/log.h"

enum {
	LIVE_IMAGES = 4096,	 /* known at once, running or not */
	LIVE_CONTAINERS = 8192,	 /* of all images */
	LIVE_SEEN = 4096,	 /* paths of one image that were looked up */
	LIVE_PENDING = 1024,	 /* paths of one image that wait for it */
	LIVE_USED = 4096,	 /* packages of one image told as used */
	LIVE_LOOKS = 2048,	 /* processes whose mapped files are to be looked at */
	LIVE_LOOKED = 2048,	 /* programs whose mapped files are known */
	LIVE_TICK_MS = 500,
	LIVE_PAUSE_MS = 10000,	 /* after a refusal, or no answer */
	LIVE_SETTLE_MS = 1000,	 /* a state is told when nothing changed for so long */
	LIVE_AGAIN_MS = 300000,	 /* and again, unchanged, after so long */
	LIVE_RETRY_MS = 600000,	 /* after an image could not be read */
	LIVE_STOCK_MS = 900000,	 /* a child that takes longer is ended */
	LIVE_SWEEP_MS = 600000,	 /* all processes' mapped files */
	LIVE_LOOK_AFTER_MS = 1000,
	LIVE_LOOK_AGAIN_MS = 600000,
	LIVE_SCANS_MS = 3000,	 /* the collector is asked whether a scan changed */
	LIVE_SCANS_SOON_MS = 1000, /* and while it has an image to match */
	LIVE_LIST_MS = 15000,	 /* the engine, which images lie here, where scans are wanted and it tells of none */
	LIVE_PACK_TRIES = 3,
	LIVE_ID_BYTES = 80,
	LIVE_MAPS_BYTES = 1024 * 1024,
};

enum live_stock { STOCK_WANTED, STOCK_TAKING, STOCK_THERE, STOCK_FAILED };
enum live_told { TOLD_NOT, TOLD_ASKING, TOLD_PACKING, TOLD_PACKED, TOLD_SENDING, TOLD_KNOWN, TOLD_REFUSED };
enum { USE_EXECUTED = 1, USE_LOADED = 2 };

struct limage;
struct lcontainer {
	UT_hash_handle hh; /* by id, of all images */
	TAILQ_ENTRY(lcontainer) link;
	struct limage *image;
	char id[65];
	char *name, *published;
	uint64_t started_unix_s;
};
struct lused {
	char *ecosystem, *name, *version, *path;
	char container_id[65];
	unsigned how; /* USE_… */
	uint64_t last_unix_s;
};
struct lpending {
	char *path;
	char container_id[65];
	unsigned how;
};
struct limage {
	TAILQ_ENTRY(limage) link;
	char id[LIVE_ID_BYTES];
	char *reference; /* as a container's user gave it; "" */
	TAILQ_HEAD(, lcontainer) containers;
	enum live_stock stock;
	enum live_told told;
	uint64_t retry_ns; /* boot time; of a failed stock or a refused inventory */
	char why[200];	   /* of the failure */
	struct summary summary;
	bool has_summary;
	bool wants_names; /* the engine is to be asked what it calls it now */

	/* where scans are wanted */
	bool is_here; /* the engine listed it last; kept as long */
	bool is_scan_asked, has_scan;
	uint64_t scan_unix_s;
	char scan_worst[16];

	/* what is under way with the collector */
	uint8_t (*wanted)[LIMIT_KEY_BYTES]; /* layers to send whole */
	size_t wanted_count;
	unsigned tries;
	uint32_t part;
	uint8_t sha256[LIMIT_KEY_BYTES]; /* of the packed inventory */
	uint64_t packed_bytes;

	/* use */
	uint64_t *seen; /* hashes of (path, how); LIVE_SEEN slots, 0 = free */
	size_t seen_count, pending_count, used_count;
	struct lpending *pending;
	struct lused *used;

	uint64_t update_due_ns; /* boot time */
	bool has_update;	/* below is untold */
	char update_digest[LIVE_ID_BYTES], running_digest[LIVE_ID_BYTES];
	char update_error[160];
	char *update_reference;
	uint64_t update_unix_s;
};

struct live_look {
	uint32_t pid;
	uint64_t due_ns;
	uint64_t exe_hash; /* with the image's */
};

struct live {
	struct loop *loop;
	struct fetch_pool *fetch;
	const struct clock *clk;
	struct live_config cfg;
	const struct live_ops *ops;
	void *arg;
	char *dir; /* state_dir/images */
	TAILQ_HEAD(, limage) images;
	struct lcontainer *containers; /* uthash */
	size_t image_count, container_count;
	struct loop_timer *tick;
	struct child *child; /* one at a time */
	struct limage *child_image;
	uint64_t dropped; /* images and containers past the bounds */
	uint64_t stock_taken, stock_failed, told, updates_checked;

	bool is_asking;
	uint64_t pause_ns; /* nothing is asked before this boot time */
	void (*on_answer)(struct live *v, const Picket__Reply *r);
	struct limage *asked[LIMIT_IMAGES_ASKED];
	size_t asked_count;
	struct limage *sending;

	/* the state of what is in use */
	bool is_changed, is_state_known;
	uint64_t changed_ns, state, state_told_ns;
	uint32_t state_part, state_parts;
	struct limage *state_from, *state_next; /* images of the part under way; of the next */

	/* scans, for the policy */
	char *scan_path; /* NULL: not wanted */
	uint64_t scan_generation, scan_matched_unix_s, scan_due_ns, list_due_ns;
	uint64_t scan_written; /* hash of the file; 0: not written yet */
	bool has_list;	       /* the engine has answered since they are wanted */

	struct live_look looks[LIVE_LOOKS];
	size_t look_count;
	struct live_looked {
		uint64_t exe_hash, at_ns;
	} looked[LIVE_LOOKED];
	uint64_t sweep_due_ns, all_due_ns, clean_due_ns;
	uint64_t *sweep_pids;
	size_t sweep_count, sweep_at;
	struct fetch *listing, *naming;
	struct limage *named; /* whom naming is about */
};

/* ---- images.c ---- */
struct limage *live_image_find(struct live *v, struct slice id);
/* NULL past LIVE_IMAGES or without memory: counted. */
struct limage *live_image_get(struct live *v, struct slice id);
struct limage *live_image_of(struct live *v, const char *container_id, struct lcontainer **ret);
void live_images_free(struct live *v);
/* Forgets images that nothing runs and that are told. */
void live_images_forget(struct live *v);
/* DIR/HEX.suffix */
void live_path(const struct live *v, const struct limage *i, const char *suffix, char *dst, size_t size);
void live_set_changed(struct live *v);
uint64_t live_now_ns(const struct live *v);

/* ---- stock.c ---- */
/* Reads what an earlier run left; else stock is wanted. */
void live_stock_load(struct live *v, struct limage *i);
/* Starts the next child if none runs and one is due. */
void live_stock_step(struct live *v);
/* Removes cached files of images that nothing runs, oldest first, down to the bound. */
void live_stock_clean(struct live *v);

/* ---- tell.c ---- */
void live_tell_step(struct live *v);
void live_tell_lost(struct live *v);

/* Asks, and keeps the answer for is_asking. */
bool live_ask(struct live *v, Picket__Request *m, void (*on_answer)(struct live *v, const Picket__Reply *r)) WARN_UNUSED;

/* ---- scans.c ---- */
/* Asks the collector, if it is time. */
bool live_scans_ask(struct live *v);
/* The engine's list was read: is_here is set on each. */
void live_scans_listed(struct live *v);
void live_scans_step(struct live *v);
void live_scans_write_status(const struct live *v, struct json *j);

/* ---- use.c ---- */
void live_use_add(struct live *v, struct limage *i, const char *container_id, struct slice path, unsigned how);
/* Looks up what waits, for images whose stock is there. */
void live_use_step(struct live *v);
void live_use_free(struct limage *i);

/* ---- sweep.c ---- */
void live_look_add(struct live *v, const struct limage *i, uint32_t pid, struct slice exe);
void live_sweep_step(struct live *v);

/* ---- updates.c ---- */
void live_updates_step(struct live *v);
bool live_update_start(struct live *v);
/* All local images are asked for, unless they are. */
void live_list_all(struct live *v);
