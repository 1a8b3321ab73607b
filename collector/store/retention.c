/* retention.c - what goes, and when: parts of days by the age of their class, whole days when all of it is old,
 * and what is nearest to its end when there is too much. What goes is written down first, signed, so that the
 * chains go on behind it. */
#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <time.h>

#include "collector/store/history_priv.h"
#include "common/file.h"

/* At a time, so that batches don't wait: an unlink of a part takes some 10 ms. */
enum { DROPS_AT_ONCE = 4, FILES_MAX = 65536 };
static const uint64_t day_s = 24 * 3600, for_ever_days = 36500, minute_boot_ns = 60ull * 1000000000;

struct kept_file {
	uint32_t date;
	unsigned class_no, part; /* part 0: the day's database */
	uint64_t bytes, age_days;
};
struct files {
	struct store *s;
	struct kept_file *rows;
	size_t count, size;
	uint64_t bytes, now_s;
	struct err why; /* of what went wrong while listing */
};

static uint64_t day_of(uint32_t date)
{
	struct tm tm = { .tm_year = (int)(date / 10000) - 1900,
			 .tm_mon = (int)(date / 100 % 100) - 1,
			 .tm_mday = (int)(date % 100) };
	time_t t = timegm(&tm);

	return t > 0 ? (uint64_t)t / day_s : 0;
}

static int add_file(struct files *f, uint32_t date, unsigned class_no, unsigned part, uint64_t bytes)
{
	uint64_t today = f->now_s / day_s, day = day_of(date);

	if (f->count == f->size) {
		size_t size = f->size ? f->size * 2 : 256;
		struct kept_file *grown = size > FILES_MAX ? NULL : realloc(f->rows, size * sizeof(*grown));
		if (!grown)
			return err_set(&f->why, ENOMEM, "retention");
		f->rows = grown;
		f->size = size;
	}
	f->rows[f->count++] = (struct kept_file){ date, class_no, part, bytes, today > day ? today - day : 0 };
	f->bytes += bytes;
	return 0;
}

static uint64_t size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) < 0 ? 0 : (uint64_t)st.st_size;
}

static int add_part(void *arg, const struct part_file *p)
{
	return add_file(arg, p->date, p->class_no, p->part, size_of(p->path));
}

static int list_files(struct files *f, struct err *err)
{
	struct store *s = f->s;
	uint32_t dates[DAYS_MAX];
	char path[PATH_MAX], wal[PATH_MAX];
	size_t count;
	int r = history_dates(s, dates, &count, err);

	for (size_t i = 0; r >= 0 && i < count; i++) {
		r = history_day_path(s, dates[i], "", path, err);
		if (r >= 0)
			r = history_day_path(s, dates[i], "-wal", wal, err);
		if (r >= 0)
			r = add_file(f, dates[i], CLASS_MIXED, 0, size_of(path) + size_of(wal));
	}
	if (r >= 0)
		r = parts_each(s, 0, add_part, f, &f->why);
	if (r < 0 && f->why.code && err)
		*err = f->why;
	return r;
}

static uint64_t limit_of(const struct store *s, unsigned class_no)
{
	uint64_t most = 0;

	if (class_no != CLASS_MIXED)
		return s->class_days[class_no - 1] ? s->class_days[class_no - 1] : for_ever_days;
	for (size_t i = 0; i < ARRAY_LEN(s->class_days); i++) {
		if (!s->class_days[i])
			return for_ever_days;
		most = s->class_days[i] > most ? s->class_days[i] : most;
	}
	return most;
}

/* ---- what goes is written down ---- */

static bool is_beyond_noting(int r)
{
	return r == -ENOENT || r == -ERR_CORRUPT || r == -ERR_VERSION;
}

static int note_base(struct store *s, const char *agent, unsigned class_no, const struct chain_value *v,
		     struct err *err)
{
	uint8_t base[CHAIN_BYTES];
	struct slice hash = slice_from(v->hash, CHAIN_BYTES);

	chain_sign(s->history->key, "base", agent, class_no, v, base);
	/* a kill may have left the head behind the day */
	int r = history_head_raise(s, agent, class_no, v, err);
	if (r < 0)
		return r;
	return DB_RUN(&s->state, err,
		      "UPDATE history_chain SET base = ?3, base_hash = ?4, base_mac = ?5"
		      " WHERE agent = ?1 AND class = ?2 AND base < ?3",
		      B_STR(agent), B_INT(class_no), B_INT(v->count), B_BLOB(hash),
		      B_BLOB(slice_from(base, sizeof(base))));
}

static int note_bases(struct store *s, uint32_t date, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	struct day *day;
	int r = history_day(s, date, false, &day, err);

	if (r >= 0)
		r = db_prepare(&day->db, "SELECT agent, class, count, hash FROM chain", NULL, 0, &st, err);
	while (r >= 0 && (r = db_step(&day->db, st, err)) > 0) {
		struct chain_value v = { .count = db_u64(st, 2) };
		struct slice hash = db_blob(st, 3);
		unsigned class_no = (unsigned)db_u64(st, 1);

		if (hash.n != CHAIN_BYTES || class_no >= CLASS_COUNT)
			continue;
		memcpy(v.hash, hash.p, CHAIN_BYTES);
		r = note_base(s, db_text(st, 0), class_no, &v, err);
	}
	/* What can't be read can't be noted, but is not kept for that: verify tells of the hole. */
	return is_beyond_noting(r) ? 0 : r;
}

static int note_day(struct store *s, uint32_t date, const char *why, struct err *err)
{
	struct chain_value v = { .count = clock_unix_ns(s->clk) };
	uint8_t mac[CHAIN_BYTES];
	char subject[16];
	bool is_own;

	snprintf(subject, sizeof(subject), "%u", date);
	chain_sign(s->history->key, "dropped", subject, 0, &v, mac);
	int r = store_own_begin(s, &is_own, err);
	if (r < 0)
		return r;
	r = note_bases(s, date, err);
	if (r >= 0)
		r = DB_RUN(&s->state, err,
			   "INSERT INTO history_day(date, begun, dropped, why, mac) VALUES (?1,0,?2,?3,?4)"
			   " ON CONFLICT(date) DO UPDATE SET dropped = ?2, why = ?3, mac = ?4",
			   B_INT(date), B_INT(v.count), B_STR(why), B_BLOB(slice_from(mac, sizeof(mac))));
	return store_own_end(s, is_own, r, err);
}

static int remove_file(const char *path, struct err *err)
{
	if (unlink(path) == 0 || errno == ENOENT)
		return 0;
	return err_set(err, errno, "drop '%s'", path);
}

static int remove_part(void *arg, const struct part_file *f)
{
	return remove_file(f->path, arg);
}

/* What goes need not be written back from its journal first: that took longer than all else. */
static void forget_journal(struct store *s, uint32_t date)
{
	struct day *day;

	if (history_day(s, date, false, &day, NULL) >= 0)
		sqlite3_db_config(day->db.h, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
}

static int drop_day(struct store *s, uint32_t date, const char *why, struct err *err)
{
	static const char *const suffixes[] = { "-wal", "-shm", "" };
	int r = note_day(s, date, why, err);
	struct err text;

	if (r < 0)
		return r;
	forget_journal(s, date);
	history_day_close(s->history, date);
	r = parts_each(s, date, remove_part, &text, &text);
	if (r < 0) {
		if (err)
			*err = text;
		return r;
	}
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		char path[PATH_MAX];

		r = history_day_path(s, date, suffixes[i], path, err);
		if (r >= 0)
			r = remove_file(path, err);
		if (r < 0)
			return r;
	}
	s->history->noted_date = 0;
	return 0;
}

static int drop_part(struct store *s, const struct kept_file *f, const char *why, struct err *err)
{
	struct chain_value at = { .count = clock_unix_ns(s->clk) };
	uint8_t mac[CHAIN_BYTES];
	char subject[64], path[PATH_MAX];
	struct day *day;
	int r = history_day(s, f->date, false, &day, err);

	if (r >= 0)
		r = parts_fold(s, day, f->class_no, f->part, &at, err);
	snprintf(subject, sizeof(subject), "%u.%u", f->date, f->part);
	chain_sign(s->history->key, "part", subject, f->class_no, &at, mac);
	/* What was said first stands: a file put in its place must not sign for other blocks. */
	if (r >= 0)
		r = DB_RUN(&day->db, err, "INSERT OR IGNORE INTO part_gone(class, part, at, why, mac) VALUES (?,?,?,?,?)",
			   B_INT(f->class_no), B_INT(f->part), B_INT(at.count), B_STR(why),
			   B_BLOB(slice_from(mac, sizeof(mac))));
	/* a day that is gone, and a kill before its parts were; or one that can't be read, which verification tells of */
	if (is_beyond_noting(r))
		r = 0;
	if (r >= 0)
		r = parts_path(s, f->date, f->class_no, f->part, path, err);
	s->history->counted_count = 0;
	return r < 0 ? r : remove_file(path, err);
}

/* ---- what goes first ---- */

static bool has_parts(const struct files *f, uint32_t date)
{
	for (size_t i = 0; i < f->count; i++)
		if (f->rows[i].date == date && f->rows[i].part && f->rows[i].bytes)
			return true;
	return false;
}

/* How near to its end, in thousandths. Of two alike that which there is most of goes first. */
static uint64_t score_of(const struct store *s, const struct kept_file *f)
{
	static const unsigned ranks[CLASS_COUNT] = { 0, 2, 3, 4, 1 };

	return (f->age_days * 1000 / limit_of(s, f->class_no)) * 8 + ranks[f->class_no];
}

/* The file that goes next for the sake of room; NULL: nothing is left that may. */
static struct kept_file *choose(struct files *f, uint32_t today)
{
	struct kept_file *best = NULL;

	for (size_t i = 0; i < f->count; i++) {
		struct kept_file *k = &f->rows[i];

		if (!k->bytes || (!k->part && (k->date == today || has_parts(f, k->date))))
			continue;
		/* of one class and day the part that was begun first */
		if (!best || score_of(f->s, k) > score_of(f->s, best) ||
		    (score_of(f->s, k) == score_of(f->s, best) &&
		     (k->date < best->date || (k->date == best->date && k->part < best->part))))
			best = k;
	}
	return best;
}

static int drop(struct files *f, struct kept_file *k, const char *why, struct err *err)
{
	int r = k->part ? drop_part(f->s, k, why, err) : drop_day(f->s, k->date, why, err);

	f->bytes -= r < 0 ? 0 : k->bytes;
	k->bytes = 0; /* what can't go is not tried twice in one look */
	return r;
}

static int drop_old(struct files *f, uint32_t today, size_t *drops, struct err *err)
{
	int failed = 0;

	for (size_t i = 0; i < f->count && *drops < DROPS_AT_ONCE; i++) {
		struct kept_file *k = &f->rows[i];

		if (!k->bytes || k->date == today || k->age_days <= limit_of(f->s, k->class_no))
			continue;
		int r = drop(f, k, "age", err);
		++*drops;
		failed = r < 0 ? r : failed; /* one that can't go must not keep the others */
	}
	return failed;
}

/* What is kept free for what comes until the next look: a hundredth; under a small bound twice the most that came
 * between two of the last looks or, as long as that isn't known, what today's journal may take at once. */
static uint64_t headroom(struct history *h, uint64_t bytes, uint64_t most)
{
	static const uint64_t journal_bytes = 16 << 20;
	uint64_t came = bytes > h->looked_bytes ? bytes - h->looked_bytes : 0, fades = h->came_bytes - h->came_bytes / 8;

	h->came_bytes = !h->looked_bytes ? journal_bytes : came > fades ? came : fades;
	uint64_t room = 2 * h->came_bytes < most / 8 ? 2 * h->came_bytes : most / 8;
	return room > most / 100 ? room : most / 100;
}

static int drop_too_much(struct files *f, uint32_t today, size_t *drops, struct err *err)
{
	struct history *h = f->s->history;
	uint64_t most = f->s->history_max_bytes, want = most - headroom(h, f->bytes, most);
	int failed = 0;

	h->is_over = false;
	while (most && f->bytes > want) {
		struct kept_file *k = choose(f, today);

		if (!k)
			break;
		if (*drops >= DROPS_AT_ONCE) {
			h->is_over = true;
			break;
		}
		int r = drop(f, k, "size", err);
		*drops += r >= 0;
		failed = r < 0 ? r : failed; /* one that can't go must not keep the others */
	}
	h->looked_bytes = f->bytes;
	return failed;
}

bool store_history_is_over(const struct store *s)
{
	return s->history->is_over;
}

int history_retain(struct store *s, uint32_t today, struct err *err)
{
	struct history *h = s->history;
	struct files f = { .s = s, .now_s = clock_unix_ns(s->clk) / 1000000000 };
	uint64_t boot = clock_boot_ns(s->clk);
	size_t drops = 0;

	/* by age once a minute, or until it is done; by size each time */
	bool is_due = !h->retained_boot_ns || boot - h->retained_boot_ns >= minute_boot_ns;
	if (!is_due && !s->history_max_bytes)
		return 0;
	int r = list_files(&f, err);
	if (r >= 0 && is_due)
		r = drop_old(&f, today, &drops, err);
	if (is_due && drops < DROPS_AT_ONCE)
		h->retained_boot_ns = boot;
	if (r >= 0)
		r = drop_too_much(&f, today, &drops, err);
	free(f.rows);
	return r;
}

/* ---- forecast ---- */

/* Of the newest whole days, a week at most; else of today, as far as it is. */
static uint64_t bytes_per_day(const struct files *f, uint32_t today)
{
	uint64_t sum = 0, days = 0, now_bytes = 0;
	uint64_t passed_s = f->now_s % day_s;

	for (size_t i = 0; i < f->count; i++) {
		const struct kept_file *k = &f->rows[i];

		if (k->date == today)
			now_bytes += k->bytes;
		else if (k->age_days <= 7)
			sum += k->bytes;
		days += !k->part && k->date != today && k->age_days <= 7;
	}
	if (days)
		return sum / days;
	return passed_s < 600 ? 0 : (uint64_t)((double)now_bytes * (double)day_s / (double)passed_s);
}

/* In days, at so many bytes a day; retention by age may hold it below for ever. */
static double days_to(uint64_t have, uint64_t most, uint64_t per_day, uint64_t limit_days)
{
	if (!per_day || (limit_days != for_ever_days && (double)per_day * (double)(limit_days + 1) <= (double)most))
		return -1;
	return have >= most ? 0 : (double)(most - have) / (double)per_day;
}

int store_forecast(struct store *s, struct store_forecast *ret, struct err *err)
{
	struct files f = { .s = s, .now_s = clock_unix_ns(s->clk) / 1000000000 };
	struct store_forecast out = { .max_bytes = s->history_max_bytes };
	int r = list_files(&f, err);

	for (size_t i = 0; r >= 0 && i < f.count; i++) {
		const struct kept_file *k = &f.rows[i];
		unsigned c = k->class_no - 1;

		if (!k->part || k->class_no == CLASS_MIXED)
			continue;
		out.classes[c].bytes += k->bytes;
		if (!out.classes[c].oldest || k->date < out.classes[c].oldest)
			out.classes[c].oldest = k->date;
	}
	if (r >= 0)
		r = file_free_bytes(s->dir, &out.free_bytes, err);
	if (r >= 0) {
		for (size_t i = 0; i < STORE_CLASSES; i++)
			out.classes[i].days = s->class_days[i];
		out.bytes = f.bytes;
		out.bytes_per_day = bytes_per_day(&f, history_date(clock_unix_ns(s->clk)));
		out.days_to_max = out.max_bytes ? days_to(out.bytes, out.max_bytes, out.bytes_per_day,
							  limit_of(s, CLASS_MIXED)) :
						  -1;
		out.days_to_full = days_to(out.bytes, out.bytes + out.free_bytes, out.bytes_per_day,
					   limit_of(s, CLASS_MIXED));
		*ret = out;
	}
	free(f.rows);
	return r < 0 ? r : 0;
}
