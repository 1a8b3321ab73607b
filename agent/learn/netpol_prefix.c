/* netpol_prefix.c - prefixes, labels and names, as both directions of netpol.h need them. */
#include <arpa/inet.h>
#include <errno.h>

#include "agent/learn/netpol_priv.h"

/* ---- prefixes ---- */

static void mask(struct netpol_prefix *p)
{
	for (unsigned i = p->bits; i < 128; i++)
		p->bytes[i / 8] &= (uint8_t)~(0x80 >> i % 8);
}

bool netpol_prefix_read(struct slice s, struct netpol_prefix *ret)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	ptrdiff_t slash = slice_find_char(s, '/');
	struct netpol_prefix p = { 0 };
	char text[64];
	uint64_t bits;

	if (!slice_copy(slash < 0 ? s : slice_sub(s, 0, (size_t)slash), text, sizeof(text)) || strlen(text) != (slash < 0 ? s.n : (size_t)slash))
		return false;
	p.is_v6 = inet_pton(AF_INET6, text, p.bytes) == 1;
	if (!p.is_v6 && inet_pton(AF_INET, text, p.bytes) != 1)
		return false;
	bits = p.is_v6 ? 128 : 32;
	if (slash >= 0 && (!slice_to_u64(slice_sub(s, (size_t)slash + 1, s.n), &bits) || bits > (p.is_v6 ? 128 : 32)))
		return false;
	if (p.is_v6 && bits >= 96 && !memcmp(p.bytes, mapped, sizeof(mapped))) {
		memmove(p.bytes, p.bytes + 12, 4);
		bits -= 96;
		p.is_v6 = false;
	}
	p.bits = (uint8_t)bits;
	mask(&p);
	*ret = p;
	return true;
}

char *netpol_prefix_text(const struct netpol_prefix *p, char *dst)
{
	char address[INET6_ADDRSTRLEN];

	inet_ntop(p->is_v6 ? AF_INET6 : AF_INET, p->bytes, address, sizeof(address));
	snprintf(dst, 64, "%s/%u", address, p->bits);
	return dst;
}

bool netpol_prefix_holds(const struct netpol_prefix *wide, const struct netpol_prefix *narrow)
{
	struct netpol_prefix cut = *narrow;

	if (wide->is_v6 != narrow->is_v6 || wide->bits > narrow->bits)
		return false;
	cut.bits = wide->bits;
	mask(&cut);
	return !memcmp(cut.bytes, wide->bytes, 16);
}

int netpol_prefixes_add(struct netpol_prefixes *p, const struct netpol_prefix *x, struct arena *a, struct err *err)
{
	if (p->count == NETPOL_PREFIXES_MAX)
		return err_set(err, ERR_LIMIT, "more than %d prefixes", NETPOL_PREFIXES_MAX);
	if (p->count == p->size) {
		size_t size = p->size ? p->size * 2 : 16;
		struct netpol_prefix *wider = arena_zalloc(a, size, sizeof(*wider));

		if (!wider)
			return err_set(err, ENOMEM, "prefixes");
		if (p->count)
			memcpy(wider, p->v, p->count * sizeof(*wider));
		p->v = wider;
		p->size = size;
	}
	p->v[p->count++] = *x;
	return 0;
}

static int compare(const void *x, const void *y)
{
	const struct netpol_prefix *a = x, *b = y;

	if (a->is_v6 != b->is_v6)
		return a->is_v6 ? 1 : -1;
	int r = memcmp(a->bytes, b->bytes, 16);
	return r ? r : (int)a->bits - (int)b->bits;
}

void netpol_prefixes_put(struct netpol_prefixes *p, const char *indent, const char *key, struct buf *out)
{
	const char *comma = "";
	char text[64];

	if (p->count)
		qsort(p->v, p->count, sizeof(*p->v), compare);
	buf_printf(out, "%s%s: [", indent, key);
	for (size_t i = 0; i < p->count; i++) {
		if (i && !compare(&p->v[i - 1], &p->v[i]))
			continue;
		buf_printf(out, "%s\"%s\"", comma, netpol_prefix_text(&p->v[i], text));
		comma = ", ";
	}
	buf_add_str(out, "]\n");
}

/* ---- labels and names ---- */

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_word(struct slice s, size_t max)
{
	if (!s.n || s.n > max || !is_alnum(s.p[0]) || !is_alnum(s.p[s.n - 1]))
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!is_alnum(s.p[i]) && s.p[i] != '-' && s.p[i] != '_' && s.p[i] != '.')
			return false;
	return true;
}

bool netpol_is_key(struct slice s)
{
	ptrdiff_t slash = slice_find_char(s, '/');

	if (slash < 0)
		return is_word(s, 63);
	return is_word(slice_sub(s, 0, (size_t)slash), 253) && is_word(slice_sub(s, (size_t)slash + 1, s.n), 63);
}

bool netpol_is_value(struct slice s)
{
	return !s.n || is_word(s, 63);
}

bool netpol_is_name(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_alnum(s.p[i]) && s.p[i] != '-' && s.p[i] != '_' && s.p[i] != '.')
			return false;
	return s.n && s.n <= 200 && is_alnum(s.p[0]);
}

bool netpol_label(const struct reach_container *c, struct slice key, struct slice *ret)
{
	for (size_t i = 0; i < c->labels.count; i++) {
		struct slice rest = slice_of(c->labels.v[i]), own;

		if (slice_split(&rest, '=', &own) && slice_eq(own, key)) {
			*ret = rest;
			return true;
		}
	}
	return false;
}

/* ---- addresses ---- */

static bool is_common(const struct reach_container *near, const char *network)
{
	for (size_t i = 0; near && network && i < near->member_count; i++)
		if (near->members[i].network && !strcmp(near->members[i].network, network))
			return true;
	return false;
}

int netpol_addresses(const struct reach_container *c, const struct reach_container *near, struct netpol_prefixes *to,
		     struct arena *a, struct err *err)
{
	bool has_common = false;
	int r = 0;

	for (size_t i = 0; i < c->member_count; i++)
		has_common = has_common || is_common(near, c->members[i].network);
	for (size_t i = 0; i < c->member_count; i++) {
		const char *both[] = { c->members[i].address, c->members[i].address6 };

		for (size_t k = 0; r >= 0 && k < ARRAY_LEN(both); k++) {
			struct netpol_prefix p;

			if ((has_common && !is_common(near, c->members[i].network)) || !both[k] || !both[k][0] ||
			    slice_find_char(slice_of(both[k]), '/') >= 0 || !netpol_prefix_read(slice_of(both[k]), &p))
				continue;
			r = netpol_prefixes_add(to, &p, a, err);
		}
	}
	return r;
}
