/* api_history_events.c - questions whose answer is events: what ran, a process with its tree, what changed. */
#include <errno.h>
#include <inttypes.h>

#include "collector/api/api_history.h"
#include "collector/api/event_json.h"
#include "collector/store/record_json.h"

static int give_event(void *arg, struct api_page *p, const struct store_event *e)
{
	(void)arg;
	event_json(&p->j, e);
	return 0;
}

/* ---- runs ---- */

static int answer_runs(struct asked *a, struct err *err)
{
	static const char *const types[] = { "exec", NULL };
	const struct asked_rows rows = { .row = give_event };

	a->q.types = types;
	asked_term(a, "container", asked_param(a, "container"));
	asked_term(a, "host", asked_param(a, "host"));
	asked_term(a, "user", asked_param(a, "user"));
	asked_term(a, "process", asked_param(a, "process"));
	return asked_events(a, &rows, err);
}

const struct question question_runs = { "runs", "who ran what in a container",
					{ "container!", "host", "user", "process" },
					"picketctl history runs container=web-1 since=24h until=1h", answer_runs };

/* ---- process ---- */

/* A process is (pid, start). The first is the one asked for, then its ancestors, nearest first. */
enum { TREE_MAX = 9, PID_TEXT = 40 };
struct tree {
	struct {
		uint32_t pid;
		uint64_t start_ns;
	} nodes[TREE_MAX];
	size_t count;
	uint32_t pid;
};

static bool is_node(const struct tree *t, size_t i, uint32_t pid, uint64_t start_ns)
{
	return t->nodes[i].pid == pid && t->nodes[i].start_ns == start_ns;
}

static void begin_tree(struct tree *t, uint32_t pid, uint64_t start_ns)
{
	t->nodes[0].pid = pid;
	t->nodes[0].start_ns = start_ns;
	t->count = 1;
}

/* What the record is to the process asked for; NULL: nothing. The first that names the pid says which process
 * of that number is meant: answers come newest first. */
static const char *relation(struct tree *t, const Picket__Process *p, const char *type)
{
	if (p->pid == t->pid && !t->count)
		begin_tree(t, p->pid, p->start_ns);
	for (size_t i = 0; i < p->n_ancestors && !t->count; i++)
		if (p->ancestors[i]->pid == t->pid)
			begin_tree(t, t->pid, p->ancestors[i]->start_ns);
	if (!t->count)
		return NULL;
	if (is_node(t, 0, p->pid, p->start_ns)) {
		for (size_t i = 0; t->count == 1 && i < p->n_ancestors && i + 1 < TREE_MAX; i++) {
			t->nodes[i + 1].pid = p->ancestors[i]->pid;
			t->nodes[i + 1].start_ns = p->ancestors[i]->start_ns;
		}
		if (t->count == 1)
			t->count += p->n_ancestors < TREE_MAX - 1 ? p->n_ancestors : TREE_MAX - 1;
		return "self";
	}
	for (size_t i = 0; i < p->n_ancestors; i++)
		if (is_node(t, 0, p->ancestors[i]->pid, p->ancestors[i]->start_ns))
			return "descendant";
	/* of those above it, how they came and went */
	bool is_life = !strcmp(type, "exec") || !strcmp(type, "fork") || !strcmp(type, "exit");
	for (size_t i = 1; i < t->count && is_life; i++)
		if (is_node(t, i, p->pid, p->start_ns))
			return "ancestor";
	return NULL;
}

static int give_relative(void *arg, struct api_page *p, const struct store_event *e)
{
	const Picket__Record *rec = e->record;
	const Picket__Process *proc = rec->body_case == PICKET__RECORD__BODY_EVENT   ? rec->event->process :
				      rec->body_case == PICKET__RECORD__BODY_FINDING ? rec->finding->process :
										       NULL;
	const char *what = proc ? relation(arg, proc, store_record_type(rec)) : NULL;

	if (!what)
		return 1;
	json_object_open(&p->j);
	json_kv_str(&p->j, "relation", what);
	json_kv_u64(&p->j, "start_ns", proc->start_ns);
	json_key(&p->j, "event");
	event_json(&p->j, e);
	json_object_close(&p->j);
	return 0;
}

/* "1234.567,1.5": for the next page, which begins where this ended and would not know. */
static void add_tree(void *arg, struct api_page *p)
{
	const struct tree *t = arg;

	if (!t->count)
		return;
	buf_add_str(&p->tail, ",\"tree\":\"");
	for (size_t i = 0; i < t->count; i++)
		buf_printf(&p->tail, "%s%u.%" PRIu64, i ? "," : "", t->nodes[i].pid, t->nodes[i].start_ns);
	buf_add_char(&p->tail, '"');
}

static bool read_tree(const char *text, struct tree *t)
{
	struct slice rest = slice_of(text), one, pid;
	uint64_t v, start;

	while (slice_split(&rest, ',', &one)) {
		if (t->count == TREE_MAX || !slice_split(&one, '.', &pid) || !slice_to_u64(pid, &v) ||
		    v > UINT32_MAX || !slice_to_u64(one, &start))
			return false;
		t->nodes[t->count].pid = (uint32_t)v;
		t->nodes[t->count++].start_ns = start;
	}
	return t->count && t->nodes[0].pid == t->pid;
}

static int answer_process(struct asked *a, struct err *err)
{
	const char *pid = asked_param(a, "pid"), *tree = asked_param(a, "tree");
	struct tree t = { .count = 0 };
	const struct asked_rows rows = { .row = give_relative, .end = add_tree, .arg = &t };
	uint64_t v;

	if (!slice_to_u64(slice_of(pid), &v) || !v || v > UINT32_MAX)
		return err_set(err, ERR_SYNTAX, "pid=%.20s: a number", pid);
	t.pid = (uint32_t)v;
	if (tree && !read_tree(tree, &t))
		return err_set(err, ERR_SYNTAX, "tree: not one of ours");
	if (a->q.oldest_first)
		return err_set(err, ERR_USAGE, "'process' answers newest first");
	asked_term(a, "host", asked_param(a, "host"));
	return asked_events(a, &rows, err);
}

const struct question question_process = { "process", "everything about a process, its descendants and how its ancestors came",
					   { "host!", "pid!", "tree" },
					   "picketctl history process host=node-1 pid=4711 until=2026-11-23T20:00:00Z",
					   answer_process };

/* ---- changes ---- */

/* What is known of each container (by host and name, so that one made anew is compared with the one before it) until
 * its next record. A page begins without: its first records are told as such, and whoever asks compares them with the
 * page before. */
enum { BEFORES = 256 };
struct before {
	char *who;
	cJSON *config;
	char *image;
};
struct befores {
	struct before rows[BEFORES];
	size_t count, next; /* the one that makes room when there are too many */
};

static void forget_one(struct before *b)
{
	cJSON_Delete(b->config);
	free(b->image);
	free(b->who);
	*b = (struct before){ 0 };
}

static void forget(void *arg)
{
	struct befores *all = arg;

	for (size_t i = 0; i < all->count; i++)
		forget_one(&all->rows[i]);
	all->count = all->next = 0;
}

/* NULL: no memory. */
static struct before *find_before(struct befores *all, const struct store_event *e, const Picket__Container *c)
{
	CLEANUP(buf_finip) struct buf who = { 0 };

	buf_init(&who, 0);
	buf_printf(&who, "%s/", e->agent);
	buf_add_slice(&who, c->name.len ? msg_slice(c->name) : slice_of(c->id));
	for (size_t i = 0; i < all->count; i++)
		if (slice_eq(slice_of(all->rows[i].who), buf_slice(&who)))
			return &all->rows[i];
	char *copy = who.failed ? NULL : slice_dup(buf_slice(&who));
	if (!copy)
		return NULL;
	struct before *b = &all->rows[all->count < BEFORES ? all->count++ : all->next++ % BEFORES];
	forget_one(b);
	b->who = copy;
	return b;
}

static void write_value(struct json *j, const char *key, const cJSON *v)
{
	char *text = v ? cJSON_PrintUnformatted(v) : NULL;

	json_key(j, key);
	if (text)
		json_raw(j, slice_of(text));
	else
		json_null(j);
	cJSON_free(text);
}

static void write_change(struct json *j, const char *key, const cJSON *from, const cJSON *to)
{
	if (cJSON_Compare(from, to, true) || (!from && !to))
		return;
	json_object_open(j);
	json_kv_str(j, "key", key);
	write_value(j, "from", from);
	write_value(j, "to", to);
	json_object_close(j);
}

static void write_changes(struct json *j, const cJSON *from, const cJSON *to)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, to)
		write_change(j, item->string, cJSON_GetObjectItemCaseSensitive(from, item->string), item);
	cJSON_ArrayForEach(item, from)
	{
		if (!cJSON_GetObjectItemCaseSensitive(to, item->string))
			write_change(j, item->string, item, NULL);
	}
}

/* The engine's word on it, and what the container itself says beside. */
static cJSON *config_of(const Picket__Container *c)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	cJSON *doc = NULL, *config;
	struct json j;

	buf_init(&b, 0);
	json_init(&j, &b);
	json_object_open(&j);
	record_json_config(&j, "config", c->config);
	json_kv_object(&j, "own");
	json_kv_bool(&j, "privileged", c->privileged);
	record_json_text(&j, "user", msg_slice(c->user), LIMIT_NAME_BYTES);
	record_json_text(&j, "image_id", slice_of(c->image_id), LIMIT_NAME_BYTES);
	json_object_close(&j);
	json_object_close(&j);
	if (json_parse(buf_slice(&b), b.n, &doc, NULL) < 0)
		return NULL;
	config = cJSON_DetachItemFromObject(doc, "config");
	cJSON *own = cJSON_GetObjectItemCaseSensitive(doc, "own");
	while (config && own && own->child) {
		cJSON *one = cJSON_DetachItemViaPointer(own, own->child);

		cJSON_AddItemToObject(config, one->string, one); /* its name is copied before the old one is freed */
	}
	cJSON_Delete(doc);
	return config;
}

/* Only records that say how it was made can be compared; the others say that it began, ended, was asked for. */
static void add_changes(struct json *j, struct before *b, const Picket__Container *c)
{
	cJSON *config = c && c->config ? config_of(c) : NULL;
	char *image = c && c->image.len ? slice_dup(msg_slice(c->image)) : NULL;
	bool is_first = config && !(b && b->config);

	json_kv_array(j, "changes");
	if (b && b->config && config)
		write_changes(j, b->config, config);
	if (b && b->image && image && strcmp(b->image, image) != 0) {
		json_object_open(j);
		json_kv_str(j, "key", "image");
		json_kv_str(j, "from", b->image);
		json_kv_str(j, "to", image);
		json_object_close(j);
	}
	json_array_close(j);
	json_kv_bool(j, "first", is_first);
	if (b && config) {
		cJSON_Delete(b->config);
		b->config = take_ptr(config);
	}
	if (b && image) {
		free(b->image);
		b->image = take_ptr(image);
	}
	cJSON_Delete(config);
	free(image);
}

static int give_change(void *arg, struct api_page *p, const struct store_event *e)
{
	const Picket__Record *rec = e->record;
	const Picket__Container *c = rec->body_case == PICKET__RECORD__BODY_EVENT     ? rec->event->container :
				     rec->body_case == PICKET__RECORD__BODY_CONTAINER ? rec->container :
											NULL;

	json_object_open(&p->j);
	add_changes(&p->j, c ? find_before(arg, e, c) : NULL, c);
	json_key(&p->j, "event");
	event_json(&p->j, e);
	json_object_close(&p->j);
	return 0;
}

static int answer_changes(struct asked *a, struct err *err)
{
	static const char *const types[] = { "container.create", "container.start",  "container.stop",
					     "container.update", "container", "admission", NULL };
	struct befores *all = calloc(1, sizeof(*all));
	const struct asked_rows rows = { .row = give_change, .begin = forget, .arg = all };

	if (!all)
		return err_set(err, ENOMEM, "history");
	int r = asked_param(a, "order") ? err_set(err, ERR_USAGE, "'changes' answers oldest first") : 0;
	a->q.oldest_first = true;
	a->q.types = types;
	asked_term(a, "container", asked_param(a, "container"));
	asked_term(a, "host", asked_param(a, "host"));
	if (r >= 0)
		r = asked_events(a, &rows, err);
	forget(all);
	free(all);
	return r;
}

const struct question question_changes = { "changes", "what changed in how a container was made",
					   { "container!", "host" },
					   "picketctl history changes container=web-1 since=30d", answer_changes };
