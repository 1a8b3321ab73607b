/* ctl_alert.c - alert list and show. */
#include <errno.h>

#include "collector/ctl/ctl.h"

#include "common/show.h"
#include "common/text.h"

enum { VALUE_CHARS = 4000 };

/* A check's id says nothing to a person: with what should be. */
static void add_rule(const cJSON *row, struct buf *out)
{
	const char *title = ctl_str(ctl_at(row, "check"), "title");

	ctl_value(ctl_at(row, "rule"), out);
	if (title[0])
		buf_printf(out, " fails: %s", title);
}

/* "resolved (benign)", "new (silenced)" */
static void add_status(const cJSON *row, struct buf *out)
{
	const char *as = ctl_str(row, "resolved_as");

	buf_add_str(out, ctl_str(row, "status"));
	if (as[0])
		buf_printf(out, " (%s)", as);
	else if (ctl_at(row, "silenced_by"))
		buf_add_str(out, " (silenced)");
}

static const struct ctl_column columns[] = {
	{ .title = "ID", .path = "id" },
	{ .title = "SEVERITY", .path = "severity" },
	{ .title = "AGE", .path = "last_seen", .form = CTL_AGE },
	{ .title = "COUNT", .path = "count", .hide = 1 },
	{ .title = "STATUS", .value = add_status, .may_shrink = true, .hide = 2 },
	{ .title = "RULE", .value = add_rule, .may_shrink = true },
	{ .title = "HOST", .path = "host", .may_shrink = true },
	{ .title = "CONTAINER", .value = ctl_container, .may_shrink = true },
	{ .title = "IMAGE", .path = "container.image", .may_shrink = true },
	{ .title = "PROCESS", .path = "process.name", .may_shrink = true, .hide = 3 },
	{ .title = "PARENT", .path = "process.parent.name", .may_shrink = true },
	{ .title = "COMMAND", .path = "process.cmdline", .may_shrink = true },
	{ .title = "USER", .path = "process.user", .is_wide = true },
	{ .title = "ASSIGNEE", .path = "assignee", .is_wide = true },
	{ .title = "FIRST_SEEN", .path = "first_seen", .is_wide = true },
	{ .title = "TITLE", .path = "title", .is_wide = true },
};
static const struct ctl_view view = { .path = "/api/v1/alerts",
				      .columns = columns,
				      .column_count = ARRAY_LEN(columns),
				      .has_times = true };

int ctl_alert_list(struct ctl *c, struct err *err)
{
	return ctl_list(c, &view, err);
}

static void add_process(struct buf *out, const cJSON *p, const char *heading)
{
	if (!cJSON_IsObject(p))
		return;
	buf_printf(out, "\n%s\n", heading);
	CTL_LINES(out, 2, p, { "command", "cmdline" }, { "executable", "exe" }, { "pid", "pid" },
		  { "user", "user" }, { "directory", "cwd" });
}

static void add_file(struct buf *out, const cJSON *al)
{
	const cJSON *f = ctl_at(al, "file");

	if (!cJSON_IsObject(f))
		return;
	buf_add_str(out, "\nFile\n");
	CTL_LINES(out, 2, f, { "path", "path" });
	if (strcmp(ctl_str(f, "raw"), ctl_str(f, "path")) != 0)
		CTL_LINES(out, 2, f, { "as given", "raw" });
	CTL_LINES(out, 2, f, { "target", "target" }, { "flags", "flags" }, { "mode", "mode" });
}

static void add_network(struct buf *out, const cJSON *al)
{
	CLEANUP(buf_finip) struct buf local = { 0 }, remote = { 0 };
	const cJSON *n = ctl_at(al, "network");

	if (!cJSON_IsObject(n))
		return;
	buf_add_str(out, "\nConnection\n");
	CTL_LINES(out, 2, n, { "protocol", "protocol" });
	ctl_endpoint(n, "local_address", "local_port", &local);
	ctl_endpoint(n, "remote_address", "remote_port", &remote);
	ctl_line_buf(out, 2, "local", &local);
	ctl_line_buf(out, 2, "remote", &remote);
	CTL_LINES(out, 2, n, { "socket", "path" });
}

/* Of an alert on loss. */
static void add_gap(struct buf *out, const cJSON *al)
{
	const cJSON *gap = ctl_at(al, "gap");

	if (!cJSON_IsObject(gap))
		return;
	buf_add_str(out, "\nLost\n");
	CTL_LINES(out, 2, gap, { "class", "class" }, { "records", "lost" }, { "from", "from" }, { "to", "to" },
		  { "reason", "reason" }, { "noisiest", "noisiest" });
}

/* Of an alert on a vulnerable image. */
static void add_vulnerability(struct buf *out, const cJSON *al)
{
	const cJSON *v = ctl_at(al, "vulnerability"), *item;

	if (!cJSON_IsObject(v))
		return;
	buf_add_str(out, "\nVulnerability\n");
	CTL_LINES(out, 2, v, { "id", "id" }, { "title", "title" }, { "severity", "severity" },
		  { "exploited", "kev" }, { "EPSS", "epss" }, { "exposed", "exposed" });
	cJSON_ArrayForEach(item, ctl_at(v, "packages"))
	{
		CLEANUP(buf_finip) struct buf text = { 0 };

		buf_printf(&text, "%s %s", ctl_str(item, "name"), ctl_str(item, "installed"));
		if (ctl_str(item, "fixed")[0])
			buf_printf(&text, ", fixed in %s", ctl_str(item, "fixed"));
		if (ctl_str(item, "used")[0])
			buf_printf(&text, ", %s", ctl_str(item, "used"));
		ctl_line(out, 2, "package", text.p);
	}
}

/* Of an alert on a check: everything that fails it, as far as the alert lists it. */
static void add_check(struct buf *out, const cJSON *al)
{
	const cJSON *check = ctl_at(al, "check"), *count = ctl_at(al, "subject_count"), *item;
	int listed = cJSON_GetArraySize(ctl_at(al, "subjects"));

	if (!cJSON_IsObject(check))
		return;
	buf_add_str(out, "\nCheck\n");
	CTL_LINES(out, 2, check, { "id", "id" }, { "title", "title" }, { "CIS", "cis" }, { "MITRE", "mitre" },
		  { "why", "why" });
	/* The check's own has a place for the name; the first subject's is filled in. */
	item = cJSON_GetArrayItem(ctl_at(al, "subjects"), 0);
	ctl_line(out, 2, "fix", item ? ctl_str(item, "fix") : ctl_str(check, "fix"));
	cJSON_ArrayForEach(item, ctl_at(al, "subjects"))
	{
		CLEANUP(buf_finip) struct buf text = { 0 };

		ctl_value(ctl_at(item, "finding"), &text);
		const char *image = ctl_str(item, "image");
		buf_printf(&text, ": %s%s%s%s%s", ctl_str(item, "name"), image[0] ? " (" : "", image,
			   image[0] ? "): " : ": ", ctl_str(item, "evidence"));
		ctl_line(out, 2, "finding", text.p);
	}
	if (cJSON_IsNumber(count) && count->valuedouble > listed)
		buf_printf(out, "  %.0f more: picketctl finding list check=…\n", count->valuedouble - listed);
}

/* What else happened on its host around this time may not be known. */
static void add_lost(struct buf *out, const cJSON *al)
{
	char lost[CTL_LOST_BYTES];

	if (ctl_lost(ctl_at(al, "lost"), lost))
		buf_printf(out,
			   "\nIncomplete\n  the host lost %s records around this time: more may have happened than is"
			   " known\n", lost);
}

static void add_actions(struct buf *out, const cJSON *al)
{
	const cJSON *list = ctl_at(al, "actions"), *item;

	if (!cJSON_GetArraySize(list))
		return;
	buf_add_str(out, "\nActions\n");
	cJSON_ArrayForEach(item, list)
	{
		buf_add_str(out, "  ");
		show_text(out, slice_of(ctl_str(item, "time")), 40);
		buf_add_str(out, "  ");
		show_text(out, slice_of(ctl_str(item, "text")), VALUE_CHARS);
		buf_add_char(out, '\n');
	}
}

static void add_list(struct buf *out, const cJSON *list, const char *heading)
{
	const cJSON *item;

	if (!cJSON_GetArraySize(list) && !(cJSON_IsObject(list) && list->child))
		return;
	buf_printf(out, "\n%s\n", heading);
	cJSON_ArrayForEach(item, list)
	{
		CLEANUP(buf_finip) struct buf value = { 0 };

		buf_add_str(out, "  ");
		if (item->string) {
			show_text(out, slice_of(item->string), 100);
			buf_add_str(out, " = ");
		}
		ctl_value(item, &value);
		show_text(out, buf_slice(&value), VALUE_CHARS);
		buf_add_char(out, '\n');
	}
}

/* Who did what, the oldest first. */
static void add_trail(struct buf *out, const cJSON *al)
{
	const cJSON *list = ctl_at(al, "trail"), *item;

	if (!cJSON_GetArraySize(list))
		return;
	buf_add_str(out, "\nTrail\n");
	cJSON_ArrayForEach(item, list)
	{
		buf_printf(out, "  %.19sZ  ", ctl_str(item, "time"));
		show_text(out, slice_of(ctl_str(item, "who")), 64);
		buf_add_str(out, "  ");
		show_text(out, slice_of(ctl_str(item, "what")), 40);
		buf_add_str(out, ctl_str(item, "text")[0] ? ": " : "");
		show_text(out, slice_of(ctl_str(item, "text")), VALUE_CHARS);
		buf_add_char(out, '\n');
	}
}

static void add_head(const struct ctl *c, const cJSON *al, struct buf *out)
{
	CLEANUP(buf_finip) struct buf s = { 0 };
	bool is_coloured;

	show_text(out, slice_of(ctl_str(al, "title")), VALUE_CHARS);
	buf_add_str(out, "\n\n");
	buf_printf(out, "%-14s", "severity");
	is_coloured = ctl_severity(c, ctl_str(al, "severity"), out);
	show_text(out, slice_of(ctl_str(al, "severity")), 40);
	buf_add_str(out, is_coloured ? "\033[0m" : "");
	buf_add_str(out, "  (");
	show_text(out, slice_of(ctl_str(al, "priority")), 40);
	buf_add_str(out, ")\n");
	CTL_LINES(out, 0, al, { "alert", "id" }, { "status", "status" }, { "because", "resolved_as" },
		  { "duplicate of", "duplicate_of" }, { "until", "snoozed_until" }, { "not told", "quiet" },
		  { "assignee", "assignee" });
	ctl_value(ctl_at(al, "count"), &s);
	buf_add_str(&s, " x, ");
	ctl_age(ctl_str(al, "last_seen"), &s);
	buf_printf(&s, " ago (first %s, last %s)", ctl_str(al, "first_seen"), ctl_str(al, "last_seen"));
	ctl_line(out, 0, "seen", s.p);
	CTL_LINES(out, 0, al, { "rule", "rule" }, { "closed", "resolution.why" }, { "why", "description" },
		  { "host", "host" });
}

static void add_page(const struct ctl *c, const cJSON *al, struct buf *out)
{
	const cJSON *box = ctl_at(al, "container");

	add_head(c, al, out);
	if (cJSON_IsObject(box)) {
		buf_add_str(out, "\nContainer\n");
		CTL_LINES(out, 2, box, { "name", "name" }, { "id", "id" }, { "image", "image" },
			  { "digest", "image_digest" });
	}
	add_process(out, ctl_at(al, "process"), "Process");
	add_process(out, ctl_at(al, "process.parent"), "Started by");
	if (ctl_str(al, "summary")[0]) {
		buf_add_str(out, "\nCall\n  ");
		show_text(out, slice_of(ctl_str(al, "summary")), VALUE_CHARS);
		buf_add_char(out, '\n');
	}
	add_file(out, al);
	add_network(out, al);
	add_gap(out, al);
	add_vulnerability(out, al);
	add_check(out, al);
	add_lost(out, al);
	add_actions(out, al);
	if (ctl_str(al, "output")[0]) {
		buf_add_str(out, "\nOutput\n  ");
		show_text(out, slice_of(ctl_str(al, "output")), VALUE_CHARS);
		buf_add_char(out, '\n');
	}
	add_list(out, ctl_at(al, "fields"), "Fields");
	add_list(out, ctl_at(al, "tags"), "Tags");
	add_trail(out, al);
}

/* One page of what path asks for, its rows added to *all; *ret_cursor as it came. */
static bool read_page(struct ctl *c, const char *path, const char *cursor, cJSON **all, char *ret_cursor,
		      size_t size)
{
	CLEANUP(buf_finip) struct buf raw = { 0 }, full = { 0 };
	CLEANUP(cJSON_Deletep) cJSON *doc = NULL;
	cJSON *item;

	buf_add_str(&full, path);
	ctl_query(&full, "cursor", cursor);
	if (ctl_request(c, full.p, NULL, &raw, NULL) < 0 || json_parse(buf_slice(&raw), raw.n, &doc, NULL) < 0 ||
	    !slice_copy(json_get_str(doc, "cursor"), ret_cursor, size))
		return false;
	if (!*all) {
		*all = take_ptr(doc);
		return true;
	}
	cJSON *from = cJSON_GetObjectItemCaseSensitive(doc, "items");
	cJSON *to = cJSON_GetObjectItemCaseSensitive(*all, "items");
	while ((item = cJSON_DetachItemFromArray(from, 0)))
		cJSON_AddItemToArray(to, item);
	return true;
}

/* The history's answer for the time and place of an alert; NULL when there is none. Caller deletes. */
static cJSON *read_around(struct ctl *c, const cJSON *al)
{
	enum { PAGES = 8 }; /* of a busy host the newest must do */
	CLEANUP(buf_finip) struct buf path = { 0 }, filter = { 0 };
	const char *agent = ctl_str(al, "agent"), *box = ctl_str(al, "container.id");
	char since[TEXT_TIME_MAX], until[TEXT_TIME_MAX];
	/* A finding may wait for its container's name, so its event is a little older. */
	const uint64_t slack_ns = 2000000000;
	uint64_t first, last;
	char cursor[256] = "", next[256] = "";
	cJSON *doc = NULL;

	if (!agent[0] || strpbrk(agent, "\"\\") || strpbrk(box, "\"\\") ||
	    !text_time_parse(slice_of(ctl_str(al, "first_seen")), &first) || first < slack_ns ||
	    !text_time_parse(slice_of(ctl_str(al, "last_seen")), &last))
		return NULL;
	buf_printf(&filter, "agent=\"%s\"", agent);
	if (box[0])
		buf_printf(&filter, " container.id=\"%s\"", box);
	buf_add_str(&path, "/api/v1/events");
	ctl_query(&path, "filter", filter.p);
	ctl_query(&path, "since", text_time(first - slack_ns, since, sizeof(since)));
	ctl_query(&path, "until", text_time(last + slack_ns, until, sizeof(until)));
	ctl_query(&path, "limit", "1000");
	for (unsigned i = 0; i < PAGES && read_page(c, path.p, cursor, &doc, next, sizeof(next)) && next[0]; i++)
		memcpy(cursor, next, sizeof(cursor));
	return doc;
}

static bool is_evidence(const cJSON *evidence, const char *id)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, evidence)
	{
		if (cJSON_IsString(item) && !strcmp(item->valuestring, id))
			return true;
	}
	return false;
}

/* The events themselves where the history still has them, else their ids. */
static void print_evidence(struct ctl *c, const cJSON *al)
{
	enum { ROWS = 20 };
	const cJSON *evidence = ctl_at(al, "evidence");
	struct ctl_table t = { .view = &ctl_event_view };
	cJSON *doc = read_around(c, al), *rows[ROWS], *item;
	CLEANUP(buf_finip) struct buf out = { 0 };
	size_t count = 0;

	cJSON_ArrayForEach(item, ctl_at(doc, "items"))
	{
		if (count < ROWS && is_evidence(evidence, ctl_str(item, "id")))
			rows[count++] = item;
	}
	if (count) {
		fputs("\nEvidence\n", c->out);
		ctl_table_print(c, &t, rows, count);
	} else {
		add_list(&out, evidence, "Evidence (event ids, newest first)");
		fwrite(out.n ? out.p : "", 1, out.n, c->out);
	}
	cJSON_Delete(doc);
}

int ctl_one_id(const struct ctl *c, struct err *err)
{
	if (c->arg_count == 1)
		return 0;
	return err_set(err, ERR_USAGE, "%s %s needs one ID; see picketctl %s %s --help", c->noun, c->verb,
		       c->noun, c->verb);
}

void ctl_alert_print(struct ctl *c, struct slice raw, const cJSON *doc)
{
	CLEANUP(buf_finip) struct buf out = { 0 };
	struct ctl_table t = { .view = &view };

	if (ctl_is_table(c)) {
		add_page(c, doc, &out);
		fwrite(out.p, 1, out.n, c->out);
		print_evidence(c, doc);
	} else if (c->format == CTL_CSV) {
		ctl_csv_header(t.view, &out);
		ctl_csv_row(t.view, doc, &out);
		fwrite(out.p, 1, out.n, c->out);
	} else {
		ctl_print_one(c, raw, doc);
	}
}

int ctl_alert_show(struct ctl *c, struct err *err)
{
	CLEANUP(buf_finip) struct buf path = { 0 }, raw = { 0 };
	cJSON *doc = NULL;

	int r = ctl_one_id(c, err);
	if (r < 0)
		return r;
	buf_add_str(&path, "/api/v1/alerts/");
	ctl_escape_path(&path, c->args[0]);
	r = ctl_get(c, path.p, NULL, &raw, &doc, err);
	if (r >= 0)
		ctl_alert_print(c, buf_slice(&raw), doc);
	cJSON_Delete(doc);
	return r;
}
