/* manifest.c - see manifest.h. */
#include "agent/image/manifest.h"

#include "agent/image/image_limits.h"
#include "agent/image/meta.h"
#include "agent/image/path.h"
#include "agent/image/stream.h"
#include "common/json.h"

static const cJSON *get(const cJSON *o, const char *key)
{
	return cJSON_GetObjectItemCaseSensitive(o, key);
}

static char *get_text(struct arena *a, const cJSON *o, const char *key)
{
	return meta_text(a, json_get_str(o, key), LIMIT_NAME_BYTES);
}

static int full(struct err *err)
{
	return err_set(err, ERR_LIMIT, "the manifest is too large");
}

static int read_blob(const cJSON *o, struct arena *a, struct manifest_blob *ret, struct err *err)
{
	const cJSON *platform = get(o, "platform"), *notes = get(o, "annotations");
	struct slice digest = json_get_str(o, "digest");

	if (!stream_is_digest(digest))
		return err_set(err, ERR_CORRUPT, "the manifest: '%.*s' is no SHA-256 digest",
			       (int)(digest.n > 80 ? 80 : digest.n), digest.n ? digest.p : "");
	ret->digest = arena_dup(a, digest);
	ret->media_type = get_text(a, o, "mediaType");
	ret->size = json_get_u64(o, "size", UINT64_MAX);
	ret->os = get_text(a, platform, "os");
	ret->arch = get_text(a, platform, "architecture");
	ret->variant = get_text(a, platform, "variant");
	ret->is_image = !get(notes, "vnd.docker.reference.type") && !slice_is(json_get_str(platform, "os"), "unknown");
	return ret->digest && ret->media_type && ret->os && ret->arch && ret->variant ? 0 : full(err);
}

static int read_blobs(const cJSON *list, struct arena *a, struct manifest *m, struct err *err)
{
	const cJSON *o;
	int n = cJSON_GetArraySize(list), r;

	if (!cJSON_IsArray(list))
		return err_set(err, ERR_CORRUPT, "the manifest has no list of layers or manifests");
	if (n > LIMIT_LAYERS)
		return err_set(err, ERR_LIMIT, "the manifest names %d layers or manifests, at most %d", n, LIMIT_LAYERS);
	m->items = arena_zalloc(a, (size_t)n + 1, sizeof(*m->items));
	if (!m->items)
		return full(err);
	cJSON_ArrayForEach(o, list) {
		r = read_blob(o, a, &m->items[m->count], err);
		if (r < 0)
			return r;
		m->count++;
	}
	return 0;
}

/* ---- manifest.json of an archive ---- */

static int read_name(struct slice s, struct arena *a, struct manifest_blob *ret, struct err *err)
{
	char dst[LIMIT_PATH_BYTES + 1];
	struct slice path;

	int r = path_clean(s, dst, &path, err);
	if (r < 0)
		return r;
	if (!path.n || memchr(path.p, 0, path.n))
		return err_set(err, ERR_CORRUPT, "the archive's manifest.json: a file without a name");
	*ret = (struct manifest_blob){ .digest = arena_dup(a, path), .media_type = meta_none, .size = UINT64_MAX };
	return ret->digest ? 0 : full(err);
}

static int read_saved_names(const cJSON *tags, struct arena *a, struct manifest *m, struct err *err)
{
	const cJSON *t;

	m->names = arena_zalloc(a, LIMIT_IMAGE_LIST, sizeof(char *));
	if (!m->names)
		return full(err);
	if (cJSON_IsArray(tags))
		cJSON_ArrayForEach(t, tags) {
			if (!cJSON_IsString(t) || m->name_count == LIMIT_IMAGE_LIST)
				continue;
			m->names[m->name_count] = meta_text(a, slice_of(t->valuestring), LIMIT_TEXT_BYTES);
			if (!m->names[m->name_count++])
				return full(err);
		}
	return 0;
}

static int read_saved(const cJSON *o, struct arena *a, struct manifest *m, struct err *err)
{
	const cJSON *image = o->child, *layers = get(image, "Layers"), *l;
	int n = cJSON_GetArraySize(layers), r;

	m->kind = MANIFEST_SAVED;
	if (!cJSON_IsObject(image) || !cJSON_IsArray(layers))
		return err_set(err, ERR_CORRUPT, "the archive's manifest.json names no image");
	if (n > LIMIT_LAYERS)
		return err_set(err, ERR_LIMIT, "%d layers, at most %d", n, LIMIT_LAYERS);
	r = read_name(json_get_str(image, "Config"), a, &m->config, err);
	m->items = arena_zalloc(a, (size_t)n + 1, sizeof(*m->items));
	if (r >= 0 && !m->items)
		return full(err);
	for (l = layers->child; r >= 0 && l; l = l->next) {
		r = read_name(cJSON_IsString(l) ? slice_of(l->valuestring) : SLICE_NONE, a, &m->items[m->count], err);
		m->count += r >= 0;
	}
	return r < 0 ? r : read_saved_names(get(image, "RepoTags"), a, m, err);
}

int manifest_read(struct slice json, struct arena *a, struct manifest *ret, struct err *err)
{
	CLEANUP(cJSON_Deletep) cJSON *o = NULL;
	struct manifest m = { .kind = MANIFEST_IMAGE };

	int r = json_parse(json, IMAGE_DOCUMENT_BYTES, &o, err);
	if (r < 0)
		return err_wrap(err, r, "the manifest");
	if (cJSON_IsArray(o)) {
		r = read_saved(o, a, &m, err);
	} else if (get(o, "manifests")) {
		m.kind = MANIFEST_INDEX;
		r = read_blobs(get(o, "manifests"), a, &m, err);
	} else if (json_get_u64(o, "schemaVersion", 2) == 1) {
		r = err_set(err, ERR_VERSION, "a manifest of schema 1, which registries gave up in 2020");
	} else {
		r = read_blob(get(o, "config"), a, &m.config, err);
		if (r >= 0)
			r = read_blobs(get(o, "layers"), a, &m, err);
	}
	if (r >= 0)
		*ret = m;
	return r;
}

/* ---- platforms ---- */

/* This program's architecture in Docker's words; by the compiler, as a worker may not ask the system. */
#if defined(__x86_64__)
#define HOST_ARCH "amd64"
#elif defined(__aarch64__)
#define HOST_ARCH "arm64"
#elif defined(__arm__)
#define HOST_ARCH "arm"
#elif defined(__riscv)
#define HOST_ARCH "riscv64"
#elif defined(__powerpc64__)
#define HOST_ARCH "ppc64le"
#elif defined(__s390x__)
#define HOST_ARCH "s390x"
#else
#define HOST_ARCH "386"
#endif

static void list_platforms(const struct manifest *m, char *dst, size_t size)
{
	size_t n = 0;

	dst[0] = 0;
	for (size_t i = 0; i < m->count && n < size; i++)
		if (m->items[i].is_image)
			n += (size_t)snprintf(dst + n, size - n, "%s%.20s/%.20s%s%.20s", n ? ", " : "", m->items[i].os,
					      m->items[i].arch, *m->items[i].variant ? "/" : "", m->items[i].variant);
}

int manifest_choose(const struct manifest *m, const char *platform, const struct manifest_blob **ret, struct err *err)
{
	struct slice rest = slice_of(platform), os = SLICE_LIT("linux");
	struct slice arch = SLICE_LIT(HOST_ARCH), variant = SLICE_NONE;
	const struct manifest_blob *only = NULL;
	size_t images = 0;
	char there[140];

	if (platform) {
		os = arch = SLICE_NONE;
		(void)(slice_split(&rest, '/', &os) && slice_split(&rest, '/', &arch) &&
		       slice_split(&rest, '/', &variant));
	}
	for (size_t i = 0; i < m->count; i++) {
		const struct manifest_blob *b = &m->items[i];

		if (!b->is_image)
			continue;
		images++;
		only = b;
		if (slice_is(os, b->os) && slice_is(arch, b->arch) && (!variant.n || slice_is(variant, b->variant))) {
			*ret = b;
			return 0;
		}
	}
	if (images == 1 && (!platform || !*only->arch)) {
		*ret = only;
		return 0;
	}
	list_platforms(m, there, sizeof(there));
	return err_set(err, ERR_NOT_FOUND, "there is no image for %.*s/%.*s; there are: %s", SLICE_FMT(os),
		       SLICE_FMT(arch), *there ? there : "none");
}
