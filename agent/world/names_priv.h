/* names_priv.h - one watched name, as its thread keeps it: where it leads, until when, and when it is asked for again. */
#pragma once
#include "agent/world/world_priv.h"

struct name_address {
	uint8_t bytes[16];
	uint8_t n; /* 4 or 16 */
	uint64_t seen_ms; /* in an answer, or when there was none: monotonic */
};

struct name_target {
	char name[WORLD_HOST_NAME_BYTES + 1];
	uint64_t due_ms; /* monotonic; 0: at once */
	size_t count;
	struct name_address addresses[WORLD_NAME_ADDRESSES];
};

/* An address of IPv4 written as one of IPv6 is the same place. */
struct name_address name_address_of(const uint8_t *bytes, size_t n);
bool name_address_same(const struct name_address *a, const struct name_address *b);
/* Seen now; of too many the one longest not seen goes. */
void name_target_add(struct name_target *t, const struct name_address *a, uint64_t now_ms);
/* Asks, and takes what came of it. An address that no answer has any more stays for a while (cfg->keep_ms), also when
 * there is no such name; where nobody answers, everything stays. is_slow: borrowed for a round: somebody did not answer
 * in time, don't wait for him again. */
void name_target_ask(struct name_target *t, const struct names_config *cfg, uint64_t now_ms, bool *is_slow);

/* names_ttl.c */
/* Pure: how long a DNS message's answers may be kept, the least of them; NAMES_NO_TTL: it has none. */
uint32_t names_answer_ttl(struct slice message);
/* The same, by a question of our own. Takes at most two seconds; *is_slow: nobody answered. */
uint32_t names_ask_ttl(const char *name, bool is_v6, bool *is_slow);
