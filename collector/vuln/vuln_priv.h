/* vuln_priv.h - what the files of this room share. */
#pragma once
#include <sys/stat.h>

#include "collector/vuln/assembly.h"
#include "collector/vuln/limits.h"
#include "collector/vuln/vuln.h"
#include "common/quota.h"

/* The database as it is read here, and how far its changes are marked. */
struct data {
	struct vulndb *db; /* NULL: there is none that can be used */
	ino_t inode;
	struct vulndb_info info;
	char why_not[240];
	struct timespec failed_mtime; /* of a file that could not be opened: not tried again until it changes */
	uint64_t looked_boot_ns;
	/* names that an import changed and that are still to be marked */
	struct arena *changed_arena;
	struct changed {
		struct slice ecosystem, name;
	} *changed;
	size_t changed_count, changed_at;
	bool is_marking, is_all;
	uint64_t imported_unix_s, imported_generation; /* the newest import of that generation */
};

struct vuln {
	struct store *store;
	const struct clock *clk;
	const struct vuln_config *cfg; /* borrowed as long as this lives */
	struct vuln_ops ops;
	void *arg;
	struct assemblies *assemblies;
	struct quota quota;
	struct buf unpacked;
	struct arena *inventory_arena, *match_arena, *judge_arena;
	struct loop *loop;
	struct loop_timer *work, *tick;
	struct data data;
	size_t match_limit; /* packages of one call, by how long the last one took */
	size_t one_by_one;  /* so many alone: one of them can't be answered for */
	uint64_t tidied_boot_ns;
	/* the process that updates feeds */
	pid_t child;
	int child_fd;
	struct loop_fd *child_watch;
	uint64_t child_started_boot_ns;
};

/* data.c: opens the database, or notices that there is another or a newer one. */
void data_look(struct vuln *v);
/* Packages that an import may concern become due, a slice at a time; 1: there is more to do. */
int data_mark(struct vuln *v, uint64_t until_boot_ns, struct err *err) WARN_UNUSED;
/* It is damaged: not used until the file is another one or has changed. */
void data_give_up(struct vuln *v, const char *why);
void data_fini(struct data *d);
/* Is what is known too old? Tells, or says that it is well again. */
int data_check_age(struct vuln *v, struct err *err) WARN_UNUSED;

/* vuln.c: the number under which the store keeps how new the data are that all images were matched against. */
extern const char vuln_matched_name[];
/* data.c: when the newest of it came, or was last found to be the newest there is; 0: never. */
int data_refreshed(struct vuln *v, uint64_t *ret_unix_s, struct err *err) WARN_UNUSED;

/* match.c, judge.c: as much as there is time for; 1: there is more to do. */
int match_some(struct vuln *v, uint64_t until_boot_ns, struct err *err) WARN_UNUSED;
int judge_some(struct vuln *v, uint64_t until_boot_ns, struct err *err) WARN_UNUSED;

/* feed_child.c: starts the process when it is time, and takes its end. */
void feeds_tick(struct vuln *v);
void feeds_fini(struct vuln *v);

/* feed_fetch.c: one download into path, if the server has something newer than what etag and modified say.
 * 1: it has, and they are set; 0: it has not. */
struct feed_answer {
	char etag[256], modified[128];
	uint64_t bytes;
};
int feed_fetch(const struct vuln_feed *f, const char *path, struct feed_answer *a, struct err *err) WARN_UNUSED;
