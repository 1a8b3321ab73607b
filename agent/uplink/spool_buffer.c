/* spool_buffer.c - what waits for its write(2) lies in a mapped file, so that a kill takes none of it.
 *
 * The page cache outlives the process, not the machine: a file of another boot is taken for empty, and what this one
 * has is exact, to the byte, without a sync. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "agent/uplink/spool_priv.h"
#include "common/file.h"
#include "common/log.h"

enum { PAGE = 4096, AREA = (BUFFER_SIZE + PAGE - 1) / PAGE * PAGE, FILE_SIZE = PAGE + UPLINK_CLASS_COUNT * AREA };

static const char magic[16] = "picket-buffer 1";

struct buffer_head {
	char magic[16], boot_id[40];
	uint64_t epoch;
	uint32_t salt;
	struct {
		/* valid bytes; then the segment they go to (number it begins with, 0: none) and its length without
		 * them */
		uint64_t used, segment_first, segment_bytes;
	} classes[UPLINK_CLASS_COUNT];
};
_Static_assert(sizeof(struct buffer_head) <= PAGE, "the head is a page");

static char *area_of(const struct spool *s, unsigned class_no)
{
	return (char *)s->head + PAGE + (size_t)class_no * AREA;
}

static bool read_boot_id(char ret[40])
{
	CLEANUP(fd_closep) int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

	memset(ret, 0, 40);
	return fd >= 0 && read(fd, ret, 36) == 36;
}

/* Its blocks are taken now: a full disk must not end the agent by SIGBUS when it writes a record. */
static struct buffer_head *map_file(const struct spool *s)
{
	CLEANUP(fd_closep) int fd = openat(s->dir_fd, SPOOL_BUFFER_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || posix_fallocate(fd, 0, FILE_SIZE) != 0)
		return NULL;
	void *p = mmap(NULL, FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return p == MAP_FAILED ? NULL : p;
}

static bool is_of_this_boot(const struct buffer_head *h)
{
	char boot_id[40];

	/* the next epoch is above it */
	if (h->epoch >> 63)
		return false;
	return !memcmp(h->magic, magic, sizeof(magic)) && read_boot_id(boot_id) &&
	       !memcmp(h->boot_id, boot_id, sizeof(boot_id));
}

/* A flush that was cut off: all it wrote is in the buffer, whole. */
static void cut_segment(const struct spool *s, unsigned class_no)
{
	uint64_t bytes = s->head->classes[class_no].segment_bytes;
	struct segment_name n = { (enum uplink_class)class_no, s->head->epoch, s->head->classes[class_no].segment_first,
				  s->head->salt };
	char name[SEGMENT_NAME_MAX];
	struct stat st;

	segment_name_print(&n, name);
	CLEANUP(fd_closep) int fd = openat(s->dir_fd, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size <= bytes)
		return;
	if (ftruncate(fd, (off_t)bytes) < 0)
		LOG(WARN, "spool.buffer", KV_STR("segment", name), KV_STR("why", strerror(errno)));
}

void spool_buffer_open(struct spool *s)
{
	s->head = map_file(s);
	if (!s->head) {
		LOG(WARN, "spool.buffer", KV_STR("why", strerror(errno)),
		    KV_STR("what", "a kill will lose what is buffered"));
		return;
	}
	if (!is_of_this_boot(s->head)) {
		memset(s->head, 0, sizeof(*s->head));
		return;
	}
	if (s->head->epoch > s->epoch)
		s->epoch = s->head->epoch;
	for (unsigned c = 0; c < UPLINK_CLASS_COUNT; c++) {
		if (s->head->classes[c].used > BUFFER_SIZE)
			s->head->classes[c].used = 0;
		if (s->head->classes[c].used && s->head->classes[c].segment_first)
			cut_segment(s, c);
	}
}

/* What stands in the area, up to the first place that makes no sense. */
static size_t count_area(const struct spool *s, unsigned class_no, uint64_t *ret_first, struct segment_totals *ret)
{
	struct slice area = slice_from(area_of(s, class_no), s->head->classes[class_no].used);
	struct segment_record rec;
	size_t at = 0, used;

	*ret = (struct segment_totals){ 0 };
	while (segment_parse(slice_sub(area, at, area.n), true, s->head->salt, &used, &rec) == SEGMENT_RECORD &&
	       rec.seq > ret->last_seq) {
		if (!ret->count++) {
			*ret_first = rec.seq;
			ret->first_unix_ns = rec.time_unix_ns;
		}
		ret->last_seq = rec.seq;
		ret->last_unix_ns = rec.time_unix_ns;
		at += used;
	}
	return at;
}

/* As a segment that is closed. */
static bool write_segment(const struct spool *s, const struct segment *seg, struct slice records)
{
	char name[SEGMENT_NAME_MAX];
	uint8_t footer[SEGMENT_FOOTER_BYTES];
	off_t end = (off_t)(SEGMENT_START_BYTES + records.n);

	segment_name_print(&seg->name, name);
	segment_put_footer(footer, seg->name.salt, &seg->t);
	CLEANUP(fd_closep) int fd = openat(s->dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return false;
	if (pwrite(fd, segment_start, SEGMENT_START_BYTES, 0) == SEGMENT_START_BYTES &&
	    pwrite(fd, records.p, records.n, SEGMENT_START_BYTES) == (ssize_t)records.n &&
	    pwrite(fd, footer, sizeof(footer), end) == sizeof(footer) && fdatasync(fd) == 0)
		return true;
	(void)unlinkat(s->dir_fd, name, 0);
	return false;
}

static void restore_class(struct spool *s, unsigned class_no)
{
	struct segment_list *list = &s->classes[class_no].segments;
	struct segment_totals t;
	uint64_t first = 0;
	size_t n = count_area(s, class_no, &first, &t);
	CLEANUP(freep) struct segment *seg = calloc(1, sizeof(*seg));
	const struct segment *last = TAILQ_LAST(list, segment_list);

	if (!t.count)
		return;
	bool is_next = !last || spool_order(last->name.epoch, last->t.last_seq, s->head->epoch, first) < 0;
	if (seg) {
		seg->name = (struct segment_name){ (enum uplink_class)class_no, s->head->epoch, first, s->head->salt };
		seg->t = t;
		seg->bytes = SEGMENT_START_BYTES + n + SEGMENT_FOOTER_BYTES;
	}
	if (!seg || !is_next || !write_segment(s, seg, slice_from(area_of(s, class_no), n))) {
		spool_lose(s, (enum uplink_class)class_no, SPOOL_DISK_FULL, t.count, t.first_unix_ns, t.last_unix_ns);
		return;
	}
	LOG(INFO, "spool.buffer", KV_STR("what", "an earlier run was killed; what it had not written is kept"),
	    KV_U64("records", t.count));
	s->bytes += seg->bytes;
	struct segment *made = take_ptr(seg); /* the macro names it more than once */
	TAILQ_INSERT_TAIL(list, made, link);
}

void spool_buffer_restore(struct spool *s)
{
	for (unsigned c = 0; s->head && c < UPLINK_CLASS_COUNT; c++) {
		if (s->head->classes[c].used)
			restore_class(s, c);
		s->head->classes[c].used = 0;
	}
}

/* Without a boot's name the next start could not tell whether it may believe the file. */
void spool_buffer_begin(struct spool *s)
{
	if (!s->head)
		return;
	memset(s->head, 0, sizeof(*s->head));
	s->head->epoch = s->epoch;
	s->head->salt = s->salt;
	if (read_boot_id(s->head->boot_id))
		memcpy(s->head->magic, magic, sizeof(magic));
	for (unsigned c = 0; c < UPLINK_CLASS_COUNT; c++)
		s->classes[c].buffer = area_of(s, c);
}

/* The order matters where a kill comes in between: without used bytes nothing else is looked at, and with some the
 * segment's length is that without them. */
void spool_buffer_note(struct spool *s, const struct class_state *c)
{
	size_t i = (size_t)(c - s->classes);

	if (!s->head)
		return;
	if (!c->buffered)
		__atomic_store_n(&s->head->classes[i].used, 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(&s->head->classes[i].segment_bytes, c->active ? c->active->bytes : 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(&s->head->classes[i].segment_first, c->active ? c->active->name.first_seq : 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(&s->head->classes[i].used, c->buffered, __ATOMIC_SEQ_CST);
}

void spool_buffer_close(struct spool *s)
{
	if (!s->head)
		return;
	for (unsigned c = 0; c < UPLINK_CLASS_COUNT; c++)
		s->classes[c].buffer = NULL;
	munmap(s->head, FILE_SIZE);
	s->head = NULL;
}
