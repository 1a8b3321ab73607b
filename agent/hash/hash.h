/* hash.h - the SHA-256 of files that are run. What is known is answered at once; what is not is asked of a worker
 * process, and whoever waits is told when it knows. One thread; nothing here reads a file. */
#pragma once
#include "agent/event.h"
#include "common/err.h"
#include "common/loop.h"

struct hash;

struct hash_config {
	uint64_t max_file_bytes, bytes_per_second;
	uint64_t hang_ms;	/* 0: 10 s */
	const char *program;	/* nullable: this one */
};

struct hash_figures {
	uint64_t known;	   /* execs whose hash was in the cache */
	uint64_t told;	   /* execs whose hash was told afterwards */
	uint64_t too_large, skipped, gone, changed, unreadable; /* execs without one, by the reason */
	uint64_t busy;	   /* … because too many waited */
	uint64_t cached, evicted, waiting;
};

/* An exec that waited; record: what hash_ask was given. Borrowed for the call. */
typedef void (*hash_fn)(void *arg, struct slice record, const uint8_t sha256[32]);

int hash_new(struct loop *l, const struct hash_config *cfg, hash_fn fn, void *arg, struct hash **ret,
	     struct err *err) WARN_UNUSED;
enum hash_found { HASH_FOUND, HASH_NEVER, HASH_ASK };
/* FOUND: fills p's exe_sha256. NEVER: it is known that it will not be known; counted. */
enum hash_found hash_find(struct hash *h, struct event_process *p);
/* Once for an exec for which hash_find said ASK. root_pid: a process that lives in p's container, 1 on the host itself.
 * record is copied; fn gets it exactly once if the hash comes to be known, else the exec is counted. */
void hash_ask(struct hash *h, const struct event_process *p, uint32_t root_pid, struct slice record);
bool hash_is_worker(const struct hash *h, uint32_t pid);
void hash_figures(const struct hash *h, struct hash_figures *ret);
/* NULL is allowed. Who waits is not told. */
void hash_free(struct hash *h);
DEFINE_CLEANUP(struct hash, hash_free)
