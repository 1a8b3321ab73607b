/* ctl_finding.c - finding list, show, waive, waivers, unwaive; container list, show. */
#include <errno.h>
#include <inttypes.h>

#include "collector/ctl/ctl.h"

#include "common/show.h"

static const char *str(const cJSON *row, const char *path)
{
	const cJSON *v = ctl_at(row, path);

	return cJSON_IsString(v) ? v->valuestring : "";
}

static bool is_true(const cJSON *row, const char *path)
{
	return cJSON_IsTrue(ctl_at(row, path));
}

/* ---- findings ---- */

static void subject(const cJSON *row, struct buf *out)
{
	const char *kind = str(row, "subject.kind"), *name = str(row, "subject.name");

	if (strcmp(kind, "container") != 0)
		buf_printf(out, "%s%s", kind, name[0] ? " " : "");
	buf_add_str(out, name);
}

static void age(const cJSON *row, struct buf *out)
{
	ctl_age(str(row, "opened"), out);
}

static void differs(const cJSON *row, struct buf *out)
{
	buf_add_str(out, is_true(row, "differs") ? "yes" : "");
}

static const struct ctl_column finding_columns[] = {
	{ .title = "ID", .path = "id" },
	{ .title = "SEVERITY", .path = "severity" },
	{ .title = "STATUS", .path = "status" },
	{ .title = "CHECK", .path = "check", .may_shrink = true },
	{ .title = "HOST", .path = "host", .may_shrink = true },
	{ .title = "SUBJECT", .value = subject, .may_shrink = true },
	{ .title = "EVIDENCE", .path = "evidence", .may_shrink = true },
	{ .title = "AGE", .path = "opened", .value = age, .hide = 2 },
	{ .title = "TITLE", .path = "title", .may_shrink = true, .hide = 1 },
	{ .title = "IMAGE", .path = "subject.image", .is_wide = true },
	{ .title = "RESULT", .path = "result", .is_wide = true },
	{ .title = "DIFFERS", .path = "differs", .value = differs, .is_wide = true },
	{ .title = "FIX", .path = "fix", .is_wide = true },
	{ .title = "CIS", .path = "cis", .is_wide = true },
	{ .title = "MITRE", .path = "mitre", .is_wide = true },
	{ .title = "TRIGGER", .path = "trigger", .is_wide = true },
	{ .title = "FIRST_SEEN", .path = "first_seen", .is_wide = true },
	{ .title = "LAST_SEEN", .path = "last_seen", .is_wide = true },
	{ .title = "MENDED", .path = "mended", .is_wide = true },
	{ .title = "WAIVER", .path = "waiver", .is_wide = true },
};
static const struct ctl_view finding_view = { .path = "/api/v1/findings",
					      .columns = finding_columns,
					      .column_count = ARRAY_LEN(finding_columns),
					      .has_times = true };

int ctl_finding_list(struct ctl *c, struct err *err)
{
	if (c->is_oldest_first)
		return err_set(err, ERR_USAGE, "finding list takes no --order: the worst are first");
	return ctl_list(c, &finding_view, err);
}

static void line(struct buf *out, const cJSON *doc, const char *name, const char *path)
{
	CLEANUP(buf_finip) struct buf text = { 0 };

	ctl_value(ctl_at(doc, path), &text);
	ctl_line(out, 0, name, text.n ? text.p : "");
}

static void print_finding(struct ctl *c, const cJSON *f)
{
	CLEANUP(buf_finip) struct buf out = { 0 }, where = { 0 }, times = { 0 };

	show_text(&out, slice_of(str(f, "check")), 100);
	buf_add_str(&out, "  ");
	show_text(&out, slice_of(str(f, "title")), 500);
	buf_add_str(&out, "\n\n");
	line(&out, f, "severity", "severity");
	line(&out, f, "status", "status");
	subject(f, &where);
	ctl_line(&out, 0, "what", where.p);
	line(&out, f, "host", "host");
	line(&out, f, "image", "subject.image");
	line(&out, f, "id", "subject.id");
	line(&out, f, "evidence", "evidence");
	if (is_true(f, "differs"))
		ctl_line(&out, 0, "note", "what was asked for and what is are not the same");
	line(&out, f, "why", "why");
	line(&out, f, "fix", "fix");
	line(&out, f, "CIS", "cis");
	line(&out, f, "MITRE", "mitre");
	line(&out, f, "found by", "trigger");
	line(&out, f, "first seen", "first_seen");
	line(&out, f, "last seen", "last_seen");
	line(&out, f, "mended", "mended");
	line(&out, f, "", "mended_why");
	line(&out, f, "waiver", "waiver");
	line(&out, f, "waived by", "waived.who");
	line(&out, f, "because", "waived.reason");
	line(&out, f, "until", "waived.until");
	buf_printf(&times, "%.0f", cJSON_IsNumber(ctl_at(f, "reopened")) ? ctl_at(f, "reopened")->valuedouble : 0);
	if (strcmp(times.p, "0") != 0)
		ctl_line(&out, 0, "came back", times.p);
	fwrite(out.p, 1, out.n, c->out);
}

static int print_or_one(struct ctl *c, struct slice raw, const cJSON *doc, void (*print)(struct ctl *c, const cJSON *doc),
			struct err *err)
{
	if (c->format == CTL_CSV)
		return err_set(err, ERR_USAGE, "%s %s has no columns: -o table, json, ndjson or yaml", c->noun, c->verb);
	if (c->format == CTL_TABLE || c->format == CTL_WIDE)
		print(c, doc);
	else
		ctl_print_one(c, raw, doc);
	return 0;
}

int ctl_finding_show(struct ctl *c, struct err *err)
{
	CLEANUP(buf_finip) struct buf path = { 0 }, raw = { 0 };
	CLEANUP(cJSON_Deletep) cJSON *doc = NULL;

	if (c->arg_count != 1)
		return err_set(err, ERR_USAGE, "finding show needs one number; see picketctl finding list");
	buf_add_str(&path, "/api/v1/findings/");
	ctl_escape_path(&path, c->args[0]);
	int r = ctl_get(c, path.p, NULL, &raw, &doc, err);
	return r < 0 ? r : print_or_one(c, buf_slice(&raw), doc, print_finding, err);
}

/* ---- waivers ---- */

static void kv(struct json *j, const char *key, const char *value)
{
	if (value)
		json_kv_str(j, key, value);
}

/* A number is a finding; anything else a check. */
static void write_wish(const struct ctl *c, struct buf *out)
{
	uint64_t number;
	struct json j;

	json_init(&j, out);
	json_object_open(&j);
	if (slice_to_u64(slice_of(c->args[0]), &number))
		json_kv_u64(&j, "finding", number);
	else
		json_kv_str(&j, "check", c->args[0]);
	kv(&j, "subject", c->subject);
	kv(&j, "host", c->host);
	kv(&j, "reason", c->reason);
	kv(&j, "until", c->until);
	json_object_close(&j);
}

static void print_waiver(struct ctl *c, const cJSON *w)
{
	CLEANUP(buf_finip) struct buf out = { 0 };

	show_text(&out, slice_of(str(w, "check")), 100);
	buf_add_str(&out, " on ");
	show_text(&out, slice_of(str(w, "subject")), 100);
	buf_add_str(&out, ", host ");
	show_text(&out, slice_of(str(w, "host")), 100);
	buf_printf(&out, ", is waived until %.10s (", str(w, "until"));
	ctl_value(ctl_at(w, "id"), &out);
	buf_add_str(&out, "); findings: ");
	ctl_value(ctl_at(w, "findings"), &out);
	fprintf(c->out, "%s\n", out.p);
}

int ctl_finding_waive(struct ctl *c, struct err *err)
{
	CLEANUP(buf_finip) struct buf body = { 0 }, raw = { 0 };
	CLEANUP(cJSON_Deletep) cJSON *doc = NULL;

	if (c->arg_count != 1)
		return err_set(err, ERR_USAGE, "finding waive needs one finding's number, or a check's id");
	if (!c->reason || !c->reason[0])
		return err_set(err, ERR_USAGE, "finding waive needs --reason: whoever comes after you wants to know why");
	write_wish(c, &body);
	struct slice text = buf_slice(&body);
	int r = ctl_get(c, "/api/v1/waivers", &text, &raw, &doc, err);
	return r < 0 ? r : print_or_one(c, buf_slice(&raw), doc, print_waiver, err);
}

static void unused(const cJSON *row, struct buf *out)
{
	CLEANUP(buf_finip) struct buf n = { 0 };

	ctl_value(ctl_at(row, "findings"), &n);
	buf_add_str(out, !is_true(row, "used") ? "never used" : n.n ? n.p : "");
}

static const struct ctl_column waiver_columns[] = {
	{ .title = "ID", .path = "id" },
	{ .title = "CHECK", .path = "check", .may_shrink = true },
	{ .title = "SUBJECT", .path = "subject", .may_shrink = true },
	{ .title = "HOST", .path = "host", .may_shrink = true },
	{ .title = "FINDINGS", .path = "findings", .value = unused },
	{ .title = "UNTIL", .path = "until" },
	{ .title = "WHO", .path = "who", .may_shrink = true },
	{ .title = "REASON", .path = "reason", .may_shrink = true },
	{ .title = "CREATED", .path = "created", .is_wide = true },
	{ .title = "ENDED", .path = "ended", .is_wide = true },
	{ .title = "ENDED_BY", .path = "ended_by", .is_wide = true },
};
static const struct ctl_view waiver_view = { .path = "/api/v1/waivers",
					     .columns = waiver_columns,
					     .column_count = ARRAY_LEN(waiver_columns) };
static const struct ctl_view ended_view = { .path = "/api/v1/waivers?ended=yes",
					    .columns = waiver_columns,
					    .column_count = ARRAY_LEN(waiver_columns) };

int ctl_finding_waivers(struct ctl *c, struct err *err)
{
	if (c->arg_count)
		return err_set(err, ERR_USAGE, "finding waivers takes no filter");
	return ctl_list(c, c->wants_ended ? &ended_view : &waiver_view, err);
}

int ctl_finding_unwaive(struct ctl *c, struct err *err)
{
	static const struct slice body = SLICE_LIT("{}");
	int r = c->arg_count ? 0 : err_set(err, ERR_USAGE, "finding unwaive needs a number; see picketctl finding waivers");

	for (size_t i = 0; i < c->arg_count && r >= 0; i++) {
		CLEANUP(buf_finip) struct buf path = { 0 }, raw = { 0 };

		buf_add_str(&path, "/api/v1/waivers/");
		ctl_escape_path(&path, c->args[i]);
		buf_add_str(&path, "/end");
		r = ctl_request(c, path.p, &body, &raw, err);
		if (r >= 0)
			fprintf(c->out, "waiver %s ended\n", c->args[i]);
	}
	return r;
}

/* ---- containers ---- */

static void short_id(const cJSON *row, struct buf *out)
{
	buf_add_slice(out, slice_sub(slice_of(str(row, "id")), 0, 12));
}

static void ports(const cJSON *row, struct buf *out)
{
	const cJSON *p;
	unsigned n = 0;

	cJSON_ArrayForEach(p, ctl_at(row, "config.ports"))
	{
		buf_add_str(out, n++ ? " " : "");
		if (json_get_u64(p, "host_port", 0)) {
			const char *ip = str(p, "host_ip");

			buf_printf(out, strchr(ip, ':') ? "[%s]:%" PRIu64 "->" : "%s:%" PRIu64 "->", ip[0] ? ip : "*",
				   json_get_u64(p, "host_port", 0));
		}
		buf_printf(out, "%" PRIu64 "/%s", json_get_u64(p, "port", 0), str(p, "protocol"));
	}
}

static void mounts(const cJSON *row, struct buf *out)
{
	const cJSON *m;
	unsigned n = 0;

	cJSON_ArrayForEach(m, ctl_at(row, "config.mounts"))
		buf_printf(out, "%s%s:%s%s", n++ ? " " : "", str(m, "source"), str(m, "target"), is_true(m, "writable") ? "" : ":ro");
}

static void joined(const cJSON *list, struct buf *out)
{
	const cJSON *item;
	unsigned n = 0;

	cJSON_ArrayForEach(item, list)
		buf_printf(out, "%s%s", n++ ? " " : "", cJSON_IsString(item) ? item->valuestring : "");
}

static void networks(const cJSON *row, struct buf *out)
{
	joined(ctl_at(row, "config.networks"), out);
}

static void privileged(const cJSON *row, struct buf *out)
{
	buf_add_str(out, is_true(row, "privileged") ? "yes" : "");
}

static void running(const cJSON *row, struct buf *out)
{
	buf_add_str(out, is_true(row, "running") ? "yes" : "no");
}

static void faults(const cJSON *row, struct buf *out)
{
	uint64_t n = json_get_u64(row, "findings", 0);

	if (n)
		buf_printf(out, "%" PRIu64 " (%s)", n, str(row, "worst"));
}

static const struct ctl_column container_columns[] = {
	{ .title = "CONTAINER", .path = "name", .may_shrink = true },
	{ .title = "ID", .path = "id", .value = short_id, .hide = 2 },
	{ .title = "HOST", .path = "host", .may_shrink = true },
	{ .title = "IMAGE", .path = "image", .may_shrink = true },
	{ .title = "RUNNING", .path = "running", .value = running, .hide = 3 },
	{ .title = "USER", .path = "user", .may_shrink = true },
	{ .title = "PRIVILEGED", .path = "privileged", .value = privileged },
	{ .title = "PORTS", .value = ports, .may_shrink = true },
	{ .title = "FINDINGS", .path = "findings", .value = faults },
	{ .title = "MOUNTS", .value = mounts, .may_shrink = true, .hide = 1 },
	{ .title = "NETWORKS", .value = networks, .is_wide = true },
	{ .title = "ENGINE", .path = "engine", .is_wide = true },
	{ .title = "IMAGE_ID", .path = "image_id", .is_wide = true },
	{ .title = "DIGEST", .path = "image_digest", .is_wide = true },
	{ .title = "STARTED", .path = "started", .is_wide = true },
	{ .title = "LAST_SEEN", .path = "last_seen", .is_wide = true },
};
static const struct ctl_view container_view = { .path = "/api/v1/containers",
						.columns = container_columns,
						.column_count = ARRAY_LEN(container_columns) };

int ctl_container_list(struct ctl *c, struct err *err)
{
	return ctl_list(c, &container_view, err);
}

static void made_with(struct buf *out, const cJSON *x)
{
	static const char *const lists[][2] = { { "networks", "config.networks" },   { "cap_add", "config.cap_add" },
						{ "cap_drop", "config.cap_drop" },   { "security", "config.security_opt" },
						{ "devices", "config.devices" },     { "sysctls", "config.sysctls" } };
	static const char *const words[][2] = { { "pid", "config.pid_mode" },	  { "ipc", "config.ipc_mode" },
						{ "network", "config.network_mode" }, { "uts", "config.uts_mode" },
						{ "userns", "config.userns_mode" },   { "runtime", "config.runtime" },
						{ "restart", "config.restart" },      { "memory", "config.memory_bytes" },
						{ "pids", "config.pids_limit" },      { "read-only", "config.readonly_root" } };

	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		CLEANUP(buf_finip) struct buf text = { 0 };

		joined(ctl_at(x, lists[i][1]), &text);
		ctl_line(out, 0, lists[i][0], text.n ? text.p : "");
	}
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		line(out, x, words[i][0], words[i][1]);
}

static void print_container(struct ctl *c, const cJSON *x)
{
	CLEANUP(buf_finip) struct buf out = { 0 }, text = { 0 };
	struct ctl_table t = { .view = &finding_view };
	const cJSON *list = ctl_at(x, "open_findings");
	size_t n = (size_t)cJSON_GetArraySize(list), i = 0;
	cJSON **rows = n ? calloc(n, sizeof(*rows)) : NULL, *item;

	show_text(&out, slice_of(str(x, "name")[0] ? str(x, "name") : str(x, "id")), 200);
	buf_add_str(&out, "  ");
	show_text(&out, slice_of(str(x, "image")), 300);
	buf_add_str(&out, "\n\n");
	line(&out, x, "host", "host");
	line(&out, x, "id", "id");
	line(&out, x, "image id", "image_id");
	line(&out, x, "digest", "image_digest");
	ctl_line(&out, 0, "running", is_true(x, "running") ? "yes" : "no");
	line(&out, x, "user", "user");
	ctl_line(&out, 0, "privileged", is_true(x, "privileged") ? "yes" : "");
	ports(x, &text);
	ctl_line(&out, 0, "ports", text.n ? text.p : "");
	buf_reset(&text);
	mounts(x, &text);
	ctl_line(&out, 0, "mounts", text.n ? text.p : "");
	made_with(&out, x);
	line(&out, x, "created", "created");
	line(&out, x, "started", "started");
	fwrite(out.p, 1, out.n, c->out);
	cJSON_ArrayForEach(item, (cJSON *)(uintptr_t)list)
	{
		if (rows)
			rows[i++] = item;
	}
	if (i) {
		fputs("\nFindings\n", c->out);
		ctl_table_print(c, &t, rows, i);
	}
	free(rows);
}

int ctl_container_show(struct ctl *c, struct err *err)
{
	CLEANUP(buf_finip) struct buf path = { 0 }, raw = { 0 };
	CLEANUP(cJSON_Deletep) cJSON *doc = NULL;

	if (c->arg_count != 1)
		return err_set(err, ERR_USAGE, "container show needs one name or id");
	buf_add_str(&path, "/api/v1/containers/");
	ctl_escape_path(&path, c->args[0]);
	ctl_query(&path, "host", c->host);
	int r = ctl_get(c, path.p, NULL, &raw, &doc, err);
	return r < 0 ? r : print_or_one(c, buf_slice(&raw), doc, print_container, err);
}
