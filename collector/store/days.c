/* days.c - the files of the history: which there are, opening, sealing when their time comes, dropping. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <time.h>

#include "collector/store/history_priv.h"
#include "collector/store/agent_silences.h"
#include "common/file.h"

static const uint64_t seal_after_ns = 10 * 60ull * 1000000000;
static const uint64_t day_ns = 24 * 3600ull * 1000000000;

uint32_t history_date(uint64_t unix_ns)
{
	time_t t = (time_t)(unix_ns / 1000000000);
	struct tm tm;

	gmtime_r(&t, &tm);
	return (uint32_t)((tm.tm_year + 1900) * 10000 + (tm.tm_mon + 1) * 100 + tm.tm_mday);
}

int history_day_path(const struct store *s, uint32_t date, const char *suffix, char dst[PATH_MAX],
		    struct err *err)
{
	char name[64];

	snprintf(name, sizeof(name), "history/%04u-%02u-%02u.db%s", date / 10000, date / 100 % 100,
		 date % 100, suffix);
	return store_path(s, name, dst, PATH_MAX, err);
}

/* "2026-11-23.db" -> 20261123; 0 for any other name. */
static uint32_t date_of_name(const char *name)
{
	static const char shape[] = "dddd-dd-dd.db";
	uint32_t date = 0;

	if (strlen(name) != sizeof(shape) - 1)
		return 0;
	for (size_t i = 0; shape[i]; i++) {
		bool is_digit = name[i] >= '0' && name[i] <= '9';

		if (shape[i] == 'd' && i < 10 ? !is_digit : name[i] != shape[i])
			return 0;
		if (is_digit)
			date = date * 10 + (uint32_t)(name[i] - '0');
	}
	return date;
}

static int order_dates(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void closedirp(DIR **d)
{
	if (*d)
		closedir(*d);
}

int history_dates(struct store *s, uint32_t *ret, size_t *ret_count, struct err *err)
{
	char path[PATH_MAX];
	size_t count = 0;
	int r = store_path(s, "history", path, sizeof(path), err);

	if (r < 0)
		return r;
	CLEANUP(closedirp) DIR *dir = opendir(path);
	if (!dir)
		return err_set(err, errno, "read '%s'", path);
	for (struct dirent *e = readdir(dir); e && count < DAYS_MAX; e = readdir(dir)) {
		uint32_t date = date_of_name(e->d_name);

		if (date)
			ret[count++] = date;
	}
	qsort(ret, count, sizeof(*ret), order_dates);
	*ret_count = count;
	return 0;
}

/* A place for one more open file: a free one, else the one longest unused. */
static struct day *choose_slot(struct history *h)
{
	struct day *oldest = NULL;

	for (size_t i = 0; i < DAYS_OPEN; i++) {
		struct day *d = &h->days[i];

		if (!d->date)
			return d;
		if (d != h->write && (!oldest || d->used < oldest->used))
			oldest = d;
	}
	db_close(&oldest->db);
	oldest->date = 0;
	return oldest;
}

int history_day(struct store *s, uint32_t date, bool create, struct day **ret, struct err *err)
{
	struct history *h = s->history;
	char path[PATH_MAX];
	struct stat st;

	for (size_t i = 0; i < DAYS_OPEN; i++)
		if (h->days[i].date == date) {
			h->days[i].used = ++h->uses;
			*ret = &h->days[i];
			return 0;
		}
	int r = history_day_path(s, date, "", path, err);
	if (r < 0)
		return r;
	bool is_new = stat(path, &st) < 0;
	if (is_new && !create)
		return err_set(err, ENOENT, "open '%s'", path);
	if (is_new) {
		r = history_take_spare(s, path, err);
		if (r < 0)
			return r;
	}
	struct day *d = choose_slot(h);
	r = db_open(path, DB_LARGE_PAGES | (create ? DB_CREATE : 0), &d->db, err);
	if (r >= 0)
		r = schema_migrate(&d->db, &schema_day, err);
	/* many are open at once, so that a search needn't open each: only today's gets the room to write in */
	if (r >= 0 && date != history_date(clock_unix_ns(s->clk)))
		r = db_exec(&d->db, "PRAGMA cache_size=-1024", err);
	if (r < 0) {
		db_close(&d->db);
		return r;
	}
	d->date = date;
	d->used = ++h->uses;
	*ret = d;
	return 0;
}

static int seal_day(struct store *s, uint32_t date, bool only_old, struct err *err)
{
	struct day *day;
	int64_t received;
	int r = history_day(s, date, false, &day, err);

	if (r == -ENOENT)
		return 0;
	if (r >= 0)
		r = db_number(&day->db, "SELECT received FROM tail ORDER BY first LIMIT 1", NULL, 0,
			      &received, err);
	if (r < 0 || !received ||
	    (only_old && (uint64_t)received + seal_after_ns > clock_unix_ns(s->clk)))
		return r;
	r = db_begin(&day->db, err);
	if (r < 0)
		return r;
	r = history_seal(s, day, true, err);
	if (r >= 0)
		r = db_commit(&day->db, err);
	if (r < 0)
		db_rollback(&day->db);
	return r;
}

void history_day_close(struct history *h, uint32_t date)
{
	for (size_t i = 0; i < DAYS_OPEN; i++)
		if (h->days[i].date == date) {
			db_close(&h->days[i].db);
			h->days[i].date = 0;
		}
}

static int tidy_old(struct store *s, uint32_t today, struct err *err)
{
	struct history *h = s->history;
	uint64_t now = clock_unix_ns(s->clk), keep_ns = s->history_days * day_ns;
	bool is_kept_for_ever = !s->history_days || keep_ns / day_ns != s->history_days || keep_ns >= now;
	uint32_t dates[DAYS_MAX];
	size_t count;
	int r = history_dates(s, dates, &count, err);

	int failed = r;
	/* One damaged file must not keep what is old for ever: each step is done, the last failure told. */
	for (size_t i = 0; r >= 0 && i < count && h->tidied_date != today; i++) {
		int one = dates[i] != today && i + 3 >= count ? seal_day(s, dates[i], false, err) : 0;

		failed = one < 0 ? one : failed;
		/* Its journal goes, and the room it had to write in. Open they stayed, for each of the days. */
		if (dates[i] != today)
			history_day_close(h, dates[i]);
	}
	/* for tomorrow; not at once after today's was taken, when everybody waits */
	r = store_has_room(s, NULL) < 0 ? 0 : store_history_prepare(s, err);
	failed = r < 0 ? r : failed;
	r = is_kept_for_ever ? 0 : containers_prune(s, now - keep_ns, err);
	failed = r < 0 ? r : failed;
	r = state_prune(s, err);
	failed = r < 0 ? r : failed;
	r = silences_alive(s, !h->tidied_boot_ns, err);
	failed = r < 0 ? r : failed;
	if (failed >= 0)
		h->tidied_date = today;
	return failed < 0 ? failed : 0;
}

int store_history_tidy(struct store *s, struct err *err)
{
	struct history *h = s->history;
	uint64_t boot = clock_boot_ns(s->clk);
	uint32_t today = history_date(clock_unix_ns(s->clk));

	if (store_in_tx(s) || h->is_asking)
		return err_set(err, EINVAL, "history: tidied inside a transaction or a query");
	bool is_new_day = h->tidied_date && today != h->tidied_date;
	int r = seal_day(s, today, true, err);
	if (r >= 0 && (today != h->tidied_date || boot - h->tidied_boot_ns >= minute_ns)) {
		r = tidy_old(s, today, err);
		h->tidied_boot_ns = boot;
	}
	/* Yesterday's last blocks are work enough for once; what is old goes with the next look. */
	int failed = r >= 0 && is_new_day ? 0 : history_retain(s, today, err);
	if (r >= 0)
		r = failed;
	return r < 0 ? err_wrap(err, r, "tidy the history") : 0;
}

/* ---- figures and copies ---- */

static int count_day(struct store *s, uint32_t date, uint64_t *ret, struct err *err)
{
	struct day *day;
	int64_t n = 0;
	int r = history_day(s, date, false, &day, err);

	if (r >= 0)
		r = db_number(&day->db,
			      "SELECT (SELECT coalesce(sum(n), 0) FROM block WHERE (class, part) NOT IN"
			      " (SELECT class, part FROM part_gone)) +"
			      " (SELECT coalesce(sum(n), 0) FROM tail)",
			      NULL, 0, &n, err);
	*ret = (uint64_t)n;
	return r == -ENOENT ? 0 : r;
}

/* Days before yesterday don't change any more and are counted once. */
static int count_day_once(struct store *s, uint32_t date, uint64_t *ret, struct err *err)
{
	struct history *h = s->history;

	for (size_t i = 0; i < h->counted_count; i++)
		if (h->counted[i].date == date) {
			*ret = h->counted[i].records;
			return 0;
		}
	int r = count_day(s, date, ret, err);
	if (r < 0 || date >= history_date(clock_unix_ns(s->clk) - day_ns))
		return r;
	if (h->counted_count == DAYS_MAX)
		h->counted_count = 0;
	h->counted[h->counted_count].date = date;
	h->counted[h->counted_count++].records = *ret;
	return 0;
}

static int add_bytes(void *arg, const struct part_file *f)
{
	struct stat st;

	if (!stat(f->path, &st))
		*(uint64_t *)arg += (uint64_t)st.st_size;
	return 0;
}

int history_status(struct store *s, uint64_t *ret_events, uint64_t *ret_bytes, struct err *err)
{
	uint32_t dates[DAYS_MAX];
	size_t count;
	int r = history_dates(s, dates, &count, err);

	*ret_events = *ret_bytes = 0;
	for (size_t i = 0; r >= 0 && i < count; i++) {
		char path[PATH_MAX];
		struct stat st;
		uint64_t n = 0;

		r = count_day_once(s, dates[i], &n, err);
		*ret_events += n;
		if (r >= 0 && history_day_path(s, dates[i], "", path, err) >= 0 && !stat(path, &st))
			*ret_bytes += (uint64_t)st.st_size;
		if (r >= 0 && history_day_path(s, dates[i], "-wal", path, err) >= 0 && !stat(path, &st))
			*ret_bytes += (uint64_t)st.st_size;
	}
	return r < 0 ? r : parts_each(s, 0, add_bytes, ret_bytes, err);
}

struct copy {
	const char *dir;
	struct err *err;
};

/* Part files only grow: what the copied rows speak of is there. */
static int copy_part(void *arg, const struct part_file *f)
{
	const struct copy *c = arg;
	const char *name = strrchr(f->path, '/');
	char to[PATH_MAX];
	int n = snprintf(to, sizeof(to), "%s%s", c->dir, name ? name : f->path);

	if (n < 0 || (size_t)n >= sizeof(to))
		return err_set(c->err, ENAMETOOLONG, "'%s'", c->dir);
	return backup_file(f->path, to, c->err);
}

int history_backup(struct store *s, const char *dir, struct err *err)
{
	uint32_t dates[DAYS_MAX];
	size_t count;
	int r = history_dates(s, dates, &count, err);

	for (size_t i = 0; r >= 0 && i < count; i++) {
		char path[PATH_MAX];
		struct day *day;
		int n = snprintf(path, sizeof(path), "%s/%04u-%02u-%02u.db", dir, dates[i] / 10000,
				 dates[i] / 100 % 100, dates[i] % 100);

		if (n < 0 || (size_t)n >= sizeof(path))
			return err_set(err, ENAMETOOLONG, "'%s'", dir);
		r = history_day(s, dates[i], false, &day, err);
		if (r == -ENOENT) { /* its time came while we copied */
			r = 0;
			continue;
		}
		if (r >= 0)
			r = backup_db(&day->db, path, err);
		struct err why;
		struct copy c = { dir, &why };
		int p = r < 0 ? 0 : parts_each(s, dates[i], copy_part, &c, &why);
		if (p < 0 && err)
			*err = why;
		r = p < 0 ? p : r;
	}
	return r;
}
