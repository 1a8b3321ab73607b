/* advised.h - a store, a vuln room with what it tells written down, and small feeds made by hand. */
#pragma once
#include "tests/collector/store/fixture.h"

#include "collector/vuln/vuln.h"
#include "common/file.h"
#include "tests/collector/stock.h"

#define WEB "sha256:aaaaaaaaaaaa00000000000000000000000000000000000000000000000000aa"
#define DB  "sha256:bbbbbbbbbbbb00000000000000000000000000000000000000000000000000bb"

struct advised {
	struct fixture f;
	struct arena *a;
	struct loop *loop;
	struct vuln *v;
	struct vuln_config cfg;
	char db_path[128];
	struct buf told; /* a line for each thing told */
	int64_t alerts;
	bool is_full;
};
static struct advised w;
static struct err err;

static inline int advised_case(void *arg, const struct store_case *c, enum vuln_case_why why,
			       struct store_told_row *told, struct err *e)
{
	static const char *const words[] = { "new", "same", "worse", "again" };

	if (w.is_full && why == CASE_NEW) {
		told->state = TOLD_WITHHELD;
		buf_printf(&w.told, "withheld %s\n", c->vuln->id);
		return 0;
	}
	if (!told->alert)
		told->alert = ++w.alerts;
	told->state = TOLD_OPEN;
	if (why != CASE_SAME)
		buf_printf(&w.told, "%s %s %s %s %s hosts=%u packages=%zu\n", words[why], c->vuln->id, c->image,
			   msg_severity_name(c->severity), c->places[0].fixed[0] ? c->places[0].fixed : "-",
			   (unsigned)c->hosts, c->place_count);
	else
		buf_printf(&w.told, "same %s hosts=%u\n", c->vuln->id, (unsigned)c->hosts);
	return 0;
}

static inline int advised_closed(void *arg, int64_t alert, const char *why, struct err *e)
{
	buf_printf(&w.told, "closed %d %s\n", (int)alert, why);
	return 0;
}

static inline int advised_data(void *arg, const char *title, const char *detail, int64_t *alert, struct err *e)
{
	buf_printf(&w.told, "data %s\n", *alert ? "well" : detail);
	*alert = *alert ? 0 : ++w.alerts;
	return 0;
}

static inline void advised_start(void)
{
	static const struct vuln_ops ops = { .on_case = advised_case,
					     .on_closed = advised_closed,
					     .on_data = advised_data };

	OK(vuln_new(w.loop, w.f.s, &w.f.clk, &w.cfg, &ops, &w, &w.v, &err));
}

static inline int advised_setup(void **state)
{
	w = (struct advised){ .a = arena_new(64 << 20),
			      .cfg = { .min_severity = VULN_HIGH,
				       .gone_ms = 600000,
				       .quiet_ms = 86400000,
				       .keep_ms = 30ull * 86400000,
				       .stale_ms = 48 * 3600000 } };
	fixture_init(&w.f);
	fixture_enrol(w.f.s, "agent-1", "host-1");
	fixture_enrol(w.f.s, "agent-2", "host-2");
	snprintf(w.db_path, sizeof(w.db_path), "%s/vulndb.db", w.f.dir);
	w.cfg.db_path = w.db_path;
	OK(loop_new(&w.loop, &err));
	advised_start();
	return 0;
}

static inline int advised_teardown(void **state)
{
	vuln_free(w.v);
	loop_free(w.loop);
	fixture_fini(&w.f);
	arena_free(w.a);
	buf_fini(&w.told);
	return 0;
}

/* What was told since the last time. */
static inline const char *advised_told(void)
{
	char *copy = arena_dup(w.a, buf_slice(&w.told));

	buf_reset(&w.told);
	return copy ? copy : "";
}

/* All that is due is done; what was told of it. */
static inline const char *advised_work(void)
{
	OK(vuln_work_all(w.v, &err));
	return advised_told();
}

static inline void advised_feed(const char *format, const char *name, const char *text)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", w.f.dir, name);
	OK(file_write_atomic(path, slice_of(text), 0600, &err));
	OK(vuln_feed_import(w.f.s, &w.f.clk, &w.cfg, format, path, NULL, NULL, &err));
}

/* Of Debian's tracker: source, CVE, urgency, fixed version or "". rows: NULL-terminated fours. */
static inline void advised_debian(const char *const *rows)
{
	struct buf out = { 0 };

	buf_add_char(&out, '{');
	for (size_t i = 0; rows[i]; i += 4) {
		buf_printf(&out,
			   "%s\"%s\":{\"%s\":{\"description\":\"a hole in %s\",\"scope\":\"remote\",\"releases\":{\"bookworm\":{"
			   "\"status\":\"%s\",\"repositories\":{\"bookworm\":\"1\"},%s%s%s\"urgency\":\"%s\"}}}}",
			   i ? "," : "", rows[i], rows[i + 1], rows[i], rows[i + 3][0] ? "resolved" : "open",
			   rows[i + 3][0] ? "\"fixed_version\":\"" : "", rows[i + 3], rows[i + 3][0] ? "\"," : "",
			   rows[i + 2]);
	}
	buf_add_char(&out, '}');
	advised_feed("debian", "debian.json", out.p);
	buf_fini(&out);
}

/* One OSV record of npm with a critical score. */
static inline void advised_npm(const char *id, const char *package, const char *fixed)
{
	char text[1024];

	snprintf(text, sizeof(text),
		 "{\"schema_version\":\"1.6.0\",\"id\":\"%s\",\"modified\":\"2026-01-01T00:00:00Z\","
		 "\"summary\":\"a hole\",\"severity\":[{\"type\":\"CVSS_V3\",\"score\":"
		 "\"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H\"}],\"affected\":[{\"package\":{\"ecosystem\":\"npm\","
		 "\"name\":\"%s\"},\"ranges\":[{\"type\":\"SEMVER\",\"events\":[{\"introduced\":\"0\"},{\"fixed\":\"%s\"}]}]}]}",
		 id, package, fixed);
	advised_feed("osv", "osv.json", text);
}

static inline void advised_kev(const char *cve)
{
	char text[1024];

	snprintf(text, sizeof(text),
		 "{\"title\":\"KEV\",\"catalogVersion\":\"2026.01.01\",\"dateReleased\":\"2026-01-01T00:00:00Z\",\"count\":1,"
		 "\"vulnerabilities\":[{\"cveID\":\"%s\",\"vendorProject\":\"v\",\"product\":\"p\",\"vulnerabilityName\":\"n\","
		 "\"dateAdded\":\"2026-01-01\",\"shortDescription\":\"s\",\"requiredAction\":\"a\",\"dueDate\":\"2026-02-01\","
		 "\"knownRansomwareCampaignUse\":\"Known\",\"notes\":\"\"}]}",
		 cve);
	advised_feed("kev", "kev.json", text);
}

static inline void advised_image(const char *id, const char *name, const char *const *packages)
{
	Picket__Inventory *m = stock_inventory(w.a, id, name);

	stock_add(m, stock_layer(w.a, packages));
	OK(stock_put(w.f.s, "agent-1", m, &err));
}

static inline void advised_run(const char *agent, uint64_t state, const char *image)
{
	struct stock_use u;

	stock_use(&u, state, image, NULL);
	OK(stock_tell(w.f.s, agent, &u.state, &err));
}
