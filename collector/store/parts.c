/* parts.c - the bytes of blocks: files that only grow, several of a class a day, so that dropping what is old or
 * too much is an unlink. What stands behind the last block that was committed is overwritten. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>

#include "collector/store/history_priv.h"
#include "common/file.h"

static const char *const class_words[CLASS_COUNT] = { "mixed", "process", "rare", "volume", "finding" };

const char *store_class_name(enum store_class c)
{
	return (unsigned)c < STORE_CLASSES ? class_words[c + 1] : "";
}

int parts_path(const struct store *s, uint32_t date, unsigned class_no, unsigned part, char dst[4096],
	       struct err *err)
{
	char name[96];

	snprintf(name, sizeof(name), "history/%04u-%02u-%02u.%s.%u", date / 10000, date / 100 % 100, date % 100,
		 class_words[class_no], part);
	return store_path(s, name, dst, PATH_MAX, err);
}

/* Where the next block of the class goes. */
static int next_place(struct store *s, struct day *day, unsigned class_no, unsigned *ret_part, uint64_t *ret_at,
		      struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int64_t gone = 0;
	int r = DB_PREPARE(&day->db, &st, err,
			   "SELECT part, at + bytes FROM block WHERE class = ? AND part > 0 ORDER BY id DESC LIMIT 1",
			   B_INT(class_no));

	if (r >= 0)
		r = DB_NUMBER(&day->db, &gone, err, "SELECT max(part) FROM part_gone WHERE class = ?",
			      B_INT(class_no));
	if (r >= 0)
		r = db_step(&day->db, st, err);
	if (r < 0)
		return r;
	*ret_part = r ? (unsigned)sqlite3_column_int64(st, 0) : 1;
	*ret_at = r ? db_u64(st, 1) : 0;
	if (*ret_at < s->part_bytes && *ret_part > gone)
		return 0;
	*ret_part = (unsigned)((int64_t)*ret_part > gone ? *ret_part : gone) + 1;
	*ret_at = 0;
	return 0;
}

int parts_fold(struct store *s, struct day *day, unsigned class_no, unsigned part, struct chain_value *v, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&day->db, &st, err,
			   "SELECT id, first, last, n, chain FROM block WHERE class = ? AND part = ? ORDER BY id",
			   B_INT(class_no), B_INT(part));

	while (r >= 0 && (r = db_step(&day->db, st, err)) > 0) {
		char text[96];
		int n = snprintf(text, sizeof(text), "%llu %llu %llu %llu", (unsigned long long)db_u64(st, 0),
				 (unsigned long long)db_u64(st, 1), (unsigned long long)db_u64(st, 2),
				 (unsigned long long)db_u64(st, 3));

		chain_mix(s->history->hasher, v, slice_from(text, (size_t)n));
		chain_mix(s->history->hasher, v, db_blob(st, 4));
	}
	return r;
}

static int write_at(int fd, struct slice data, uint64_t at)
{
	while (data.n) {
		ssize_t n = pwrite(fd, data.p, data.n, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -(n ? errno : EIO);
		at += (uint64_t)n;
		data = slice_sub(data, (size_t)n, data.n);
	}
	return 0;
}

int parts_append(struct store *s, struct day *day, unsigned class_no, struct slice data, unsigned *ret_part,
		 uint64_t *ret_at, struct err *err)
{
	char path[PATH_MAX], dir[PATH_MAX];
	int r = next_place(s, day, class_no, ret_part, ret_at, err);

	if (r >= 0)
		r = parts_path(s, day->date, class_no, *ret_part, path, err);
	if (r >= 0)
		r = store_path(s, "history", dir, sizeof(dir), err);
	if (r < 0)
		return r;
	CLEANUP(fd_closep) int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_set(err, errno, "open '%s'", path);
	r = write_at(fd, data, *ret_at);
	/* on the disk before the row that speaks of it */
	if (r >= 0 && fdatasync(fd) < 0)
		r = -errno;
	if (r < 0)
		return err_set(err, -r, "write '%s'", path);
	return *ret_at ? 0 : file_sync_dir(dir, err);
}

static int read_table(struct day *day, int64_t id, struct buf *out, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&day->db, &st, err, "SELECT data FROM block_data WHERE block = ?", B_INT(id));

	if (r >= 0)
		r = db_step(&day->db, st, err);
	if (r < 0)
		return r;
	if (!r)
		return err_set(err, ERR_CORRUPT, "has no data");
	buf_add_slice(out, db_blob(st, 0));
	return out->failed ? err_set(err, ERR_CORRUPT, "is too large") : 0;
}

int parts_read(struct store *s, struct day *day, const struct block_place *b, struct buf *out, struct err *err)
{
	char path[PATH_MAX];

	buf_reset(out);
	if (!b->part)
		return read_table(day, b->id, out, err);
	int r = parts_path(s, day->date, b->class_no, b->part, path, err);
	if (r < 0)
		return r;
	CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return err_set(err, ERR_CORRUPT, "its file '%s' can't be opened: %s", path, strerror(errno));
	char *p = b->bytes > out->cap || b->at > INT64_MAX / 2 ? NULL : buf_reserve(out, b->bytes);
	if (!p)
		return err_set(err, ERR_CORRUPT, "says it is too large");
	for (uint64_t have = 0; have < b->bytes;) {
		ssize_t n = pread(fd, p + have, b->bytes - have, (off_t)(b->at + have));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(err, errno, "read '%s'", path);
		if (!n)
			return err_set(err, ERR_CORRUPT, "its file '%s' is cut off", path);
		have += (uint64_t)n;
	}
	buf_written(out, b->bytes);
	return 0;
}

/* "2026-11-23.process.1" */
static bool read_name(const char *name, struct part_file *ret)
{
	unsigned year, month, day;
	uint64_t part;
	int n = 0;

	if (sscanf(name, "%4u-%2u-%2u.%n", &year, &month, &day, &n) != 3 || n != 11)
		return false;
	for (unsigned c = 0; c < CLASS_COUNT; c++) {
		size_t len = strlen(class_words[c]);

		if (strncmp(name + n, class_words[c], len) != 0 || name[(size_t)n + len] != '.' ||
		    !slice_to_u64(slice_of(name + n + len + 1), &part) || !part || part > UINT32_MAX / 2)
			continue;
		*ret = (struct part_file){ .date = year * 10000 + month * 100 + day,
					   .class_no = c,
					   .part = (unsigned)part };
		return true;
	}
	return false;
}

static void closedirp(DIR **d)
{
	if (*d)
		closedir(*d);
}

int parts_each(struct store *s, uint32_t date, int (*fn)(void *arg, const struct part_file *f), void *arg,
	       struct err *err)
{
	char dir[PATH_MAX], path[PATH_MAX];
	struct part_file f;
	int r = store_path(s, "history", dir, sizeof(dir), err);

	if (r < 0)
		return r;
	CLEANUP(closedirp) DIR *d = opendir(dir);
	if (!d)
		return err_set(err, errno, "read '%s'", dir);
	for (struct dirent *e = readdir(d); e; e = readdir(d)) {
		if (!read_name(e->d_name, &f) || (date && f.date != date))
			continue;
		f.path = path;
		r = parts_path(s, f.date, f.class_no, f.part, path, err);
		if (r >= 0)
			r = fn(arg, &f);
		if (r < 0)
			return r;
	}
	return 0;
}
