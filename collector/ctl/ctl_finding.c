/* ctl_finding.c - finding list, show, waive, waivers, unwaive; container list, show. */
#include <errno.h>
#include <inttypes.h>

#include "collector/ctl/ctl.h"

#include "common/show.h"

/* ---- findings ---- */

static void subject(const cJSON *row, struct buf *out)
{
	const char *kind = ctl_str(row, "subject.kind"), *name = ctl_str(row, "subject.name");

	if (strcmp(kind, "container") != 0)
		buf_printf(out, "%s%s", kind, name[0] ? " " : "");
	buf_add_str(out, name);
}

static const struct ctl_column finding_columns[] = {
	{ .title = "ID", .path = "id" },
	{ .title = "SEVERITY", .path = "severity" },
	{ .title = "STATUS", .path = "status" },
	{ .title = "CHECK", .path = "check", .may_shrink = true },
	{ .title = "HOST", .path = "host", .may_shrink = true },
	{ .title = "SUBJECT", .value = subject, .may_shrink = true },
	{ .title = "EVIDENCE", .path = "evidence", .may_shrink = true },
	{ .title = "AGE", .path = "opened", .form = CTL_AGE, .hide = 2 },
	{ .title = "TITLE", .path = "title", .may_shrink = true, .hide = 1 },
	{ .title = "IMAGE", .path = "subject.image", .is_wide = true },
	{ .title = "RESULT", .path = "result", .is_wide = true },
	{ .title = "DIFFERS", .path = "differs", .form = CTL_YES, .is_wide = true },
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

static void print_finding(struct ctl *c, const cJSON *f)
{
	CLEANUP(buf_finip) struct buf out = { 0 }, where = { 0 }, times = { 0 };

	ctl_heading(&out, ctl_str(f, "check"), ctl_str(f, "title"));
	CTL_LINES(&out, 0, f, { "severity", "severity" }, { "status", "status" });
	subject(f, &where);
	ctl_line(&out, 0, "what", where.p);
	CTL_LINES(&out, 0, f, { "host", "host" }, { "image", "subject.image" }, { "id", "subject.id" },
		  { "evidence", "evidence" });
	if (ctl_is_true(f, "differs"))
		ctl_line(&out, 0, "note", "what was asked for and what is are not the same");
	CTL_LINES(&out, 0, f, { "why", "why" }, { "fix", "fix" }, { "CIS", "cis" }, { "MITRE", "mitre" },
		  { "found by", "trigger" }, { "first seen", "first_seen" }, { "last seen", "last_seen" },
		  { "mended", "mended" }, { "", "mended_why" }, { "waiver", "waiver" },
		  { "waived by", "waived.who" }, { "because", "waived.reason" }, { "until", "waived.until" });
	buf_printf(&times, "%.0f", cJSON_IsNumber(ctl_at(f, "reopened")) ? ctl_at(f, "reopened")->valuedouble : 0);
	if (strcmp(times.p, "0") != 0)
		ctl_line(&out, 0, "came back", times.p);
	fwrite(out.p, 1, out.n, c->out);
}

int ctl_finding_show(struct ctl *c, struct err *err)
{
	CLEANUP(buf_finip) struct buf path = { 0 }, raw = { 0 };
	CLEANUP(cJSON_Deletep) cJSON *doc = NULL;

	int r = ctl_one_path(c, "/api/v1/findings/", "number; see picketctl finding list", &path, err);
	if (r >= 0)
		r = ctl_get(c, path.p, NULL, &raw, &doc, err);
	return r < 0 ? r : ctl_print_doc(c, buf_slice(&raw), doc, print_finding, err);
}

/* ---- waivers ---- */

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
	ctl_wish(&j, "subject", c->subject);
	ctl_wish(&j, "host", c->host);
	ctl_wish(&j, "reason", c->reason);
	ctl_wish(&j, "until", c->until);
	json_object_close(&j);
}

static void print_waiver(struct ctl *c, const cJSON *w)
{
	CLEANUP(buf_finip) struct buf out = { 0 };

	show_text(&out, slice_of(ctl_str(w, "check")), 100);
	buf_add_str(&out, " on ");
	show_text(&out, slice_of(ctl_str(w, "subject")), 100);
	buf_add_str(&out, ", host ");
	show_text(&out, slice_of(ctl_str(w, "host")), 100);
	buf_printf(&out, ", is waived until %.10s (", ctl_str(w, "until"));
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
	int r = ctl_needs_reason(c, err);
	if (r < 0)
		return r;
	write_wish(c, &body);
	struct slice text = buf_slice(&body);
	r = ctl_get(c, "/api/v1/waivers", &text, &raw, &doc, err);
	return r < 0 ? r : ctl_print_doc(c, buf_slice(&raw), doc, print_waiver, err);
}

static void unused(const cJSON *row, struct buf *out)
{
	CLEANUP(buf_finip) struct buf n = { 0 };

	ctl_value(ctl_at(row, "findings"), &n);
	buf_add_str(out, !ctl_is_true(row, "used") ? "never used" : n.n ? n.p : "");
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

int ctl_finding_waivers(struct ctl *c, struct err *err)
{
	return ctl_list_ends(c, &waiver_view, err);
}

int ctl_finding_unwaive(struct ctl *c, struct err *err)
{
	return ctl_end_each(c, "/api/v1/waivers/", "waiver", "waivers", err);
}

/* ---- containers ---- */

static void short_id(const cJSON *row, struct buf *out)
{
	ctl_short_id(ctl_str(row, "id"), out);
}

static void ports(const cJSON *row, struct buf *out)
{
	const cJSON *p;
	unsigned n = 0;

	cJSON_ArrayForEach(p, ctl_at(row, "config.ports"))
	{
		buf_add_str(out, n++ ? " " : "");
		if (json_get_u64(p, "host_port", 0)) {
			const char *ip = ctl_str(p, "host_ip");

			buf_printf(out, strchr(ip, ':') ? "[%s]:%" PRIu64 "->" : "%s:%" PRIu64 "->", ip[0] ? ip : "*",
				   json_get_u64(p, "host_port", 0));
		}
		buf_printf(out, "%" PRIu64 "/%s", json_get_u64(p, "port", 0), ctl_str(p, "protocol"));
	}
}

static void mounts(const cJSON *row, struct buf *out)
{
	const cJSON *m;
	unsigned n = 0;

	cJSON_ArrayForEach(m, ctl_at(row, "config.mounts"))
		buf_printf(out, "%s%s:%s%s", n++ ? " " : "", ctl_str(m, "source"), ctl_str(m, "target"),
			   ctl_is_true(m, "writable") ? "" : ":ro");
}

static void networks(const cJSON *row, struct buf *out)
{
	ctl_join(ctl_at(row, "config.networks"), out);
}

static void running(const cJSON *row, struct buf *out)
{
	buf_add_str(out, ctl_is_true(row, "running") ? "yes" : "no");
}

static void faults(const cJSON *row, struct buf *out)
{
	uint64_t n = json_get_u64(row, "findings", 0);

	if (n)
		buf_printf(out, "%" PRIu64 " (%s)", n, ctl_str(row, "worst"));
}

static const struct ctl_column container_columns[] = {
	{ .title = "CONTAINER", .path = "name", .may_shrink = true },
	{ .title = "ID", .path = "id", .value = short_id, .hide = 2 },
	{ .title = "HOST", .path = "host", .may_shrink = true },
	{ .title = "IMAGE", .path = "image", .may_shrink = true },
	{ .title = "RUNNING", .path = "running", .value = running, .hide = 3 },
	{ .title = "USER", .path = "user", .may_shrink = true },
	{ .title = "PRIVILEGED", .path = "privileged", .form = CTL_YES },
	{ .title = "PORTS", .value = ports, .may_shrink = true },
	{ .title = "RISK", .path = "risk" },
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
						.column_count = ARRAY_LEN(container_columns),
						.has_risk = true };

int ctl_container_list(struct ctl *c, struct err *err)
{
	return ctl_list(c, &container_view, err);
}

static void made_with(struct buf *out, const cJSON *x)
{
	static const struct ctl_field lists[] = { { "networks", "config.networks" },   { "cap_add", "config.cap_add" },
						{ "cap_drop", "config.cap_drop" },   { "security", "config.security_opt" },
						{ "devices", "config.devices" },     { "sysctls", "config.sysctls" } };
	static const struct ctl_field words[] = { { "pid", "config.pid_mode" },	  { "ipc", "config.ipc_mode" },
						{ "network", "config.network_mode" }, { "uts", "config.uts_mode" },
						{ "userns", "config.userns_mode" },   { "runtime", "config.runtime" },
						{ "restart", "config.restart" },      { "memory", "config.memory_bytes" },
						{ "pids", "config.pids_limit" },      { "read-only", "config.readonly_root" } };

	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		CLEANUP(buf_finip) struct buf text = { 0 };

		ctl_join(ctl_at(x, lists[i].path), &text);
		ctl_line_buf(out, 0, lists[i].name, &text);
	}
	ctl_lines(out, 0, x, words, ARRAY_LEN(words));
}

static void print_container(struct ctl *c, const cJSON *x)
{
	CLEANUP(buf_finip) struct buf out = { 0 }, text = { 0 };

	ctl_heading(&out, ctl_str(x, "name")[0] ? ctl_str(x, "name") : ctl_str(x, "id"), ctl_str(x, "image"));
	CTL_LINES(&out, 0, x, { "host", "host" }, { "id", "id" }, { "image id", "image_id" },
		  { "digest", "image_digest" });
	ctl_line(&out, 0, "running", ctl_is_true(x, "running") ? "yes" : "no");
	CTL_LINES(&out, 0, x, { "user", "user" });
	ctl_line(&out, 0, "privileged", ctl_is_true(x, "privileged") ? "yes" : "");
	ports(x, &text);
	ctl_line_buf(&out, 0, "ports", &text);
	buf_reset(&text);
	mounts(x, &text);
	ctl_line_buf(&out, 0, "mounts", &text);
	made_with(&out, x);
	CTL_LINES(&out, 0, x, { "created", "created" }, { "started", "started" });
	ctl_risk(&out, x);
	fwrite(out.p, 1, out.n, c->out);
	(void)ctl_print_list(c, "\nFindings", &finding_view, ctl_at(x, "open_findings"));
}

int ctl_container_show(struct ctl *c, struct err *err)
{
	CLEANUP(buf_finip) struct buf path = { 0 }, raw = { 0 };
	CLEANUP(cJSON_Deletep) cJSON *doc = NULL;

	int r = ctl_one_path(c, "/api/v1/containers/", "name or id", &path, err);
	if (r < 0)
		return r;
	ctl_query(&path, "host", c->host);
	r = ctl_get(c, path.p, NULL, &raw, &doc, err);
	return r < 0 ? r : ctl_print_doc(c, buf_slice(&raw), doc, print_container, err);
}
