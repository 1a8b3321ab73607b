/* data.c - the vulnerability database as it is read here: opened, watched for a newer generation, and its age.
 *
 * Imports are other processes. This one only sees that the generation went on, asks what changed, and makes the
 * packages of those names due. The generation that is marked through is remembered, so a kill in the middle
 * marks again. */
#include <errno.h>
#include <inttypes.h>

#include "collector/vuln/vuln_priv.h"
#include "common/file.h"
#include "common/log.h"

enum { LOOK_EVERY_MS = 1000, KEY_BYTES_MAX = 16384, CHANGED_ARENA_BYTES = 32 * 1024 * 1024 };
static const uint64_t ms_ns = 1000000;

/* Of the last generation whose changes are marked, and the file it was in. */
static const char marked_generation[] = "vulndb.generation", marked_inode[] = "vulndb.inode";
/* Since when there is none, and the alert that says so. */
static const char missing_since[] = "vulndb.missing_since", stale_alert[] = "vulndb.stale_alert";

static void close_db(struct data *d, const char *why)
{
	vulndb_close(d->db);
	d->db = NULL;
	d->info = (struct vulndb_info){ 0 };
	slice_copy(slice_of(why), d->why_not, sizeof(d->why_not));
}

void data_give_up(struct vuln *v, const char *why)
{
	struct stat st;

	LOG(ERROR, "vuln.database", KV_STR("path", v->cfg->db_path), KV_STR("why", why));
	if (stat(v->cfg->db_path, &st) == 0)
		v->data.failed_mtime = st.st_mtim;
	close_db(&v->data, why);
}

void data_fini(struct data *d)
{
	vulndb_close(d->db);
	arena_free(d->changed_arena);
	*d = (struct data){ 0 };
}

static int open_db(struct vuln *v, struct err *err)
{
	CLEANUP(buf_finip) struct buf key = { 0 };
	bool is_signed = v->cfg->public_key_file && v->cfg->public_key_file[0];
	int r = 0;

	if (is_signed)
		r = file_read(v->cfg->public_key_file, KEY_BYTES_MAX, &key, err);
	return r < 0 ? r : vulndb_open(v->cfg->db_path, is_signed ? key.p : NULL, &v->data.db, err);
}

static void try_open(struct vuln *v, const struct stat *st)
{
	struct data *d = &v->data;
	struct err err = { 0 };

	/* An unusable file is tried again when it has changed, and logged once. */
	if (d->failed_mtime.tv_sec == st->st_mtim.tv_sec && d->failed_mtime.tv_nsec == st->st_mtim.tv_nsec)
		return;
	if (open_db(v, &err) < 0) {
		LOG(ERROR, "vuln.database", KV_STR("path", v->cfg->db_path), KV_STR("why", err.msg));
		d->failed_mtime = st->st_mtim;
		close_db(d, err.msg);
		return;
	}
	d->inode = st->st_ino;
	d->failed_mtime = (struct timespec){ 0 };
	d->why_not[0] = '\0';
}

/* ---- what changed ---- */

static int add_changed(void *arg, struct slice ecosystem, struct slice name)
{
	struct data *d = arg;
	char *e, *n;

	if (d->is_all)
		return 0;
	if (d->changed_count == VULN_CHANGED_MAX) {
		d->is_all = true;
		return 0;
	}
	e = arena_dup(d->changed_arena, ecosystem);
	n = arena_dup(d->changed_arena, name);
	if (!e || !n) {
		d->is_all = true; /* more than can be kept: everything is looked at */
		return 0;
	}
	d->changed[d->changed_count++] = (struct changed){ slice_from(e, ecosystem.n), slice_from(n, name.n) };
	return 0;
}

static int read_changes(struct vuln *v, uint64_t since, bool is_other_file, struct err *err)
{
	struct data *d = &v->data;
	bool everything = false;

	arena_reset(d->changed_arena);
	d->changed = arena_zalloc(d->changed_arena, VULN_CHANGED_MAX, sizeof(*d->changed));
	if (!d->changed)
		return err_set(err, ENOMEM, "vulnerability data");
	d->changed_count = d->changed_at = 0;
	/* Another file's generations tell another story. */
	d->is_all = is_other_file || since > d->info.generation || !since;
	if (!d->is_all) {
		int r = vulndb_changed(d->db, since, &everything, add_changed, d, err);
		if (r < 0)
			return r;
		d->is_all |= everything;
	}
	d->is_marking = true;
	LOG(INFO, "vuln.data", KV_U64("generation", d->info.generation), KV_U64("before", since),
	    KV_U64("names", d->is_all ? 0 : d->changed_count), KV_STR("looks_at", d->is_all ? "all" : "changed"));
	return 0;
}

static int look_for_changes(struct vuln *v, struct err *err)
{
	struct data *d = &v->data;
	uint64_t since, inode, generation;
	int r = vulndb_generation(d->db, &generation, err);

	if (r < 0 || (d->is_marking && generation == d->info.generation))
		return r;
	/* The rest of its figures are counted, which takes a while. */
	if (!d->info.schema || generation != d->info.generation)
		r = vulndb_status(d->db, &d->info, NULL, NULL, err);
	if (r >= 0)
		r = store_number_get(v->store, marked_generation, &since, err);
	if (r >= 0)
		r = store_number_get(v->store, marked_inode, &inode, err);
	if (r < 0 || (since == d->info.generation && inode == (uint64_t)d->inode))
		return r;
	return read_changes(v, since, inode != (uint64_t)d->inode, err);
}

void data_look(struct vuln *v)
{
	struct data *d = &v->data;
	uint64_t now = clock_boot_ns(v->clk);
	struct err err = { 0 };
	struct stat st;

	if (d->looked_boot_ns && now - d->looked_boot_ns < LOOK_EVERY_MS * ms_ns)
		return;
	d->looked_boot_ns = now;
	if (!d->changed_arena)
		d->changed_arena = arena_new(CHANGED_ARENA_BYTES);
	if (stat(v->cfg->db_path, &st) < 0) {
		if (d->db || !d->why_not[0])
			close_db(d, "there is no vulnerability data yet: picket-collector feed update");
		return;
	}
	if (d->db && st.st_ino != d->inode)
		close_db(d, "replaced");
	if (!d->db)
		try_open(v, &st);
	if (d->db && d->changed_arena && look_for_changes(v, &err) < 0)
		data_give_up(v, err.msg);
}

static int mark_through(struct vuln *v, struct err *err)
{
	int r = store_number_set(v->store, marked_generation, v->data.info.generation, err);

	if (r >= 0)
		r = store_number_set(v->store, marked_inode, (uint64_t)v->data.inode, err);
	if (r >= 0) {
		v->data.is_marking = false;
		arena_reset(v->data.changed_arena);
		v->data.changed = NULL;
	}
	return r;
}

int data_mark(struct vuln *v, uint64_t until_boot_ns, struct err *err)
{
	struct data *d = &v->data;

	if (!d->db || !d->is_marking)
		return 0;
	if (d->is_all) {
		int r = store_match_all_due(v->store, err);

		return r < 0 ? r : mark_through(v, err);
	}
	while (d->changed_at < d->changed_count) {
		const struct changed *c = &d->changed[d->changed_at++];
		int r = store_match_due(v->store, c->ecosystem, c->name, err);

		if (r < 0) {
			d->changed_at = 0; /* rolled back: again from the first */
			return r;
		}
		if (d->changed_at % 64 == 0 && clock_boot_ns(v->clk) >= until_boot_ns)
			return 1;
	}
	return mark_through(v, err);
}

/* ---- its age ---- */

struct age {
	const struct vuln_config *cfg;
	uint64_t newest_unix_s, oldest_unix_s, now_unix_s;
	unsigned feeds;
};

static int on_db_feed(void *arg, const struct vulndb_feed *f)
{
	struct age *a = arg;

	a->feeds++;
	if (f->imported_unix_s > a->newest_unix_s)
		a->newest_unix_s = f->imported_unix_s;
	return 0;
}

/* The oldest success of a configured feed; those that never had one are the stale alert's. */
static int on_success(void *arg, const struct store_feed *f)
{
	struct age *a = arg;
	uint64_t at = f->succeeded_unix_ns / 1000000000;

	for (size_t i = 0; i < a->cfg->feed_count; i++)
		if (!strcmp(a->cfg->feeds[i].name, f->name) && at && (!a->oldest_unix_s || at < a->oldest_unix_s))
			a->oldest_unix_s = at;
	return 0;
}

int data_refreshed(struct vuln *v, uint64_t *ret_unix_s, struct err *err)
{
	struct data *d = &v->data;
	struct age age = { .cfg = v->cfg };
	struct vulndb_info info;
	int r = 0;

	*ret_unix_s = 0;
	if (!d->db)
		return 0;
	if (!d->imported_unix_s || d->imported_generation != d->info.generation) {
		r = vulndb_status(d->db, &info, on_db_feed, &age, err);
		d->imported_unix_s = r < 0 ? 0 : age.newest_unix_s;
		d->imported_generation = d->info.generation;
	}
	if (r >= 0)
		r = store_feeds_each(v->store, on_success, &age, err);
	*ret_unix_s = age.oldest_unix_s ? age.oldest_unix_s : d->imported_unix_s;
	return r;
}

/* A configured feed that has not been well for so long; the first one's name and error. */
struct late {
	const struct vuln *v;
	uint64_t before_unix_ns;
	unsigned seen, late;
	char first[256];
};

static int on_feed(void *arg, const struct store_feed *f)
{
	struct late *l = arg;

	for (size_t i = 0; i < l->v->cfg->feed_count; i++) {
		if (strcmp(l->v->cfg->feeds[i].name, f->name) != 0)
			continue;
		l->seen++;
		if (f->succeeded_unix_ns >= l->before_unix_ns)
			return 0;
		if (!l->late++)
			snprintf(l->first, sizeof(l->first), "%.60s%s%.150s", f->name, f->error[0] ? ": " : "", f->error);
	}
	return 0;
}

static uint64_t before(uint64_t now, uint64_t ns)
{
	return now > ns ? now - ns : 0;
}

/* Since when nothing at all is here: with images waiting for it. */
static int check_missing(struct vuln *v, uint64_t now, bool *ret_is_stale, char *detail, size_t size, struct err *err)
{
	struct store_vuln_status st;
	uint64_t since;
	int r = store_vuln_status(v->store, &st, err);

	if (r >= 0)
		r = store_number_get(v->store, missing_since, &since, err);
	if (r < 0 || !st.images_known)
		return r;
	if (!since)
		return store_number_set(v->store, missing_since, now, err);
	*ret_is_stale = since < before(now, v->cfg->stale_ms * ms_ns);
	snprintf(detail, size, "%" PRIu64 " images wait to be matched. %s", st.images_known, v->data.why_not);
	return 0;
}

static int check_feeds(struct vuln *v, uint64_t now, bool *ret_is_stale, char *detail, size_t size, struct err *err)
{
	uint64_t hours = v->cfg->stale_ms / 3600000;
	struct age age = { .cfg = v->cfg, .now_unix_s = now / 1000000000 };
	struct late late = { .v = v, .before_unix_ns = before(now, v->cfg->stale_ms * ms_ns) };
	struct vulndb_info info;
	int r = vulndb_status(v->data.db, &info, on_db_feed, &age, err);

	if (r >= 0)
		r = store_feeds_each(v->store, on_feed, &late, err);
	if (r >= 0)
		r = store_number_set(v->store, missing_since, 0, err);
	if (r < 0)
		return r;
	if (late.late) {
		*ret_is_stale = true;
		snprintf(detail, size, "%u of %zu feeds were not fetched for %" PRIu64 " h. The first: %s", late.late,
			 v->cfg->feed_count, hours, late.first);
	} else if (!late.seen && age.newest_unix_s < late.before_unix_ns / 1000000000) {
		*ret_is_stale = true;
		snprintf(detail, size, "The newest import is older than %" PRIu64 " h: picket-collector feed update, or feed import",
			 hours);
	}
	return 0;
}

int data_check_age(struct vuln *v, struct err *err)
{
	uint64_t now = clock_unix_ns(v->clk), number;
	bool is_stale = false;
	char detail[600] = "";
	int r = store_number_get(v->store, stale_alert, &number, err);

	if (r < 0 || !v->cfg->stale_ms)
		return r;
	r = v->data.db ? check_feeds(v, now, &is_stale, detail, sizeof(detail), err) :
			 check_missing(v, now, &is_stale, detail, sizeof(detail), err);
	if (r < 0 || is_stale == (number != 0))
		return r;
	int64_t alert = (int64_t)number;
	r = v->ops.on_data(v->arg, "The vulnerability data is old: new holes in images stay unseen", detail, &alert, err);
	return r < 0 ? r : store_number_set(v->store, stale_alert, is_stale ? (uint64_t)alert : 0, err);
}
