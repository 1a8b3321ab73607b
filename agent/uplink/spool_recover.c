/* spool_recover.c - what an earlier run left, and the little file that says how far it had come. */
#include "agent/uplink/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "agent/uplink/crc32c.h"
#include "agent/uplink/spool_priv.h"
#include "common/log.h"

/* ---- the state: two slots, written in turn, so that one is always whole ---- */

enum { STATE_SLOT_BYTES = 512, STATE_MAGIC = 0x53544b50 };

struct state_slot {
	uint32_t magic, crc;
	uint64_t generation, acked_epoch, acked_seq;
};

void spool_state_write(struct spool *s)
{
	struct state_slot slot = {.magic = STATE_MAGIC,
				  .generation = ++s->state_generation,
				  .acked_epoch = s->acked_epoch,
				  .acked_seq = s->acked_seq};

	slot.crc =
		crc32c(0, &slot.generation, sizeof(slot) - offsetof(struct state_slot, generation));
	/* Failing (disk full) costs sending twice after a restart, which the collector sees. */
	(void)!pwrite(s->state_fd, &slot, sizeof(slot), (slot.generation & 1) * STATE_SLOT_BYTES);
}

void spool_state_read(struct spool *s)
{
	for (unsigned i = 0; i < 2; i++) {
		struct state_slot slot;

		if (pread(s->state_fd, &slot, sizeof(slot), i * STATE_SLOT_BYTES) != sizeof(slot) ||
		    slot.magic != STATE_MAGIC ||
		    slot.crc != crc32c(0, &slot.generation,
				       sizeof(slot) - offsetof(struct state_slot, generation)))
			continue;
		if (slot.generation < s->state_generation)
			continue;
		s->state_generation = slot.generation;
		s->acked_epoch = slot.acked_epoch;
		s->acked_seq = slot.acked_seq;
	}
}

/* ---- segments ---- */

struct scan {
	struct segment_totals t;
	uint64_t damaged;  /* places, each at least one record */
	uint64_t good_end; /* offset behind the last good record */
	uint64_t pending;  /* good records that are not acknowledged */
};

static int scan_segment(struct spool *s, const struct segment *seg, struct scan *ret)
{
	struct reader r = {.fd = -1};
	struct segment_record rec = {0};
	bool is_in_skip = false;
	int result = reader_open(&r, s, seg);

	*ret = (struct scan){.good_end = SEGMENT_START_BYTES};
	for (enum segment_found f = SEGMENT_MORE; result >= 0 && f != SEGMENT_END;) {
		f = reader_next(&r, &seg->name, &rec);
		bool is_acked =
			spool_order(seg->name.epoch, rec.seq, s->acked_epoch, s->acked_seq) <= 0;
		if (f == SEGMENT_RECORD) {
			if (!ret->t.count++)
				ret->t.first_unix_ns = rec.time_unix_ns;
			ret->t.last_unix_ns = rec.time_unix_ns;
			ret->t.last_seq = rec.seq;
			ret->pending += !is_acked;
			ret->good_end = r.next - (r.to - r.from);
		}
		if (is_in_skip && f != SEGMENT_SKIP)
			ret->damaged += f != SEGMENT_RECORD || !is_acked;
		is_in_skip = f == SEGMENT_SKIP;
		if (f == SEGMENT_BAD_BODY && !is_acked)
			ret->damaged++;
	}
	fd_closep(&r.fd);
	free(r.window);
	return result;
}

uint64_t spool_segment_pending(struct spool *s, const struct segment *seg)
{
	struct scan scan;

	if (spool_order(seg->name.epoch, seg->t.last_seq, s->acked_epoch, s->acked_seq) <= 0)
		return 0;
	if (spool_order(seg->name.epoch, seg->name.first_seq, s->acked_epoch, s->acked_seq) > 0)
		return seg->t.count;
	return scan_segment(s, seg, &scan) < 0 ? seg->t.count : scan.pending;
}

static bool read_footer(struct spool *s, struct segment *seg)
{
	CLEANUP(fd_closep) int fd = spool_segment_fd(s, seg);
	char tail[SEGMENT_FOOTER_BYTES];

	return fd >= 0 && seg->bytes >= SEGMENT_START_BYTES + SEGMENT_FOOTER_BYTES &&
	       pread(fd, tail, sizeof(tail), (off_t)(seg->bytes - sizeof(tail))) == sizeof(tail) &&
	       segment_parse_footer(slice_from(tail, sizeof(tail)), seg->name.salt, &seg->t);
}

/* Cuts the torn tail off and closes the segment with a footer that holds what is good in it, so
 * that no later start counts the damage again. */
static void finish_segment(struct spool *s, struct segment *seg, uint64_t good_end)
{
	char name[SEGMENT_NAME_MAX];
	uint8_t footer[SEGMENT_FOOTER_BYTES];

	segment_name_print(&seg->name, name);
	segment_put_footer(footer, seg->name.salt, &seg->t);
	CLEANUP(fd_closep) int fd = openat(s->dir_fd, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || ftruncate(fd, (off_t)good_end) < 0)
		return;
	seg->bytes = good_end;
	if (pwrite(fd, footer, sizeof(footer), (off_t)good_end) == sizeof(footer))
		seg->bytes += sizeof(footer);
}

static void recover_segment(struct spool *s, struct segment *seg)
{
	struct scan scan;
	char name[SEGMENT_NAME_MAX];

	segment_name_print(&seg->name, name);
	s->bytes += seg->bytes;
	TAILQ_INSERT_TAIL(&s->classes[seg->name.class].segments, seg, link);
	if (!read_footer(s, seg)) {
		int r = scan_segment(s, seg, &scan);
		if (r < 0 || !scan.t.count) {
			LOG(WARN, "spool.bad", KV_STR("segment", name), KV_I64("code", -r));
			spool_lose(s, seg->name.class, SPOOL_DAMAGED, 1, 0, 0);
			spool_segment_remove(s, seg, true);
			return;
		}
		seg->t = scan.t;
		seg->has_counted_damage = true;
		if (scan.damaged) {
			LOG(WARN, "spool.damaged", KV_STR("segment", name),
			    KV_U64("places", scan.damaged), KV_U64("good", scan.t.count));
			spool_lose(s, seg->name.class, SPOOL_DAMAGED, scan.damaged,
				   seg->t.first_unix_ns, seg->t.last_unix_ns);
		}
		uint64_t before = seg->bytes;
		finish_segment(s, seg, scan.good_end);
		s->bytes = s->bytes - before + seg->bytes;
	}
	if (spool_order(seg->name.epoch, seg->t.last_seq, s->acked_epoch, s->acked_seq) <= 0)
		spool_segment_remove(s, seg, false);
}

static int by_order(const void *a, const void *b)
{
	const struct segment *x = *(struct segment *const *)a, *y = *(struct segment *const *)b;

	return spool_order(x->name.epoch, x->name.first_seq, y->name.epoch, y->name.first_seq);
}

/* A segment for the entry, or NULL if it is none. */
static struct segment *look_at(struct spool *s, const char *name)
{
	struct segment_name n;
	struct stat st;
	const char *why = "not a name of ours";

	if (slice_ends(slice_of(name), SLICE_LIT(".seg.bad"))) {
		s->bad_files++;
		return NULL;
	}
	bool is_ours = segment_name_parse(slice_of(name), &n);
	if (is_ours && fstatat(s->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		if (n.epoch > s->epoch)
			s->epoch = n.epoch;
		if (S_ISREG(st.st_mode) && st.st_size > SEGMENT_START_BYTES) {
			struct segment *seg = calloc(1, sizeof(*seg));
			if (seg) {
				seg->name = n;
				seg->bytes = (uint64_t)st.st_size;
			}
			return seg;
		}
		if (S_ISREG(st.st_mode)) { /* killed before its first record */
			(void)unlinkat(s->dir_fd, name, 0);
			return NULL;
		}
		why = "not a plain file";
	}
	LOG(WARN, "spool.ignored", KV_STR("file", name), KV_STR("why", why));
	return NULL;
}

int spool_recover(struct spool *s, struct err *err)
{
	CLEANUP(freep) struct segment **all = calloc(SPOOL_FILES_MAX, sizeof(*all));
	int fd = openat(s->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	size_t count = 0;

	if (!d || !all) {
		int code = errno;
		if (d)
			closedir(d);
		else
			fd_closep(&fd);
		return err_set(err, code, "list the spool");
	}
	for (struct dirent *e; count < SPOOL_FILES_MAX && (e = readdir(d));) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..") ||
		    !strcmp(e->d_name, "state") || !strcmp(e->d_name, SPOOL_BUFFER_FILE))
			continue;
		all[count] = look_at(s, e->d_name);
		count += all[count] != NULL;
	}
	closedir(d);
	qsort(all, count, sizeof(*all), by_order);
	for (size_t i = 0; i < count; i++)
		recover_segment(s, all[i]);
	return 0;
}
