/* fuzz_image_json.c - FUZZ_LINK: agent_image
 * Configurations and manifests of images, names of images in registries, registries' challenges. */
#include "agent/image/manifest.h"
#include "agent/image/meta.h"
#include "agent/image/path.h"
#include "agent/image/registry_priv.h"
#include "common/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(8 << 20);
	struct slice s = slice_from(data, size), path;
	const struct manifest_blob *b = NULL;
	char dst[LIMIT_PATH_BYTES + 1];
	struct registry_ref ref;
	struct manifest m;
	struct meta meta;

	if (meta_read_config(s, a, &meta, NULL) >= 0 && meta.layer_count > LIMIT_LAYERS)
		__builtin_trap();
	if (manifest_read(s, a, &m, NULL) >= 0 && m.kind == MANIFEST_INDEX)
		(void)!manifest_choose(&m, "linux/arm/v7", &b, NULL);
	if (slice_copy(s, dst, 1000) && registry_ref_parse(dst, &ref, NULL) >= 0 && strstr(ref.repo, ".."))
		__builtin_trap();
	(void)registry_parameter(s, "realm", dst, sizeof(dst));
	(void)registry_is_local(registry_url_host(s));
	(void)meta_is_secret(s, s);
	if (path_clean(s, dst, &path, NULL) >= 0 && path.n && path.p[0] == '/')
		__builtin_trap();
	return 0;
}
