/* vulndb_cli_import.c - `picket-agent vulndb import`: sources one after the other, a line each. */
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <time.h>

#include "agent/vulndb_cli_priv.h"
#include "common/show.h"
#include "common/vulndb/vulndb.h"

enum { DEPTH_MAX = 8, FILES_MAX = 10000 };

struct job {
	struct vulndb_import in;
	unsigned done, partial, failed;
	int exit_code; /* of the last that failed */
	bool on_terminal;
};

static void print_progress(void *arg, uint64_t done, uint64_t total)
{
	const struct job *j = arg;

	if (total && j->on_terminal)
		fprintf(stderr, "\r%3" PRIu64 " %% of %s\033[K", done * 100 / total, j->in.source);
}

static void print_result(const struct vulndb_imported *i)
{
	CLEANUP(buf_finip) struct buf b = { 0 };

	buf_init(&b, 4096);
	show_text(&b, slice_of(i->feed), 64);
	buf_printf(&b, ": %" PRIu64 " read, %" PRIu64 " added, %" PRIu64 " changed, %" PRIu64 " removed, %" PRIu64
		       " unchanged, %" PRIu64 " withdrawn, %" PRIu64 " bad",
		   i->read, i->added, i->changed, i->removed, i->unchanged, i->withdrawn, i->bad);
	if (i->bad)
		buf_printf(&b, " (the first: %s)", i->first_bad);
	printf("%.*s\n", (int)b.n, b.p);
	fflush(stdout);
}

static void import_one(struct job *j, const char *source)
{
	struct vulndb_imported result;
	struct timespec now;
	struct err err;

	clock_gettime(CLOCK_REALTIME, &now);
	j->in.source = source;
	j->in.now_unix_s = (uint64_t)now.tv_sec;
	int r = vulndb_import(&j->in, &result, &err);
	if (j->on_terminal)
		fputs("\r\033[K", stderr);
	if (r < 0) {
		j->failed++;
		j->exit_code = vulndb_cli_fail(r, &err);
		return;
	}
	print_result(&result);
	j->done++;
	j->partial += result.bad > 0;
}

/* ---- folders ---- */

static bool has_suffix(const char *name, const char *const *suffixes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (slice_ends(slice_of(name), slice_of(suffixes[i])))
			return true;
	return false;
}

/* A file that is a feed by itself, whatever stands beside it. */
static bool is_feed(const char *name)
{
	static const char *const suffixes[] = { ".zip", ".csv", ".gz", ".tar" };

	return has_suffix(name, suffixes, ARRAY_LEN(suffixes));
}

static bool is_json(const char *name)
{
	static const char *const suffixes[] = { ".json" };

	return has_suffix(name, suffixes, ARRAY_LEN(suffixes));
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int not_hidden(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

static bool is_folder(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Does a feed of its own stand anywhere below? Else the folder is the records of one. */
static bool has_feeds(const char *path, unsigned depth)
{
	struct dirent **e;
	int n = depth < DEPTH_MAX ? scandir(path, &e, not_hidden, by_name) : -1;
	bool found = false;

	for (int i = 0; i < n; i++) {
		char below[4096];

		snprintf(below, sizeof(below), "%s/%s", path, e[i]->d_name);
		found = found || is_feed(e[i]->d_name) || (is_folder(below) && has_feeds(below, depth + 1));
		free(e[i]);
	}
	if (n >= 0)
		free(e);
	return found;
}

static void import_path(struct job *j, const char *path, unsigned depth)
{
	struct dirent **e;

	if (!is_folder(path) || !has_feeds(path, depth)) {
		import_one(j, path);
		return;
	}
	int n = scandir(path, &e, not_hidden, by_name);
	for (int i = 0; i < n; i++) {
		char below[4096];

		snprintf(below, sizeof(below), "%s/%s", path, e[i]->d_name);
		if (is_folder(below) ? depth < DEPTH_MAX : is_feed(below) || is_json(below))
			import_path(j, below, depth + 1);
		free(e[i]);
	}
	if (n >= 0)
		free(e);
}

/* ---- the command ---- */

static bool format_of(const char *name, enum vulndb_format *ret)
{
	static const char *const names[] = { "auto", "osv", "debian", "alpine", "kev", "epss" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(name, names[i]) == 0) {
			*ret = (enum vulndb_format)i;
			return true;
		}
	return false;
}

static bool read_options(int argc, char **argv, struct job *j)
{
	static const struct option options[] = { { "db", required_argument, NULL, 'd' },
						 { "format", required_argument, NULL, 'f' },
						 { "feed", required_argument, NULL, 'n' },
						 { "part", no_argument, NULL, 'p' },
						 { 0 } };

	optind = 0;
	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		if (c == 'd')
			j->in.path = optarg;
		else if (c == 'n')
			j->in.feed = optarg;
		else if (c == 'p')
			j->in.is_part = true;
		else if (c != 'f' || !format_of(optarg, &j->in.format))
			return false;
	}
	return j->in.path && optind < argc;
}

int vulndb_cli_import(int argc, char **argv)
{
	struct job j = { .on_terminal = isatty(STDERR_FILENO) };

	if (!read_options(argc, argv, &j))
		return vulndb_cli_usage();
	j.in.progress = print_progress;
	j.in.arg = &j;
	for (int i = optind; i < argc; i++)
		import_path(&j, argv[i], 0);
	if (j.failed)
		return j.done ? 1 : j.exit_code;
	return j.partial ? 1 : 0;
}
