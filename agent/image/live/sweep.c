/* sweep.c - the files that processes of containers have mapped: looked at a second after a program began, and
 * of all processes every ten minutes, for what was loaded later or began before us. */
#include "agent/image/live/live_priv.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>

#include "common/file.h"

enum { SWEEP_AT_ONCE = 64, SWEEP_PIDS = 65536, LOOKS_AT_ONCE = 16, CGROUP_BYTES = 16 * 1024 };

static struct live_looked *looked_of(struct live *v, uint64_t hash)
{
	return &v->looked[hash % LIVE_LOOKED];
}

static bool is_known(struct live *v, uint64_t hash)
{
	const struct live_looked *l = looked_of(v, hash);

	return l->exe_hash == hash && live_now_ns(v) - l->at_ns < LIVE_LOOK_AGAIN_MS * 1000000ull;
}

/* What a program maps depends on the program: one process of each is enough for a while. Until one was looked
 * at, a new one is tried every other second: those that are gone by then tell nothing. */
void live_look_add(struct live *v, const struct limage *i, uint32_t pid, struct slice exe)
{
	uint64_t hash = slice_hash(exe) ^ slice_hash(slice_of(i->id)) * 31;

	if (v->look_count >= LIVE_LOOKS || is_known(v, hash))
		return;
	struct live_look *l = &v->looks[v->look_count++];
	*l = (struct live_look){ .pid = pid,
				 .due_ns = live_now_ns(v) + LIVE_LOOK_AFTER_MS * 1000000ull,
				 .exe_hash = hash };
	*looked_of(v, hash) = (struct live_looked){
		hash, live_now_ns(v) + (LIVE_LOOK_AFTER_MS * 2 - LIVE_LOOK_AGAIN_MS) * 1000000ll };
}

/* The image of a process, and its container: it may be another's by now. Of several hierarchies of control
 * groups one may name what this host itself runs in: the one that we know is meant. */
static struct limage *image_of(struct live *v, uint32_t pid, char id[65])
{
	CLEANUP(buf_finip) struct buf text = { 0 };
	char path[64];
	const char *engine;
	struct slice rest, line;

	snprintf(path, sizeof(path), "%.32s/%u/cgroup", v->cfg.proc_root, pid);
	if (file_read(path, CGROUP_BYTES, &text, NULL) < 0)
		return NULL;
	rest = buf_slice(&text);
	while (slice_split(&rest, '\n', &line)) {
		ptrdiff_t at = slice_find_char(line, '/');
		if (at < 0 || !cgroup_container_id(slice_sub(line, (size_t)at, line.n), id, &engine))
			continue;
		struct limage *i = live_image_of(v, id, NULL);
		if (i)
			return i;
	}
	return NULL;
}

struct found {
	struct live *v;
	struct limage *image;
	const char *container_id;
	size_t count;
};

static void on_mapped(void *arg, struct slice path)
{
	struct found *f = arg;

	f->count++;
	live_use_add(f->v, f->image, f->container_id, path, USE_LOADED);
}

/* False: it ended, or is no container's. */
static bool look_at(struct live *v, uint32_t pid)
{
	CLEANUP(buf_finip) struct buf text = { 0 };
	char path[64], id[65];

	struct found f = { .v = v, .image = image_of(v, pid, id), .container_id = id };
	if (!f.image)
		return false;
	snprintf(path, sizeof(path), "%.32s/%u/maps", v->cfg.proc_root, pid);
	if (file_read(path, LIVE_MAPS_BYTES, &text, NULL) < 0)
		return false;
	maps_parse(buf_slice(&text), on_mapped, &f);
	return f.count > 0;
}

static void look_step(struct live *v)
{
	uint64_t now = live_now_ns(v);
	unsigned done = 0;

	/* They are in the order of their times. */
	while (done < v->look_count && done < LOOKS_AT_ONCE && v->looks[done].due_ns <= now) {
		const struct live_look *l = &v->looks[done++];
		if (look_at(v, l->pid))
			*looked_of(v, l->exe_hash) = (struct live_looked){ l->exe_hash, now };
	}
	v->look_count -= done;
	memmove(v->looks, v->looks + done, v->look_count * sizeof(v->looks[0]));
}

static void list_pids(struct live *v)
{
	DIR *d = opendir(v->cfg.proc_root);
	struct dirent *e;
	uint64_t pid;

	v->sweep_count = v->sweep_at = 0;
	if (!v->sweep_pids)
		v->sweep_pids = malloc(SWEEP_PIDS * sizeof(*v->sweep_pids));
	while (d && v->sweep_pids && v->sweep_count < SWEEP_PIDS && (e = readdir(d)))
		if (slice_to_u64(slice_of(e->d_name), &pid))
			v->sweep_pids[v->sweep_count++] = pid;
	if (d)
		closedir(d);
}

/* The program itself, too: it may have begun before us. */
static void sweep_one(struct live *v, uint32_t pid)
{
	char path[64], exe[LIMIT_PATH_BYTES], id[65];

	struct limage *i = image_of(v, pid, id);
	if (!i)
		return;
	snprintf(path, sizeof(path), "%.32s/%u/exe", v->cfg.proc_root, pid);
	ssize_t n = readlink(path, exe, sizeof(exe) - 1);
	if (n > 0)
		live_use_add(v, i, id, slice_from(exe, (size_t)n), USE_EXECUTED);
	(void)look_at(v, pid);
}

void live_sweep_step(struct live *v)
{
	look_step(v);
	if (v->sweep_at < v->sweep_count) {
		for (unsigned n = 0; n < SWEEP_AT_ONCE && v->sweep_at < v->sweep_count; n++)
			sweep_one(v, (uint32_t)v->sweep_pids[v->sweep_at++]);
		if (v->sweep_at == v->sweep_count) {
			free(v->sweep_pids);
			v->sweep_pids = NULL;
			v->sweep_count = v->sweep_at = 0;
		}
		return;
	}
	uint64_t now = live_now_ns(v);
	if (now < v->sweep_due_ns || !v->container_count)
		return;
	v->sweep_due_ns = now + LIVE_SWEEP_MS * 1000000ull;
	list_pids(v);
}
