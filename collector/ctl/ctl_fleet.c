/* ctl_fleet.c - event search, audit-log list, host list and show. */
#include "collector/ctl/ctl.h"

#include "common/show.h"

/* ---- events ---- */

/* To the millisecond in a table; CSV has all of it. */
static void clock_time(const cJSON *row, struct buf *out)
{
	struct slice t = slice_of(ctl_str(row, "time"));

	buf_add_slice(out, t.n > 23 ? slice_sub(t, 0, 23) : t);
}

/* How a container was made, in short: what a reader of a log looks for. */
static void made_with(const cJSON *row, struct buf *out)
{
	const cJSON *item;

	buf_add_str(out, ctl_str(row, "container.image"));
	if (json_get_bool(ctl_at(row, "container"), "privileged", false))
		buf_add_str(out, " privileged");
	if (ctl_str(row, "container.user")[0])
		buf_printf(out, " user %s", ctl_str(row, "container.user"));
	cJSON_ArrayForEach(item, ctl_at(row, "container.config.mounts"))
		buf_printf(out, " mount %s:%s%s", ctl_str(item, "source"), ctl_str(item, "target"),
			   json_get_bool(item, "writable", false) ? "" : ":ro");
	cJSON_ArrayForEach(item, ctl_at(row, "container.config.ports"))
	{
		if (json_get_u64(item, "host_port", 0))
			buf_printf(out, " port %.0f:%.0f", (double)json_get_u64(item, "host_port", 0),
				   (double)json_get_u64(item, "port", 0));
	}
	cJSON_ArrayForEach(item, ctl_at(row, "container.config.networks"))
		buf_printf(out, " network %s", cJSON_IsString(item) ? item->valuestring : "");
}

/* What there is to say depends on what happened. */
static void detail(const cJSON *row, struct buf *out)
{
	const cJSON *gap = ctl_at(row, "gap"), *code = ctl_at(row, "exit.code"),
		    *sig = ctl_at(row, "exit.signal");

	if (cJSON_IsObject(gap)) {
		ctl_value(ctl_at(gap, "lost"), out);
		buf_printf(out, " %s records lost%s%s", ctl_str(gap, "class"), ctl_str(gap, "reason")[0] ? ": " : "",
			   ctl_str(gap, "reason"));
		return;
	}
	if (ctl_str(row, "finding.output")[0]) {
		buf_add_str(out, ctl_str(row, "finding.output"));
		return;
	}
	if (ctl_str(row, "action.kind")[0]) {
		buf_add_str(out, ctl_str(row, "summary"));
		if (ctl_str(row, "action.rule")[0])
			buf_printf(out, ", rule %s", ctl_str(row, "action.rule"));
		return;
	}
	if (cJSON_IsObject(ctl_at(row, "admission")) || cJSON_IsObject(ctl_at(row, "traffic")) ||
	    cJSON_IsObject(ctl_at(row, "audit"))) {
		buf_add_str(out, ctl_str(row, "summary"));
		return;
	}
	if (ctl_str(row, "call")[0] || ctl_str(row, "summary")[0]) {
		buf_add_str(out, ctl_str(row, "summary")[0] ? ctl_str(row, "summary") : ctl_str(row, "call"));
		if (ctl_str(row, "process.name")[0])
			buf_printf(out, " by %s", ctl_str(row, "process.name"));
		return;
	}
	if (cJSON_IsObject(ctl_at(row, "container.config"))) {
		made_with(row, out);
		return;
	}
	buf_add_str(out, ctl_str(row, "process.cmdline"));
	if (cJSON_IsNumber(sig) && sig->valuedouble > 0)
		buf_printf(out, " (signal %.0f)", sig->valuedouble);
	else if (cJSON_IsNumber(code))
		buf_printf(out, " (exit %.0f)", code->valuedouble);
}

static void remote(const cJSON *row, struct buf *out)
{
	ctl_endpoint(row, "network.remote_address", "network.remote_port", out);
}

static const struct ctl_column event_columns[] = {
	{ .title = "TIME", .path = "time", .value = clock_time },
	{ .title = "TYPE", .path = "type" },
	{ .title = "HOST", .path = "host", .may_shrink = true },
	{ .title = "CONTAINER", .value = ctl_container, .may_shrink = true },
	{ .title = "USER", .path = "process.user", .may_shrink = true, .hide = 2 },
	{ .title = "PID", .path = "process.pid", .hide = 1 },
	{ .title = "PARENT", .path = "process.parent.name", .may_shrink = true },
	{ .title = "DETAIL", .value = detail, .may_shrink = true },
	{ .title = "IMAGE", .path = "container.image", .is_wide = true },
	{ .title = "EXE", .path = "process.exe", .is_wide = true },
	{ .title = "ID", .path = "id", .is_wide = true },
	{ .title = "CALL", .path = "call", .is_wide = true },
	{ .title = "RESULT", .path = "result", .is_wide = true },
	{ .title = "PATH", .path = "file.path", .is_wide = true },
	{ .title = "REMOTE", .value = remote, .is_wide = true },
};
const struct ctl_view ctl_event_view = { .path = "/api/v1/events",
					 .columns = event_columns,
					 .column_count = ARRAY_LEN(event_columns),
					 .has_times = true };

int ctl_event_search(struct ctl *c, struct err *err)
{
	return ctl_list(c, &ctl_event_view, err);
}

/* ---- audit log ---- */

static const struct ctl_column audit_columns[] = {
	{ .title = "TIME", .path = "time", .value = clock_time },
	{ .title = "WHO", .path = "who", .may_shrink = true },
	{ .title = "WHAT", .path = "what", .may_shrink = true },
	{ .title = "SUBJECT", .path = "subject", .may_shrink = true },
	{ .title = "ID", .path = "id", .is_wide = true },
};
static const struct ctl_view audit_view = { .path = "/api/v1/audit-log",
					    .columns = audit_columns,
					    .column_count = ARRAY_LEN(audit_columns),
					    .has_times = true };

int ctl_audit_list(struct ctl *c, struct err *err)
{
	if (c->verb && strcmp(c->verb, "list") != 0)
		return err_set(err, ERR_USAGE, "unknown verb '%.40s', did you mean audit-log list?", c->verb);
	return ctl_list(c, &audit_view, err);
}

/* ---- hosts ---- */

static const struct ctl_column host_columns[] = {
	{ .title = "NAME", .path = "name", .may_shrink = true },
	{ .title = "STATE", .path = "state" },
	{ .title = "SEEN", .path = "last_seen", .form = CTL_AGE },
	{ .title = "VERSION", .path = "agent_version", .may_shrink = true, .hide = 3 },
	{ .title = "CONTAINERS", .path = "containers" },
	{ .title = "PRODUCED", .path = "produced", .hide = 2 },
	{ .title = "STORED", .path = "stored" },
	{ .title = "LOST", .path = "lost" },
	{ .title = "FOLDED", .path = "folded", .is_wide = true },
	{ .title = "ACTIONS", .path = "actions", .is_wide = true },
	{ .title = "SPOOL", .path = "spool.events" },
	{ .title = "KERNEL", .path = "kernel", .may_shrink = true, .hide = 4 },
	{ .title = "RSS_BYTES", .path = "rss_bytes", .is_wide = true },
	{ .title = "ENROLLED", .path = "enrolled", .is_wide = true },
	{ .title = "CERTIFICATE_EXPIRES", .path = "certificate_expires", .is_wide = true },
	{ .title = "ID", .path = "id", .is_wide = true },
};
static const struct ctl_view host_view = { .path = "/api/v1/hosts",
					   .columns = host_columns,
					   .column_count = ARRAY_LEN(host_columns) };

int ctl_host_list(struct ctl *c, struct err *err)
{
	return ctl_list(c, &host_view, err);
}

/* A document as "name  value" lines, nested names dotted. */
static void flat(const cJSON *v, const char *prefix, struct buf *out)
{
	const cJSON *item;
	unsigned index = 0;

	cJSON_ArrayForEach(item, v)
	{
		char name[160];

		if (item->string)
			snprintf(name, sizeof(name), "%s%s%s", prefix, prefix[0] ? "." : "", item->string);
		else
			snprintf(name, sizeof(name), "%s[%u]", prefix, index++);
		if (cJSON_IsObject(item) || cJSON_IsArray(item)) {
			flat(item, name, out);
			continue;
		}
		CLEANUP(buf_finip) struct buf text = { 0 }, key = { 0 };
		show_text(&key, slice_of(name), 100);
		ctl_value(item, &text);
		buf_printf(out, "%-22s ", key.p ? key.p : "");
		show_text(out, text.n ? buf_slice(&text) : SLICE_LIT("-"), 1000);
		buf_add_char(out, '\n');
	}
}

/* Name and reason of each sensor or hook that isn't attached; how many are. */
static void add_sensors(const cJSON *sensors, struct buf *out)
{
	unsigned attached = 0;
	const cJSON *item;

	cJSON_ArrayForEach(item, sensors)
		attached += json_get_bool(item, "attached", false);
	buf_printf(out, "%-22s %u of %d attached\n", "sensors", attached, cJSON_GetArraySize(sensors));
	cJSON_ArrayForEach(item, sensors)
	{
		if (json_get_bool(item, "attached", false))
			continue;
		buf_add_str(out, "  not attached: ");
		show_text(out, json_get_str(item, "name"), 100);
		buf_add_str(out, ": ");
		show_text(out, json_get_str(item, "why"), 400);
		buf_add_char(out, '\n');
	}
}

static void add_host(const cJSON *doc, struct buf *out)
{
	cJSON *rest = cJSON_Duplicate(doc, true);

	cJSON_DeleteItemFromObjectCaseSensitive(rest, "sensors");
	flat(rest, "", out);
	cJSON_Delete(rest);
	add_sensors(ctl_at(doc, "sensors"), out);
}

int ctl_host_show(struct ctl *c, struct err *err)
{
	CLEANUP(buf_finip) struct buf path = { 0 }, raw = { 0 }, out = { 0 };
	cJSON *doc = NULL;

	int r = ctl_one_path(c, "/api/v1/hosts/", "name or id", &path, err);
	if (r >= 0)
		r = ctl_get(c, path.p, NULL, &raw, &doc, err);
	if (r < 0)
		return r;
	if (ctl_is_table(c)) {
		add_host(doc, &out);
	} else if (c->format == CTL_CSV) {
		ctl_csv_header(&host_view, &out);
		ctl_csv_row(&host_view, doc, &out);
	} else {
		ctl_print_one(c, buf_slice(&raw), doc);
	}
	fwrite(out.p ? out.p : "", 1, out.n, c->out);
	cJSON_Delete(doc);
	return 0;
}
