/* served_images.h - images for the served API: one that runs, with names made to harm, and one that doesn't; and
 * advisories about what is in them, matched and judged by the real room. */
#pragma once
#include "collector/vuln/vuln.h"
#include "tests/collector/people.h"
#include "tests/collector/stock.h"

#define SERVED_WEB "sha256:aaaaaaaaaaaa00000000000000000000000000000000000000000000000000aa"
#define SERVED_DB  "sha256:bbbbbbbbbbbb00000000000000000000000000000000000000000000000000bb"
#define SERVED_NEW "sha256:cccccccccccc00000000000000000000000000000000000000000000000000cc"

static inline int served_case(void *arg, const struct store_case *c, enum vuln_case_why why,
			      struct store_told_row *told, struct err *err)
{
	told->state = TOLD_WITHHELD;
	return 0;
}

static inline int served_closed(void *arg, int64_t alert, const char *why, struct err *err)
{
	return 0;
}

static inline int served_data(void *arg, const char *title, const char *detail, int64_t *alert, struct err *err)
{
	return 0;
}

static inline void served_feed(const char *dir, const char *db, const char *name, enum vulndb_format format,
			       const char *text)
{
	struct vulndb_imported im;
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	MUST(file_write_atomic(path, slice_of(text), 0600, &must_err));
	const struct vulndb_import in = { .path = db, .source = path, .format = format, .now_unix_s = 1795464000 };
	MUST(vulndb_import(&in, &im, &must_err));
}

static inline void served_feeds(const char *dir, const char *db)
{
	served_feed(dir, db, "debian.json", VULNDB_DEBIAN,
		    "{\"openssl\":{\"CVE-2026-0001\":{\"description\":\"a hole in \\u001b[2J openssl\",\"releases\":{\"bookworm\":"
		    "{\"status\":\"resolved\",\"repositories\":{\"bookworm\":\"1\"},\"fixed_version\":\"3.0.12-1\","
		    "\"urgency\":\"high\"}}}},\"bash\":{\"CVE-2026-0002\":{\"description\":\"a hole in bash\",\"releases\":"
		    "{\"bookworm\":{\"status\":\"open\",\"repositories\":{\"bookworm\":\"1\"},\"urgency\":\"low\"}}}}}");
	served_feed(dir, db, "npm.json", VULNDB_OSV,
		    "{\"id\":\"GHSA-1111-2222-3333\",\"modified\":\"2026-01-01T00:00:00Z\",\"aliases\":[\"CVE-2026-0003\"],"
		    "\"summary\":\"Prototype pollution\",\"severity\":[{\"type\":\"CVSS_V3\",\"score\":"
		    "\"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H\"}],\"references\":[{\"type\":\"WEB\",\"url\":"
		    "\"https://advisories.example/3\"}],\"affected\":[{\"package\":{\"ecosystem\":\"npm\",\"name\":\"lodash\"},"
		    "\"ranges\":[{\"type\":\"SEMVER\",\"events\":[{\"introduced\":\"0\"},{\"fixed\":\"4.17.21\"}]}]}]}");
	served_feed(dir, db, "kev.json", VULNDB_KEV,
		    "{\"title\":\"KEV\",\"catalogVersion\":\"1\",\"dateReleased\":\"2026-01-01T00:00:00Z\",\"count\":1,"
		    "\"vulnerabilities\":[{\"cveID\":\"CVE-2026-0002\",\"vendorProject\":\"v\",\"product\":\"p\","
		    "\"vulnerabilityName\":\"n\",\"dateAdded\":\"2026-01-01\",\"shortDescription\":\"s\",\"requiredAction\":\"a\","
		    "\"dueDate\":\"2026-02-01\",\"knownRansomwareCampaignUse\":\"Known\",\"notes\":\"\"}]}");
}

static inline void served_inventories(struct store *s, struct arena *a, const char *agent)
{
	static const char *const base[] = { "deb openssl 3.0.11-1", "deb bash 5.2-1", NULL };
	static const char *const app[] = { "npm lodash 4.17.20", "deb evil\033]0;x\007 3.0.11-1 openssl", NULL };
	static const char *const newer[] = { "deb openssl 3.0.12-1", NULL };
	static char digest[] = "docker.io/library/web@sha256:new", port[] = "80/tcp", key[] = "AWS_SECRET", label[] = "vendor",
		    value[] = "=cmd|'\033[2J";
	static char *digests[] = { digest }, *ports[] = { port }, *secrets[] = { key };
	static Picket__ImageConfig config;
	static Picket__ImageConfig__LabelsEntry entry, *labels[] = { &entry };
	static Picket__SetidFile file, *files[] = { &file };
	Picket__Inventory *m = stock_inventory(a, SERVED_WEB, "web:1");

	picket__image_config__init(&config);
	picket__image_config__labels_entry__init(&entry);
	picket__setid_file__init(&file);
	entry.key = label;
	entry.value = value;
	file.path = people_bytes("/bin/su\033[2J");
	file.mode = 04755;
	config.exposed_ports = ports;
	config.n_exposed_ports = 1;
	config.secret_env = secrets;
	config.n_secret_env = 1;
	config.labels = labels;
	config.n_labels = 1;
	config.setid_files = files;
	config.n_setid_files = 1;
	m->config = &config;
	stock_add(m, stock_layer(a, base));
	stock_add(m, stock_layer(a, app));
	MUST(stock_put(s, agent, m, &must_err));
	m = stock_inventory(a, SERVED_DB, "db:1");
	stock_add(m, stock_layer(a, base));
	MUST(stock_put(s, agent, m, &must_err));
	m = stock_inventory(a, SERVED_NEW, NULL);
	stock_add(m, stock_layer(a, newer));
	m->repo_digests = digests;
	m->n_repo_digests = 1;
	MUST(stock_put(s, agent, m, &must_err));
}

static inline void served_in_use(struct store *s, const char *agent)
{
	Picket__BaseImage b = PICKET__BASE_IMAGE__INIT;
	struct stock_use u;

	/* one without a name goes by what it was started as */
	stock_use(&u, 1, SERVED_NEW, NULL);
	u.image.reference = people_bytes("new\033]0;owned\007\xe2\x80\xae:1");
	u.container.n_published_ports = 0;
	MUST(stock_tell(s, "6f1c3b1e-0000-4000-8000-000000000002", &u.state, &must_err));
	stock_use(&u, 1, SERVED_WEB, NULL);
	u.image.reference = people_bytes("web\033]0;owned\007\xe2\x80\xae:1");
	u.container.name = people_bytes("=HYPERLINK(\"x\")\033[2J");
	u.container.started_unix_s = 1795464000;
	u.image.n_packages = 1;
	u.package.ecosystem = STOCK_TEXT("npm");
	u.package.name = STOCK_TEXT("lodash");
	u.package.version = STOCK_TEXT("4.17.20");
	u.package.is_executed = true;
	u.package.path = people_bytes("/app/node_modules/lodash\033[2J");
	u.package.container_id = STOCK_TEXT("c0ffee");
	u.package.last_unix_s = 1795464000;
	MUST(stock_tell(s, agent, &u.state, &must_err));
	b.image_id = STOCK_TEXT(SERVED_WEB);
	b.reference = STOCK_TEXT("docker.io/library/web:1");
	b.running_digest = STOCK_TEXT("sha256:old");
	b.current_digest = STOCK_TEXT("sha256:new");
	b.checked_unix_s = 1795464000;
	MUST(store_base_image_put(s, agent, &b, &must_err));
}

static inline void served_images(struct store *s, const char *dir, struct loop *l, const char *agent)
{
	static const struct vuln_ops ops = { .on_case = served_case, .on_closed = served_closed, .on_data = served_data };
	struct arena *a = arena_new(16 << 20);
	struct vuln_config cfg = { .min_severity = VULN_HIGH };
	struct vuln *v;
	char db[128];

	snprintf(db, sizeof(db), "%s/vulndb.db", dir);
	cfg.db_path = db;
	served_feeds(dir, db);
	served_inventories(s, a, agent);
	served_in_use(s, agent);
	MUST(vuln_new(l, s, clock_real(), &cfg, &ops, NULL, &v, &must_err));
	MUST(vuln_work_all(v, &must_err));
	vuln_free(v);
	arena_free(a);
}
