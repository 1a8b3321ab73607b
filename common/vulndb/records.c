/* records.c - see records.h. */
#include "common/vulndb/records.h"

#include "common/vulndb/limits.h"

void records_init(struct records *r, int (*fn)(void *arg, struct slice record, struct err *err), void *arg)
{
	*r = (struct records){ .fn = fn, .arg = arg };
	buf_init(&r->text, VULNDB_RECORD_MAX);
}

/* How many bytes belong to the open record; stops behind its last brace. */
static size_t scan(struct records *r, struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (r->in_string) {
			if (r->after_escape)
				r->after_escape = false;
			else if (c == '\\')
				r->after_escape = true;
			else if (c == '"')
				r->in_string = false;
		} else if (c == '"') {
			r->in_string = true;
		} else if (c == '{') {
			r->depth++;
		} else if (c == '}' && --r->depth == 0) {
			return i + 1;
		}
	}
	return s.n;
}

/* Up to the next record; what may stand between two is blanks, commas and an array's brackets. */
static int skip_between(struct slice *s, struct err *err)
{
	while (s->n && strchr(" \t\r\n,[]", s->p[0]) && s->p[0])
		*s = slice_sub(*s, 1, SIZE_MAX);
	if (slice_starts(*s, SLICE_LIT("\xef\xbb\xbf")))
		*s = slice_sub(*s, 3, SIZE_MAX);
	if (s->n && s->p[0] != '{')
		return err_set(err, ERR_SYNTAX, "no OSV record: it begins with byte 0x%02x, not '{'",
			       (unsigned char)s->p[0]);
	return 0;
}

int records_feed(struct records *r, struct slice bytes, struct err *err)
{
	while (bytes.n) {
		int e = r->depth ? 0 : skip_between(&bytes, err);
		if (e < 0 || !bytes.n)
			return e;
		size_t n = scan(r, bytes);
		buf_add(&r->text, bytes.p, n);
		if (r->text.failed)
			return err_set(err, ERR_LIMIT, "a record of over %d MiB", VULNDB_RECORD_MAX >> 20);
		bytes = slice_sub(bytes, n, SIZE_MAX);
		if (r->depth)
			continue;
		e = r->fn(r->arg, buf_slice(&r->text), err);
		buf_reset(&r->text);
		if (e < 0)
			return e;
	}
	return 0;
}

int records_end(struct records *r, struct err *err)
{
	bool is_open = r->depth > 0;

	buf_reset(&r->text);
	r->depth = 0;
	r->in_string = r->after_escape = false;
	return is_open ? err_set(err, ERR_SYNTAX, "ends within a record") : 0;
}

void records_fini(struct records *r)
{
	buf_fini(&r->text);
}
