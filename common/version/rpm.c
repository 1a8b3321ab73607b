/* rpm.c - [epoch:]version[-release], ordered as rpm does. */
#include "common/version/version_priv.h"

enum { EPOCH, VERSION, RELEASE };
enum { HAS_EPOCH = 1, HAS_RELEASE = 2 }; /* kind */

size_t rpm_parse(struct version *v)
{
	const char *p = v->text.p, *end = p + v->text.n;
	const char *dash = NULL, *start = version_skip_digits(p, end);
	size_t wrong = version_check_visible(v->text);

	if (wrong)
		return wrong;
	if (start < end && *start == ':') {
		version_set(v, EPOCH, 0, (size_t)(start - p));
		v->kind = HAS_EPOCH;
		start++;
	} else {
		start = p;
	}
	for (const char *q = start; q < end; q++)
		if (*q == '-')
			dash = q;
	if (dash) {
		version_set(v, RELEASE, (size_t)(dash + 1 - p), v->text.n);
		v->kind |= HAS_RELEASE;
		end = dash;
	}
	if (start == end)
		return (size_t)(start - p) + 1;
	version_set(v, VERSION, (size_t)(start - p), (size_t)(end - p));
	return 0;
}

static const char *skip_separators(const char *p, const char *end)
{
	while (p < end && !version_is_alnum(*p) && *p != '~' && *p != '^')
		p++;
	return p;
}

/* Both stand on "~" or "^", or one does and that decides; the caller has skipped separators.
 * "~" is before the end, "^" after it and before all else. */
static bool decide_mark(const char **a, const char *a_end, const char **b, const char *b_end, int *ret)
{
	char x = 0, y = 0;

	if (*a < a_end)
		x = **a;
	if (*b < b_end)
		y = **b;
	if (x == '~' || y == '~') {
		*ret = (y == '~') - (x == '~');
	} else if (x == '^' || y == '^') {
		*ret = x == y ? 0 : x == '^' ? (y ? -1 : 1) : (x ? 1 : -1);
	} else {
		return false;
	}
	if (!*ret) {
		++*a;
		++*b;
	}
	return true;
}

static struct slice take_letters(const char **p, const char *end)
{
	const char *start = *p;

	while (*p < end && version_is_letter(**p))
		++*p;
	return slice_from(start, (size_t)(*p - start));
}

/* Runs of digits and of letters by turns; digits are newer than letters. */
static int text_order(struct slice s, struct slice t)
{
	const char *a = s.p, *a_end = s.p + s.n, *b = t.p, *b_end = t.p + t.n;
	int r = 0;

	for (;;) {
		a = skip_separators(a, a_end);
		b = skip_separators(b, b_end);
		if (decide_mark(&a, a_end, &b, b_end, &r)) {
			if (r)
				return r;
			continue;
		}
		if (a == a_end || b == b_end)
			return (a < a_end) - (b < b_end);
		if (version_is_digit(*a) != version_is_digit(*b))
			return version_is_digit(*a) ? 1 : -1;
		if (version_is_digit(*a)) {
			r = version_digits_order(&a, a_end, &b, b_end);
		} else {
			struct slice x = take_letters(&a, a_end);

			r = version_bytes_order(x, take_letters(&b, b_end));
		}
		if (r)
			return r;
	}
}

int rpm_order(const struct version *a, const struct version *b)
{
	int r = version_number_order(version_part(a, EPOCH), version_part(b, EPOCH));

	if (!r)
		r = text_order(version_part(a, VERSION), version_part(b, VERSION));
	if (r)
		return r;
	if ((a->kind & HAS_RELEASE) != (b->kind & HAS_RELEASE))
		return a->kind & HAS_RELEASE ? 1 : -1;
	return text_order(version_part(a, RELEASE), version_part(b, RELEASE));
}

/* "5.el8.0.0" is what some advisories write for "5.el8". */
static struct slice without_zeros(struct slice release)
{
	while (slice_ends(release, SLICE_LIT(".0")))
		release.n -= 2;
	return release;
}

/* A person's range: an epoch counts where both name one, zeros at the release's end never. */
int rpm_order_loose(const struct version *a, const struct version *b)
{
	int r = 0;

	if (a->kind & b->kind & HAS_EPOCH)
		r = version_number_order(version_part(a, EPOCH), version_part(b, EPOCH));
	if (!r)
		r = text_order(version_part(a, VERSION), version_part(b, VERSION));
	if (r)
		return r;
	return text_order(without_zeros(version_part(a, RELEASE)), without_zeros(version_part(b, RELEASE)));
}
