/* scan_cli.c - see scan_cli.h. Data to standard output or --output, all else to standard error. */
#include "agent/scan/scan_cli.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>

#include "agent/image/image.h"
#include "agent/scan/ignore.h"
#include "agent/scan/match.h"
#include "agent/scan/options.h"
#include "agent/scan/progress.h"
#include "agent/scan/sbom.h"
#include "agent/scan/vex.h"
#include "common/file.h"
#include "common/show.h"
#include "common/text.h"
#include "proto/limits.h"

enum { RESULT_ARENA_BYTES = 48 << 20, PASSWORD_MAX = 4096, KEY_MAX = 65536, PROBLEMS_SHOWN = 10 };

struct scan {
	struct scan_options o;
	struct arena *inventory_arena, *arena;
	struct sbom sbom;
	Picket__Inventory *inventory;
	struct scan_result result;
	struct ignore *ignore;
	struct vex *vex;
	char uuid[37];
	char password[PASSWORD_MAX];
};

static void scan_fini(struct scan *s)
{
	ignore_free(s->ignore);
	vex_free(s->vex);
	arena_free(s->arena);
	arena_free(s->inventory_arena);
	explicit_bzero(s->password, sizeof(s->password));
}

static int fail(const struct err *err)
{
	CLEANUP(buf_finip) struct buf safe = { 0 };

	/* it may have words of an image in it */
	buf_init(&safe, 0);
	show_text(&safe, slice_of(err->msg), sizeof(err->msg));
	if (safe.n)
		fprintf(stderr, "picket-agent: %s\n", safe.p);
	return err_exit_code(err->code);
}

static void say(const char *what, const char *text)
{
	CLEANUP(buf_finip) struct buf safe = { 0 };

	buf_init(&safe, 0);
	show_text(&safe, slice_of(text), 500);
	fprintf(stderr, "picket-agent: %s: %s\n", what, safe.n ? safe.p : "");
}

/* ---- the inventory ---- */

static int read_password(struct scan *s, struct err *err)
{
	size_t n = 0;

	for (;;) {
		ssize_t got = read(STDIN_FILENO, s->password + n, sizeof(s->password) - 1 - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_set(err, errno, "read the password");
		if (!got)
			break;
		n += (size_t)got;
		if (n == sizeof(s->password) - 1)
			return err_set(err, ERR_USAGE, "the password is longer than %d bytes", PASSWORD_MAX - 2);
	}
	while (n && (s->password[n - 1] == '\n' || s->password[n - 1] == '\r'))
		n--;
	s->password[n] = 0;
	return 0;
}

/* "unix:///run/docker.sock" is the socket's path. */
static const char *socket_path(const char *engine)
{
	const char *prefix = "unix://";

	return engine && !strncmp(engine, prefix, strlen(prefix)) ? engine + strlen(prefix) : engine;
}

/* A socket that is not there is an engine that can't be reached, not an image that is not there; and the
 * message names the file that it is about. */
static int say_where(const char *target, int r, struct err *err)
{
	enum image_kind kind;
	const char *rest;

	if (image_target_parse(target, &kind, &rest, NULL) < 0)
		return r;
	bool of_engine = kind == IMAGE_ENGINE || kind == IMAGE_CONTAINER;
	if (of_engine && r == -ENOENT)
		r = -(err->code = ECONNREFUSED);
	if (!of_engine && !strstr(err->msg, rest))
		return err_wrap(err, r, "%s", rest);
	return r;
}

static int take_stock(struct scan *s, struct err *err)
{
	const struct scan_options *o = &s->o;
	struct progress progress;
	struct image_options image = { .engine_socket = socket_path(o->engine_socket),
				       .user = o->user,
				       .password = o->password_stdin ? s->password : NULL,
				       .ca_file = o->ca_file,
				       .is_insecure = o->is_insecure,
				       .platform = o->platform,
				       .cache_dir = o->cache_dir,
				       .lockfiles = o->lockfiles ? IMAGE_LOCKFILES_ALWAYS : IMAGE_LOCKFILES_AUTO,
				       .limits = { .time_ms = o->timeout_ms },
				       .progress = progress_image,
				       .arg = &progress };

	int r = o->password_stdin ? read_password(s, err) : 0;
	if (r < 0)
		return r;
	progress_init(&progress, !o->no_progress);
	r = image_take_stock(o->target, &image, s->inventory_arena, &s->inventory, NULL, err);
	progress_clear(&progress);
	return r < 0 ? say_where(o->target, r, err) : 0;
}

static int read_inventory(struct scan *s, struct err *err)
{
	const char *prefix = "sbom:";

	if (strncmp(s->o.target, prefix, strlen(prefix)) != 0)
		return take_stock(s, err);
	int r = sbom_read_file(s->o.target + strlen(prefix), s->inventory_arena, &s->sbom, err);
	s->inventory = s->sbom.inventory;
	return r;
}

static void take_refs(struct scan *s)
{
	for (size_t i = 0; i < s->sbom.package_count && i < s->result.package_count; i++)
		s->result.packages[i].ref = s->sbom.refs[i];
	s->result.document = s->sbom.serial;
	s->result.document_format = s->sbom.format;
}

/* ---- findings ---- */

static bool has_database(const struct scan *s)
{
	return access(s->o.db, F_OK) == 0 || errno != ENOENT;
}

/* Before the image is looked at, as that takes time. */
static int check_database(const struct scan *s, struct err *err)
{
	if (has_database(s) || !s->o.format->needs_database || s->o.list_packages)
		return 0;
	return err_set(err, ERR_NOT_FOUND,
		       "there is no vulnerability database %s; make one by `picket-agent vulndb import --db %s "
		       "SOURCE...`, or list packages without by --list-packages",
		       s->o.db, s->o.db);
}

static int match(struct scan *s, struct err *err)
{
	CLEANUP(buf_finip) struct buf key = { 0 };
	int r = s->o.db_key ? file_read(s->o.db_key, KEY_MAX, &key, err) : 0;

	if (r < 0)
		return r;
	if (has_database(s))
		return match_packages(&s->result, s->o.db, s->o.db_key ? key.p : NULL, err);
	scan_warn(&s->result, "there is no vulnerability database %s: packages only", s->o.db);
	return 0;
}

static int read_ignore(struct scan *s, struct err *err)
{
	if (s->o.ignore_file)
		return ignore_read(s->o.ignore_file, &s->ignore, err);
	if (access(SCAN_DEFAULT_IGNORE, F_OK) < 0)
		return 0;
	return ignore_read(SCAN_DEFAULT_IGNORE, &s->ignore, err);
}

/* Before the image is looked at: a typing error is told at once. */
static int read_opinions(struct scan *s, struct err *err)
{
	int r = read_ignore(s, err);

	if (r >= 0)
		r = vex_new(&s->vex, err);
	for (size_t i = 0; i < s->o.vex_count && r >= 0; i++)
		r = vex_read(s->vex, s->o.vex[i], err);
	return r;
}

static int judge(struct scan *s, struct err *err)
{
	struct scan_filter filter = { .severities = s->o.severities, .fixable_only = s->o.fixable_only };
	int r = scan_result_init(&s->result, s->arena, s->inventory, s->o.include_dev, err);

	if (r < 0)
		return r;
	s->result.target = s->o.target;
	s->result.now_unix_s = (uint64_t)time(NULL);
	s->result.uuid = text_uuid(s->uuid);
	take_refs(s);
	r = match(s, err);
	if (r < 0)
		return r;
	if (s->ignore)
		ignore_apply(s->ignore, &s->result);
	vex_apply(s->vex, &s->result);
	scan_filter(&s->result, &filter);
	scan_finish(&s->result);
	return 0;
}

/* ---- the output ---- */

static struct format_options format_options(const struct scan *s)
{
	struct format_options f = { .list_packages = s->o.list_packages, .show_suppressed = s->o.show_suppressed };
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM"), *columns = getenv("COLUMNS");
	bool terminal = !s->o.output && isatty(STDOUT_FILENO);
	struct winsize size = { 0 };
	uint64_t n = 0;

	f.is_coloured = terminal && !(no_color && no_color[0]) && term && strcmp(term, "dumb") != 0;
	if (columns && slice_to_u64(slice_of(columns), &n) && n < 100000)
		f.columns = (unsigned)n;
	else if (terminal && !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size))
		f.columns = size.ws_col;
	return f;
}

static int write_to(const struct scan *s, int fd, struct err *err)
{
	struct format_options f = format_options(s);
	struct out out;
	int r = out_init(&out, fd, err);

	if (r >= 0)
		r = s->o.format->write(&s->result, &f, &out, err);
	out_fini(&out);
	return r;
}

/* The file is there entirely or as it was; signals wait for the milliseconds that takes. */
static int replace_file(const struct scan *s, struct err *err)
{
	char path[4096];
	sigset_t all, before;

	if (snprintf(path, sizeof(path), "%s.%d.tmp", s->o.output, (int)getpid()) >= (int)sizeof(path))
		return err_set(err, ENAMETOOLONG, "%s", s->o.output);
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	CLEANUP(fd_closep) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	int r = fd < 0 ? err_set(err, errno, "write '%s'", s->o.output) : write_to(s, fd, err);
	if (r >= 0 && (fsync(fd) < 0 || rename(path, s->o.output) < 0))
		r = err_set(err, errno, "write '%s'", s->o.output);
	if (r < 0 && fd >= 0)
		(void)unlink(path);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return r;
}

static int write_result(const struct scan *s, struct err *err)
{
	struct stat st;

	if (!s->o.output || !strcmp(s->o.output, "-"))
		return write_to(s, STDOUT_FILENO, err);
	if (stat(s->o.output, &st) < 0 || S_ISREG(st.st_mode))
		return replace_file(s, err);
	/* a pipe, a terminal: as it is */
	CLEANUP(fd_closep) int fd = open(s->o.output, O_WRONLY | O_CLOEXEC);
	return fd < 0 ? err_set(err, errno, "write '%s'", s->o.output) : write_to(s, fd, err);
}

static void tell_warnings(const struct scan *s)
{
	const Picket__Inventory *inv = s->inventory;

	for (size_t i = 0; i < inv->n_problems && i < PROBLEMS_SHOWN; i++)
		say("can't be read", inv->problems[i]);
	if (inv->n_problems > PROBLEMS_SHOWN)
		fprintf(stderr, "picket-agent: and %zu more that can't be read; --format json has them all\n",
			inv->n_problems - PROBLEMS_SHOWN);
	for (size_t i = 0; i < s->result.warning_count; i++)
		say("warning", s->result.warnings[i]);
	if (s->result.warnings_lost)
		fprintf(stderr, "picket-agent: warning: and %zu more\n", s->result.warnings_lost);
}

/* ---- the gate ---- */

static bool is_closed(const struct scan *s)
{
	const struct scan_summary *sum = &s->result.summary;

	switch (s->o.gate) {
	case GATE_NONE:
		return false;
	case GATE_KEV:
		return sum->kev > 0;
	case GATE_SEVERITY:
		break;
	}
	for (int i = VULN_CRITICAL; i >= (int)s->o.gate_severity; i--) {
		if (sum->by_severity[i])
			return true;
	}
	return false;
}

static int scan(struct scan *s, struct err *err)
{
	s->inventory_arena = arena_new(LIMIT_INVENTORY_ARENA_BYTES);
	s->arena = arena_new(RESULT_ARENA_BYTES);
	if (!s->inventory_arena || !s->arena)
		return err_set(err, ENOMEM, "scan");
	int r = check_database(s, err);
	if (r >= 0)
		r = read_opinions(s, err);
	if (r >= 0)
		r = read_inventory(s, err);
	if (r >= 0)
		r = judge(s, err);
	if (r < 0)
		return r;
	tell_warnings(s);
	return write_result(s, err);
}

int scan_cli(int argc, char **argv)
{
	struct scan *s = calloc(1, sizeof(*s));
	struct err err = { 0 };
	int r = s ? scan_options_parse(argc, argv, &s->o, &err) : err_set(&err, ENOMEM, "scan");

	if (r > 0) {
		fputs(scan_usage, stdout);
		free(s);
		return 0;
	}
	if (r >= 0)
		r = scan(s, &err);
	r = r < 0 ? fail(&err) : is_closed(s);
	if (s)
		scan_fini(s);
	free(s);
	return r;
}
