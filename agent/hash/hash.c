/* hash.c - see hash.h.
 *
 *   exec -> cache: known -> into the event
 *             \-> file (asked once, however many execs wait for it) -> worker -> cache, and to all who wait
 */
#include "agent/hash/hash.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>

#include "agent/hash/cache.h"
#include "agent/hash/fs.h"
#include "agent/hash/link.h"

enum { CACHED_MAX = 4096, FILES_MAX = 1024, WAITING_MAX = 4096, WAITING_BYTES_MAX = 2 * 1024 * 1024, HANG_MS = 10000 };

/* An exec that waits for its file's hash. */
struct waiting {
	struct waiting *next;
	size_t n;
	char record[];
};

/* A file that is being asked for. */
struct file {
	UT_hash_handle by_key, by_id;
	struct hash_key key;
	uint64_t id;
	uint32_t pid, root_pids[2];
	struct waiting *first, **end;
	struct file *next_unasked;
	size_t bytes; /* of this and its path */
	struct slice path;
};

struct hash {
	struct hash_cache *cache;
	struct hash_link *link;
	struct file *by_key, *by_id;
	struct file *unasked, **unasked_end; /* in order */
	size_t waiting, waiting_bytes;
	uint64_t next_id;
	struct hash_figures figures;
	char max_text[24], rate_text[24];
	const char *argv[5];
	hash_fn fn;
	void *arg;
};

/* A lower layer's files are the same for all containers made of it, though each container's overlay has a device number
 * of its own. Only where the overlay was mounted by the host: one of a process's own user namespace may lie over a
 * file system that invents inodes and times. */
static void key_of(const struct event_process *p, struct hash_key *ret)
{
	*ret = (struct hash_key){ .inode = p->exe_inode,
				  .ctime_ns = p->exe_ctime_ns,
				  .mtime_ns = p->exe_mtime_ns,
				  .dev = p->exe_lower_layer && p->exe_host_fs ? 0 : p->exe_dev };
}

static void count(struct hash *h, enum hash_state state, uint64_t n)
{
	uint64_t *const counts[HASH_STATES] = { [HASH_KNOWN] = &h->figures.told,
						[HASH_TOO_LARGE] = &h->figures.too_large,
						[HASH_SKIPPED] = &h->figures.skipped,
						[HASH_GONE] = &h->figures.gone,
						[HASH_CHANGED] = &h->figures.changed,
						[HASH_UNREADABLE] = &h->figures.unreadable };

	if (counts[state])
		*counts[state] += n;
}

enum hash_found hash_find(struct hash *h, struct event_process *p)
{
	struct hash_key key;

	key_of(p, &key);
	const struct hash_known *k = hash_cache_find(h->cache, &key);
	if (k && k->state == HASH_KNOWN) {
		memcpy(p->exe_sha256, k->sha256, sizeof(p->exe_sha256));
		p->has_exe_sha256 = true;
		h->figures.known++;
		return HASH_FOUND;
	}
	if (!k && !hash_fs_may_hang(p->exe_fs))
		return HASH_ASK;
	count(h, k ? k->state : HASH_SKIPPED, 1);
	return HASH_NEVER;
}

/* ---- who waits ---- */

/* Gives all who wait the hash, or counts them. The file is out of the tables when fn is called. */
static void end_file(struct hash *h, struct file *f, enum hash_state state, const uint8_t *sha256)
{
	struct waiting *w = f->first, *next;

	HASH_DELETE(by_key, h->by_key, f);
	HASH_DELETE(by_id, h->by_id, f);
	h->waiting_bytes -= f->bytes;
	for (; w; w = next) {
		next = w->next;
		h->waiting--;
		h->waiting_bytes -= sizeof(*w) + w->n;
		count(h, state, 1);
		if (state == HASH_KNOWN)
			h->fn(h->arg, slice_from(w->record, w->n), sha256);
		free(w);
	}
	free(f);
	hash_link_expect(h->link, h->by_id != NULL);
}

static void add_waiting(struct hash *h, struct file *f, struct waiting *w)
{
	w->next = NULL;
	*f->end = w;
	f->end = &w->next;
	h->waiting++;
	h->waiting_bytes += sizeof(*w) + w->n;
}

static struct file *new_file(struct hash *h, const struct event_process *p, uint32_t root_pid, const struct hash_key *key)
{
	/* A path that lacks its upper end leads elsewhere. */
	struct slice path = p->exe_truncated || p->exe.n >= HASH_PATH_BYTES ? SLICE_NONE : p->exe;
	struct file *f = HASH_CNT(by_id, h->by_id) < FILES_MAX ? calloc(1, sizeof(*f) + path.n + 1) : NULL;

	if (!f)
		return NULL;
	f->key = *key;
	f->id = h->next_id++;
	f->pid = p->pid;
	f->root_pids[0] = root_pid;
	f->root_pids[1] = p->ppid;
	f->end = &f->first;
	f->bytes = sizeof(*f) + path.n + 1;
	if (path.n)
		memcpy(f + 1, path.p, path.n);
	f->path = slice_from((const char *)(f + 1), path.n);
	h->waiting_bytes += f->bytes;
	HASH_ADD(by_key, h->by_key, key, sizeof(f->key), f);
	HASH_ADD(by_id, h->by_id, id, sizeof(f->id), f);
	*h->unasked_end = f;
	h->unasked_end = &f->next_unasked;
	hash_link_expect(h->link, true);
	return f;
}

/* ---- the worker ---- */

static bool ask(struct hash *h, const struct file *f)
{
	struct hash_question q = { .id = f->id, .key = f->key, .pid = f->pid, .root_pids = { f->root_pids[0], f->root_pids[1] } };

	q.path_bytes = (uint32_t)f->path.n;
	if (f->path.n)
		memcpy(q.path, f->path.p, f->path.n);
	return hash_link_ask(h->link, &q);
}

static void ask_more(void *arg)
{
	struct hash *h = arg;

	while (h->unasked && ask(h, h->unasked)) {
		struct file *f = h->unasked;

		h->unasked = f->next_unasked;
		f->next_unasked = NULL;
		if (!h->unasked)
			h->unasked_end = &h->unasked;
	}
}

static struct file *find_id(const struct hash *h, uint64_t id)
{
	struct file *f;

	HASH_FIND(by_id, h->by_id, &id, sizeof(id), f);
	return f;
}

static bool is_unasked(const struct hash *h, const struct file *f)
{
	return f->next_unasked || h->unasked_end == &f->next_unasked;
}

/* What will not change is remembered: a file that is run again and again is not asked for again and again. */
static void on_answer(void *arg, const struct hash_answer *a)
{
	struct hash *h = arg;
	struct file *f = find_id(h, a->id);
	struct hash_known known = { .state = (enum hash_state)a->state };

	if (!f || is_unasked(h, f))
		return;
	known.key = f->key;
	memcpy(known.sha256, a->sha256, sizeof(known.sha256));
	if (known.state != HASH_GONE && known.state != HASH_CHANGED)
		hash_cache_put(h->cache, &known);
	end_file(h, f, known.state, known.sha256);
}

/* All that was asked is asked again, in order, but for what the worker hung or crashed with. */
static void on_end(void *arg, uint64_t working_id)
{
	struct hash *h = arg;
	struct file *f, *next;

	h->unasked = NULL;
	h->unasked_end = &h->unasked;
	HASH_ITER(by_id, h->by_id, f, next)
		f->next_unasked = NULL;
	HASH_ITER(by_id, h->by_id, f, next) {
		if (f->id == working_id) {
			struct hash_known bad = { .key = f->key, .state = HASH_UNREADABLE };

			hash_cache_put(h->cache, &bad);
			end_file(h, f, HASH_UNREADABLE, NULL);
			continue;
		}
		*h->unasked_end = f;
		h->unasked_end = &f->next_unasked;
	}
	ask_more(h);
}

void hash_ask(struct hash *h, const struct event_process *p, uint32_t root_pid, struct slice record)
{
	struct waiting *w = NULL;
	struct hash_key key;
	struct file *f;

	if (h->waiting < WAITING_MAX && h->waiting_bytes + record.n < WAITING_BYTES_MAX)
		w = malloc(sizeof(*w) + record.n);
	key_of(p, &key);
	HASH_FIND(by_key, h->by_key, &key, sizeof(key), f);
	if (w && !f)
		f = new_file(h, p, root_pid, &key);
	if (!w || !f) {
		free(w);
		h->figures.busy++;
		return;
	}
	w->n = record.n;
	if (record.n)
		memcpy(w->record, record.p, record.n);
	add_waiting(h, f, w);
	ask_more(h);
}

bool hash_is_worker(const struct hash *h, uint32_t pid)
{
	return h && hash_link_is(h->link, pid);
}

void hash_figures(const struct hash *h, struct hash_figures *ret)
{
	*ret = h->figures;
	ret->cached = hash_cache_count(h->cache);
	ret->evicted = hash_cache_evicted(h->cache);
	ret->waiting = h->waiting;
}

int hash_new(struct loop *l, const struct hash_config *cfg, hash_fn fn, void *arg, struct hash **ret, struct err *err)
{
	static const struct hash_link_ops ops = { .on_answer = on_answer, .on_room = ask_more, .on_end = on_end };
	CLEANUP(hash_freep) struct hash *h = calloc(1, sizeof(*h));

	if (!h)
		return err_set(err, ENOMEM, "hashes of files");
	snprintf(h->max_text, sizeof(h->max_text), "%" PRIu64, cfg->max_file_bytes);
	snprintf(h->rate_text, sizeof(h->rate_text), "%" PRIu64, cfg->bytes_per_second);
	h->argv[0] = "picket-agent";
	h->argv[1] = "hash-worker";
	h->argv[2] = h->max_text;
	h->argv[3] = h->rate_text;
	h->fn = fn;
	h->arg = arg;
	h->next_id = 1;
	h->unasked_end = &h->unasked;
	int r = hash_cache_new(CACHED_MAX, &h->cache, err);
	if (r >= 0)
		r = hash_link_new(l, cfg->program ? cfg->program : "/proc/self/exe", h->argv, cfg->hang_ms ? cfg->hang_ms : HANG_MS,
				  &ops, h, &h->link, err);
	if (r < 0)
		return r;
	*ret = take_ptr(h);
	return 0;
}

void hash_free(struct hash *h)
{
	struct file *f, *next;

	if (!h)
		return;
	if (h->link)
		HASH_ITER(by_id, h->by_id, f, next)
			end_file(h, f, HASH_ALIVE, NULL); /* counted nowhere: the agent ends */
	hash_link_free(h->link);
	hash_cache_free(h->cache);
	free(h);
}
