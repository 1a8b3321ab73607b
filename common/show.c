/* show.c - see show.h. */
#include "common/show.h"

#include "common/text.h"

struct range {
	uint32_t from, to;
};

/* East Asian wide and emoji; the blocks are enough for a table to line up. */
static const struct range wide[] = {
	{ 0x1100, 0x115f }, { 0x2e80, 0x303e },	  { 0x3041, 0xa4cf },	{ 0xac00, 0xd7a3 },
	{ 0xf900, 0xfaff }, { 0xfe30, 0xfe6f },	  { 0xff00, 0xff60 },	{ 0xffe0, 0xffe6 },
	{ 0x1f300, 0x1f64f }, { 0x1f900, 0x1f9ff }, { 0x20000, 0x3fffd },
};
static const struct range combining[] = {
	{ 0x0300, 0x036f }, { 0x1ab0, 0x1aff }, { 0x20d0, 0x20ff }, { 0xfe20, 0xfe2f },
};
/* What looks like nothing, and so can hide or split a name: zero-width characters, variation
 * selectors, tags, the byte order mark. */
static const struct range invisible[] = {
	{ 0x00ad, 0x00ad }, { 0x115f, 0x1160 }, { 0x180e, 0x180e }, { 0x200b, 0x200f },
	{ 0x2060, 0x206f }, { 0x3164, 0x3164 }, { 0xfe00, 0xfe0f }, { 0xfeff, 0xfeff },
	{ 0xfff9, 0xfffb }, { 0xe0000, 0xe0fff },
};

static bool is_in(uint32_t c, const struct range *r, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (c >= r[i].from && c <= r[i].to)
			return true;
	}
	return false;
}

static size_t width_of(uint32_t c)
{
	if (is_in(c, combining, ARRAY_LEN(combining)))
		return 0;
	return is_in(c, wide, ARRAY_LEN(wide)) ? 2 : 1;
}

/* One character or bad byte of s, as shown; returns the bytes of s it stands for. */
static size_t show_one(struct slice s, char dst[16], size_t *ret_n)
{
	uint32_t c;
	size_t n = text_utf8(s, &c);
	int w;

	if (!n)
		w = snprintf(dst, 16, "\\x%02x", (unsigned)(uint8_t)s.p[0]);
	else if (c == '\n' || c == '\t' || c == '\r')
		w = snprintf(dst, 16, "\\%c", c == '\n' ? 'n' : c == '\t' ? 't' : 'r');
	else if (text_is_control(c) && c < 0x100)
		w = snprintf(dst, 16, "\\x%02x", (unsigned)c);
	else if (text_is_control(c) || is_in(c, invisible, ARRAY_LEN(invisible)))
		w = snprintf(dst, 16, "\\u{%x}", (unsigned)c);
	else {
		memcpy(dst, s.p, n);
		w = (int)n;
	}
	*ret_n = (size_t)w;
	return n ? n : 1;
}

void show_text(struct buf *out, struct slice s, size_t max_chars)
{
	size_t last = out->n; /* where the character ends that is given up for the "…" */
	size_t chars = 0;

	while (s.n) {
		char one[16];
		size_t n, used = show_one(s, one, &n);
		size_t more = n > 1 && one[0] == '\\' ? n : 1;

		if (chars + more > max_chars) {
			if (!out->failed && out->n > last && chars == max_chars)
				out->n = last;
			buf_add_str(out, "…");
			return;
		}
		last = out->n;
		buf_add(out, one, n);
		chars += more;
		s = slice_sub(s, used, s.n);
	}
}

size_t show_width(struct slice s)
{
	size_t width = 0;

	while (s.n) {
		uint32_t c = 0;
		size_t n = text_utf8(s, &c);

		width += n ? width_of(c) : 1;
		s = slice_sub(s, n ? n : 1, s.n);
	}
	return width;
}

struct slice show_fit(struct slice s, size_t columns, size_t *ret_width)
{
	struct slice rest = s;
	size_t width = 0;

	while (rest.n) {
		uint32_t c = 0;
		size_t n = text_utf8(rest, &c);
		size_t w = n ? width_of(c) : 1;

		if (width + w > columns)
			break;
		width += w;
		rest = slice_sub(rest, n ? n : 1, rest.n);
	}
	*ret_width = width;
	return slice_sub(s, 0, s.n - rest.n);
}
