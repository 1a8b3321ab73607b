/* text.c - see text.h. Times, amounts, encodings; comparing is in text_match.c. */
#include "common/text.h"

#include <errno.h>
#include <sys/random.h>
#include <time.h>

static const uint64_t ns_per_s = 1000000000;

char *text_time(uint64_t unix_ns, char *dst, size_t size)
{
	time_t s = (time_t)(unix_ns / ns_per_s);
	struct tm tm;

	gmtime_r(&s, &tm);
	char day[24];
	strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(dst, size, "%s.%09uZ", day, (unsigned)(unix_ns % ns_per_s));
	return dst;
}

/* Takes exactly n digits off the front of s. */
static bool take_digits(struct slice *s, size_t n, unsigned *ret)
{
	uint64_t v;

	if (!slice_to_u64(slice_sub(*s, 0, n), &v) || s->n < n)
		return false;
	*s = slice_sub(*s, n, s->n);
	*ret = (unsigned)v;
	return true;
}

static bool take_char(struct slice *s, const char *any)
{
	if (!s->n || !s->p[0] || !strchr(any, s->p[0]))
		return false;
	*s = slice_sub(*s, 1, s->n);
	return true;
}

/* Days since 1970-01-01 in the Gregorian calendar; years from March, so that the leap day is last. */
static int64_t days_from_civil(unsigned y, unsigned m, unsigned d)
{
	int64_t year = (int64_t)y - (m <= 2);
	int64_t era = year / 400, of_era = year % 400;
	int64_t day_of_year = (153 * ((int64_t)m + (m > 2 ? -3 : 9)) + 2) / 5 + (int64_t)d - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + day_of_year - 719468;
}

static bool is_date(unsigned y, unsigned m, unsigned d)
{
	static const unsigned char lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	if (y < 1969 || m < 1 || m > 12 || d < 1)
		return false;
	bool leap = (y % 4 == 0 && y % 100) || y % 400 == 0;
	return d <= lengths[m - 1] + (unsigned)(m == 2 && leap);
}

/* ".5" is half a second; digits past the ninth are dropped. */
static bool take_fraction(struct slice *s, uint64_t *ret_ns)
{
	uint64_t scale = ns_per_s / 10;
	bool any = false;

	*ret_ns = 0;
	if (!take_char(s, "."))
		return true;
	while (s->n && s->p[0] >= '0' && s->p[0] <= '9') {
		*ret_ns += (uint64_t)(s->p[0] - '0') * scale;
		scale /= 10;
		any = true;
		*s = slice_sub(*s, 1, s->n);
	}
	return any;
}

static bool take_zone(struct slice *s, int64_t *ret_s)
{
	unsigned h, m;

	*ret_s = 0;
	if (take_char(s, "Zz"))
		return true;
	int64_t sign = s->n && s->p[0] == '-' ? -1 : 1;
	if (!take_char(s, "+-") || !take_digits(s, 2, &h) || !take_char(s, ":") ||
	    !take_digits(s, 2, &m) || h > 23 || m > 59)
		return false;
	*ret_s = sign * (int64_t)(h * 3600 + m * 60);
	return true;
}

bool text_time_parse(struct slice s, uint64_t *ret_unix_ns)
{
	unsigned y, mo, d, h, mi, sec;
	uint64_t fraction_ns;
	int64_t zone_s;

	if (!take_digits(&s, 4, &y) || !take_char(&s, "-") || !take_digits(&s, 2, &mo) ||
	    !take_char(&s, "-") || !take_digits(&s, 2, &d) || !take_char(&s, "Tt ") ||
	    !take_digits(&s, 2, &h) || !take_char(&s, ":") || !take_digits(&s, 2, &mi) ||
	    !take_char(&s, ":") || !take_digits(&s, 2, &sec))
		return false;
	/* 60 is a leap second: the clock has no name for it, so it is the next second. */
	if (!is_date(y, mo, d) || h > 23 || mi > 59 || sec > 60)
		return false;
	if (!take_fraction(&s, &fraction_ns) || !take_zone(&s, &zone_s) || s.n)
		return false;
	int64_t t = days_from_civil(y, mo, d) * 86400 + (int64_t)(h * 3600 + mi * 60 + sec) - zone_s;
	uint64_t ns;
	if (t < 0 || __builtin_mul_overflow((uint64_t)t, ns_per_s, &ns) ||
	    __builtin_add_overflow(ns, fraction_ns, &ns))
		return false;
	*ret_unix_ns = ns;
	return true;
}

struct unit {
	const char *name;
	uint64_t factor;
};

/* Digits, then one of the units; blanks between them are allowed. */
static bool amount_parse(struct slice s, const struct unit *units, size_t count, uint64_t *ret)
{
	size_t digits = 0;
	uint64_t v;

	s = slice_trim(s);
	while (digits < s.n && s.p[digits] >= '0' && s.p[digits] <= '9')
		digits++;
	if (!slice_to_u64(slice_sub(s, 0, digits), &v))
		return false;
	struct slice unit = slice_trim(slice_sub(s, digits, s.n));
	for (size_t i = 0; i < count; i++)
		if (slice_is(unit, units[i].name))
			return !__builtin_mul_overflow(v, units[i].factor, ret);
	return false;
}

bool text_duration_parse(struct slice s, uint64_t *ret_ms)
{
	static const struct unit units[] = {
		{ "", 1000 },	{ "ms", 1 },	   { "s", 1000 },      { "m", 60000 },
		{ "h", 3600000 }, { "d", 86400000 }, { "w", 604800000 },
	};

	return amount_parse(s, units, ARRAY_LEN(units), ret_ms);
}

bool text_size_parse(struct slice s, uint64_t *ret_bytes)
{
	static const struct unit units[] = {
		{ "", 1 },
		{ "B", 1 },
		{ "KiB", 1ULL << 10 },
		{ "MiB", 1ULL << 20 },
		{ "GiB", 1ULL << 30 },
		{ "TiB", 1ULL << 40 },
		{ "kB", 1000 },
		{ "KB", 1000 },
		{ "MB", 1000000 },
		{ "GB", 1000000000 },
		{ "TB", 1000000000000 },
	};

	return amount_parse(s, units, ARRAY_LEN(units), ret_bytes);
}

char *text_hex(const void *p, size_t n, char *dst)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < n; i++) {
		dst[2 * i] = "0123456789abcdef"[b[i] >> 4];
		dst[2 * i + 1] = "0123456789abcdef"[b[i] & 15];
	}
	dst[2 * n] = 0;
	return dst;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

ptrdiff_t text_unhex(struct slice s, void *dst, size_t size)
{
	uint8_t *out = dst;

	if (s.n % 2 || s.n / 2 > size)
		return -1;
	for (size_t i = 0; i < s.n / 2; i++) {
		int hi = hex_digit(s.p[2 * i]), lo = hex_digit(s.p[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return -1;
		out[i] = (uint8_t)(hi << 4 | lo);
	}
	return (ptrdiff_t)(s.n / 2);
}

size_t text_base64url(const void *p, size_t n, char *dst)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	const uint8_t *b = p;
	uint32_t bits = 0;
	unsigned held = 0;
	size_t out = 0;

	for (size_t i = 0; i < n; i++) {
		bits = (bits << 8 | b[i]) & 0xffff;
		for (held += 8; held >= 6; held -= 6)
			dst[out++] = letters[bits >> (held - 6) & 63];
	}
	if (held)
		dst[out++] = letters[bits << (6 - held) & 63];
	dst[out] = 0;
	return out;
}

static int base64url_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '-' ? 62 : c == '_' ? 63 : -1;
}

ptrdiff_t text_unbase64url(struct slice s, void *dst, size_t size)
{
	uint8_t *out = dst;
	uint32_t bits = 0;
	unsigned held = 0;
	size_t n = 0;

	if (s.n % 4 == 1)
		return -1;
	for (size_t i = 0; i < s.n; i++) {
		int v = base64url_digit(s.p[i]);

		if (v < 0)
			return -1;
		bits = (bits << 6 | (uint32_t)v) & 0xffff;
		held += 6;
		if (held < 8)
			continue;
		held -= 8;
		if (n == size)
			return -1;
		out[n++] = (uint8_t)(bits >> held);
	}
	/* Left-over bits must be 0, so that one value has one spelling (tokens are compared). */
	if (bits & ((1U << held) - 1))
		return -1;
	return (ptrdiff_t)n;
}

void text_random(void *dst, size_t n)
{
	char *p = dst;

	while (n) {
		ssize_t got = getrandom(p, n, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			abort(); /* a kernel without getrandom is none we run on; weak keys are worse */
		p += got;
		n -= (size_t)got;
	}
}

char *text_uuid(char dst[37])
{
	uint8_t b[16];
	char hex[33];

	text_random(b, sizeof(b));
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	text_hex(b, sizeof(b), hex);
	snprintf(dst, 37, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
	return dst;
}

bool text_is_uuid(struct slice s)
{
	if (s.n != 36)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? s.p[i] != '-' : hex_digit(s.p[i]) < 0)
			return false;
	}
	return true;
}
