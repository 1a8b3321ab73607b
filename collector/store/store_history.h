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

/* ---- how much there is, and for how long ---- */
struct store_forecast {
	uint64_t bytes, max_bytes, free_bytes; /* of the history; its bound, 0 = none; of the disk */
	uint64_t bytes_per_day;		       /* of the newest whole days; of today, where there is none; 0: not known */
	double days_to_max, days_to_full;      /* until it is reached; -1: retention by age comes first, or not known */
	struct {
		uint64_t bytes;
		uint32_t oldest; /* 20261123; 0: nothing is stored */
		uint64_t days;	 /* they are kept; 0: for ever */
	} classes[STORE_CLASSES];
};
int store_forecast(struct store *s, struct store_forecast *ret, struct err *err) WARN_UNUSED;

/* ---- when agents were not heard of ---- */
struct store_agent_silence {
	const char *agent, *host;	 /* "": the collector itself was not running */
	uint64_t from_unix_ns, to_unix_ns; /* to 0: still */
};
/* Newest end first, at most 1,000 that ended of each; those that last first of all. id_or_host nullable: all agents. A
 * silence is a minute without a heartbeat. ERR_NOT_FOUND. */
int store_agent_silences_each(struct store *s, const char *id_or_host, uint64_t since_unix_ns, uint64_t until_unix_ns,
			int (*fn)(void *arg, const struct store_agent_silence *x), void *arg, struct err *err) WARN_UNUSED;

/* ---- vulnerabilities of that time ---- */
/* An image that ran somewhere in [since, until] and had the vulnerability then, a row per host. */
struct store_had_vuln {
	const char *image_id, *reference, *host, *agent, *package, *version, *fixed;
	int severity;				 /* enum vuln_severity */
	uint64_t ran_from_unix_ns, ran_to_unix_ns; /* 0: still */
	uint64_t found_unix_ns, resolved_unix_ns;
};
/* vuln: its name or an alias; ERR_NOT_FOUND. After limit rows ret_more is set. */
int store_had_vuln_each(struct store *s, const char *vuln, uint64_t since_unix_ns, uint64_t until_unix_ns,
			uint64_t limit, int (*fn)(void *arg, const struct store_had_vuln *x), void *arg,
			bool *ret_more, struct err *err) WARN_UNUSED;
