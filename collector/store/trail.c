/* trail.c - who did what with an alert, and when: people and the system. */
#include "collector/store/store_priv.h"
#include "collector/store/store_triage.h"

/* What the system says must not push out what people said. */
enum { SYSTEM_MAX = 200, PEOPLE_MAX = 1000 };

int store_trail_add(struct store *s, int64_t alert, const char *who, const char *what, const char *text,
		    struct err *err)
{
	bool is_person = strcmp(who, TRAIL_SYSTEM) != 0;
	int r = DB_RUN(&s->state, err,
		       "INSERT INTO alert_trail(alert, is_person, at, who, what, text) VALUES (?,?,?,?,?,?)", B_INT(alert),
		       B_INT(is_person), B_INT(clock_unix_ns(s->clk)), B_STR(who), B_STR(what), B_STR(text));

	if (r < 0 || !strcmp(what, "created"))
		return r;
	return DB_RUN(&s->state, err,
		      "DELETE FROM alert_trail WHERE alert = ?1 AND is_person = ?2 AND id <= (SELECT id FROM alert_trail"
		      " WHERE alert = ?1 AND is_person = ?2 ORDER BY id DESC LIMIT 1 OFFSET ?3)",
		      B_INT(alert), B_INT(is_person), B_INT(is_person ? PEOPLE_MAX : SYSTEM_MAX));
}

int store_trail_each(struct store *s, int64_t alert, int (*fn)(void *arg, const struct store_trail *t), void *arg,
		     struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT id, at, is_person, who, what, text FROM alert_trail WHERE alert = ? ORDER BY id",
			   B_INT(alert));

	while (r >= 0 && (r = db_step(&s->state, st, err)) > 0) {
		const struct store_trail t = { .id = sqlite3_column_int64(st, 0),
					       .time_unix_ns = db_u64(st, 1),
					       .is_person = db_u64(st, 2) != 0,
					       .who = db_text(st, 3),
					       .what = db_text(st, 4),
					       .text = db_text(st, 5) };
		r = fn(arg, &t);
		if (r < 0)
			return r;
	}
	return r;
}
