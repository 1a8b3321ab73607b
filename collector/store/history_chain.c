/* history_chain.c - where the chains stand: looked up once, kept in memory, written with each commit.
 *
 * A day has a row per chain: where it stood before the day and behind its newest record; links speak of
 * the row. Once more a row where the clock was put back and another day went on meanwhile. The state has
 * the head, and the base: what retention dropped last. Both are signed. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "collector/store/heads.h"
#include "common/file.h"

int history_key_open(struct store *s, struct err *err)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct history *h = s->history;
	char path[PATH_MAX];
	struct stat st;
	int r = store_path(s, "history.key", path, sizeof(path), err);

	if (r < 0)
		return r;
	if (stat(path, &st) < 0 && errno == ENOENT) {
		if (getrandom(h->key, sizeof(h->key), 0) != sizeof(h->key))
			return err_set(err, errno, "make '%s'", path);
		r = file_write_atomic(path, slice_from(h->key, sizeof(h->key)), 0600, err);
		if (r < 0)
			return r;
	}
	r = file_read(path, 4096, &b, err);
	if (r >= 0 && b.n != sizeof(h->key))
		r = err_set(err, ERR_CORRUPT, "'%s' is no key: %zu bytes", path, b.n);
	if (r < 0)
		return r;
	memcpy(h->key, b.p, sizeof(h->key));
	h->has_key = true;
	return 0;
}

void history_chains_forget(struct history *h)
{
	for (size_t i = 0; i < h->chain_count; i++)
		free(h->chains[i].agent);
	h->chain_count = 0;
}

void history_chains_unknown(struct history *h)
{
	for (size_t i = 0; i < h->chain_count; i++)
		h->chains[i].is_noted_known = false;
}

static bool read_value(sqlite3_stmt *st, int column, struct chain_value *ret)
{
	struct slice hash = db_blob(st, column + 1);

	if (hash.n != CHAIN_BYTES)
		return false;
	ret->count = db_u64(st, column);
	memcpy(ret->hash, hash.p, CHAIN_BYTES);
	return true;
}

/* The one that is further on. */
static void raise_value(sqlite3_stmt *st, struct chain_value *v)
{
	struct chain_value at;

	if (read_value(st, 0, &at) && at.count > v->count)
		*v = at;
}

static int raise_from_day(struct store *s, uint32_t date, struct chain *c, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	struct day *day;
	int r = history_day(s, date, false, &day, err);

	if (r >= 0)
		r = DB_PREPARE(&day->db, &st, err,
			       "SELECT count, hash FROM chain WHERE agent = ? AND class = ? ORDER BY no DESC LIMIT 1",
			       B_STR(c->agent), B_INT(c->class_no));
	if (r >= 0)
		r = db_step(&day->db, st, err);
	/* as with watermarks, a damaged day must not stop the fleet: verify names it */
	if (r == -ENOENT || (r == -ERR_CORRUPT && date != s->history->write->date))
		return 0;
	if (r > 0)
		raise_value(st, &c->value);
	return r < 0 ? r : 0;
}

/* What the state has; *ret_is_ours: signed, or nothing. */
static int read_head(struct store *s, struct chain *c, bool *ret_is_ours, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	uint8_t mac[CHAIN_BYTES];
	int r = DB_PREPARE(&s->state, &st, err, "SELECT count, hash, mac FROM history_chain WHERE agent = ? AND class = ?",
			   B_STR(c->agent), B_INT(c->class_no));

	if (r >= 0)
		r = db_step(&s->state, st, err);
	if (r < 0)
		return r;
	c->noted = (struct chain_value){ 0 };
	c->is_noted_known = true;
	*ret_is_ours = !r;
	if (!r || !read_value(st, 0, &c->noted))
		return 0;
	chain_sign(s->history->key, "head", c->agent, c->class_no, &c->noted, mac);
	*ret_is_ours = slice_eq(db_blob(st, 2), slice_from(mac, sizeof(mac)));
	return 0;
}

/* From the state; and from the newest days, which a kill may have left ahead of it. */
static int load_chain(struct store *s, struct chain *c, struct err *err)
{
	uint32_t dates[DAYS_MAX];
	size_t count;
	bool is_ours = true;

	chain_start(s->history->hasher, c->agent, c->class_no, &c->value);
	int r = read_head(s, c, &is_ours, err);
	if (c->noted.count > c->value.count)
		c->value = c->noted;
	if (r >= 0)
		r = history_dates(s, dates, &count, err);
	if (r < 0)
		return r;
	bool is_clock_back = count && dates[count - 1] > s->history->write->date;
	for (size_t i = is_clock_back || count < 2 ? 0 : count - 2; i < count && r >= 0; i++)
		r = raise_from_day(s, dates[i], c, err);
	/* What follows is signed again: the break must stay to be seen. */
	if (!is_ours)
		chain_mix(s->history->hasher, &c->value, SLICE_LIT("after a head that was not signed"));
	return r;
}

/* Its row in the day that is written: the one it stands at, else a new one. */
static int give_row(struct store *s, struct chain *c, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	struct db *d = &s->history->write->db;
	struct slice hash = slice_from(c->value.hash, CHAIN_BYTES);
	struct chain_value at = { 0 };
	int r = DB_PREPARE(d, &st, err,
			   "SELECT count, hash, no FROM chain WHERE agent = ? AND class = ? ORDER BY no DESC LIMIT 1",
			   B_STR(c->agent), B_INT(c->class_no));

	if (r >= 0)
		r = db_step(d, st, err);
	if (r < 0)
		return r;
	if (r > 0 && read_value(st, 0, &at) && chain_is(&at, &c->value)) {
		c->no = sqlite3_column_int64(st, 2);
		return 0;
	}
	r = DB_RUN(d, err, "INSERT INTO chain(agent, class, count0, hash0, count, hash) VALUES (?1,?2,?3,?4,?3,?4)",
		   B_STR(c->agent), B_INT(c->class_no), B_INT(c->value.count), B_BLOB(hash));
	c->no = r < 0 ? 0 : sqlite3_last_insert_rowid(d->h);
	return r;
}

static int add_chain(struct store *s, const char *agent, unsigned class_no, struct chain **ret, struct err *err)
{
	struct history *h = s->history;

	for (size_t i = 0; i < h->chain_count; i++)
		if (h->chains[i].class_no == class_no && !strcmp(h->chains[i].agent, agent)) {
			*ret = &h->chains[i]; /* another epoch of the agent */
			return 0;
		}
	if (h->chain_count == CHAINS_MAX)
		return err_set(err, ERR_LIMIT, "more than %d chains in one transaction", CHAINS_MAX);
	struct chain c = { .agent = slice_dup(slice_of(agent)), .class_no = class_no };
	if (!c.agent)
		return err_set(err, ENOMEM, "history");
	int r = load_chain(s, &c, err);
	if (r < 0) {
		free(c.agent);
		return r;
	}
	*ret = &h->chains[h->chain_count++];
	**ret = c;
	return 0;
}

int history_chain_find(struct store *s, struct source *src, unsigned class_no, struct chain **ret, struct err *err)
{
	struct history *h = s->history;
	struct chain *c = NULL;

	if (h->chains_date != h->write->date) {
		for (size_t i = 0; i < h->chain_count; i++)
			h->chains[i].no = 0;
		h->chains_date = h->write->date;
	}
	if (!src->chain[class_no]) {
		int r = add_chain(s, src->agent, class_no, &c, err);
		if (r < 0)
			return r;
		src->chain[class_no] = (uint32_t)(c - h->chains) + 1;
	}
	c = &h->chains[src->chain[class_no] - 1];
	*ret = c;
	return c->no ? 0 : give_row(s, c, err);
}

static int write_head(struct store *s, struct chain *c, struct heads *sum, struct err *err)
{
	uint8_t mac[CHAIN_BYTES];
	struct slice hash = slice_from(c->value.hash, CHAIN_BYTES);
	bool ignored;
	int r = c->is_noted_known ? 0 : read_head(s, c, &ignored, err);

	if (r < 0)
		return r;
	heads_move(s, sum, c->agent, c->class_no, c->noted.count ? &c->noted : NULL, &c->value);
	c->noted = c->value;
	chain_sign(s->history->key, "head", c->agent, c->class_no, &c->value, mac);
	return DB_RUN(&s->state, err,
		      "INSERT INTO history_chain(agent, class, count, hash, mac) VALUES (?1,?2,?3,?4,?5)"
		      " ON CONFLICT(agent, class) DO UPDATE SET count = ?3, hash = ?4, mac = ?5",
		      B_STR(c->agent), B_INT(c->class_no), B_INT(c->value.count), B_BLOB(hash),
		      B_BLOB(slice_from(mac, sizeof(mac))));
}

int history_chains_write(struct store *s, struct err *err)
{
	struct history *h = s->history;
	struct heads sum;
	int r = heads_read(s, &sum, err);

	for (size_t i = 0; i < h->chain_count && r >= 0; i++) {
		struct chain *c = &h->chains[i];

		if (!c->is_dirty)
			continue;
		r = DB_RUN(&h->write->db, err, "UPDATE chain SET count = ?, hash = ? WHERE no = ?",
			   B_INT(c->value.count), B_BLOB(slice_from(c->value.hash, CHAIN_BYTES)), B_INT(c->no));
		if (r >= 0)
			r = write_head(s, c, &sum, err);
		c->is_dirty = r < 0;
	}
	return r < 0 ? r : heads_write(s, &sum, err);
}

int history_head_raise(struct store *s, const char *agent, unsigned class_no, const struct chain_value *v, struct err *err)
{
	struct chain c = { .agent = (char *)(uintptr_t)agent, .class_no = class_no, .value = *v };
	struct heads sum;
	bool ignored;
	int r = read_head(s, &c, &ignored, err);

	if (r < 0 || c.noted.count >= v->count)
		return r;
	history_chains_unknown(s->history);
	r = heads_read(s, &sum, err);
	if (r >= 0)
		r = write_head(s, &c, &sum, err);
	return r < 0 ? r : heads_write(s, &sum, err);
}

int store_heads_each(struct store *s, int (*fn)(void *arg, const struct store_head *h), void *arg, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = db_prepare(&s->state, "SELECT count, hash, agent, class FROM history_chain WHERE class > 0"
				      " ORDER BY agent, class",
			   NULL, 0, &st, err);

	while (r >= 0 && (r = db_step(&s->state, st, err)) > 0) {
		struct chain_value at;

		if (!read_value(st, 0, &at))
			continue; /* verify names it */
		struct store_head h = { .agent = db_text(st, 2),
					.class_no = (enum store_class)(db_u64(st, 3) - 1),
					.count = at.count };
		memcpy(h.hash, at.hash, sizeof(h.hash));
		r = fn(arg, &h);
	}
	return r;
}
