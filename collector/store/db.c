/* db.c - see db.h. */
#include "collector/store/db.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

enum { BUSY_MS = 5000 };

static int code_of(sqlite3 *h, int rc)
{
	int os = h ? sqlite3_system_errno(h) : 0;

	switch (rc & 0xff) {
	case SQLITE_FULL:
		return ENOSPC;
	case SQLITE_IOERR:
		/* a full disk often shows as a failed write or a shared memory that can't grow */
		return os == ENOSPC || os == EDQUOT || rc == SQLITE_IOERR_SHMSIZE ? ENOSPC : EIO;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return EBUSY;
	case SQLITE_NOMEM:
		return ENOMEM;
	case SQLITE_READONLY:
		return EROFS;
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return EACCES;
	case SQLITE_CANTOPEN:
		return os ? os : ENOENT;
	case SQLITE_CONSTRAINT:
		return rc == SQLITE_CONSTRAINT_FOREIGNKEY ? ERR_NOT_FOUND : EEXIST;
	case SQLITE_TOOBIG:
		return ERR_LIMIT;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return ERR_CORRUPT;
	default:
		return EIO;
	}
}

int db_error(struct db *d, struct err *err)
{
	int rc = d->h ? sqlite3_extended_errcode(d->h) : SQLITE_NOMEM;
	int code = code_of(d->h, rc);
	const char *why = d->h ? sqlite3_errmsg(d->h) : "no handle";

	/* After these SQLite may have rolled back by itself; going on would write half a transaction. */
	if (d->in_tx && (code == ENOSPC || code == EIO || code == ENOMEM || code == ERR_CORRUPT ||
			 (d->h && sqlite3_get_autocommit(d->h))))
		d->tx_failed = code;
	return err_set(err, code, "database '%s': %s", d->path ? d->path : "?", why);
}

/* SQLite would make the file with the umask's mode; it holds what happened on every host. */
static int make_file(const char *path, struct err *err)
{
	CLEANUP(fd_closep) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return err_set(err, errno, "open '%s'", path);
	return 0;
}

int db_open(const char *path, unsigned flags, struct db *ret, struct err *err)
{
	*ret = (struct db){ .path = slice_dup(slice_of(path)) };
	if (!ret->path)
		return err_set(err, ENOMEM, "open '%s'", path);
	if (flags & DB_CREATE) {
		int r = make_file(path, err);
		if (r < 0)
			return r;
	}
	int open_flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
			 (flags & DB_READ_ONLY ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE);
	if (sqlite3_open_v2(path, &ret->h, open_flags, NULL) != SQLITE_OK)
		return db_error(ret, err);
	sqlite3_busy_timeout(ret->h, BUSY_MS);
	sqlite3_db_config(ret->h, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(ret->h, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	/* only counts while the file is empty */
	if (flags & DB_LARGE_PAGES && db_exec(ret, "PRAGMA page_size=16384", err) < 0)
		return db_error(ret, err);
	if (db_exec(ret, flags & DB_UNSYNCED ? "PRAGMA synchronous=OFF" : "PRAGMA synchronous=FULL", err) < 0)
		return db_error(ret, err);
	return db_exec(ret,
		       "PRAGMA journal_mode=WAL; PRAGMA foreign_keys=ON; PRAGMA temp_store=MEMORY; PRAGMA cache_size=-8192",
		       err);
}

void db_close(struct db *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < DB_STATEMENTS; i++)
		sqlite3_finalize(d->statements[i].st);
	if (d->h)
		sqlite3_close_v2(d->h);
	free(d->path);
	*d = (struct db){ 0 };
}

static int bind_all(sqlite3_stmt *st, const struct bind *b, size_t count)
{
	int rc = SQLITE_OK;

	for (size_t i = 0; i < count && rc == SQLITE_OK; i++) {
		const char *p = b[i].s.p ? b[i].s.p : "";
		int at = (int)i + 1;

		switch (b[i].kind) {
		case BIND_INT:
			rc = sqlite3_bind_int64(st, at, b[i].i);
			break;
		case BIND_TEXT:
			rc = sqlite3_bind_text64(st, at, p, b[i].s.n, SQLITE_STATIC, SQLITE_UTF8);
			break;
		case BIND_BLOB:
			rc = sqlite3_bind_blob64(st, at, p, b[i].s.n, SQLITE_STATIC);
			break;
		}
	}
	return rc;
}

/* The cached statement of this literal, or the free place for it; NULL when all are taken. */
static sqlite3_stmt **find_statement(struct db *d, const char *sql)
{
	size_t start = (size_t)(slice_hash(slice_from(&sql, sizeof(sql))) % DB_STATEMENTS);

	for (size_t i = 0; i < DB_STATEMENTS; i++) {
		size_t at = (start + i) % DB_STATEMENTS;

		if (!d->statements[at].sql)
			d->statements[at].sql = sql;
		if (d->statements[at].sql == sql)
			return &d->statements[at].st;
	}
	return NULL;
}

int db_prepare(struct db *d, const char *sql, const struct bind *b, size_t count, sqlite3_stmt **ret,
	       struct err *err)
{
	if (d->in_tx && d->tx_failed)
		return err_set(err, d->tx_failed, "database '%s': this transaction has failed", d->path);
	sqlite3_stmt **st = find_statement(d, sql);
	if (!st)
		return err_set(err, ERR_LIMIT, "database '%s': more than %d statements", d->path,
			       DB_STATEMENTS);
	if (!*st && sqlite3_prepare_v3(d->h, sql, -1, SQLITE_PREPARE_PERSISTENT, st, NULL) != SQLITE_OK)
		return db_error(d, err);
	if (sqlite3_stmt_busy(*st))
		return err_set(err, EBUSY, "database '%s': asked again from within its own answer",
			       d->path);
	if (bind_all(*st, b, count) != SQLITE_OK)
		return db_error(d, err);
	*ret = *st;
	return 0;
}

int db_step(struct db *d, sqlite3_stmt *st, struct err *err)
{
	int rc = sqlite3_step(st);

	if (rc == SQLITE_ROW)
		return 1;
	if (rc == SQLITE_DONE)
		return 0;
	int r = db_error(d, err);
	sqlite3_reset(st);
	return r;
}

int db_run(struct db *d, const char *sql, const struct bind *b, size_t count, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = db_prepare(d, sql, b, count, &st, err);

	if (r < 0)
		return r;
	do {
		r = db_step(d, st, err);
	} while (r > 0);
	return r;
}

int db_exec(struct db *d, const char *sql, struct err *err)
{
	return sqlite3_exec(d->h, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : db_error(d, err);
}

int db_number(struct db *d, const char *sql, const struct bind *b, size_t count, int64_t *ret,
	      struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = db_prepare(d, sql, b, count, &st, err);

	if (r < 0)
		return r;
	r = db_step(d, st, err);
	if (r < 0)
		return r;
	*ret = r ? sqlite3_column_int64(st, 0) : 0;
	return 0;
}

int db_begin(struct db *d, struct err *err)
{
	if (d->in_tx)
		return err_set(err, EBUSY, "database '%s': a transaction is open", d->path);
	int r = db_exec(d, "BEGIN IMMEDIATE", err);
	if (r < 0)
		return r;
	d->in_tx = true;
	d->tx_failed = 0;
	return 0;
}

int db_commit(struct db *d, struct err *err)
{
	if (!d->in_tx)
		return err_set(err, EINVAL, "database '%s': no transaction is open", d->path);
	if (d->tx_failed) {
		int code = d->tx_failed;

		db_rollback(d);
		return err_set(err, code, "database '%s': rolled back", d->path);
	}
	int r = db_exec(d, "COMMIT", err);
	if (r < 0) {
		db_rollback(d);
		return r;
	}
	d->in_tx = false;
	return 0;
}

void db_rollback(struct db *d)
{
	if (d->h && !sqlite3_get_autocommit(d->h))
		sqlite3_exec(d->h, "ROLLBACK", NULL, NULL, NULL); /* ignored: nothing is left to do */
	d->in_tx = false;
	d->tx_failed = 0;
}

const char *db_text(sqlite3_stmt *st, int column)
{
	const unsigned char *p = sqlite3_column_text(st, column);

	return p ? (const char *)p : "";
}

struct slice db_blob(sqlite3_stmt *st, int column)
{
	const void *p = sqlite3_column_blob(st, column);

	return slice_from(p, p ? (size_t)sqlite3_column_bytes(st, column) : 0);
}
