/* db.h - SQLite as the store uses it: opened one way, statements prepared once, errors in our words.
 * Private to the store. */
#pragma once
#include <sqlite3.h>

#include "common/err.h"
#include "common/slice.h"

enum { DB_STATEMENTS = 512 };

struct db {
	sqlite3 *h;
	char *path;	  /* owned */
	bool in_tx;	  /* between db_begin and db_commit or db_rollback */
	int tx_failed;	  /* the code of what doomed this transaction; it can only be rolled back */
	struct {
		const char *sql; /* literal */
		sqlite3_stmt *st;
	} statements[DB_STATEMENTS];
};

/* What a statement is given, in the order of its question marks. */
struct bind {
	enum { BIND_INT, BIND_TEXT, BIND_BLOB } kind;
	int64_t i;
	struct slice s;
};
#define B_INT(v) ((struct bind){ .kind = BIND_INT, .i = (int64_t)(v) })
/* NULL is stored as "". */
#define B_STR(v) ((struct bind){ .kind = BIND_TEXT, .s = slice_of(v) })
#define B_TEXT(v) ((struct bind){ .kind = BIND_TEXT, .s = (v) })
#define B_BLOB(v) ((struct bind){ .kind = BIND_BLOB, .s = (v) })

enum db_flags {
	DB_CREATE = 1,
	DB_READ_ONLY = 2,
	DB_LARGE_PAGES = 4, /* of 16 KiB, for blobs; else 4, for small transactions */
	DB_UNSYNCED = 8,    /* nothing is synced: for a file that the caller syncs whole */
};

/* Opens path (created with mode 0600 where DB_CREATE): WAL, synchronous=FULL, foreign keys, a busy
 * timeout of 5 s, nothing trusted from the schema. *ret: caller closes with db_close, also when it
 * failed. Errors: errno, ERR_CORRUPT when it is no database. */
int db_open(const char *path, unsigned flags, struct db *ret, struct err *err) WARN_UNUSED;
void db_close(struct db *d);

/* A statement with its values, ready to be stepped. Borrowed: db_reset when done with it; values are
 * borrowed until then. sql: a literal. */
int db_prepare(struct db *d, const char *sql, const struct bind *b, size_t count, sqlite3_stmt **ret,
	       struct err *err) WARN_UNUSED;
/* 1: a row, 0: the end, negative: an error. */
int db_step(struct db *d, sqlite3_stmt *st, struct err *err) WARN_UNUSED;
static inline void db_resetp(sqlite3_stmt **st)
{
	if (*st) {
		sqlite3_reset(*st);
		sqlite3_clear_bindings(*st);
	}
}
/* Prepares, runs to the end, resets. */
int db_run(struct db *d, const char *sql, const struct bind *b, size_t count,
	   struct err *err) WARN_UNUSED;
#define DB_BINDS(...) (const struct bind[]){ __VA_ARGS__ }, ARRAY_LEN(((const struct bind[]){ __VA_ARGS__ }))
#define DB_PREPARE(d, ret, err, sql, ...) db_prepare(d, sql, DB_BINDS(__VA_ARGS__), ret, err)
#define DB_RUN(d, err, sql, ...) db_run(d, sql, DB_BINDS(__VA_ARGS__), err)
/* Any SQL without values, several statements allowed; not cached. */
int db_exec(struct db *d, const char *sql, struct err *err) WARN_UNUSED;
/* The first column of the first row as a number; 0 when there is no row. */
int db_number(struct db *d, const char *sql, const struct bind *b, size_t count, int64_t *ret,
	      struct err *err) WARN_UNUSED;
#define DB_NUMBER(d, ret, err, sql, ...) db_number(d, sql, DB_BINDS(__VA_ARGS__), ret, err)

int db_begin(struct db *d, struct err *err) WARN_UNUSED;
int db_commit(struct db *d, struct err *err) WARN_UNUSED;
void db_rollback(struct db *d);
/* The error SQLite has just given, in our words: ENOSPC, EIO, EBUSY, EEXIST, ERR_CORRUPT … */
int db_error(struct db *d, struct err *err);

/* Columns; text is never NULL. Borrowed until the next step. */
const char *db_text(sqlite3_stmt *st, int column);
struct slice db_blob(sqlite3_stmt *st, int column);
static inline uint64_t db_u64(sqlite3_stmt *st, int column)
{
	return (uint64_t)sqlite3_column_int64(st, column);
}
