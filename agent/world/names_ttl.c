/* names_ttl.c - how long an answer of DNS may be kept. getaddrinfo doesn't say, so the same is asked once more. */
#include "agent/world/names_priv.h"

#include <arpa/nameser.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>

enum { HEADER_BYTES = 12, ANSWER_BYTES = 16384, TYPE_A = 1, TYPE_AAAA = 28, TIMEOUT_S = 1, LABEL_BITS = 0xc0 };

static unsigned u16_at(struct slice s, size_t at)
{
	return (unsigned)(uint8_t)s.p[at] << 8 | (uint8_t)s.p[at + 1];
}

/* Past a name. A pointer ends it and is not followed: what it says is of no interest here. 0: it is cut off. */
static size_t skip_name(struct slice s, size_t at)
{
	while (at < s.n) {
		unsigned n = (uint8_t)s.p[at];

		if ((n & LABEL_BITS) == LABEL_BITS)
			return at + 2 <= s.n ? at + 2 : 0;
		if (n & LABEL_BITS)
			return 0;
		at += n + 1;
		if (!n)
			return at <= s.n ? at : 0;
	}
	return 0;
}

uint32_t names_answer_ttl(struct slice s)
{
	uint32_t least = NAMES_NO_TTL;

	if (s.n < HEADER_BYTES)
		return NAMES_NO_TTL;
	unsigned questions = u16_at(s, 4), answers = u16_at(s, 6);
	size_t at = HEADER_BYTES;
	for (unsigned i = 0; i < questions; i++) {
		at = skip_name(s, at);
		if (!at || s.n - at < 4)
			return NAMES_NO_TTL;
		at += 4; /* type, class */
	}
	for (unsigned i = 0; i < answers; i++) {
		at = skip_name(s, at);
		if (!at || s.n - at < 10) /* type, class, ttl, length */
			return least;
		uint32_t ttl = u16_at(s, at + 4) << 16 | u16_at(s, at + 6);
		if (ttl >> 31) /* RFC 2181: as if it were 0 */
			ttl = 0;
		least = ttl < least ? ttl : least;
		at += 10 + u16_at(s, at + 8);
		if (at > s.n)
			return least;
	}
	return least;
}

uint32_t names_ask_ttl(const char *name, bool is_v6, bool *is_slow)
{
	unsigned char answer[ANSWER_BYTES];
	struct __res_state state = { 0 };

	if (*is_slow || res_ninit(&state) < 0)
		return NAMES_NO_TTL;
	state.retrans = TIMEOUT_S;
	state.retry = 1;
	int n = res_nquery(&state, name, ns_c_in, is_v6 ? TYPE_AAAA : TYPE_A, answer, sizeof(answer));
	if (n < 0 && state.res_h_errno == TRY_AGAIN)
		*is_slow = true;
	res_nclose(&state);
	if (n < 0)
		return NAMES_NO_TTL;
	return names_answer_ttl(slice_from(answer, (size_t)n < sizeof(answer) ? (size_t)n : sizeof(answer)));
}
