/* options.c - see options.h. */
#include "agent/scan/options.h"

#include <getopt.h>
#include <strings.h>

#include "common/text.h"

const char scan_usage[] =
	"usage: picket-agent scan TARGET [option...]\n"
	"\n"
	"What is known to be vulnerable in an image, a folder or a bill of materials.\n"
	"\n"
	"TARGET:\n"
	"  NAME[:TAG], sha256:ID    an image of the local engine\n"
	"  container:ID             a container with all it holds\n"
	"  registry:REF             an image of a registry, nothing is pulled into the engine\n"
	"  docker-archive:FILE      what `docker save` wrote\n"
	"  oci:DIR, oci-archive:FILE\n"
	"  dir:PATH                 a folder, lock files count\n"
	"  sbom:FILE                CycloneDX or SPDX as JSON; - is standard input\n"
	"\n"
	"what is shown:\n"
	"  --format NAME            table, json, trivy-json, sarif, cyclonedx, spdx\n"
	"  -o, --output FILE        write there\n"
	"  --severity LIST          only these: unknown, none, low, medium, high, critical\n"
	"  --ignore-unfixed         only what a newer version mends\n"
	"  --list-packages          the packages, too (enough where there is no database)\n"
	"  --show-suppressed        what is suppressed, by whom and why\n"
	"  --include-dev            also packages that are only for development\n"
	"  --lockfiles              lock files count in images, too\n"
	"\n"
	"what counts:\n"
	"  --fail-on LEVEL          exit 1 when a shown finding is of LEVEL or worse; kev: is known to be exploited\n"
	"  --ignore-file FILE       default .picketignore.yaml; .trivyignore and .trivyignore.yaml can be read, too\n"
	"  --vex FILE               OpenVEX or CycloneDX; may be given again\n"
	"\n"
	"where it comes from:\n"
	"  --db FILE                vulnerability database, default /var/lib/picket/vulndb.sqlite\n"
	"  --db-key FILE            refuse a database that is not signed by this public key (PEM)\n"
	"  --engine SOCKET          of the engine, default $DOCKER_HOST\n"
	"  --username NAME --password-stdin    of the registry, default as `docker login` has kept it\n"
	"  --ca FILE                of the registry\n"
	"  --insecure               the registry may speak plain HTTP or have any certificate\n"
	"  --platform OS/ARCH       of an image for several\n"
	"  --cache-dir DIR          keep what was found in images, so that a second look costs nothing\n"
	"  --timeout TIME           default 10m\n"
	"  --no-progress            no progress line\n"
	"\n"
	"exit code: 0 fine, 1 findings as --fail-on asks, 2 wrong usage, 3 a wrong file, 4 not allowed, 5 not\n"
	"found, 6 engine or registry can't be reached, 7 timed out\n";

enum {
	OPT_FORMAT = 256, OPT_SEVERITY, OPT_UNFIXED, OPT_LIST, OPT_SHOW, OPT_DEV, OPT_LOCKFILES, OPT_FAIL_ON,
	OPT_IGNORE, OPT_VEX, OPT_DB, OPT_DB_KEY, OPT_ENGINE, OPT_USER, OPT_PASSWORD, OPT_CA, OPT_INSECURE,
	OPT_PLATFORM, OPT_CACHE, OPT_TIMEOUT, OPT_NO_PROGRESS,
};

static const struct option longs[] = {
	{ "format", required_argument, NULL, OPT_FORMAT },
	{ "output", required_argument, NULL, 'o' },
	{ "severity", required_argument, NULL, OPT_SEVERITY },
	{ "ignore-unfixed", no_argument, NULL, OPT_UNFIXED },
	{ "list-packages", no_argument, NULL, OPT_LIST },
	{ "show-suppressed", no_argument, NULL, OPT_SHOW },
	{ "include-dev", no_argument, NULL, OPT_DEV },
	{ "lockfiles", no_argument, NULL, OPT_LOCKFILES },
	{ "fail-on", required_argument, NULL, OPT_FAIL_ON },
	{ "ignore-file", required_argument, NULL, OPT_IGNORE },
	{ "vex", required_argument, NULL, OPT_VEX },
	{ "db", required_argument, NULL, OPT_DB },
	{ "db-key", required_argument, NULL, OPT_DB_KEY },
	{ "engine", required_argument, NULL, OPT_ENGINE },
	{ "username", required_argument, NULL, OPT_USER },
	{ "password-stdin", no_argument, NULL, OPT_PASSWORD },
	{ "ca", required_argument, NULL, OPT_CA },
	{ "insecure", no_argument, NULL, OPT_INSECURE },
	{ "platform", required_argument, NULL, OPT_PLATFORM },
	{ "cache-dir", required_argument, NULL, OPT_CACHE },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "no-progress", no_argument, NULL, OPT_NO_PROGRESS },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

static bool severity_of(struct slice word, enum vuln_severity *ret)
{
	for (int i = VULN_UNKNOWN; i <= VULN_CRITICAL; i++) {
		struct slice name = slice_of(vuln_severity_name((enum vuln_severity)i));

		if (name.n != word.n || strncasecmp(name.p, word.p, word.n) != 0)
			continue;
		*ret = (enum vuln_severity)i;
		return true;
	}
	return false;
}

static int wrong(struct err *err, const char *option, struct slice value, const char *want)
{
	return err_set(err, ERR_USAGE, "%s: '%.*s'; %s", option, SLICE_FMT(value), want);
}

static int set_severities(struct scan_options *o, const char *list, struct err *err)
{
	struct slice rest = slice_of(list), word;

	while (slice_split(&rest, ',', &word)) {
		enum vuln_severity s;

		if (!severity_of(slice_trim(word), &s))
			return wrong(err, "--severity", word, "unknown, none, low, medium, high and critical there are");
		o->severities |= 1U << s;
	}
	return 0;
}

static int set_gate(struct scan_options *o, const char *level, struct err *err)
{
	o->gate = GATE_SEVERITY;
	if (severity_of(slice_of(level), &o->gate_severity))
		return 0;
	o->gate = GATE_KEV;
	if (strcasecmp(level, "kev") != 0)
		return wrong(err, "--fail-on", slice_of(level), "a severity or kev");
	return 0;
}

static int set_timeout(struct scan_options *o, const char *text, struct err *err)
{
	if (!text_duration_parse(slice_of(text), &o->timeout_ms) || !o->timeout_ms)
		return wrong(err, "--timeout", slice_of(text), "a time such as 90s or 10m");
	return 0;
}

static int add_vex(struct scan_options *o, const char *path, struct err *err)
{
	if (o->vex_count == SCAN_VEX_MAX)
		return err_set(err, ERR_USAGE, "--vex: at most %d", SCAN_VEX_MAX);
	o->vex[o->vex_count++] = path;
	return 0;
}

static int set_format(struct scan_options *o, const char *name, struct err *err)
{
	o->format = format_find(name, err);
	return o->format ? 0 : -ERR_USAGE;
}

/* Options whose value only needs keeping. */
static const char **text_of(struct scan_options *o, int c)
{
	const struct {
		int c;
		const char **text;
	} rows[] = {
		{ 'o', &o->output },	      { OPT_IGNORE, &o->ignore_file }, { OPT_DB, &o->db },
		{ OPT_DB_KEY, &o->db_key },   { OPT_ENGINE, &o->engine_socket }, { OPT_USER, &o->user },
		{ OPT_CA, &o->ca_file },      { OPT_PLATFORM, &o->platform },  { OPT_CACHE, &o->cache_dir },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (rows[i].c == c)
			return rows[i].text;
	}
	return NULL;
}

static bool *flag_of(struct scan_options *o, int c)
{
	const struct {
		int c;
		bool *flag;
	} rows[] = {
		{ OPT_UNFIXED, &o->fixable_only },    { OPT_LIST, &o->list_packages },
		{ OPT_SHOW, &o->show_suppressed },    { OPT_DEV, &o->include_dev },
		{ OPT_LOCKFILES, &o->lockfiles },     { OPT_PASSWORD, &o->password_stdin },
		{ OPT_INSECURE, &o->is_insecure },    { OPT_NO_PROGRESS, &o->no_progress },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (rows[i].c == c)
			return rows[i].flag;
	}
	return NULL;
}

static int take(struct scan_options *o, int c, const char *value, struct err *err)
{
	const char **text = text_of(o, c);
	bool *flag = flag_of(o, c);

	if (text)
		*text = value;
	if (flag)
		*flag = true;
	o->is_db_given |= c == OPT_DB;
	switch (c) {
	case OPT_FORMAT:
		return set_format(o, value, err);
	case OPT_SEVERITY:
		return set_severities(o, value, err);
	case OPT_FAIL_ON:
		return set_gate(o, value, err);
	case OPT_TIMEOUT:
		return set_timeout(o, value, err);
	case OPT_VEX:
		return add_vex(o, value, err);
	case '?':
		err_set(err, ERR_USAGE, "%s", "");
		return -ERR_USAGE;
	}
	return 0;
}

int scan_options_parse(int argc, char **argv, struct scan_options *ret, struct err *err)
{
	struct scan_options o = { .db = SCAN_DEFAULT_DB, .timeout_ms = 600000 };
	int r = set_format(&o, "table", err);

	optind = 1;
	for (int c; r >= 0 && (c = getopt_long(argc, argv, "o:h", longs, NULL)) != -1;) {
		if (c == 'h')
			return 1;
		r = take(&o, c, optarg, err);
	}
	if (r < 0)
		return r;
	if (optind == argc)
		return err_set(err, ERR_USAGE, "what is to be scanned? see picket-agent scan --help");
	if (optind + 1 < argc)
		return err_set(err, ERR_USAGE, "unexpected argument '%s'", argv[optind + 1]);
	if (o.password_stdin && !o.user)
		return err_set(err, ERR_USAGE, "--password-stdin needs --username");
	o.target = argv[optind];
	*ret = o;
	return 0;
}
