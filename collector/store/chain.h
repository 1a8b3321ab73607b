/* chain.h - tamper evidence: what is stored of an agent is a hash chain. Private to the store.
 *
 * Each (agent, class) has a chain over its records in the order of storing, across days:
 *
 *	value(0)     = SHA-256("picket history 1", class, agent)
 *	value(i + 1) = SHA-256(value(i), epoch, seq, packed record)		each cut to 16 bytes
 *
 * A block and a tail row keep a link per chain: which records, and the value behind them. Pure, but for
 * the hasher. */
#pragma once
#include "common/buf.h"
#include "common/err.h"

enum { CHAIN_BYTES = 16, CHAIN_KEY_BYTES = 32 };

struct chain_value {
	uint64_t count; /* records so far */
	uint8_t hash[CHAIN_BYTES];
};
struct chain_link {
	int64_t no;	  /* of the chain, in this day's file */
	uint64_t from, n; /* records from + 1 .. from + n of the chain */
	uint8_t end[CHAIN_BYTES];
};

struct chain_hasher; /* SHA-256, set up once */
struct chain_hasher *chain_hasher_new(void) WARN_UNUSED;
void chain_hasher_free(struct chain_hasher *h);

void chain_start(struct chain_hasher *h, const char *agent, unsigned class_no, struct chain_value *ret);
void chain_add(struct chain_hasher *h, struct chain_value *c, uint64_t epoch, uint64_t seq, struct slice packed);
bool chain_is(const struct chain_value *a, const struct chain_value *b);
/* Another value for the same count. */
void chain_mix(struct chain_hasher *h, struct chain_value *c, struct slice text);
/* Any text behind the value: the audit log's rows. */
void chain_add_text(struct chain_hasher *h, struct chain_value *c, struct slice text);

void chain_link_put(struct buf *out, const struct chain_link *l);
/* False at the end, and where the rest is no link: then s is not empty. */
bool chain_link_take(struct slice *s, struct chain_link *ret);

/* A number for a head that only who has the key can tell; for sums that are kept. */
void chain_secret(struct chain_hasher *h, const uint8_t key[CHAIN_KEY_BYTES], const char *subject, unsigned class_no,
		  const struct chain_value *v, uint64_t ret[4]);

/* A record of the store about itself, that only who has the key can make: HMAC-SHA-256 over what it is about
 * (with its NUL, then subject), class and value. */
void chain_sign(const uint8_t key[CHAIN_KEY_BYTES], const char *what, const char *subject, unsigned class_no,
		const struct chain_value *v, uint8_t ret[CHAIN_BYTES]);
