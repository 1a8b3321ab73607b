/* seed.c - probe_seed: the kernel's task iterator, read once through records like the rings'. */
#include "agent/probe/probe_priv.h"

#include <errno.h>
#include <malloc.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "seed.skel.h"

DEFINE_CLEANUP(struct seed_bpf, seed_bpf__destroy)
DEFINE_CLEANUP(struct bpf_link, bpf_link__destroy)

enum { READ_BYTES = 64 << 10 };
_Static_assert((int)READ_BYTES >= 2 * RECORD_MAX, "a record always fits beside the rest of another");

struct seed {
	void (*fn)(void *arg, const struct event_process *p);
	void *arg;
};

static int load(bool with_args, struct seed_bpf **ret, struct err *err)
{
	CLEANUP(seed_bpf__destroyp) struct seed_bpf *skel = seed_bpf__open();
	if (!skel)
		return err_set(err, errno, "open the task iterator");

	load_quiet();
	/* Only the scratch of the iterator itself is used. */
	bpf_map__set_autocreate(skel->maps.ring_process, false);
	bpf_map__set_autocreate(skel->maps.ring_rare, false);
	bpf_map__set_autocreate(skel->maps.ring_volume, false);
	bpf_program__set_autoload(skel->progs.seed_args, with_args);
	bpf_program__set_autoload(skel->progs.seed_plain, !with_args);
	int r = seed_bpf__load(skel);
	if (r < 0)
		return err_set(err, r, "load the task iterator (%s)", load_last_message());
	*ret = take_ptr(skel);
	return 0;
}

/* Delivers the whole records of buf; returns the bytes they took, or an error. */
static ssize_t deliver(struct slice buf, const struct seed *s, struct err *err)
{
	size_t at = 0;

	while (buf.n - at >= sizeof(struct record)) {
		struct event e;
		uint32_t size;

		memcpy(&size, buf.p + at + offsetof(struct record, size), sizeof(size));
		if (size < sizeof(struct record) || size > RECORD_MAX)
			return err_set(err, ERR_CORRUPT, "record of %u bytes", size);
		if (size > buf.n - at)
			break;
		int r = probe_decode(slice_sub(buf, at, size), 0, &e, err);
		if (r < 0)
			return r;
		s->fn(s->arg, &e.p);
		at += size;
	}
	return (ssize_t)at;
}

static int read_all(int fd, const struct seed *s, struct err *err)
{
	CLEANUP(freep) char *buf = malloc(READ_BYTES);
	size_t have = 0;

	if (!buf)
		return err_set(err, ENOMEM, "task iterator");
	for (;;) {
		ssize_t n = read(fd, buf + have, READ_BYTES - have);

		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0)
			return err_set(err, errno, "read the task iterator");
		if (!n)
			return have ? err_set(err, ERR_CORRUPT, "task iterator ends in a record") : 0;
		have += (size_t)n;
		ssize_t used = deliver(slice_from(buf, have), s, err);
		if (used < 0)
			return (int)used;
		have -= (size_t)used;
		memmove(buf, buf + used, have);
	}
}

int probe_seed(struct probe *p, void (*fn)(void *arg, const struct event_process *p), void *arg,
	       struct err *err)
{
	CLEANUP(seed_bpf__destroyp) struct seed_bpf *skel = NULL;
	struct seed s = { fn, arg };
	bool with_args = true;

	(void)p;
	if (load(true, &skel, err) < 0) {
		with_args = false;
		if (load(false, &skel, err) < 0)
			return err_set(err, ENOTSUP, "task iterator (%s)", load_last_message());
	}
	CLEANUP(bpf_link__destroyp) struct bpf_link *link = bpf_program__attach_iter(
		with_args ? skel->progs.seed_args : skel->progs.seed_plain, NULL);
	if (!link)
		return err_set(err, ENOTSUP, "attach the task iterator");
	CLEANUP(fd_closep) int fd = bpf_iter_create(bpf_link__fd(link));
	if (fd < 0)
		return err_set(err, ENOTSUP, "start the task iterator");
	int r = read_all(fd, &s, err);
	seed_bpf__destroy(take_ptr(skel));
	malloc_trim(0);
	return r;
}
