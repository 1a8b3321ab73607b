/* api_history_groups.c - questions whose answer is who: events counted by host, container and what they say. A page
 * counts what it looked at; whoever asks adds pages up. */
#include <errno.h>
#include <stdlib.h>

#include "collector/api/api_history.h"
#include "collector/store/record_json.h"

enum { GROUP_SLOTS = 4096 };

struct group {
	uint64_t hash, first, last, count;
	struct buf text; /* the row's JSON up to what is counted; open */
	uint8_t sha256[32]; /* of the program, if has_sha256 */
	bool has_sha256;
};
struct groups {
	struct group *rows; /* API_LIMIT_MAX */
	size_t count;
	uint16_t slots[GROUP_SLOTS]; /* + 1 */
	void (*describe)(struct json *j, const struct store_event *e);
	bool counts_hashes; /* else they only tell an exec's hash */
};

static void forget_groups(void *arg)
{
	struct groups *g = arg;

	for (size_t i = 0; i < g->count; i++)
		buf_fini(&g->rows[i].text);
	g->count = 0;
	memset(g->slots, 0, sizeof(g->slots));
}

/* The program's hash, 32 bytes, or none. */
static struct slice sha256_of(const struct store_event *e)
{
	const Picket__Event *ev = e->record->event;
	struct slice s = ev && ev->process ? msg_slice(ev->process->exe_sha256) : SLICE_NONE;

	return s.n == 32 ? s : SLICE_NONE;
}

/* One hash, or one of both is not known. */
static bool may_be_one(const struct group *row, struct slice sha256)
{
	return !row->has_sha256 || !sha256.n || !memcmp(row->sha256, sha256.p, sizeof(row->sha256));
}

static struct group *find_group(struct groups *g, struct slice text, struct slice sha256, size_t *ret_at)
{
	uint64_t hash = slice_hash(text);
	size_t at = (size_t)(hash ^ hash >> 32) % GROUP_SLOTS;

	for (; g->slots[at]; at = (at + 1) % GROUP_SLOTS) {
		struct group *row = &g->rows[g->slots[at] - 1];

		if (row->hash == hash && slice_eq(buf_slice(&row->text), text) && may_be_one(row, sha256))
			return row;
	}
	*ret_at = at;
	return NULL;
}

static void count_event(const struct groups *g, struct group *row, const struct store_event *e)
{
	struct slice sha256 = sha256_of(e);
	uint64_t time = e->record->time_unix_ns;

	row->count += g->counts_hashes || strcmp(store_record_type(e->record), "hash") != 0;
	if (sha256.n)
		memcpy(row->sha256, sha256.p, sizeof(row->sha256));
	row->has_sha256 |= sha256.n != 0;
	if (!row->first || time < row->first)
		row->first = time;
	if (time > row->last)
		row->last = time;
}

/* Each new group is a row, so that the limit is one of groups. */
static int group_event(void *arg, struct api_page *p, const struct store_event *e)
{
	CLEANUP(buf_finip) struct buf text = { 0 };
	struct groups *g = arg;
	struct json j;
	size_t at = 0;

	(void)p;
	buf_init(&text, 64 * 1024);
	json_init(&j, &text);
	json_object_open(&j);
	json_kv_str(&j, "host", e->host);
	g->describe(&j, e);
	struct group *row = find_group(g, buf_slice(&text), sha256_of(e), &at);
	if (row) {
		count_event(g, row, e);
		return 1;
	}
	if (g->count == API_LIMIT_MAX)
		return -E2BIG;
	row = &g->rows[g->count];
	*row = (struct group){ .hash = slice_hash(buf_slice(&text)), .text = text };
	text = (struct buf){ 0 };
	count_event(g, row, e);
	g->slots[at] = (uint16_t)++g->count;
	return 0;
}

static void write_groups(void *arg, struct api_page *p)
{
	struct groups *g = arg;

	for (size_t i = 0; i < g->count; i++) {
		struct group *row = &g->rows[i];
		struct json j = { .out = &row->text, .depth = 1, .started = 2 };

		if (row->has_sha256)
			record_json_hash(&j, "sha256", slice_from((const char *)row->sha256, sizeof(row->sha256)));
		json_kv_u64(&j, "count", row->count);
		json_kv_time(&j, "first", row->first);
		json_kv_time(&j, "last", row->last);
		json_object_close(&j);
		json_raw(&p->j, buf_slice(&row->text));
	}
	forget_groups(g);
}

static int answer_groups(struct asked *a, void (*describe)(struct json *j, const struct store_event *e),
			 bool counts_hashes, struct err *err)
{
	struct groups *g = calloc(1, sizeof(*g));
	const struct asked_rows rows = { .row = group_event, .begin = forget_groups, .end = write_groups, .arg = g };
	int r = -ENOMEM;

	if (g)
		g->rows = calloc(API_LIMIT_MAX, sizeof(*g->rows));
	if (g && g->rows) {
		g->describe = describe;
		g->counts_hashes = counts_hashes;
		r = asked_events(a, &rows, err);
		forget_groups(g);
	} else {
		r = err_set(err, ENOMEM, "history");
	}
	if (g)
		free(g->rows);
	free(g);
	return r;
}

static void describe_container(struct json *j, const Picket__Container *c)
{
	bool is_one = c && c->id && c->id[0];

	json_key(j, "container");
	if (!is_one) {
		json_null(j);
		return;
	}
	json_object_open(j);
	json_kv_str(j, "id", c->id);
	record_json_text(j, "name", msg_slice(c->name), LIMIT_NAME_BYTES);
	record_json_text(j, "image", msg_slice(c->image), LIMIT_NAME_BYTES);
	json_object_close(j);
}

/* ---- binary ---- */

static void describe_binary(struct json *j, const struct store_event *e)
{
	const Picket__Event *ev = e->record->event;

	describe_container(j, ev ? ev->container : NULL);
	if (!ev || !ev->process)
		return;
	record_json_text(j, "exe", msg_slice(ev->process->exe), LIMIT_NAME_BYTES);
	/* one path, another file: the times tell */
	json_kv_time(j, "file_changed", ev->process->exe_ctime_ns);
	json_kv_bool(j, "added_at_run_time", ev->process->exe_upper_layer);
}

static int answer_binary(struct asked *a, struct err *err)
{
	static const char *const types[] = { "exec", "hash", NULL };
	const char *hash = asked_param(a, "hash");

	if (!asked_param(a, "exe") && !asked_param(a, "path") && !asked_param(a, "name") && !hash)
		return err_set(err, ERR_USAGE, "'binary' needs hash=SHA256, exe=/path or name=NAME");
	a->q.types = types;
	asked_term(a, "hash", hash);
	asked_term(a, "exe", asked_param(a, "exe"));
	asked_term(a, "exe", asked_param(a, "path")); /* the same by the name people look for */
	asked_term(a, "process", asked_param(a, "name"));
	asked_term(a, "host", asked_param(a, "host"));
	asked_term(a, "container", asked_param(a, "container"));
	/* An exec is either sent with its hash or told again with it: with hash= each counts once, whichever it is. */
	return answer_groups(a, describe_binary, hash != NULL, err);
}

const struct question question_binary = { "binary", "which containers ever ran a program",
					  { "hash", "exe", "path", "name", "host", "container" },
					  "picketctl history binary hash=SHA256 since=30d", answer_binary };

/* ---- address ---- */

static void describe_address(struct json *j, const struct store_event *e)
{
	const Picket__Event *ev = e->record->event;

	describe_container(j, ev ? ev->container : NULL);
	json_kv_str(j, "type", store_record_type(e->record));
	json_kv_str(j, "call", ev && ev->call ? ev->call : "");
	record_json_text(j, "process", ev && ev->process ? msg_slice(ev->process->name) : SLICE_NONE, LIMIT_NAME_BYTES);
	record_json_text(j, "exe", ev && ev->process ? msg_slice(ev->process->exe) : SLICE_NONE, LIMIT_NAME_BYTES);
}

static int answer_address(struct asked *a, struct err *err)
{
	static const char *const types[] = { "network", "traffic", "admission", NULL };

	a->q.types = types;
	asked_term(a, "address", asked_param(a, "address"));
	asked_term(a, "port", asked_param(a, "port"));
	asked_term(a, "host", asked_param(a, "host"));
	return answer_groups(a, describe_address, true, err);
}

const struct question question_address = { "address", "which hosts and containers spoke with an address",
					   { "address!", "port", "host" },
					   "picketctl history address address=203.0.113.7 since=30d", answer_address };
