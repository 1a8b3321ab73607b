/* stock.c - taking stock, one image at a time: of those that run first. What was found stays in state_dir/images
 * for the next start: HEX.inv the inventory, HEX.own who owns which file, HEX.json the summary. */
#include "agent/image/live/live_priv.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "common/file.h"
#include "common/text.h"

enum { CLEAN_FILES = 16384, CLEAN_EVERY_MS = 3600000 };

void live_stock_load(struct live *v, struct limage *i)
{
	CLEANUP(buf_finip) struct buf text = { 0 };
	char path[LIMIT_PATH_BYTES];
	struct err err;

	live_path(v, i, "json", path, sizeof(path));
	if (file_read(path, SUMMARY_BYTES, &text, NULL) < 0)
		return;
	if (summary_read(buf_slice(&text), &i->summary, &err) < 0) {
		LOG(WARN, "image.summary", KV_STR("file", path), KV_STR("why", err.msg));
		return;
	}
	i->has_summary = true;
	i->stock = STOCK_THERE;
}

static void set_failed(struct live *v, struct limage *i, const char *why)
{
	i->stock = STOCK_FAILED;
	i->retry_ns = live_now_ns(v) + LIVE_RETRY_MS * 1000000ull;
	(void)slice_copy(slice_of(why), i->why, sizeof(i->why));
	v->stock_failed++;
	LOG(WARN, "image.stock", KV_STR("image", i->id), KV_STR("name", i->reference), KV_STR("why", i->why));
}

static void on_stock(void *arg, int status, struct slice out, const char *why)
{
	struct live *v = arg;
	struct limage *i = v->child_image;
	struct err err;

	v->child = NULL;
	v->child_image = NULL;
	if (status) {
		set_failed(v, i, why[0] ? why : "its stock could not be taken");
		return;
	}
	summary_fini(&i->summary);
	i->has_summary = false;
	if (summary_read(out, &i->summary, &err) < 0) {
		set_failed(v, i, err.msg);
		return;
	}
	i->has_summary = true;
	i->stock = STOCK_THERE;
	i->why[0] = 0;
	i->told = TOLD_NOT;
	v->stock_taken++;
	LOG(INFO, "image.stock", KV_STR("image", i->id), KV_STR("name", i->reference),
	    KV_U64("packages", i->summary.packages), KV_U64("problems", i->summary.problems));
	if (v->ops->stocked)
		v->ops->stocked(v->arg, i->id);
}

static void start_stock(struct live *v, struct limage *i)
{
	const char *argv[] = { "picket-agent", "image-stock", "--socket", v->cfg.docker_socket, "--dir",
			       v->dir,	       "--image",     i->id,	  NULL };
	struct err err;

	if (child_start(v->loop, argv, LIVE_STOCK_MS, on_stock, v, &v->child, &err) < 0) {
		set_failed(v, i, err.msg);
		return;
	}
	v->child_image = i;
	i->stock = STOCK_TAKING;
}

/* ---- packing ---- */

static void on_packed(void *arg, int status, struct slice out, const char *why)
{
	struct live *v = arg;
	struct limage *i = v->child_image;
	char path[LIMIT_PATH_BYTES];
	struct stat st;

	v->child = NULL;
	v->child_image = NULL;
	live_path(v, i, "zst", path, sizeof(path));
	if (status || text_unhex(slice_trim(out), i->sha256, sizeof(i->sha256)) != sizeof(i->sha256) ||
	    stat(path, &st) < 0) {
		LOG(WARN, "image.pack", KV_STR("image", i->id), KV_STR("why", why));
		i->told = TOLD_REFUSED;
		i->stock = STOCK_WANTED; /* its files are not what they should be */
		return;
	}
	i->packed_bytes = (uint64_t)st.st_size;
	i->part = 0;
	i->told = TOLD_PACKED;
}

static void start_pack(struct live *v, struct limage *i)
{
	enum { FIXED = 6 };
	CLEANUP(freep) const char **argv = calloc(FIXED + i->wanted_count + 1, sizeof(*argv));
	CLEANUP(freep) char(*hex)[2 * LIMIT_KEY_BYTES + 1] = calloc(i->wanted_count + 1, sizeof(*hex));
	struct err err;

	if (!argv || !hex)
		return;
	argv[0] = "picket-agent";
	argv[1] = "image-pack";
	argv[2] = "--dir";
	argv[3] = v->dir;
	argv[4] = "--image";
	argv[5] = i->id;
	for (size_t k = 0; k < i->wanted_count; k++)
		argv[FIXED + k] = text_hex(i->wanted[k], LIMIT_KEY_BYTES, hex[k]);
	if (child_start(v->loop, argv, LIVE_STOCK_MS, on_packed, v, &v->child, &err) < 0) {
		LOG(WARN, "image.pack", KV_STR("image", i->id), KV_STR("why", err.msg));
		return;
	}
	v->child_image = i;
}

/* ---- what is next ---- */

static bool is_due(const struct live *v, const struct limage *i)
{
	return i->stock == STOCK_WANTED || (i->stock == STOCK_FAILED && live_now_ns(v) >= i->retry_ns);
}

static struct limage *next_image(struct live *v)
{
	struct limage *i, *other = NULL;

	TAILQ_FOREACH(i, &v->images, link)
	{
		if (!is_due(v, i))
			continue;
		if (!TAILQ_EMPTY(&i->containers))
			return i;
		/* Where a policy waits for scans: the newest, since somebody waits for it; and again what failed. */
		if (v->scan_path ? i->is_here || !other : !other && i->stock == STOCK_WANTED)
			other = i;
	}
	return other;
}

static struct limage *next_pack(struct live *v)
{
	struct limage *i;

	TAILQ_FOREACH(i, &v->images, link)
	if (i->told == TOLD_PACKING)
		return i;
	return NULL;
}

void live_stock_step(struct live *v)
{
	struct limage *i;

	if (v->child)
		return;
	if ((i = next_pack(v)))
		start_pack(v, i);
	else if ((i = next_image(v)))
		start_stock(v, i);
	else
		(void)live_update_start(v);
}

/* ---- the cache's bound ---- */

struct cached {
	char name[300];
	uint64_t bytes;
	time_t when;
};

static int by_age(const void *a, const void *b)
{
	time_t x = ((const struct cached *)a)->when, y = ((const struct cached *)b)->when;

	return x < y ? -1 : x > y;
}

static bool is_image_here(struct live *v, const char *name)
{
	char id[LIVE_ID_BYTES];

	snprintf(id, sizeof(id), "sha256:%.64s", name);
	return live_image_find(v, slice_of(id)) != NULL;
}

void live_stock_clean(struct live *v)
{
	CLEANUP(freep) struct cached *all = NULL;
	DIR *d = NULL;
	struct dirent *e;
	size_t count = 0;
	uint64_t bytes = 0, now = live_now_ns(v);

	if (now < v->clean_due_ns)
		return;
	v->clean_due_ns = now + CLEAN_EVERY_MS * 1000000ull;
	if (!(all = calloc(CLEAN_FILES, sizeof(*all))) || !(d = opendir(v->dir)))
		return;
	while (count < CLEAN_FILES && (e = readdir(d))) {
		struct stat st;
		if (e->d_name[0] == '.' || fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISREG(st.st_mode))
			continue;
		bytes += (uint64_t)st.st_size;
		(void)slice_copy(slice_of(e->d_name), all[count].name, sizeof(all[count].name));
		all[count].bytes = (uint64_t)st.st_size;
		all[count++].when = st.st_mtime;
	}
	qsort(all, count, sizeof(*all), by_age);
	for (size_t k = 0; k < count && bytes > v->cfg.cache_max_bytes; k++) {
		if (is_image_here(v, all[k].name))
			continue;
		(void)unlinkat(dirfd(d), all[k].name, 0);
		bytes -= all[k].bytes;
	}
	closedir(d);
}
