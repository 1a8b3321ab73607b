/* bench_images.c - a fleet's images after an import: how long until everything is matched, judged and told, and
 * how long batches would have had to wait meanwhile.
 *
 *	bench_images [IMAGES [FOLDER [BASES]]]	default 1,000 images on 25 bases, a new folder under /var/tmp
 *
 * Each base has 400 Debian packages, each image 40 more of its own (a third of them npm's) on one of the bases;
 * half of the images run, on 50 hosts. The feed is Debian's tracker with 20,000 CVEs of 4,000 sources and 4,000
 * OSV records of npm. With BASES = IMAGES no two images share a layer. */
#include <ftw.h>
#include <sys/stat.h>
#include <time.h>

#include "collector/vuln/vuln.h"
#include "common/file.h"
#include "common/log.h"
#include "tests/collector/stock.h"

enum { BASE_PACKAGES = 400, OWN_PACKAGES = 40, SOURCES = 4000, CVES = 20000, NPM = 4000, HOSTS = 50 };

static uint64_t seed = 88172645463325252ull;
static uint64_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	return seed ^= seed << 17;
}

static void must(int r, const struct err *err)
{
	if (r >= 0)
		return;
	fprintf(stderr, "bench_images: %s\n", err->msg);
	exit(1);
}

static double cpu_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static struct fleet {
	struct store *s;
	struct loop *loop;
	struct vuln *v;
	struct vuln_config cfg;
	char dir[128], db[256];
	unsigned images, bases, cases, closed;
	/* the longest that nobody but the room had the loop, in CPU time: other programs' share is not its doing */
	double last_s, longest_s;
	bool is_done;
} fleet;

/* ---- what the images are made of ---- */

static void add_package(struct arena *a, Picket__Layer *l, const char *ecosystem, const char *name, const char *version,
			const char *source)
{
	Picket__Package *p = arena_alloc(a, sizeof(*p));

	picket__package__init(p);
	p->ecosystem = STOCK_TEXT(ecosystem);
	p->name = arena_dup(a, slice_of(name));
	p->version = arena_dup(a, slice_of(version));
	p->arch = STOCK_TEXT("amd64");
	p->source = arena_dup(a, slice_of(source));
	p->source_version = p->version;
	p->path = msg_bytes(SLICE_LIT("var/lib/dpkg/status"));
	l->packages[l->n_packages++] = p;
}

static Picket__Layer *layer(struct arena *a, unsigned which, unsigned count, bool is_base)
{
	Picket__Layer *l = stock_layer(a, NULL);
	uint8_t *key = arena_alloc(a, LIMIT_KEY_BYTES);
	struct err err;

	l->packages = arena_zalloc(a, count, sizeof(*l->packages));
	for (unsigned i = 0; i < count; i++) {
		char name[32], version[32], source[32];
		bool is_npm = !is_base && i % 3 == 0;
		unsigned n = is_base ? i : (unsigned)(rnd() % SOURCES);

		snprintf(name, sizeof(name), is_npm ? "module-%u" : "lib%u-bin", n);
		snprintf(source, sizeof(source), "src%u", n);
		/* releases of a package are few; without sharing, each image has its own */
		snprintf(version, sizeof(version), is_npm ? "1.%u.0" : "1.%u-1",
			 fleet.bases == fleet.images ? which : (unsigned)(which * 7 + n) % 9);
		add_package(a, l, is_npm ? "npm" : "deb", name, version, is_npm ? "" : source);
	}
	must(msg_layer_key(l->packages, l->n_packages, key, &err), &err);
	l->key = (ProtobufCBinaryData){ LIMIT_KEY_BYTES, key };
	return l;
}

static void image_id(unsigned i, char dst[80])
{
	snprintf(dst, 80, "sha256:%064u", i);
}

static void put_images(void)
{
	double worst = 0, begun = now_s(), cpu = cpu_s();
	struct arena *a = arena_new(256 << 20);
	struct err err;

	for (unsigned i = 0; i < fleet.images; i++) {
		char id[80], name[40];

		arena_reset(a);
		image_id(i, id);
		snprintf(name, sizeof(name), "registry.example/app-%u:1", i);
		Picket__Inventory *m = stock_inventory(a, id, name);
		stock_add(m, layer(a, i % fleet.bases, BASE_PACKAGES, true));
		stock_add(m, layer(a, i, OWN_PACKAGES, false));
		double t = now_s();
		must(stock_put(fleet.s, "agent-0", m, &err), &err);
		t = now_s() - t;
		worst = t > worst ? t : worst;
	}
	printf("inventories  %u stored in %.2f s (CPU %.2f s), each %.1f ms, the slowest %.1f ms\n", fleet.images,
	       now_s() - begun, cpu_s() - cpu, (now_s() - begun) * 1000 / fleet.images, worst * 1000);
	arena_free(a);
}

static void run_images(void)
{
	struct err err;

	for (unsigned h = 0; h < HOSTS; h++) {
		struct stock_use u[64];
		Picket__ImageUse *uses[64];
		char ids[64][80], boxes[64][32], agent[16];
		unsigned n = 0;

		snprintf(agent, sizeof(agent), "agent-%u", h);
		for (unsigned i = h; i < fleet.images / 2 && n < 64; i += HOSTS, n++) {
			image_id(i, ids[n]);
			snprintf(boxes[n], sizeof(boxes[n]), "box-%u-%u", h, i);
			stock_use(&u[n], 1, ids[n], boxes[n]);
			uses[n] = &u[n].image;
		}
		if (!n)
			continue;
		u[0].state.images = uses;
		u[0].state.n_images = n;
		must(stock_tell(fleet.s, agent, &u[0].state, &err), &err);
	}
}

/* ---- the feeds ---- */

static void write_debian(unsigned first_urgent)
{
	static const char *const urgencies[] = { "high", "medium", "low", "unimportant", "not yet assigned" };
	struct buf b = { 0 };
	char path[300];
	struct err err;

	buf_init(&b, 64 << 20);
	buf_add_char(&b, '{');
	for (unsigned s = 0; s < SOURCES; s++) {
		buf_printf(&b, "%s\"src%u\":{", s ? "," : "", s);
		for (unsigned k = 0; k < CVES / SOURCES; k++) {
			unsigned n = s * (CVES / SOURCES) + k;
			/* 2 of 100 are high */
			const char *urgency = n % 50 == 0 || n < first_urgent ? urgencies[0] : urgencies[1 + n % 4];

			buf_printf(&b,
				   "%s\"CVE-2026-%u\":{\"description\":\"Some hole in source %u, of the kind number %u, that lets"
				   " somebody do something.\",\"scope\":\"remote\",\"releases\":{\"bookworm\":{\"status\":\"%s\","
				   "\"repositories\":{\"bookworm\":\"1\"},%s\"urgency\":\"%s\"}}}",
				   k ? "," : "", 10000 + n, s, k, n % 2 ? "open" : "resolved",
				   n % 2 ? "" : "\"fixed_version\":\"1.5-1\",", urgency);
		}
		buf_add_char(&b, '}');
	}
	buf_add_char(&b, '}');
	snprintf(path, sizeof(path), "%s/debian.json", fleet.dir);
	must(file_write_atomic(path, buf_slice(&b), 0600, &err), &err);
	buf_fini(&b);
}

static void write_npm(void)
{
	char path[300];
	struct err err;

	snprintf(path, sizeof(path), "%s/npm", fleet.dir);
	mkdir(path, 0700);
	for (unsigned n = 0; n < NPM; n++) {
		char text[700];

		snprintf(path, sizeof(path), "%s/npm/GHSA-%u.json", fleet.dir, n);
		snprintf(text, sizeof(text),
			 "{\"id\":\"GHSA-bbbb-%04u-cccc\",\"modified\":\"2026-01-01T00:00:00Z\",\"summary\":\"s\",\"severity\":"
			 "[{\"type\":\"CVSS_V3\",\"score\":\"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:%c/I:N/A:N\"}],\"affected\":"
			 "[{\"package\":{\"ecosystem\":\"npm\",\"name\":\"module-%u\"},\"ranges\":[{\"type\":\"SEMVER\","
			 "\"events\":[{\"introduced\":\"0\"},{\"fixed\":\"1.4.0\"}]}]}]}",
			 n, n % 10 ? 'L' : 'H', n);
		must(file_write_atomic(path, slice_of(text), 0600, &err), &err);
	}
}

static void write_kev(void)
{
	char path[300];
	struct err err;

	snprintf(path, sizeof(path), "%s/kev.json", fleet.dir);
	must(file_write_atomic(path,
			       SLICE_LIT("{\"title\":\"KEV\",\"catalogVersion\":\"1\",\"dateReleased\":\"2026-01-01T00:00:00Z\","
					 "\"count\":1,\"vulnerabilities\":[{\"cveID\":\"CVE-2026-10007\",\"vendorProject\":\"v\","
					 "\"product\":\"p\",\"vulnerabilityName\":\"n\",\"dateAdded\":\"2026-01-01\","
					 "\"shortDescription\":\"s\",\"requiredAction\":\"a\",\"dueDate\":\"2026-02-01\","
					 "\"knownRansomwareCampaignUse\":\"Unknown\",\"notes\":\"\"}]}"),
			       0600, &err),
	     &err);
}

static void import(const char *format, const char *name)
{
	double begun = now_s();
	char path[300];
	struct err err;

	snprintf(path, sizeof(path), "%s/%s", fleet.dir, name);
	must(vuln_feed_import(fleet.s, clock_real(), &fleet.cfg, format, path, NULL, NULL, &err), &err);
	printf("import       %-12s %.2f s (a process of its own)\n", name, now_s() - begun);
}

/* ---- the room at work ---- */

static int on_case(void *arg, const struct store_case *c, enum vuln_case_why why, struct store_told_row *told,
		   struct err *err)
{
	fleet.cases += why == CASE_NEW;
	told->state = TOLD_OPEN;
	told->alert = fleet.cases;
	return 0;
}

static int on_closed(void *arg, int64_t alert, const char *why, struct err *err)
{
	fleet.closed++;
	return 0;
}

static int on_data(void *arg, const char *title, const char *detail, int64_t *alert, struct err *err)
{
	return 0;
}

/* A batch that comes at any moment waits until the loop gets round to it. */
static void on_probe(void *arg)
{
	double now = cpu_s();

	fleet.longest_s = now - fleet.last_s > fleet.longest_s ? now - fleet.last_s : fleet.longest_s;
	fleet.last_s = now;
}

static bool is_idle(uint64_t generation)
{
	struct store_vuln_status st;
	uint64_t marked;
	struct err err;

	must(store_number_get(fleet.s, "vulndb.generation", &marked, &err), &err);
	must(store_vuln_status(fleet.s, &st, &err), &err);
	return marked >= generation && !st.packages_due && !st.vulns_due;
}

static double work(const char *what, uint64_t generation)
{
	struct loop_timer *probe = loop_timer_new(fleet.loop, on_probe, NULL);
	unsigned cases = fleet.cases, closed = fleet.closed;
	double begun = now_s(), checked = begun, cpu = cpu_s();

	loop_timer_every(probe, 1);
	fleet.last_s = cpu;
	fleet.longest_s = 0;
	vuln_kick(fleet.v);
	for (;;) {
		loop_step(fleet.loop, 5);
		if (now_s() - checked < 0.05)
			continue;
		if (is_idle(generation))
			break;
		checked = now_s();
		fleet.last_s = cpu_s(); /* our own look is none of the room's doing */
	}
	double took = now_s() - begun;
	loop_timer_free(probe);
	cpu = cpu_s() - cpu;
	printf("%-12s %.2f s (CPU %.2f s), %u new cases, %u closed; %.0f ms at once at most\n", what, took,
	       cpu, fleet.cases - cases, fleet.closed - closed, fleet.longest_s * 1000);
	return took;
}

static int take(void *arg, const struct store_vuln *v)
{
	++*(unsigned *)arg;
	return 0;
}

static void list(const char *filter)
{
	const struct store_query q = { .filter = slice_of(filter), .limit = 100 };
	double begun = now_s();
	char cursor[64];
	unsigned n = 0;
	struct err err;

	must(store_vuln_query(fleet.s, &q, take, &n, cursor, sizeof(cursor), &err), &err);
	printf("vuln list    '%s': %u rows in %.0f ms%s\n", filter, n, (now_s() - begun) * 1000, cursor[0] ? ", and a cursor" : "");
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *f)
{
	return remove(path);
}

int main(int argc, char **argv)
{
	static const struct vuln_ops ops = { .on_case = on_case, .on_closed = on_closed, .on_data = on_data };
	struct store_config sc = { .dir = fleet.dir, .reserve_bytes = 1 };
	struct store_vuln_status st;
	struct err err;

	fleet.images = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1000;
	fleet.bases = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 25;
	snprintf(fleet.dir, sizeof(fleet.dir), "%s/bench-images-XXXXXX", argc > 2 ? argv[2] : "/var/tmp");
	if (!mkdtemp(fleet.dir)) {
		perror(fleet.dir);
		return 1;
	}
	log_open(LOG_WARN, 2);
	snprintf(fleet.db, sizeof(fleet.db), "%s/vulndb.db", fleet.dir);
	fleet.cfg = (struct vuln_config){ .db_path = fleet.db, .min_severity = VULN_HIGH, .gone_ms = 600000,
					  .quiet_ms = 86400000, .keep_ms = 30ull * 86400000 };
	must(store_open(&sc, clock_real(), &fleet.s, &err), &err);
	must(loop_new(&fleet.loop, &err), &err);
	must(vuln_new(fleet.loop, fleet.s, clock_real(), &fleet.cfg, &ops, NULL, &fleet.v, &err), &err);
	put_images();
	run_images();
	write_debian(0);
	write_npm();
	write_kev();
	import("debian", "debian.json");
	import("osv", "npm");
	double first = work("first match", 2);
	write_debian(4);
	import("debian", "debian.json");
	double few = work("few changed", 3);
	import("kev", "kev.json");
	double all = work("all again", 4);
	must(store_vuln_status(fleet.s, &st, &err), &err);
	printf("stored       %llu packages, %llu vulnerabilities, %llu findings\n", (unsigned long long)st.packages,
	       (unsigned long long)st.vulns, (unsigned long long)st.findings);
	list("");
	list("severity>=high running:yes");
	list("image~app-7: fixable:yes");
	printf("bench_images images=%u first_s=%.2f few_s=%.2f all_s=%.2f\n", fleet.images, first, few, all);
	vuln_free(fleet.v);
	loop_free(fleet.loop);
	store_close(fleet.s);
	nftw(fleet.dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return 0;
}
