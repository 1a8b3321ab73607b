/* worker.c - the worker's process: told what to do, locked down, then reading what a stranger wrote, and answering
 * with an inventory. See worker.h. */
#include "agent/image/worker.h"

#include <errno.h>
#include <locale.h>
#include <malloc.h>
#include <openssl/evp.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "agent/image/image_limits.h"
#include "agent/image/sandbox.h"
#include "agent/image/worker_priv.h"

enum { TELL_MS = 100, MMAP_FROM = 256 * 1024 };

/* ---- talking ---- */

int worker_ask(struct worker *w, enum chan_ask what, uint64_t a, uint64_t b, struct slice data, int *ret_fd,
	       struct err *err)
{
	int r = chan_send(w->sock, CHAN_ASK, what, a, b, data, -1, err);

	if (r >= 0)
		r = chan_receive(w->sock, w->msg, err);
	if (r <= 0)
		return r < 0 ? r : err_set(err, ERR_PEER, "the parent is gone");
	if (w->msg->kind == CHAN_REPLY && w->msg->what)
		r = err_set(err, (int)w->msg->what < 1024 ? ERR_PEER : (int)w->msg->what, "%.*s",
			    SLICE_FMT(w->msg->data));
	else if (w->msg->kind != CHAN_REPLY || (ret_fd && w->msg->fd < 0))
		r = err_set(err, ERR_PEER, "the parent's answer is none");
	if (r > 0 && ret_fd) {
		*ret_fd = w->msg->fd;
		return 0;
	}
	if (w->msg->fd >= 0)
		close(w->msg->fd);
	return r < 0 ? r : 0;
}

int worker_read_document(int fd, uint64_t size, struct buf *b, struct err *err)
{
	buf_init(b, IMAGE_DOCUMENT_BYTES + 1);
	if (size != UINT64_MAX && size > IMAGE_DOCUMENT_BYTES)
		return err_set(err, ERR_LIMIT, "a document of %llu bytes, at most %d", (unsigned long long)size,
			       IMAGE_DOCUMENT_BYTES);
	for (;;) {
		char *p = buf_reserve(b, 16384);
		ssize_t n = p ? read(fd, p, 16384) : -1;

		if (n < 0 && p && errno == EINTR)
			continue;
		if (!p || b->n > IMAGE_DOCUMENT_BYTES)
			return err_set(err, ERR_LIMIT, "a document of more than %d bytes", IMAGE_DOCUMENT_BYTES);
		if (n <= 0)
			return n < 0 ? err_set(err, errno, "read a document") : 0;
		buf_written(b, (size_t)n);
	}
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* After each piece read. */
static void on_tick(struct budget *b)
{
	struct worker *w = (struct worker *)((char *)b - offsetof(struct worker, budget));
	uint64_t now = now_ns();

	if (now - w->told_ns < TELL_MS * 1000000ULL)
		return;
	w->told_ns = now;
	struct slice total = slice_from(&w->total_bytes, sizeof(w->total_bytes));
	(void)!chan_send(w->sock, CHAN_PROGRESS, w->layers, w->layer, b->read, total, -1, NULL);
}

static int send_part(struct worker *w, enum chan_part part, struct slice bytes, struct err *err)
{
	int r = 0;

	while (r >= 0 && bytes.n) {
		struct slice piece = slice_sub(bytes, 0, CHAN_DATA_BYTES);

		r = chan_send(w->sock, CHAN_PART, part, 0, 0, piece, -1, err);
		bytes = slice_sub(bytes, piece.n, bytes.n);
	}
	return r;
}

/* ---- the work ---- */

static int send_result(struct worker *w, struct err *err)
{
	CLEANUP(owners_freep) struct owners *owners = NULL;
	CLEANUP(buf_finip) struct buf bytes = { 0 };
	struct inventory_input in = { &w->merged, &w->meta, w->job.kind };
	Picket__Inventory *inv = NULL;

	int r = inventory_make(&in, w->arena, &inv, &owners, err);
	if (r < 0)
		return r;
	inv->names = w->names;
	inv->n_names = w->name_count;
	merged_fini(&w->merged); /* memory for what follows */
	buf_init(&bytes, IMAGE_INVENTORY_BYTES);
	r = msg_pack_inventory(inv, &bytes, err);
	if (r >= 0)
		r = send_part(w, CHAN_PART_INVENTORY, buf_slice(&bytes), err);
	buf_fini(&bytes);
	buf_init(&bytes, IMAGE_OWNERS_BYTES);
	if (r >= 0)
		r = owners_write(owners, &bytes, err);
	if (r >= 0)
		r = send_part(w, CHAN_PART_OWNERS, buf_slice(&bytes), err);
	if (r >= 0 && w->job.has_drift)
		r = send_part(w, CHAN_PART_DRIFT, buf_slice(&w->drift), err);
	return r;
}

static int work(struct worker *w, struct err *err)
{
	const struct pkg_table tables[] = { { pkg_os_parsers, pkg_os_parser_count },
					    { pkg_lang_parsers, pkg_lang_parser_count } };

	int r = matcher_new(tables, ARRAY_LEN(tables), w->job.with_lockfiles, &w->matcher, err);
	w->arena = arena_new(IMAGE_FACTS_BYTES);
	if (r >= 0 && !w->arena)
		r = err_set(err, ENOMEM, "read an image");
	w->budget = (struct budget){ .unpacked_left = w->job.limits.unpacked_bytes,
				     .entries_left = w->job.limits.entries,
				     .ratio = w->job.limits.ratio,
				     .tick = on_tick };
	w->room = (struct facts_room){ IMAGE_FACTS_BYTES, w->job.limits.packages, IMAGE_OWNED_FILES };
	buf_init(&w->drift, 4 << 20);
	if (r >= 0)
		r = worker_read_all(w, err);
	return r < 0 ? r : send_result(w, err);
}

/* ---- the beginning ---- */

struct start {
	int folders[LIMIT_LAYERS];
	size_t folder_count;
	int root_fd;
};

static int take_job(struct worker *w, struct start *s, struct err *err)
{
	for (;;) {
		int r = chan_receive(w->sock, w->msg, err);

		if (r <= 0)
			return r < 0 ? r : err_set(err, ERR_PEER, "the parent is gone");
		switch (w->msg->kind) {
		case CHAN_JOB:
			if (w->msg->data.n != sizeof(w->job))
				return err_set(err, ERR_VERSION, "the parent is of another version");
			memcpy(&w->job, w->msg->data.p, sizeof(w->job));
			break;
		case CHAN_FOLDER:
			if (s->folder_count < LIMIT_LAYERS)
				s->folders[s->folder_count++] = w->msg->fd;
			break;
		case CHAN_ROOT:
			s->root_fd = w->msg->fd;
			break;
		case CHAN_SPOOL:
			w->spool = (struct spool){ w->msg->fd, w->job.limits.spool_bytes };
			break;
		case CHAN_GO:
			return 0;
		default:
			return err_set(err, ERR_PEER, "message %u before the work", w->msg->kind);
		}
	}
}

/* What a library sets up with its first use, and would read files for later. */
static void warm_up(void)
{
	char digest[72];

	(void)setlocale(LC_CTYPE, "C.UTF-8"); /* names of files as libarchive gives them */
	(void)!meta_digest(SLICE_LIT("picket"), digest, NULL);
	(void)mallopt(M_ARENA_MAX, 1);
	(void)mallopt(M_MMAP_THRESHOLD, MMAP_FROM); /* so that memory of a large file goes back */
	(void)mallopt(M_TRIM_THRESHOLD, 1 << 20);
	tzset();
}

static void be_idle(void)
{
	enum { IOPRIO_WHO_PROCESS = 1, IOPRIO_IDLE = 3 << 13 };
	const struct sched_param p = { 0 };

	(void)sched_setscheduler(0, SCHED_IDLE, &p);
	(void)syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_IDLE);
}

static int lock_down(struct worker *w, struct start *s, struct err *err)
{
	const struct sandbox sb = { .folders = s->folders,
				    .folder_count = s->folder_count,
				    .root_fd = s->root_fd,
				    .reads_all = w->job.reads_all,
				    .sock = w->sock,
				    .data_bytes = IMAGE_WORKER_DATA_BYTES,
				    .file_bytes = w->job.limits.spool_bytes,
				    .cpu_s = w->job.limits.time_ms / 1000 + 1 };
	char note[SANDBOX_NOTE_MAX];

	if (w->job.is_idle)
		be_idle();
	int r = sandbox_enter(&sb, note, err);
	for (size_t i = 0; i < s->folder_count; i++)
		close(s->folders[i]);
	if (s->root_fd >= 0)
		close(s->root_fd);
	return r < 0 ? err_wrap(err, r, "lock the worker down") :
		       chan_send(w->sock, CHAN_READY, 0, 0, 0, slice_of(note), -1, err);
}

int worker_main(void)
{
	struct worker *w = calloc(1, sizeof(*w));
	struct start *s = calloc(1, sizeof(*s));
	struct err err = { 0 };
	int type = 0;
	socklen_t n = sizeof(type);

	if (getsockopt(WORKER_SOCK, SOL_SOCKET, SO_TYPE, &type, &n) < 0 || type != SOCK_SEQPACKET || !w || !s) {
		fputs("picket-agent: this command is for picket-agent itself\n", stderr);
		return 2;
	}
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)prctl(PR_SET_NAME, "picket-worker");
	w->sock = WORKER_SOCK;
	w->spool.fd = s->root_fd = -1;
	w->msg = malloc(sizeof(*w->msg));
	warm_up();
	int r = w->msg ? take_job(w, s, &err) : -ENOMEM;
	if (r >= 0)
		r = lock_down(w, s, &err);
	if (r >= 0)
		r = work(w, &err);
	if (r < 0)
		(void)!chan_send(w->sock, CHAN_FAILED, 0, (uint64_t)err.code, 0, slice_of(err.msg), -1, NULL);
	else
		(void)!chan_send(w->sock, CHAN_DONE, 0, 0, 0, SLICE_NONE, -1, NULL);
	return r < 0;
}
