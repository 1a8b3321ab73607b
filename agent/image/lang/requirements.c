/* requirements.c - requirements.txt: what pip is asked to install. Only "== 1.0" says what will lie there;
 * with any other condition the package is named without a version. */
#include "agent/image/lang/give.h"
#include "agent/image/lang/lang.h"
#include "common/buf.h"

enum { LINE_MAX_BYTES = 64 << 10 };

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_name_char(char c)
{
	return is_alnum(c) || c == '-' || c == '_' || c == '.';
}

static size_t span(struct slice s, const char *chars)
{
	size_t n = 0;

	while (n < s.n && s.p[n] && strchr(chars, s.p[n]))
		n++;
	return n;
}

static size_t span_not(struct slice s, const char *chars)
{
	size_t n = 0;

	while (n < s.n && !(s.p[n] && strchr(chars, s.p[n])))
		n++;
	return n;
}

static struct slice skip(struct slice s, size_t n)
{
	return slice_trim(slice_sub(s, n, s.n));
}

/* ">= 1.0, == 1.2": the one after == if it is whole. False: this is no list of conditions. */
static bool read_conditions(struct slice s, struct slice *ret_version)
{
	while (s.n && s.p[0] != ';' && s.p[0] != '#') {
		size_t op = span(s, "=<>!~");
		struct slice operator = slice_sub(s, 0, op);

		s = skip(s, op);
		struct slice version = slice_sub(s, 0, span_not(s, " \t,;#)"));
		if (!op || !version.n || version.p[0] == '-')
			return false;
		if ((slice_is(operator, "==") || slice_is(operator, "===")) &&
		    slice_find_char(version, '*') < 0)
			*ret_version = version;
		s = skip(s, version.n);
		if (!s.n || s.p[0] != ',')
			return true; /* options, hashes, a marker */
		s = skip(s, 1);
	}
	return true;
}

bool lang_requirement(struct slice line, struct slice *ret_name, struct slice *ret_version)
{
	size_t n = 0;

	*ret_version = SLICE_NONE;
	line = slice_trim(line);
	if (!line.n || !is_alnum(line.p[0]) || slice_find(line, SLICE_LIT("${")) >= 0)
		return false;
	while (n < line.n && is_name_char(line.p[n]))
		n++;
	*ret_name = slice_sub(line, 0, n);
	line = skip(line, n);
	if (line.n && line.p[0] == '[') {
		ptrdiff_t end = slice_find_char(line, ']');
		if (end < 0)
			return false;
		line = skip(line, (size_t)end + 1);
	}
	if (line.n && line.p[0] == '(') /* "name (>=1.0)", as old metadata has it */
		line = skip(line, 1);
	return is_alnum(ret_name->p[n - 1]) && read_conditions(line, ret_version);
}

/* A line and those it goes on in, without the backslashes; in buf only when there are some. */
static bool next_line(struct slice *rest, struct buf *buf, struct slice *ret)
{
	if (!slice_split(rest, '\n', ret))
		return false;
	*ret = slice_trim(*ret);
	if (!slice_ends(*ret, SLICE_LIT("\\")) || ret->p[0] == '#')
		return true;
	buf_reset(buf);
	do {
		buf_add(buf, ret->p, ret->n - 1);
		if (!slice_split(rest, '\n', ret))
			break;
		*ret = slice_trim(*ret);
	} while (slice_ends(*ret, SLICE_LIT("\\")));
	buf_add_slice(buf, *ret);
	*ret = buf->failed ? SLICE_NONE : buf_slice(buf);
	return true;
}

static int read_lines(struct give *e, struct slice text)
{
	CLEANUP(buf_finip) struct buf buf = { 0 };
	struct slice line, name, version;
	int r = 0;

	buf_init(&buf, LINE_MAX_BYTES);
	while (!r && next_line(&text, &buf, &line))
		if (lang_requirement(line, &name, &version))
			r = give_package(e, name, version, false);
	return r;
}

/* Windows writes these in UTF-16; names and versions are ASCII, what is not becomes '?'. */
static struct slice from_utf16(struct slice text, struct buf *buf)
{
	bool is_big = slice_starts(text, SLICE_LIT("\xfe\xff"));

	if (!is_big && !slice_starts(text, SLICE_LIT("\xff\xfe")))
		return slice_starts(text, SLICE_LIT("\xef\xbb\xbf")) ? slice_sub(text, 3, text.n) : text;
	for (size_t i = 2; i + 1 < text.n; i += 2) {
		uint8_t high = (uint8_t)text.p[i + !is_big], low = (uint8_t)text.p[i + is_big];

		buf_add_char(buf, !high && low < 0x80 ? (char)low : '?');
	}
	return buf_slice(buf);
}

/* "requirements.txt", "dev-requirements.txt", "requirements/base.txt"; the pattern lets more through. */
static bool is_requirements(struct slice path)
{
	return slice_find(give_basename(path), SLICE_LIT("requirements")) >= 0 ||
	       slice_is(give_basename(give_folder(path)), "requirements");
}

int lang_requirements(struct slice path, struct slice text, const struct pkg_out *out, struct err *err)
{
	CLEANUP(buf_finip) struct buf buf = { 0 };
	struct give e;

	if (!is_requirements(path))
		return 0;
	buf_init(&buf, text.n / 2 + 1);
	give_init(&e, "pypi", out);
	return give_end(&e, read_lines(&e, from_utf16(text, &buf)), err);
}
