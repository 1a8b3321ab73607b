/* names_target.c - see names_priv.h. */
#include "agent/world/names_priv.h"

#include <netdb.h>
#include <netinet/in.h>

struct name_address name_address_of(const uint8_t *bytes, size_t n)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	struct name_address a = {.n = (uint8_t)n};

	if (n == 16 && !memcmp(bytes, mapped, sizeof(mapped))) {
		a.n = 4;
		bytes += 12;
	}
	memcpy(a.bytes, bytes, a.n);
	return a;
}

bool name_address_same(const struct name_address *a, const struct name_address *b)
{
	return a->n == b->n && !memcmp(a->bytes, b->bytes, a->n);
}

void name_target_add(struct name_target *t, const struct name_address *a, uint64_t now_ms)
{
	struct name_address *to = NULL;

	for (size_t i = 0; i < t->count && !to; i++)
		if (name_address_same(&t->addresses[i], a))
			to = &t->addresses[i];
	if (!to && t->count < WORLD_NAME_ADDRESSES)
		to = &t->addresses[t->count++];
	if (!to) {
		to = &t->addresses[0];
		for (size_t i = 1; i < t->count; i++)
			if (t->addresses[i].seen_ms < to->seen_ms)
				to = &t->addresses[i];
		if (to->seen_ms == now_ms) /* of this answer, too: the first of an answer stay */
			return;
	}
	*to = *a;
	to->seen_ms = now_ms;
}

static void add_found(struct name_target *t, const struct addrinfo *i, uint64_t now_ms, bool ret_has[2])
{
	struct name_address a;

	if (i->ai_family == AF_INET)
		a = name_address_of((const uint8_t *)&((struct sockaddr_in *)i->ai_addr)->sin_addr, 4);
	else if (i->ai_family == AF_INET6)
		a = name_address_of((const uint8_t *)&((struct sockaddr_in6 *)i->ai_addr)->sin6_addr, 16);
	else
		return;
	ret_has[a.n == 16] = true;
	name_target_add(t, &a, now_ms);
}

static void drop_old(struct name_target *t, uint64_t now_ms, uint64_t keep_ms)
{
	size_t kept = 0;

	for (size_t i = 0; i < t->count; i++)
		if (now_ms - t->addresses[i].seen_ms < keep_ms)
			t->addresses[kept++] = t->addresses[i];
	t->count = kept;
}

/* How long until it is asked again: the least of its answers' times, within bounds. */
static uint64_t wait_ms(const struct name_target *t, const struct names_config *cfg, const bool has[2], bool *is_slow)
{
	uint64_t least = NAMES_NO_TTL, most = cfg->most_ms;

	for (unsigned i = 0; i < 2; i++) {
		uint32_t ttl = has[i] && cfg->ttl ? cfg->ttl(t->name, i, is_slow) : NAMES_NO_TTL;

		least = ttl < least ? ttl : least;
	}
	if (least == NAMES_NO_TTL) /* not of DNS, or nobody said */
		return cfg->again_ms;
	uint64_t ms = least * 1000;
	return ms < cfg->least_ms ? cfg->least_ms : ms > most ? most : ms;
}

void name_target_ask(struct name_target *t, const struct names_config *cfg, uint64_t now_ms, bool *is_slow)
{
	static const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	bool has[2] = { false, false };
	int r = cfg->resolve(t->name, NULL, &hints, &found);

	t->due_ms = now_ms + cfg->again_ms;
	if (r && r != EAI_NONAME && r != EAI_NODATA) {
		/* Nobody answers: an outage of names must not blind the rules, and is no time that counts. */
		for (size_t i = 0; i < t->count; i++)
			t->addresses[i].seen_ms = now_ms;
		return;
	}
	for (const struct addrinfo *i = r ? NULL : found; i; i = i->ai_next)
		add_found(t, i, now_ms, has);
	if (!r)
		freeaddrinfo(found);
	drop_old(t, now_ms, cfg->keep_ms);
	if (!r)
		t->due_ms = now_ms + wait_ms(t, cfg, has, is_slow);
}
