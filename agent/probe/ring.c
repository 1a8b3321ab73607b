/* ring.c - see ring.h. The layout is the kernel's (kernel/bpf/ringbuf.c):
 *
 *   page 0: how far the reader is   page 1: how far the writers are   then the data
 *
 * Both positions only grow; each record has a header of 8 bytes, is padded to 8, and may run over
 * the data's end to its beginning. */
#include "agent/probe/ring.h"

#include <errno.h>
#include <linux/bpf.h>
#include <sys/mman.h>

#include "agent/bpf/record.h"

struct ring {
	size_t page, bytes;
	unsigned long *reader;	     /* mapped, ours to write */
	const unsigned long *writer; /* mapped */
	const char *data;	     /* mapped behind writer */
	char *bounce;		     /* RECORD_MAX, for the record across the end */
	unsigned long end, next;     /* of this look; behind the record that ring_next() gave */
};

int ring_open(int map_fd, uint32_t bytes, struct ring **ret, struct err *err)
{
	CLEANUP(ring_closep) struct ring *r = calloc(1, sizeof(*r));

	if (!r)
		return err_set(err, ENOMEM, "ring");
	r->page = (size_t)sysconf(_SC_PAGESIZE);
	r->bytes = bytes;
	r->bounce = malloc(RECORD_MAX);
	if (!r->bounce)
		return err_set(err, ENOMEM, "ring");
	void *p = mmap(NULL, r->page, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
	if (p == MAP_FAILED)
		return err_set(err, errno, "map the ring");
	r->reader = p;
	p = mmap(NULL, r->page + bytes, PROT_READ, MAP_SHARED, map_fd, (off_t)r->page);
	if (p == MAP_FAILED)
		return err_set(err, errno, "map the ring");
	r->writer = p;
	r->data = (const char *)p + r->page;
	*ret = take_ptr(r);
	return 0;
}

static struct slice record_at(struct ring *r, unsigned long at, size_t n)
{
	size_t from = at & (r->bytes - 1);

	if (n <= r->bytes - from)
		return slice_from(r->data + from, n);
	size_t head = r->bytes - from;
	memcpy(r->bounce, r->data + from, head);
	memcpy(r->bounce + head, r->data, n - head);
	return slice_from(r->bounce, n);
}

void ring_look(struct ring *r)
{
	r->end = __atomic_load_n(r->writer, __ATOMIC_ACQUIRE);
}

bool ring_next(struct ring *r, struct slice *ret)
{
	while (*r->reader < r->end) {
		unsigned long at = *r->reader;
		const uint32_t *head = (const void *)(r->data + (at & (r->bytes - 1)));
		uint32_t len = __atomic_load_n(head, __ATOMIC_ACQUIRE);

		if (len & BPF_RINGBUF_BUSY_BIT)
			return false;
		size_t n = len & ~(uint32_t)BPF_RINGBUF_DISCARD_BIT;
		r->next = at + (n + BPF_RINGBUF_HDR_SZ + 7) / 8 * 8;
		if (len & BPF_RINGBUF_DISCARD_BIT) {
			ring_pop(r);
			continue;
		}
		/* More than a program ever writes: hand on an empty one, which the decoder refuses. */
		*ret = record_at(r, at + BPF_RINGBUF_HDR_SZ, n > RECORD_MAX ? 0 : n);
		return true;
	}
	return false;
}

void ring_pop(struct ring *r)
{
	/* Record by record, so that the writers have the room at once. */
	__atomic_store_n(r->reader, r->next, __ATOMIC_RELEASE);
}

void ring_close(struct ring *r)
{
	if (!r)
		return;
	if (r->writer)
		munmap((void *)(uintptr_t)r->writer, r->page + r->bytes);
	if (r->reader)
		munmap(r->reader, r->page);
	free(r->bounce);
	free(r);
}
