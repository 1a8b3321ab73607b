/* notify_time.c - see notify_time.h. A zone is read from its TZif file (RFC 8536): asking the C library would mean
 * changing TZ for the whole process. */
#include "collector/notify/notify_time.h"

#include <errno.h>
#include <stdlib.h>

#include "common/cleanup.h"
#include "common/file.h"
#include "common/text.h"

enum { ZONE_BYTES = 256 * 1024, TRANSITIONS_MAX = 4096, TYPES_MAX = 256, FOOTER_MAX = 128, DAY_MIN = 1440 };

/* When daylight saving time begins or ends: a rule of POSIX's TZ. */
struct rule {
	enum { RULE_MONTH, RULE_JULIAN, RULE_DAY } kind; /* Mm.w.d, Jn (no 29 February), n */
	int month, week, day;
	int32_t at_s; /* of the day, local time */
};
struct notify_zone {
	size_t count;
	int64_t *at;	  /* transitions, ascending */
	int32_t *offsets; /* from each on */
	int32_t first;	  /* before them all */
	bool has_footer, has_summer;
	int32_t std_s, dst_s;
	struct rule begin, end;
};

/* ---- days ---- */

/* Days since 1970 of a date of the Gregorian calendar. */
static int64_t days_of(int64_t year, int month, int day)
{
	year -= month <= 2;
	int64_t era = (year >= 0 ? year : year - 399) / 400;
	int64_t yoe = year - era * 400;
	int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static int64_t year_of(int64_t days)
{
	int64_t year = 1970 + days / 366; /* never too late, at most a few years early */

	while (days_of(year + 1, 1, 1) <= days)
		year++;
	while (days_of(year, 1, 1) > days)
		year--;
	return year;
}

static int weekday_of(int64_t days)
{
	return (int)(((days % 7) + 7 + 4) % 7); /* 1 January 1970 was a Thursday */
}

static bool is_leap(int64_t year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* ---- the footer: "CET-1CEST,M3.5.0,M10.5.0/3" ---- */

struct cursor {
	const char *p, *end;
};

static bool take_name(struct cursor *c)
{
	const char *from = c->p;

	if (c->p < c->end && *c->p == '<') {
		while (c->p < c->end && *c->p != '>')
			c->p++;
		return c->p < c->end && c->p++;
	}
	while (c->p < c->end && ((*c->p >= 'A' && *c->p <= 'Z') || (*c->p >= 'a' && *c->p <= 'z')))
		c->p++;
	return c->p - from >= 3;
}

static bool take_number(struct cursor *c, int max, int *ret)
{
	const char *from = c->p;
	int v = 0;

	while (c->p < c->end && *c->p >= '0' && *c->p <= '9' && c->p - from < 4)
		v = v * 10 + (*c->p++ - '0');
	*ret = v;
	return c->p > from && v <= max;
}

/* [+-]h[:m[:s]] */
static bool take_time(struct cursor *c, int32_t *ret)
{
	int sign = 1, parts[3] = { 0, 0, 0 };

	if (c->p < c->end && (*c->p == '+' || *c->p == '-'))
		sign = *c->p++ == '-' ? -1 : 1;
	for (size_t i = 0; i < 3; i++) {
		if (i && (c->p == c->end || *c->p != ':'))
			break;
		c->p += i > 0;
		if (!take_number(c, i ? 59 : 167, &parts[i]))
			return false;
	}
	*ret = sign * (parts[0] * 3600 + parts[1] * 60 + parts[2]);
	return true;
}

static bool take_rule(struct cursor *c, struct rule *ret)
{
	*ret = (struct rule){ .kind = RULE_DAY, .at_s = 7200 };
	if (c->p == c->end || *c->p++ != ',' || c->p == c->end)
		return false;
	if (*c->p == 'M') {
		ret->kind = RULE_MONTH;
		c->p++;
		if (!take_number(c, 12, &ret->month) || c->p == c->end || *c->p++ != '.' ||
		    !take_number(c, 5, &ret->week) || c->p == c->end || *c->p++ != '.' || !take_number(c, 6, &ret->day) ||
		    !ret->month || !ret->week)
			return false;
	} else {
		ret->kind = *c->p == 'J' ? RULE_JULIAN : RULE_DAY;
		c->p += *c->p == 'J';
		if (!take_number(c, 365, &ret->day) || (ret->kind == RULE_JULIAN && !ret->day))
			return false;
	}
	if (c->p < c->end && *c->p == '/') {
		c->p++;
		return take_time(c, &ret->at_s);
	}
	return true;
}

static bool read_footer(struct slice text, struct notify_zone *z)
{
	struct cursor c = { text.p, text.p + text.n };
	int32_t west;

	if (!text.n)
		return true; /* the last transition holds for ever */
	if (!take_name(&c) || !take_time(&c, &west))
		return false;
	z->has_footer = true;
	z->std_s = z->dst_s = -west;
	if (c.p == c.end)
		return true;
	if (!take_name(&c))
		return false;
	z->has_summer = true;
	z->dst_s = z->std_s + 3600;
	if (c.p < c.end && *c.p != ',') {
		if (!take_time(&c, &west))
			return false;
		z->dst_s = -west;
	}
	return take_rule(&c, &z->begin) && take_rule(&c, &z->end) && c.p == c.end;
}

/* Seconds since 1970, as the clock on the wall says them. */
static int64_t rule_time(const struct rule *r, int64_t year)
{
	int64_t days;

	if (r->kind == RULE_MONTH) {
		static const int lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
		int length = lengths[r->month - 1] + (r->month == 2 && is_leap(year));
		int64_t first = days_of(year, r->month, 1);
		int day = (r->day - weekday_of(first) + 7) % 7 + 7 * (r->week - 1);

		days = first + (day >= length ? day - 7 : day);
	} else {
		days = days_of(year, 1, 1) + r->day - (r->kind == RULE_JULIAN);
		if (r->kind == RULE_JULIAN && is_leap(year) && r->day >= 60)
			days++;
	}
	return days * 86400 + r->at_s;
}

static int32_t footer_offset(const struct notify_zone *z, int64_t unix_s)
{
	if (!z->has_summer)
		return z->std_s;
	int64_t local = unix_s + z->std_s;
	int64_t year = year_of(local >= 0 ? local / 86400 : (local - 86399) / 86400);
	int64_t begin = rule_time(&z->begin, year) - z->std_s, end = rule_time(&z->end, year) - z->dst_s;
	bool is_summer = begin < end ? unix_s >= begin && unix_s < end : unix_s >= begin || unix_s < end;

	return is_summer ? z->dst_s : z->std_s;
}

int32_t notify_zone_offset(const struct notify_zone *z, int64_t unix_s)
{
	size_t low = 0, high = z->count;

	if (!z->count || unix_s < z->at[0])
		return z->has_footer && !z->count ? footer_offset(z, unix_s) : z->first;
	if (unix_s >= z->at[z->count - 1] && z->has_footer)
		return footer_offset(z, unix_s);
	while (high - low > 1) { /* at[low] <= unix_s < at[high] */
		size_t middle = low + (high - low) / 2;

		if (z->at[middle] <= unix_s)
			low = middle;
		else
			high = middle;
	}
	return z->offsets[low];
}

/* ---- TZif ---- */

static uint64_t big(const char *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v = v << 8 | (uint8_t)p[i];
	return v;
}

struct header {
	uint64_t isut, isstd, leap, time, type, chars;
};

static bool read_header(struct slice s, struct header *ret)
{
	if (s.n < 44 || memcmp(s.p, "TZif", 4) != 0)
		return false;
	*ret = (struct header){ big(s.p + 20, 4), big(s.p + 24, 4), big(s.p + 28, 4),
				big(s.p + 32, 4), big(s.p + 36, 4), big(s.p + 40, 4) };
	return ret->time <= TRANSITIONS_MAX && ret->type >= 1 && ret->type <= TYPES_MAX && ret->chars <= ZONE_BYTES &&
	       ret->leap <= TRANSITIONS_MAX && ret->isut <= TYPES_MAX && ret->isstd <= TYPES_MAX;
}

static size_t body_bytes(const struct header *h, size_t wide)
{
	return h->time * (wide + 1) + h->type * 6 + h->chars + h->leap * (wide + 4) + h->isstd + h->isut;
}

static int read_body(struct slice s, const struct header *h, struct notify_zone *z, struct err *err)
{
	const char *times = s.p, *kinds = times + 8 * h->time, *types = kinds + h->time;

	z->first = (int32_t)big(types, 4);
	for (size_t i = 0; i < h->time; i++) {
		uint8_t kind = (uint8_t)kinds[i];

		if (kind >= h->type)
			return err_set(err, ERR_SYNTAX, "a transition to no type");
		z->at[i] = (int64_t)big(times + 8 * i, 8);
		z->offsets[i] = (int32_t)big(types + 6 * (size_t)kind, 4);
		if (i && z->at[i] <= z->at[i - 1])
			return err_set(err, ERR_SYNTAX, "transitions out of order");
		if (z->offsets[i] < -100000 || z->offsets[i] > 100000)
			return err_set(err, ERR_SYNTAX, "an offset of more than a day");
	}
	z->count = h->time;
	return z->first < -100000 || z->first > 100000 ? err_set(err, ERR_SYNTAX, "an offset of more than a day") : 0;
}

int notify_zone_parse(struct slice tzif, struct arena *a, struct notify_zone **ret, struct err *err)
{
	struct notify_zone *z = arena_zalloc(a, 1, sizeof(*z));
	struct header h;

	if (!z)
		return err_set(err, ENOMEM, "time zone");
	if (!read_header(tzif, &h) || tzif.n < 44 + body_bytes(&h, 4) || (uint8_t)tzif.p[4] < '2')
		return err_set(err, ERR_SYNTAX, "no TZif file of version 2 or later");
	tzif = slice_sub(tzif, 44 + body_bytes(&h, 4), tzif.n);
	if (!read_header(tzif, &h) || tzif.n < 44 + body_bytes(&h, 8))
		return err_set(err, ERR_SYNTAX, "a TZif file that is cut off");
	z->at = arena_zalloc(a, h.time + 1, sizeof(*z->at));
	z->offsets = arena_zalloc(a, h.time + 1, sizeof(*z->offsets));
	if (!z->at || !z->offsets)
		return err_set(err, ENOMEM, "time zone");
	int r = read_body(slice_sub(tzif, 44, tzif.n), &h, z, err);
	if (r < 0)
		return r;
	struct slice footer = slice_sub(tzif, 44 + body_bytes(&h, 8), tzif.n);
	if (footer.n < 2 || footer.p[0] != '\n')
		return err_set(err, ERR_SYNTAX, "a TZif file without its last line");
	footer = slice_sub(footer, 1, footer.n);
	ptrdiff_t end = slice_find_char(footer, '\n');
	if (end < 0 || end > FOOTER_MAX || !read_footer(slice_sub(footer, 0, (size_t)end), z))
		return err_set(err, ERR_SYNTAX, "a TZif file with a wrong last line");
	*ret = z;
	return 0;
}

static int open_fixed(const char *name, struct arena *a, struct notify_zone **ret, struct err *err)
{
	struct cursor c = { name, name + strlen(name) };
	struct notify_zone *z = arena_zalloc(a, 1, sizeof(*z));

	if (!z)
		return err_set(err, ENOMEM, "time zone");
	if (name[0] && strcmp(name, "UTC") != 0 && (!take_time(&c, &z->first) || c.p != c.end || abs(z->first) > 14 * 3600))
		return err_set(err, ERR_SYNTAX, "time_zone: '%.40s' is neither +HH:MM nor a name", name);
	*ret = z;
	return 0;
}

int notify_zone_open(const char *name, struct arena *a, struct notify_zone **ret, struct err *err)
{
	CLEANUP(buf_finip) struct buf text = { 0 };
	char path[256];

	if (!name[0] || !strcmp(name, "UTC") || name[0] == '+' || name[0] == '-')
		return open_fixed(name, a, ret, err);
	for (const char *p = name; *p; p++)
		if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/", *p) || p - name > 60)
			return err_set(err, ERR_SYNTAX, "time_zone: '%.40s' is no name of a time zone", name);
	snprintf(path, sizeof(path), "/usr/share/zoneinfo/%s", name);
	int r = name[0] == '/' ? -ENOENT : file_read(path, ZONE_BYTES, &text, err);
	if (r < 0)
		return err_set(err, ERR_SYNTAX, "time_zone: this machine knows no '%.60s' (package tzdata)", name);
	r = notify_zone_parse(buf_slice(&text), a, ret, err);
	return r < 0 ? err_wrap(err, r, "time_zone: %s", path) : 0;
}

/* ---- schedules ---- */

static const char *const day_names[] = { "sun", "mon", "tue", "wed", "thu", "fri", "sat" };

static int day_of(struct slice s)
{
	for (int i = 0; i < 7; i++)
		if (slice_is(s, day_names[i]))
			return i;
	return -1;
}

/* "mon-fri", "sat,sun" */
static bool read_days(struct slice s, uint8_t *ret)
{
	struct slice part, first;

	*ret = 0;
	while (slice_split(&s, ',', &part)) {
		bool is_range = slice_find_char(part, '-') >= 0;

		if (!slice_split(&part, '-', &first))
			return false;
		int from = day_of(first), to = is_range ? day_of(part) : from;
		if (from < 0 || to < 0)
			return false;
		for (int d = from;; d = (d + 1) % 7) {
			*ret |= (uint8_t)(1U << d);
			if (d == to)
				break;
		}
	}
	return *ret != 0;
}

static bool read_clock(struct slice s, uint16_t *ret)
{
	uint64_t h, m;

	if (s.n != 5 || s.p[2] != ':' || !slice_to_u64(slice_sub(s, 0, 2), &h) || !slice_to_u64(slice_sub(s, 3, 2), &m) ||
	    h > 24 || m > 59 || h * 60 + m > DAY_MIN)
		return false;
	*ret = (uint16_t)(h * 60 + m);
	return true;
}

static bool read_date(struct slice s, int32_t *ret)
{
	uint64_t unix_ns;
	char full[32];

	if (s.n != 10)
		return false;
	snprintf(full, sizeof(full), "%.10sT00:00:00Z", s.p);
	if (!text_time_parse(slice_of(full), &unix_ns))
		return false;
	*ret = (int32_t)(unix_ns / 1000000000 / 86400);
	return true;
}

static bool read_span(struct slice s, struct notify_span *ret)
{
	ptrdiff_t dots = slice_find(s, SLICE_LIT("..")), blank = slice_find_char(s, ' ');
	bool has_clock = slice_find_char(s, ':') >= 0;

	*ret = (struct notify_span){ .days = 0x7f, .to_min = DAY_MIN };
	if (dots >= 0) {
		ret->days = 0;
		return read_date(slice_sub(s, 0, (size_t)dots), &ret->first_day) &&
		       read_date(slice_sub(s, (size_t)dots + 2, s.n), &ret->last_day) && ret->first_day <= ret->last_day;
	}
	if (blank >= 0 || !has_clock) {
		struct slice days = blank >= 0 ? slice_sub(s, 0, (size_t)blank) : s;

		if (!read_days(days, &ret->days))
			return false;
		s = blank >= 0 ? slice_trim(slice_sub(s, (size_t)blank, s.n)) : SLICE_NONE;
	}
	if (!s.n)
		return !has_clock;
	return s.n == 11 && s.p[5] == '-' && read_clock(slice_sub(s, 0, 5), &ret->from_min) &&
	       read_clock(slice_sub(s, 6, 5), &ret->to_min) && ret->from_min < DAY_MIN;
}

int notify_schedule_add(struct notify_schedule *s, const char *text, struct err *err)
{
	if (s->count == NOTIFY_SPANS)
		return err_set(err, ERR_LIMIT, "more than %d times", NOTIFY_SPANS);
	if (!read_span(slice_trim(slice_of(text)), &s->spans[s->count]))
		return err_set(err, ERR_SYNTAX,
			       "'%.60s' is no time: \"mon-fri 08:00-18:00\", \"22:00-06:00\", \"sat,sun\", \"2026-12-24..2026-12-26\"",
			       text);
	s->count++;
	return 0;
}

static bool span_covers(const struct notify_span *x, int64_t day, unsigned minute)
{
	unsigned today = 1U << weekday_of(day), yesterday = 1U << weekday_of(day - 1);

	if (!x->days)
		return day >= x->first_day && day <= x->last_day;
	if (x->to_min > x->from_min)
		return (x->days & today) && minute >= x->from_min && minute < x->to_min;
	return ((x->days & today) && minute >= x->from_min) || ((x->days & yesterday) && minute < x->to_min);
}

bool notify_schedule_covers(const struct notify_schedule *s, const struct notify_zone *z, uint64_t unix_ns)
{
	int64_t unix_s = (int64_t)(unix_ns / 1000000000), local = unix_s + notify_zone_offset(z, unix_s);
	int64_t day = local >= 0 ? local / 86400 : (local - 86399) / 86400;

	for (size_t i = 0; i < s->count; i++)
		if (span_covers(&s->spans[i], day, (unsigned)(local - day * 86400) / 60))
			return true;
	return false;
}

uint64_t notify_schedule_next(const struct notify_schedule *hours, const struct notify_schedule *mute,
			      const struct notify_zone *z, uint64_t now_unix_ns)
{
	const uint64_t minute_ns = 60ull * 1000000000;
	uint64_t t = now_unix_ns, end = now_unix_ns + 10ull * DAY_MIN * minute_ns;

	/* Minute by minute: 14,400 looks at most, a millisecond or two, and no case of its own for each kind of gap. */
	while (t < end && ((hours->count && !notify_schedule_covers(hours, z, t)) || notify_schedule_covers(mute, z, t)))
		t = (t / minute_ns + 1) * minute_ns;
	return t;
}
