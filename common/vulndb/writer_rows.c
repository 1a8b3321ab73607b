/* writer_rows.c - the rows of one advisory: itself, what it affects, the ids it goes by. */
#include <errno.h>

#include "common/text.h"
#include "common/vulndb/ecosystem.h"
#include "common/vulndb/groups.h"
#include "common/vulndb/limits.h"
#include "common/vulndb/range.h"
#include "common/vulndb/writer_priv.h"

/* What is affected, ready to be written. */
struct place {
	const struct advisory_affected *af;
	int64_t package;
	struct slice ranges, versions;
};

/* ---- spaces and packages ---- */

static int find_or_add_space(struct writer *w, struct slice name, const struct ecosystem *e, struct slice osv,
			     int64_t *ret, struct err *err)
{
	sqlite3_stmt *st;
	int r = sql_start(w->db, SQL_SPACE_FIND, &st, err);

	if (r < 0)
		return r;
	sql_text(st, 1, name);
	r = sql_step(w->db, st, err);
	*ret = r > 0 ? sqlite3_column_int64(st, 0) : 0;
	sqlite3_reset(st);
	if (r != 0)
		return r < 0 ? r : 0;
	r = sql_start(w->db, SQL_SPACE_ADD, &st, err);
	if (r < 0)
		return r;
	sql_text(st, 1, name);
	sql_text(st, 2, e ? slice_of(e->purl) : name);
	sql_text(st, 3, osv);
	r = sql_run(w->db, st, err);
	*ret = sqlite3_last_insert_rowid(w->db->h);
	return r;
}

static int space_of(struct writer *w, struct slice osv, int64_t *ret, const struct ecosystem **ret_e, struct err *err)
{
	uint64_t hash = slice_hash(osv);
	struct cached_space *c = &w->spaces[hash % SPACE_CACHE];
	char text[SPACE_MAX];

	if (!c->id || c->hash != hash || !slice_eq(c->name, osv)) {
		const struct ecosystem *e = ecosystem_of_osv(osv);
		int64_t id;
		int r = find_or_add_space(w, ecosystem_space(e, osv, text), e, osv, &id, err);

		if (r < 0)
			return r;
		*ret_e = e;
		*ret = id;
		if (!slice_copy(osv, c->text, sizeof(c->text)))
			return 0;
		*c = (struct cached_space){ .hash = hash, .ecosystem = e, .id = id };
		(void)slice_copy(osv, c->text, sizeof(c->text));
		c->name = slice_from(c->text, osv.n);
	}
	*ret = c->id;
	*ret_e = c->ecosystem;
	return 0;
}

static int find_or_add_package(struct writer *w, int64_t space, struct slice name, int64_t *ret, struct err *err)
{
	struct seen_slot *slot;
	sqlite3_stmt *st;
	bool is_new;
	int r = sql_start(w->db, SQL_PACKAGE_FIND, &st, err);

	if (r < 0)
		return r;
	sql_int(st, 1, space);
	sql_text(st, 2, name);
	r = sql_step(w->db, st, err);
	*ret = r > 0 ? sqlite3_column_int64(st, 0) : 0;
	sqlite3_reset(st);
	if (r != 0)
		return r < 0 ? r : 0;
	r = sql_start(w->db, SQL_PACKAGE_ADD, &st, err);
	if (r < 0)
		return r;
	sql_int(st, 1, space);
	sql_text(st, 2, name);
	sql_int(st, 3, (int64_t)w->generation);
	r = sql_run(w->db, st, err);
	*ret = sqlite3_last_insert_rowid(w->db->h);
	return r < 0 ? r : seen_add(&w->packages, (uint64_t)*ret, 0, &slot, &is_new, err);
}

/* Once an import and package. */
static int mark_changed(struct writer *w, int64_t package, struct err *err)
{
	struct seen_slot *slot;
	sqlite3_stmt *st;
	bool is_new;
	int r = seen_add(&w->packages, (uint64_t)package, 0, &slot, &is_new, err);

	if (r < 0 || !is_new)
		return r;
	r = sql_start(w->db, SQL_PACKAGE_CHANGED, &st, err);
	if (r < 0)
		return r;
	sql_int(st, 1, package);
	sql_int(st, 2, (int64_t)w->generation);
	return sql_run(w->db, st, err);
}

/* ---- what was there ---- */

static int unlink_package(struct writer *w, int64_t package, int64_t advisory, struct err *err)
{
	sqlite3_stmt *st;
	int r = mark_changed(w, package, err);

	if (r >= 0)
		r = sql_start(w->db, SQL_AFFECTED_DELETE, &st, err);
	if (r < 0)
		return r;
	sql_int(st, 1, package);
	sql_int(st, 2, advisory);
	return sql_run(w->db, st, err);
}

static int unlink_alias(struct writer *w, struct slice name, int64_t advisory, struct err *err)
{
	sqlite3_stmt *st;
	int r = sql_start(w->db, SQL_ALIAS_DELETE, &st, err);

	if (r < 0)
		return r;
	sql_text(st, 1, name);
	sql_int(st, 2, advisory);
	return sql_run(w->db, st, err);
}

/* Calls fn for every word of text; words are parted by blanks and line ends. */
static int each_word(struct writer *w, struct slice text, int64_t advisory,
		     int (*fn)(struct writer *w, struct slice word, int64_t advisory, struct err *err), struct err *err)
{
	struct slice line, word;
	int r = 0;

	while (text.n && slice_split(&text, '\n', &line))
		while (r >= 0 && line.n && slice_split(&line, ' ', &word))
			r = fn(w, word, advisory, err);
	return r;
}

static int unlink_word(struct writer *w, struct slice word, int64_t advisory, struct err *err)
{
	uint64_t package;

	return slice_to_u64(word, &package) ? unlink_package(w, (int64_t)package, advisory, err) : 0;
}

/* Takes away what hangs on an advisory. */
static int unlink_all(struct writer *w, int64_t id, struct err *err)
{
	struct slice groups = SLICE_NONE, packages = SLICE_NONE, record = SLICE_NONE;
	sqlite3_stmt *st;
	int r = sql_start(w->db, SQL_ADVISORY_OLD, &st, err);

	if (r < 0)
		return r;
	sql_int(st, 1, id);
	r = sql_step(w->db, st, err);
	if (r <= 0)
		return r;
	r = advisory_text(w->arena, sql_column(st, 0), SIZE_MAX, &groups, err);
	if (r >= 0)
		r = advisory_text(w->arena, sql_column(st, 1), SIZE_MAX, &packages, err);
	if (r >= 0)
		r = advisory_text(w->arena, sql_column(st, 3), SIZE_MAX, &record, err);
	sqlite3_reset(st);
	if (r >= 0)
		r = each_word(w, packages, id, unlink_word, err);
	if (r >= 0)
		r = each_word(w, groups, id, unlink_alias, err);
	return r < 0 ? r : unlink_alias(w, record, id, err);
}

static bool has_come(struct writer *w, struct slice part)
{
	return seen_find(&w->parts, slice_hash(part), part.n) != NULL;
}

int row_remove(struct writer *w, int64_t id, bool *ret_removed, struct err *err)
{
	sqlite3_stmt *st;
	int r = sql_start(w->db, SQL_ADVISORY_OLD, &st, err);

	if (r < 0)
		return r;
	sql_int(st, 1, id);
	r = sql_step(w->db, st, err);
	*ret_removed = r > 0 && has_come(w, sql_column(st, 2));
	sqlite3_reset(st);
	if (r <= 0 || !*ret_removed)
		return r < 0 ? r : 0;
	arena_reset(w->arena);
	r = unlink_all(w, id, err);
	if (r >= 0)
		r = sql_start(w->db, SQL_ADVISORY_DELETE, &st, err);
	if (r < 0)
		return r;
	sql_int(st, 1, id);
	return sql_run(w->db, st, err);
}

/* ---- what is to be there ---- */

static int make_place(struct writer *w, const struct advisory_affected *af, struct place *ret, bool *ret_is_distro,
		      struct err *err)
{
	const struct ecosystem *e;
	char name[VULNDB_NAME_MAX];
	int64_t space;

	int r = space_of(w, af->ecosystem, &space, &e, err);
	if (r < 0)
		return r;
	*ret_is_distro |= e && ecosystem_is_distro(e);
	*ret = (struct place){ .af = af };
	r = range_compile(e ? e->scheme : VERSION_SEMVER, af, w->arena, &ret->ranges, &ret->versions, err);
	if (r < 0 || (!ret->ranges.n && !ret->versions.n))
		return r;
	return find_or_add_package(w, space, ecosystem_name(e, af->name, name, sizeof(name)), &ret->package, err);
}

/* The ids of the packages, each once where they stand together, as text. */
static int packages_of(struct writer *w, const struct place *p, size_t count, struct slice *ret, struct err *err)
{
	char *text = arena_alloc(w->arena, count * 21 + 1);
	int64_t last = 0;
	size_t n = 0;

	if (!text)
		return err_set(err, ERR_LIMIT, "a record needs over %d MiB of memory", VULNDB_RECORD_ARENA >> 20);
	text[0] = 0;
	for (size_t i = 0; i < count; i++) {
		if (!p[i].package || p[i].package == last)
			continue;
		n += (size_t)sprintf(text + n, "%s%lld", n ? " " : "", (long long)p[i].package);
		last = p[i].package;
	}
	*ret = slice_from(text, n);
	return 0;
}

static int64_t seconds_of(struct slice time)
{
	uint64_t ns;

	return text_time_parse(time, &ns) ? (int64_t)(ns / 1000000000) : 0;
}

static int join_urls(struct writer *w, const struct advisory *a, struct slice *ret, struct err *err)
{
	size_t n = 0, room = 1;

	for (size_t i = 0; i < a->url_count; i++)
		room += a->urls[i].n + 1;
	char *text = arena_alloc(w->arena, room);
	if (!text)
		return err_set(err, ERR_LIMIT, "a record needs over %d MiB of memory", VULNDB_RECORD_ARENA >> 20);
	for (size_t i = 0; i < a->url_count; i++) {
		if (n)
			text[n++] = '\n';
		memcpy(text + n, a->urls[i].p, a->urls[i].n);
		n += a->urls[i].n;
	}
	*ret = slice_from(text, n);
	return 0;
}

static int write_advisory(struct writer *w, struct row *row, struct slice groups, struct slice packages,
			  struct err *err)
{
	const struct advisory *a = row->a;
	struct slice urls = SLICE_NONE;
	sqlite3_stmt *st;
	int r = join_urls(w, a, &urls, err);

	if (r >= 0)
		r = sql_start(w->db, row->id ? SQL_ADVISORY_PUT : SQL_ADVISORY_ADD, &st, err);
	if (r < 0)
		return r;
	if (row->id) {
		sql_int(st, 1, row->id);
	} else {
		sql_int(st, 1, w->feed);
		sql_text(st, 2, row->key);
	}
	sql_text(st, 3, a->part);
	sql_blob(st, 4, slice_from(row->hash, WRITER_HASH));
	sql_int(st, 5, row->is_withdrawn);
	sql_text(st, 6, groups);
	sql_text(st, 7, packages);
	sql_text(st, 8, a->record);
	sql_int(st, 9, a->severity);
	sql_text(st, 10, a->severity_source);
	sqlite3_bind_double(st, 11, a->cvss);
	sql_text(st, 12, a->vector);
	sql_int(st, 13, seconds_of(a->published));
	sql_int(st, 14, seconds_of(a->modified));
	sql_text(st, 15, a->title);
	sql_text(st, 16, urls);
	sql_text(st, 17, a->description);
	r = sql_run(w->db, st, err);
	if (!row->id)
		row->id = sqlite3_last_insert_rowid(w->db->h);
	return r;
}

static int write_place(struct writer *w, const struct place *p, size_t seq, int64_t advisory, int64_t cve,
		       struct err *err)
{
	sqlite3_stmt *st;
	int r = mark_changed(w, p->package, err);

	if (r >= 0)
		r = sql_start(w->db, SQL_AFFECTED_ADD, &st, err);
	if (r < 0)
		return r;
	sql_int(st, 1, p->package);
	sql_int(st, 2, advisory);
	sql_int(st, 3, (int64_t)seq);
	sql_int(st, 4, cve);
	sql_int(st, 5, p->af->status);
	sql_int(st, 6, p->af->has_severity ? (int64_t)p->af->severity : -1);
	sql_text(st, 7, p->ranges);
	sql_text(st, 8, p->versions);
	sql_text(st, 9, p->af->note);
	return sql_run(w->db, st, err);
}

static int add_alias(struct writer *w, struct slice name, int64_t advisory, int rank, struct err *err)
{
	sqlite3_stmt *st;
	int r = sql_start(w->db, SQL_ALIAS_ADD, &st, err);

	if (r < 0)
		return r;
	sql_text(st, 1, name);
	sql_int(st, 2, rank);
	sql_int(st, 3, advisory);
	return sql_run(w->db, st, err);
}

static int add_rich(struct writer *w, struct slice name, int64_t advisory, struct err *err)
{
	return add_alias(w, name, advisory, 0, err);
}

static int add_plain(struct writer *w, struct slice name, int64_t advisory, struct err *err)
{
	return add_alias(w, name, advisory, 1, err);
}

static int write_aliases(struct writer *w, const struct row *row, struct slice groups, struct err *err)
{
	bool is_one = slice_find_char(groups, '\n') < 0;
	bool is_rich = is_one && row->a->vector.n && !row->is_withdrawn;
	int r = each_word(w, groups, row->id, is_rich ? add_rich : add_plain, err);

	return r < 0 ? r : add_plain(w, row->a->record, row->id, err);
}

/* Tracker and secdb are the distribution's own word on one CVE: what they say of it goes before OSV's copy. */
static int64_t own_cve(const struct writer *w, const struct advisory *a)
{
	return w->o.format == VULNDB_DEBIAN || w->o.format == VULNDB_ALPINE ? advisory_cve(a->record) : 0;
}

int row_write(struct writer *w, struct row *row, const char **ret_bad, struct err *err)
{
	const struct advisory *a = row->a;
	size_t count = row->is_withdrawn ? 0 : a->affected_count;
	struct place *p = arena_alloc(w->arena, (count + 1) * sizeof(*p));
	struct slice groups = SLICE_NONE, packages = SLICE_NONE;
	bool is_distro = false;
	int r = 0;

	if (!p)
		return err_set(err, ERR_LIMIT, "a record needs over %d MiB of memory", VULNDB_RECORD_ARENA >> 20);
	for (size_t i = 0; i < count && r >= 0; i++)
		r = make_place(w, &a->affected[i], &p[i], &is_distro, err);
	if (r >= 0)
		r = groups_make(a, is_distro, w->arena, &groups, err);
	if (r >= 0)
		r = packages_of(w, p, count, &packages, err);
	if (r == -ERR_LIMIT) { /* of this record only */
		*ret_bad = "needs too much memory";
		return 1;
	}
	if (r >= 0 && row->id)
		r = unlink_all(w, row->id, err);
	if (r >= 0)
		r = write_advisory(w, row, groups, packages, err);
	for (size_t i = 0; i < count && r >= 0; i++)
		if (p[i].package)
			r = write_place(w, &p[i], i, row->id, own_cve(w, a), err);
	return r < 0 ? r : write_aliases(w, row, groups, err);
}
