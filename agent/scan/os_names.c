/* os_names.c - see os_names.h. */
#include "agent/scan/os_names.h"

#include <strings.h>

static const struct {
	const char *id, *family;
	bool is_old; /* read, never written */
} names[] = {
	{ "rhel", "redhat", false },
	{ "almalinux", "alma", false },
	{ "ol", "oracle", false },
	{ "amzn", "amazon", false },
	{ "mariner", "cbl-mariner", false },
	{ "sles", "suse linux enterprise server", true },
	{ "opensuse-leap", "opensuse.leap", true },
	{ "opensuse-tumbleweed", "opensuse.tumbleweed", true },
	{ "amzn", "amazon linux", true },
	{ "debian", "debian gnu/linux", true },
};

struct slice os_names_id(struct slice name)
{
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct slice family = slice_of(names[i].family);

		if (family.n == name.n && !strncasecmp(family.p, name.p, name.n))
			return slice_of(names[i].id);
	}
	return name;
}

struct slice os_names_family(struct slice id)
{
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (slice_is(id, names[i].id) && !names[i].is_old)
			return slice_of(names[i].family);
	}
	return id;
}

struct slice os_names_version(struct slice id, struct slice version)
{
	ptrdiff_t dot = slice_find_char(version, '.');

	/* "12.5" is from Debian's /etc/debian_version; os-release has "12". */
	return slice_is(id, "debian") && dot > 0 ? slice_sub(version, 0, (size_t)dot) : version;
}

static const struct {
	const char *id, *version, *codename;
} codenames[] = {
	{ "debian", "8", "jessie" },	{ "debian", "9", "stretch" },  { "debian", "10", "buster" },
	{ "debian", "11", "bullseye" }, { "debian", "12", "bookworm" }, { "debian", "13", "trixie" },
	{ "debian", "14", "forky" },	{ "ubuntu", "16.04", "xenial" }, { "ubuntu", "18.04", "bionic" },
	{ "ubuntu", "20.04", "focal" }, { "ubuntu", "22.04", "jammy" }, { "ubuntu", "24.04", "noble" },
};

struct slice os_names_codename(struct slice id, struct slice version)
{
	for (size_t i = 0; i < ARRAY_LEN(codenames); i++) {
		if (slice_is(id, codenames[i].id) && slice_is(version, codenames[i].version))
			return slice_of(codenames[i].codename);
	}
	return SLICE_NONE;
}
