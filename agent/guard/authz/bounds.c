/* bounds.c - how many of each thing one body may ask for, so that a judgement is over within a millisecond. */
#include "agent/guard/authz/authz_priv.h"

/* Far above what is asked for by people: a range of published ports comes as one member each. */
static const struct {
	const char *name;
	unsigned max;
} bounds[] = {
	{ "Binds", 48 },	 { "Mounts", 48 },	 { "Tmpfs", 48 },	{ "Volumes", 48 },	 { "VolumesFrom", 16 },
	{ "Devices", 64 },	 { "DeviceRequests", 32 }, { "DeviceCgroupRules", 64 }, { "CapAdd", 64 },	 { "CapDrop", 64 },
	{ "SecurityOpt", 16 },	 { "Sysctls", 64 },	 { "PortBindings", 512 }, { "ExposedPorts", 512 }, { "ExtraHosts", 512 },
	{ "GroupAdd", 128 },	 { "Links", 128 },	 { "Dns", 64 },		{ "DnsOptions", 64 },	 { "DnsSearch", 64 },
	{ "Ulimits", 64 },	 { "MaskedPaths", 128 },	 { "ReadonlyPaths", 128 }, { "Annotations", 128 }, { "StorageOpt", 32 },
	{ "Labels", 1024 },	 { "Env", 2048 },	 { "EndpointsConfig", 32 },
};

int authz_bounds(const struct authz_body *o, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(bounds); i++) {
		const struct authz_body *m = authz_get(o, bounds[i].name);

		if (m && m->count > bounds[i].max)
			return err_set(err, ERR_LIMIT, "%s holds %zu, at most %u", bounds[i].name, m->count, bounds[i].max);
	}
	return 0;
}
