/* told.c - what was refused, from the kernel's ring and from what it folded. */
#include "agent/guard/net/net_priv.h"

#include <errno.h>

#include <bpf/bpf.h>

static void tell(struct net *n, const struct net_record *r, uint64_t count)
{
	const struct box *b = r->key.slot <= n->slot_max ? n->boxes[r->key.slot] : NULL;
	struct net_event e = {
		.container_id = b ? b->id : "",
		.hook = r->key.hook < NET_HOOK_COUNT ? r->key.hook : NET_CONNECT,
		.is_refused = r->seen.is_refused,
		.is_v6 = r->key.is_v6,
		.port = r->key.port,
		.protocol = r->seen.protocol,
		.pid = r->seen.pid,
		.rule = r->seen.rule & ~NET_RULE_MONITORED,
		.boot_ns = r->seen.from_ns,
		.count = count,
	};

	memcpy(e.address, r->key.address, sizeof(e.address));
	memcpy(e.comm, r->seen.comm, sizeof(e.comm) - 1);
	if (n->ops->on_event)
		n->ops->on_event(n->arg, &e);
}

static int take_record(void *arg, void *data, size_t size)
{
	struct net *n = arg;
	struct net_record r;

	if (size < sizeof(r))
		return 0;
	memcpy(&r, data, sizeof(r));
	tell(n, &r, r.seen.pending);
	if (!n->is_folding) {
		n->is_folding = true;
		loop_timer_every(n->fold, FOLD_MS);
	}
	return 0;
}

/* Counted from zero again each time: the next process doesn't tell it once more. */
static void tell_lost(struct net *n)
{
	CLEANUP(freep) uint64_t *by_cpu = calloc(n->cpu_count, sizeof(*by_cpu));
	uint32_t which = NET_LOST_EVENTS;
	uint64_t sum = 0;

	if (!by_cpu || bpf_map_lookup_elem(n->map_fd[NET_MAP_lost], &which, by_cpu) < 0)
		return;
	for (size_t i = 0; i < n->cpu_count; i++) {
		sum += by_cpu[i];
		by_cpu[i] = 0;
	}
	if (!sum)
		return;
	(void)bpf_map_update_elem(n->map_fd[NET_MAP_lost], &which, by_cpu, BPF_ANY);
	if (n->ops->on_lost)
		n->ops->on_lost(n->arg, sum);
}

/* What came again within the second of its first. slot: whose at once, with nothing kept; 0: everybody's that is due.
 * Returns how many are kept. */
static size_t flush(struct net *n, uint32_t slot)
{
	int map = n->map_fd[NET_MAP_seen];
	CLEANUP(freep) struct net_seen_key *keys = NULL;
	struct net_seen_key key, *prev = NULL;
	uint64_t now = clock_boot_ns(n->clk);
	size_t count = 0, max = 4096, kept = 0;

	keys = calloc(max, sizeof(*keys));
	if (!keys)
		return 1;
	while (count < max && !bpf_map_get_next_key(map, prev, &key)) {
		keys[count] = key;
		prev = &keys[count++];
	}
	for (size_t i = 0; i < count; i++) {
		struct net_record r = { .key = keys[i] };

		if (slot && keys[i].slot != slot)
			continue;
		if (bpf_map_lookup_elem(map, &keys[i], &r.seen) < 0)
			continue;
		if (!slot && now < r.seen.from_ns + FOLD_MS * 1000000ULL) {
			kept++;
			continue;
		}
		uint64_t pending = r.seen.pending;
		if (pending && !slot) { /* it goes on: the next second */
			r.seen.from_ns = now;
			r.seen.pending = 0;
			(void)bpf_map_update_elem(map, &keys[i], &r.seen, BPF_EXIST);
			kept++;
		} else {
			(void)bpf_map_delete_elem(map, &keys[i]);
		}
		if (pending)
			tell(n, &r, pending);
	}
	return kept;
}

static void on_fold(void *arg)
{
	struct net *n = arg;

	tell_lost(n);
	if (!flush(n, 0)) {
		n->is_folding = false;
		loop_timer_stop(n->fold);
	}
}

static void on_ring(void *arg, int fd, unsigned ready)
{
	struct net *n = arg;

	(void)ring_buffer__consume(n->ring);
}

void net_told_drain(struct net *n, uint32_t slot)
{
	(void)ring_buffer__consume(n->ring);
	(void)flush(n, slot);
}

int net_told_start(struct net *n, struct err *err)
{
	n->fold = loop_timer_new(n->loop, on_fold, n);
	n->ring = ring_buffer__new(n->map_fd[NET_MAP_events], take_record, n, NULL);
	if (!n->ring || !n->fold)
		return err_set(err, n->ring ? ENOMEM : errno, "read the network's ring");
	n->ring_watch = loop_fd_new(n->loop, ring_buffer__epoll_fd(n->ring), LOOP_READ, on_ring, n);
	if (!n->ring_watch)
		return err_set(err, ENOMEM, "watch the network's ring");
	/* What was refused while nobody read. */
	n->is_folding = true;
	loop_timer_every(n->fold, FOLD_MS);
	return 0;
}
