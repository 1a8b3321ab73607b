/* audit_options.c - see audit_options.h. */
#include "agent/audit/audit_options.h"

#include <getopt.h>

#include "common/text.h"

const char audit_usage[] =
	"usage: picket-agent audit [option...]\n"
	"\n"
	"How this host, its container engine, its images and containers are configured: what is wrong, and how to mend\n"
	"it. Verdicts follow the kernel; nothing is run inside a container, nothing is changed.\n"
	"\n"
	"  --container NAME      this container only (name or id); may be given again\n"
	"  --image NAME          this image only; may be given again\n"
	"  --check ID            this check only: PKT-C-005, or a number of the CIS Docker Benchmark: 5.5; again\n"
	"  --format NAME         table, json, sarif\n"
	"  --fail-on LEVEL       exit 1 when something fails with LEVEL or worse: info, low, medium, high, critical\n"
	"  --files               look into all images' files: setuid programs, packages, users; takes seconds an image.\n"
	"                        Otherwise into those of --container and --image, and what this host's agent knows\n"
	"  --fixes               why it matters and how to mend it, too (as with --container, --image, --check)\n"
	"  --all                 what passes and what does not apply, too\n"
	"  --list                the checks there are\n"
	"  --docker-socket PATH  of the engine, default $DOCKER_HOST, else /var/run/docker.sock\n"
	"  --state-dir PATH      of this host's agent, default /var/lib/picket/agent\n"
	"  --run-dir PATH        of this host's agent, default /run/picket\n"
	"\n"
	"exit code: 0 fine, 1 findings as --fail-on asks, 2 wrong usage, 4 not allowed, 5 no such container or image,\n"
	"6 the engine can't be reached\n";

static int push(const char **list, size_t *count, const char *value, struct err *err)
{
	if (*count == AUDIT_ASKED_MAX)
		return err_set(err, ERR_USAGE, "at most %d of one option", AUDIT_ASKED_MAX);
	list[(*count)++] = value;
	return 0;
}

static int parse_format(const char *word, struct audit_options *o, struct err *err)
{
	static const char *const names[] = { "table", "json", "sarif" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (!strcmp(word, names[i])) {
			o->format = (int)i;
			return 0;
		}
	}
	return err_set(err, ERR_USAGE, "--format '%.40s' is none of table, json, sarif", word);
}

static int parse_gate(const char *word, struct audit_options *o, struct err *err)
{
	o->has_gate = true;
	if (audit_severity_parse(slice_of(word), &o->gate))
		return 0;
	return err_set(err, ERR_USAGE, "--fail-on '%.40s' is none of info, low, medium, high, critical", word);
}

static int parse_check(const char *word, struct audit_options *o, struct err *err)
{
	const char *names[256];
	size_t n = 0;

	if (audit_check_find(word))
		return push(o->checks, &o->check_count, word, err);
	for (size_t i = 0; i < audit_check_count() && n < ARRAY_LEN(names); i++)
		names[n++] = audit_check_at(i)->id;
	const char *near = text_nearest(slice_of(word), names, n);
	return err_set(err, ERR_USAGE, "there is no check '%.40s'%s%s%s; --list has them", word, near ? ", did you mean '" : "",
		       near ? near : "", near ? "'?" : "");
}

static int default_socket(struct audit_options *o, struct err *err)
{
	const char *host = getenv("DOCKER_HOST"), *prefix = "unix://";

	if (!o->socket && host && host[0] && strncmp(host, prefix, strlen(prefix)) != 0)
		return err_set(err, ERR_USAGE, "DOCKER_HOST is '%.80s': only unix:// is spoken here", host);
	if (!o->socket)
		o->socket = host && host[0] ? host : "/var/run/docker.sock";
	if (!strncmp(o->socket, prefix, strlen(prefix)))
		o->socket += strlen(prefix);
	return 0;
}

enum { OPT_CONTAINER = 256, OPT_IMAGE, OPT_CHECK, OPT_FORMAT, OPT_FAIL_ON, OPT_FILES, OPT_FIXES, OPT_ALL, OPT_LIST, OPT_SOCKET, OPT_STATE, OPT_RUN };

static int take_option(int c, struct audit_options *o, struct err *err)
{
	switch (c) {
	case OPT_CONTAINER:
		return push(o->containers, &o->container_count, optarg, err);
	case OPT_IMAGE:
		return push(o->images, &o->image_count, optarg, err);
	case OPT_CHECK:
		return parse_check(optarg, o, err);
	case OPT_FORMAT:
		return parse_format(optarg, o, err);
	case OPT_FAIL_ON:
		return parse_gate(optarg, o, err);
	case OPT_FILES:
		o->files = true;
		return o->stocks->take ? 0 : err_set(err, ERR_USAGE, "this program can't look into images");
	case OPT_FIXES:
		o->fixes = true;
		return 0;
	case OPT_ALL:
		o->all = true;
		return 0;
	case OPT_LIST:
		o->list = true;
		return 0;
	case OPT_SOCKET:
		o->socket = optarg;
		return 0;
	case OPT_RUN:
		o->run_dir = optarg;
		return 0;
	case OPT_STATE:
		o->state_dir = optarg;
		return 0;
	}
	return err_set(err, ERR_USAGE, "see picket-agent audit --help");
}

int audit_options_parse(int argc, char **argv, struct audit_options *o, struct err *err)
{
	static const struct option longs[] = {
		{ "container", required_argument, NULL, OPT_CONTAINER },
		{ "image", required_argument, NULL, OPT_IMAGE },
		{ "check", required_argument, NULL, OPT_CHECK },
		{ "format", required_argument, NULL, OPT_FORMAT },
		{ "fail-on", required_argument, NULL, OPT_FAIL_ON },
		{ "files", no_argument, NULL, OPT_FILES },
		{ "fixes", no_argument, NULL, OPT_FIXES },
		{ "all", no_argument, NULL, OPT_ALL },
		{ "list", no_argument, NULL, OPT_LIST },
		{ "docker-socket", required_argument, NULL, OPT_SOCKET },
		{ "state-dir", required_argument, NULL, OPT_STATE },
		{ "run-dir", required_argument, NULL, OPT_RUN },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};

	for (int c; (c = getopt_long(argc, argv, "h", longs, NULL)) != -1;) {
		if (c == 'h')
			return 1;
		int r = take_option(c, o, err);
		if (r < 0)
			return r;
	}
	if (optind < argc)
		return err_set(err, ERR_USAGE, "unexpected argument '%.80s'; see picket-agent audit --help", argv[optind]);
	return default_socket(o, err);
}

bool audit_options_files(const struct audit_options *o)
{
	bool is_narrow = (o->container_count || o->image_count) && !o->check_count;

	return o->files || (o->stocks->take && is_narrow);
}
