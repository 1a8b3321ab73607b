/* sql.c - SQLite as this folder uses it: opened one way, statements prepared once, errors in our words. */
#include <errno.h>
#include <fcntl.h>

#include "common/vulndb/vulndb_priv.h"

enum { BUSY_MS = 10000, WRITE_CACHE_KIB = 32768, READ_CACHE_KIB = 16384 };

static const char *const statements[] = {
#define STATEMENT(name, sql) sql,
#include "common/vulndb/statements.def"
#undef STATEMENT
};

/* A space is where names are unique ("debian:12"). An advisory's groups: a line each vulnerability it is
 * about, its ids with blanks between; packages: the ids of those it affects, with blanks. alias.rank 0: an
 * advisory of one vulnerability with a CVSS vector, from which others may borrow. changed: the generation. */
static const char schema[] =
	"CREATE TABLE meta(key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE feed(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, format INTEGER NOT NULL,"
	" records INTEGER NOT NULL, withdrawn INTEGER NOT NULL, imported INTEGER NOT NULL,"
	" sha256 TEXT NOT NULL, data_date TEXT NOT NULL);"
	"CREATE TABLE space(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, purl TEXT NOT NULL,"
	" osv TEXT NOT NULL);"
	"CREATE TABLE package(id INTEGER PRIMARY KEY, space INTEGER NOT NULL, name TEXT NOT NULL,"
	" changed INTEGER NOT NULL, UNIQUE(space, name));"
	"CREATE INDEX package_changed ON package(changed);"
	"CREATE TABLE advisory(id INTEGER PRIMARY KEY, feed INTEGER NOT NULL, key TEXT NOT NULL,"
	" part TEXT NOT NULL, hash BLOB NOT NULL, withdrawn INTEGER NOT NULL, groups TEXT NOT NULL,"
	" packages TEXT NOT NULL, record TEXT NOT NULL, severity INTEGER NOT NULL,"
	" severity_source TEXT NOT NULL, cvss REAL NOT NULL, vector TEXT NOT NULL,"
	" published INTEGER NOT NULL, modified INTEGER NOT NULL, title TEXT NOT NULL, urls TEXT NOT NULL,"
	" description TEXT NOT NULL, UNIQUE(feed, key));"
	"CREATE TABLE affected(package INTEGER NOT NULL, advisory INTEGER NOT NULL, seq INTEGER NOT NULL,"
	" cve INTEGER NOT NULL, status INTEGER NOT NULL, severity INTEGER NOT NULL,"
	" ranges TEXT NOT NULL, versions TEXT NOT NULL, note TEXT NOT NULL,"
	" PRIMARY KEY(package, advisory, seq)) WITHOUT ROWID;"
	"CREATE TABLE alias(name TEXT NOT NULL, rank INTEGER NOT NULL, advisory INTEGER NOT NULL,"
	" PRIMARY KEY(name, rank, advisory)) WITHOUT ROWID;"
	"CREATE TABLE epss(cve INTEGER PRIMARY KEY, score REAL NOT NULL, percentile REAL NOT NULL);"
	"CREATE TABLE kev(cve INTEGER PRIMARY KEY, added TEXT NOT NULL, due TEXT NOT NULL,"
	" ransomware INTEGER NOT NULL, title TEXT NOT NULL);";

/* ---- errors ---- */

static int code_of(sqlite3 *h, int rc)
{
	int os = h ? sqlite3_system_errno(h) : 0;

	switch (rc & 0xff) {
	case SQLITE_FULL:
		return ENOSPC;
	case SQLITE_IOERR:
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
	case SQLITE_TOOBIG:
		return ERR_LIMIT;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_CONSTRAINT:
	case SQLITE_ERROR: /* a table of ours is not there or not as we made it */
		return ERR_CORRUPT;
	default:
		return EIO;
	}
}

int sql_error(struct vulndb *db, struct err *err)
{
	int rc = db->h ? sqlite3_extended_errcode(db->h) : SQLITE_NOMEM;

	return err_set(err, code_of(db->h, rc), "vulnerability database '%s': %s", db->path ? db->path : "?",
		       db->h ? sqlite3_errmsg(db->h) : "no handle");
}

int sql_exec(struct vulndb *db, const char *sql, struct err *err)
{
	return sqlite3_exec(db->h, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : sql_error(db, err);
}

/* ---- statements ---- */

int sql_start(struct vulndb *db, enum statement s, sqlite3_stmt **ret, struct err *err)
{
	sqlite3_stmt **st = &db->statements[s];

	if (!*st && sqlite3_prepare_v3(db->h, statements[s], -1, SQLITE_PREPARE_PERSISTENT, st, NULL) != SQLITE_OK)
		return sql_error(db, err);
	sqlite3_reset(*st);
	*ret = *st;
	return 0;
}

int sql_step(struct vulndb *db, sqlite3_stmt *st, struct err *err)
{
	int rc = sqlite3_step(st);

	if (rc == SQLITE_ROW)
		return 1;
	int r = rc == SQLITE_DONE ? 0 : sql_error(db, err);
	sqlite3_reset(st);
	return r;
}

int sql_run(struct vulndb *db, sqlite3_stmt *st, struct err *err)
{
	int r;

	do {
		r = sql_step(db, st, err);
	} while (r > 0);
	return r;
}

int sql_do(struct vulndb *db, enum statement s, struct err *err)
{
	sqlite3_stmt *st;
	int r = sql_start(db, s, &st, err);

	return r < 0 ? r : sql_run(db, st, err);
}

struct slice sql_column(sqlite3_stmt *st, int column)
{
	const void *p = sqlite3_column_blob(st, column); /* the bytes as stored, no conversion */

	return slice_from(p ? p : "", p ? (size_t)sqlite3_column_bytes(st, column) : 0);
}

int meta_get(struct vulndb *db, const char *key, uint64_t *ret, struct err *err)
{
	sqlite3_stmt *st;
	int r = sql_start(db, SQL_META_GET, &st, err);

	if (r < 0)
		return r;
	sql_text(st, 1, slice_of(key));
	r = sql_step(db, st, err);
	*ret = r > 0 ? (uint64_t)sqlite3_column_int64(st, 0) : 0;
	sqlite3_reset(st);
	return r < 0 ? r : 0;
}

int meta_put(struct vulndb *db, const char *key, uint64_t v, struct err *err)
{
	sqlite3_stmt *st;
	int r = sql_start(db, SQL_META_PUT, &st, err);

	if (r < 0)
		return r;
	sql_text(st, 1, slice_of(key));
	sql_int(st, 2, (int64_t)v);
	return sql_run(db, st, err);
}

/* ---- opening ---- */

static int number_of(struct vulndb *db, const char *sql, int64_t *ret, struct err *err)
{
	sqlite3_stmt *st = NULL;

	if (sqlite3_prepare_v2(db->h, sql, -1, &st, NULL) != SQLITE_OK)
		return sql_error(db, err);
	int rc = sqlite3_step(st);
	*ret = rc == SQLITE_ROW ? sqlite3_column_int64(st, 0) : 0;
	int r = rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : sql_error(db, err);
	sqlite3_finalize(st);
	return r;
}

static int make_schema(struct vulndb *db, struct err *err)
{
	char marks[128];

	snprintf(marks, sizeof(marks), "PRAGMA application_id=%d; PRAGMA user_version=%d;", VULNDB_APPLICATION,
		 VULNDB_SCHEMA);
	int r = sql_exec(db, "BEGIN IMMEDIATE", err);
	if (r >= 0)
		r = sql_exec(db, schema, err);
	if (r >= 0)
		r = sql_exec(db, marks, err);
	if (r >= 0)
		r = sql_exec(db, "COMMIT", err);
	return r;
}

static int check_schema(struct vulndb *db, bool may_make, struct err *err)
{
	int64_t application = 0, version = 0, tables = 0, strangers = 0;

	int r = number_of(db, "PRAGMA application_id", &application, err);
	if (r >= 0)
		r = number_of(db, "PRAGMA user_version", &version, err);
	if (r >= 0)
		r = number_of(db, "SELECT count(*) FROM sqlite_schema", &tables, err);
	if (r < 0)
		return r;
	if (!tables && may_make)
		return make_schema(db, err);
	/* A view or trigger in a file from elsewhere would run what its maker wrote. */
	if (r >= 0)
		r = number_of(db, "SELECT count(*) FROM sqlite_schema WHERE type NOT IN ('table','index') OR sql LIKE '%VIRTUAL%'",
			      &strangers, err);
	if (r < 0)
		return r;
	if (strangers)
		return err_set(err, ERR_CORRUPT, "'%s' is no vulnerability database: it holds more than tables", db->path);
	if (application != VULNDB_APPLICATION)
		return err_set(err, ERR_CORRUPT, "'%s' is no vulnerability database of picket", db->path);
	if (version != VULNDB_SCHEMA)
		return err_set(err, ERR_VERSION, "vulnerability database '%s' is of form %lld, this program knows %d: %s",
			       db->path, (long long)version, VULNDB_SCHEMA,
			       version > VULNDB_SCHEMA ? "use a newer picket" : "import into a new file");
	return 0;
}

/* As a URI, for ?immutable=1. */
static void put_uri(struct buf *b, const char *path)
{
	buf_add_str(b, "file:");
	for (const char *p = path; *p; p++) {
		if (strchr("?#%", *p))
			buf_printf(b, "%%%02X", (unsigned char)*p);
		else
			buf_add_char(b, *p);
	}
	buf_add_str(b, "?immutable=1");
}

static int open_handle(struct vulndb *db, unsigned flags, struct err *err)
{
	CLEANUP(buf_finip) struct buf uri = { 0 };
	int open_flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
			 (flags & SQL_WRITE ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY);

	buf_init(&uri, 16384);
	if (flags & SQL_IMMUTABLE) {
		put_uri(&uri, db->path);
		open_flags |= SQLITE_OPEN_URI;
		db->is_immutable = true;
	}
	if (uri.failed)
		return err_set(err, ENAMETOOLONG, "open '%s'", db->path);
	if (sqlite3_open_v2(flags & SQL_IMMUTABLE ? uri.p : db->path, &db->h, open_flags, NULL) != SQLITE_OK)
		return sql_error(db, err);
	sqlite3_busy_timeout(db->h, BUSY_MS);
	sqlite3_db_config(db->h, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(db->h, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_limit(db->h, SQLITE_LIMIT_LENGTH, 64 << 20);
	return 0;
}

static int set_up(struct vulndb *db, unsigned flags, struct err *err)
{
	char text[128];

	/* No mapped pages: a file that somebody cuts short would end the program, and they count as its memory. */
	snprintf(text, sizeof(text), "PRAGMA cache_size=-%d; PRAGMA temp_store=MEMORY; PRAGMA mmap_size=0;",
		 flags & SQL_WRITE ? WRITE_CACHE_KIB : READ_CACHE_KIB);
	int r = sql_exec(db, text, err);
	if (r >= 0 && flags & SQL_WRITE)
		r = sql_exec(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;", err);
	return r < 0 ? r : check_schema(db, flags & SQL_WRITE, err);
}

/* Never opens a file that is there: closing the descriptor would take SQLite's locks on it away, those of
 * every handle of this process. */
static int look_at_file(struct vulndb *db, bool may_make, struct err *err)
{
	if (stat(db->path, &db->seen) < 0 && (errno != ENOENT || !may_make))
		return err_set(err, errno, "open vulnerability database '%s'", db->path);
	if (db->seen.st_ino && !S_ISREG(db->seen.st_mode))
		return err_set(err, ERR_CORRUPT, "'%s' is no vulnerability database: no regular file", db->path);
	if (!db->seen.st_ino) {
		CLEANUP(fd_closep) int fd = open(db->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
		if (fd < 0 && errno != EEXIST)
			return err_set(err, errno, "make vulnerability database '%s'", db->path);
	} else if (!may_make && db->seen.st_size == 0) {
		return err_set(err, ERR_CORRUPT, "'%s' is no vulnerability database: it is empty", db->path);
	}
	return 0;
}

int sql_open(struct vulndb *db, const char *path, unsigned flags, struct err *err)
{
	*db = (struct vulndb){ .path = slice_dup(slice_of(path)) };
	if (!db->path)
		return err_set(err, ENOMEM, "open '%s'", path);
	int r = look_at_file(db, flags & SQL_WRITE, err);
	if (r >= 0)
		r = open_handle(db, flags, err);
	return r < 0 ? r : set_up(db, flags, err);
}

void sql_close(struct vulndb *db)
{
	for (size_t i = 0; i < SQL_COUNT; i++)
		sqlite3_finalize(db->statements[i]);
	if (db->h)
		sqlite3_close_v2(db->h);
	free(db->path);
	*db = (struct vulndb){ 0 };
}

/* ---- reading ---- */

int read_begin(struct vulndb *db, struct err *err)
{
	return sql_do(db, SQL_BEGIN_READ, err);
}

int read_end(struct vulndb *db, int r, struct err *err)
{
	struct stat now;

	if (sqlite3_get_autocommit(db->h) == 0) {
		int done = sql_do(db, SQL_COMMIT, r < 0 ? NULL : err);
		r = r < 0 ? r : done < 0 ? done : r;
	}
	if (!db->is_immutable || stat(db->path, &now) < 0 || now.st_ino != db->seen.st_ino)
		return r; /* a new file in its place does not touch the one we have */
	if (now.st_size != db->seen.st_size || now.st_mtim.tv_sec != db->seen.st_mtim.tv_sec ||
	    now.st_mtim.tv_nsec != db->seen.st_mtim.tv_nsec)
		return err_set(err, ESTALE, "vulnerability database '%s' was changed meanwhile: open it again", db->path);
	return r;
}
