/* ctl_history.c - questions to the history by name: pages are asked for until the search is at its end, counts of
 * pages are added up, and how far it is stands on standard error. */
#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

#include "collector/ctl/ctl.h"

enum { PAGE_ROWS = 1000, TREE_BYTES = 1024 };

/* ---- columns ---- */

static void event_container(const cJSON *row, struct buf *out)
{
	ctl_container(ctl_at(row, "event"), out);
}

/* "privileged: false -> true; image: a -> b" */
static void changes(const cJSON *row, struct buf *out)
{
	const cJSON *item;
	bool is_next = false;

	if (ctl_is_true(row, "first"))
		buf_add_str(out, "(as first seen)");
	cJSON_ArrayForEach(item, ctl_at(row, "changes"))
	{
		char *from = cJSON_PrintUnformatted(ctl_at(item, "from"));
		char *to = cJSON_PrintUnformatted(ctl_at(item, "to"));

		buf_printf(out, "%s%s: %s -> %s", is_next ? "; " : "", ctl_str(item, "key"), from ? from : "",
			   to ? to : "");
		cJSON_free(from);
		cJSON_free(to);
		is_next = true;
	}
	if (ctl_str(row, "event.summary")[0])
		buf_printf(out, "%s%s", out->n ? " " : "", ctl_str(row, "event.summary"));
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
	{ .title = "TYPE", .path = "event.type" },
	{ .title = "CHANGES", .value = changes, .may_shrink = true },
};
static const struct ctl_column silence_columns[] = {
	{ .title = "HOST", .path = "host" },
	{ .title = "WHAT", .path = "what" },
	{ .title = "FROM", .path = "from" },
	{ .title = "TO", .path = "to" },
};

#define VIEW(columns_) { .path = "/api/v1/history", .columns = (columns_), .column_count = ARRAY_LEN(columns_) }
static const struct ctl_view list_view = VIEW(list_columns);
static const struct asked_view {
	const char *name;
	struct ctl_view view;
	bool is_counted; /* rows of pages that say the same are added up */
} views[] = {
	{ "process", VIEW(process_columns), false },
	{ "binary", VIEW(binary_columns), true },
	{ "address", VIEW(address_columns), true },
	{ "vulnerability", VIEW(vulnerability_columns), false },
	{ "changes", VIEW(change_columns), false },
	{ "silence", VIEW(silence_columns), false },
};

/* ---- pages ---- */

struct answer {
	cJSON *rows; /* an array */
	cJSON **index; /* by what a row says, open addressing */
	size_t index_size;
	char cursor[256], tree[TREE_BYTES], reached[16], lost[CTL_LOST_BYTES];
	bool has_more;
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

static int make_path(struct ctl *c, const struct answer *a, uint64_t limit, struct buf *path, struct err *err)
{
	char text[24];
	bool has_limit = false;

	buf_reset(path);
	buf_add_str(path, "/api/v1/history/");
	ctl_escape_path(path, c->verb);
	for (size_t i = 0; i < c->arg_count; i++) {
		char name[32];
		struct slice arg = slice_of(c->args[i]);
		ptrdiff_t eq = slice_find_char(arg, '=');

		if (eq <= 0 || !slice_copy(slice_sub(arg, 0, (size_t)eq), name, sizeof(name)))
			return err_set(err, ERR_USAGE, "'%.60s': key=value is wanted; `picketctl history` lists what each takes",
				       c->args[i]);
		has_limit |= !strcmp(name, "limit");
		ctl_query(path, name, c->args[i] + eq + 1);
	}
	ctl_query(path, "since", c->since);
	ctl_query(path, "until", c->until);
	snprintf(text, sizeof(text), "%" PRIu64, limit > PAGE_ROWS ? PAGE_ROWS : limit);
	ctl_query(path, "limit", has_limit ? NULL : text);
	ctl_query(path, "cursor", a->cursor[0] ? a->cursor : NULL);
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
	if (cJSON_GetObjectItemCaseSensitive(doc, "lost"))
		ctl_lost(cJSON_GetObjectItemCaseSensitive(doc, "lost"), a->lost);
	a->has_more = json_get_bool(doc, "more", false) || a->cursor[0];
	return take_rows(a, cJSON_GetObjectItemCaseSensitive(doc, "items"), is_counted, count, err);
}

/* Pages until the end, or until there are rows enough; counts need all. */
static int ask_all(struct ctl *c, struct answer *a, bool is_counted, struct err *err)
{
	bool shows_progress = isatty(STDERR_FILENO);
	size_t count = 0;
	int r;

	do {
		r = ask_page(c, a, is_counted ? PAGE_ROWS : c->limit - count, is_counted, &count, err);
		if (r >= 0 && a->cursor[0] && shows_progress)
			fprintf(stderr, "\rpicketctl: searched back to %s, %zu rows ", a->reached, count);
	} while (r >= 0 && a->cursor[0] && (is_counted || count < c->limit));
	if (shows_progress && a->reached[0])
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

static int ask(struct ctl *c, const struct ctl_view *view, bool is_counted, struct err *err)
{
	struct answer a = { .rows = cJSON_CreateArray() };

	if (c->is_watching || c->is_oldest_first)
		return err_set(err, ERR_USAGE, "history: neither --watch nor --order");
	if (!c->limit)
		c->limit = CTL_LIMIT_DEFAULT;
	int r = a.rows ? ask_all(c, &a, is_counted, err) : err_set(err, ENOMEM, "history");
	if (r >= 0) {
		print_answer(c, view, a.rows);
		if (a.has_more && a.reached[0])
			fprintf(stderr, "picketctl: there is more before %s; --limit N shows it\n", a.reached);
		else if (a.has_more)
			fputs("picketctl: there is more; --limit N shows it\n", stderr);
		if (a.lost[0])
			fprintf(stderr, "picketctl: lost in this time, and so not in the answer: %s\n", a.lost);
	}
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
			return ask(c, &views[i].view, views[i].is_counted, err);
	return ask(c, &ctl_event_view, false, err); /* runs */
}

int ctl_event_export(struct ctl *c, struct err *err)
{
	return ctl_export(c, &ctl_event_view, err);
}
