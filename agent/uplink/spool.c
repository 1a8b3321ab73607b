/* spool.c - appending, dropping, acknowledging. See spool.h. */
#include "agent/uplink/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "agent/uplink/spool_priv.h"
#include "common/file.h"
#include "common/text.h"

static const char *const reasons[SPOOL_REASON_COUNT] = {
	[SPOOL_FULL] = "spool_full",
	[SPOOL_DAMAGED] = "spool_damaged",
	[SPOOL_DISK_FULL] = "disk_full",
	[SPOOL_REFUSED] = "refused",
};

/* ---- losses ---- */

void spool_lose(struct spool *s, enum uplink_class class, enum spool_reason why, uint64_t count,
		uint64_t from_unix_ns, uint64_t to_unix_ns)
{
	struct uplink_loss *l = &s->losses[class][why];

	if (!count)
		return;
	if (!from_unix_ns)
		from_unix_ns = clock_unix_ns(s->clk);
	if (to_unix_ns < from_unix_ns)
		to_unix_ns = from_unix_ns;
	if (!l->lost || from_unix_ns < l->from_unix_ns)
		l->from_unix_ns = from_unix_ns;
	if (!l->lost || to_unix_ns > l->to_unix_ns)
		l->to_unix_ns = to_unix_ns;
	l->class = class;
	l->reason = reasons[why];
	l->lost += count;
	s->lost[class] += count;
}

bool spool_take_loss(struct spool *s, struct uplink_loss *ret)
{
	if (s->retry_boot_ns)
		return false;
	for (unsigned c = 0; c < UPLINK_CLASS_COUNT; c++)
		for (unsigned r = 0; r < SPOOL_REASON_COUNT; r++)
			if (s->losses[c][r].lost) {
				*ret = s->losses[c][r];
				s->losses[c][r] = (struct uplink_loss){0};
				return true;
			}
	return false;
}

void spool_count_refused(struct spool *s, const struct spool_item *item)
{
	spool_lose(s, item->class, SPOOL_REFUSED, 1, item->time_unix_ns, item->time_unix_ns);
}

/* ---- segments ---- */

int spool_segment_fd(const struct spool *s, const struct segment *seg)
{
	char name[SEGMENT_NAME_MAX];

	segment_name_print(&seg->name, name);
	return openat(s->dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
}

void spool_segment_remove(struct spool *s, struct segment *seg, bool is_bad)
{
	struct class_state *c = &s->classes[seg->name.class];
	char name[SEGMENT_NAME_MAX], bad[SEGMENT_NAME_MAX + 4];

	segment_name_print(&seg->name, name);
	snprintf(bad, sizeof(bad), "%s.bad", name);
	/* A person may want to look at it, but a dying disk must not fill itself with them. */
	if (!is_bad || s->bad_files++ >= SPOOL_BAD_MAX ||
	    renameat(s->dir_fd, name, s->dir_fd, bad) < 0)
		(void)unlinkat(s->dir_fd, name, 0);
	s->bytes -= seg->bytes;
	if (c->active == seg) {
		close(take_fd(&c->fd));
		c->active = NULL;
		spool_buffer_note(s, c);
	}
	if (c->cursor.seg == seg) {
		struct segment *next = TAILQ_NEXT(seg, link);

		cursor_reset(&c->cursor);
		c->cursor.seg = next;
		c->cursor.is_done = !next;
	}
	TAILQ_REMOVE(&c->segments, seg, link);
	free(seg);
}

static void close_active(struct spool *s, struct class_state *c)
{
	uint8_t footer[SEGMENT_FOOTER_BYTES];
	struct segment *seg = c->active;

	if (!seg)
		return;
	segment_put_footer(footer, seg->name.salt, &seg->t);
	/* Without a footer the next start scans the file: slower, not wrong. */
	if (pwrite(c->fd, footer, sizeof(footer), (off_t)seg->bytes) == sizeof(footer)) {
		seg->bytes += sizeof(footer);
		s->bytes += sizeof(footer);
	}
	bool is_acked =
		spool_order(seg->name.epoch, seg->t.last_seq, s->acked_epoch, s->acked_seq) <= 0;
	if (c->is_dirty && !is_acked)
		(void)fdatasync(c->fd);
	c->is_dirty = false;
	close(take_fd(&c->fd));
	c->active = NULL;
	spool_buffer_note(s, c);
	if (is_acked)
		spool_segment_remove(s, seg, false);
}

static int open_active(struct spool *s, enum uplink_class class, struct err *err)
{
	struct class_state *c = &s->classes[class];
	CLEANUP(freep) struct segment *seg = calloc(1, sizeof(*seg));
	char name[SEGMENT_NAME_MAX];

	if (!seg)
		return err_set(err, ENOMEM, "make a segment");
	seg->name = (struct segment_name){class, s->epoch, c->buffered_first, s->salt};
	segment_name_print(&seg->name, name);
	CLEANUP(fd_closep)
	int fd = openat(s->dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_set(err, errno, "make segment '%s'", name);
	ssize_t n = pwrite(fd, segment_start, SEGMENT_START_BYTES, 0);
	if (n != SEGMENT_START_BYTES) {
		int code = n < 0 ? errno : ENOSPC;
		(void)unlinkat(s->dir_fd, name, 0);
		return err_set(err, code, "write segment '%s'", name);
	}
	seg->bytes = SEGMENT_START_BYTES;
	s->bytes += SEGMENT_START_BYTES;
	c->fd = take_fd(&fd);
	c->active = take_ptr(seg);
	spool_buffer_note(s, c);
	TAILQ_INSERT_TAIL(&c->segments, c->active, link);
	if (c->cursor.is_done) {
		cursor_reset(&c->cursor);
		c->cursor.seg = c->active;
	}
	return 0;
}

/* ---- making room ---- */

static bool is_under_way(const struct spool *s, const struct segment *seg)
{
	if (spool_order(seg->name.epoch, seg->t.last_seq, s->acked_epoch, s->acked_seq) <= 0)
		return false;
	return spool_order(seg->name.epoch, seg->name.first_seq, s->taken_epoch, s->taken_seq) <= 0;
}

static bool drop_one(struct spool *s, enum uplink_class lowest)
{
	for (int class = UPLINK_CLASS_COUNT - 1; class >= (int)lowest; class --) {
		struct segment *seg;

		TAILQ_FOREACH(seg, &s->classes[class].segments, link)
		{
			if (is_under_way(s, seg))
				continue;
			spool_lose(s, (enum uplink_class) class, SPOOL_FULL,
				   spool_segment_pending(s, seg), seg->t.first_unix_ns,
				   seg->t.last_unix_ns);
			spool_segment_remove(s, seg, false);
			return true;
		}
	}
	return false;
}

static uint64_t buffered_bytes(const struct spool *s)
{
	uint64_t n = 0;

	for (unsigned c = 0; c < UPLINK_CLASS_COUNT; c++)
		n += s->classes[c].buffered;
	return n;
}

static bool make_room(struct spool *s, enum uplink_class class, size_t need)
{
	/* Footers of the segments that are open are promised room. */
	uint64_t reserve = UPLINK_CLASS_COUNT * (SEGMENT_START_BYTES + SEGMENT_FOOTER_BYTES);

	while (s->bytes + buffered_bytes(s) + need + reserve > s->max_bytes)
		if (!drop_one(s, class))
			return false;
	return true;
}

/* ---- appending ---- */

static int flush_class(struct spool *s, enum uplink_class class, struct err *err)
{
	struct class_state *c = &s->classes[class];

	if (!c->buffered)
		return 0;
	int r = c->active ? 0 : open_active(s, class, err);
	if (r < 0)
		return r;
	for (size_t at = 0; at < c->buffered;) {
		/* At a known place, so that a second try overwrites what a failed one left. */
		ssize_t n = pwrite(c->fd, c->buffer + at, c->buffered - at,
				   (off_t)(c->active->bytes + at));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_set(err, n ? errno : ENOSPC, "write the spool");
		at += (size_t)n;
	}
	struct segment *seg = c->active;
	if (!seg->t.count)
		seg->t.first_unix_ns = c->buffered_totals.first_unix_ns;
	seg->t.count += c->buffered_totals.count;
	seg->t.last_seq = c->buffered_totals.last_seq;
	seg->t.last_unix_ns = c->buffered_totals.last_unix_ns;
	seg->bytes += c->buffered;
	s->bytes += c->buffered;
	c->buffered = 0;
	c->buffered_totals = (struct segment_totals){0};
	c->is_dirty = true;
	spool_buffer_note(s, c);
	if (seg->bytes >= s->segment_bytes)
		close_active(s, c);
	return 0;
}

/* The file takes nothing any more (EIO): the next try makes another. What is in it stays readable.
 */
static void abandon_active(struct spool *s, struct class_state *c)
{
	fd_closep(&c->fd);
	c->fd = -1;
	c->active = NULL;
	spool_buffer_note(s, c);
}

int spool_flush(struct spool *s, struct err *err)
{
	if (s->retry_boot_ns && clock_boot_ns(s->clk) < s->retry_boot_ns)
		return 0;
	for (unsigned c = 0; c < UPLINK_CLASS_COUNT; c++) {
		int r = flush_class(s, (enum uplink_class)c, err);
		if (r < 0) {
			s->retry_boot_ns = clock_boot_ns(s->clk) + SPOOL_RETRY_MS * 1000000ULL;
			if (r != -ENOSPC && r != -EDQUOT)
				abandon_active(s, &s->classes[c]);
			return r;
		}
	}
	s->retry_boot_ns = 0;
	return 0;
}

bool spool_is_buffered(const struct spool *s)
{
	return buffered_bytes(s) > 0;
}

static void put_record(struct class_state *c, uint64_t seq, uint64_t time_unix_ns, uint32_t salt,
		       struct slice record)
{
	uint8_t *at = (uint8_t *)c->buffer + c->buffered;

	segment_put_header(at, salt, seq, time_unix_ns, record);
	memcpy(at + SEGMENT_HEADER_BYTES, record.p, record.n);
	if (!c->buffered) {
		c->buffered_first = seq;
		c->buffered_totals.first_unix_ns = time_unix_ns;
	}
	c->buffered += SEGMENT_HEADER_BYTES + record.n;
	c->buffered_totals.count++;
	c->buffered_totals.last_seq = seq;
	c->buffered_totals.last_unix_ns = time_unix_ns;
}

static int append_lost(struct spool *s, enum uplink_class class, uint64_t time_unix_ns,
		       enum spool_reason why, struct err *err)
{
	spool_lose(s, class, why, 1, time_unix_ns, time_unix_ns);
	return err_set(err, ENOSPC, "keep a record (%s)", reasons[why]);
}

int spool_append(struct spool *s, enum uplink_class class, uint64_t time_unix_ns,
		 struct slice record, uint64_t *ret_seq, struct err *err)
{
	struct class_state *c = &s->classes[class];
	size_t need = SEGMENT_HEADER_BYTES + record.n;
	struct err why;

	if (!record.n || record.n > LIMIT_RECORD_BYTES)
		return err_set(err, ERR_LIMIT, "a record of %zu bytes", record.n);
	uint64_t seq = s->next_seq++;
	if (!c->buffer && !(c->buffer = malloc(BUFFER_SIZE)))
		return append_lost(s, class, time_unix_ns, SPOOL_DISK_FULL, err);
	if (!make_room(s, class, need))
		return append_lost(s, class, time_unix_ns, SPOOL_FULL, err);
	if (c->buffered >= SPOOL_BUFFER_BYTES && (spool_flush(s, &why) < 0 || c->buffered))
		return append_lost(s, class, time_unix_ns, SPOOL_DISK_FULL, err);
	put_record(c, seq, time_unix_ns, s->salt, record);
	spool_buffer_note(s, c);
	if (ret_seq)
		*ret_seq = seq;
	return 0;
}

int spool_sync(struct spool *s, struct err *err)
{
	for (unsigned i = 0; i < UPLINK_CLASS_COUNT; i++) {
		struct class_state *c = &s->classes[i];

		if (!c->active || !c->is_dirty)
			continue;
		/* What the collector has needs no disk. */
		if (spool_order(c->active->name.epoch, c->active->t.last_seq, s->acked_epoch,
				s->acked_seq) <= 0)
			continue;
		if (fdatasync(c->fd) < 0)
			return err_set(err, errno, "sync the spool");
		c->is_dirty = false;
	}
	return 0;
}

/* ---- acknowledging ---- */

void spool_ack(struct spool *s, uint64_t epoch, uint64_t seq)
{
	if (spool_order(epoch, seq, s->acked_epoch, s->acked_seq) <= 0)
		return;
	s->acked_epoch = epoch;
	s->acked_seq = seq;
	for (unsigned i = 0; i < UPLINK_CLASS_COUNT; i++) {
		struct class_state *c = &s->classes[i];
		struct segment *seg, *next;

		for (seg = TAILQ_FIRST(&c->segments); seg && seg != c->active; seg = next) {
			next = TAILQ_NEXT(seg, link);
			if (spool_order(seg->name.epoch, seg->t.last_seq, epoch, seq) > 0)
				break;
			spool_segment_remove(s, seg, false);
		}
	}
	spool_state_write(s);
}

/* ---- figures ---- */

/* How far the acknowledgement has come in seg, in 1/1024. */
static uint64_t acked_share(const struct spool *s, const struct segment *seg)
{
	if (seg->name.epoch != s->acked_epoch)
		return seg->name.epoch < s->acked_epoch ? 1024 : 0;
	if (seg->t.last_seq <= s->acked_seq)
		return 1024;
	if (seg->name.first_seq > s->acked_seq)
		return 0;
	uint64_t all = seg->t.last_seq - seg->name.first_seq + 1;
	uint64_t done = s->acked_seq - seg->name.first_seq + 1;
	return all >> 50 ? 0 : done * 1024 / all;
}

void spool_stats(const struct spool *s, struct spool_stats *ret)
{
	uint64_t unwritten = s->next_seq;

	*ret = (struct spool_stats){.epoch = s->epoch, .bytes = s->bytes + buffered_bytes(s)};
	for (unsigned i = 0; i < UPLINK_CLASS_COUNT; i++) {
		const struct class_state *c = &s->classes[i];
		const struct segment *seg;
		uint64_t oldest = 0;

		TAILQ_FOREACH(seg, &c->segments, link)
		{
			uint64_t share = acked_share(s, seg);

			if (share == 1024)
				continue;
			ret->records += seg->t.count - seg->t.count * share / 1024;
			if (!oldest && seg->t.count)
				oldest =
					seg->t.first_unix_ns +
					(seg->t.last_unix_ns - seg->t.first_unix_ns) / 1024 * share;
		}
		ret->records += c->buffered_totals.count;
		if (!oldest && c->buffered)
			oldest = c->buffered_totals.first_unix_ns;
		if (oldest && (!ret->oldest_unix_ns || oldest < ret->oldest_unix_ns))
			ret->oldest_unix_ns = oldest;
		if (c->buffered && c->buffered_first < unwritten)
			unwritten = c->buffered_first;
		ret->lost[i] = s->lost[i];
	}
	ret->produced = unwritten - 1;
}

uint64_t spool_epoch_end(const struct spool *s, uint64_t epoch)
{
	uint64_t end = 1;

	if (epoch == s->epoch)
		return s->next_seq;
	for (unsigned i = 0; i < UPLINK_CLASS_COUNT; i++) {
		const struct segment *seg;

		TAILQ_FOREACH(seg, &s->classes[i].segments, link)
		if (seg->name.epoch == epoch && seg->t.last_seq >= end)
			end = seg->t.last_seq + 1;
	}
	return end;
}

uint64_t spool_flight_bytes(const struct spool *s)
{
	return s->max_bytes / 4;
}

/* ---- life ---- */

static int open_files(struct spool *s, const char *dir_path, struct err *err)
{
	int r = file_make_dirs(dir_path, 0700, err);

	if (r < 0)
		return r;
	s->dir_fd = open(dir_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir_fd < 0)
		return err_set(err, errno, "open '%s'", dir_path);
	if (flock(s->dir_fd, LOCK_EX | LOCK_NB) < 0)
		return err_set(err, errno == EWOULDBLOCK ? EBUSY : errno,
			       "'%s' is used by another agent", dir_path);
	s->state_fd = openat(s->dir_fd, "state", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->state_fd < 0)
		return err_set(err, errno, "open '%s/state'", dir_path);
	return 0;
}

int spool_open(const char *dir_path, uint64_t max_bytes, const struct clock *clk,
	       struct spool **ret, struct err *err)
{
	if (max_bytes < SPOOL_BYTES_MIN || max_bytes > SPOOL_BYTES_MAX)
		return err_set(err, ERR_LIMIT, "spool size %llu, from 1 MiB to 64 GiB",
			       (unsigned long long)max_bytes);
	CLEANUP(spool_closep) struct spool *s = calloc(1, sizeof(*s));
	if (!s)
		return err_set(err, ENOMEM, "open the spool");
	s->dir_fd = s->state_fd = -1;
	s->clk = clk;
	s->max_bytes = max_bytes;
	s->segment_bytes = SPOOL_SEGMENT_BYTES;
	if (s->segment_bytes > max_bytes / SPOOL_SEGMENTS_MIN)
		s->segment_bytes = max_bytes / SPOOL_SEGMENTS_MIN;
	if (s->segment_bytes < max_bytes / SPOOL_SEGMENTS_MAX)
		s->segment_bytes = max_bytes / SPOOL_SEGMENTS_MAX;
	for (unsigned c = 0; c < UPLINK_CLASS_COUNT; c++) {
		TAILQ_INIT(&s->classes[c].segments);
		s->classes[c].fd = s->classes[c].cursor.r.fd = -1;
	}
	int r = open_files(s, dir_path, err);
	if (r < 0)
		return r;
	spool_state_read(s);
	s->epoch = s->acked_epoch;
	spool_buffer_open(s);
	r = spool_recover(s, err);
	if (r < 0)
		return r;
	spool_buffer_restore(s);
	/* Above every epoch that was seen, so that the order of epochs is the order of runs, and
	 * with chance in it, so that a spool that was wiped does not meet its old numbers again
	 * when the clock stands still. */
	uint16_t chance;
	text_random(&chance, sizeof(chance));
	text_random(&s->salt, sizeof(s->salt));
	uint64_t now = clock_unix_ms(clk) << 16 | chance;
	s->epoch = now > s->epoch ? now : s->epoch + 1;
	s->next_seq = 1;
	spool_buffer_begin(s);
	*ret = take_ptr(s);
	return 0;
}

void spool_close(struct spool *s)
{
	if (!s)
		return;
	bool is_open = s->state_fd >= 0;
	if (is_open) {
		s->retry_boot_ns = 0;
		(void)!spool_flush(s, NULL);
		spool_state_write(s);
	}
	for (unsigned i = 0; i < UPLINK_CLASS_COUNT; i++) {
		struct class_state *c = &s->classes[i];
		struct segment *seg;

		close_active(s, c);
		while ((seg = TAILQ_FIRST(&c->segments))) {
			TAILQ_REMOVE(&c->segments, seg, link);
			free(seg);
		}
		fd_closep(&c->cursor.r.fd);
		free(c->cursor.r.window);
		if (!s->head)
			free(c->buffer);
	}
	spool_buffer_close(s);
	fd_closep(&s->state_fd);
	fd_closep(&s->dir_fd); /* and with it the lock */
	free(s);
}
