/* vulns_then.c - which images had a vulnerability when they ran: of findings and of running images both dates are
 * kept, so what was is told from what is. */
#include "collector/store/store_history.h"
#include "collector/store/store_priv.h"

static int find_vuln(struct store *s, const char *name, int64_t *ret, struct err *err)
{
	int r = DB_NUMBER(&s->state, ret, err,
			  "SELECT id FROM vuln WHERE name = ?1 UNION ALL SELECT vuln FROM vuln_alias WHERE alias = ?1 LIMIT 1",
			  B_STR(name));

	if (r >= 0 && !*ret)
		return err_set(err, ERR_NOT_FOUND, "no vulnerability '%.80s' was found in any image", name);
	return r;
}

int store_had_vuln_each(struct store *s, const char *vuln, uint64_t since, uint64_t until, uint64_t limit,
			int (*fn)(void *arg, const struct store_had_vuln *x), void *arg, bool *ret_more,
			struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	uint64_t count = 0;
	int64_t id = 0;
	int r = agents_refresh(s, err);

	*ret_more = false;
	if (r >= 0)
		r = find_vuln(s, vuln, &id, err);
	if (r >= 0)
		r = DB_PREPARE(&s->state, &st, err,
			       "SELECT DISTINCT i.image_id, u.reference, u.agent, p.name, p.version, f.fixed, f.severity,"
			       " u.first_seen, u.ended, f.first_seen, f.resolved"
			       " FROM finding f JOIN layer_package lp ON lp.package = f.package"
			       " JOIN image_layer il ON il.layer = lp.layer JOIN image i ON i.id = il.image"
			       " JOIN package p ON p.id = f.package JOIN image_use u ON u.image = i.id"
			       " WHERE f.vuln = ?1 AND (f.os = 0 OR f.os = i.os) AND f.first_seen <= ?3"
			       " AND (f.resolved = 0 OR f.resolved >= ?2) AND u.first_seen <= ?3"
			       " AND (u.ended = 0 OR u.ended >= ?2) ORDER BY i.image_id, u.agent, p.name, p.version",
			       B_INT(id), B_INT(since), B_INT(until ? until : INT64_MAX));
	while (r >= 0 && (r = db_step(&s->state, st, err)) > 0) {
		const struct agent_brief *a = agents_find(s, db_text(st, 2));
		const struct store_had_vuln x = { .image_id = db_text(st, 0),
						  .reference = db_text(st, 1),
						  .agent = db_text(st, 2),
						  .host = a ? a->host : "",
						  .package = db_text(st, 3),
						  .version = db_text(st, 4),
						  .fixed = db_text(st, 5),
						  .severity = (int)sqlite3_column_int64(st, 6),
						  .ran_from_unix_ns = db_u64(st, 7),
						  .ran_to_unix_ns = db_u64(st, 8),
						  .found_unix_ns = db_u64(st, 9),
						  .resolved_unix_ns = db_u64(st, 10) };

		if (count++ == limit) {
			*ret_more = true;
			break;
		}
		r = fn(arg, &x);
	}
	return r < 0 ? r : 0;
}
