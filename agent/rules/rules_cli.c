/* rules_cli.c - see rules_cli.h. Data to standard output, one line an error to standard error. */
#include "agent/rules/rules_cli.h"

#include <errno.h>

#include <cjson/cJSON.h>

#include "agent/rules/rules.h"
#include "agent/rules/rules_json.h"
#include "agent/rules/rules_list.h"
#include "common/file.h"
#include "common/json.h"

enum { EVENT_MAX = 1 << 20, FILES_MAX = 256 };

static const char usage_text[] =
	"usage: picket-agent rules check FILE... [--json]\n"
	"       picket-agent rules list FILE... [--json]\n"
	"       picket-agent rules parse CONDITION\n"
	"       picket-agent rules compile CONDITION\n"
	"       picket-agent rules eval CONDITION --event FILE\n";

static int usage(void)
{
	fputs(usage_text, stderr);
	return err_exit_code(ERR_USAGE);
}

static int fail(const struct err *err)
{
	fprintf(stderr, "picket-agent: %s\n", err->msg);
	return err_exit_code(err->code);
}

/* ---- check ---- */

static void print_messages(const struct rules_report *r)
{
	for (size_t i = 0; i < r->count; i++) {
		const struct rules_message *m = &r->messages[i];

		fprintf(stderr, "%s:%u:%u: %s: %s\n", m->file, m->line, m->column,
			m->is_error ? "error" : "warning", m->text);
	}
}

static void json_messages(struct json *j, const char *key, const struct rules_report *r, bool errors)
{
	json_kv_array(j, key);
	for (size_t i = 0; i < r->count; i++) {
		const struct rules_message *m = &r->messages[i];

		if (m->is_error != errors)
			continue;
		json_object_open(j);
		json_kv_str(j, "file", m->file);
		json_kv_u64(j, "line", m->line);
		json_kv_u64(j, "column", m->column);
		json_kv_str(j, "message", m->text);
		json_object_close(j);
	}
	json_array_close(j);
}

static void json_name(void *arg, const char *name)
{
	json_str(arg, slice_of(name));
}

/* A file that can't be read is an error of the set like any other. */
static void json_check(const struct rules *r, const struct rules_report *report, const struct err *err)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct json j;

	buf_init(&b, 0);
	json_init(&j, &b);
	json_object_open(&j);
	json_kv_bool(&j, "ok", r != NULL);
	json_kv_u64(&j, "rules", report->rules);
	json_kv_u64(&j, "macros", report->macros);
	json_kv_u64(&j, "lists", report->lists);
	if (!r && !report->errors) {
		json_kv_array(&j, "errors");
		json_object_open(&j);
		json_kv_str(&j, "message", err->msg);
		json_object_close(&j);
		json_array_close(&j);
	} else {
		json_messages(&j, "errors", report, true);
	}
	json_messages(&j, "warnings", report, false);
	json_kv_array(&j, "events");
	if (r && rules_wants_all(r))
		json_str(&j, SLICE_LIT("*"));
	if (r)
		rules_each_type(r, json_name, &j);
	json_array_close(&j);
	json_kv_array(&j, "fields");
	if (r)
		rules_each_field(r, json_name, &j);
	json_array_close(&j);
	json_object_close(&j);
	printf("%.*s\n", (int)b.n, b.p);
}

static void print_counts(const struct rules_report *r)
{
	for (size_t i = 0; i < r->file_count; i++) {
		const struct rules_file_count *f = &r->files[i];

		printf("%s: %zu rules, %zu macros, %zu lists, %zu warnings\n", f->file, f->rules, f->macros,
		       f->lists, f->warnings);
	}
}

static int check(const char *const *paths, size_t count, bool as_json)
{
	CLEANUP(rules_freep) struct rules *r = NULL;
	struct rules_report report = { 0 };
	struct err err = { 0 };
	int result = rules_load(paths, count, &r, &report, &err);

	if (as_json)
		json_check(r, &report, &err);
	else
		print_messages(&report);
	if (result < 0 && !report.errors)
		fprintf(stderr, "picket-agent: %s%s\n", err.msg,
			err.code == EISDIR ? "; name the files in it" : "");
	if (result >= 0 && !as_json)
		print_counts(&report);
	rules_report_fini(&report);
	return result < 0 ? err_exit_code(err.code) : 0;
}

/* ---- list ---- */

static int list(const char *const *paths, size_t count, bool as_json)
{
	CLEANUP(rules_freep) struct rules *r = NULL;
	CLEANUP(buf_finip) struct buf out = { 0 };
	struct rules_report report = { 0 };
	struct err err = { 0 };
	int result = rules_load(paths, count, &r, &report, &err);

	buf_init(&out, 0);
	if (result < 0) {
		print_messages(&report);
		if (!report.errors)
			fprintf(stderr, "picket-agent: %s\n", err.msg);
	} else if (as_json) {
		rules_list_json(r, &out);
	} else {
		rules_list_text(r, &out);
	}
	rules_report_fini(&report);
	if (out.failed)
		return fail(&(struct err){ ENOMEM, "list the rules" });
	printf("%.*s", (int)out.n, out.n ? out.p : "");
	return result < 0 ? err_exit_code(err.code) : 0;
}

/* ---- FILE... [--json] ---- */

static int cli_files(int argc, char **argv, int (*fn)(const char *const *paths, size_t count, bool as_json))
{
	const char *paths[FILES_MAX];
	size_t count = 0;
	bool as_json = false;

	for (int i = 0; i < argc; i++) {
		if (!strcmp(argv[i], "--json"))
			as_json = true;
		else if (argv[i][0] == '-' && argv[i][1])
			return usage();
		else if (count == FILES_MAX)
			return usage();
		else
			paths[count++] = argv[i];
	}
	return count ? fn(paths, count, as_json) : usage();
}

/* ---- one condition ---- */

static int cli_condition(int argc, char **argv, int (*fn)(struct slice text, struct err *err))
{
	struct err err = { 0 };

	if (argc != 1)
		return usage();
	return fn(slice_of(argv[0]), &err) < 0 ? fail(&err) : 0;
}

static int eval(const char *condition, const char *path)
{
	CLEANUP(buf_finip) struct buf text = { 0 };
	CLEANUP(cJSON_Deletep) cJSON *event = NULL;
	struct err err = { 0 };
	bool matches = false;

	int r = file_read(path, EVENT_MAX, &text, &err);
	if (r >= 0)
		r = json_parse(buf_slice(&text), EVENT_MAX, &event, &err);
	if (r < 0) {
		(void)err_wrap(&err, r, "%s", path);
		return fail(&err);
	}
	if (!cJSON_IsObject(event)) {
		fprintf(stderr, "%s:1:1: the event must be a JSON object of field names and values\n", path);
		return err_exit_code(ERR_SYNTAX);
	}
	struct rules_source src = rules_json_source(event);
	if (rules_eval_condition(slice_of(condition), &src, &matches, &err) < 0)
		return fail(&err);
	puts(matches ? "true" : "false");
	return 0;
}

static int cli_eval(int argc, char **argv)
{
	const char *condition = NULL, *path = NULL;

	for (int i = 0; i < argc; i++) {
		if (!strcmp(argv[i], "--event") && i + 1 < argc)
			path = argv[++i];
		else if (!strncmp(argv[i], "--event=", 8))
			path = argv[i] + 8;
		else if (!condition)
			condition = argv[i];
		else
			return usage();
	}
	return condition && path ? eval(condition, path) : usage();
}

int rules_cli(int argc, char **argv)
{
	if (argc < 2)
		return usage();
	if (!strcmp(argv[1], "check"))
		return cli_files(argc - 2, argv + 2, check);
	if (!strcmp(argv[1], "list"))
		return cli_files(argc - 2, argv + 2, list);
	if (!strcmp(argv[1], "parse"))
		return cli_condition(argc - 2, argv + 2, rules_parse_condition);
	if (!strcmp(argv[1], "compile"))
		return cli_condition(argc - 2, argv + 2, rules_compile_condition);
	if (!strcmp(argv[1], "eval"))
		return cli_eval(argc - 2, argv + 2);
	if (!strcmp(argv[1], "--help")) {
		fputs(usage_text, stdout);
		return 0;
	}
	return usage();
}
