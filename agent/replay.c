/* replay.c - see replay.h. One line at a time: a recording may be larger than memory. */
#include "agent/replay.h"

#include <errno.h>
#include <inttypes.h>

#include "agent/replay_event.h"
#include "agent/rule_files.h"
#include "agent/rules/rules.h"
#include "agent/rules/rules_json.h"
#include "common/show.h"
#include "common/text.h"

enum { PATHS_MAX = 64, FIRED_MAX = 4096, SHOWN_CHARS = 16384 };

static const char usage_text[] =
	"usage: picket-agent replay --rules FILE... --events FILE [--matching all|first] [--json]\n"
	"\n"
	"  --rules FILE...   rule files, or folders of them, in order\n"
	"  --events FILE     one JSON object a line: of `picket-agent run --record FILE`, or of\n"
	"                    `picketctl event search -o ndjson`; - reads standard input\n"
	"  --matching first  only the first rule that matches an event, as Falco's default\n"
	"  --json            one JSON object for each match, as Falco's json_output\n";

struct replay {
	const char *rule_paths[PATHS_MAX];
	size_t rule_path_count;
	const char *events;
	enum rules_matching matching;
	bool as_json;

	struct rules *rules;
	const cJSON *event; /* under way */
	uint64_t lines, judged, skipped, matches;
	struct fired {
		const char *rule; /* borrowed from the rules */
		uint64_t count;
	} *fired;
	size_t fired_count;
	struct buf out;
};

static int usage(void)
{
	fputs(usage_text, stderr);
	return err_exit_code(ERR_USAGE);
}

/* ---- what fired ---- */

static void count_fired(struct replay *r, const char *rule)
{
	size_t i = 0;

	r->matches++;
	while (i < r->fired_count && strcmp(r->fired[i].rule, rule) != 0)
		i++;
	if (i == FIRED_MAX)
		return;
	if (i == r->fired_count)
		r->fired[r->fired_count++].rule = rule;
	r->fired[i].count++;
}

static void print_line(struct replay *r, const struct rules_match *m)
{
	buf_reset(&r->out);
	show_text(&r->out, json_get_str(r->event, "evt.time"), 64);
	if (r->out.n)
		buf_add_str(&r->out, ": ");
	buf_printf(&r->out, "%s ", rules_priority_name(m->priority));
	show_text(&r->out, m->output, SHOWN_CHARS);
	printf("%s\n", r->out.p);
}

static void print_json(struct replay *r, const struct rules_match *m)
{
	struct slice time = json_get_str(r->event, "evt.time.iso8601"), host = json_get_str(r->event, "evt.hostname");
	struct json j;

	buf_reset(&r->out);
	json_init(&j, &r->out);
	json_object_open(&j);
	json_key(&j, "time");
	if (time.n)
		json_str(&j, time);
	else
		json_null(&j);
	json_kv_str(&j, "rule", m->rule);
	json_kv_str(&j, "priority", rules_priority_name(m->priority));
	json_kv_str(&j, "source", m->source ? m->source : "syscall");
	json_kv_slice(&j, "hostname", host);
	json_kv_slice(&j, "output", m->output);
	json_kv_array(&j, "tags");
	for (size_t i = 0; i < m->tag_count; i++)
		json_str(&j, slice_of(m->tags[i]));
	json_array_close(&j);
	json_kv_object(&j, "output_fields");
	for (size_t i = 0; i < m->field_count; i++)
		json_kv_slice(&j, m->fields[i].name, m->fields[i].text);
	json_object_close(&j);
	json_kv_u64(&j, "line", r->lines);
	json_object_close(&j);
	if (!r->out.failed)
		printf("%s\n", r->out.p);
}

static void on_match(void *arg, const struct rules_match *m)
{
	struct replay *r = arg;

	count_fired(r, m->rule);
	if (r->as_json)
		print_json(r, m);
	else
		print_line(r, m);
}

/* ---- what comes in ---- */

static int judge(struct replay *r, struct slice line, struct err *err)
{
	CLEANUP(cJSON_Deletep) cJSON *event = NULL;
	struct err why;
	int e = replay_event(line, &event, &why);

	if (e < 0)
		return err_set(err, why.code, "%s:%" PRIu64 ":%s%s", r->events, r->lines,
			       why.code == ERR_SYNTAX ? "" : "1: ", why.msg);
	if (!e) {
		r->skipped += slice_trim(line).n > 0;
		return 0;
	}
	struct rules_source src = rules_json_source(event);
	r->event = event;
	r->judged++;
	rules_eval(r->rules, json_get_str(event, "evt.type").p, &src, on_match, r);
	return 0;
}

/* Returns 1 with a line, 0 at the end. The last one may lack its line end: *ret_is_whole. */
static int read_line(FILE *f, struct buf *line, bool *ret_is_whole, struct err *err)
{
	int c = 0;

	buf_reset(line);
	*ret_is_whole = false;
	while ((c = getc_unlocked(f)) != EOF && c != '\n') {
		if (line->n == REPLAY_LINE_MAX)
			return err_set(err, ERR_SYNTAX, "longer than 1 MiB");
		buf_add_char(line, (char)c);
	}
	if (ferror(f))
		return err_set(err, errno ? errno : EIO, "read");
	*ret_is_whole = c == '\n';
	return c == '\n' || line->n;
}

static int run_events(struct replay *r, FILE *f, struct err *err)
{
	CLEANUP(buf_finip) struct buf line = { 0 };
	bool is_whole;
	int e;

	buf_init(&line, REPLAY_LINE_MAX + 1);
	while ((e = read_line(f, &line, &is_whole, err)) > 0) {
		r->lines++;
		e = judge(r, buf_slice(&line), err);
		if (e < 0 && !is_whole && r->lines > 1) { /* the recorder was stopped in the middle of it */
			fprintf(stderr, "picket-agent: %s; the last line is cut, left out\n", err->msg);
			return 0;
		}
		if (e < 0)
			return e;
	}
	return e < 0 ? err_set(err, err->code, "%s:%" PRIu64 ":1: %s", r->events, r->lines + 1, err->msg) : 0;
}

static int load(struct replay *r, struct err *err)
{
	CLEANUP(rule_files_fini) struct rule_files files = { 0 };
	struct rules_report report = { 0 };
	int e = rule_files_find(r->rule_paths, r->rule_path_count, &files, err);

	if (e >= 0)
		e = rules_load((const char *const *)files.paths, files.count, &r->rules, &report, err);
	for (size_t i = 0; i < report.count; i++)
		if (!report.messages[i].is_error)
			fprintf(stderr, "%s:%u:%u: warning: %s\n", report.messages[i].file, report.messages[i].line,
				report.messages[i].column, report.messages[i].text);
	rules_report_fini(&report);
	if (e >= 0)
		rules_set_matching(r->rules, r->matching);
	return e;
}

static void print_summary(const struct replay *r)
{
	fprintf(stderr, "%" PRIu64 " events, %" PRIu64 " records that are none, %" PRIu64 " matches of %zu rules\n",
		r->judged, r->skipped, r->matches, r->fired_count);
	for (size_t i = 0; i < r->fired_count; i++)
		fprintf(stderr, "%8" PRIu64 "  %s\n", r->fired[i].count, r->fired[i].rule);
}

static int run(struct replay *r, struct err *err)
{
	CLEANUP(fclosep) FILE *opened = NULL;
	int e = load(r, err);

	if (e < 0)
		return e;
	r->fired = calloc(FIRED_MAX, sizeof(*r->fired));
	if (!r->fired)
		return err_set(err, ENOMEM, "replay");
	bool is_stdin = !strcmp(r->events, "-");
	if (!is_stdin)
		opened = fopen(r->events, "re");
	if (!is_stdin && !opened)
		return err_set(err, errno, "events '%s'", r->events);
	buf_init(&r->out, 1 << 20);
	e = run_events(r, is_stdin ? stdin : opened, err);
	print_summary(r);
	return e;
}

/* ---- the command line ---- */

/* "--name VALUE" or "--name=VALUE". */
static const char *option_value(int argc, char **argv, int *at, const char *name)
{
	size_t n = strlen(name);

	if (strncmp(argv[*at], name, n) != 0)
		return NULL;
	if (argv[*at][n] == '=')
		return argv[*at] + n + 1;
	return !argv[*at][n] && *at + 1 < argc ? argv[++*at] : NULL;
}

static bool parse(struct replay *r, int argc, char **argv)
{
	bool are_rules = false; /* what follows --rules without a dash is one, too */

	for (int i = 1; i < argc; i++) {
		const char *value;
		bool is_rule = false;

		if (!strcmp(argv[i], "--json")) {
			r->as_json = true;
		} else if ((value = option_value(argc, argv, &i, "--events"))) {
			r->events = value;
		} else if ((value = option_value(argc, argv, &i, "--matching"))) {
			r->matching = !strcmp(value, "first") ? RULES_MATCH_FIRST : RULES_MATCH_ALL;
			if (strcmp(value, "first") != 0 && strcmp(value, "all") != 0)
				return false;
		} else if ((value = option_value(argc, argv, &i, "--rules")) || (are_rules && argv[i][0] != '-')) {
			if (r->rule_path_count == PATHS_MAX)
				return false;
			r->rule_paths[r->rule_path_count++] = value ? value : argv[i];
			is_rule = true;
		} else {
			return false;
		}
		are_rules = is_rule;
	}
	return r->events && r->rule_path_count;
}

int replay_cli(int argc, char **argv)
{
	struct replay r = { .matching = RULES_MATCH_ALL };
	struct err err = { 0 };

	if (!parse(&r, argc, argv))
		return usage();
	int e = run(&r, &err);
	fflush(stdout);
	rules_free(r.rules);
	free(r.fired);
	buf_fini(&r.out);
	if (e >= 0)
		return 0;
	fprintf(stderr, "picket-agent: %s\n", err.msg);
	return err_exit_code(err.code);
}
