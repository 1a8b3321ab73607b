/* ctl_status.c - status: is it well, on one screen; metrics as they are. */
#include "collector/ctl/ctl.h"

#include <inttypes.h>

#include "common/show.h"

static uint64_t num(const cJSON *doc, const char *path)
{
	const cJSON *v = ctl_at(doc, path);

	return cJSON_IsNumber(v) && v->valuedouble > 0 ? (uint64_t)v->valuedouble : 0;
}

static void size(uint64_t n, struct buf *out)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	double v = (double)n;
	size_t u = 0;

	while (v >= 1024 && u + 1 < sizeof(units) / sizeof(units[0])) {
		v /= 1024;
		u++;
	}
	buf_printf(out, u && v < 10 ? "%.1f %s" : "%.0f %s", v, units[u]);
}

static void add_health(const cJSON *doc, struct buf *out)
{
	const cJSON *list = ctl_at(doc, "health"), *item;
	uint64_t all = num(doc, "health_count"), shown = 0;

	if (!cJSON_IsArray(list))
		return;
	if (!all) {
		buf_printf(out, "%-14s well\n", "health");
		return;
	}
	buf_printf(out, "%-14s %" PRIu64 " thing%s wrong\n", "health", all, all == 1 ? " is" : "s are");
	cJSON_ArrayForEach(item, list)
	{
		CLEANUP(buf_finip) struct buf host = { 0 };

		show_text(&host, json_get_str(item, "host"), 100);
		buf_printf(out, "  %-9s %s%s%s since %.19sZ: picketctl alert show %" PRIu64 "\n", ctl_str(item, "severity"),
			   ctl_str(item, "rule"), host.n ? " on " : "", host.n ? host.p : "", ctl_str(item, "since"),
			   num(item, "alert"));
		shown++;
	}
	if (shown < all)
		buf_printf(out, "  and %" PRIu64 " more\n", all - shown);
}

static void print_status(struct ctl *c, const cJSON *doc)
{
	CLEANUP(buf_finip) struct buf out = { 0 };

	buf_printf(&out, "%-14s %s %s\n", "collector", ctl_str(doc, "name"), ctl_str(doc, "version"));
	add_health(doc, &out);
	buf_printf(&out, "%-14s %" PRIu64 " of %" PRIu64 " online\n", "agents", num(doc, "agents_online"), num(doc, "agents"));
	buf_printf(&out, "%-14s %" PRIu64 " in ", "history", num(doc, "events"));
	size(num(doc, "history_bytes"), &out);
	if (num(doc, "events") > 10000) /* before that it is what an empty database takes */
		buf_printf(&out, ", %.0f bytes each", (double)num(doc, "history_bytes") / (double)num(doc, "events"));
	buf_printf(&out, "\n%-14s %" PRIu64 " produced, %" PRIu64 " stored, %" PRIu64 " lost\n", "records", num(doc, "produced"),
		   num(doc, "stored"), num(doc, "lost"));
	buf_printf(&out, "%-14s %" PRIu64 " open\n", "alerts", num(doc, "alerts_open"));
	buf_printf(&out, "%-14s %" PRIu64 " waiting, %" PRIu64 " given up\n", "notifications", num(doc, "outbox_waiting"),
		   num(doc, "outbox_dead"));
	buf_printf(&out, "%-14s ", "disk");
	size(num(doc, "free_bytes"), &out);
	buf_add_str(&out, " free; state ");
	size(num(doc, "state_bytes"), &out);
	buf_add_char(&out, '\n');
	fwrite(out.p, 1, out.n, c->out);
}

int ctl_status(struct ctl *c, struct err *err)
{
	CLEANUP(buf_finip) struct buf raw = { 0 };
	cJSON *doc = NULL;

	if (c->verb)
		return err_set(err, ERR_USAGE, "status takes no words");
	if (c->format == CTL_CSV)
		return err_set(err, ERR_USAGE, "status has no columns: -o table, json, ndjson or yaml");
	int r = ctl_get(c, "/api/v1/status", NULL, &raw, &doc, err);
	if (r < 0)
		return r;
	r = ctl_print_doc(c, buf_slice(&raw), doc, print_status, err);
	cJSON_Delete(doc);
	return r;
}

int ctl_metrics(struct ctl *c, struct err *err)
{
	CLEANUP(buf_finip) struct buf text = { 0 };

	if (c->verb)
		return err_set(err, ERR_USAGE, "metrics takes no words");
	int r = ctl_request(c, "/metrics", NULL, &text, err);
	if (r >= 0)
		fwrite(text.p ? text.p : "", 1, text.n, c->out);
	return r;
}
