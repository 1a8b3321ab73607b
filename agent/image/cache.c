/* cache.c - results of earlier looks, by image id: an image's content never changes, only what this program can
 * read in it. A worker that an image has taken over can spoil that image's own result, nobody else's.
 *
 *   "PKSTOCK1" version:u64 inventory:u32 owners:u32, the inventory, the table of owners
 *
 * version: of this very program file and of the options that change a result. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "agent/image/image_limits.h"
#include "agent/image/path.h"
#include "agent/image/stock_priv.h"
#include "agent/image/stream.h"
#include "common/file.h"

enum { FORMAT = 1, HEAD_BYTES = 24 };
static const char magic[8] = "PKSTOCK1";

/* Another build may read more in the same image. */
static uint64_t version_of(const struct stock *st)
{
	struct stat exe = { 0 };
	uint64_t h = path_hash(SLICE_LIT(PICKET_VERSION));

	(void)stat("/proc/self/exe", &exe);
	const struct {
		struct image_limits limits;
		int64_t exe[3];
		uint64_t format, lockfiles;
	} key = { st->limits,
		  { exe.st_size, exe.st_mtim.tv_sec, exe.st_mtim.tv_nsec },
		  FORMAT,
		  st->source.job.with_lockfiles };
	return path_hash_more(h, slice_from(&key, sizeof(key)));
}

static bool path_of(const struct stock *st, const char *image_id, char *dst, size_t size)
{
	return stream_is_digest(slice_of(image_id)) &&
	       snprintf(dst, size, "%s/%s.stock", st->o->cache_dir, image_id + 7) < (int)size;
}

int cache_read(const struct stock *st, const char *image_id, struct buf *ret_inventory, struct buf *ret_owners,
	       struct err *err)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	char path[4096];
	uint64_t version;
	uint32_t sizes[2];

	buf_init(ret_inventory, IMAGE_INVENTORY_BYTES);
	buf_init(ret_owners, IMAGE_OWNERS_BYTES);
	if (!path_of(st, image_id, path, sizeof(path)))
		return 0;
	int r = file_read(path, HEAD_BYTES + (size_t)IMAGE_INVENTORY_BYTES + IMAGE_OWNERS_BYTES, &b, err);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (b.n < HEAD_BYTES || memcmp(b.p, magic, sizeof(magic)) != 0)
		return 0;
	memcpy(&version, b.p + 8, sizeof(version));
	memcpy(sizes, b.p + 16, sizeof(sizes));
	if (version != version_of(st) || b.n - HEAD_BYTES != (uint64_t)sizes[0] + sizes[1])
		return 0;
	buf_add(ret_inventory, b.p + HEAD_BYTES, sizes[0]);
	buf_add(ret_owners, b.p + HEAD_BYTES + sizes[0], sizes[1]);
	(void)utimensat(AT_FDCWD, path, NULL, 0); /* used: not the first to go */
	return !ret_inventory->failed && !ret_owners->failed;
}

/* ---- keeping it small ---- */

struct kept {
	char name[80];
	int64_t used_s;
	int64_t bytes;
};

static int by_use(const void *va, const void *vb)
{
	const struct kept *a = va, *b = vb;

	return a->used_s > b->used_s ? -1 : a->used_s < b->used_s;
}

static size_t list_kept(DIR *d, struct kept *list, size_t max)
{
	const struct dirent *e;
	struct stat st;
	size_t n = 0;

	while (n < max && (e = readdir(d))) {
		struct kept *k = &list[n];

		if (slice_ends(slice_of(e->d_name), SLICE_LIT(".stock")) &&
		    slice_copy(slice_of(e->d_name), k->name, sizeof(k->name)) &&
		    fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) >= 0 && S_ISREG(st.st_mode)) {
			k->used_s = st.st_mtime;
			k->bytes = st.st_size;
			n++;
		}
	}
	return n;
}

/* Past the bounds the longest unused go. */
static void trim(const char *dir)
{
	enum { MAX = 4 * IMAGE_CACHE_FILES };
	CLEANUP(freep) struct kept *list = calloc(MAX, sizeof(*list));
	DIR *d = opendir(dir);
	int64_t bytes = 0;

	if (d && list) {
		size_t n = list_kept(d, list, MAX);

		qsort(list, n, sizeof(*list), by_use);
		for (size_t i = 0; i < n; i++) {
			bytes += list[i].bytes;
			if (i >= IMAGE_CACHE_FILES || (i && bytes > IMAGE_CACHE_BYTES))
				(void)unlinkat(dirfd(d), list[i].name, 0);
		}
	}
	if (d)
		closedir(d);
}

void cache_write(const struct stock *st, const char *image_id)
{
	const struct buf *inv = &st->parts[CHAN_PART_INVENTORY], *owners = &st->parts[CHAN_PART_OWNERS];
	const uint32_t sizes[2] = { (uint32_t)inv->n, (uint32_t)owners->n };
	uint64_t version = version_of(st);
	CLEANUP(buf_finip) struct buf b = { 0 };
	char path[4096];

	if (!path_of(st, image_id, path, sizeof(path)) || file_make_dirs(st->o->cache_dir, 0700, NULL) < 0)
		return;
	buf_init(&b, HEAD_BYTES + (size_t)IMAGE_INVENTORY_BYTES + IMAGE_OWNERS_BYTES);
	buf_add(&b, magic, sizeof(magic));
	buf_add(&b, &version, sizeof(version));
	buf_add(&b, sizes, sizeof(sizes));
	buf_add_slice(&b, buf_slice(inv));
	buf_add_slice(&b, buf_slice(owners));
	if (!b.failed && file_write_atomic(path, buf_slice(&b), 0600, NULL) >= 0)
		trim(st->o->cache_dir);
}
