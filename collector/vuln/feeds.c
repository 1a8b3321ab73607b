/* feeds.c - feeds into the database, for the command line and the process that the collector starts.
 *
 * An import is all or nothing (common/vulndb), so a reader sees the data before or after it, never in between.
 * One process at a time: the lock beside the database says who. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "collector/vuln/vuln_priv.h"
#include "common/file.h"
#include "common/text.h"

static const struct {
	const char *name;
	enum vulndb_format format;
} formats[] = { { "auto", VULNDB_GUESS },     { "osv", VULNDB_OSV }, { "debian", VULNDB_DEBIAN },
		{ "alpine", VULNDB_ALPINE },  { "kev", VULNDB_KEV }, { "epss", VULNDB_EPSS } };

int vuln_format_find(const char *name, int *ret, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(formats); i++)
		if (!strcmp(formats[i].name, name)) {
			*ret = formats[i].format;
			return 0;
		}
	return err_set(err, ERR_USAGE, "'%.40s' is no format: osv, debian, alpine, kev, epss, auto, db", name);
}

struct work {
	struct store *store;
	const struct clock *clk;
	const struct vuln_config *cfg;
	void (*say)(void *arg, const char *line);
	void *arg;
	int lock;
};

static void say(const struct work *w, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void say(const struct work *w, const char *fmt, ...)
{
	char line[700];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (w->say)
		w->say(w->arg, line);
}

static int lock_db(struct work *w, struct err *err)
{
	char path[PATH_MAX];

	if ((size_t)snprintf(path, sizeof(path), "%s.lock", w->cfg->db_path) >= sizeof(path))
		return err_set(err, ENAMETOOLONG, "'%s'", w->cfg->db_path);
	w->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (w->lock < 0)
		return err_set(err, errno, "open '%s'", path);
	if (flock(w->lock, LOCK_EX | LOCK_NB) < 0)
		return err_set(err, errno == EWOULDBLOCK ? EBUSY : errno, "another import is under way: '%s'", path);
	return 0;
}

static void unlock_db(struct work *w)
{
	if (w->lock >= 0)
		close(w->lock);
}

/* An import would leave the database without its signature, and unused. */
static int check_unsigned(const struct vuln_config *cfg, struct err *err)
{
	if (!cfg->public_key_file || !cfg->public_key_file[0])
		return 0;
	return err_set(err, ERR_DENIED,
		       "with feeds.public_key only whole, signed databases are taken: feed import db FILE");
}

static int import_one(const struct work *w, const char *source, int format, const char *feed, bool is_part,
		      struct vulndb_imported *ret, struct err *err)
{
	const struct vulndb_import in = { .path = w->cfg->db_path,
					  .source = source,
					  .format = (enum vulndb_format)format,
					  .feed = feed,
					  .is_part = is_part,
					  .now_unix_s = clock_unix_ns(w->clk) / 1000000000 };
	mode_t before = umask(077); /* made here for the first time, it is the collector's alone */
	int r = vulndb_import(&in, ret, err);

	umask(before);
	return r;
}

static void say_imported(const struct work *w, const char *name, const struct vulndb_imported *im)
{
	say(w, "%s: %" PRIu64 " advisories read, %" PRIu64 " new, %" PRIu64 " changed, %" PRIu64 " gone (%s)", name,
	    im->read, im->added, im->changed, im->removed, im->feed);
	if (im->bad)
		say(w, "%s: %" PRIu64 " could not be read, the first: %s", name, im->bad, im->first_bad);
}

/* ---- update ---- */

/* The server's own name for the file, as far as it is one: what it ends in says what it is. */
static const char *last_part(const char *url, char dst[128])
{
	size_t n = strcspn(url, "?#"), from = n, k = 0;

	while (from && url[from - 1] != '/')
		from--;
	for (size_t i = from; i < n && k < 120; i++)
		dst[k++] = strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_", url[i]) ? url[i] : '_';
	dst[k] = '\0';
	return dst;
}

static int fetch_and_import(const struct work *w, const struct vuln_feed *f, struct feed_answer *a, struct err *err)
{
	char path[PATH_MAX], name[128];
	const char *source = f->url;
	struct vulndb_imported im;

	if ((size_t)snprintf(path, sizeof(path), "%s.part-%s", w->cfg->db_path, last_part(f->url, name)) >= sizeof(path))
		return err_set(err, ENAMETOOLONG, "'%s'", w->cfg->db_path);
	unlink(path); /* of a run that was killed */
	int r = feed_fetch(f, path, a, err);
	if (r > 0) {
		source = f->url[0] == '/' ? f->url : path;
		/* Alpine's files don't say which of them they are. */
		r = import_one(w, source, f->format, f->format == VULNDB_ALPINE ? f->name : NULL, f->is_part, &im, err);
		if (r >= 0) {
			say_imported(w, f->name, &im);
			r = 1;
		}
	} else if (r == 0) {
		say(w, "%s: nothing new", f->name);
	}
	unlink(path);
	return r;
}

/* What is known of the feed, its texts kept in a; all empty the first time. */
static int read_row(const struct work *w, const struct vuln_feed *f, struct arena *a, struct store_feed *ret,
		    struct err *err)
{
	int r = store_feed_get(w->store, f->name, a, ret, err);

	if (r == -ERR_NOT_FOUND) {
		*ret = (struct store_feed){ .etag = "", .modified = "" };
		r = 0;
	}
	/* Another address, or no database: what was fetched before doesn't count. */
	if (r >= 0 && (access(w->cfg->db_path, F_OK) < 0 || (ret->url && strcmp(ret->url, f->url) != 0)))
		ret->etag = ret->modified = "";
	return r;
}

static int update_one(const struct work *w, const struct vuln_feed *f, struct err *err)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(65536);
	uint64_t now = clock_unix_ns(w->clk);
	struct feed_answer answer = { 0 };
	struct store_feed row;
	struct err why = { 0 };
	int r = a ? read_row(w, f, a, &row, err) : err_set(err, ENOMEM, "feed");

	if (r < 0)
		return r;
	slice_copy(slice_of(row.etag), answer.etag, sizeof(answer.etag));
	slice_copy(slice_of(row.modified), answer.modified, sizeof(answer.modified));
	int done = fetch_and_import(w, f, &answer, &why);
	row.name = f->name;
	row.url = f->url;
	row.format = formats[0].name;
	for (size_t i = 0; i < ARRAY_LEN(formats); i++)
		if ((int)formats[i].format == f->format)
			row.format = formats[i].name;
	row.tried_unix_ns = now;
	row.error = done < 0 ? why.msg : "";
	if (done >= 0)
		row.succeeded_unix_ns = now;
	if (done > 0) {
		row.changed_unix_ns = now;
		row.bytes = answer.bytes;
		row.etag = answer.etag;
		row.modified = answer.modified;
	}
	if (done < 0)
		say(w, "%s: %s", f->name, why.msg);
	r = store_feed_put(w->store, &row, err);
	return r < 0 ? r : done < 0 ? 1 : 0;
}

int vuln_feeds_update(struct store *s, const struct clock *clk, const struct vuln_config *cfg,
		      void (*say_line)(void *arg, const char *line), void *arg, unsigned *ret_failed, struct err *err)
{
	struct work w = { s, clk, cfg, say_line, arg, -1 };
	int r = check_unsigned(cfg, err);

	*ret_failed = 0;
	if (r >= 0)
		r = lock_db(&w, err);
	for (size_t i = 0; i < cfg->feed_count && r >= 0; i++) {
		r = update_one(&w, &cfg->feeds[i], err);
		*ret_failed += r > 0;
	}
	unlock_db(&w);
	return r < 0 ? r : 0;
}

/* ---- one file ---- */

static int copy_file(const char *from, const char *to, struct err *err)
{
	CLEANUP(fd_closep) int in = open(from, O_RDONLY | O_CLOEXEC);
	if (in < 0)
		return err_set(err, errno, "open '%s'", from);
	unlink(to);
	CLEANUP(fd_closep) int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (out < 0)
		return err_set(err, errno, "open '%s'", to);
	char block[65536];
	ssize_t n;

	while ((n = read(in, block, sizeof(block))) > 0) {
		int r = file_write_all(out, block, (size_t)n, err);
		if (r < 0)
			return r;
	}
	if (n < 0 || fsync(out) < 0)
		return err_set(err, errno, "copy '%s'", from);
	return 0;
}

static int look_at_db(const struct work *w, const char *path, struct vulndb_info *ret, struct err *err)
{
	CLEANUP(vulndb_closep) struct vulndb *db = NULL;
	CLEANUP(buf_finip) struct buf key = { 0 };
	bool is_signed = w->cfg->public_key_file && w->cfg->public_key_file[0];
	int r = is_signed ? file_read(w->cfg->public_key_file, 16384, &key, err) : 0;

	if (r >= 0)
		r = vulndb_open(path, is_signed ? key.p : NULL, &db, err);
	return r < 0 ? r : vulndb_status(db, ret, NULL, NULL, err);
}

/* What belongs to the file that stood here before must not be taken for the new one's. */
static int move_db(const char *from, const char *to, struct err *err)
{
	static const char *const ends[] = { "-wal", "-shm" };
	char path[PATH_MAX], dir[PATH_MAX], signature[PATH_MAX];

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		snprintf(path, sizeof(path), "%.4000s%s", to, ends[i]);
		unlink(path);
		snprintf(path, sizeof(path), "%.4000s%s", from, ends[i]);
		unlink(path);
	}
	snprintf(path, sizeof(path), "%.4000s.sig", from);
	snprintf(signature, sizeof(signature), "%.4000s.sig", to);
	if (rename(path, signature) < 0)
		unlink(signature);
	if (rename(from, to) < 0)
		return err_set(err, errno, "rename '%s'", from);
	slice_copy(slice_of(to), dir, sizeof(dir));
	char *slash = strrchr(dir, '/');
	if (slash)
		*slash = '\0';
	return file_sync_dir(slash ? dir : ".", err);
}

/* Looked at here and not where it comes from: what is looked at is what is taken. */
static int import_db(const struct work *w, const char *path, struct err *err)
{
	char copy[PATH_MAX], from[PATH_MAX], to[PATH_MAX];
	struct vulndb_info info;

	if ((size_t)snprintf(copy, sizeof(copy), "%.4000s.new", w->cfg->db_path) >= sizeof(copy))
		return err_set(err, ENAMETOOLONG, "'%s'", w->cfg->db_path);
	int r = copy_file(path, copy, err);
	snprintf(from, sizeof(from), "%.4000s.sig", path);
	snprintf(to, sizeof(to), "%.4000s.sig", copy);
	if (r >= 0 && access(from, F_OK) == 0)
		r = copy_file(from, to, err);
	if (r >= 0)
		r = look_at_db(w, copy, &info, err);
	if (r >= 0)
		r = move_db(copy, w->cfg->db_path, err);
	if (r < 0) {
		unlink(copy);
		unlink(to);
		return err_wrap(err, r, "take over '%.150s'", path);
	}
	say(w, "%s: %" PRIu64 " advisories, generation %" PRIu64 "%s", path, info.records, info.generation,
	    info.is_signed ? ", signature right" : "");
	return 0;
}

int vuln_feed_import(struct store *s, const struct clock *clk, const struct vuln_config *cfg, const char *format,
		     const char *path, void (*say_line)(void *arg, const char *line), void *arg, struct err *err)
{
	struct work w = { s, clk, cfg, say_line, arg, -1 };
	struct vulndb_imported im;
	bool is_db = !strcmp(format, "db");
	int number = 0;
	int r = is_db ? 0 : vuln_format_find(format, &number, err);

	if (r >= 0 && !is_db)
		r = check_unsigned(cfg, err);
	if (r >= 0)
		r = lock_db(&w, err);
	if (r >= 0)
		r = is_db ? import_db(&w, path, err) : import_one(&w, path, number, NULL, false, &im, err);
	if (r >= 0 && !is_db)
		say_imported(&w, path, &im);
	unlock_db(&w);
	return r;
}
