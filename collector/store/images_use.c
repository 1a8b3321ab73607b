/* images_use.c - which images run on which hosts, in which containers, and which packages are used there.
 *
 *   a state's parts -> rows marked with the state -> after the last part: what is marked otherwise has ended
 *
 * A state is remembered by its number, so that "unchanged" is one row, and a part that was missed or comes out
 * of order makes the agent say it all again. */
#include "collector/store/images_priv.h"

#include "collector/store/checks_priv.h"
#include "collector/store/store_vulns.h"
#include "common/log.h"

enum { PORTS_BYTES = 16 * 1024, PORTS_MAX = 64, NAME_MAX_BYTES = 512 };
static const uint64_t second_ns = 1000000000, hour_ns = 3600ull * 1000000000;
static const uint64_t used_for_ns = 30ull * 24 * 3600 * 1000000000;

/* What one message may still add; so that an agent in wrong hands can't fill the store. */
struct room {
	int64_t images, containers, packages;
	uint64_t refused;
};

struct telling {
	struct store *s;
	const char *agent;
	uint64_t state, now;
	struct room room;
	int (*unknown)(void *arg, const char *image_id);
	void *arg;
};

static bool takes(int64_t *room, struct room *all)
{
	if (*room > 0) {
		--*room;
		return true;
	}
	all->refused++;
	return false;
}

/* ---- packages ---- */

static int put_package(struct telling *t, int64_t image, const Picket__PackageUse *p, struct err *err)
{
	unsigned how = (p->is_executed ? STORE_USED_EXECUTED : 0u) | (p->is_loaded ? STORE_USED_LOADED : 0u);
	uint64_t last = p->last_unix_s * second_ns;
	int64_t before;

	if (!how)
		return 0;
	if (!last || last > t->now)
		last = t->now;
	const struct bind b[] = { B_INT(image),
				  B_STR(p->name),
				  B_STR(p->version),
				  B_STR(p->ecosystem),
				  B_STR(t->agent),
				  B_INT(how),
				  B_BLOB(msg_slice(p->path)),
				  B_STR(p->container_id),
				  B_INT(last) };
	int r = db_number(&t->s->state,
			  "SELECT how FROM package_use WHERE image = ? AND name = ? AND version = ? AND ecosystem = ?"
			  " AND agent = ?",
			  b, 5, &before, err);
	if (r >= 0 && !before && !takes(&t->room.packages, &t->room))
		return 0;
	if (r >= 0)
		r = db_run(&t->s->state,
			   "INSERT INTO package_use VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9) ON CONFLICT DO UPDATE SET"
			   " how = how | ?6, path = ?7, container = ?8, last = max(last, ?9)",
			   b, ARRAY_LEN(b), err);
	if (r < 0 || ((unsigned)before | how) == (unsigned)before)
		return r;
	r = DB_RUN(&t->s->state, err, "UPDATE image SET is_used = 1 WHERE id = ? AND is_used = 0", B_INT(image));
	return r < 0 ? r : vulns_due_of_package(t->s, p->ecosystem, p->name, p->version, err);
}

/* ---- containers ---- */

static int put_container(struct telling *t, int64_t image, const Picket__ContainerUse *c, struct err *err)
{
	CLEANUP(buf_finip) struct buf ports = { 0 };
	char name[NAME_MAX_BYTES];

	int64_t is_there;
	int r = DB_NUMBER(&t->s->state, &is_there, err,
			  "SELECT count(*) FROM container_use WHERE agent = ? AND container = ?", B_STR(t->agent),
			  B_STR(c->id));
	if (r < 0 || (!is_there && !takes(&t->room.containers, &t->room)))
		return r < 0 ? r : 0;
	buf_init(&ports, PORTS_BYTES * 2);
	images_list(&ports, "", c->published_ports, c->n_published_ports, PORTS_MAX);
	slice_copy(msg_slice(c->name), name, sizeof(name));
	return DB_RUN(&t->s->state, err,
		      "INSERT INTO container_use VALUES (?1,?2,?3,?4,?5,?6,?7) ON CONFLICT DO UPDATE SET image = ?3,"
		      " name = ?4, ports = ?5, started = ?6, state = ?7",
		      B_STR(t->agent), B_STR(c->id), B_INT(image), B_STR(name), B_TEXT(buf_slice(&ports)),
		      B_INT(c->started_unix_s), B_INT(t->state));
}

/* ---- images ---- */

int images_recount(struct store *s, int64_t image, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT hosts, containers, is_exposed, (SELECT count(*) FROM image_use u WHERE u.image = i.id),"
			   " (SELECT count(*) FROM container_use c WHERE c.image = i.id),"
			   " EXISTS (SELECT 1 FROM container_use c WHERE c.image = i.id AND c.ports <> '[]')"
			   " FROM image i WHERE id = ?",
			   B_INT(image));

	if (r >= 0)
		r = db_step(&s->state, st, err);
	if (r <= 0)
		return r;
	int64_t was[3], is[3];
	for (int i = 0; i < 3; i++) {
		was[i] = sqlite3_column_int64(st, i);
		is[i] = sqlite3_column_int64(st, 3 + i);
	}
	if (is[0] && !is[1]) /* between two containers, as in a restart: as open as it was */
		is[2] = was[2];
	if (!memcmp(was, is, sizeof(was)))
		return 0;
	r = DB_RUN(&s->state, err,
		   "UPDATE image SET hosts = ?2, containers = ?3, is_exposed = ?4, is_moved = 1, seen = ?5 WHERE id = ?1",
		   B_INT(image), B_INT(is[0]), B_INT(is[1]), B_INT(is[2]), B_INT(clock_unix_ns(s->clk)));
	/* That it runs at all, and is open to others, changes how urgent all of its vulnerabilities are; on
	 * which hosts and how often only what its alerts say, which can wait. */
	if (r >= 0 && (!was[0] != !is[0] || was[2] != is[2]))
		r = vulns_due_of_image(s, image, err);
	return r;
}

static int tell_unknown(struct telling *t, int64_t image, const char *image_id, struct err *err)
{
	int64_t known;
	int r = DB_NUMBER(&t->s->state, &known, err, "SELECT length(sha256) FROM image WHERE id = ?", B_INT(image));

	if (r < 0 || known || !t->unknown)
		return r;
	return t->unknown(t->arg, image_id);
}

static int put_image(struct telling *t, const Picket__ImageUse *u, struct err *err)
{
	char reference[NAME_MAX_BYTES];
	int64_t image, is_there;
	int r = DB_NUMBER(&t->s->state, &is_there, err,
			  "SELECT count(*) FROM image_use u JOIN image i ON i.id = u.image WHERE i.image_id = ?2"
			  " AND u.agent = ?1",
			  B_STR(t->agent), B_STR(u->image_id));
	if (r < 0 || (!is_there && !takes(&t->room.images, &t->room)))
		return r < 0 ? r : 0;
	r = images_row(t->s, u->image_id, &image, err);
	if (r < 0)
		return r;
	if (!image) {
		t->room.refused++;
		return 0;
	}
	slice_copy(msg_slice(u->reference), reference, sizeof(reference));
	r = DB_RUN(&t->s->state, err,
		   "INSERT INTO image_use(agent, image, reference, state, first_seen) VALUES (?1,?2,?3,?4,?5)"
		   " ON CONFLICT DO UPDATE SET reference = ?3, state = ?4, ended = 0",
		   B_STR(t->agent), B_INT(image), B_STR(reference), B_INT(t->state), B_INT(t->now));
	for (size_t i = 0; i < u->n_containers && r >= 0; i++)
		r = put_container(t, image, u->containers[i], err);
	for (size_t i = 0; i < u->n_packages && r >= 0; i++)
		r = put_package(t, image, u->packages[i], err);
	if (r >= 0)
		r = images_recount(t->s, image, err);
	return r < 0 ? r : tell_unknown(t, image, u->image_id, err);
}

/* ---- a state ---- */

/* Recounts what the query selects; each image once. */
static int recount_all(struct store *s, const char *sql, const struct bind *b, size_t count, struct err *err)
{
	enum { AT_ONCE = 256 };
	int64_t images[AT_ONCE];
	size_t n = 0;
	{
		CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
		int r = db_prepare(&s->state, sql, b, count, &st, err);

		while (r >= 0 && n < AT_ONCE && (r = db_step(&s->state, st, err)) > 0)
			images[n++] = sqlite3_column_int64(st, 0);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < n; i++) {
		int r = images_recount(s, images[i], err);
		if (r < 0)
			return r;
	}
	return n == AT_ONCE;
}

/* The last part is here. An image that isn't in it has ended, and counts as running for a while still. */
static int end_others(struct telling *t, struct err *err)
{
	const struct bind b[] = { B_STR(t->agent), B_INT(t->state), B_INT(t->now) };
	struct db *d = &t->s->state;
	int r = db_run(d,
		       "UPDATE image SET is_moved = 1 WHERE id IN (SELECT image FROM container_use WHERE agent = ?1"
		       " AND state <> ?2)",
		       b, 2, err);

	if (r >= 0)
		r = db_run(d, "UPDATE image_use SET ended = ?3 WHERE agent = ?1 AND state <> ?2 AND ended = 0", b, 3,
			   err);
	if (r >= 0)
		r = db_run(d, "DELETE FROM container_use WHERE agent = ?1 AND state <> ?2", b, 2, err);
	if (r >= 0)
		r = containers_end_lives(t->s, t->agent, err);
	/* Every image of the host: at most what one agent may use. */
	for (int64_t after = 0; r >= 0;) {
		int64_t image;

		r = DB_NUMBER(d, &image, err,
			      "SELECT min(image) FROM image_use WHERE agent = ? AND image > ?", B_STR(t->agent),
			      B_INT(after));
		if (r < 0 || !image)
			break;
		after = image;
		r = images_recount(t->s, image, err);
	}
	return r;
}

static int read_room(struct telling *t, struct err *err)
{
	static const char *const sql[] = { "SELECT count(*) FROM image_use WHERE agent = ?",
					   "SELECT count(*) FROM container_use WHERE agent = ?",
					   "SELECT count(*) FROM package_use WHERE agent = ?" };
	int64_t *const room[] = { &t->room.images, &t->room.containers, &t->room.packages };
	const int64_t most[] = { STORE_IMAGES_USED_MAX, STORE_CONTAINERS_MAX, STORE_PACKAGES_USED_MAX };

	for (size_t i = 0; i < ARRAY_LEN(sql); i++) {
		int64_t n;
		int r = DB_NUMBER(&t->s->state, &n, err, sql[i], B_STR(t->agent));

		if (r < 0)
			return r;
		*room[i] = most[i] - n;
	}
	return 0;
}

/* *ret_state, *ret_next 0: nothing was said yet, nothing is missing. */
static int read_state(struct store *s, const char *agent, uint64_t *ret_state, uint64_t *ret_next,
		      struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err, "SELECT state, next_part FROM use_state WHERE agent = ?",
			   B_STR(agent));

	if (r >= 0)
		r = db_step(&s->state, st, err);
	if (r < 0)
		return r;
	*ret_state = r ? db_u64(st, 0) : 0;
	*ret_next = r ? db_u64(st, 1) : 0;
	return 0;
}

static int write_state(struct telling *t, uint64_t next, struct err *err)
{
	return DB_RUN(&t->s->state, err,
		      "INSERT INTO use_state VALUES (?1,?2,?3,?4) ON CONFLICT(agent) DO UPDATE SET state = ?2,"
		      " next_part = ?3, at = ?4",
		      B_STR(t->agent), B_INT(t->state), B_INT(next), B_INT(t->now));
}

static int take_part(struct telling *t, const Picket__ImagesInUse *m, struct err *err)
{
	bool is_last = m->part + 1 == m->parts;
	int r = read_room(t, err);

	for (size_t i = 0; i < m->n_images && r >= 0; i++)
		r = put_image(t, m->images[i], err);
	if (r >= 0 && is_last)
		r = end_others(t, err);
	if (r >= 0)
		r = write_state(t, is_last ? 0 : m->part + 1, err);
	if (r >= 0 && t->room.refused) {
		LOG(WARN, "images.in_use", KV_STR("agent", t->agent), KV_U64("not_kept", t->room.refused),
		    KV_STR("why", "more images, containers or packages than one host may have"));
		r = numbers_add(t->s, "images.uses_refused", t->room.refused, err);
	}
	return r;
}

/* Still the same: what it names without an inventory is asked for again. */
static int take_unchanged(struct telling *t, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = write_state(t, 0, err);

	if (r >= 0)
		r = DB_RUN(&t->s->state, err,
			   "UPDATE image SET seen = ?2 WHERE seen < ?3 AND id IN (SELECT image FROM image_use WHERE"
			   " agent = ?1 AND ended = 0)",
			   B_STR(t->agent), B_INT(t->now), B_INT(t->now > hour_ns ? t->now - hour_ns : 0));
	if (r >= 0)
		r = DB_PREPARE(&t->s->state, &st, err,
			       "SELECT i.image_id FROM image_use u JOIN image i ON i.id = u.image WHERE u.agent = ?"
			       " AND u.ended = 0 AND length(i.sha256) = 0 LIMIT ?",
			       B_STR(t->agent), B_INT(LIMIT_IMAGES_IN_USE));
	while (r >= 0 && (r = db_step(&t->s->state, st, err)) > 0) {
		r = t->unknown ? t->unknown(t->arg, db_text(st, 0)) : 0;
		if (r < 0)
			return r;
	}
	return r;
}

static int tell(struct telling *t, const Picket__ImagesInUse *m, bool *ret_is_wanted_whole, struct err *err)
{
	uint64_t state, next;
	int r = read_state(t->s, t->agent, &state, &next, err);

	if (r < 0)
		return r;
	*ret_is_wanted_whole = false;
	if (m->is_unchanged && state == m->state && !next)
		return take_unchanged(t, err);
	if (!m->is_unchanged && (!m->part || (state == m->state && next == m->part)))
		return take_part(t, m, err);
	/* A part that came already, of a state that is complete, changes nothing. */
	*ret_is_wanted_whole = m->is_unchanged || state != m->state || (next && next < m->part);
	return 0;
}

int store_images_in_use(struct store *s, const char *agent, const Picket__ImagesInUse *m,
			bool *ret_is_wanted_whole, int (*unknown)(void *arg, const char *image_id), void *arg,
			struct err *err)
{
	struct telling t = { .s = s,
			     .agent = agent,
			     .state = m->state,
			     .now = clock_unix_ns(s->clk),
			     .unknown = unknown,
			     .arg = arg };
	bool is_own;
	int r = store_own_begin(s, &is_own, err);

	return r < 0 ? r : store_own_end(s, is_own, tell(&t, m, ret_is_wanted_whole, err), err);
}

/* ---- by itself ---- */

static uint64_t before(uint64_t now, uint64_t ns)
{
	return now > ns ? now - ns : 0;
}

/* Agents that are silent or revoked: what they said runs no longer. */
static int end_silent(struct store *s, uint64_t now, uint64_t quiet_ns, struct err *err)
{
	const struct bind b[] = { B_INT(now), B_INT(before(now, quiet_ns)) };
	int r = db_run(&s->state,
		       "UPDATE image_use SET ended = ?1 WHERE ended = 0 AND agent IN (SELECT agent FROM use_state WHERE"
		       " at < ?2 OR agent IN (SELECT id FROM agent WHERE is_revoked = 1))",
		       b, 2, err);

	if (r >= 0)
		r = db_run(&s->state,
			   "UPDATE image SET is_moved = 1 WHERE id IN (SELECT c.image FROM container_use c JOIN use_state u"
			   " ON u.agent = c.agent WHERE u.at < ?1 OR c.agent IN (SELECT id FROM agent WHERE is_revoked = 1))",
			   b + 1, 1, err);
	if (r >= 0)
		r = db_run(&s->state,
			   "DELETE FROM container_use WHERE agent IN (SELECT agent FROM use_state WHERE at < ?1"
			   " OR agent IN (SELECT id FROM agent WHERE is_revoked = 1))",
			   b + 1, 1, err);
	/* It has to say all of it when it speaks again. */
	if (r >= 0)
		r = db_run(&s->state,
			   "DELETE FROM use_state WHERE at < ?1 OR agent IN (SELECT id FROM agent WHERE is_revoked = 1)",
			   b + 1, 1, err);
	return r;
}

static int end_gone(struct store *s, uint64_t now, uint64_t gone_ns, struct err *err)
{
	const struct bind b[] = { B_INT(before(now, gone_ns)) };
	int more;

	do {
		/* The rows must go for the count to change, and the count tells whose they were. */
		int r = db_run(&s->state,
			       "UPDATE image SET is_moved = 1 WHERE id IN (SELECT image FROM image_use WHERE ended > 0"
			       " AND ended <= ?)",
			       b, 1, err);

		if (r >= 0)
			r = db_run(&s->state, "DELETE FROM image_use WHERE ended > 0 AND ended <= ?", b, 1, err);
		more = r < 0 ? r
			     : recount_all(s,
					   "SELECT id FROM image i WHERE is_moved = 1 AND (hosts <> (SELECT count(*) FROM"
					   " image_use u WHERE u.image = i.id) OR containers <> (SELECT count(*) FROM"
					   " container_use c WHERE c.image = i.id))",
					   NULL, 0, err);
	} while (more > 0);
	return more;
}

/* What alerts say of hosts and containers follows once a minute, not at every start of a container. */
static int moved_due(struct store *s, struct err *err)
{
	int r = db_run(&s->state,
		       "UPDATE vuln SET is_due = 1 WHERE id IN (SELECT va.vuln FROM image i JOIN vuln_alert va ON"
		       " va.image = i.id WHERE i.is_moved = 1)",
		       NULL, 0, err);

	return r < 0 ? r : db_run(&s->state, "UPDATE image SET is_moved = 0 WHERE is_moved = 1", NULL, 0, err);
}

static int forget_used(struct store *s, uint64_t now, struct err *err)
{
	return DB_RUN(&s->state, err, "DELETE FROM package_use WHERE last < ?", B_INT(before(now, used_for_ns)));
}

/* An image without an inventory is only a name: it goes sooner. */
static int drop_images(struct store *s, uint64_t now, uint64_t keep_ns, uint64_t *ret, struct err *err)
{
	enum { BITE = 1000 };
	int r = 0;

	*ret = 0;
	for (unsigned i = 0; i < BITE && r >= 0; i++) {
		int64_t image;
		static const char *const tables[] = {
			"DELETE FROM image_layer WHERE image = ?", "DELETE FROM image_digest WHERE image = ?",
			"DELETE FROM package_use WHERE image = ?", "DELETE FROM base_image WHERE image = ?",
			"DELETE FROM image WHERE id = ?",
		};

		r = DB_NUMBER(&s->state, &image, err,
			      "SELECT id FROM image i WHERE seen < ?1 AND (seen < ?2 OR length(sha256) = 0) AND NOT"
			      " EXISTS (SELECT 1 FROM image_use u WHERE u.image = i.id) ORDER BY seen LIMIT 1",
			      B_INT(before(now, hour_ns)), B_INT(before(now, keep_ns)));
		if (r < 0 || !image)
			break;
		r = vulns_due_of_image(s, image, err);
		for (size_t t = 0; t < ARRAY_LEN(tables) && r >= 0; t++)
			r = DB_RUN(&s->state, err, tables[t], B_INT(image));
		++*ret;
	}
	return r < 0 ? r : numbers_add(s, "images.dropped", *ret, err);
}

/* Looking for what nobody has any more reads whole tables: only when there is reason to, else each hour. */
static int prune(struct store *s, struct err *err)
{
	enum { BITE = 2000 };
	uint64_t now = clock_boot_ns(s->clk);

	if (!s->must_prune_images && now - s->images_pruned_boot_ns < hour_ns)
		return 0;
	int r = packages_prune(s, BITE, err);
	if (r < 0)
		return r;
	s->must_prune_images = r > 0;
	s->images_pruned_boot_ns = now;
	return vulns_prune(s, BITE, err);
}

static int tidy(struct store *s, const struct store_images_tidy *how, uint64_t *ret_dropped, struct err *err)
{
	uint64_t now = clock_unix_ns(s->clk);
	int r = end_silent(s, now, how->quiet_ns, err);

	if (r >= 0)
		r = end_gone(s, now, how->gone_ns, err);
	if (r >= 0)
		r = moved_due(s, err);
	if (r >= 0)
		r = forget_used(s, now, err);
	if (r >= 0)
		r = drop_images(s, now, how->keep_ns, ret_dropped, err);
	s->must_prune_images |= *ret_dropped > 0;
	return r < 0 ? r : prune(s, err);
}

int store_images_tidy(struct store *s, const struct store_images_tidy *how, uint64_t *ret_dropped,
		      struct err *err)
{
	bool is_own;
	int r = store_own_begin(s, &is_own, err);

	return r < 0 ? r : store_own_end(s, is_own, tidy(s, how, ret_dropped, err), err);
}
