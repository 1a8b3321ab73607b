/* frame.c - see frame.h. Pure. */
#include "agent/audit/live/frame.h"

#include "common/err.h"

enum { HEAD_BYTES = 5 };

static bool is_kind(char c)
{
	return c == FRAME_REPORT || c == FRAME_CATALOGUE || c == FRAME_RIGHTS || c == FRAME_KNOWN || c == FRAME_IMAGES ||
	       c == FRAME_ERROR || c == FRAME_DONE;
}

int frame_read(struct slice in, enum frame_kind *ret_kind, struct slice *ret, size_t *ret_n, struct err *err)
{
	if (!in.n)
		return 0;
	if (!is_kind(in.p[0]))
		return err_set(err, ERR_CORRUPT, "audit worker: no frame begins with %u", (unsigned char)in.p[0]);
	if (in.n < HEAD_BYTES)
		return 0;
	const unsigned char *p = (const unsigned char *)in.p + 1;
	size_t n = (size_t)p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 | (size_t)p[3] << 24;
	if (n > FRAME_BYTES_MAX)
		return err_set(err, ERR_CORRUPT, "audit worker: a frame of %zu bytes", n);
	if (in.n < HEAD_BYTES + n)
		return 0;
	*ret_kind = (enum frame_kind)in.p[0];
	*ret = slice_sub(in, HEAD_BYTES, n);
	*ret_n = HEAD_BYTES + n;
	return 1;
}

void frame_add(struct buf *out, enum frame_kind kind, struct slice body)
{
	const char head[HEAD_BYTES] = { (char)kind, (char)body.n, (char)(body.n >> 8), (char)(body.n >> 16),
					(char)(body.n >> 24) };

	buf_add(out, head, sizeof(head));
	buf_add_slice(out, body);
}

/* Words go into URLs and messages. */
static bool is_word(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == ':' || s.p[i] == '-'))
			return false;
	return s.n;
}

static struct slice next_word(struct slice *s)
{
	ptrdiff_t end = slice_find_char(*s, ' ');
	struct slice word = end < 0 ? *s : slice_sub(*s, 0, (size_t)end);

	*s = end < 0 ? SLICE_NONE : slice_sub(*s, (size_t)end + 1, s->n);
	return word;
}

int question_read(struct slice line, struct question *ret, struct err *err)
{
	struct slice rest = line;
	struct question q = { .subject = next_word(&rest), .id = next_word(&rest), .trigger = next_word(&rest), .known = rest };

	if ((rest.n && !is_word(rest)) || !is_word(q.subject) || !is_word(q.id) || !is_word(q.trigger))
		return err_set(err, ERR_SYNTAX, "audit worker: no question");
	*ret = q;
	return 0;
}
