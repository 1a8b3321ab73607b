/* ctl.h - picketctl's parts: the command line, the API's client, rows as table, JSON, YAML or CSV.
 *
 * Data goes to standard output, the rest to standard error. What hosts and containers chose is
 * escaped wherever it may meet a terminal. */
#pragma once
#include <time.h>

#include "common/buf.h"
#include "common/json.h"

enum ctl_format { CTL_AUTO, CTL_TABLE, CTL_WIDE, CTL_JSON, CTL_NDJSON, CTL_YAML, CTL_CSV };

enum { CTL_ARGS_MAX = 64, CTL_LIMIT_DEFAULT = 100, CTL_EXIT_TIMEOUT = 7 };

struct ctl {
	/* where: option, else environment, else ~/.config/picket/config.yaml; owned strings */
	char *server, *token_file, *ca;
	enum ctl_format format;
	const char *since, *until, *comment, *reason, *image, *package, *subject, *host,
		*from, *fields, *sort; /* nullable, borrowed from argv */
	const char *groups[16], *at; /* --group NAME=VALUE, as often as needed; at: nullable */
	size_t group_count;
	uint64_t limit, timeout_ms; /* 0: the defaults */
	bool is_watching, wants_help, is_oldest_first, wants_ended, wants_yes, wants_force, wants_all, has_limit;
	const char *noun, *verb;	   /* nullable */
	const char *args[CTL_ARGS_MAX]; /* what follows the verb: filter, or ids */
	size_t arg_count;
	/* how it is shown */
	bool is_tty, has_colour;
	size_t columns; /* of the terminal; 0 = any width */
	FILE *out;
	struct buf token;
};

/* ctl_args.c: argv -> ctl. Error: ERR_USAGE. */
int ctl_args(struct ctl *c, int argc, char **argv, struct err *err) WARN_UNUSED;
/* The environment and the config file, for what the options left open. */
int ctl_settings(struct ctl *c, struct err *err) WARN_UNUSED;
/* Only how it is shown: for what asks no server. */
void ctl_terminal(struct ctl *c);
void ctl_fini(struct ctl *c);
/* The words after the verb as one filter; words with blanks get their quotes back. */
void ctl_filter(const struct ctl *c, struct buf *out);

/* ctl_http.c */
/* Appends "name=value" with what it needs before it (? or &), percent-encoded; value NULL: nothing. */
void ctl_query(struct buf *path, const char *name, const char *value);
void ctl_escape_path(struct buf *path, const char *segment);
/* body NULL: GET. Answers of 400 and more become errors: ERR_USAGE, ERR_DENIED, ERR_NOT_FOUND, EIO. */
int ctl_request(struct ctl *c, const char *path, const struct slice *body, struct buf *ret,
		struct err *err) WARN_UNUSED;

/* ctl_table.c */
enum ctl_form { CTL_AS_IS, CTL_AGE, CTL_YES }; /* CTL_YES: of true; else nothing */
struct ctl_column {
	const char *title; /* upper case, stable: scripts cut by it */
	const char *path;  /* "container.name" */
	enum ctl_form form; /* in tables; CSV has it as it is */
	void (*value)(const cJSON *row, struct buf *out); /* instead of path; unescaped text */
	bool is_wide; /* only with -o wide and csv */
	bool may_shrink;
	unsigned hide; /* on a narrow terminal the highest goes first; 0 stays */
};
struct ctl_view {
	const char *path; /* of the API: "/api/v1/alerts" */
	const struct ctl_column *columns;
	size_t column_count;
	bool has_times; /* takes since, until and order */
	bool has_risk;	/* takes --sort risk */
};
struct ctl_table {
	const struct ctl_view *view;
	size_t widths[24];
	bool is_hidden[24];
	bool has_header;
};
const cJSON *ctl_at(const cJSON *row, const char *path);
/* The text of a value: strings as they are, numbers, "" for null. Unescaped. */
void ctl_value(const cJSON *v, struct buf *out);
/* "12 process, 3 volume" of the API's "lost"; false and dst as it was: nothing was. */
enum { CTL_LOST_BYTES = 160 };
bool ctl_lost(const cJSON *lost, char dst[CTL_LOST_BYTES]);
/* The gaps that an answer touches, a line each. */
enum { CTL_GAPS_BYTES = 4096 };
void ctl_gaps(const cJSON *lost, char dst[CTL_GAPS_BYTES]);
void ctl_table_print(struct ctl *c, struct ctl_table *t, cJSON *const *rows, size_t count);
/* Begins the severity's colour; true: end it with "\033[0m". */
bool ctl_severity(const struct ctl *c, const char *severity, struct buf *out);

/* ctl_text.c */
/* JSON as it came, without characters that a terminal obeys. */
void ctl_json_safe(struct slice json, struct buf *out);
void ctl_yaml(const cJSON *v, unsigned indent, struct buf *out);
void ctl_csv_header(const struct ctl_view *view, struct buf *out);
void ctl_csv_row(const struct ctl_view *view, const cJSON *row, struct buf *out);
/* How long ago an RFC 3339 time was, in one unit: "12s", "3m", "5h", "8d". */
void ctl_age(const char *time, struct buf *out);

/* ctl_list.c: asks for pages, prints rows, watches. Returns an exit code or a negative error. */
int ctl_list(struct ctl *c, const struct ctl_view *view, struct err *err) WARN_UNUSED;
/* All rows of a list, a page at a time, as NDJSON or CSV. */
int ctl_export(struct ctl *c, const struct ctl_view *view, struct err *err) WARN_UNUSED;
/* One document, in every format but the table. */
void ctl_print_one(struct ctl *c, struct slice raw, const cJSON *doc);

/* ctl_alert.c, ctl_fleet.c: the verbs. */
int ctl_alert_list(struct ctl *c, struct err *err);
int ctl_alert_show(struct ctl *c, struct err *err);
int ctl_alert_change(struct ctl *c, struct err *err);
int ctl_one_id(const struct ctl *c, struct err *err);
void ctl_alert_print(struct ctl *c, struct slice raw, const cJSON *doc);
int ctl_alert_except(struct ctl *c, struct err *err);
int ctl_alert_noise(struct ctl *c, struct err *err);
int ctl_exception_list(struct ctl *c, struct err *err);
int ctl_exception_end(struct ctl *c, struct err *err);
int ctl_silence_list(struct ctl *c, struct err *err);
int ctl_silence_create(struct ctl *c, struct err *err);
int ctl_silence_preview(struct ctl *c, struct err *err);
int ctl_inhibition_list(struct ctl *c, struct err *err);
int ctl_escalation_list(struct ctl *c, struct err *err);
int ctl_silence_expire(struct ctl *c, struct err *err);
/* ctl_sum.c: asks with cursor after cursor, and adds the answers up; *ret: caller deletes. */
int ctl_sum(struct ctl *c, int (*ask)(struct ctl *c, const char *cursor, void *arg, cJSON **ret, struct err *err), void *arg,
	    cJSON **ret, struct err *err) WARN_UNUSED;
/* An ask: what a filter (arg, a char *) over alerts comes to. */
int ctl_sum_alerts(struct ctl *c, const char *cursor, void *arg, cJSON **ret, struct err *err);
void ctl_sum_line(const cJSON *sum, struct buf *out);
void ctl_sum_print(struct ctl *c, const cJSON *sum);
int ctl_event_search(struct ctl *c, struct err *err);
int ctl_event_export(struct ctl *c, struct err *err);
/* ctl_history.c */
int ctl_history_list(struct ctl *c, struct err *err);
int ctl_history_ask(struct ctl *c, struct err *err);
extern const struct ctl_view ctl_event_view;
int ctl_audit_list(struct ctl *c, struct err *err);
int ctl_host_list(struct ctl *c, struct err *err);
int ctl_host_show(struct ctl *c, struct err *err);
int ctl_status(struct ctl *c, struct err *err);
int ctl_metrics(struct ctl *c, struct err *err);

/* ctl_image.c, ctl_vuln.c */
int ctl_image_list(struct ctl *c, struct err *err);
int ctl_image_show(struct ctl *c, struct err *err);
int ctl_vuln_list(struct ctl *c, struct err *err);
int ctl_vuln_show(struct ctl *c, struct err *err);
int ctl_vuln_accept(struct ctl *c, struct err *err);
int ctl_vuln_accepted(struct ctl *c, struct err *err);
int ctl_vuln_unaccept(struct ctl *c, struct err *err);
/* ctl_finding.c, ctl_policy.c */
int ctl_finding_list(struct ctl *c, struct err *err);
int ctl_finding_show(struct ctl *c, struct err *err);
int ctl_finding_waive(struct ctl *c, struct err *err);
int ctl_finding_waivers(struct ctl *c, struct err *err);
int ctl_finding_unwaive(struct ctl *c, struct err *err);
int ctl_container_list(struct ctl *c, struct err *err);
int ctl_container_show(struct ctl *c, struct err *err);
int ctl_policy_show(struct ctl *c, struct err *err);
int ctl_policy_apply(struct ctl *c, struct err *err);
int ctl_policy_diff(struct ctl *c, struct err *err);
/* ctl_rule.c, ctl_backtest.c: of the noun rule or correlation. */
int ctl_rule_list(struct ctl *c, struct err *err);
int ctl_rule_lint(struct ctl *c, struct err *err);
int ctl_rule_test(struct ctl *c, struct err *err);
int ctl_rule_backtest(struct ctl *c, struct err *err);
int ctl_correlation_explain(struct ctl *c, struct err *err);
/* The files of args from..to, and those of folders among them. Caller frees with ctl_files_fini. */
enum { CTL_FILES_MAX = 10000 };
struct ctl_files {
	struct ctl_file {
		char *name;
		struct buf text;
	} *items;
	size_t count, size;
};
int ctl_files_read(const char *const *paths, size_t count, struct ctl_files *ret, struct err *err) WARN_UNUSED;
void ctl_files_fini(struct ctl_files *f);
/* Rows one by one, in every format. */
int ctl_print_rows(struct ctl *c, const struct ctl_view *view, const cJSON *doc, const cJSON *list, struct err *err) WARN_UNUSED;
/* ctl_notify.c */
int ctl_notify_list(struct ctl *c, struct err *err);
int ctl_notify_waiting(struct ctl *c, struct err *err);
int ctl_notify_dead(struct ctl *c, struct err *err);
int ctl_notify_resend(struct ctl *c, struct err *err);
int ctl_notify_drop(struct ctl *c, struct err *err);
int ctl_notify_test(struct ctl *c, struct err *err);
/* Of one image, urgent first. */
extern const struct ctl_view ctl_image_vuln_view;
void ctl_epss(const cJSON *row, struct buf *out);
/* Up to limit rows of a list, page after page, as an array: caller deletes. */
int ctl_rows(struct ctl *c, const char *path, uint64_t limit, cJSON **ret, bool *ret_has_more,
	     struct err *err) WARN_UNUSED;

/* ctl_doc.c */
/* "" for what is no text. */
const char *ctl_str(const cJSON *row, const char *path);
bool ctl_is_true(const cJSON *row, const char *path);
/* The first digits, as docker prints them. */
void ctl_short_id(const char *id, struct buf *out);
/* Of container.name and container.id. */
void ctl_container(const cJSON *row, struct buf *out);
/* "192.0.2.7:443"; nothing without an address. */
void ctl_endpoint(const cJSON *row, const char *address, const char *port, struct buf *out);
/* Texts with a blank between. */
void ctl_join(const cJSON *list, struct buf *out);
/* "name          value" lines for people; nothing without a value. */
void ctl_line(struct buf *out, unsigned indent, const char *name, const char *value);
void ctl_line_buf(struct buf *out, unsigned indent, const char *name, const struct buf *value);
struct ctl_field {
	const char *name, *path;
};
void ctl_lines(struct buf *out, unsigned indent, const cJSON *doc, const struct ctl_field *fields, size_t count);
#define CTL_LINES(out, indent, doc, ...)                                             \
	ctl_lines(out, indent, doc, (const struct ctl_field[]){ __VA_ARGS__ },       \
		  sizeof((const struct ctl_field[]){ __VA_ARGS__ }) / sizeof(struct ctl_field))
/* A line for each text, the name before the first. */
void ctl_line_each(struct buf *out, const char *name, const cJSON *list);
/* What it is, what it is called, an empty line. */
void ctl_heading(struct buf *out, const char *what, const char *title);
/* "risk 71" and each reason with its points. */
void ctl_risk(struct buf *out, const cJSON *doc);
/* title (nullable) and a table; nothing without rows. Returns how many. */
size_t ctl_print_list(struct ctl *c, const char *title, const struct ctl_view *view, const cJSON *list);
void ctl_print_csv(struct ctl *c, const struct ctl_view *view, const cJSON *list);
bool ctl_is_table(const struct ctl *c);
/* print in a table, else the document itself; it has no CSV: ERR_USAGE. */
int ctl_print_doc(struct ctl *c, struct slice raw, const cJSON *doc, void (*print)(struct ctl *c, const cJSON *doc),
		  struct err *err) WARN_UNUSED;
/* A document of the API; caller deletes *ret and releases ret_raw. */
int ctl_get(struct ctl *c, const char *path, const struct slice *body, struct buf *ret_raw, cJSON **ret,
	    struct err *err) WARN_UNUSED;
/* before and the one word after the verb; ERR_USAGE says what is needed. */
int ctl_one_path(const struct ctl *c, const char *before, const char *needs, struct buf *ret,
		 struct err *err) WARN_UNUSED;
int ctl_needs_reason(const struct ctl *c, struct err *err) WARN_UNUSED;
/* value NULL: nothing. */
void ctl_wish(struct json *j, const char *key, const char *value);
/* Without a filter: those in force, or with --ended those that ended too. */
int ctl_list_ends(struct ctl *c, const struct ctl_view *view, struct err *err) WARN_UNUSED;
/* Ends each by its number; list: the verb that lists them. */
int ctl_end_each(struct ctl *c, const char *before, const char *what, const char *list,
		 struct err *err) WARN_UNUSED;

/* ctl_help.c */
struct ctl_command {
	const char *noun, *verb; /* verb NULL: the noun alone */
	int (*run)(struct ctl *c, struct err *err);
	const char *help; /* examples first */
	bool is_local;	  /* asks no server */
};
/* Error: ERR_USAGE with the nearest. *ret NULL: only help was asked for. */
int ctl_find(const struct ctl *c, const struct ctl_command **ret, struct err *err) WARN_UNUSED;
void ctl_help(const struct ctl *c, const struct ctl_command *cmd);
