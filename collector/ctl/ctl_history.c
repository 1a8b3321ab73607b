/* ctl_history.c - questions to the history by name: pages are asked for until the search is at its end, counts of
 * pages are added up, and how far it is stands on standard error. */
#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

#include "collector/ctl/ctl_changes.h"
#include "common/clock.h"
#include "common/text.h"

enum { PAGE_ROWS = 1000, TREE_BYTES = 1024, PROGRESS_MS = 3000 };

/* ---- columns ---- */

static void event_container(const cJSON *row, struct buf *out)
{
	ctl_container(ctl_at(row, "event"), out);
}

/* Lists and objects as JSON has them. */
static void any_value(const cJSON *v, struct buf *out)
{
	char *text = cJSON_IsArray(v) || cJSON_IsObject(v) ? cJSON_PrintUnformatted(v) : NULL;

	if (text)
		buf_add_str(out, text);
	else
		ctl_value(v, out);
	cJSON_free(text);
}

static void old_value(const cJSON *row, struct buf *out)
{
	any_value(ctl_at(row, "from"), out);
}

static void new_value(const cJSON *row, struct buf *out)
{
	any_value(ctl_at(row, "to"), out);
}

static void needs(const cJSON *row, struct buf *out)
{
	ctl_join(ctl_at(row, "needs"), out);
}

static void takes(const cJSON *row, struct buf *out)
{
	ctl_join(ctl_at(row, "takes"), out);
}

static const struct ctl_column list_columns[] = {
	{ .title = "QUESTION", .path = "name" },
	{ .title = "ABOUT", .path = "about", .may_shrink = true },
	{ .title = "NEEDS", .value = needs },
	{ .title = "TAKES", .value = takes, .hide = 2 },
	{ .title = "EXAMPLE", .path = "example", .hide = 1 },
};
static const struct ctl_column process_columns[] = {
	{ .title = "TIME", .path = "event.time" },
	{ .title = "RELATION", .path = "relation" },
	{ .title = "TYPE", .path = "event.type" },
	{ .title = "PID", .path = "event.process.pid" },
	{ .title = "PARENT", .path = "event.process.parent.pid", .hide = 2 },
	{ .title = "USER", .path = "event.process.user", .hide = 1 },
	{ .title = "CONTAINER", .value = event_container, .hide = 3 },
	{ .title = "CMDLINE", .path = "event.process.cmdline", .may_shrink = true },
	{ .title = "SUMMARY", .path = "event.summary", .may_shrink = true, .hide = 4 },
	{ .title = "START_NS", .path = "start_ns", .is_wide = true },
};
static const struct ctl_column binary_columns[] = {
	{ .title = "HOST", .path = "host" },
	{ .title = "CONTAINER", .value = ctl_container },
	{ .title = "IMAGE", .path = "container.image", .hide = 2 },
	{ .title = "EXE", .path = "exe", .may_shrink = true },
	{ .title = "COUNT", .path = "count" },
	{ .title = "FIRST", .path = "first" },
	{ .title = "LAST", .path = "last", .hide = 1 },
	{ .title = "SHA256", .path = "sha256", .is_wide = true },
	{ .title = "FILE_CHANGED", .path = "file_changed", .is_wide = true },
	{ .title = "ADDED", .path = "added_at_run_time", .is_wide = true },
};
static const struct ctl_column address_columns[] = {
	{ .title = "HOST", .path = "host" },
	{ .title = "CONTAINER", .value = ctl_container },
	{ .title = "PROCESS", .path = "process" },
	{ .title = "TYPE", .path = "type", .hide = 2 },
	{ .title = "CALL", .path = "call" },
	{ .title = "COUNT", .path = "count" },
	{ .title = "FIRST", .path = "first" },
	{ .title = "LAST", .path = "last", .hide = 1 },
	{ .title = "EXE", .path = "exe", .is_wide = true },
};
static const struct ctl_column vulnerability_columns[] = {
	{ .title = "IMAGE", .path = "image", .may_shrink = true },
	{ .title = "HOST", .path = "host" },
	{ .title = "PACKAGE", .path = "package" },
	{ .title = "VERSION", .path = "version" },
	{ .title = "FIXED", .path = "fixed", .hide = 3 },
	{ .title = "RAN_FROM", .path = "ran_from" },
	{ .title = "RAN_TO", .path = "ran_to" },
	{ .title = "FOUND", .path = "found", .hide = 2 },
	{ .title = "RESOLVED", .path = "resolved", .hide = 1 },
	{ .title = "IMAGE_ID", .path = "image_id", .is_wide = true },
};
static const struct ctl_column change_columns[] = {
	{ .title = "TIME", .path = "event.time" },
	{ .title = "HOST", .path = "event.host" },
	{ .title = "CONTAINER", .value = event_container },
	{ .title = "EVENT", .path = "event.type" },
	{ .title = "FIELD", .path = "field" },
	{ .title = "OLD", .value = old_value, .may_shrink = true },
	{ .title = "NEW", .value = new_value, .may_shrink = true },
	{ .title = "CONTAINER_ID", .path = "event.container.id", .is_wide = true },
	{ .title = "SUMMARY", .path = "event.summary", .is_wide = true },
};
static const struct ctl_column silence_columns[] = {
	{ .title = "HOST", .path = "host" },
	{ .title = "WHAT", .path = "what" },
	{ .title = "FROM", .path = "from" },
	{ .title = "TO", .path = "to" },
};

#define VIEW(columns_) { .path = "/api/v1/history", .columns = (columns_), .column_count = ARRAY_LEN(columns_) }
static const struct ctl_view list_view = VIEW(list_columns);
enum { SHOWN_AS_ROWS, SHOWN_COUNTED, SHOWN_SPREAD }; /* counted: rows of pages that say the same are added up */
static const struct asked_view {
	const char *name, *first; /* what a word without key= is; binary's depends on how it looks */
	struct ctl_view view;
	int how;
} views[] = {
	{ "process", "pid", VIEW(process_columns), SHOWN_AS_ROWS },
	{ "binary", "name", VIEW(binary_columns), SHOWN_COUNTED },
	{ "address", "address", VIEW(address_columns), SHOWN_COUNTED },
	{ "vulnerability", "vuln", VIEW(vulnerability_columns), SHOWN_AS_ROWS },
	{ "changes", "container", VIEW(change_columns), SHOWN_SPREAD },
	{ "silence", "host", VIEW(silence_columns), SHOWN_AS_ROWS },
	{ "runs", "container", { NULL }, SHOWN_AS_ROWS }, /* as events are */
};

/* ---- pages ---- */

struct answer {
	cJSON *rows; /* an array */
	cJSON **index; /* by what a row says, open addressing */
	size_t index_size;
	char cursor[256], tree[TREE_BYTES], reached[16], lost[CTL_LOST_BYTES], gaps[CTL_GAPS_BYTES];
	bool has_more, is_out_of_time;
	const struct asked_view *asked;
	const char *first_cursor; /* where an earlier search ended; nullable */
	uint64_t within_ms, begun_ms, told_ms;
};

static uint64_t hash_of(const cJSON *row)
{
	static const char *const parts[] = { "host", "container.id", "exe", "process", "type", "call", "file_changed" };
	uint64_t hash = 1;

	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		hash = (hash ^ slice_hash(slice_of(ctl_str(row, parts[i])))) * 0x100000001b3ull;
	return hash ^ hash >> 32;
}

static bool says_the_same(const cJSON *a, const cJSON *b)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, a)
	{
		const char *key = item->string;

		/* One page may know the hash, another not: one file all the same. */
		if (!strcmp(key, "sha256") && !ctl_str(b, key)[0])
			continue;
		if (strcmp(key, "count") != 0 && strcmp(key, "first") != 0 && strcmp(key, "last") != 0 &&
		    !cJSON_Compare(item, cJSON_GetObjectItemCaseSensitive(b, key), true))
			return false;
	}
	return true;
}

static void add_up(cJSON *into, const cJSON *row)
{
	cJSON *count = cJSON_GetObjectItemCaseSensitive(into, "count");

	if (count)
		cJSON_SetNumberValue(count, count->valuedouble + (double)json_get_u64(row, "count", 0));
	if (!ctl_str(into, "sha256")[0] && ctl_str(row, "sha256")[0])
		cJSON_AddStringToObject(into, "sha256", ctl_str(row, "sha256"));
	/* times of one form and zone: the order of text is theirs */
	if (strcmp(ctl_str(row, "first"), ctl_str(into, "first")) < 0)
		cJSON_ReplaceItemInObjectCaseSensitive(into, "first", cJSON_CreateString(ctl_str(row, "first")));
	if (strcmp(ctl_str(row, "last"), ctl_str(into, "last")) > 0)
		cJSON_ReplaceItemInObjectCaseSensitive(into, "last", cJSON_CreateString(ctl_str(row, "last")));
}

/* The place of the row in the index: of one that says the same, or free. NULL: no memory. */
static cJSON **find_row(struct answer *a, const cJSON *row)
{
	size_t at = (size_t)hash_of(row) & (a->index_size - 1);

	while (a->index[at] && !says_the_same(a->index[at], row))
		at = (at + 1) & (a->index_size - 1);
	return &a->index[at];
}

static bool grow_index(struct answer *a)
{
	size_t size = a->index_size ? a->index_size * 2 : 4096;
	cJSON **index = calloc(size, sizeof(cJSON *)), **old = a->index, *row;

	if (!index)
		return false;
	a->index = index;
	a->index_size = size;
	cJSON_ArrayForEach(row, a->rows)
		*find_row(a, row) = row;
	free(old);
	return true;
}

static int take_rows(struct answer *a, cJSON *items, bool is_counted, size_t *count, struct err *err)
{
	while (cJSON_GetArraySize(items)) {
		cJSON *row = cJSON_DetachItemFromArray(items, 0), **place = NULL;

		if (is_counted) {
			if (*count * 2 >= a->index_size && !grow_index(a)) {
				cJSON_Delete(row);
				return err_set(err, ENOMEM, "history");
			}
			place = find_row(a, row);
		}
		if (place && *place) {
			add_up(*place, row);
			cJSON_Delete(row);
			continue;
		}
		if (place)
			*place = row;
		cJSON_AddItemToArray(a->rows, row);
		++*count;
	}
	return 0;
}

static bool copy_member(const cJSON *doc, const char *key, char *dst, size_t size)
{
	return slice_copy(json_get_str(doc, key), dst, size);
}

static bool is_path(const char *word)
{
	return word[0] == '/';
}

static bool is_sha256(const char *word)
{
	return strlen(word) == 64 && strspn(word, "0123456789abcdefABCDEF") == 64;
}

static const char *first_name(const struct asked_view *v, const char *word)
{
	if (strcmp(v->name, "binary") != 0)
		return v->first;
	return is_path(word) ? "path" : is_sha256(word) ? "hash" : v->first;
}

/* "key=value" into name and value; a first word without a key is what the question is about. */
static int split_word(struct answer *a, const char *word, char name[32], const char **ret_value, bool *has_first,
		      struct err *err)
{
	struct slice arg = slice_of(word);
	ptrdiff_t eq = is_path(word) ? -1 : slice_find_char(arg, '=');

	*ret_value = eq > 0 ? word + eq + 1 : word;
	if (eq > 0 && slice_copy(slice_sub(arg, 0, (size_t)eq), name, 32))
		return 0;
	if (eq >= 0 || *has_first || !arg.n)
		return err_set(err, ERR_USAGE, "'%.60s': key=value is wanted; `picketctl history` lists what each takes", word);
	*has_first = true;
	snprintf(name, 32, "%s", first_name(a->asked, word));
	return 0;
}

static int make_path(struct ctl *c, struct answer *a, uint64_t limit, struct buf *path, struct err *err)
{
	char text[24], name[32];
	bool has_limit = false, has_first = false;
	const char *value;

	buf_reset(path);
	buf_add_str(path, "/api/v1/history/");
	ctl_escape_path(path, c->verb);
	for (size_t i = 0; i < c->arg_count; i++) {
		int r = split_word(a, c->args[i], name, &value, &has_first, err);

		if (r < 0)
			return r;
		if (!strcmp(name, "within") && (!text_duration_parse(slice_of(value), &a->within_ms) || !a->within_ms))
			return err_set(err, ERR_USAGE, "within=%.40s: a time such as 10s, 2m", value);
		if (!strcmp(name, "cursor"))
			a->first_cursor = value;
		has_limit |= !strcmp(name, "limit");
		if (strcmp(name, "within") != 0 && strcmp(name, "cursor") != 0)
			ctl_query(path, name, value);
	}
	ctl_query(path, "since", c->since);
	ctl_query(path, "until", c->until);
	snprintf(text, sizeof(text), "%" PRIu64, limit > PAGE_ROWS ? PAGE_ROWS : limit);
	ctl_query(path, "limit", has_limit ? NULL : text);
	ctl_query(path, "cursor", a->cursor[0] ? a->cursor : a->first_cursor);
	ctl_query(path, "tree", a->tree[0] ? a->tree : NULL);
	return 0;
}

static int ask_page(struct ctl *c, struct answer *a, uint64_t limit, bool is_counted, size_t *count, struct err *err)
{
	CLEANUP(buf_finip) struct buf path = { 0 }, raw = { 0 };
	CLEANUP(cJSON_Deletep) cJSON *doc = NULL;
	int r = make_path(c, a, limit, &path, err);

	if (r >= 0)
		r = ctl_get(c, path.p, NULL, &raw, &doc, err);
	if (r < 0)
		return r;
	if (!copy_member(doc, "cursor", a->cursor, sizeof(a->cursor)) ||
	    !copy_member(doc, "tree", a->tree, sizeof(a->tree)) ||
	    !copy_member(doc, "reached", a->reached, sizeof(a->reached)))
		return err_set(err, ERR_PEER, "the collector's answer is too long");
	if (cJSON_GetObjectItemCaseSensitive(doc, "lost")) {
		ctl_lost(cJSON_GetObjectItemCaseSensitive(doc, "lost"), a->lost);
		ctl_gaps(cJSON_GetObjectItemCaseSensitive(doc, "lost"), a->gaps);
	}
	a->has_more = json_get_bool(doc, "more", false) || a->cursor[0];
	return take_rows(a, cJSON_GetObjectItemCaseSensitive(doc, "items"), is_counted, count, err);
}

/* How far it is: in place on a terminal, else a line now and then. */
static void tell_progress(struct answer *a, size_t count, bool is_tty)
{
	uint64_t now = clock_boot_ns(clock_real()) / 1000000;

	if (!is_tty && now - a->told_ms < PROGRESS_MS)
		return;
	a->told_ms = now;
	fprintf(stderr, "%spicketctl: searched %s %s, %zu rows %s", is_tty ? "\r" : "",
		a->asked->how == SHOWN_SPREAD ? "up to" : "back to", a->reached, count, is_tty ? "" : "\n");
}

/* Pages until the end, until there are rows enough (counts need all), or until its time is over. */
static int ask_all(struct ctl *c, struct answer *a, struct err *err)
{
	bool is_tty = isatty(STDERR_FILENO), is_counted = a->asked->how == SHOWN_COUNTED, goes_on;
	size_t count = 0;
	int r;

	a->begun_ms = a->told_ms = clock_boot_ns(clock_real()) / 1000000;
	do {
		r = ask_page(c, a, is_counted ? PAGE_ROWS : c->limit - count, is_counted, &count, err);
		goes_on = r >= 0 && a->cursor[0] && (is_counted || count < c->limit);
		a->is_out_of_time = goes_on && a->within_ms &&
				    clock_boot_ns(clock_real()) / 1000000 - a->begun_ms >= a->within_ms;
		if (goes_on)
			tell_progress(a, count, is_tty);
	} while (goes_on && !a->is_out_of_time);
	if (is_tty && a->reached[0])
		fputs("\r\033[K", stderr);
	return r;
}

static void print_row(struct ctl *c, const struct ctl_view *view, const cJSON *row, bool is_first)
{
	CLEANUP(buf_finip) struct buf out = { 0 };
	char *text = NULL;

	if (c->format == CTL_CSV) {
		if (is_first)
			ctl_csv_header(view, &out);
		ctl_csv_row(view, row, &out);
	} else if (c->format == CTL_YAML) {
		buf_add_str(&out, "- ");
		ctl_yaml(row, 2, &out);
	} else {
		text = cJSON_PrintUnformatted(row);
		buf_add_str(&out, c->format == CTL_JSON && !is_first ? ",\n " : "");
		ctl_json_safe(slice_of(text), &out);
		buf_add_str(&out, c->format == CTL_NDJSON ? "\n" : "");
	}
	fwrite(out.p, 1, out.n, c->out);
	cJSON_free(text);
}

static void print_answer(struct ctl *c, const struct ctl_view *view, const cJSON *rows)
{
	size_t count = (size_t)cJSON_GetArraySize(rows), i = 0;
	const cJSON *row;

	if (c->format == CTL_TABLE || c->format == CTL_WIDE) {
		struct ctl_table t = { .view = view };
		cJSON **list = calloc(count + 1, sizeof(cJSON *));

		cJSON_ArrayForEach(row, rows)
			if (list)
				list[i++] = (cJSON *)(uintptr_t)row;
		ctl_table_print(c, &t, list, i);
		free(list);
		return;
	}
	if (c->format == CTL_JSON)
		fputs("[", c->out);
	cJSON_ArrayForEach(row, rows)
		print_row(c, view, row, !i++);
	if (c->format == CTL_JSON)
		fputs("]\n", c->out);
	if (c->format == CTL_YAML && !count)
		fputs("[]\n", c->out);
}

/* What the rows are not: all there is. */
static void print_rest(const struct answer *a)
{
	const char *way = a->asked->how == SHOWN_SPREAD ? "after" : "before";

	if (a->is_out_of_time)
		fprintf(stderr, "picketctl: stopped after %" PRIu64 " ms, not at the end: there may be more %s %s; cursor=%s goes on\n",
			a->within_ms, way, a->reached, a->cursor);
	else if (a->has_more && a->reached[0])
		fprintf(stderr, "picketctl: there is more %s %s; --limit N shows it\n", way, a->reached);
	else if (a->has_more)
		fputs("picketctl: there is more; --limit N shows it\n", stderr);
	if (a->lost[0])
		fprintf(stderr, "picketctl: lost in this time, and so not in the answer: %s\n%s", a->lost, a->gaps);
}

/* Changes are compared across pages; people's formats have a row for each field. */
static int print_changes(struct ctl *c, const struct ctl_view *view, cJSON *rows, struct err *err)
{
	int r = ctl_changes_join(rows, err);

	if (r < 0 || c->format == CTL_JSON || c->format == CTL_NDJSON || c->format == CTL_YAML) {
		if (r >= 0)
			print_answer(c, view, rows);
		return r;
	}
	cJSON *spread = ctl_changes_spread(rows);
	if (!spread)
		return err_set(err, ENOMEM, "history");
	print_answer(c, view, spread);
	cJSON_Delete(spread);
	return 0;
}

static int ask(struct ctl *c, const struct asked_view *asked, struct err *err)
{
	struct answer a = { .rows = cJSON_CreateArray(), .asked = asked };
	const struct ctl_view *view = asked->view.path ? &asked->view : &ctl_event_view;

	if (c->is_watching || c->is_oldest_first) {
		cJSON_Delete(a.rows);
		return err_set(err, ERR_USAGE, "history: neither --watch nor --order");
	}
	if (!c->limit)
		c->limit = CTL_LIMIT_DEFAULT;
	int r = a.rows ? ask_all(c, &a, err) : err_set(err, ENOMEM, "history");
	if (r >= 0 && asked->how == SHOWN_SPREAD)
		r = print_changes(c, view, a.rows, err);
	else if (r >= 0)
		print_answer(c, view, a.rows);
	if (r >= 0)
		print_rest(&a);
	cJSON_Delete(a.rows);
	free(a.index);
	return r;
}

int ctl_history_list(struct ctl *c, struct err *err)
{
	CLEANUP(buf_finip) struct buf raw = { 0 };
	cJSON *doc = NULL;
	int r = ctl_get(c, list_view.path, NULL, &raw, &doc, err);

	if (r >= 0)
		r = ctl_print_rows(c, &list_view, doc, ctl_at(doc, "items"), err);
	cJSON_Delete(doc);
	return r;
}

int ctl_history_ask(struct ctl *c, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(views); i++)
		if (!strcmp(views[i].name, c->verb))
			return ask(c, &views[i], err);
	return err_set(err, ERR_USAGE, "no question '%.40s'", c->verb);
}

int ctl_event_export(struct ctl *c, struct err *err)
{
	return ctl_export(c, &ctl_event_view, err);
}
