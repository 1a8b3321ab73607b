/* sets.c - rules into the kernel's tries, under a number. Containers with the same rules share one. */
#include "agent/guard/net/net_priv.h"

#include <errno.h>
#include <sys/random.h>

#include <bpf/bpf.h>

#include "agent/guard/net/ports.h"
#include "common/tls.h"

/* --- rules to keys --- */

/* As the kernel's keys, sorted, each prefix once. */
struct written {
	struct net_v4_key *v4;
	struct net_v6_key *v6;
	struct net_port_key *ports;
	struct net_verdict *verdicts[3]; /* of v4, v6, ports */
	size_t count[3];
	uint32_t flags;
	uint8_t digest[32];
};

static void written_fini(struct written *w)
{
	free(w->v4);
	free(w->v6);
	free(w->ports);
	for (size_t i = 0; i < 3; i++)
		free(w->verdicts[i]);
}

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

/* Host bits away; IPv4 in IPv6's clothes is IPv4. */
static struct net_prefix normalise(const struct net_prefix *p)
{
	struct net_prefix r = *p;
	unsigned max = r.is_v6 ? 128 : 32;

	if (r.bits > max)
		r.bits = (uint8_t)max;
	if (r.is_v6 && r.bits >= 96 && !memcmp(r.address, mapped, sizeof(mapped))) {
		memmove(r.address, r.address + 12, 4);
		r.is_v6 = false;
		r.bits = (uint8_t)(r.bits - 96);
	}
	for (unsigned i = 0; i < sizeof(r.address); i++) {
		unsigned keep = r.bits > i * 8 ? r.bits - i * 8 : 0;
		r.address[i] &= keep >= 8 ? 0xff : (uint8_t)(0xff00 >> keep);
	}
	return r;
}

struct told_prefix {
	struct net_prefix p;
	uint32_t at; /* in the list */
};

/* By family, address, length; of one prefix given twice the last first. */
static int compare(const void *a, const void *b)
{
	const struct told_prefix *x = a, *y = b;

	if (x->p.is_v6 != y->p.is_v6)
		return x->p.is_v6 - y->p.is_v6;
	int r = memcmp(x->p.address, y->p.address, sizeof(x->p.address));
	if (!r)
		r = x->p.bits - y->p.bits;
	return r ? r : (x->at < y->at) - (x->at > y->at);
}

static bool is_same_prefix(const struct net_prefix *a, const struct net_prefix *b)
{
	return a->is_v6 == b->is_v6 && a->bits == b->bits && !memcmp(a->address, b->address, sizeof(a->address));
}

static int write_prefixes(const struct net_rules *rules, struct written *w, struct err *err)
{
	size_t n = rules->prefix_count;
	CLEANUP(freep) struct told_prefix *all = calloc(n + 1, sizeof(*all));

	w->v4 = calloc(n + 1, sizeof(*w->v4));
	w->v6 = calloc(n + 1, sizeof(*w->v6));
	for (size_t i = 0; i < 2; i++)
		w->verdicts[i] = calloc(n + 1, sizeof(*w->verdicts[i]));
	if (!all || !w->v4 || !w->v6 || !w->verdicts[0] || !w->verdicts[1])
		return err_set(err, ENOMEM, "%zu prefixes", n);
	for (size_t i = 0; i < n; i++)
		all[i] = (struct told_prefix){ normalise(&rules->prefixes[i]), (uint32_t)i };
	qsort(all, n, sizeof(*all), compare);
	for (size_t i = 0; i < n; i++) {
		const struct net_prefix *p = &all[i].p;
		size_t family = p->is_v6, at = w->count[family];

		if (i && is_same_prefix(p, &all[i - 1].p))
			continue;
		if (p->is_v6) {
			w->v6[at].bits = 32U + p->bits;
			memcpy(w->v6[at].address, p->address, 16);
		} else {
			w->v4[at].bits = 32U + p->bits;
			memcpy(w->v4[at].address, p->address, 4);
		}
		w->verdicts[family][at] = (struct net_verdict){ .rule = p->rule | (p->is_monitored ? NET_RULE_MONITORED : 0),
								.is_denied = p->is_denied };
		w->count[family]++;
		if (p->is_denied)
			w->flags |= NET_DENIES | (p->is_monitored ? 0 : NET_REFUSES);
	}
	if (rules->is_denied_by_default)
		w->flags |= NET_DENIES | NET_REFUSES | NET_DEFAULT_DENIED;
	return 0;
}

static int write_ports(const struct net_rules *rules, struct written *w, struct err *err)
{
	CLEANUP(freep) struct port_prefix *p = NULL;
	size_t count = 0;

	int r = ports_to_prefixes(rules->ports, rules->port_count, &p, &count, err);
	if (r < 0)
		return r;
	w->ports = calloc(count + 1, sizeof(*w->ports));
	w->verdicts[2] = calloc(count + 1, sizeof(*w->verdicts[2]));
	if (!w->ports || !w->verdicts[2])
		return err_set(err, ENOMEM, "%zu ranges of ports", count);
	for (size_t i = 0; i < count; i++) {
		w->ports[i] = (struct net_port_key){ .bits = 32U + p[i].bits,
						     .port = { (uint8_t)(p[i].port >> 8), (uint8_t)p[i].port } };
		w->verdicts[2][i] = (struct net_verdict){ .rule = p[i].rule, .is_denied = p[i].is_denied };
		if (p[i].is_denied)
			w->flags |= NET_DENIES_PORTS;
	}
	w->count[2] = count;
	return 0;
}

static int digest(struct written *w, struct err *err)
{
	CLEANUP(buf_finip) struct buf b = { 0 };

	buf_init(&b, 0);
	buf_add(&b, &w->flags, sizeof(w->flags));
	buf_add(&b, w->count, sizeof(w->count));
	buf_add(&b, w->v4, w->count[0] * sizeof(*w->v4));
	buf_add(&b, w->v6, w->count[1] * sizeof(*w->v6));
	buf_add(&b, w->ports, w->count[2] * sizeof(*w->ports));
	for (size_t i = 0; i < 3; i++)
		buf_add(&b, w->verdicts[i], w->count[i] * sizeof(*w->verdicts[i]));
	if (b.failed)
		return err_set(err, ENOMEM, "a set of rules");
	tls_sha256(buf_slice(&b), w->digest);
	return 0;
}

/* --- keys into the kernel --- */

static int put_all(int map, char *keys, size_t key_size, const struct net_verdict *verdicts, size_t count)
{
	DECLARE_LIBBPF_OPTS(bpf_map_batch_opts, opts);

	if (!count)
		return 0;
	uint32_t done = (uint32_t)count;
	if (!bpf_map_update_batch(map, keys, verdicts, &done, &opts))
		return 0;
	if (errno == ENOSPC)
		return -ENOSPC;
	/* Before 5.9 tries take no batches. */
	for (size_t i = 0; i < count; i++)
		if (bpf_map_update_elem(map, keys + i * key_size, &verdicts[i], BPF_ANY) < 0)
			return -errno;
	return 0;
}

static int put_set(struct net *n, struct written *w, uint32_t number)
{
	for (size_t i = 0; i < w->count[0]; i++)
		w->v4[i].set = number;
	for (size_t i = 0; i < w->count[1]; i++)
		w->v6[i].set = number;
	for (size_t i = 0; i < w->count[2]; i++)
		w->ports[i].set = number;
	int r = put_all(n->map_fd[NET_MAP_v4], (char *)w->v4, sizeof(*w->v4), w->verdicts[0], w->count[0]);
	if (!r)
		r = put_all(n->map_fd[NET_MAP_v6], (char *)w->v6, sizeof(*w->v6), w->verdicts[1], w->count[1]);
	if (!r)
		r = put_all(n->map_fd[NET_MAP_ports], (char *)w->ports, sizeof(*w->ports), w->verdicts[2], w->count[2]);
	return r;
}

static int remember(struct net *n, const struct set *s, struct err *err)
{
	if (n->set_count == n->set_max) {
		size_t max = n->set_max ? n->set_max * 2 : 16;
		struct set *more = realloc(n->sets, max * sizeof(*more));
		if (!more)
			return err_set(err, ENOMEM, "sets of rules");
		n->sets = more;
		n->set_max = max;
	}
	n->sets[n->set_count++] = *s;
	return 0;
}

static struct set *find(struct net *n, uint32_t number)
{
	for (size_t i = 0; i < n->set_count; i++)
		if (n->sets[i].number == number)
			return &n->sets[i];
	return NULL;
}

/* Numbers begin anywhere: what a process left that ended while it wrote is under none of ours. */
static uint32_t fresh_number(struct net *n)
{
	if (!n->next_set && getrandom(&n->next_set, sizeof(n->next_set), 0) < 0)
		n->next_set = (uint32_t)clock_unix_ns(n->clk);
	do
		n->next_set++;
	while (!n->next_set || find(n, n->next_set));
	return n->next_set;
}

int net_set_get(struct net *n, const struct net_rules *rules, struct net_slot *ret, struct err *err)
{
	CLEANUP(written_fini) struct written w = { 0 };

	*ret = (struct net_slot){ 0 };
	if (!rules)
		return 0;
	if (rules->prefix_count > n->cfg.max_prefixes)
		return err_set(err, ERR_LIMIT, "%zu prefixes, at most %u", rules->prefix_count, n->cfg.max_prefixes);
	int r = write_prefixes(rules, &w, err);
	if (r >= 0)
		r = write_ports(rules, &w, err);
	if (r >= 0)
		r = digest(&w, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n->set_count; i++)
		if (!memcmp(n->sets[i].digest, w.digest, sizeof(w.digest))) {
			n->sets[i].refs++;
			*ret = (struct net_slot){ n->sets[i].number, n->sets[i].flags };
			return 0;
		}
	struct set s = { .number = fresh_number(n), .flags = w.flags, .refs = 1 };
	memcpy(s.digest, w.digest, sizeof(s.digest));
	r = put_set(n, &w, s.number);
	if (r == -ENOSPC) { /* of sets let go much may be left */
		net_sets_sweep(n);
		r = put_set(n, &w, s.number);
	}
	if (r == -ENOSPC)
		r = err_set(err, ERR_LIMIT, "all containers' prefixes together: at most %u", n->cfg.max_prefixes);
	else if (r < 0)
		r = err_set(err, -r, "write the rules");
	struct net_set whole = { .flags = w.flags };
	memcpy(whole.digest, w.digest, sizeof(whole.digest));
	if (!r && bpf_map_update_elem(n->map_fd[NET_MAP_sets], &s.number, &whole, BPF_ANY) < 0)
		r = err_set(err, errno, "write the rules");
	if (!r)
		r = remember(n, &s, err);
	if (r < 0) {
		(void)bpf_map_delete_elem(n->map_fd[NET_MAP_sets], &s.number);
		loop_timer_once(n->sweep, SWEEP_MS);
		return r;
	}
	*ret = (struct net_slot){ s.number, s.flags };
	return 0;
}

void net_set_ref(struct net *n, uint32_t number)
{
	struct set *s = find(n, number);

	if (s)
		s->refs++;
}

void net_set_put(struct net *n, uint32_t number)
{
	struct set *s = find(n, number);

	if (!s || --s->refs)
		return;
	(void)bpf_map_delete_elem(n->map_fd[NET_MAP_sets], &number);
	*s = n->sets[--n->set_count];
	loop_timer_once(n->sweep, SWEEP_MS);
}

/* bits and set come first in all three keys. */
static void sweep(struct net *n, int map, size_t key_size)
{
	union {
		struct {
			uint32_t bits, set;
		} head;
		char bytes[sizeof(struct net_v6_key)];
	} key, alive;
	void *prev = NULL;

	/* From the last that stays: a trie begins anew after a key it doesn't have. */
	while (!bpf_map_get_next_key(map, prev, &key)) {
		if (find(n, key.head.set)) {
			memcpy(&alive, &key, key_size);
			prev = &alive;
		} else if (bpf_map_delete_elem(map, &key) < 0) {
			return;
		}
	}
}

void net_sets_sweep(struct net *n)
{
	sweep(n, n->map_fd[NET_MAP_v4], sizeof(struct net_v4_key));
	sweep(n, n->map_fd[NET_MAP_v6], sizeof(struct net_v6_key));
	sweep(n, n->map_fd[NET_MAP_ports], sizeof(struct net_port_key));
}

int net_sets_take_over(struct net *n, struct err *err)
{
	uint32_t number, *prev = NULL, before;

	while (!bpf_map_get_next_key(n->map_fd[NET_MAP_sets], prev, &number)) {
		struct net_set whole;
		struct set s = { .number = number };

		before = number;
		prev = &before;
		if (bpf_map_lookup_elem(n->map_fd[NET_MAP_sets], &number, &whole) < 0)
			continue;
		memcpy(s.digest, whole.digest, sizeof(s.digest));
		s.flags = whole.flags;
		int r = remember(n, &s, err);
		if (r < 0)
			return r;
	}
	return 0;
}
