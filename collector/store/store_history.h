/* store_history.h - the history beyond its rows: classes and how long they are kept, forecast, chains. */
#pragma once
#include "collector/store/store.h"

/* What is kept for its own time: process life (exec, exit, fork, containers), rare calls, volume (files, network,
 * traffic), findings (with responses, admissions, reports of checks, losses). */
enum store_class { STORE_PROCESS, STORE_RARE, STORE_VOLUME, STORE_FINDING, STORE_CLASSES };
/* "process" … "finding". */
const char *store_class_name(enum store_class c);

/* ---- tamper evidence ---- */
enum { STORE_HASH_BYTES = 16 };
/* Where the chain of an agent's records of a class stands. Kept elsewhere (printed, signed, on another machine) it
 * proves later what was stored up to then, even against who may write every file here. */
struct store_head {
	const char *agent;
	enum store_class class_no;
	uint64_t count; /* records */
	uint8_t hash[STORE_HASH_BYTES];
};
int store_heads_each(struct store *s, int (*fn)(void *arg, const struct store_head *h), void *arg,
		     struct err *err) WARN_UNUSED;
/* store_verify, and whether the chains pass the heads that were kept. */
struct store_verify {
	const struct store_head *heads;
	size_t head_count;
	uint64_t ret_records, ret_unchained; /* out: read; stored before there were chains */
};
int store_verify_heads(struct store *s, struct store_verify *how, void (*fn)(void *arg, const char *fault),
		       void *arg, struct err *err) WARN_UNUSED;
