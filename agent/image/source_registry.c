#include "agent/image/source.h"
int source_open_registry(const char *ref, const struct image_options *o, struct source *ret, struct err *err)
{
	(void)ref, (void)o;
	source_init(ret);
	return err_set(err, ERR_NOT_FOUND, "registries: not yet");
}
int image_registry_digest(const char *ref, const struct image_options *o, char ret[IMAGE_DIGEST_MAX], struct err *err)
{
	(void)ref, (void)o, (void)ret;
	return err_set(err, ERR_NOT_FOUND, "registries: not yet");
}
