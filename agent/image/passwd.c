/* passwd.c - see passwd.h.
 *
 * Engines read it by themselves, and generously: what is no number is 0, so that "app:x:none:0" is root; so is a line
 * that ends after its name. The first line of a name counts. */
#include "agent/image/passwd.h"

#include "common/text.h"

static struct slice field(struct slice line, unsigned which)
{
	struct slice f = SLICE_NONE;

	for (unsigned i = 0; i <= which; i++)
		if (!slice_split(&line, ':', &f))
			return SLICE_NONE;
	return f;
}

/* "0", "+00", "-0", "", "x"; "18446744073709551616" is refused there, and nobody's. */
static bool is_zero(struct slice s)
{
	bool has_digit = false, is_zero = true;

	if (s.n && (s.p[0] == '+' || s.p[0] == '-'))
		s = slice_sub(s, 1, s.n);
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return true;
		has_digit = true;
		is_zero &= s.p[i] == '0';
	}
	return !has_digit || is_zero;
}

static bool is_first(struct slice before, struct slice name)
{
	struct slice line;

	while (slice_split(&before, '\n', &line))
		if (slice_eq(field(slice_trim(line), 0), name))
			return false;
	return true;
}

void passwd_roots(struct slice text, struct buf *out)
{
	struct slice rest = text, line;
	size_t count = 0;

	while (count < PASSWD_ROOTS && slice_split(&rest, '\n', &line)) {
		struct slice name = field(slice_trim(line), 0);

		if (!name.n || name.n > PASSWD_NAME_BYTES || !text_is_clean(name) || !is_zero(field(slice_trim(line), 2)))
			continue;
		count++; /* also of those that come too late: what this costs is bounded by it */
		if (!is_first(slice_from(text.p, (size_t)(line.p - text.p)), name))
			continue;
		buf_add_slice(out, name);
		buf_add_char(out, '\n');
	}
}
