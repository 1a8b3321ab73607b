/* record_policy.c - see record_policy.h. */
#include "agent/record_policy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>

#include "agent/record_priv.h"
#include "common/json.h"
#include "common/text.h"

static int pack(Picket__Event *e, uint64_t unix_ns, struct buf *out, struct err *err)
{
	Picket__Record rec = PICKET__RECORD__INIT;

	rec.time_unix_ns = unix_ns;
	rec.body_case = PICKET__RECORD__BODY_EVENT;
	rec.event = e;
	return msg_pack_record(&rec, out, err);
}

/* ---- admission ---- */

int admission_read(struct slice line, struct cJSON **ret_doc, struct admission *ret, struct err *err)
{
	CLEANUP(cJSON_Deletep) cJSON *o = NULL;
	uint64_t unix_ns = 0;

	int r = json_parse(line, ADMISSION_BYTES_MAX, &o, err);
	if (r < 0)
		return r;
	if (!cJSON_IsObject(o) || !text_time_parse(json_get_str(o, "time"), &unix_ns) || !unix_ns || unix_ns > LIMIT_UNIX_NS)
		return err_set(err, ERR_SYNTAX, "verdict of the plugin: no time");
	*ret = (struct admission){
		.kind = json_get_str(o, "kind"),
		.rule = json_get_str(o, "rule"),
		.message = json_get_str(o, "message"),
		.user = json_get_str(o, "user"),
		.method = json_get_str(o, "method"),
		.path = json_get_str(o, "path"),
		.container = json_get_str(o, "container"),
		.image = json_get_str(o, "image"),
		.is_allowed = json_get_bool(o, "allowed", false),
		.is_monitored = json_get_bool(o, "monitored", false),
		.took_ns = json_get_u64(o, "took_ns", 0),
		.unix_ns = unix_ns,
	};
	*ret_doc = take_ptr(o);
	return 0;
}

/* Words of ours: what is no plain text is left out rather than refused with the record. */
static char *word(struct arena *a, struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || (unsigned char)s.p[i] >= 0x7f)
			return RECORD_TEXT("");
	char *copy = arena_dup(a, slice_sub(s, 0, LIMIT_NAME_BYTES));
	return copy ? copy : RECORD_TEXT("");
}

int record_admission(const struct admission *m, const struct container *c, const char *policy, struct arena *scratch,
		     struct buf *out, struct err *err)
{
	Picket__Event e = PICKET__EVENT__INIT;
	Picket__Admission a = PICKET__ADMISSION__INIT;
	Picket__Container pc;

	a.kind = word(scratch, m->kind);
	if (!a.kind[0])
		a.kind = RECORD_TEXT("other");
	a.is_allowed = m->is_allowed;
	a.is_monitored = m->is_monitored;
	a.rule = word(scratch, m->rule);
	a.reason = record_cut(m->message, LIMIT_TEXT_BYTES);
	a.policy = RECORD_TEXT(policy);
	a.user = record_cut(m->user, LIMIT_NAME_BYTES);
	a.method = record_cut(m->method, LIMIT_NAME_BYTES);
	a.path = record_cut(m->path, LIMIT_PATH_BYTES);
	a.took_ns = m->took_ns;
	if (c) {
		record_container_brief(c, &pc);
	} else {
		picket__container__init(&pc);
		pc.name = record_cut(m->container, LIMIT_NAME_BYTES);
		pc.image = record_cut(m->image, LIMIT_NAME_BYTES);
	}
	e.type = PICKET__EVENT_TYPE__EVENT_ADMISSION;
	e.admission = &a;
	if (c || m->container.n || m->image.n)
		e.container = &pc;
	return pack(&e, m->unix_ns, out, err);
}

/* ---- the network ---- */

static const char *protocol_name(struct arena *a, uint8_t protocol)
{
	switch (protocol) {
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return "icmp";
	default: {
		const char *text = arena_printf(a, "%u", protocol);
		return text ? text : "";
	}
	}
}

static ProtobufCBinaryData address_of(const uint8_t address[16], bool is_v6)
{
	return msg_bytes(slice_from(address, is_v6 ? 16 : 4));
}

/* A packet from outside is refused by who sent it, and port is the sender's, or by what it is for (AC-301 …), and port is that. */
static bool is_own_port(const struct net_event *e)
{
	return e->hook == NET_BIND || (e->hook == NET_INGRESS && e->rule / 100 == 3);
}

int record_net_event(const struct net_event *e, const struct container *c, const char *policy, uint64_t unix_ns,
		     struct arena *scratch, struct buf *out, struct err *err)
{
	Picket__Event ev = PICKET__EVENT__INIT;
	Picket__Admission a = PICKET__ADMISSION__INIT;
	Picket__Network n = PICKET__NETWORK__INIT;
	Picket__Process p = PICKET__PROCESS__INIT;
	Picket__Container pc;
	char *rule = e->rule ? arena_printf(scratch, "AC-%u", e->rule) : arena_printf(scratch, "AC-202");
	const char *refused = e->is_refused ? "refused" : "would be refused", *protocol = protocol_name(scratch, e->protocol);
	char address[INET6_ADDRSTRLEN] = "";
	const char *reason;

	inet_ntop(e->is_v6 ? AF_INET6 : AF_INET, e->address, address, sizeof(address));
	if (e->hook == NET_INGRESS && is_own_port(e))
		reason = arena_printf(scratch, "%s from %s to port %u %s by the policy of this host", protocol, address, e->port, refused);
	else
		reason = arena_printf(scratch, e->is_v6 ? "%s %s [%s]:%u %s by the policy of this host" :
							  "%s %s %s:%u %s by the policy of this host",
				      net_hook_name(e->hook), protocol, address, e->port, refused);

	if (!rule || !reason)
		return err_set(err, ENOMEM, "refused connection");
	a.kind = RECORD_TEXT("network");
	a.is_allowed = !e->is_refused;
	a.is_monitored = !e->is_refused;
	a.rule = rule;
	a.reason = record_cut(slice_of(reason), LIMIT_TEXT_BYTES);
	a.policy = RECORD_TEXT(policy);
	a.method = record_cut(slice_of(net_hook_name(e->hook)), LIMIT_NAME_BYTES);
	a.count = e->count;
	n.protocol = RECORD_TEXT(protocol);
	*(e->hook == NET_BIND ? &n.local_address : &n.remote_address) = address_of(e->address, e->is_v6);
	*(is_own_port(e) ? &n.local_port : &n.remote_port) = e->port;
	ev.type = PICKET__EVENT_TYPE__EVENT_ADMISSION;
	ev.admission = &a;
	ev.network = &n;
	if (e->pid) {
		p.pid = e->pid;
		p.name = record_cut(slice_from(e->comm, strnlen(e->comm, sizeof(e->comm))), LIMIT_NAME_BYTES);
		ev.process = &p;
	}
	if (c) {
		record_container_brief(c, &pc);
		ev.container = &pc;
	}
	return pack(&ev, unix_ns, out, err);
}

int record_traffic(const struct net_traffic *t, const struct container *c, struct arena *scratch, struct buf *out,
		   struct err *err)
{
	Picket__Event ev = PICKET__EVENT__INIT;
	Picket__Traffic m = PICKET__TRAFFIC__INIT;
	Picket__Container pc;
	size_t n = t->peer_count < LIMIT_TRAFFIC_PEERS ? t->peer_count : LIMIT_TRAFFIC_PEERS;
	Picket__TrafficPeer *rows = arena_zalloc(scratch, n + 1, sizeof(*rows));
	m.peers = arena_zalloc(scratch, n + 1, sizeof(*m.peers));

	if (!rows || !m.peers)
		return err_set(err, ENOMEM, "traffic");
	for (size_t i = 0; i < n; i++) {
		const struct net_peer *from = &t->peers[i];

		picket__traffic_peer__init(&rows[i]);
		rows[i].address = address_of(from->address, from->is_v6);
		rows[i].port = from->port;
		rows[i].protocol = RECORD_TEXT(protocol_name(scratch, from->protocol));
		rows[i].is_outgoing = from->is_outgoing;
		rows[i].rx_bytes = from->rx_bytes;
		rows[i].tx_bytes = from->tx_bytes;
		rows[i].connections = from->connections;
		m.peers[i] = &rows[i];
	}
	m.n_peers = n;
	m.from_unix_ns = t->from_unix_ns;
	m.to_unix_ns = t->to_unix_ns;
	m.rx_bytes = t->rx_bytes;
	m.tx_bytes = t->tx_bytes;
	m.rx_packets = t->rx_packets;
	m.tx_packets = t->tx_packets;
	m.other_bytes = t->other_bytes;
	record_container_brief(c, &pc);
	ev.type = PICKET__EVENT_TYPE__EVENT_TRAFFIC;
	ev.container = &pc;
	ev.traffic = &m;
	return pack(&ev, t->to_unix_ns, out, err);
}
