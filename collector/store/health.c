/* health.c - see store_health.h. */
#include "collector/store/store_health.h"

#include "collector/store/store_priv.h"

int store_health_put(struct store *s, const struct store_health *h, struct err *err)
{
	return DB_RUN(&s->state, err,
		      "INSERT INTO health(what, subject, since, severity, host, alert) VALUES (?1,?2,?3,?4,?5,?6)"
		      " ON CONFLICT(what, subject) DO UPDATE SET severity = ?4, host = ?5, alert = ?6",
		      B_STR(h->what), B_STR(h->subject), B_INT(h->since_unix_ns), B_INT(h->severity), B_STR(h->host),
		      B_INT(h->alert));
}

int store_health_delete(struct store *s, const char *what, const char *subject, struct err *err)
{
	return DB_RUN(&s->state, err, "DELETE FROM health WHERE what = ? AND subject = ?", B_STR(what), B_STR(subject));
}

int store_health_each(struct store *s, int (*fn)(void *arg, const struct store_health *h), void *arg, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = db_prepare(&s->state,
			   "SELECT what, subject, host, since, severity, alert FROM health ORDER BY what, subject", NULL, 0,
			   &st, err);

	while (r >= 0 && (r = db_step(&s->state, st, err)) > 0) {
		struct store_health h = { .what = db_text(st, 0),
					  .subject = db_text(st, 1),
					  .host = db_text(st, 2),
					  .since_unix_ns = db_u64(st, 3),
					  .severity = (enum msg_severity)db_u64(st, 4),
					  .alert = sqlite3_column_int64(st, 5) };
		r = fn(arg, &h);
	}
	return r;
}

int store_health_agents(struct store *s, const struct store_health_limits *l,
			int (*fn)(void *arg, const struct store_health_agent *a), void *arg, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT id, host, enrolled, last_seen, cert_not_after, spool_records, spool_oldest,"
			   " given + kernel_lost, stored, holes + kernel_lost, clock_ahead FROM agent a WHERE is_revoked = 0"
			   " AND (max(last_seen, enrolled) < ?1 OR (spool_oldest > 0 AND spool_oldest < ?2)"
			   " OR (cert_not_after > 0 AND cert_not_after < ?3) OR clock_ahead > ?4 OR clock_ahead < -?4"
			   " OR given > stored + holes + spool_records)"
			   " AND NOT EXISTS (SELECT 1 FROM agent b WHERE b.machine_id = a.machine_id AND b.host = a.host"
			   " AND a.machine_id <> '' AND b.enrolled > a.enrolled AND b.is_revoked = 0) ORDER BY id",
			   B_INT(l->heard_before_unix_ns), B_INT(l->spool_before_unix_ns), B_INT(l->cert_before_unix_ns),
			   B_INT(l->clock_off_ns));

	while (r >= 0 && (r = db_step(&s->state, st, err)) > 0) {
		struct store_health_agent a = { .id = db_text(st, 0),
						.host = db_text(st, 1),
						.enrolled_unix_ns = db_u64(st, 2),
						.last_seen_unix_ns = db_u64(st, 3),
						.cert_not_after_unix_ns = db_u64(st, 4),
						.spool_records = db_u64(st, 5),
						.spool_oldest_unix_ns = db_u64(st, 6),
						.produced = db_u64(st, 7),
						.stored = db_u64(st, 8),
						.lost = db_u64(st, 9),
						.clock_ahead_ns = sqlite3_column_int64(st, 10) };
		r = fn(arg, &a);
	}
	return r;
}

int store_health_routes(struct store *s, int (*fn)(void *arg, const struct store_health_route *r), void *arg,
			struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	/* last_error is that of the row with the largest id: SQLite's bare column beside max() */
	int r = db_prepare(&s->state,
			   "SELECT receiver, last_error, total(is_dead = 0), total(is_dead),"
			   " coalesce(min(CASE WHEN is_dead = 0 THEN created END), 0), max(id) FROM outbox"
			   " WHERE attempts > 0 OR is_dead = 1 GROUP BY receiver ORDER BY receiver",
			   NULL, 0, &st, err);

	while (r >= 0 && (r = db_step(&s->state, st, err)) > 0) {
		struct store_health_route row = { .receiver = db_text(st, 0),
						  .last_error = db_text(st, 1),
						  .waiting = db_u64(st, 2),
						  .dead = db_u64(st, 3),
						  .oldest_unix_ns = db_u64(st, 4) };
		r = fn(arg, &row);
	}
	return r;
}
