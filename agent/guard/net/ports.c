/* ports.c - see ports.h. */
#include "agent/guard/net/ports.h"

#include <errno.h>

#include "agent/bpf/net.h"

enum { PORT_COUNT = 65536 };

static void emit(struct port_prefix *to, size_t *count, uint32_t from, uint32_t end, const struct net_ports *p)
{
	while (from < end) {
		unsigned bits = 16;
		uint32_t size = 1;

		/* the largest block that begins here and fits */
		while (bits && !(from & size) && from + size * 2 <= end) {
			size *= 2;
			bits--;
		}
		to[(*count)++] = (struct port_prefix){ .port = (uint16_t)from, .bits = (uint8_t)bits,
						       .is_denied = p->is_denied,
						       .rule = p->rule | (p->is_monitored ? NET_RULE_MONITORED : 0) };
		from += size;
	}
}

int ports_to_prefixes(const struct net_ports *ports, size_t count, struct port_prefix **ret, size_t *ret_count,
		      struct err *err)
{
	CLEANUP(freep) uint32_t *who = calloc(PORT_COUNT, sizeof(*who)); /* index + 1 of the range that decides */
	/* A prefix is at least one port. */
	CLEANUP(freep) struct port_prefix *all = calloc(PORT_COUNT, sizeof(*all));
	size_t n = 0;

	if (!who || !all)
		return err_set(err, ENOMEM, "ranges of ports");
	for (size_t i = 0; i < count; i++)
		for (uint32_t p = ports[i].from; p <= ports[i].to; p++)
			who[p] = (uint32_t)i + 1;
	for (uint32_t from = 0, end; from < PORT_COUNT; from = end) {
		for (end = from; end < PORT_COUNT && who[end] == who[from]; end++)
			;
		if (who[from])
			emit(all, &n, from, end, &ports[who[from] - 1]);
	}
	/* Mostly a handful. */
	struct port_prefix *fit = realloc(all, (n + 1) * sizeof(*all));
	if (fit)
		all = fit;
	*ret = take_ptr(all);
	*ret_count = n;
	return 0;
}
