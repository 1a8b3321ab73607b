/* record_json_audit.c - how a container was made, what was asked of its engine, what it sent, what checks said. */
#include <inttypes.h>

#include "collector/store/record_json.h"

static void add_text(struct json *j, const char *key, const char *s)
{
	if (s[0])
		record_json_text(j, key, slice_of(s), LIMIT_PATH_BYTES);
}

static void add_bytes(struct json *j, const char *key, ProtobufCBinaryData d)
{
	if (d.len)
		record_json_text(j, key, msg_slice(d), LIMIT_PATH_BYTES);
}

static void add_flag(struct json *j, const char *key, bool is_set)
{
	if (is_set)
		json_kv_bool(j, key, true);
}

static void add_number(struct json *j, const char *key, int64_t n)
{
	if (n)
		json_kv_i64(j, key, n);
}

/* NUL bytes become U+FFFD as everywhere: through an element's own writer. */
static void add_element(struct json *j, struct slice s)
{
	CLEANUP(buf_finip) struct buf clean = { 0 };

	s = slice_sub(s, 0, LIMIT_PATH_BYTES);
	buf_init(&clean, 4 * LIMIT_PATH_BYTES);
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i])
			buf_add_char(&clean, s.p[i]);
		else
			buf_add_str(&clean, "\xef\xbf\xbd");
	}
	json_str(j, buf_slice(&clean));
}

static void add_list(struct json *j, const char *key, char *const *list, size_t count)
{
	if (!count)
		return;
	json_kv_array(j, key);
	for (size_t i = 0; i < count; i++)
		add_element(j, slice_of(list[i]));
	json_array_close(j);
}

static void add_bytes_list(struct json *j, const char *key, const ProtobufCBinaryData *list, size_t count)
{
	if (!count)
		return;
	json_kv_array(j, key);
	for (size_t i = 0; i < count; i++)
		add_element(j, msg_slice(list[i]));
	json_array_close(j);
}

static void add_mounts(struct json *j, const Picket__ContainerConfig *c)
{
	json_kv_array(j, "mounts");
	for (size_t i = 0; i < c->n_mounts; i++) {
		const Picket__Mount *m = c->mounts[i];

		json_object_open(j);
		add_text(j, "type", m->type);
		add_bytes(j, "source", m->source);
		add_bytes(j, "target", m->target);
		json_kv_bool(j, "writable", m->writable);
		add_text(j, "propagation", m->propagation);
		add_text(j, "driver", m->driver);
		add_bytes(j, "device", m->device);
		json_object_close(j);
	}
	json_array_close(j);
}

static void add_ports(struct json *j, const Picket__ContainerConfig *c)
{
	json_kv_array(j, "ports");
	for (size_t i = 0; i < c->n_ports; i++) {
		json_object_open(j);
		json_kv_str(j, "host_ip", c->ports[i]->host_ip);
		json_kv_u64(j, "host_port", c->ports[i]->host_port);
		json_kv_u64(j, "port", c->ports[i]->port);
		json_kv_str(j, "protocol", c->ports[i]->protocol);
		json_object_close(j);
	}
	json_array_close(j);
}

static void add_modes(struct json *j, const Picket__ContainerConfig *c)
{
	const struct {
		const char *key, *value;
	} modes[] = { { "pid_mode", c->pid_mode },	 { "ipc_mode", c->ipc_mode },
		      { "network_mode", c->network_mode }, { "uts_mode", c->uts_mode },
		      { "userns_mode", c->userns_mode }, { "cgroupns_mode", c->cgroupns_mode },
		      { "restart", c->restart },	 { "runtime", c->runtime } };

	for (size_t i = 0; i < ARRAY_LEN(modes); i++)
		add_text(j, modes[i].key, modes[i].value);
}

void record_json_config(struct json *j, const char *key, const Picket__ContainerConfig *c)
{
	json_kv_object(j, key);
	add_mounts(j, c);
	add_ports(j, c);
	add_bytes_list(j, "networks", c->networks, c->n_networks);
	add_list(j, "cap_add", c->cap_add, c->n_cap_add);
	add_list(j, "cap_drop", c->cap_drop, c->n_cap_drop);
	add_bytes_list(j, "security_opt", c->security_opt, c->n_security_opt);
	add_modes(j, c);
	add_bytes_list(j, "devices", c->devices, c->n_devices);
	add_bytes_list(j, "sysctls", c->sysctls, c->n_sysctls);
	add_flag(j, "readonly_root", c->readonly_root);
	add_number(j, "memory_bytes", c->memory_bytes);
	add_number(j, "nano_cpus", c->nano_cpus);
	add_number(j, "pids_limit", c->pids_limit);
	add_list(j, "image_digests", c->image_digests, c->n_image_digests);
	add_flag(j, "publish_all", c->publish_all);
	add_flag(j, "unmasked_paths", c->unmasked_paths);
	add_flag(j, "user_is_root", c->user_is_root);
	json_object_close(j);
}

/* ---- the policy ---- */

void record_json_admission(struct json *j, const char *key, const Picket__Admission *a)
{
	json_kv_object(j, key);
	record_json_text(j, "kind", slice_of(a->kind), LIMIT_NAME_BYTES);
	json_kv_bool(j, "allowed", a->is_allowed);
	json_kv_bool(j, "monitored", a->is_monitored);
	record_json_text(j, "rule", slice_of(a->rule), LIMIT_NAME_BYTES);
	record_json_text(j, "reason", msg_slice(a->reason), LIMIT_TEXT_BYTES);
	add_text(j, "policy", a->policy);
	add_bytes(j, "user", a->user);
	add_bytes(j, "method", a->method);
	add_bytes(j, "path", a->path);
	json_kv_u64(j, "took_ns", a->took_ns);
	json_kv_u64(j, "count", a->count ? a->count : 1);
	json_object_close(j);
}

void record_json_admission_text(struct buf *out, const Picket__Admission *a, const Picket__Container *c)
{
	buf_printf(out, "%s: %s", !a->is_allowed ? "refused" : a->is_monitored ? "would be refused" : "allowed", a->kind);
	if (c && (c->name.len || c->id[0])) {
		buf_add_str(out, " of `");
		buf_add_slice(out, c->name.len ? msg_slice(c->name) : slice_sub(slice_of(c->id), 0, 12));
		buf_add_char(out, '`');
	}
	if (a->rule[0])
		buf_printf(out, " (%s)", a->rule);
	if (a->reason.len) {
		buf_add_str(out, ": ");
		buf_add_slice(out, msg_slice(a->reason));
	}
	if (a->count > 1)
		buf_printf(out, ", %" PRIu64 " times", a->count);
}

/* ---- traffic ---- */

static void add_peer(struct json *j, const Picket__TrafficPeer *p)
{
	char address[RECORD_ADDRESS_MAX] = "";

	json_object_open(j);
	(void)record_json_address(msg_slice(p->address), address);
	json_kv_str(j, "address", address);
	json_kv_u64(j, "port", p->port);
	record_json_text(j, "protocol", slice_of(p->protocol), LIMIT_NAME_BYTES);
	json_kv_bool(j, "outgoing", p->is_outgoing);
	json_kv_u64(j, "rx_bytes", p->rx_bytes);
	json_kv_u64(j, "tx_bytes", p->tx_bytes);
	json_kv_u64(j, "connections", p->connections);
	json_object_close(j);
}

void record_json_traffic(struct json *j, const char *key, const Picket__Traffic *t)
{
	json_kv_object(j, key);
	json_kv_time(j, "from", t->from_unix_ns);
	json_kv_time(j, "to", t->to_unix_ns);
	json_kv_u64(j, "rx_bytes", t->rx_bytes);
	json_kv_u64(j, "tx_bytes", t->tx_bytes);
	json_kv_u64(j, "rx_packets", t->rx_packets);
	json_kv_u64(j, "tx_packets", t->tx_packets);
	json_kv_array(j, "peers");
	for (size_t i = 0; i < t->n_peers; i++)
		add_peer(j, t->peers[i]);
	json_array_close(j);
	json_kv_u64(j, "other_bytes", t->other_bytes);
	json_object_close(j);
}

/* ---- checks ---- */

void record_json_report(struct json *j, const char *key, const Picket__AuditReport *m)
{
	json_kv_object(j, key);
	record_json_text(j, "subject", slice_of(m->subject), LIMIT_NAME_BYTES);
	add_text(j, "subject_id", m->subject_id);
	add_bytes(j, "name", m->subject_name);
	add_bytes(j, "image", m->image);
	add_text(j, "trigger", m->trigger);
	add_flag(j, "gone", m->is_gone);
	json_kv_array(j, "results");
	for (size_t i = 0; i < m->n_results; i++) {
		const Picket__AuditResult *x = m->results[i];

		json_object_open(j);
		record_json_text(j, "check", slice_of(x->check_id), LIMIT_NAME_BYTES);
		record_json_text(j, "status", slice_of(x->status), LIMIT_NAME_BYTES);
		record_json_text(j, "severity", slice_of(x->severity), LIMIT_NAME_BYTES);
		record_json_text(j, "evidence", msg_slice(x->evidence), LIMIT_TEXT_BYTES);
		add_flag(j, "differs", x->differs);
		json_object_close(j);
	}
	json_array_close(j);
	json_kv_u64(j, "passed", m->n_passed);
	json_kv_u64(j, "took_ns", m->took_ns);
	json_object_close(j);
}
