/* ctl_rule.c - rule and correlation: list; lint and test, which ask no server. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "collector/correlate/timeline.h"
#include "collector/ctl/ctl.h"
#include "common/file.h"
#include "common/show.h"

enum { DEPTH_MAX = 8, PATH_BYTES = 4096, RESULT_ARENA_BYTES = 64 << 20, ANSWER_BYTES = 16 << 20 };

/* ---- files ---- */

void ctl_files_fini(struct ctl_files *f)
{
	for (size_t i = 0; i < f->count; i++) {
		free(f->items[i].name);
		buf_fini(&f->items[i].text);
	}
	free(f->items);
	*f = (struct ctl_files){ 0 };
}

static int add_file(struct ctl_files *f, const char *path, struct err *err)
{
	if (f->count == CTL_FILES_MAX)
		return err_set(err, ERR_LIMIT, "more than %d files", CTL_FILES_MAX);
	if (f->count == f->size) {
		size_t size = f->size ? f->size * 2 : 16;
		struct ctl_file *wider = realloc(f->items, size * sizeof(*wider));

		if (!wider)
			return err_set(err, ENOMEM, "files");
		f->items = wider;
		f->size = size;
	}
	struct ctl_file *one = &f->items[f->count];
	*one = (struct ctl_file){ .name = strdup(path) };
	if (!one->name)
		return err_set(err, ENOMEM, "files");
	f->count++;
	return file_read(path, SIGMA_FILE_BYTES, &one->text, err);
}

static int is_wanted(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

static int add_path(struct ctl_files *f, const char *path, unsigned depth, struct err *err)
{
	struct dirent **names;
	struct stat st;
	int r = 0;

	if (stat(path, &st) < 0)
		return err_set(err, errno, "'%.200s'", path);
	if (!S_ISDIR(st.st_mode)) {
		struct slice s = slice_of(path);

		/* In a folder only what is meant; by name whatever is named. */
		return depth && !slice_ends(s, SLICE_LIT(".yml")) && !slice_ends(s, SLICE_LIT(".yaml")) ? 0 : add_file(f, path, err);
	}
	int n = depth < DEPTH_MAX ? scandir(path, &names, is_wanted, alphasort) : 0;
	if (n < 0)
		return err_set(err, errno, "'%.200s'", path);
	for (int i = 0; i < n; i++) {
		char below[PATH_BYTES];

		if (r >= 0 && (size_t)snprintf(below, sizeof(below), "%s/%s", path, names[i]->d_name) < sizeof(below))
			r = add_path(f, below, depth + 1, err);
		free(names[i]);
	}
	if (depth < DEPTH_MAX)
		free(names);
	return r;
}

int ctl_files_read(const char *const *paths, size_t count, struct ctl_files *ret, struct err *err)
{
	int r = 0;

	*ret = (struct ctl_files){ 0 };
	for (size_t i = 0; i < count && r >= 0; i++)
		r = add_path(ret, paths[i], 0, err);
	return r;
}

static int load(const struct ctl_files *f, bool is_lenient, struct ruleset **ret, struct err *err)
{
	struct ruleset_text *texts = calloc(f->count + 1, sizeof(*texts));

	if (!texts)
		return err_set(err, ENOMEM, "rules");
	for (size_t i = 0; i < f->count; i++)
		texts[i] = (struct ruleset_text){ f->items[i].name, buf_slice(&f->items[i].text) };
	int r = ruleset_of_texts(texts, f->count, is_lenient, ret, err);
	free(texts);
	return r;
}

/* ---- lint ---- */

static void write_lint(const struct ruleset *rs, struct buf *out)
{
	size_t rules = 0, correlations = 0, blind = 0, errors = 0;
	struct json j;

	for (size_t i = 0; i < rs->count; i++) {
		const struct ruleset_rule *x = &rs->rules[i];

		if (ruleset_is_shipped(x))
			continue;
		rules += !x->correlation;
		correlations += x->correlation != NULL;
		blind += !x->correlation && !x->can_match;
	}
	json_init(&j, out);
	json_object_open(&j);
	json_kv_bool(&j, "ok", !rs->error_count);
	json_kv_u64(&j, "rules", rules);
	json_kv_u64(&j, "correlations", correlations);
	json_kv_u64(&j, "cannot_match", blind);
	json_kv_u64(&j, "error_count", rs->error_count);
	json_kv_array(&j, "errors");
	for (; errors < rs->error_count && errors < RULESET_ERRORS_MAX; errors++)
		json_str(&j, slice_of(rs->errors[errors]));
	json_array_close(&j);
	json_kv_array(&j, "notes");
	for (size_t i = 0; i < rs->notes.count; i++) {
		const struct sigma_note *n = &rs->notes.items[i];

		if (slice_starts(slice_of(n->file), SLICE_LIT("shipped/")))
			continue;
		json_object_open(&j);
		json_kv_str(&j, "file", n->file);
		json_kv_u64(&j, "line", n->line);
		json_kv_u64(&j, "column", n->column);
		json_kv_str(&j, "rule", n->rule);
		json_kv_str(&j, "message", n->what);
		json_object_close(&j);
	}
	json_array_close(&j);
	json_kv_u64(&j, "notes_dropped", rs->notes.dropped);
	json_object_close(&j);
}

static void print_shown(struct ctl *c, const char *before, const char *text)
{
	CLEANUP(buf_finip) struct buf shown = { 0 };

	show_text(&shown, slice_of(text), 1000);
	fprintf(c->out, "%s%s\n", before, shown.n ? shown.p : "");
}

static void print_lint(struct ctl *c, const cJSON *doc)
{
	const cJSON *one;
	char line[600];

	cJSON_ArrayForEach(one, ctl_at(doc, "errors")) print_shown(c, "error: ", one->valuestring);
	cJSON_ArrayForEach(one, ctl_at(doc, "notes"))
	{
		snprintf(line, sizeof(line), "%.200s:%" PRIu64 ":%" PRIu64 ": %.350s", ctl_str(one, "file"), json_get_u64(one, "line", 0),
			 json_get_u64(one, "column", 0), ctl_str(one, "message"));
		print_shown(c, "note: ", line);
	}
	fprintf(c->out, "%" PRIu64 " rules, %" PRIu64 " correlations, %" PRIu64 " errors, %d notes, %" PRIu64 " rules that can never match\n",
		json_get_u64(doc, "rules", 0), json_get_u64(doc, "correlations", 0), json_get_u64(doc, "error_count", 0),
		cJSON_GetArraySize(ctl_at(doc, "notes")), json_get_u64(doc, "cannot_match", 0));
}

/* A document of our own, as one of the API's. */
static int print_own(struct ctl *c, const struct buf *out, void (*print)(struct ctl *c, const cJSON *doc), struct err *err)
{
	CLEANUP(cJSON_Deletep) cJSON *doc = NULL;
	int r = out->failed ? err_set(err, ERR_LIMIT, "the answer is too large") : json_parse(buf_slice(out), ANSWER_BYTES, &doc, err);

	return r < 0 ? r : ctl_print_doc(c, buf_slice(out), doc, print, err);
}

int ctl_rule_lint(struct ctl *c, struct err *err)
{
	CLEANUP(ruleset_freep) struct ruleset *rs = NULL;
	CLEANUP(buf_finip) struct buf out = { 0 };
	struct ctl_files files = { 0 };

	if (!c->arg_count)
		return err_set(err, ERR_USAGE, "%s lint needs files or folders", c->noun);
	int r = ctl_files_read(c->args, c->arg_count, &files, err);
	if (r >= 0)
		r = load(&files, true, &rs, err);
	if (r >= 0) {
		buf_init(&out, ANSWER_BYTES);
		write_lint(rs, &out);
		r = print_own(c, &out, print_lint, err);
	}
	if (r >= 0 && rs->error_count)
		r = err_set(err, ERR_SYNTAX, "%zu errors", rs->error_count);
	ctl_files_fini(&files);
	return r;
}

/* ---- test ---- */

static void write_test(const struct timeline_result *t, struct buf *out)
{
	size_t kept = t->firing_count < TIMELINE_FIRINGS_MAX ? t->firing_count : TIMELINE_FIRINGS_MAX;
	struct json j;

	json_init(&j, out);
	json_object_open(&j);
	json_kv_bool(&j, "ok", !t->failure_count);
	json_kv_u64(&j, "events", t->events);
	json_kv_u64(&j, "late", t->late);
	json_kv_u64(&j, "fired", t->firing_count);
	json_kv_array(&j, "firings");
	for (size_t i = 0; i < kept; i++) {
		json_object_open(&j);
		json_kv_time(&j, "time", t->firings[i].time_unix_ns);
		json_kv_str(&j, "rule", t->firings[i].rule);
		json_key(&j, "group");
		json_raw(&j, slice_of(t->firings[i].group ? t->firings[i].group : "{}"));
		json_key(&j, "value");
		json_f64(&j, t->firings[i].value);
		json_object_close(&j);
	}
	json_array_close(&j);
	json_kv_array(&j, "failures");
	for (size_t i = 0; i < t->failure_count && i < TIMELINE_EXPECTS_MAX; i++)
		json_str(&j, slice_of(t->failures[i]));
	json_array_close(&j);
	json_object_close(&j);
}

static void add_group(const cJSON *row, struct buf *out)
{
	const cJSON *one;

	cJSON_ArrayForEach(one, ctl_at(row, "group"))
	{
		buf_printf(out, "%s%s=", out->n ? " " : "", one->string);
		ctl_value(one, out);
	}
}

static const struct ctl_column firing_columns[] = {
	{ .title = "TIME", .path = "time" },
	{ .title = "RULE", .path = "rule", .may_shrink = true },
	{ .title = "VALUE", .path = "value" },
	{ .title = "GROUP", .value = add_group, .may_shrink = true },
};
static const struct ctl_view firing_view = { .path = "", .columns = firing_columns, .column_count = ARRAY_LEN(firing_columns) };

static void print_test(struct ctl *c, const cJSON *doc)
{
	const cJSON *one;

	(void)ctl_print_list(c, NULL, &firing_view, ctl_at(doc, "firings"));
	cJSON_ArrayForEach(one, ctl_at(doc, "failures")) print_shown(c, "not as expected: ", one->valuestring);
	fprintf(c->out, "%" PRIu64 " events, %" PRIu64 " firings: %s\n", json_get_u64(doc, "events", 0), json_get_u64(doc, "fired", 0),
		json_get_bool(doc, "ok", false) ? "as expected" : "not as expected");
}

int ctl_rule_test(struct ctl *c, struct err *err)
{
	CLEANUP(ruleset_freep) struct ruleset *rs = NULL;
	CLEANUP(arena_freep) struct arena *a = arena_new(RESULT_ARENA_BYTES);
	CLEANUP(buf_finip) struct buf out = { 0 }, text = { 0 };
	struct timeline_result t = { 0 };
	struct ctl_files files = { 0 };

	if (c->arg_count < 2 || !a)
		return err_set(err, ERR_USAGE, "%s test needs files of rules, and behind them a file of events", c->noun);
	const char *timeline = c->args[c->arg_count - 1];
	int r = ctl_files_read(c->args, c->arg_count - 1, &files, err);
	if (r >= 0)
		r = load(&files, false, &rs, err);
	if (r >= 0)
		r = file_read(timeline, TIMELINE_BYTES_MAX, &text, err);
	if (r >= 0)
		r = timeline_run(rs, timeline, buf_slice(&text), a, &t, err);
	if (r >= 0) {
		buf_init(&out, ANSWER_BYTES);
		write_test(&t, &out);
		r = print_own(c, &out, print_test, err);
	}
	ctl_files_fini(&files);
	if (r >= 0 && t.failure_count)
		return err_set(err, EIO, "%zu expectations are not met", t.failure_count);
	return r;
}

/* ---- list ---- */

static const struct ctl_column rule_columns[] = {
	{ .title = "NAME", .path = "name", .may_shrink = true, .hide = 2 },
	{ .title = "TITLE", .path = "title", .may_shrink = true },
	{ .title = "LEVEL", .path = "level" },
	{ .title = "SOURCE", .path = "source" },
	{ .title = "ALERTS", .path = "alerts", .form = CTL_YES },
	{ .title = "CORRELATED", .path = "correlated", .form = CTL_YES, .hide = 1 },
	{ .title = "CAN_MATCH", .path = "can_match", .form = CTL_YES, .hide = 1 },
	{ .title = "FIRED", .path = "fired" },
	{ .title = "LAST", .path = "last_fired", .form = CTL_AGE },
	{ .title = "FILE", .path = "file", .is_wide = true },
	{ .title = "ID", .path = "id", .is_wide = true },
};
static const struct ctl_view rule_view = { .path = "/api/v1/rules", .columns = rule_columns, .column_count = ARRAY_LEN(rule_columns) };

static void add_group_by(const cJSON *row, struct buf *out)
{
	ctl_join(ctl_at(row, "group_by"), out);
}

static const struct ctl_column correlation_columns[] = {
	{ .title = "NAME", .path = "name", .may_shrink = true },
	{ .title = "LEVEL", .path = "level" },
	{ .title = "TYPE", .path = "type", .hide = 1 },
	{ .title = "HITS", .path = "hits" },
	{ .title = "GROUPS", .path = "groups" },
	{ .title = "EVICTED", .path = "evicted" },
	{ .title = "FIRED", .path = "fired" },
	{ .title = "LAST", .path = "last_fired", .form = CTL_AGE },
	{ .title = "ALERTS", .path = "alerts", .form = CTL_YES },
	{ .title = "TITLE", .path = "title", .may_shrink = true, .hide = 2 },
	{ .title = "GROUP_BY", .value = add_group_by, .is_wide = true },
	{ .title = "TIMESPAN", .path = "timespan_seconds", .is_wide = true },
	{ .title = "LATE", .path = "late", .is_wide = true },
	{ .title = "WITHOUT_GROUP", .path = "without_group", .is_wide = true },
	{ .title = "BYTES", .path = "bytes", .is_wide = true },
	{ .title = "FILE", .path = "file", .is_wide = true },
	{ .title = "ID", .path = "id", .is_wide = true },
};
static const struct ctl_view correlation_view = { .path = "/api/v1/correlations", .columns = correlation_columns,
						   .column_count = ARRAY_LEN(correlation_columns) };

int ctl_print_rows(struct ctl *c, const struct ctl_view *view, const cJSON *doc, const cJSON *list, struct err *err)
{
	const cJSON *one;

	if (c->format == CTL_CSV) {
		ctl_print_csv(c, view, list);
	} else if (ctl_is_table(c)) {
		(void)ctl_print_list(c, NULL, view, list);
	} else if (c->format == CTL_NDJSON) {
		cJSON_ArrayForEach(one, list)
		{
			CLEANUP(buf_finip) struct buf safe = { 0 };
			char *raw = cJSON_PrintUnformatted(one);

			if (!raw)
				return err_set(err, ENOMEM, "rows");
			ctl_json_safe(slice_of(raw), &safe);
			fprintf(c->out, "%s\n", safe.p);
			free(raw);
		}
	} else {
		char *raw = cJSON_PrintUnformatted(doc);

		if (!raw)
			return err_set(err, ENOMEM, "rows");
		ctl_print_one(c, slice_of(raw), doc);
		free(raw);
	}
	return 0;
}

int ctl_rule_list(struct ctl *c, struct err *err)
{
	const struct ctl_view *view = strcmp(c->noun, "rule") ? &correlation_view : &rule_view;
	CLEANUP(buf_finip) struct buf raw = { 0 };
	CLEANUP(cJSON_Deletep) cJSON *doc = NULL;

	if (c->arg_count)
		return err_set(err, ERR_USAGE, "%s list takes no words", c->noun);
	int r = ctl_get(c, view->path, NULL, &raw, &doc, err);
	if (r >= 0)
		r = ctl_print_rows(c, view, doc, ctl_at(doc, "items"), err);
	if (r >= 0 && ctl_str(doc, "error")[0])
		fprintf(stderr, "picketctl: the collector could not load its files: %.240s\n", ctl_str(doc, "error"));
	return r;
}
