/* schema.c - see schema.h. PRAGMA user_version is the version, PRAGMA application_id says ours. */
#include "collector/store/schema.h"

static const char *const state_steps[] = {
	/* 0 -> 1 */
	"CREATE TABLE agent ("
	" id TEXT PRIMARY KEY, host TEXT NOT NULL, agent_version TEXT NOT NULL DEFAULT '',"
	" kernel TEXT NOT NULL DEFAULT '', machine_id TEXT NOT NULL DEFAULT '',"
	" boot_id TEXT NOT NULL DEFAULT '', serial TEXT NOT NULL, sensors TEXT NOT NULL DEFAULT '[]',"
	" is_revoked INTEGER NOT NULL DEFAULT 0, enrolled INTEGER NOT NULL,"
	" last_seen INTEGER NOT NULL DEFAULT 0, cert_not_after INTEGER NOT NULL DEFAULT 0,"
	" epoch INTEGER NOT NULL DEFAULT 0,"
	/* sums over all epochs ever; agent_epoch keeps only the newest epochs */
	" given INTEGER NOT NULL DEFAULT 0, kernel_lost INTEGER NOT NULL DEFAULT 0,"
	" stored INTEGER NOT NULL DEFAULT 0, holes INTEGER NOT NULL DEFAULT 0,"
	" spool_records INTEGER NOT NULL DEFAULT 0, spool_bytes INTEGER NOT NULL DEFAULT 0,"
	" spool_oldest INTEGER NOT NULL DEFAULT 0, rss INTEGER NOT NULL DEFAULT 0,"
	" cpu INTEGER NOT NULL DEFAULT 0, containers INTEGER NOT NULL DEFAULT 0,"
	" processes INTEGER NOT NULL DEFAULT 0, rules_version TEXT NOT NULL DEFAULT '',"
	" loss_total INTEGER NOT NULL DEFAULT 0, loss_seen INTEGER NOT NULL DEFAULT 0);"
	"CREATE INDEX agent_host ON agent(host);"

	"CREATE TABLE agent_epoch ("
	" agent TEXT NOT NULL REFERENCES agent(id), epoch INTEGER NOT NULL,"
	" seq INTEGER NOT NULL DEFAULT 0, given INTEGER NOT NULL DEFAULT 0,"
	" stored INTEGER NOT NULL DEFAULT 0, holes INTEGER NOT NULL DEFAULT 0,"
	" created INTEGER NOT NULL, PRIMARY KEY(agent, epoch)) WITHOUT ROWID;"

	"CREATE TABLE container ("
	" agent TEXT NOT NULL, id TEXT NOT NULL, name BLOB NOT NULL, image BLOB NOT NULL,"
	" image_id TEXT NOT NULL, image_digest TEXT NOT NULL, user BLOB NOT NULL,"
	" is_privileged INTEGER NOT NULL, engine TEXT NOT NULL, created INTEGER NOT NULL,"
	" started INTEGER NOT NULL, labels TEXT NOT NULL, seen INTEGER NOT NULL,"
	" PRIMARY KEY(agent, id)) WITHOUT ROWID;"
	"CREATE INDEX container_name ON container(name);"
	"CREATE INDEX container_image ON container(image);"
	"CREATE INDEX container_seen ON container(seen);"

	"CREATE TABLE alert ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT, first_seen INTEGER NOT NULL,"
	" last_seen INTEGER NOT NULL, count INTEGER NOT NULL, severity INTEGER NOT NULL,"
	" priority TEXT NOT NULL, status TEXT NOT NULL, assignee TEXT NOT NULL,"
	" source TEXT NOT NULL, rule TEXT NOT NULL, title TEXT NOT NULL, host TEXT NOT NULL,"
	" agent TEXT NOT NULL, container_id TEXT NOT NULL, container TEXT NOT NULL,"
	" image TEXT NOT NULL, document TEXT NOT NULL, evidence TEXT NOT NULL,"
	" fold_key TEXT NOT NULL,"
	/* takes further findings; of the alerts with one fold key only the newest does */
	" is_current INTEGER NOT NULL DEFAULT 1);"
	"CREATE UNIQUE INDEX alert_fold ON alert(fold_key) WHERE is_current = 1;"
	"CREATE INDEX alert_seen ON alert(last_seen, id);"
	"CREATE INDEX alert_status ON alert(status, last_seen, id);"

	"CREATE TABLE outbox ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT, route TEXT NOT NULL, kind TEXT NOT NULL,"
	" grp TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL, attempts INTEGER NOT NULL,"
	" due INTEGER NOT NULL, created INTEGER NOT NULL, last_error TEXT NOT NULL DEFAULT '',"
	" is_dead INTEGER NOT NULL DEFAULT 0, UNIQUE(route, key));"
	"CREATE INDEX outbox_due ON outbox(is_dead, due, id);"

	"CREATE TABLE enrol_token ("
	" hash BLOB PRIMARY KEY, expires INTEGER NOT NULL, uses_left INTEGER NOT NULL,"
	" made_by TEXT NOT NULL, created INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE api_token ("
	" hash BLOB PRIMARY KEY, user TEXT NOT NULL, role TEXT NOT NULL, expires INTEGER NOT NULL,"
	" created INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE audit_log ("
	" id INTEGER PRIMARY KEY, at INTEGER NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL,"
	" subject TEXT NOT NULL);",
	/* 1 -> 2. Of each counter of the heartbeat what it said last, and the sum over all starts of the
	 * agent; an alert's responses, and those whose alert is still to come. */
	"ALTER TABLE agent ADD COLUMN folded INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE agent ADD COLUMN folded_said INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE agent ADD COLUMN actions INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE agent ADD COLUMN actions_said INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE agent ADD COLUMN lost_process INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE agent ADD COLUMN lost_process_said INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE agent ADD COLUMN lost_rare INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE agent ADD COLUMN lost_rare_said INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE agent ADD COLUMN lost_volume INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE agent ADD COLUMN lost_volume_said INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE alert ADD COLUMN actions TEXT NOT NULL DEFAULT '[]';"
	"CREATE TABLE action_waiting ("
	" id INTEGER PRIMARY KEY, fold_key TEXT NOT NULL, at INTEGER NOT NULL, action TEXT NOT NULL);"
	"CREATE INDEX action_waiting_key ON action_waiting(fold_key);"
	/* What agents did is kept apart from what people did: one that is taken over must not push that out. */
	"ALTER TABLE audit_log ADD COLUMN is_agent INTEGER NOT NULL DEFAULT 0;"
	"CREATE INDEX audit_log_kind ON audit_log(is_agent, id);",
};

static const char *const day_steps[] = {
	/* 0 -> 1. Records are numbered through the day from 1 (rid); a tail row holds what one commit
	 * brought, a block what was sealed. Their data are separate from what prunes them, so that
	 * looking for candidates reads few pages. */
	"CREATE TABLE tail ("
	" first INTEGER PRIMARY KEY, n INTEGER NOT NULL, t0 INTEGER NOT NULL, t1 INTEGER NOT NULL,"
	" received INTEGER NOT NULL, terms BLOB NOT NULL, raw_bytes INTEGER NOT NULL,"
	" data BLOB NOT NULL);"
	"CREATE TABLE block ("
	" id INTEGER PRIMARY KEY, first INTEGER NOT NULL, n INTEGER NOT NULL, t0 INTEGER NOT NULL,"
	" t1 INTEGER NOT NULL, raw_bytes INTEGER NOT NULL, sha256 BLOB NOT NULL,"
	/* room for a chain over the days, so that a block can't be taken out unseen */
	" chain BLOB);"
	"CREATE TABLE block_data (block INTEGER PRIMARY KEY, data BLOB NOT NULL);"
	"CREATE TABLE posting ("
	" term INTEGER NOT NULL, block INTEGER NOT NULL, PRIMARY KEY(term, block)) WITHOUT ROWID;"
	"CREATE TABLE watermark ("
	" agent TEXT NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL,"
	" PRIMARY KEY(agent, epoch)) WITHOUT ROWID;",
};

const struct schema schema_state = { "state", 0x706b7431, state_steps, ARRAY_LEN(state_steps) };
const struct schema schema_day = { "history", 0x706b7432, day_steps, ARRAY_LEN(day_steps) };

static int read_version(struct db *d, const struct schema *sc, int *ret, struct err *err)
{
	int64_t version, id, tables;
	int r = db_number(d, "PRAGMA user_version", NULL, 0, &version, err);

	if (r >= 0)
		r = db_number(d, "PRAGMA application_id", NULL, 0, &id, err);
	if (r >= 0)
		r = db_number(d, "SELECT count(*) FROM sqlite_schema", NULL, 0, &tables, err);
	if (r < 0)
		return r;
	if (id != sc->application_id && (id || version || tables))
		return err_set(err, ERR_CORRUPT, "'%s' is not a picket %s database", d->path, sc->what);
	if (version > sc->count || version < 0)
		return err_set(err, ERR_VERSION,
			       "'%s' has schema %lld, this picket understands up to %d: it was made by a "
			       "newer one",
			       d->path, (long long)version, sc->count);
	*ret = (int)version;
	return 0;
}

/* One step, under the lock. 1: done, 0: nothing left to do. */
static int migrate_step(struct db *d, const struct schema *sc, struct err *err)
{
	char sql[96];
	int version;
	int r = db_begin(d, err);

	if (r < 0)
		return r;
	r = read_version(d, sc, &version, err); /* again: another process may have been faster */
	if (r >= 0 && version == sc->count) {
		db_rollback(d);
		return 0;
	}
	if (r >= 0)
		r = db_exec(d, sc->steps[version], err);
	if (r >= 0) {
		snprintf(sql, sizeof(sql), "PRAGMA application_id=%d; PRAGMA user_version=%d",
			 sc->application_id, version + 1);
		r = db_exec(d, sql, err);
	}
	if (r >= 0)
		r = db_commit(d, err);
	if (r < 0) {
		db_rollback(d);
		return r;
	}
	return 1;
}

int schema_migrate(struct db *d, const struct schema *sc, struct err *err)
{
	int version;
	int r = read_version(d, sc, &version, err);

	if (r < 0 || version == sc->count)
		return r;
	do {
		r = migrate_step(d, sc, err);
	} while (r > 0);
	return r < 0 ? err_wrap(err, r, "migrate '%s'", d->path) : 0;
}
