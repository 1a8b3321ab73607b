/* vulndb_cli.c - see vulndb_cli.h. Data to standard output, one line an error to standard error. */
#include "agent/vulndb_cli.h"

#include <getopt.h>
#include <inttypes.h>
#include <time.h>

#include "agent/vulndb_cli_priv.h"
#include "common/file.h"
#include "common/json.h"
#include "common/show.h"
#include "common/text.h"
#include "common/vulndb/vulndb.h"

enum { KEY_MAX = 16384, SHOWN = 4096 };

static const char usage_text[] =
	"usage: picket-agent vulndb import --db FILE SOURCE... [--format osv|debian|alpine|kev|epss] [--feed NAME] [--part]\n"
	"       picket-agent vulndb status --db FILE [--json]\n"
	"       picket-agent vulndb show ID --db FILE [--json]\n"
	"       picket-agent vulndb sign --db FILE --key KEY        writes FILE.sig (Ed25519, PEM)\n"
	"       picket-agent vulndb verify --db FILE --pubkey KEY\n"
	"\n"
	"  SOURCE   .zip, .json, .csv, .gz or a folder: OSV, Debian's tracker JSON, secdb, KEV, EPSS; what it is, is\n"
	"           found out. Records that a feed no longer has are removed; --part keeps them.\n";

int vulndb_cli_usage(void)
{
	fputs(usage_text, stderr);
	return err_exit_code(ERR_USAGE);
}

int vulndb_cli_fail(int r, const struct err *err)
{
	fprintf(stderr, "picket-agent: %s\n", err->msg);
	return r == -ERR_CORRUPT || r == -ERR_LIMIT || r == -ERR_VERSION ? 3 : err_exit_code(r);
}

struct options {
	const char *db, *key, *pubkey;
	bool as_json;
};

/* Options anywhere; *ret_rest: what is no option begins there in argv. */
static bool read_options(int argc, char **argv, struct options *o)
{
	static const struct option options[] = { { "db", required_argument, NULL, 'd' },
						 { "key", required_argument, NULL, 'k' },
						 { "pubkey", required_argument, NULL, 'p' },
						 { "json", no_argument, NULL, 'j' },
						 { 0 } };

	*o = (struct options){ 0 };
	optind = 0;
	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		if (c == 'd')
			o->db = optarg;
		else if (c == 'k')
			o->key = optarg;
		else if (c == 'p')
			o->pubkey = optarg;
		else if (c == 'j')
			o->as_json = true;
		else
			return false;
	}
	return o->db != NULL;
}

/* ---- status ---- */

static void put_shown(struct slice s, int width)
{
	CLEANUP(buf_finip) struct buf b = { 0 };

	buf_init(&b, 65536);
	show_text(&b, s, SHOWN);
	printf("%-*.*s", width, (int)b.n, b.n ? b.p : "");
}

static int print_feed(void *arg, const struct vulndb_feed *f)
{
	char when[TEXT_TIME_MAX] = "never";

	(void)arg;
	if (f->imported_unix_s)
		(void)text_time(f->imported_unix_s * 1000000000, when, sizeof(when));
	put_shown(f->name, 20);
	printf(" %10" PRIu64 " %10" PRIu64 "  %-20.19s  ", f->records, f->withdrawn, when);
	put_shown(slice_sub(f->data_date, 0, 19), 0);
	putchar('\n');
	return 0;
}

static int json_feed(void *arg, const struct vulndb_feed *f)
{
	struct json *j = arg;

	json_object_open(j);
	json_kv_slice(j, "name", f->name);
	json_kv_u64(j, "records", f->records);
	json_kv_u64(j, "withdrawn", f->withdrawn);
	json_kv_time(j, "imported", f->imported_unix_s * 1000000000);
	json_kv_slice(j, "sha256", f->sha256);
	json_kv_slice(j, "data_date", f->data_date);
	json_object_close(j);
	return 0;
}

static int status_json(struct vulndb *db, struct err *err)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct vulndb_info info;
	struct json j;

	buf_init(&b, 0);
	json_init(&j, &b);
	json_object_open(&j);
	json_kv_array(&j, "feeds");
	int r = vulndb_status(db, &info, json_feed, &j, err);
	if (r < 0)
		return r;
	json_array_close(&j);
	json_kv_u64(&j, "schema", info.schema);
	json_kv_u64(&j, "generation", info.generation);
	json_kv_u64(&j, "records", info.records);
	json_kv_u64(&j, "ranges", info.ranges);
	json_kv_time(&j, "built", info.built_unix_s * 1000000000);
	json_kv_bool(&j, "signed", info.is_signed);
	json_object_close(&j);
	printf("%.*s\n", (int)b.n, b.p);
	return 0;
}

static int status_text(struct vulndb *db, const char *path, struct err *err)
{
	struct vulndb_info info;

	printf("%-20s %10s %10s  %-20s  %s\n", "FEED", "RECORDS", "WITHDRAWN", "IMPORTED", "DATA OF");
	int r = vulndb_status(db, &info, print_feed, NULL, err);
	if (r < 0)
		return r;
	printf("%s: %" PRIu64 " records, %" PRIu64 " ranges, generation %" PRIu64 "%s\n", path, info.records, info.ranges,
	       info.generation, info.is_signed ? ", signature right" : "");
	return 0;
}

static int read_key(const char *path, struct buf *ret, struct err *err)
{
	int r = file_read(path, KEY_MAX, ret, err);

	return r < 0 ? err_wrap(err, r, "read key") : 0;
}

static int open_db(const struct options *o, struct vulndb **ret, struct err *err)
{
	CLEANUP(buf_finip) struct buf pem = { 0 };
	int r = o->pubkey ? read_key(o->pubkey, &pem, err) : 0;

	return r < 0 ? r : vulndb_open(o->db, o->pubkey ? pem.p : NULL, ret, err);
}

static int command_status(int argc, char **argv)
{
	CLEANUP(vulndb_closep) struct vulndb *db = NULL;
	struct options o;
	struct err err;

	if (!read_options(argc, argv, &o) || optind < argc)
		return vulndb_cli_usage();
	int r = open_db(&o, &db, &err);
	if (r >= 0)
		r = o.as_json ? status_json(db, &err) : status_text(db, o.db, &err);
	return r < 0 ? vulndb_cli_fail(r, &err) : 0;
}

static int command_verify(int argc, char **argv)
{
	CLEANUP(vulndb_closep) struct vulndb *db = NULL;
	struct vulndb_info info;
	struct options o;
	struct err err;

	if (!read_options(argc, argv, &o) || !o.pubkey || optind < argc)
		return vulndb_cli_usage();
	int r = open_db(&o, &db, &err);
	if (r >= 0)
		r = vulndb_status(db, &info, NULL, NULL, &err);
	if (r < 0)
		return vulndb_cli_fail(r, &err);
	printf("%s: signature right, generation %" PRIu64 "\n", o.db, info.generation);
	return 0;
}

static int command_sign(int argc, char **argv)
{
	CLEANUP(buf_finip) struct buf pem = { 0 };
	struct options o;
	struct err err;

	if (!read_options(argc, argv, &o) || !o.key || optind < argc)
		return vulndb_cli_usage();
	int r = read_key(o.key, &pem, &err);
	if (r >= 0)
		r = vulndb_sign(o.db, pem.p, &err);
	if (r < 0)
		return vulndb_cli_fail(r, &err);
	printf("%s.sig\n", o.db);
	return 0;
}

/* ---- show ---- */

static void print_line(const char *label, struct slice value)
{
	if (!value.n)
		return;
	printf("%-13s ", label);
	put_shown(value, 0);
	putchar('\n');
}

static void print_time(const char *label, uint64_t unix_s)
{
	char when[TEXT_TIME_MAX];

	if (unix_s)
		printf("%-13s %.10s\n", label, text_time(unix_s * 1000000000, when, sizeof(when)));
}

static int print_found(void *arg, const struct vulndb_found *f)
{
	(void)arg;
	put_shown(f->id, 0);
	for (size_t i = 0; i < f->alias_count; i++) {
		putchar(' ');
		put_shown(f->aliases[i], 0);
	}
	putchar('\n');
	print_line("title", f->title);
	printf("%-13s %s", "severity", vuln_severity_name(f->severity));
	if (f->severity_source.n)
		printf(" (%.*s)", SLICE_FMT(f->severity_source));
	if (f->cvss > 0)
		printf(", CVSS %.1f %.*s", f->cvss, SLICE_FMT(f->cvss_vector));
	putchar('\n');
	if (f->epss >= 0)
		printf("%-13s %.5f, percentile %.5f\n", "EPSS", f->epss, f->epss_percentile);
	if (f->kev)
		printf("%-13s since %.*s%s\n", "exploited", SLICE_FMT(f->kev_added),
		       f->kev_ransomware ? ", by ransomware" : "");
	print_time("published", f->published_unix_s);
	print_time("modified", f->modified_unix_s);
	for (size_t i = 0; i < f->url_count; i++)
		print_line(i ? "" : "references", f->urls[i]);
	struct slice rest = f->description, line;
	putchar('\n');
	while (rest.n && slice_split(&rest, '\n', &line)) {
		put_shown(line, 0);
		putchar('\n');
	}
	putchar('\n');
	return 0;
}

static int print_place(void *arg, const struct vulndb_place *p)
{
	(void)arg;
	put_shown(p->feed, 18);
	putchar(' ');
	put_shown(p->record, 22);
	if (p->is_withdrawn) {
		puts(" withdrawn");
		return 0;
	}
	putchar(' ');
	put_shown(p->ecosystem, 16);
	putchar(' ');
	put_shown(p->package, 28);
	putchar(' ');
	put_shown(p->range, 0);
	if (p->status != VULN_AFFECTED)
		printf(" %s", vuln_status_name(p->status));
	if (p->note.n) {
		fputs(" (", stdout);
		put_shown(p->note, 0);
		putchar(')');
	}
	putchar('\n');
	return 0;
}

static int json_found(void *arg, const struct vulndb_found *f)
{
	struct json *j = arg;

	json_kv_slice(j, "id", f->id);
	json_kv_array(j, "aliases");
	for (size_t i = 0; i < f->alias_count; i++)
		json_str(j, f->aliases[i]);
	json_array_close(j);
	json_kv_slice(j, "title", f->title);
	json_kv_slice(j, "description", f->description);
	json_kv_str(j, "severity", vuln_severity_name(f->severity));
	json_kv_slice(j, "severity_source", f->severity_source);
	json_key(j, "score");
	json_f64(j, f->cvss);
	json_kv_slice(j, "vector", f->cvss_vector);
	json_key(j, "epss");
	json_f64(j, f->epss < 0 ? 0 : f->epss);
	json_kv_bool(j, "kev", f->kev);
	json_kv_time(j, "published", f->published_unix_s * 1000000000);
	json_kv_time(j, "modified", f->modified_unix_s * 1000000000);
	json_kv_array(j, "urls");
	for (size_t i = 0; i < f->url_count; i++)
		json_str(j, f->urls[i]);
	json_array_close(j);
	return 0;
}

static int json_place(void *arg, const struct vulndb_place *p)
{
	struct json *j = arg;

	json_object_open(j);
	json_kv_slice(j, "feed", p->feed);
	json_kv_slice(j, "record", p->record);
	json_kv_bool(j, "withdrawn", p->is_withdrawn);
	json_kv_slice(j, "ecosystem", p->ecosystem);
	json_kv_slice(j, "package", p->package);
	json_kv_slice(j, "range", p->range);
	json_kv_str(j, "status", vuln_status_name(p->status));
	json_kv_slice(j, "note", p->note);
	json_object_close(j);
	return 0;
}

static int show_json(struct vulndb *db, struct slice id, struct err *err)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct json j;

	buf_init(&b, 0);
	json_init(&j, &b);
	json_object_open(&j);
	int r = vulndb_find(db, id, json_found, &j, err);
	if (r < 0)
		return r;
	json_kv_array(&j, "affected");
	r = vulndb_places(db, id, json_place, &j, err);
	json_array_close(&j);
	json_object_close(&j);
	if (r >= 0)
		printf("%.*s\n", (int)b.n, b.p);
	return r;
}

static int command_show(int argc, char **argv)
{
	CLEANUP(vulndb_closep) struct vulndb *db = NULL;
	struct options o;
	struct err err;

	if (!read_options(argc, argv, &o) || optind + 1 != argc)
		return vulndb_cli_usage();
	struct slice id = slice_of(argv[optind]);
	int r = open_db(&o, &db, &err);
	if (r >= 0 && o.as_json) {
		r = show_json(db, id, &err);
	} else if (r >= 0) {
		r = vulndb_find(db, id, print_found, NULL, &err);
		if (r >= 0)
			r = vulndb_places(db, id, print_place, NULL, &err);
	}
	return r < 0 ? vulndb_cli_fail(r, &err) : 0;
}

/* ---- all ---- */

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
	{ "import", vulndb_cli_import }, { "status", command_status }, { "show", command_show },
	{ "sign", command_sign },	 { "verify", command_verify },
};

int vulndb_cli(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < ARRAY_LEN(commands); i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		fputs(usage_text, stdout);
		return 0;
	}
	return vulndb_cli_usage();
}
