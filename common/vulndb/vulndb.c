/* vulndb.c - the handle: opening, what is in it, what changed. See vulndb.h. */
#include "common/vulndb/vulndb.h"

#include <errno.h>

#include "common/vulndb/ecosystem.h"
#include "common/vulndb/limits.h"
#include "common/vulndb/vulndb_priv.h"

/* The first read finds out whether SQLite can share the file with writers here. */
static int try_open(struct vulndb *db, const char *path, unsigned flags, struct err *err)
{
	int r = sql_open(db, path, flags, err);

	if (r >= 0)
		r = read_begin(db, err);
	return r >= 0 ? read_end(db, 0, err) : r;
}

/* Pages of an import that are not in the file itself yet. */
static bool has_wal(const char *path)
{
	char wal[4096];
	struct stat st;

	return (size_t)snprintf(wal, sizeof(wal), "%s-wal", path) >= sizeof(wal) ||
	       (stat(wal, &st) == 0 && st.st_size > 0);
}

int vulndb_open(const char *path, const char *pubkey_pem, struct vulndb **ret, struct err *err)
{
	CLEANUP(vulndb_closep) struct vulndb *db = calloc(1, sizeof(*db));
	unsigned flags = pubkey_pem ? SQL_IMMUTABLE : 0;

	if (!db)
		return err_set(err, ENOMEM, "open '%s'", path);
	int r = pubkey_pem ? sign_check(path, pubkey_pem, err) : 0;
	if (r < 0)
		return r;
	r = try_open(db, path, flags, err);
	/* A folder that may not be written has no place for SQLite's shared memory. Nobody imports there. */
	if (!flags && (r == -ENOENT || r == -EACCES || r == -EROFS) && access(path, R_OK) == 0 && !has_wal(path)) {
		sql_close(db);
		r = try_open(db, path, SQL_IMMUTABLE, err);
	}
	if (r < 0)
		return r;
	db->is_signed = pubkey_pem != NULL;
	*ret = take_ptr(db);
	return 0;
}

void vulndb_close(struct vulndb *db)
{
	if (!db)
		return;
	match_free(db->match);
	sql_close(db);
	free(db);
}

/* ---- status ---- */

static int each_feed(struct vulndb *db, int (*fn)(void *arg, const struct vulndb_feed *f), void *arg, struct err *err)
{
	sqlite3_stmt *st;
	int r = sql_start(db, SQL_FEED_LIST, &st, err);

	while (r >= 0 && (r = sql_step(db, st, err)) > 0) {
		struct vulndb_feed f = { .name = sql_column(st, 0),
					 .records = (uint64_t)sqlite3_column_int64(st, 1),
					 .withdrawn = (uint64_t)sqlite3_column_int64(st, 2),
					 .imported_unix_s = (uint64_t)sqlite3_column_int64(st, 3),
					 .sha256 = sql_column(st, 4),
					 .data_date = sql_column(st, 5) };
		if (fn(arg, &f)) {
			sqlite3_reset(st);
			return 0;
		}
	}
	return r;
}

static int read_info(struct vulndb *db, struct vulndb_info *ret, struct err *err)
{
	sqlite3_stmt *st;

	*ret = (struct vulndb_info){ .schema = VULNDB_SCHEMA, .is_signed = db->is_signed };
	int r = meta_get(db, "generation", &ret->generation, err);
	if (r >= 0)
		r = meta_get(db, "built", &ret->built_unix_s, err);
	if (r >= 0)
		r = sql_start(db, SQL_COUNTS, &st, err);
	if (r >= 0)
		r = sql_step(db, st, err);
	if (r <= 0)
		return r;
	ret->records = (uint64_t)sqlite3_column_int64(st, 0);
	ret->ranges = (uint64_t)sqlite3_column_int64(st, 1);
	sqlite3_reset(st);
	return 0;
}

int vulndb_status(struct vulndb *db, struct vulndb_info *ret, int (*feed)(void *arg, const struct vulndb_feed *f),
		  void *arg, struct err *err)
{
	struct vulndb_info info;
	int r = read_begin(db, err);

	if (r < 0)
		return r;
	r = read_info(db, &info, err);
	if (r >= 0 && feed)
		r = each_feed(db, feed, arg, err);
	r = read_end(db, r, err);
	if (r >= 0)
		*ret = info;
	return r;
}

int vulndb_generation(struct vulndb *db, uint64_t *ret, struct err *err)
{
	int r = read_begin(db, err);

	if (r < 0)
		return r;
	return read_end(db, meta_get(db, "generation", ret, err), err);
}

/* ---- what changed ---- */

static int each_changed(struct vulndb *db, uint64_t since, int (*fn)(void *arg, struct slice ecosystem, struct slice name),
			void *arg, struct err *err)
{
	sqlite3_stmt *st;
	int r = sql_start(db, SQL_PACKAGES_CHANGED, &st, err);

	if (r < 0)
		return r;
	sql_int(st, 1, (int64_t)since);
	while ((r = sql_step(db, st, err)) > 0)
		if (fn(arg, sql_column(st, 0), sql_column(st, 1))) {
			sqlite3_reset(st);
			return 0;
		}
	return r;
}

int vulndb_changed(struct vulndb *db, uint64_t since_generation, bool *everything,
		   int (*fn)(void *arg, struct slice ecosystem, struct slice name), void *arg, struct err *err)
{
	uint64_t generation = 0, all = 0;
	int r = read_begin(db, err);

	if (r < 0)
		return r;
	r = meta_get(db, "generation", &generation, err);
	if (r >= 0)
		r = meta_get(db, "everything", &all, err);
	/* a generation that is not there yet: another database stood here before */
	*everything = r >= 0 && (since_generation < all || since_generation > generation);
	if (r >= 0 && !*everything && since_generation < generation)
		r = each_changed(db, since_generation, fn, arg, err);
	return read_end(db, r, err);
}

struct slice vulndb_package_key(const struct vulndb_package *p, char *dst, size_t size)
{
	const struct ecosystem *e = ecosystem_of_purl(p->ecosystem);
	bool by_source = slice_is(p->ecosystem, "deb") || slice_is(p->ecosystem, "apk");

	if (by_source) {
		struct slice name = p->source.n ? p->source : p->name;
		return ecosystem_name(ecosystem_of_osv(SLICE_LIT("Debian")), name, dst, size);
	}
	return ecosystem_name(e, p->name, dst, size);
}

/* ---- words ---- */

const char *vuln_severity_name(enum vuln_severity s)
{
	static const char *const names[] = { "unknown", "none", "low", "medium", "high", "critical" };

	return (size_t)s < ARRAY_LEN(names) ? names[s] : "unknown";
}

const char *vuln_status_name(enum vuln_status s)
{
	static const char *const names[] = { "affected", "fixed", "will_not_fix", "fix_deferred", "end_of_life",
					     "under_investigation" };

	return (size_t)s < ARRAY_LEN(names) ? names[s] : "affected";
}
