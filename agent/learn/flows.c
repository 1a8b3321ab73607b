/* flows.c - see flows.h. */
#include "agent/learn/flows.h"

#include <arpa/inet.h>
#include <errno.h>

#include "common/json.h"
#include "common/text.h"

enum { LINE_BYTES = 1 << 20, TCP_LISTENS = 10, PORTS = 65536 };

static int add(struct flows *f, const struct reach_flow *flow, struct arena *a, struct err *err)
{
	if (f->count == REACH_FLOWS_MAX) {
		f->is_cut = true;
		return 0;
	}
	if (f->count == f->size) {
		size_t size = f->size ? f->size * 2 : 64;
		struct reach_flow *wider = arena_zalloc(a, size, sizeof(*wider));

		if (!wider)
			return err_set(err, ENOMEM, "flows");
		if (f->count)
			memcpy(wider, f->v, f->count * sizeof(*wider));
		f->v = wider;
		f->size = size;
	}
	f->v[f->count++] = *flow;
	return 0;
}

/* One side is self, the other the address. */
static struct reach_flow one(const char *self, const char *address, uint16_t port, const char *protocol, bool is_outgoing)
{
	struct reach_flow flow = { .from = "", .to = "", .from_address = "", .to_address = "", .port = port, .protocol = protocol, .count = 1 };

	*(is_outgoing ? &flow.from : &flow.to) = self;
	*(is_outgoing ? &flow.to_address : &flow.from_address) = address;
	return flow;
}

/* ---- /proc/PID/net ---- */

struct row {
	uint8_t remote[16];
	bool is_v6;
	uint16_t local_port, remote_port;
	uint64_t state;
};

static bool next_word(struct slice *line, struct slice *ret)
{
	*line = slice_trim(*line);
	return line->n && slice_split(line, ' ', ret) && ret->n;
}

/* "0100007F:0050": words of the host's byte order, then the port. */
static bool read_end(struct slice s, uint8_t address[16], bool *ret_is_v6, uint16_t *ret_port)
{
	uint8_t port[2];
	struct slice hex;

	if (!slice_split(&s, ':', &hex) || (hex.n != 8 && hex.n != 32) || s.n != 4 ||
	    text_unhex(hex, address, 16) != (ptrdiff_t)hex.n / 2 || text_unhex(s, port, sizeof(port)) != 2)
		return false;
	for (size_t i = 0; i < hex.n / 2; i += 4) {
		uint32_t word = (uint32_t)address[i] << 24 | (uint32_t)address[i + 1] << 16 | (uint32_t)address[i + 2] << 8 | address[i + 3];

		memcpy(address + i, &word, 4); /* printed as a number of this host, so this is how it lay in memory */
	}
	*ret_is_v6 = hex.n == 32;
	*ret_port = (uint16_t)(port[0] << 8 | port[1]);
	return true;
}

static bool read_row(struct slice line, struct row *ret)
{
	struct slice number, local, remote, state;
	uint8_t own[16], code;
	bool is_v6;

	if (!next_word(&line, &number) || !next_word(&line, &local) || !next_word(&line, &remote) || !next_word(&line, &state) ||
	    !slice_ends(number, SLICE_LIT(":")) || text_unhex(state, &code, 1) != 1)
		return false;
	ret->state = code;
	return read_end(local, own, &is_v6, &ret->local_port) && read_end(remote, ret->remote, &ret->is_v6, &ret->remote_port);
}

static int add_row(struct flows *f, const struct row *r, bool is_outgoing, const char *protocol, const char *self,
		   struct arena *a, struct err *err)
{
	char text[INET6_ADDRSTRLEN];

	inet_ntop(r->is_v6 ? AF_INET6 : AF_INET, r->remote, text, sizeof(text));
	const char *address = arena_dup(a, slice_of(text));
	if (!address)
		return err_set(err, ENOMEM, "flows");
	struct reach_flow flow = one(self, address, is_outgoing ? r->remote_port : r->local_port, protocol, is_outgoing);
	return add(f, &flow, a, err);
}

int flows_add_table(struct flows *f, struct slice text, const char *protocol, const char *self, struct arena *a, struct err *err)
{
	CLEANUP(freep) uint8_t *listens = calloc(PORTS, 1);
	struct slice rest = text, line;
	struct row row;
	int r = 0;

	if (!listens)
		return err_set(err, ENOMEM, "flows");
	while (slice_split(&rest, '\n', &line))
		if (read_row(line, &row) && row.state == TCP_LISTENS)
			listens[row.local_port] = 1;
	for (rest = text; r >= 0 && slice_split(&rest, '\n', &line);)
		if (read_row(line, &row) && row.remote_port)
			r = add_row(f, &row, !listens[row.local_port], protocol, self, a, err);
	return r;
}

/* ---- events ---- */

static int add_peer(struct flows *f, const cJSON *peer, const char *self, struct arena *a, struct err *err)
{
	struct slice address = json_get_str(peer, "address"), protocol = json_get_str(peer, "protocol");
	uint64_t port = json_get_u64(peer, "port", 0), count = json_get_u64(peer, "connections", 1);

	if (!address.n || port >= PORTS) {
		f->skipped++;
		return 0;
	}
	const char *own_address = arena_dup(a, address), *own_protocol = arena_dup(a, protocol);
	if (!own_address || !own_protocol)
		return err_set(err, ENOMEM, "flows");
	struct reach_flow flow = one(self, own_address, (uint16_t)port, own_protocol, json_get_bool(peer, "outgoing", true));
	flow.count = count;
	return add(f, &flow, a, err);
}

static int add_event(struct flows *f, struct slice line, struct arena *a, struct err *err)
{
	CLEANUP(cJSON_Deletep) cJSON *o = NULL;
	const cJSON *peer;
	int r = 0;

	if (json_parse(line, LINE_BYTES, &o, NULL) < 0) {
		f->skipped++;
		return 0;
	}
	const cJSON *peers = cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(o, "traffic"), "peers");
	struct slice name = json_get_str(cJSON_GetObjectItemCaseSensitive(o, "container"), "name");
	if (!cJSON_IsArray(peers) || !name.n) {
		f->skipped++;
		return 0;
	}
	const char *self = arena_dup(a, name);
	if (!self)
		return err_set(err, ENOMEM, "flows");
	cJSON_ArrayForEach(peer, peers)
	{
		r = add_peer(f, peer, self, a, err);
		if (r < 0)
			break;
	}
	return r;
}

int flows_add_events(struct flows *f, struct slice text, struct arena *a, struct err *err)
{
	struct slice line;
	int r = 0;

	while (r >= 0 && slice_split(&text, '\n', &line))
		if (slice_trim(line).n)
			r = add_event(f, line, a, err);
	return r;
}
