/* spool_read.c - reading the spool back: one cursor a class, merged by number. */
#include "agent/uplink/spool.h"

#include <errno.h>

#include "agent/uplink/spool_priv.h"

/* ---- one file ---- */

int reader_open(struct reader *r, const struct spool *s, const struct segment *seg)
{
	if (!r->window && !(r->window = malloc(WINDOW_BYTES)))
		return -ENOMEM;
	fd_closep(&r->fd);
	r->fd = spool_segment_fd(s, seg);
	r->next = SEGMENT_START_BYTES;
	r->limit = seg->bytes;
	r->from = r->to = 0;
	r->last_seq = 0;
	return r->fd < 0 ? -errno : 0;
}

static void refill(struct reader *r)
{
	memmove(r->window, r->window + r->from, r->to - r->from);
	r->to -= r->from;
	r->from = 0;
	size_t want = WINDOW_BYTES - r->to;
	if (want > r->limit - r->next)
		want = (size_t)(r->limit - r->next);
	ssize_t n = pread(r->fd, r->window + r->to, want, (off_t)r->next);
	if (n <= 0) { /* shorter than it was, or unreadable: it ends here */
		r->limit = r->next;
		return;
	}
	r->to += (size_t)n;
	r->next += (uint64_t)n;
}

enum segment_found reader_next(struct reader *r, const struct segment_name *name,
			       struct segment_record *ret)
{
	enum segment_found f;
	size_t used;

	for (;;) {
		struct slice rest = slice_from(r->window + r->from, r->to - r->from);

		f = segment_parse(rest, r->next >= r->limit, name->salt, &used, ret);
		if (f != SEGMENT_MORE)
			break;
		refill(r);
	}
	r->from += used;
	if (f != SEGMENT_RECORD)
		return f;
	if (!ret->body.n || ret->seq < name->first_seq || ret->seq <= r->last_seq)
		return SEGMENT_SKIP; /* nothing of ours wrote that */
	r->last_seq = ret->seq;
	return SEGMENT_RECORD;
}

/* ---- one class ---- */

void cursor_reset(struct cursor *c)
{
	fd_closep(&c->r.fd);
	c->r.fd = -1;
	c->seg = NULL;
	c->seen = 0;
	c->is_missing = c->is_in_skip = c->is_done = c->has_item = false;
}

static void next_segment(struct spool *s, struct class_state *cs)
{
	struct cursor *c = &cs->cursor;
	struct segment *seg = c->seg, *next = TAILQ_NEXT(seg, link);

	if (c->is_missing && !seg->has_counted_damage && seg->t.count > c->seen)
		spool_lose(s, seg->name.class, SPOOL_DAMAGED, seg->t.count - c->seen,
			   seg->t.first_unix_ns, seg->t.last_unix_ns);
	seg->has_counted_damage = true;
	cursor_reset(c);
	c->seg = next;
	c->is_done = !next;
}

/* The segment's file is gone or can't be opened: all of it that is pending is lost. */
static void lose_segment(struct spool *s, struct segment *seg)
{
	spool_lose(s, seg->name.class, SPOOL_DAMAGED,
		   seg->name.first_seq > s->acked_seq || seg->name.epoch > s->acked_epoch
			   ? seg->t.count
			   : 1,
		   seg->t.first_unix_ns, seg->t.last_unix_ns);
	spool_segment_remove(s, seg, true);
}

static bool is_acked(const struct spool *s, const struct segment *seg, uint64_t seq)
{
	return spool_order(seg->name.epoch, seq, s->acked_epoch, s->acked_seq) <= 0;
}

/* Makes c->item the class's next record; false when there is none now. */
static bool cursor_fill(struct spool *s, struct class_state *cs)
{
	struct cursor *c = &cs->cursor;
	struct segment_record rec = {0};

	while (!c->has_item) {
		if (!c->seg && !c->is_done) {
			c->seg = TAILQ_FIRST(&cs->segments);
			c->is_done = !c->seg;
		}
		if (c->is_done)
			return false;
		struct segment *seg = c->seg;
		if (c->r.fd < 0 && reader_open(&c->r, s, seg) < 0) {
			lose_segment(s, seg);
			continue;
		}
		if (c->r.limit < seg->bytes && c->r.limit == c->r.next)
			c->r.limit = seg->bytes; /* it has grown */
		enum segment_found f = reader_next(&c->r, &seg->name, &rec);
		if (c->is_in_skip && f != SEGMENT_SKIP) {
			c->is_missing |= f != SEGMENT_RECORD || !is_acked(s, seg, rec.seq);
			c->is_in_skip = false;
		}
		switch (f) {
		case SEGMENT_RECORD:
			c->seen++;
			if (is_acked(s, seg, rec.seq))
				break;
			c->item = (struct spool_item){seg->name.class, seg->name.epoch, rec.seq,
						      rec.time_unix_ns, rec.body};
			c->has_item = true;
			break;
		case SEGMENT_BAD_BODY:
			c->is_missing |= !is_acked(s, seg, rec.seq);
			break;
		case SEGMENT_SKIP:
			c->is_in_skip = true;
			break;
		case SEGMENT_MORE:
		case SEGMENT_FOOTER:
			break;
		case SEGMENT_END:
			if (seg == cs->active)
				return false;
			next_segment(s, cs);
			break;
		}
	}
	return true;
}

/* ---- all of it ---- */

static struct cursor *first_cursor(struct spool *s)
{
	struct cursor *first = NULL;
	uint64_t unwritten = UINT64_MAX;

	for (unsigned i = 0; i < UPLINK_CLASS_COUNT; i++) {
		struct class_state *cs = &s->classes[i];

		if (cs->buffered && cs->buffered_first < unwritten)
			unwritten = cs->buffered_first;
		if (!cursor_fill(s, cs))
			continue;
		struct spool_item *it = &cs->cursor.item;
		if (!first ||
		    spool_order(it->epoch, it->seq, first->item.epoch, first->item.seq) < 0)
			first = &cs->cursor;
	}
	/* A number that another class still has in its buffer must not be passed by: it would look
	 * like a hole, and come later. */
	if (first && spool_order(first->item.epoch, first->item.seq, s->epoch, unwritten) > 0)
		return NULL;
	return first;
}

bool spool_peek(struct spool *s, struct spool_item *ret)
{
	struct cursor *c = first_cursor(s);

	if (c)
		*ret = c->item;
	return c;
}

void spool_take(struct spool *s)
{
	struct cursor *c = first_cursor(s);

	if (!c)
		return;
	s->taken_epoch = c->item.epoch;
	s->taken_seq = c->item.seq;
	c->has_item = false;
}

void spool_rewind(struct spool *s)
{
	for (unsigned i = 0; i < UPLINK_CLASS_COUNT; i++)
		cursor_reset(&s->classes[i].cursor);
	s->taken_epoch = s->taken_seq = 0;
}
