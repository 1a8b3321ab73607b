/* facts_daemon.c - what the engine says of itself: info, version, networks, swarm. Pure. */
#include "agent/audit/facts_priv.h"
#include "common/json.h"

static size_t count_of(const cJSON *o, const char *key)
{
	int64_t n = facts_json_i64(o, key, 0);

	return n > 0 ? (size_t)n : 0;
}

/* "name=seccomp,profile=builtin" */
static void read_security_option(struct facts_out *o, struct slice option, struct facts_daemon *d)
{
	struct slice part, name = SLICE_NONE, profile = SLICE_NONE;

	while (slice_split(&option, ',', &part)) {
		if (slice_starts(part, SLICE_LIT("name=")))
			name = slice_sub(part, 5, part.n);
		else if (slice_starts(part, SLICE_LIT("profile=")))
			profile = slice_sub(part, 8, part.n);
	}
	if (slice_is(name, "seccomp")) {
		d->has_seccomp = true;
		/* "default" is how engines before 23 said "builtin". */
		d->seccomp_profile = slice_is(profile, "default") ? "builtin" : facts_text(o, profile);
	}
	d->has_apparmor |= slice_is(name, "apparmor");
	d->has_selinux |= slice_is(name, "selinux");
	d->has_userns |= slice_is(name, "userns");
	d->is_rootless |= slice_is(name, "rootless");
}

static void add_registry(struct facts_out *o, struct slice name, struct facts_texts *to)
{
	/* The engine's own default: the host itself. */
	if (!slice_starts(name, SLICE_LIT("127.")) && !slice_is(name, "::1/128"))
		facts_texts_add(to, facts_text(o, name));
}

static void read_registries(struct facts_out *o, const cJSON *registries, struct facts_texts *to)
{
	const cJSON *cidrs = facts_get(registries, "InsecureRegistryCIDRs"),
		    *index = facts_get(registries, "IndexConfigs"), *v;

	if (!facts_texts_open(o, to, (size_t)cJSON_GetArraySize(cidrs) + (size_t)cJSON_GetArraySize(index)))
		return;
	cJSON_ArrayForEach(v, cidrs) if (cJSON_IsString(v)) add_registry(o, slice_of(v->valuestring), to);
	cJSON_ArrayForEach(v, index) if (v->string && facts_json_tri(v, "Secure") == FACTS_NO)
		add_registry(o, slice_of(v->string), to);
}

static void read_swarm_state(struct facts_out *o, const cJSON *swarm, struct facts_daemon *d)
{
	d->swarm = facts_json_text(o, swarm, "LocalNodeState");
	d->is_swarm_manager = facts_json_tri(swarm, "ControlAvailable");
}

int facts_read_info(struct slice body, struct arena *a, struct facts_daemon *ret, struct err *err)
{
	CLEANUP(cJSON_Deletep) cJSON *doc = NULL;
	struct facts_out o = { .a = a };
	struct facts_daemon d = *ret;
	uint64_t cgroup_version = 1; /* an engine that does not say knows no other */
	int r = facts_json_object(body, &doc, err);

	if (r < 0)
		return err_wrap(err, r, "the engine's info");
	d.is_known = true;
	d.version = facts_json_text(&o, doc, "ServerVersion");
	d.os = facts_json_text(&o, doc, "OSType");
	d.arch = facts_json_text(&o, doc, "Architecture");
	d.root_dir = facts_json_text(&o, doc, "DockerRootDir");
	d.driver = facts_json_text(&o, doc, "Driver");
	d.logging_driver = facts_json_text(&o, doc, "LoggingDriver");
	d.cgroup_driver = facts_json_text(&o, doc, "CgroupDriver");
	d.default_runtime = facts_json_text(&o, doc, "DefaultRuntime");
	(void)slice_to_u64(json_get_str(doc, "CgroupVersion"), &cgroup_version);
	d.cgroup_version = (unsigned)cgroup_version;
	d.has_live_restore = json_get_bool(doc, "LiveRestoreEnabled", false);
	d.is_experimental = json_get_bool(doc, "ExperimentalBuild", false);
	facts_json_texts(&o, facts_get(doc, "SecurityOptions"), &d.security_options);
	d.has_seccomp = d.has_apparmor = d.has_selinux = d.has_userns = d.is_rootless = false;
	d.seccomp_profile = "";
	for (size_t i = 0; i < d.security_options.count; i++)
		read_security_option(&o, slice_of(d.security_options.v[i]), &d);
	read_registries(&o, facts_get(doc, "RegistryConfig"), &d.insecure_registries);
	facts_json_texts(&o, facts_get(facts_get(doc, "Plugins"), "Authorization"), &d.authz_plugins);
	facts_json_keys(&o, facts_get(doc, "Runtimes"), &d.runtimes);
	facts_json_texts(&o, facts_get(doc, "Warnings"), &d.warnings);
	read_swarm_state(&o, facts_get(doc, "Swarm"), &d);
	d.containers = count_of(doc, "Containers");
	d.containers_running = count_of(doc, "ContainersRunning");
	d.images = count_of(doc, "Images");
	r = facts_done(&o, err);
	if (r < 0)
		return r;
	*ret = d;
	return 0;
}

int facts_read_version(struct slice body, struct arena *a, struct facts_daemon *ret, struct err *err)
{
	CLEANUP(cJSON_Deletep) cJSON *doc = NULL;
	struct facts_out o = { .a = a };
	int r = facts_json_object(body, &doc, err);

	if (r < 0)
		return err_wrap(err, r, "the engine's version");
	const char *version = facts_json_text(&o, doc, "Version"), *api = facts_json_text(&o, doc, "ApiVersion");
	r = facts_done(&o, err);
	if (r < 0)
		return r;
	if (*version)
		ret->version = version;
	ret->api_version = api;
	ret->is_experimental |= json_get_bool(doc, "Experimental", false);
	ret->is_known = true;
	return 0;
}

/* Options are texts: "true", "1". An absent one has the driver's default. */
static enum facts_tri option_tri(const cJSON *options, const char *key, enum facts_tri absent)
{
	const cJSON *v = facts_get(options, key);

	if (!cJSON_IsString(v))
		return absent;
	return !strcmp(v->valuestring, "false") || !strcmp(v->valuestring, "0") ? FACTS_NO : FACTS_YES;
}

static void read_network(struct facts_out *o, const cJSON *n, struct facts_bridge *b)
{
	const cJSON *options = facts_get(n, "Options");

	b->name = facts_json_text(o, n, "Name");
	b->driver = facts_json_text(o, n, "Driver");
	b->is_internal = facts_json_tri(n, "Internal");
	bool is_bridge = !strcmp(b->driver, "bridge"), is_overlay = !strcmp(b->driver, "overlay");
	b->has_icc = option_tri(options, "com.docker.network.bridge.enable_icc", is_bridge ? FACTS_YES : FACTS_UNKNOWN);
	/* "encrypted" counts by being there, with any text but "false". */
	b->is_encrypted = option_tri(options, "encrypted", is_overlay ? FACTS_NO : FACTS_UNKNOWN);
	b->is_default = option_tri(options, "com.docker.network.bridge.default_bridge", FACTS_NO) == FACTS_YES;
}

int facts_read_networks(struct slice body, struct arena *a, struct facts_daemon *ret, struct err *err)
{
	CLEANUP(cJSON_Deletep) cJSON *doc = NULL;
	struct facts_out o = { .a = a };
	int r = json_parse(body, FACTS_BODY_BYTES, &doc, err);
	const cJSON *n;

	if (r >= 0 && !cJSON_IsArray(doc))
		r = err_set(err, ERR_SYNTAX, "1:1: not a JSON array");
	if (r < 0)
		return err_wrap(err, r, "the engine's networks");
	size_t all = (size_t)cJSON_GetArraySize(doc), count = 0;
	struct facts_bridge *v = facts_rows(&o, all < FACTS_LIST_MAX ? all : FACTS_LIST_MAX, sizeof(*v));
	cJSON_ArrayForEach(n, doc)
	{
		if (!v || count == FACTS_LIST_MAX)
			break;
		if (cJSON_IsObject(n))
			read_network(&o, n, &v[count++]);
	}
	r = facts_done(&o, err);
	if (r < 0)
		return r;
	ret->networks = v;
	ret->network_count = count;
	return 0;
}

int facts_read_swarm(struct slice body, struct arena *a, struct facts_daemon *ret, struct err *err)
{
	CLEANUP(cJSON_Deletep) cJSON *doc = NULL;
	int r = facts_json_object(body, &doc, err);

	if (r < 0)
		return err_wrap(err, r, "the engine's swarm");
	const cJSON *spec = facts_get(doc, "Spec"), *lock = facts_get(spec, "EncryptionConfig");
	/* Off is left out of the answer. */
	ret->has_swarm_autolock = cJSON_IsObject(lock) && !facts_get(lock, "AutoLockManagers")
					  ? FACTS_NO
					  : facts_json_tri(lock, "AutoLockManagers");
	ret->swarm_cert_expiry_ns = facts_json_i64(facts_get(spec, "CAConfig"), "NodeCertExpiry", 0);
	return 0;
}
