/* record_json.c - see record_json.h. */
#include "collector/store/record_json.h"

#include <inttypes.h>

#include "collector/store/record.h"

void record_json_text(struct json *j, const char *key, struct slice s, size_t max_bytes)
{
	s = slice_sub(s, 0, max_bytes);
	if (slice_find_char(s, 0) < 0) {
		json_kv_slice(j, key, s);
		return;
	}
	CLEANUP(buf_finip) struct buf clean = { 0 };
	buf_init(&clean, 4 * max_bytes);
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i])
			buf_add_char(&clean, s.p[i]);
		else
			buf_add_str(&clean, "\xef\xbf\xbd");
	}
	json_kv_slice(j, key, buf_slice(&clean));
}

/* As Falco says proc.cmdline: the name and the arguments, joined by blanks. */
static void add_cmdline(struct json *j, const Picket__Process *p)
{
	CLEANUP(buf_finip) struct buf line = { 0 };
	struct slice rest = msg_slice(p->args), arg;

	buf_init(&line, LIMIT_NAME_BYTES + LIMIT_ARGS_BYTES + 2);
	buf_add_slice(&line, slice_sub(msg_slice(p->name), 0, LIMIT_NAME_BYTES));
	if (rest.n && !rest.p[rest.n - 1])
		rest.n--; /* the NUL that ends the last one */
	while (slice_split(&rest, '\0', &arg)) {
		buf_add_char(&line, ' ');
		buf_add_slice(&line, arg);
	}
	record_json_text(j, "cmdline", buf_slice(&line), LIMIT_NAME_BYTES + LIMIT_ARGS_BYTES);
}

static void add_ancestor(struct json *j, const Picket__Ancestor *a)
{
	json_object_open(j);
	json_kv_u64(j, "pid", a->pid);
	record_json_text(j, "name", msg_slice(a->name), LIMIT_NAME_BYTES);
	record_json_text(j, "exe", msg_slice(a->exe), LIMIT_PATH_BYTES);
	record_json_text(j, "cmdline", msg_slice(a->cmdline), LIMIT_NAME_BYTES + LIMIT_ARGS_BYTES);
	json_object_close(j);
}

static void add_user(struct json *j, const Picket__Process *p)
{
	char number[16];

	if (p->user.len) {
		record_json_text(j, "user", msg_slice(p->user), LIMIT_NAME_BYTES);
		return;
	}
	snprintf(number, sizeof(number), "%u", p->uid);
	json_kv_str(j, "user", number);
}

static void add_flag(struct json *j, const char *key, bool is_set)
{
	if (is_set)
		json_kv_bool(j, key, true);
}

void record_json_hash(struct json *j, const char *key, struct slice sha256)
{
	Picket__Process p = PICKET__PROCESS__INIT;
	char hash[RECORD_HASH_MAX];

	p.exe_sha256 = (ProtobufCBinaryData){ sha256.n, (uint8_t *)(uintptr_t)sha256.p };
	if (record_hash(&p, hash))
		json_kv_str(j, key, hash);
}

void record_json_process(struct json *j, const char *key, const Picket__Process *p)
{
	char caps[20], hash[RECORD_HASH_MAX];

	json_key(j, key);
	if (!p) {
		json_null(j);
		return;
	}
	json_object_open(j);
	json_kv_u64(j, "pid", p->pid);
	json_kv_u64(j, "ppid", p->ppid);
	record_json_text(j, "name", msg_slice(p->name), LIMIT_NAME_BYTES);
	record_json_text(j, "exe", msg_slice(p->exe), LIMIT_PATH_BYTES);
	if (record_hash(p, hash))
		json_kv_str(j, "sha256", hash);
	add_cmdline(j, p);
	add_flag(j, "args_truncated", p->args_truncated);
	record_json_text(j, "cwd", msg_slice(p->cwd), LIMIT_PATH_BYTES);
	add_user(j, p);
	json_kv_u64(j, "uid", p->uid);
	json_kv_u64(j, "gid", p->gid);
	json_key(j, "login_uid");
	if (p->login_uid == UINT32_MAX)
		json_null(j);
	else
		json_u64(j, p->login_uid);
	json_kv_u64(j, "vpid", p->vpid);
	json_kv_u64(j, "tty", p->tty);
	json_kv_u64(j, "session_id", p->session_id);
	json_kv_u64(j, "start_ns", p->start_ns);
	snprintf(caps, sizeof(caps), "0x%" PRIx64, p->cap_effective);
	json_kv_str(j, "cap_effective", caps);
	add_flag(j, "exe_upper_layer", p->exe_upper_layer);
	add_flag(j, "exe_from_memfd", p->exe_from_memfd);
	add_flag(j, "exe_writable", p->exe_writable);
	json_key(j, "parent");
	if (p->n_ancestors)
		add_ancestor(j, p->ancestors[0]);
	else
		json_null(j);
	if (p->n_ancestors > 1) {
		json_kv_array(j, "ancestors");
		for (size_t i = 1; i < p->n_ancestors && i < LIMIT_ANCESTORS; i++)
			add_ancestor(j, p->ancestors[i]);
		json_array_close(j);
	}
	json_object_close(j);
}

void record_json_container(struct json *j, const char *key, const Picket__Container *c)
{
	json_key(j, key);
	if (!c || !c->id[0]) {
		json_null(j);
		return;
	}
	json_object_open(j);
	record_json_text(j, "id", slice_of(c->id), LIMIT_NAME_BYTES);
	record_json_text(j, "name", msg_slice(c->name), LIMIT_NAME_BYTES);
	record_json_text(j, "image", msg_slice(c->image), LIMIT_PATH_BYTES);
	if (c->image_id[0])
		record_json_text(j, "image_id", slice_of(c->image_id), LIMIT_NAME_BYTES);
	record_json_text(j, "image_digest", slice_of(c->image_digest), LIMIT_NAME_BYTES);
	if (c->user.len)
		record_json_text(j, "user", msg_slice(c->user), LIMIT_NAME_BYTES);
	add_flag(j, "privileged", c->privileged);
	if (c->engine[0])
		record_json_text(j, "engine", slice_of(c->engine), LIMIT_NAME_BYTES);
	if (c->config)
		record_json_config(j, "config", c->config);
	json_object_close(j);
}

char *record_json_id(const char *agent, uint64_t epoch, uint64_t seq, char dst[RECORD_ID_MAX])
{
	snprintf(dst, RECORD_ID_MAX, "%.64s:%" PRIu64 ":%" PRIu64, agent, epoch, seq);
	return dst;
}

/* What is so of few. "resolution" is the word of the alert's own document: why it closed by itself. */
static void add_triage(struct json *j, const struct store_alert *al)
{
	char id[24];

	if (al->resolution && al->resolution[0])
		json_kv_str(j, "resolved_as", al->resolution);
	if (al->duplicate_of) {
		snprintf(id, sizeof(id), "%" PRId64, al->duplicate_of);
		json_kv_str(j, "duplicate_of", id);
	}
	if (al->wake_unix_ns)
		json_kv_time(j, "snoozed_until", al->wake_unix_ns);
	if (al->silence)
		json_kv_i64(j, "silenced_by", al->silence);
}

void record_json_alert_members(struct json *j, const struct store_alert *al)
{
	char id[24];

	snprintf(id, sizeof(id), "%" PRId64, al->id);
	json_kv_str(j, "id", id);
	json_kv_time(j, "time", al->last_seen_unix_ns);
	json_kv_time(j, "first_seen", al->first_seen_unix_ns);
	json_kv_time(j, "last_seen", al->last_seen_unix_ns);
	json_kv_u64(j, "count", al->count);
	json_kv_str(j, "severity", msg_severity_name(al->severity));
	json_kv_str(j, "priority", al->priority);
	json_kv_str(j, "status", al->status);
	json_kv_str(j, "assignee", al->assignee);
	add_triage(j, al);
	json_kv_str(j, "source", al->source);
	json_kv_str(j, "rule", al->rule);
	json_kv_str(j, "title", al->title);
	json_kv_str(j, "host", al->host);
	json_kv_str(j, "agent", al->agent);
	/* Our own writer made both, so what is between the document's braces are members. */
	struct slice doc = slice_of(al->document), evidence = slice_of(al->evidence);
	if (doc.n > 2 && doc.p[0] == '{')
		json_raw(j, slice_sub(doc, 1, doc.n - 2));
	json_key(j, "evidence");
	json_raw(j, evidence.n ? evidence : SLICE_LIT("[]"));
	json_key(j, "actions");
	json_raw(j, al->actions && al->actions[0] ? slice_of(al->actions) : SLICE_LIT("[]"));
}

void record_json_alert(struct json *j, const struct store_alert *al)
{
	json_object_open(j);
	record_json_alert_members(j, al);
	json_object_close(j);
}
