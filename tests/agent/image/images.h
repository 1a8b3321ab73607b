/* images.h - for tests: whole images on disk, as `docker save` and as OCI layouts, of layers made by layers.h. */
#pragma once
#include <ftw.h>
#include <sys/stat.h>

#include "agent/image/meta.h"
#include "common/file.h"
#include "layers.h"

enum { IMAGE_LAYERS_MAX = 8 };

struct test_image {
	struct buf plain[IMAGE_LAYERS_MAX];  /* tars */
	struct buf packed[IMAGE_LAYERS_MAX]; /* as they stand in the image; borrowed from plain if not packed */
	char diff_ids[IMAGE_LAYERS_MAX][72], digests[IMAGE_LAYERS_MAX][72];
	size_t count;
	const char *config; /* members of "config", or NULL */
	struct buf config_json, manifest_json;
	char config_digest[72], manifest_digest[72];
};

/* filter: how the layer is packed. */
static inline void image_add(struct test_image *im, const struct item *items, size_t n, int filter)
{
	size_t i = im->count++;

	im->plain[i] = tar_make(items, n, ARCHIVE_FILTER_NONE);
	im->packed[i] = filter == ARCHIVE_FILTER_NONE ? im->plain[i] : tar_make(items, n, filter);
	assert_int_equal(meta_digest(buf_slice(&im->plain[i]), im->diff_ids[i], NULL), 0);
	assert_int_equal(meta_digest(buf_slice(&im->packed[i]), im->digests[i], NULL), 0);
}

#define IMAGE_LAYER(im, filter, ...)                                  \
	do {                                                          \
		const struct item items_[] = { __VA_ARGS__ };         \
		image_add(im, items_, ARRAY_LEN(items_), filter);     \
	} while (0)

static inline void image_finish(struct test_image *im)
{
	struct buf *b = &im->config_json;

	buf_init(b, 1 << 20);
	buf_printf(b, "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{%s},\"history\":[",
		   im->config ? im->config : "");
	for (size_t i = 0; i < im->count; i++)
		buf_printf(b, "%s{\"created_by\":\"step %zu\"}", i ? "," : "", i);
	buf_add_str(b, "],\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[");
	for (size_t i = 0; i < im->count; i++)
		buf_printf(b, "%s\"%.71s\"", i ? "," : "", im->diff_ids[i]);
	buf_add_str(b, "]}}");
	assert_int_equal(meta_digest(buf_slice(b), im->config_digest, NULL), 0);
	b = &im->manifest_json;
	buf_init(b, 1 << 20);
	buf_printf(b, "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\","
		      "\"config\":{\"digest\":\"%.71s\",\"size\":%zu},\"layers\":[",
		   im->config_digest, im->config_json.n);
	for (size_t i = 0; i < im->count; i++)
		buf_printf(b, "%s{\"digest\":\"%.71s\",\"size\":%zu}", i ? "," : "", im->digests[i], im->packed[i].n);
	buf_add_str(b, "]}");
	assert_int_equal(meta_digest(buf_slice(b), im->manifest_digest, NULL), 0);
}

static inline void image_fini(struct test_image *im)
{
	for (size_t i = 0; i < im->count; i++) {
		if (im->packed[i].p != im->plain[i].p)
			buf_fini(&im->packed[i]);
		buf_fini(&im->plain[i]);
	}
	buf_fini(&im->config_json);
	buf_fini(&im->manifest_json);
}

/* ---- on disk ---- */

static inline void put_file(const char *dir, const char *name, struct slice bytes)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	char *slash = strrchr(path, '/');
	*slash = 0;
	assert_int_equal(file_make_dirs(path, 0755, NULL), 0);
	*slash = '/';
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes.p ? bytes.p : "", 1, bytes.n, f), bytes.n);
	fclose(f);
}

static inline void put_blob(const char *dir, const char *digest, struct slice bytes)
{
	char name[128];

	snprintf(name, sizeof(name), "blobs/sha256/%.64s", digest + 7);
	put_file(dir, name, bytes);
}

/* An OCI layout in a folder. */
static inline void image_write_oci(const struct test_image *im, const char *dir)
{
	struct buf index;

	buf_init(&index, 4096);
	buf_printf(&index, "{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"%.71s\",\"size\":%zu}]}",
		   im->manifest_digest, im->manifest_json.n);
	put_file(dir, "oci-layout", SLICE_LIT("{\"imageLayoutVersion\":\"1.0.0\"}"));
	put_file(dir, "index.json", buf_slice(&index));
	put_blob(dir, im->manifest_digest, buf_slice(&im->manifest_json));
	put_blob(dir, im->config_digest, buf_slice(&im->config_json));
	for (size_t i = 0; i < im->count; i++)
		put_blob(dir, im->digests[i], buf_slice(&im->packed[i]));
	buf_fini(&index);
}

static inline void archive_add(struct archive *a, const char *name, const char *soft, struct slice bytes)
{
	struct archive_entry *e = archive_entry_new();

	archive_entry_set_pathname(e, name);
	archive_entry_set_filetype(e, soft ? AE_IFLNK : AE_IFREG);
	archive_entry_set_perm(e, 0644);
	if (soft)
		archive_entry_set_symlink(e, soft);
	else
		archive_entry_set_size(e, (la_int64_t)bytes.n);
	assert_int_equal(archive_write_header(a, e), ARCHIVE_OK);
	if (bytes.n)
		assert_int_equal(archive_write_data(a, bytes.p, bytes.n), bytes.n);
	archive_entry_free(e);
}

static inline struct archive *archive_begin(const char *path, int filter)
{
	struct archive *a = archive_write_new();

	archive_write_set_format_ustar(a);
	archive_write_add_filter(a, filter);
	assert_int_equal(archive_write_open_filename(a, path), ARCHIVE_OK);
	return a;
}

static inline void archive_end(struct archive *a)
{
	assert_int_equal(archive_write_close(a), ARCHIVE_OK);
	archive_write_free(a);
}

/* As `docker save` of 20.10 does: folders by layer, the last thing is manifest.json. Layers that are the same
 * are links to the first. */
static inline void image_write_docker(const struct test_image *im, const char *path, int filter)
{
	struct archive *a = archive_begin(path, filter);
	struct buf list;
	char name[64];

	buf_init(&list, 4096);
	buf_printf(&list, "[{\"Config\":\"%.64s.json\",\"RepoTags\":[\"test/image:1\"],\"Layers\":[",
		   im->config_digest + 7);
	for (size_t i = 0; i < im->count; i++) {
		size_t same = 0;

		while (strcmp(im->diff_ids[same], im->diff_ids[i]) != 0)
			same++;
		snprintf(name, sizeof(name), "../layer%zu/layer.tar", same);
		char own[64];
		snprintf(own, sizeof(own), "layer%zu/layer.tar", i);
		archive_add(a, own, same < i ? name : NULL, same < i ? SLICE_NONE : buf_slice(&im->plain[i]));
		buf_printf(&list, "%s\"%s\"", i ? "," : "", own);
	}
	buf_add_str(&list, "]}]");
	snprintf(name, sizeof(name), "%.40s.json", "x");
	char config[96];
	snprintf(config, sizeof(config), "%.64s.json", im->config_digest + 7);
	archive_add(a, config, NULL, buf_slice(&im->config_json));
	archive_add(a, "manifest.json", NULL, buf_slice(&list));
	archive_end(a);
	buf_fini(&list);
}

static inline int remove_one(const char *path, const struct stat *st, int flag, struct FTW *f)
{
	(void)st, (void)flag, (void)f;
	return remove(path);
}

static inline void remove_tree(const char *dir)
{
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
