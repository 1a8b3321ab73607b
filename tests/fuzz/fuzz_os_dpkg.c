/* fuzz_os_dpkg.c - FUZZ_LINK: agent_image_os
 * What dpkg and opkg say is installed, and lists of files; os-release beside. The first byte says which. */
#include "tests/fuzz/fuzz_os.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const fuzz_os_fn fns[] = { dpkg_status_read, dpkg_status_d_read, opkg_status_read,
					  dpkg_list_read,   opkg_list_read,	dpkg_md5sums_read };
	struct pkg_os_release o;

	if (!size)
		return 0;
	if (pkg_os_release_parse(slice_from(data + 1, size - 1), &o, NULL) >= 0)
		assert(o.id.n && text_is_clean(o.id) && text_is_clean(o.version_id) && text_is_clean(o.codename));
	return fuzz_os("var/lib/dpkg/status.d/x", fns[data[0] % ARRAY_LEN(fns)], data + 1, size - 1);
}
