/* traffic.c - what each container sent and received in an interval, and with whom.
 *
 * The kernel counts connections in two halves; at the end of an interval the other becomes current (knobs.epoch)
 * and this one is read at leisure. Totals only grow: an interval's are the difference. */
#include "agent/guard/net/net_priv.h"

#include <errno.h>

#include <bpf/bpf.h>

enum { BATCH = 1024, ROWS_MAX = 32768 };

struct row {
	uint32_t slot;
	struct net_peer peer;
};
struct rows {
	struct row *all;
	size_t count, max;
};

static uint64_t peer_bytes(const struct net_peer *p)
{
	return p->rx_bytes + p->tx_bytes;
}

static int by_slot_and_peer(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->slot != y->slot)
		return x->slot < y->slot ? -1 : 1;
	int r = memcmp(x->peer.address, y->peer.address, sizeof(x->peer.address));
	if (!r)
		r = x->peer.is_v6 - y->peer.is_v6;
	if (!r)
		r = x->peer.port - y->peer.port;
	if (!r)
		r = x->peer.protocol - y->peer.protocol;
	return r ? r : x->peer.is_outgoing - y->peer.is_outgoing;
}

static int by_slot_and_bytes(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->slot != y->slot)
		return x->slot < y->slot ? -1 : 1;
	uint64_t p = peer_bytes(&x->peer), q = peer_bytes(&y->peer);
	return p < q ? 1 : p > q ? -1 : by_slot_and_peer(a, b);
}

static void add_row(struct rows *rows, const struct net_flow_key *k, const struct net_flow *f, uint32_t epoch)
{
	const struct net_flow_bytes *bytes = &f->bytes[epoch & 1];
	bool is_opened = f->opened_epoch == epoch;

	if ((f->epoch != epoch && f->epoch != epoch + 1) || (!bytes->rx && !bytes->tx) || f->is_denied)
		return;
	if (rows->count == rows->max) {
		size_t max = rows->max ? rows->max * 2 : 256;
		struct row *more = max > ROWS_MAX ? NULL : realloc(rows->all, max * sizeof(*more));
		if (!more)
			return; /* in other_bytes then */
		rows->all = more;
		rows->max = max;
	}
	struct row *r = &rows->all[rows->count++];
	*r = (struct row){ .slot = k->slot,
			   .peer = { .is_v6 = k->is_v6,
				     .is_outgoing = f->is_outgoing,
				     .port = f->is_outgoing ? k->peer_port : k->local_port,
				     .protocol = k->protocol,
				     .rx_bytes = bytes->rx,
				     .tx_bytes = bytes->tx,
				     .connections = is_opened } };
	memcpy(r->peer.address, k->peer, sizeof(r->peer.address));
}

/* The flows of one slot, which are then forgotten, or of all (0). */
static void read_flows(struct net *n, uint32_t slot, uint32_t epoch, struct rows *rows)
{
	CLEANUP(freep) struct net_flow_key *keys = calloc(BATCH, sizeof(*keys));
	CLEANUP(freep) struct net_flow *flows = calloc(BATCH, sizeof(*flows));
	DECLARE_LIBBPF_OPTS(bpf_map_batch_opts, opts);
	int map = n->map_fd[NET_MAP_flows];
	uint32_t at = 0;
	bool is_first = true;

	while (keys && flows) {
		uint32_t count = BATCH, next = 0;
		int r = bpf_map_lookup_batch(map, is_first ? NULL : &at, &next, keys, flows, &count, &opts);

		if (r < 0 && errno != ENOENT)
			return;
		for (uint32_t i = 0; i < count; i++) {
			if (slot && keys[i].slot != slot)
				continue;
			add_row(rows, &keys[i], &flows[i], epoch);
			if (slot)
				(void)bpf_map_delete_elem(map, &keys[i]);
		}
		if (r < 0)
			return;
		at = next;
		is_first = false;
	}
}

/* Connections to one server, or of one client, are one row. */
static void merge(struct rows *rows)
{
	size_t kept = 0;

	if (!rows->count)
		return;
	qsort(rows->all, rows->count, sizeof(*rows->all), by_slot_and_peer);
	for (size_t i = 1; i < rows->count; i++) {
		struct row *to = &rows->all[kept];
		const struct row *from = &rows->all[i];

		if (by_slot_and_peer(to, from)) {
			rows->all[++kept] = *from;
			continue;
		}
		to->peer.rx_bytes += from->peer.rx_bytes;
		to->peer.tx_bytes += from->peer.tx_bytes;
		to->peer.connections += from->peer.connections;
	}
	rows->count = kept + 1;
	qsort(rows->all, rows->count, sizeof(*rows->all), by_slot_and_bytes);
}

static struct net_totals read_totals(struct net *n, uint32_t slot)
{
	CLEANUP(freep) struct net_totals *by_cpu = calloc(n->cpu_count, sizeof(*by_cpu));
	struct net_totals sum = { 0 };

	if (!by_cpu || bpf_map_lookup_elem(n->map_fd[NET_MAP_totals], &slot, by_cpu) < 0)
		return sum;
	for (size_t i = 0; i < n->cpu_count; i++) {
		sum.rx_bytes += by_cpu[i].rx_bytes;
		sum.tx_bytes += by_cpu[i].tx_bytes;
		sum.rx_packets += by_cpu[i].rx_packets;
		sum.tx_packets += by_cpu[i].tx_packets;
	}
	return sum;
}

/* rows: sorted; those of the box's slot stand together. */
static void tell(struct net *n, struct box *b, const struct rows *rows, uint64_t now_unix_ns)
{
	struct net_totals now = read_totals(n, b->slot);
	struct net_peer peers[NET_PEERS];
	struct net_traffic t = {
		.container_id = b->id,
		.from_unix_ns = b->told_unix_ns,
		.to_unix_ns = now_unix_ns,
		.rx_bytes = now.rx_bytes - b->told.rx_bytes,
		.tx_bytes = now.tx_bytes - b->told.tx_bytes,
		.rx_packets = now.rx_packets - b->told.rx_packets,
		.tx_packets = now.tx_packets - b->told.tx_packets,
		.peers = peers,
	};
	uint64_t told = 0;

	b->told = now;
	b->told_unix_ns = now_unix_ns;
	if (!t.rx_packets && !t.tx_packets)
		return;
	size_t low = 0, high = rows->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (rows->all[middle].slot < b->slot)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < rows->count && rows->all[low].slot == b->slot && t.peer_count < NET_PEERS; low++) {
		peers[t.peer_count++] = rows->all[low].peer;
		told += peer_bytes(&rows->all[low].peer);
	}
	uint64_t all = t.rx_bytes + t.tx_bytes;
	t.other_bytes = all > told ? all - told : 0;
	if (n->ops->on_traffic)
		n->ops->on_traffic(n->arg, &t);
}

static void on_interval(void *arg)
{
	struct net *n = arg;
	uint32_t first = 0, epoch = n->knobs.epoch++;
	struct rows rows = { 0 };
	uint64_t now = clock_unix_ns(n->clk);

	(void)bpf_map_update_elem(n->map_fd[NET_MAP_knobs], &first, &n->knobs, BPF_ANY);
	read_flows(n, 0, epoch, &rows);
	merge(&rows);
	for (uint32_t slot = 1; slot <= n->slot_max; slot++)
		if (n->boxes[slot])
			tell(n, n->boxes[slot], &rows, now);
	free(rows.all);
}

void net_traffic_start(struct net *n)
{
	if (!n->cfg.counts_traffic)
		return;
	n->traffic = loop_timer_new(n->loop, on_interval, n);
	if (n->traffic)
		loop_timer_every(n->traffic, n->cfg.interval_ms);
}

void net_traffic_begin(struct net *n, struct box *b)
{
	CLEANUP(freep) struct net_totals *zero = calloc(n->cpu_count, sizeof(*zero));

	if (zero)
		(void)bpf_map_update_elem(n->map_fd[NET_MAP_totals], &b->slot, zero, BPF_NOEXIST);
	b->told = read_totals(n, b->slot); /* of one taken over the earlier process has told */
	b->told_unix_ns = clock_unix_ns(n->clk);
}

void net_traffic_end(struct net *n, struct box *b)
{
	struct rows rows = { 0 };

	/* Also without counts: who opened what is of this container only. */
	read_flows(n, b->slot, n->knobs.epoch, &rows);
	merge(&rows);
	if (n->cfg.counts_traffic)
		tell(n, b, &rows, clock_unix_ns(n->clk));
	free(rows.all);
	(void)bpf_map_delete_elem(n->map_fd[NET_MAP_totals], &b->slot);
}
