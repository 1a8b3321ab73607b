/* vulndb_priv.h - the open database, as the files of this folder share it. */
#pragma once
#include <sqlite3.h>
#include <sys/stat.h>

#include "common/arena.h"
#include "common/buf.h"
#include "common/vulndb/vulndb.h"

enum { VULNDB_SCHEMA = 1, VULNDB_APPLICATION = 0x7069636b };

enum statement {
#define STATEMENT(name, sql) SQL_##name,
#include "common/vulndb/statements.def"
#undef STATEMENT
	SQL_COUNT
};

struct vulndb {
	sqlite3 *h;
	char *path; /* owned */
	sqlite3_stmt *statements[SQL_COUNT];
	bool is_signed;
	bool is_immutable; /* SQLite takes no locks: `seen` tells whether the file is still the same */
	struct stat seen;
	struct match *match; /* what matching keeps between calls; nullable */
};

enum sql_flags { SQL_WRITE = 1, SQL_IMMUTABLE = 2 };

/* Opens and checks that it is ours and of this schema; SQL_WRITE makes it when missing. On an error too the
 * caller calls sql_close. */
int sql_open(struct vulndb *db, const char *path, unsigned flags, struct err *err) WARN_UNUSED;
void sql_close(struct vulndb *db);

/* The prepared statement, reset and ready to be bound. */
int sql_start(struct vulndb *db, enum statement s, sqlite3_stmt **ret, struct err *err) WARN_UNUSED;
static inline void sql_int(sqlite3_stmt *st, int at, int64_t v)
{
	sqlite3_bind_int64(st, at, v);
}
/* Borrowed until the statement is reset. */
static inline void sql_text(sqlite3_stmt *st, int at, struct slice s)
{
	sqlite3_bind_text64(st, at, s.p ? s.p : "", s.n, SQLITE_STATIC, SQLITE_UTF8);
}
static inline void sql_blob(sqlite3_stmt *st, int at, struct slice s)
{
	sqlite3_bind_blob64(st, at, s.p ? s.p : "", s.n, SQLITE_STATIC);
}
/* 1: a row, 0: the end (and reset), negative: an error (and reset). */
int sql_step(struct vulndb *db, sqlite3_stmt *st, struct err *err) WARN_UNUSED;
/* Steps to the end. */
int sql_run(struct vulndb *db, sqlite3_stmt *st, struct err *err) WARN_UNUSED;
/* Starts and runs one without values. */
int sql_do(struct vulndb *db, enum statement s, struct err *err) WARN_UNUSED;
int sql_exec(struct vulndb *db, const char *sql, struct err *err) WARN_UNUSED;
int sql_error(struct vulndb *db, struct err *err);
/* Borrowed until the next step. */
struct slice sql_column(sqlite3_stmt *st, int column);
static inline void sql_resetp(sqlite3_stmt **st)
{
	if (*st)
		sqlite3_reset(*st);
}

/* A number of the table meta; 0 when it is not there. */
int meta_get(struct vulndb *db, const char *key, uint64_t *ret, struct err *err) WARN_UNUSED;
int meta_put(struct vulndb *db, const char *key, uint64_t v, struct err *err) WARN_UNUSED;

/* A read of many statements that all see the same database. */
int read_begin(struct vulndb *db, struct err *err) WARN_UNUSED;
/* r: how the reading went; returned, or the error that the file was changed under an immutable handle. */
int read_end(struct vulndb *db, int r, struct err *err) WARN_UNUSED;

void match_free(struct match *m);
/* The right signature of the file, or ERR_CORRUPT, ERR_CRYPTO, ENOENT. */
int sign_check(const char *path, const char *pubkey_pem, struct err *err) WARN_UNUSED;
