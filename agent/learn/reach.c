/* reach.c - see reach.h. */
#include "agent/learn/reach.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <uthash.h>

#include "common/log.h"

enum { ID_BYTES_MIN = 12, HOPS_MAX = 8, SHOWN_MAX = 160, LISTED_MAX = 40 };

static bool is_text(const char *s)
{
	return s && s[0];
}

static bool is_same(const char *a, const char *b)
{
	return is_text(a) && is_text(b) && !strcmp(a, b);
}

/* ---- who is meant ---- */

size_t reach_find(const struct reach_input *in, const char *name)
{
	size_t n = is_text(name) ? strlen(name) : 0;

	for (size_t i = 0; n && i < in->container_count; i++)
		if (is_same(in->containers[i].name, name) || is_same(in->containers[i].id, name))
			return i;
	for (size_t i = 0; n >= ID_BYTES_MIN && i < in->container_count; i++)
		if (is_text(in->containers[i].id) && !strncmp(in->containers[i].id, name, n))
			return i;
	return REACH_NOBODY;
}

struct address {
	uint8_t bytes[16];
};

/* IPv4 as mapped IPv6, so that both forms of one address are the same. */
static bool read_address(const char *text, struct address *ret)
{
	*ret = (struct address){ .bytes = { [10] = 0xff, [11] = 0xff } };
	if (!is_text(text))
		return false;
	return inet_pton(AF_INET, text, ret->bytes + 12) == 1 || inet_pton(AF_INET6, text, ret->bytes) == 1;
}

static bool is_at(const struct reach_member *m, const struct address *a)
{
	struct address own;

	return (read_address(m->address, &own) && !memcmp(own.bytes, a->bytes, 16)) ||
	       (read_address(m->address6, &own) && !memcmp(own.bytes, a->bytes, 16));
}

static bool is_member(const struct reach_container *c, const char *network)
{
	for (size_t i = 0; i < c->member_count; i++)
		if (is_same(c->members[i].network, network))
			return true;
	return false;
}

size_t reach_find_address(const struct reach_input *in, const char *address, const struct reach_container *near)
{
	size_t found = REACH_NOBODY;
	struct address a;

	if (!read_address(address, &a))
		return REACH_NOBODY;
	for (size_t i = 0; i < in->container_count; i++) {
		const struct reach_container *c = &in->containers[i];

		for (size_t k = 0; k < c->member_count; k++) {
			if (!is_at(&c->members[k], &a))
				continue;
			if (!near || is_member(near, c->members[k].network))
				return i;
			found = found == REACH_NOBODY ? i : found;
		}
	}
	return found;
}

/* ---- what they are in ---- */

static const char shared_prefix[] = "container:";

static bool is_mode(const struct reach_container *c, const char *mode)
{
	return is_same(c->network_mode, mode);
}

/* Whose network namespace it is in: itself, mostly. A circle or a container that is not there: itself. */
static size_t owner(const struct reach_input *in, size_t i)
{
	size_t at = i;

	for (int hops = 0; hops < HOPS_MAX; hops++) {
		const char *mode = in->containers[at].network_mode;

		if (!is_text(mode) || strncmp(mode, shared_prefix, sizeof(shared_prefix) - 1) != 0)
			return at;
		at = reach_find(in, mode + sizeof(shared_prefix) - 1);
		if (at == REACH_NOBODY)
			return i;
	}
	return i;
}

static const struct reach_network *find_network(const struct reach_input *in, const char *name)
{
	for (size_t i = 0; i < in->network_count; i++)
		if (is_same(in->networks[i].name, name))
			return &in->networks[i];
	return NULL;
}

/* icc is an option of bridges; a network that is not known is taken to let its members talk. */
static bool lets_talk(const struct reach_network *n)
{
	if (!n)
		return true;
	if (is_same(n->driver, "host") || is_same(n->driver, "null"))
		return false;
	return !n->is_icc_off || !is_same(n->driver, "bridge");
}

static bool is_alone(const struct reach_container *c)
{
	return is_mode(c, "none") || !c->member_count;
}

static void find_way(const struct reach_input *in, const size_t *owners, struct reach_pair *p)
{
	const struct reach_container *a = &in->containers[owners[p->a]], *b = &in->containers[owners[p->b]];
	bool a_host = is_mode(a, "host"), b_host = is_mode(b, "host");

	p->network = "";
	if (owners[p->a] == owners[p->b] || (a_host && b_host)) {
		p->way = REACH_SHARED;
		return;
	}
	for (size_t i = 0; i < a->member_count; i++) {
		const char *network = a->members[i].network;

		if (!is_member(b, network) || !lets_talk(find_network(in, network)))
			continue;
		p->way = REACH_NETWORK;
		p->network = p->network_count++ ? p->network : network;
	}
	if (p->way == REACH_NO && ((a_host && !is_alone(b)) || (b_host && !is_alone(a))))
		p->way = REACH_HOST;
}

/* ---- what was seen ---- */

struct seen {
	uint64_t key; /* a << 32 | b, a < b */
	uint64_t ab, ba;
	bool is_told;
	UT_hash_handle hh;
};
struct names {
	const char *name;
	size_t index;
	UT_hash_handle hh;
};
struct work {
	const struct reach_input *in;
	struct arena *arena;
	struct seen *seen;
	struct names *names;
	size_t *owners;
};

static void work_fini(struct work *w)
{
	HASH_CLEAR(hh, w->seen); /* the rows are the arena's */
	HASH_CLEAR(hh, w->names);
}

static size_t find_side(const struct work *w, const char *name, const char *address, size_t near)
{
	struct names *found = NULL;

	if (is_text(name)) {
		HASH_FIND_STR(w->names, name, found);
		return found ? found->index : REACH_NOBODY;
	}
	return reach_find_address(w->in, address, near == REACH_NOBODY ? NULL : &w->in->containers[near]);
}

static int add_flow(struct work *w, size_t from, size_t to, uint64_t count)
{
	size_t a = from < to ? from : to, b = from < to ? to : from;
	uint64_t key = (uint64_t)a << 32 | b;
	struct seen *s;

	HASH_FIND(hh, w->seen, &key, sizeof(key), s);
	if (!s) {
		s = arena_zalloc(w->arena, 1, sizeof(*s));
		if (!s)
			return -ENOMEM;
		s->key = key;
		HASH_ADD(hh, w->seen, key, sizeof(s->key), s);
	}
	uint64_t *n = from == a ? &s->ab : &s->ba;
	*n = *n > UINT64_MAX - count ? UINT64_MAX : *n + count;
	return 0;
}

static int read_flows(struct work *w, struct reach_result *ret)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < w->in->flow_count; i++) {
		const struct reach_flow *f = &w->in->flows[i];
		size_t from = find_side(w, f->from, f->from_address, REACH_NOBODY);
		size_t to = find_side(w, f->to, f->to_address, from);

		if (from == REACH_NOBODY || to == REACH_NOBODY)
			ret->outside += ret->outside < UINT64_MAX;
		else if (from != to)
			r = add_flow(w, from, to, f->count ? f->count : 1);
	}
	return r;
}

/* ---- pairs ---- */

/* Grows by doubling within the arena; what was before stays there until it is given back. */
static int push_pair(struct work *w, struct reach_result *ret, const struct reach_pair *p)
{
	if (ret->pair_count == REACH_PAIRS_MAX) {
		ret->is_cut = true;
		return 0;
	}
	if (!(ret->pair_count & (ret->pair_count - 1))) {
		size_t size = ret->pair_count ? ret->pair_count * 2 : 1;
		struct reach_pair *wider = arena_zalloc(w->arena, size, sizeof(*wider));

		if (!wider)
			return -ENOMEM;
		if (ret->pair_count)
			memcpy(wider, ret->pairs, ret->pair_count * sizeof(*wider));
		ret->pairs = wider;
	}
	ret->pairs[ret->pair_count++] = *p;
	return 0;
}

static int judge_pair(struct work *w, size_t a, size_t b, struct reach_result *ret)
{
	struct reach_pair p = { .a = a, .b = b };
	uint64_t key = (uint64_t)a << 32 | b;
	struct seen *s;

	find_way(w->in, w->owners, &p);
	HASH_FIND(hh, w->seen, &key, sizeof(key), s);
	if (s) {
		p.ab = s->ab;
		p.ba = s->ba;
	}
	if (p.way == REACH_NO && !s)
		return 0;
	ret->unused_count += p.way != REACH_NO && !s;
	return push_pair(w, ret, &p);
}

static int judge_pairs(struct work *w, size_t only, struct reach_result *ret)
{
	size_t n = w->in->container_count;
	int r = 0;

	for (size_t i = 0; r >= 0 && only != REACH_NOBODY && i < n; i++)
		if (i != only)
			r = judge_pair(w, i < only ? i : only, i < only ? only : i, ret);
	for (size_t i = 0; r >= 0 && only == REACH_NOBODY && i < n && !ret->is_cut; i++)
		for (size_t k = i + 1; r >= 0 && k < n && !ret->is_cut; k++)
			r = judge_pair(w, i, k, ret);
	return r;
}

static bool is_on_default(const struct reach_input *in, const struct reach_container *c)
{
	for (size_t i = 0; i < c->member_count; i++) {
		const struct reach_network *n = find_network(in, c->members[i].network);

		if (n ? n->is_default : is_same(c->members[i].network, "bridge"))
			return true;
	}
	return false;
}

static void judge_each(struct work *w, struct reach_result *ret)
{
	for (size_t i = 0; i < w->in->container_count; i++) {
		if (is_on_default(w->in, &w->in->containers[i]))
			ret->on_default[ret->on_default_count++] = i;
		if (w->owners[i] != i)
			ret->shares[ret->share_count++] = (struct reach_share){ i, w->owners[i] };
	}
}

static int prepare(struct work *w, struct reach_result *ret)
{
	size_t n = w->in->container_count;
	struct names *rows = arena_zalloc(w->arena, n + 1, sizeof(*rows)), *there;

	w->owners = arena_zalloc(w->arena, n + 1, sizeof(*w->owners));
	ret->on_default = arena_zalloc(w->arena, n + 1, sizeof(*ret->on_default));
	ret->shares = arena_zalloc(w->arena, n + 1, sizeof(*ret->shares));
	if (!rows || !w->owners || !ret->on_default || !ret->shares)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		w->owners[i] = owner(w->in, i);
		rows[i] = (struct names){ .name = w->in->containers[i].name, .index = i };
		if (!is_text(rows[i].name))
			continue;
		HASH_FIND_STR(w->names, rows[i].name, there);
		if (!there)
			HASH_ADD_KEYPTR(hh, w->names, rows[i].name, strlen(rows[i].name), &rows[i]);
	}
	return 0;
}

int reach_judge(const struct reach_input *in, size_t only, struct arena *a, struct reach_result *ret, struct err *err)
{
	struct work w = { .in = in, .arena = a };
	struct reach_result result = { 0 };

	if (in->container_count > REACH_CONTAINERS_MAX || in->flow_count > REACH_FLOWS_MAX)
		return err_set(err, ERR_LIMIT, "%zu containers and %zu flows: at most %d and %d", in->container_count,
			       in->flow_count, REACH_CONTAINERS_MAX, REACH_FLOWS_MAX);
	if (only != REACH_NOBODY && only >= in->container_count)
		return err_set(err, ERR_NOT_FOUND, "no such container");
	int r = prepare(&w, &result);
	if (r >= 0)
		r = read_flows(&w, &result);
	if (r >= 0)
		r = judge_pairs(&w, only, &result);
	if (r >= 0)
		judge_each(&w, &result);
	work_fini(&w);
	if (r < 0)
		return err_set(err, -r, "who reaches whom");
	*ret = result;
	return 0;
}

/* ---- for people ---- */

struct shown {
	char text[SHOWN_MAX];
};

static const char *show(const char *s, struct shown *into)
{
	log_escape(slice_of(s ? s : ""), into->text, sizeof(into->text));
	return into->text;
}

static void tell_pair(const struct reach_input *in, const struct reach_pair *p, struct buf *out)
{
	struct shown a, b, n;

	buf_printf(out, "  %s - %s: ", show(in->containers[p->a].name, &a), show(in->containers[p->b].name, &b));
	switch (p->way) {
	case REACH_NO:
		buf_add_str(out, "no network in common (a published port, or a route)");
		break;
	case REACH_SHARED:
		buf_add_str(out, "one network namespace");
		break;
	case REACH_HOST:
		buf_add_str(out, "one is in the host's network");
		break;
	case REACH_NETWORK:
		buf_printf(out, "network %s", show(p->network, &n));
		if (p->network_count > 1)
			buf_printf(out, " and %zu more", p->network_count - 1);
		break;
	}
	if (p->ab || p->ba)
		buf_printf(out, "; seen %" PRIu64 " ->, %" PRIu64 " <-", p->ab, p->ba);
	buf_add_char(out, '\n');
}

static void tell_pairs(const struct reach_input *in, const struct reach_result *r, bool is_used, const char *title, struct buf *out)
{
	size_t told = 0, count = 0;

	for (size_t i = 0; i < r->pair_count; i++)
		count += (r->pairs[i].ab || r->pairs[i].ba) == is_used;
	buf_printf(out, "%s: %zu%s\n", title, count, r->is_cut ? " or more" : "");
	for (size_t i = 0; i < r->pair_count && told < LISTED_MAX; i++) {
		if ((r->pairs[i].ab || r->pairs[i].ba) != is_used)
			continue;
		tell_pair(in, &r->pairs[i], out);
		told++;
	}
	if (told < count)
		buf_printf(out, "  and %zu more\n", count - told);
}

/* By its own networks, or those of the container whose namespace it is in. */
static bool is_inside(const struct reach_input *in, size_t i, const char *network)
{
	return is_member(&in->containers[owner(in, i)], network);
}

struct use {
	size_t members, used, unused; /* pairs, by this network */
};

static struct use use_of(const struct reach_input *in, const struct reach_result *r, const char *network)
{
	struct use u = { 0 };

	for (size_t i = 0; i < in->container_count; i++)
		u.members += is_inside(in, i, network);
	for (size_t i = 0; i < r->pair_count; i++) {
		const struct reach_pair *p = &r->pairs[i];

		if (p->way != REACH_NETWORK || !is_inside(in, p->a, network) || !is_inside(in, p->b, network))
			continue;
		*(p->ab || p->ba ? &u.used : &u.unused) += 1;
	}
	return u;
}

static void advise_network(const struct reach_input *in, size_t only, const struct reach_result *r,
			   const struct reach_network *n, struct buf *out)
{
	struct use u = use_of(in, r, n->name);
	struct shown name, who;

	if (!u.unused || !lets_talk(n))
		return;
	show(n->name, &name);
	if (!u.used && only != REACH_NOBODY)
		buf_printf(out, "  %s used nothing of network %s, where %zu can reach it: give it a network of its own, then "
				"docker network disconnect\n", show(in->containers[only].name, &who), name.text, u.unused);
	else if (!u.used && is_same(n->driver, "bridge"))
		buf_printf(out, "  network %s: none of its %zu members talked to another: make it with -o "
				"com.docker.network.bridge.enable_icc=false\n", name.text, u.members);
	else
		buf_printf(out, "  network %s: %zu of %zu pairs never talked: smaller networks, one for those that do, or a policy "
				"(--format policy)\n", name.text, u.unused, u.used + u.unused);
}

static bool has_published(const struct reach_container *c)
{
	for (size_t i = 0; i < c->port_count; i++)
		if (c->ports[i].host_port)
			return true;
	return false;
}

static void advise_ports(const struct reach_container *c, struct buf *out)
{
	struct shown name, ip, protocol;

	if (!has_published(c))
		return;
	buf_printf(out, "  %s is reached by every container with a way out, whatever its networks, at the host's", show(c->name, &name));
	for (size_t i = 0; i < c->port_count; i++) {
		if (!c->ports[i].host_port)
			continue;
		show(c->ports[i].host_ip, &ip);
		buf_printf(out, " %s%s%u/%s", ip.text, ip.text[0] ? ":" : "", c->ports[i].host_port,
			   show(c->ports[i].protocol, &protocol));
	}
	buf_add_char(out, '\n');
}

void reach_text(const struct reach_input *in, size_t only, const struct reach_result *r, struct buf *out)
{
	struct shown a, b;

	tell_pairs(in, r, true, "reached", out);
	tell_pairs(in, r, false, "can reach, never did", out);
	buf_add_str(out, "advice\n");
	size_t before = out->n;
	for (size_t i = 0; i < in->network_count; i++)
		if (only == REACH_NOBODY || is_inside(in, only, in->networks[i].name))
			advise_network(in, only, r, &in->networks[i], out);
	for (size_t i = 0; i < r->on_default_count; i++)
		if (only == REACH_NOBODY || r->on_default[i] == only)
			buf_printf(out, "  %s is on the default bridge, with whatever is started without a network: docker network "
					"create, then --network\n", show(in->containers[r->on_default[i]].name, &a));
	for (size_t i = 0; i < r->share_count; i++)
		if (only == REACH_NOBODY || r->shares[i].who == only || r->shares[i].of == only)
			buf_printf(out, "  %s is in the network namespace of %s: no network or policy keeps them apart\n",
				   show(in->containers[r->shares[i].who].name, &a), show(in->containers[r->shares[i].of].name, &b));
	for (size_t i = 0; i < in->container_count; i++) {
		if (only != REACH_NOBODY && i != only)
			continue;
		if (is_mode(&in->containers[i], "host"))
			buf_printf(out, "  %s is in the host's network: everything of the host, its loopback too; publish ports instead\n",
				   show(in->containers[i].name, &a));
		advise_ports(&in->containers[i], out);
	}
	if (out->n == before)
		buf_add_str(out, "  none\n");
}
