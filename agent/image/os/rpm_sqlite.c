/* rpm_sqlite.c - rpm's SQLite database (Fedora 33, RHEL 9, and since), read by SQLite through a file system
 * that is nothing but the blob: read-only, no journal, no lock, no path of this machine.
 *
 * The table Packages has a row a package, its header in the column `blob`, which is read in pieces. SQLite is
 * told to expect an enemy: the schema can't run anything (authorizer), rows and steps are counted. */
#include <sqlite3.h>

#include "agent/image/os/rpm_header.h"

enum {
	CACHE_KIB = 1024,
	SQL_MAX = 1 << 20, /* of a text or row read as a whole: the schema's */
	STEPS_AT_ONCE = 10000,
	STEPS_MAX = 5000, /* times that many; a database of 10,000 packages takes 10 */
	PATH_MAX_BYTES = 64,
};

struct files {
	sqlite3_vfs vfs;
	const struct blob *b;
	struct err err; /* of the last read that failed; code 0: none did */
	unsigned steps;
};
struct file {
	sqlite3_file base;
	struct files *fs;
};

/* ---- SQLite's file ---- */

static int file_close(sqlite3_file *f)
{
	(void)f;
	return SQLITE_OK;
}

static int file_read(sqlite3_file *f, void *p, int amount, sqlite3_int64 off)
{
	struct files *fs = ((struct file *)f)->fs;
	size_t want = (size_t)amount, n = 0;
	uint64_t left = (uint64_t)off < fs->b->size ? fs->b->size - (uint64_t)off : 0;

	if (left)
		n = left < want ? (size_t)left : want;
	if (n && blob_read(fs->b, (uint64_t)off, p, n, &fs->err) < 0)
		return SQLITE_IOERR_READ;
	memset((char *)p + n, 0, want - n);
	return n == want ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

static int file_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 off)
{
	(void)f, (void)p, (void)n, (void)off;
	return SQLITE_READONLY;
}

static int file_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	(void)f, (void)size;
	return SQLITE_READONLY;
}

static int file_sync(sqlite3_file *f, int flags)
{
	(void)f, (void)flags;
	return SQLITE_OK;
}

static int file_size(sqlite3_file *f, sqlite3_int64 *ret)
{
	const struct blob *b = ((struct file *)f)->fs->b;

	*ret = b->size > INT64_MAX ? INT64_MAX : (sqlite3_int64)b->size;
	return SQLITE_OK;
}

static int file_lock(sqlite3_file *f, int level)
{
	(void)f, (void)level;
	return SQLITE_OK;
}

static int file_is_reserved(sqlite3_file *f, int *ret)
{
	(void)f;
	*ret = 0;
	return SQLITE_OK;
}

static int file_control(sqlite3_file *f, int op, void *arg)
{
	(void)f, (void)op, (void)arg;
	return SQLITE_NOTFOUND;
}

static int file_sector(sqlite3_file *f)
{
	(void)f;
	return 4096;
}

/* Nothing changes it, so SQLite looks for no journal, and for no write-ahead log either, though the head says
 * that one belongs to it: rpm leaves it empty. */
static int file_traits(sqlite3_file *f)
{
	(void)f;
	return SQLITE_IOCAP_IMMUTABLE;
}

static const sqlite3_io_methods file_methods = {
	.iVersion = 1,
	.xClose = file_close,
	.xRead = file_read,
	.xWrite = file_write,
	.xTruncate = file_truncate,
	.xSync = file_sync,
	.xFileSize = file_size,
	.xLock = file_lock,
	.xUnlock = file_lock,
	.xCheckReservedLock = file_is_reserved,
	.xFileControl = file_control,
	.xSectorSize = file_sector,
	.xDeviceCharacteristics = file_traits,
};

/* ---- SQLite's file system: one file ---- */

static int fs_open(sqlite3_vfs *v, const char *name, sqlite3_file *f, int flags, int *ret_flags)
{
	(void)name;
	f->pMethods = NULL;
	if (!(flags & SQLITE_OPEN_MAIN_DB))
		return SQLITE_CANTOPEN;
	((struct file *)f)->fs = v->pAppData;
	f->pMethods = &file_methods;
	if (ret_flags)
		*ret_flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_MAIN_DB;
	return SQLITE_OK;
}

static int fs_delete(sqlite3_vfs *v, const char *name, int sync)
{
	(void)v, (void)name, (void)sync;
	return SQLITE_READONLY;
}

static int fs_access(sqlite3_vfs *v, const char *name, int flags, int *ret)
{
	(void)v, (void)name, (void)flags;
	*ret = 0;
	return SQLITE_OK;
}

static int fs_full_path(sqlite3_vfs *v, const char *name, int size, char *dst)
{
	(void)v;
	sqlite3_snprintf(size, dst, "%s", name);
	return SQLITE_OK;
}

static int fs_random(sqlite3_vfs *v, int n, char *dst)
{
	(void)v;
	memset(dst, 0, (size_t)n); /* names of temporary files: there are none */
	return n;
}

static int fs_sleep(sqlite3_vfs *v, int us)
{
	(void)v;
	return us;
}

static int fs_time(sqlite3_vfs *v, double *ret)
{
	(void)v;
	*ret = 0;
	return SQLITE_OK;
}

static int fs_last_error(sqlite3_vfs *v, int n, char *dst)
{
	(void)v, (void)n, (void)dst;
	return 0;
}

static void fs_init(struct files *fs, const struct blob *b)
{
	*fs = (struct files){ .b = b };
	fs->vfs = (sqlite3_vfs){
		.iVersion = 1,
		.szOsFile = sizeof(struct file),
		.mxPathname = PATH_MAX_BYTES,
		.zName = "picket-blob",
		.pAppData = fs,
		.xOpen = fs_open,
		.xDelete = fs_delete,
		.xAccess = fs_access,
		.xFullPathname = fs_full_path,
		.xRandomness = fs_random,
		.xSleep = fs_sleep,
		.xCurrentTime = fs_time,
		.xGetLastError = fs_last_error,
	};
}

/* ---- the database ---- */

static int count_steps(void *arg)
{
	struct files *fs = arg;

	return ++fs->steps > STEPS_MAX;
}

/* Reading columns of the two tables, nothing else: a view named Packages could ask for anything. */
static int allow(void *arg, int action, const char *a, const char *b, const char *db, const char *by)
{
	(void)arg, (void)b, (void)db;
	if (action == SQLITE_SELECT && !by)
		return SQLITE_OK;
	if (action == SQLITE_READ && !by && a && (!strcmp(a, "Packages") || !strncmp(a, "sqlite_", 7)))
		return SQLITE_OK;
	return SQLITE_DENY;
}

static int fail(sqlite3 *db, const struct files *fs, struct err *err)
{
	if (fs->err.code) {
		if (err)
			*err = fs->err;
		return -fs->err.code;
	}
	return err_set(err, fs->steps > STEPS_MAX ? ERR_LIMIT : ERR_CORRUPT, "rpm database: %s", sqlite3_errmsg(db));
}

static void closep(sqlite3 **db)
{
	(void)sqlite3_close(*db);
}

static void finalizep(sqlite3_stmt **s)
{
	(void)sqlite3_finalize(*s);
}

static void blob_closep(sqlite3_blob **b)
{
	(void)sqlite3_blob_close(*b);
}

static bool set_up(sqlite3 *db, struct files *fs)
{
	char pragma[64];

	sqlite3_snprintf(sizeof(pragma), pragma, "PRAGMA cache_size=-%d", (int)CACHE_KIB);
	if (sqlite3_exec(db, pragma, NULL, NULL, NULL) != SQLITE_OK ||
	    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL) != SQLITE_OK ||
	    sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL) != SQLITE_OK ||
	    sqlite3_set_authorizer(db, allow, NULL) != SQLITE_OK)
		return false;
	(void)sqlite3_limit(db, SQLITE_LIMIT_LENGTH, SQL_MAX);
	sqlite3_progress_handler(db, STEPS_AT_ONCE, count_steps, fs);
	return true;
}

/* A real table: a virtual one is code of its module. */
static int find_table(sqlite3 *db, const struct files *fs, struct err *err)
{
	CLEANUP(finalizep) sqlite3_stmt *s = NULL;

	if (sqlite3_prepare_v2(db, "SELECT sql FROM sqlite_master WHERE type='table' AND name='Packages'", -1, &s,
			       NULL) != SQLITE_OK)
		return fail(db, fs, err);
	int code = sqlite3_step(s);
	if (code == SQLITE_ROW) {
		const char *sql = (const char *)sqlite3_column_text(s, 0);

		if (sql && !sqlite3_strnicmp(sql, "CREATE TABLE", 12))
			return 0;
	} else if (code != SQLITE_DONE) {
		return fail(db, fs, err);
	}
	return err_set(err, ERR_CORRUPT, "rpm database: no table Packages");
}

static int read_row(void *arg, uint64_t off, void *buf, size_t n, size_t *ret_n, struct err *err)
{
	sqlite3_blob *row = arg;
	uint64_t size = (uint64_t)sqlite3_blob_bytes(row), left = off < size ? size - off : 0;

	n = n > left ? (size_t)left : n;
	if (n && sqlite3_blob_read(row, buf, (int)n, (int)off) != SQLITE_OK)
		return err_set(err, ERR_CORRUPT, "rpm database: a header could not be read");
	*ret_n = n;
	return 0;
}

static bool give_row(struct emit *e, struct rpm_budget *left, sqlite3 *db, const struct files *fs,
		     sqlite3_int64 id)
{
	CLEANUP(blob_closep) sqlite3_blob *row = NULL;
	struct err err;

	if (sqlite3_blob_open(db, "main", "Packages", "blob", id, 0, &row) != SQLITE_OK) {
		os_emit_failed(e, fail(db, fs, &err), &err);
		return fs->steps <= STEPS_MAX;
	}
	const struct blob b = { .size = (uint64_t)sqlite3_blob_bytes(row), .read_at = read_row, .arg = row };
	return rpm_header_give(e, left, &b);
}

static int give_rows(struct emit *e, sqlite3 *db, const struct files *fs, struct err *err)
{
	struct rpm_budget left = rpm_budget_of(fs->b);
	CLEANUP(finalizep) sqlite3_stmt *s = NULL;
	sqlite3_int64 last = INT64_MIN;
	bool go_on = true;
	int code = SQLITE_OK;

	if (sqlite3_prepare_v2(db, "SELECT rowid FROM Packages", -1, &s, NULL) != SQLITE_OK)
		return fail(db, fs, err);
	while (go_on && (code = sqlite3_step(s)) == SQLITE_ROW) {
		sqlite3_int64 id = sqlite3_column_int64(s, 0);

		/* A tree whose branches are the same leaf. */
		if (id <= last)
			return err_set(err, ERR_CORRUPT, "rpm database: rows out of order");
		last = id;
		go_on = give_row(e, &left, db, fs, id);
	}
	return go_on && code != SQLITE_DONE ? fail(db, fs, err) : 0;
}

static int read_database(struct emit *e, struct files *fs, struct err *err)
{
	CLEANUP(closep) sqlite3 *db = NULL;

	if (sqlite3_open_v2("rpmdb", &db, SQLITE_OPEN_READONLY, fs->vfs.zName) != SQLITE_OK || !set_up(db, fs))
		return fail(db, fs, err);
	int r = find_table(db, fs, err);
	return r < 0 ? r : give_rows(e, db, fs, err);
}

int rpm_sqlite_read(struct slice path, const struct blob *b, const struct pkg_out *out, struct err *err)
{
	struct emit e = { .out = out, .ecosystem = "rpm" };
	struct files fs;

	(void)path;
	fs_init(&fs, b);
	if (sqlite3_vfs_register(&fs.vfs, 0) != SQLITE_OK)
		return err_set(err, ERR_LIMIT, "rpm database: SQLite can't start");
	int r = read_database(&e, &fs, err);
	(void)sqlite3_vfs_unregister(&fs.vfs);
	return r < 0 ? r : os_emit_end(&e, err);
}
