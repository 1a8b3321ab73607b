/* agents.c - agents as people see them: identity, what they last said, are they well. */
#include <errno.h>

#include "collector/store/agent_silences.h"
#include "collector/store/store_priv.h"
#include "common/json.h"
#include "common/text.h"

enum { AGENTS_MAX = 1000000, WHY_BYTES = 200 };
static const uint64_t check_every_ns = 1000000000;
static const uint64_t offline_after_ns = 30ull * 1000000000;
static const uint64_t loss_marks_ns = 5 * 60ull * 1000000000;

#define COLUMNS                                                                                    \
	"id, host, agent_version, kernel, machine_id, boot_id, serial, sensors, is_revoked, "      \
	"enrolled, last_seen, cert_not_after, epoch, given + kernel_lost, stored, "                \
	"holes + kernel_lost, spool_records, spool_bytes, spool_oldest, rss, cpu, containers, "    \
	"processes, rules_version, loss_seen, folded, actions, lost_process, lost_rare, lost_volume, "  \
	"clock_ahead"

static void read_row(sqlite3_stmt *st, struct store_agent *ret)
{
	*ret = (struct store_agent){
		.id = db_text(st, 0),
		.host = db_text(st, 1),
		.agent_version = db_text(st, 2),
		.kernel = db_text(st, 3),
		.machine_id = db_text(st, 4),
		.boot_id = db_text(st, 5),
		.serial = db_text(st, 6),
		.sensors_json = db_text(st, 7),
		.is_revoked = db_u64(st, 8) != 0,
		.enrolled_unix_ns = db_u64(st, 9),
		.last_seen_unix_ns = db_u64(st, 10),
		.cert_not_after_unix_ns = db_u64(st, 11),
		.epoch = db_u64(st, 12),
		.produced = db_u64(st, 13),
		.stored = db_u64(st, 14),
		.lost = db_u64(st, 15),
		.spool_records = db_u64(st, 16),
		.spool_bytes = db_u64(st, 17),
		.spool_oldest_unix_ns = db_u64(st, 18),
		.rss_bytes = db_u64(st, 19),
		.cpu_ns = db_u64(st, 20),
		.containers = (uint32_t)db_u64(st, 21),
		.processes = (uint32_t)db_u64(st, 22),
		.loss_seen_unix_ns = db_u64(st, 24),
		.folded = db_u64(st, 25),
		.actions = db_u64(st, 26),
		.lost_process = db_u64(st, 27),
		.lost_rare = db_u64(st, 28),
		.lost_volume = db_u64(st, 29),
		.clock_ahead_ns = (int64_t)db_u64(st, 30),
	};
	(void)slice_copy(slice_of(db_text(st, 23)), ret->rules_version, sizeof(ret->rules_version));
}

/* The row's text moves into the arena. */
static int keep_row(struct store_agent *row, struct arena *a, struct err *err)
{
	const char **texts[] = { &row->id,	   &row->host,	  &row->agent_version,
				 &row->kernel,	   &row->machine_id, &row->boot_id,
				 &row->serial, &row->sensors_json };

	if (!arena_keep(a, texts, ARRAY_LEN(texts)))
		return err_set(err, ERR_LIMIT, "agent");
	return 0;
}

int store_agent_enrol(struct store *s, const struct store_agent *a, struct err *err)
{
	uint64_t now = clock_unix_ns(s->clk);
	int r = DB_RUN(&s->state, err,
		       "INSERT INTO agent(id, host, agent_version, kernel, machine_id, boot_id, serial,"
		       " enrolled, cert_not_after) VALUES (?,?,?,?,?,?,?,?,?)",
		       B_STR(a->id), B_STR(a->host), B_STR(a->agent_version), B_STR(a->kernel),
		       B_STR(a->machine_id), B_STR(a->boot_id), B_STR(a->serial),
		       B_INT(a->enrolled_unix_ns ? a->enrolled_unix_ns : now),
		       B_INT(a->cert_not_after_unix_ns));

	if (r == -EEXIST)
		return err_set(err, EEXIST, "agent '%s'", a->id);
	s->agents.is_stale = true;
	return r;
}

int store_agent_get(struct store *s, const char *id_or_host, struct store_agent *ret, struct arena *a,
		    struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	/* A host enrolled anew has several agents: the one that may talk, the newest of those. */
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT " COLUMNS " FROM agent WHERE id = ?1 OR host = ?1"
			   " ORDER BY id <> ?1, is_revoked, enrolled DESC LIMIT 1",
			   B_STR(id_or_host));

	if (r < 0)
		return r;
	r = db_step(&s->state, st, err);
	if (r < 0)
		return r;
	if (!r)
		return err_set(err, ERR_NOT_FOUND, "no host or agent '%.100s'", id_or_host);
	read_row(st, ret);
	return keep_row(ret, a, err);
}

int store_agents_each(struct store *s, int (*fn)(void *arg, const struct store_agent *a), void *arg,
		      struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = db_prepare(&s->state, "SELECT " COLUMNS " FROM agent ORDER BY host, enrolled", NULL, 0,
			   &st, err);

	if (r < 0)
		return r;
	while ((r = db_step(&s->state, st, err)) > 0) {
		struct store_agent row;

		read_row(st, &row);
		r = fn(arg, &row);
		if (r < 0)
			return r;
	}
	return r;
}

static int check_changed(struct store *s, const char *id, int r, struct err *err)
{
	if (r < 0)
		return r;
	return sqlite3_changes(s->state.h) ? 0 :
					     err_set(err, ERR_NOT_FOUND, "no host or agent '%.100s'", id);
}

int store_agent_revoke(struct store *s, const char *id_or_host, struct err *err)
{
	/* By host: all of its agents, so that none is forgotten. */
	int r = DB_RUN(&s->state, err, "UPDATE agent SET is_revoked = 1 WHERE id = ?1 OR host = ?1",
		       B_STR(id_or_host));

	s->agents.is_stale = true;
	return check_changed(s, id_or_host, r, err);
}

int store_agent_name(struct store *s, const char *id, const char *host, const char *machine_id,
		     char dst[STORE_NAME_MAX], struct err *err)
{
	int64_t taken;
	/* A host that enrols again on the same machine keeps its name. */
	int r = DB_NUMBER(&s->state, &taken, err,
			  "SELECT count(*) FROM agent WHERE host = ?1 AND id <> ?2 AND is_revoked = 0 AND"
			  " machine_id <> ?3 AND (cert_not_after = 0 OR cert_not_after > ?4)",
			  B_STR(host), B_STR(id), B_STR(machine_id), B_INT(clock_unix_ns(s->clk)));

	if (r < 0)
		return r;
	snprintf(dst, STORE_NAME_MAX, taken ? "%.200s~%.8s" : "%.256s", host, id);
	return 0;
}

int store_agent_host(struct store *s, const char *id, char dst[STORE_NAME_MAX], struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err, "SELECT host FROM agent WHERE id = ?", B_STR(id));

	if (r >= 0)
		r = db_step(&s->state, st, err);
	if (r < 0)
		return r;
	if (!r)
		return err_set(err, ERR_NOT_FOUND, "no agent '%.100s'", id);
	slice_copy(slice_of(db_text(st, 0)), dst, STORE_NAME_MAX);
	return 0;
}

int store_agent_hello(struct store *s, const char *id, const Picket__Hello *h, struct err *err)
{
	const struct agent_brief *known = agents_find(s, id);
	char name[STORE_NAME_MAX] = "";
	bool is_own;
	int r = store_own_begin(s, &is_own, err);

	if (r < 0)
		return r;
	/* It stands in lists, logs and mails: what isn't text changes nothing. */
	if (*h->hostname && text_is_clean(slice_of(h->hostname)))
		r = store_agent_name(s, id, h->hostname, h->machine_id, name, err);
	if (r < 0)
		return store_own_end(s, is_own, r, err);
	r = DB_RUN(&s->state, err,
		   "UPDATE agent SET host = CASE WHEN ?2 <> '' THEN ?2 ELSE host END, agent_version = ?3,"
		   " kernel = ?4, machine_id = ?5, boot_id = ?6, epoch = ?7, last_seen = ?8 WHERE id = ?1",
		   B_STR(id), B_STR(name), B_STR(h->agent_version), B_STR(h->kernel),
		   B_STR(h->machine_id), B_STR(h->boot_id), B_INT(h->epoch),
		   B_INT(clock_unix_ns(s->clk)));
	r = check_changed(s, id, r, err);
	if (r >= 0 && h->next_seq)
		r = agents_count_given(s, id, h->epoch, h->next_seq - 1, err);
	if (!known || (name[0] && strcmp(known->host, name)))
		s->agents.is_stale = true;
	return store_own_end(s, is_own, r, err);
}

/* A list of long reasons from one agent must not make its heartbeat too large to keep. */
static struct slice cut_reason(const char *why)
{
	struct slice s = slice_of(why);

	if (s.n <= WHY_BYTES)
		return s;
	s.n = WHY_BYTES;
	while (s.n && ((unsigned char)s.p[s.n] & 0xc0) == 0x80) /* between characters */
		s.n--;
	return s;
}

static void write_sensors(struct buf *out, const Picket__Heartbeat *h)
{
	struct json j;

	json_init(&j, out);
	json_array_open(&j);
	for (size_t i = 0; i < h->n_sensors && i < LIMIT_SENSORS; i++) {
		json_object_open(&j);
		json_kv_str(&j, "name", h->sensors[i]->name);
		json_kv_bool(&j, "attached", h->sensors[i]->attached);
		json_kv_slice(&j, "why", cut_reason(h->sensors[i]->why_not));
		json_object_close(&j);
	}
	json_array_close(&j);
}

/* No agent counts further; beyond is a lie or a fault and must not overflow the sums. */
static uint64_t bounded(uint64_t n)
{
	const uint64_t most = 1ull << 48;

	return n < most ? n : most;
}

/* A counter that starts again with the agent, as a sum over all its starts. min: a liar's sums end. */
#define GROWS(column, n)                                                                                   \
	" " column " = min(" column " + CASE WHEN " n " >= " column "_said THEN " n " - " column           \
	"_said ELSE " n " END, 1 << 60), " column "_said = " n

static int sum_counters(struct store *s, const char *id, const Picket__Heartbeat *h, struct err *err)
{
	return DB_RUN(&s->state, err,
		      "UPDATE agent SET" GROWS("folded", "?2") "," GROWS("actions", "?3") ","
		      GROWS("lost_process", "?4") "," GROWS("lost_rare", "?5") ","
		      GROWS("lost_volume", "?6") " WHERE id = ?1",
		      B_STR(id), B_INT(bounded(h->folded)), B_INT(bounded(h->actions)),
		      B_INT(bounded(h->lost_process)), B_INT(bounded(h->lost_rare)),
		      B_INT(bounded(h->lost_volume)));
}

/* Counters start again with the agent; a smaller one than before is all new loss. */
static int note_loss(struct store *s, const char *id, const Picket__Heartbeat *h, struct err *err)
{
	uint64_t total = bounded(h->lost_process) + bounded(h->lost_rare) + bounded(h->lost_volume);

	return DB_RUN(&s->state, err,
		      "UPDATE agent SET loss_seen = CASE WHEN ?2 > loss_total OR (?2 < loss_total AND"
		      " ?2 > 0) THEN ?3 ELSE loss_seen END, loss_total = ?2 WHERE id = ?1",
		      B_STR(id), B_INT(total), B_INT(clock_unix_ns(s->clk)));
}

/* Includes the way here, which is short against what matters. 0 where it does not tell the time. */
static int64_t clock_ahead(uint64_t theirs, uint64_t ours)
{
	const uint64_t most = INT64_MAX / 2;

	return theirs && theirs < most && ours < most ? (int64_t)theirs - (int64_t)ours : theirs ? INT64_MAX : 0;
}

int store_agent_heartbeat(struct store *s, const char *id, const Picket__Heartbeat *h,
			  struct err *err)
{
	uint64_t now = clock_unix_ns(s->clk);
	CLEANUP(buf_finip) struct buf sensors = { 0 };
	bool is_own;

	buf_init(&sensors, LIMIT_RECORD_BYTES * 6);
	write_sensors(&sensors, h);
	if (sensors.failed)
		return err_set(err, ERR_LIMIT, "heartbeat of '%s': sensors", id);
	int r = store_own_begin(s, &is_own, err);
	if (r < 0)
		return r;
	r = silences_heard(s, id, err);
	if (r >= 0)
		r = DB_RUN(&s->state, err,
			   "UPDATE agent SET last_seen = ?2, epoch = ?3, sensors = ?4, spool_records = ?5,"
			   " spool_bytes = ?6, spool_oldest = ?7, rss = ?8, cpu = ?9, containers = ?10,"
			   " processes = ?11, rules_version = ?12, clock_ahead = ?13 WHERE id = ?1",
			   B_STR(id), B_INT(now), B_INT(h->epoch),
			   B_TEXT(buf_slice(&sensors)), B_INT(h->spool_records), B_INT(h->spool_bytes),
			   B_INT(h->spool_oldest_unix_ns), B_INT(h->rss_bytes), B_INT(h->cpu_ns),
			   B_INT(h->containers), B_INT(h->processes), B_STR(h->rules_version),
			   B_INT(clock_ahead(h->time_unix_ns, now)));
	r = check_changed(s, id, r, err);
	if (r >= 0)
		r = note_loss(s, id, h, err);
	if (r >= 0)
		r = sum_counters(s, id, h, err);
	if (r >= 0)
		r = agents_count_given(s, id, h->epoch, h->produced, err);
	return store_own_end(s, is_own, r, err);
}

enum store_agent_state store_agent_state(const struct store *s, const struct store_agent *a)
{
	uint64_t now = clock_unix_ns(s->clk);

	if (a->is_revoked)
		return AGENT_REVOKED;
	if (!a->last_seen_unix_ns || a->last_seen_unix_ns + offline_after_ns < now)
		return AGENT_OFFLINE;
	/* sensors_json is our own writing: no blank stands in it */
	if (a->sensors_json && strstr(a->sensors_json, "\"attached\":false"))
		return AGENT_DEGRADED;
	if (a->loss_seen_unix_ns && a->loss_seen_unix_ns + loss_marks_ns > now)
		return AGENT_DEGRADED;
	return AGENT_ONLINE;
}

const char *store_agent_state_name(enum store_agent_state st)
{
	static const char *const names[] = { "online", "degraded", "offline", "revoked" };

	return (size_t)st < ARRAY_LEN(names) ? names[st] : "unknown";
}

/* ---- the copy in memory ---- */

static void free_rows(struct agent_brief *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(rows[i].id);
		free(rows[i].host);
		free(rows[i].serial);
	}
	free(rows);
}

void agents_fini(struct agents *a)
{
	free_rows(a->rows, a->count);
	*a = (struct agents){ .is_stale = true };
}

static int load_rows(struct store *s, struct agents *out, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	size_t room = 0;
	int r = db_prepare(&s->state, "SELECT id, host, serial, is_revoked FROM agent ORDER BY id", NULL,
			   0, &st, err);

	if (r < 0)
		return r;
	while ((r = db_step(&s->state, st, err)) > 0) {
		if (out->count == room) {
			room = room ? room * 2 : 64;
			struct agent_brief *more =
				room > AGENTS_MAX ? NULL : realloc(out->rows, room * sizeof(*more));
			if (!more)
				return err_set(err, ERR_LIMIT, "too many agents");
			out->rows = more;
		}
		struct agent_brief *row = &out->rows[out->count++];
		*row = (struct agent_brief){ .id = slice_dup(slice_of(db_text(st, 0))),
					     .host = slice_dup(slice_of(db_text(st, 1))),
					     .serial = slice_dup(slice_of(db_text(st, 2))),
					     .is_revoked = db_u64(st, 3) != 0 };
		if (!row->id || !row->host || !row->serial)
			return err_set(err, ENOMEM, "agents");
	}
	return r;
}

int agents_refresh(struct store *s, struct err *err)
{
	uint64_t now = clock_boot_ns(s->clk);

	if (!s->agents.is_stale && now - s->agents.checked_boot_ns < check_every_ns)
		return 0;
	int64_t version;
	int r = db_number(&s->state, "PRAGMA data_version", NULL, 0, &version, err);
	if (r < 0)
		return r;
	if (!s->agents.is_stale && version == s->agents.data_version) {
		s->agents.checked_boot_ns = now;
		return 0;
	}
	struct agents fresh = { .data_version = version, .checked_boot_ns = now };
	r = load_rows(s, &fresh, err);
	if (r < 0) {
		free_rows(fresh.rows, fresh.count);
		return r;
	}
	agents_fini(&s->agents);
	s->agents = fresh;
	return 0;
}

const struct agent_brief *agents_find(const struct store *s, const char *id)
{
	size_t low = 0, high = s->agents.count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = strcmp(s->agents.rows[mid].id, id);

		if (!order)
			return &s->agents.rows[mid];
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

bool store_agent_may(struct store *s, const char *id, const char *serial)
{
	int ignored = agents_refresh(s, NULL);

	(void)ignored; /* a store that can't be read now stores nothing either; it is read again next time */
	const struct agent_brief *a = agents_find(s, id);

	return a && !a->is_revoked && serial && !strcmp(a->serial, serial);
}
