/* alert_text.c - see alert_text.h. */
#include "collector/alert/alert_text.h"

#include <inttypes.h>

#include "collector/store/record_json.h"
#include "common/show.h"

enum { PATH_CHARS = 160 };
enum { NAME_CHARS = 64, IMAGE_CHARS = 120, RULE_CHARS = 120, SHORT_ID = 12 };

/* A backtick in a name would end its quotes, as it would open code in a chat message. */
void alert_text_name(struct buf *out, struct slice name, size_t max_chars)
{
	size_t from = out->n;

	show_text(out, name, max_chars);
	for (size_t i = from; i < out->n; i++) {
		if (out->p[i] == '`')
			out->p[i] = '\'';
	}
}

static void add_quoted(struct buf *out, struct slice s)
{
	buf_add_char(out, '`');
	alert_text_name(out, s, NAME_CHARS);
	buf_add_char(out, '`');
}

static void add_place(struct buf *out, const char *host, const Picket__Container *c)
{
	if (c && c->id[0]) {
		buf_add_str(out, " in container ");
		if (c->name.len)
			alert_text_name(out, msg_slice(c->name), NAME_CHARS);
		else
			alert_text_name(out, slice_sub(slice_of(c->id), 0, SHORT_ID), NAME_CHARS);
		if (c->image.len) {
			buf_add_str(out, " (");
			alert_text_name(out, msg_slice(c->image), IMAGE_CHARS);
			buf_add_char(out, ')');
		}
	}
	buf_add_str(out, " on ");
	alert_text_name(out, slice_of(host), NAME_CHARS);
}

/* What a call did, for a sentence; a call that isn't here is said by its name. */
static const struct {
	const char *call, *verb;
} verbs[] = {
	{ "open", "opened" },	      { "openat", "opened" },	 { "openat2", "opened" },
	{ "creat", "created" },	      { "unlink", "removed" },	 { "unlinkat", "removed" },
	{ "rmdir", "removed" },	      { "mkdir", "made" },	 { "mkdirat", "made" },
	{ "rename", "renamed" },      { "renameat", "renamed" }, { "renameat2", "renamed" },
	{ "link", "linked" },	      { "linkat", "linked" },	 { "symlink", "linked" },
	{ "symlinkat", "linked" },    { "mount", "mounted" },	 { "chmod", "changed the mode of" },
	{ "fchmodat", "changed the mode of" },			 { "fchmod", "changed the mode of" },
	{ "connect", "connected to" },				 { "accept", "accepted" },
	{ "accept4", "accepted" },    { "bind", "bound" },	 { "listen", "listened on" },
	{ "sendto", "sent to" },      { "sendmsg", "sent to" },	 { "recvfrom", "received from" },
	{ "recvmsg", "received from" },
};

static void add_verb(struct buf *out, const Picket__Finding *f)
{
	for (size_t i = 0; i < ARRAY_LEN(verbs) && f->result >= 0; i++)
		if (!strcmp(verbs[i].call, f->call)) {
			buf_printf(out, " %s", verbs[i].verb);
			return;
		}
	buf_add_str(out, f->result < 0 ? " tried " : " called ");
	alert_text_name(out, slice_of(f->call), NAME_CHARS);
}

static void add_end(struct buf *out, const Picket__Network *n)
{
	char text[RECORD_ADDRESS_MAX];

	if (record_json_address(msg_slice(n->remote_address), text))
		buf_printf(out, strchr(text, ':') ? " [%s]:%" PRIu32 : " %s:%" PRIu32, text, n->remote_port);
	else if (record_json_address(msg_slice(n->local_address), text))
		buf_printf(out, strchr(text, ':') ? " [%s]:%" PRIu32 : " %s:%" PRIu32, text, n->local_port);
	else if (n->path.len)
		buf_add_char(out, ' ');
	if (n->path.len) {
		buf_add_char(out, '`');
		alert_text_name(out, msg_slice(n->path), PATH_CHARS);
		buf_add_char(out, '`');
	}
}

static void add_deed(struct buf *out, const Picket__Finding *f)
{
	if (!f->call || !f->call[0])
		return;
	add_verb(out, f);
	if (f->file) {
		buf_add_str(out, " `");
		alert_text_name(out, msg_slice(f->file->path.len ? f->file->path : f->file->raw), PATH_CHARS);
		buf_add_char(out, '`');
	} else if (f->network) {
		add_end(out, f->network);
	}
	if (f->result < 0) {
		const char *why = f->result >= -4095 ? strerrorname_np((int)-f->result) : NULL;

		buf_printf(out, " (%s)", why ? why : "failed");
	}
}

void alert_text_title(struct buf *out, const char *host, const Picket__Finding *f)
{
	const Picket__Process *p = f->process;
	bool is_exec = f->event_type == PICKET__EVENT_TYPE__EVENT_EXEC;

	if (!p || !p->name.len || !is_exec)
		alert_text_name(out, slice_of(f->rule), RULE_CHARS);
	if (p && p->name.len) {
		if (!is_exec)
			buf_add_str(out, ": ");
		add_quoted(out, msg_slice(p->name));
		if (is_exec)
			buf_add_str(out, " ran");
		else
			add_deed(out, f);
	}
	add_place(out, host, f->container);
	if (p && p->n_ancestors && p->ancestors[0]->name.len) {
		buf_add_str(out, ", started by ");
		add_quoted(out, msg_slice(p->ancestors[0]->name));
	}
	if (f->count > 1)
		buf_printf(out, ", %" PRIu64 " times", f->count);
}

static void add_fields(struct json *j, const Picket__Finding *f)
{
	json_kv_object(j, "fields");
	for (size_t i = 0; i < f->n_fields && i < LIMIT_FIELDS; i++)
		record_json_text(j, f->fields[i]->key, msg_slice(f->fields[i]->value),
				 LIMIT_ARGS_BYTES);
	json_object_close(j);
}

enum { WITH_FIELDS = 1, WITH_PROCESS = 2, WITH_OUTPUT = 4 };

static void add_document(struct buf *out, const Picket__Finding *f, unsigned parts)
{
	struct json j;

	json_init(&j, out);
	json_object_open(&j);
	record_json_container(&j, "container", f->container);
	record_json_process(&j, "process", parts & WITH_PROCESS ? f->process : NULL);
	if (parts & WITH_PROCESS) {
		const struct record_json_deed deed = {
			.call = f->call,
			.result = f->result,
			.file = f->file,
			.network = f->network,
		};

		record_json_deed(&j, &deed);
	}
	if (parts & WITH_FIELDS)
		add_fields(&j, f);
	json_kv_array(&j, "tags");
	for (size_t i = 0; i < f->n_tags && i < LIMIT_TAGS; i++)
		json_str(&j, slice_sub(slice_of(f->tags[i]), 0, LIMIT_NAME_BYTES));
	json_array_close(&j);
	record_json_text(&j, "output", slice_of(f->output), parts & WITH_OUTPUT ? LIMIT_OUTPUT_BYTES : 256);
	record_json_text(&j, "description", slice_of(f->description),
			 parts & WITH_OUTPUT ? LIMIT_OUTPUT_BYTES : 256);
	json_kv_str(&j, "event_type", msg_event_type_name((int)f->event_type));
	json_object_close(&j);
}

void alert_text_document(struct buf *out, const Picket__Finding *f, size_t max_bytes)
{
	static const unsigned tries[] = { WITH_FIELDS | WITH_PROCESS | WITH_OUTPUT,
					  WITH_PROCESS | WITH_OUTPUT, WITH_OUTPUT, 0 };

	for (size_t i = 0; i < ARRAY_LEN(tries); i++) {
		buf_reset(out);
		add_document(out, f, tries[i]);
		if (!out->failed && out->n <= max_bytes)
			return;
	}
	/* Not even the names fit (they are bounded, so only a tiny max_bytes does that). */
	buf_reset(out);
	buf_add_str(out, "{\"container\":null,\"process\":null,\"tags\":[]}");
}

int alert_text_evidence(struct buf *out, const char *list, const char *id, size_t max,
			struct err *err)
{
	struct json j;
	cJSON *old = NULL;

	/* Ignored: an old list that can't be read must not keep the new event out. */
	if (list[0] && json_parse(slice_of(list), 64 * 1024, &old, NULL) < 0)
		old = NULL;
	json_init(&j, out);
	json_array_open(&j);
	json_str(&j, slice_of(id));
	size_t n = 1;
	const cJSON *item;
	cJSON_ArrayForEach(item, old)
	{
		if (n >= max)
			break;
		if (!cJSON_IsString(item) || !strcmp(item->valuestring, id))
			continue;
		json_str(&j, slice_of(item->valuestring));
		n++;
	}
	json_array_close(&j);
	cJSON_Delete(old);
	return 0;
}

void alert_text_fold_key(struct buf *out, const char *rule, const char *host, const char *container)
{
	struct json j;

	json_init(&j, out);
	json_array_open(&j);
	json_str(&j, slice_of(rule));
	json_str(&j, slice_of(host));
	json_str(&j, slice_of(container));
	json_array_close(&j);
}
