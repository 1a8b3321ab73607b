/* state.c - opening, transactions, room and figures of the store. */
#include <errno.h>
#include <limits.h>
#include <sys/stat.h>

#include "collector/store/alerts_priv.h"
#include "collector/store/history_priv.h"
#include "common/file.h"

/* Newest rows that are kept; of the outbox those that wait. Alerts go resolved ones first, a bite at a
 * time. */
enum { OUTBOX_MAX = 20000, ALERTS_MAX = 1000000, BITE = 2000, ENDED_MAX = 10000 };
static const uint64_t second_ns = 1000000000;
static const uint64_t query_most_ns = 200000000, query_least_ns = 30000000;
static const uint64_t default_reserve = 64 * 1024 * 1024, part_bytes = 64 * 1024 * 1024;

int store_path(const struct store *s, const char *name, char *dst, size_t size, struct err *err)
{
	int n = snprintf(dst, size, "%s/%s", s->dir, name);

	if (n < 0 || (size_t)n >= size)
		return err_set(err, ENAMETOOLONG, "'%s'", s->dir);
	return 0;
}

static int open_state(struct store *s, struct err *err)
{
	char path[PATH_MAX];
	int r = store_path(s, "history", path, sizeof(path), err);

	if (r >= 0)
		r = file_make_dirs(path, 0700, err);
	if (r >= 0)
		r = store_path(s, "state.db", path, sizeof(path), err);
	if (r >= 0)
		r = db_open(path, DB_CREATE, &s->state, err);
	if (r >= 0)
		r = schema_migrate(&s->state, &schema_state, err);
	if (r >= 0)
		r = agents_refresh(s, err);
	if (r >= 0)
		r = history_open(s, &s->history, err);
	if (r >= 0)
		r = history_key_open(s, err);
	return r;
}

int store_open(const struct store_config *cfg, const struct clock *clk, struct store **ret,
	       struct err *err)
{
	CLEANUP(store_closep) struct store *s = calloc(1, sizeof(*s));

	if (!s)
		return err_set(err, ENOMEM, "open store");
	s->clk = clk;
	s->history_days = cfg->history_days;
	s->alerts_max = cfg->alerts_max ? cfg->alerts_max : ALERTS_MAX;
	s->reserve_bytes = cfg->reserve_bytes ? cfg->reserve_bytes : default_reserve;
	s->history_max_bytes = cfg->history_max_bytes;
	for (size_t i = 0; i < ARRAY_LEN(s->class_days); i++)
		s->class_days[i] = cfg->class_days[i] ? cfg->class_days[i] : cfg->history_days;
	/* small enough that one which goes is not much of the whole */
	s->part_bytes = part_bytes;
	if (s->history_max_bytes && s->history_max_bytes / 64 < part_bytes)
		s->part_bytes = s->history_max_bytes / 64;
	s->agents.is_stale = true;
	s->dir = slice_dup(slice_of(cfg->dir));
	if (!s->dir)
		return err_set(err, ENOMEM, "open store");
	int r = open_state(s, err);
	if (r < 0)
		return err_wrap(err, r, "open store '%s'", cfg->dir);
	*ret = take_ptr(s);
	return 0;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	store_rollback(s);
	silences_free(s);
	exceptions_stale(s);
	inhibit_free(s);
	history_close(s->history);
	agents_fini(&s->agents);
	db_close(&s->state);
	free(s->dir);
	free(s);
}

int store_begin(struct store *s, struct err *err)
{
	return db_begin(&s->state, err);
}

int store_commit_only(struct store *s, struct err *err)
{
	if (!store_in_tx(s))
		return err_set(err, EINVAL, "no transaction is open");
	if (s->state.tx_failed) {
		int code = s->state.tx_failed;

		store_rollback(s);
		return err_set(err, code, "commit: rolled back, because a write failed");
	}
	int r = history_commit(s, err);
	if (r >= 0)
		r = db_commit(&s->state, err);
	if (r < 0)
		store_rollback(s);
	return r;
}

void store_pack(struct store *s)
{
	history_committed(s);
}

int store_commit(struct store *s, struct err *err)
{
	int r = store_commit_only(s, err);

	if (r >= 0)
		store_pack(s);
	return r;
}

void store_rollback(struct store *s)
{
	history_rollback(s);
	if (store_in_tx(s)) {
		db_rollback(&s->state);
		s->agents.is_stale = true;
		silences_stale(s); /* what was read may have been rolled back */
		exceptions_stale(s);
	}
}

int store_end(struct store *s, int r, struct err *err)
{
	if (r < 0) {
		store_rollback(s);
		return r;
	}
	int c = store_commit(s, err);
	return c < 0 ? c : r;
}

int store_own_begin(struct store *s, bool *ret_is_own, struct err *err)
{
	*ret_is_own = !store_in_tx(s);
	return *ret_is_own ? db_begin(&s->state, err) : 0;
}

int store_own_end(struct store *s, bool is_own, int r, struct err *err)
{
	if (!is_own)
		return r;
	if (r < 0) {
		store_rollback(s);
		return r;
	}
	int c = db_commit(&s->state, err);
	if (c < 0)
		s->agents.is_stale = true;
	return c < 0 ? c : r;
}

/* What queries took is forgotten at half the speed at which time goes by. */
static uint64_t asked_lately(const struct store *s, uint64_t now)
{
	uint64_t forgotten = (now - s->asked_boot_ns) / 2;

	return s->asked_ns > forgotten ? s->asked_ns - forgotten : 0;
}

uint64_t store_query_begin(struct store *s)
{
	uint64_t now = clock_boot_ns(s->clk), asked = asked_lately(s, now);

	return now + (asked + query_least_ns < query_most_ns ? query_most_ns - asked : query_least_ns);
}

void store_query_end(struct store *s, uint64_t begun_boot_ns)
{
	uint64_t now = clock_boot_ns(s->clk), asked = asked_lately(s, now) + (now - begun_boot_ns);

	s->asked_ns = asked < 2 * query_most_ns ? asked : 2 * query_most_ns;
	s->asked_boot_ns = now;
}

int store_has_room(struct store *s, struct err *err)
{
	uint64_t now = clock_boot_ns(s->clk);

	if (!s->room_checked_boot_ns || now - s->room_checked_boot_ns >= second_ns) {
		int r = file_free_bytes(s->dir, &s->free_bytes, err);
		if (r < 0)
			return r;
		s->room_checked_boot_ns = now;
	}
	if (s->free_bytes < s->reserve_bytes)
		return err_set(err, ENOSPC, "store '%s': %llu MiB free, %llu MiB are kept for alerts",
			       s->dir, (unsigned long long)(s->free_bytes >> 20),
			       (unsigned long long)(s->reserve_bytes >> 20));
	return 0;
}

/* A receiver that is away for long: the oldest messages become dead letters, as they would anyway. */
static int prune_outbox(struct store *s, struct err *err)
{
	int r = DB_RUN(&s->state, err,
		       "UPDATE outbox SET is_dead = 1, due = 0, last_error = 'too many were waiting'"
		       " WHERE id IN (SELECT id FROM outbox WHERE is_dead = 0 ORDER BY id DESC LIMIT -1 OFFSET ?)",
		       B_INT(OUTBOX_MAX));

	if (r < 0)
		return r;
	return outbox_prune_dead(s, err);
}

/* What stands about an alert goes with it. */
static int prune_some(struct store *s, int64_t count, struct err *err)
{
	static const char *const rest[] = { "DELETE FROM alert_trail WHERE alert IN (SELECT id FROM temp.gone)",
					    "DELETE FROM alert_held WHERE alert IN (SELECT id FROM temp.gone)",
					    "DELETE FROM inhibit_source WHERE alert IN (SELECT id FROM temp.gone)",
					    "DELETE FROM escalation WHERE alert IN (SELECT id FROM temp.gone)",
					    "DELETE FROM alert WHERE id IN (SELECT id FROM temp.gone)",
					    "DELETE FROM temp.gone" };
	int r = db_exec(&s->state, "CREATE TEMP TABLE IF NOT EXISTS gone (id INTEGER PRIMARY KEY)", err);
	if (r >= 0)
		r = DB_RUN(&s->state, err,
			   "INSERT INTO temp.gone SELECT id FROM (SELECT id FROM alert WHERE status = 'resolved'"
			   " ORDER BY last_seen LIMIT ?)",
			   B_INT(count));
	if (r >= 0 && !sqlite3_changes(s->state.h))
		r = DB_RUN(&s->state, err,
			   "INSERT INTO temp.gone SELECT id FROM (SELECT id FROM alert ORDER BY last_seen LIMIT ?)",
			   B_INT(count));
	for (size_t i = 0; i < ARRAY_LEN(rest) && r >= 0; i++)
		r = db_run(&s->state, rest[i], NULL, 0, err);
	return r;
}

static int prune_alerts(struct store *s, struct err *err)
{
	int64_t count, most = (int64_t)s->alerts_max;
	bool is_own;
	int r = db_number(&s->state, "SELECT count(*) FROM alert", NULL, 0, &count, err);

	if (r < 0 || count <= most)
		return r;
	r = store_own_begin(s, &is_own, err);
	if (r < 0)
		return r;
	return store_own_end(s, is_own, prune_some(s, count - most < BITE ? count - most : BITE, err), err);
}

/* Of silences and exceptions that ended the newest are kept: their alerts' trails name them. */
static int prune_ended(struct store *s, struct err *err)
{
	int r = DB_RUN(&s->state, err,
		       "DELETE FROM silence WHERE ended > 0 AND id <= (SELECT id FROM silence WHERE ended > 0"
		       " ORDER BY id DESC LIMIT 1 OFFSET ?)",
		       B_INT(ENDED_MAX));

	if (r < 0)
		return r;
	return DB_RUN(&s->state, err,
		      "DELETE FROM exception WHERE ended > 0 AND id <= (SELECT id FROM exception WHERE ended > 0"
		      " ORDER BY id DESC LIMIT 1 OFFSET ?)",
		      B_INT(ENDED_MAX));
}

int state_prune(struct store *s, struct err *err)
{
	uint64_t now = clock_unix_ns(s->clk), week = 7 * 24 * 3600 * second_ns;
	int r = DB_RUN(&s->state, err, "DELETE FROM enrol_token WHERE expires > 0 AND expires < ?",
		       B_INT(now > week ? now - week : 0));

	if (r >= 0)
		r = DB_RUN(&s->state, err, "DELETE FROM api_token WHERE expires > 0 AND expires < ?",
			   B_INT(now > week ? now - week : 0));
	if (r >= 0)
		r = prune_outbox(s, err);
	if (r >= 0)
		r = prune_alerts(s, err);
	if (r >= 0)
		r = prune_ended(s, err);
	return r < 0 ? r : audit_prune(s, err);
}

static uint64_t file_bytes(const char *path, const char *suffix)
{
	char full[PATH_MAX];
	struct stat st;
	int n = snprintf(full, sizeof(full), "%s%s", path, suffix);

	return n > 0 && (size_t)n < sizeof(full) && !stat(full, &st) ? (uint64_t)st.st_size : 0;
}

static int read_figures(struct store *s, struct store_status *ret, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	uint64_t now = clock_unix_ns(s->clk);
	/* total() and not sum(): an agent that lies about its numbers must not make this fail */
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT (SELECT count(*) FROM agent WHERE is_revoked = 0),"
			   " (SELECT count(*) FROM agent WHERE is_revoked = 0 AND last_seen >= ?),"
			   " (SELECT count(*) FROM alert WHERE status IN ('new', 'acknowledged', 'snoozed')),"
			   " (SELECT count(*) FROM outbox WHERE is_dead = 0),"
			   " (SELECT count(*) FROM outbox WHERE is_dead = 1),"
			   " total(given) + total(kernel_lost), total(stored),"
			   " total(holes) + total(kernel_lost), total(folded), total(actions),"
			   " total(lost_process), total(lost_rare), total(lost_volume) FROM agent",
			   B_INT(now > 30 * second_ns ? now - 30 * second_ns : 0));

	if (r < 0)
		return r;
	r = db_step(&s->state, st, err);
	if (r < 0)
		return r;
	ret->agents = db_u64(st, 0);
	ret->agents_online = db_u64(st, 1);
	ret->alerts_open = db_u64(st, 2);
	ret->outbox_waiting = db_u64(st, 3);
	ret->outbox_dead = db_u64(st, 4);
	ret->produced = (uint64_t)sqlite3_column_double(st, 5);
	ret->stored = (uint64_t)sqlite3_column_double(st, 6);
	ret->lost = (uint64_t)sqlite3_column_double(st, 7);
	ret->folded = (uint64_t)sqlite3_column_double(st, 8);
	ret->actions = (uint64_t)sqlite3_column_double(st, 9);
	ret->lost_process = (uint64_t)sqlite3_column_double(st, 10);
	ret->lost_rare = (uint64_t)sqlite3_column_double(st, 11);
	ret->lost_volume = (uint64_t)sqlite3_column_double(st, 12);
	return 0;
}

int store_status(struct store *s, struct store_status *ret, struct err *err)
{
	struct store_status out = { .schema = (uint32_t)schema_state.count };
	int r = read_figures(s, &out, err);

	if (r >= 0)
		r = history_status(s, &out.events, &out.history_bytes, err);
	if (r >= 0)
		r = file_free_bytes(s->dir, &out.free_bytes, err);
	if (r < 0)
		return r;
	out.state_bytes = file_bytes(s->state.path, "") + file_bytes(s->state.path, "-wal");
	*ret = out;
	return 0;
}
