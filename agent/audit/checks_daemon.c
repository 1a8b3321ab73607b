/* checks_daemon.c - the engine: what it does by default, and who may speak to it. Options count as they are in
 * effect; a file that is newer than the process says nothing of that. */
#include <inttypes.h>

#include "agent/audit/checks.h"

#define NEEDS_ENGINE(j)                                                                                                \
	do {                                                                                                           \
		if (!(j)->daemon->is_known)                                                                            \
			return judge_unknown(j, "%s", (j)->daemon->why[0] ? (j)->daemon->why : "the engine did not answer");                    \
	} while (0)

/* Options are read from the file and the process; with neither nothing is known of them. */
#define NEEDS_OPTIONS(j)                                                                                               \
	do {                                                                                                           \
		if (!(j)->daemon->pid && !(j)->daemon->has_config)                                                     \
			NEEDS_ENGINE(j);                                                                               \
	} while (0)

/* ---- who may speak to it ---- */

/* Swarm's own ports have keys of their own, whatever the API is told. */
static bool is_swarms(const struct judge *j, const char *address)
{
	static const char *const ports[] = { ":2377", ":7946", ":4789" };
	size_t n = strlen(address);
	bool active = j->daemon->swarm[0] && strcmp(j->daemon->swarm, "inactive") != 0;

	for (size_t i = 0; active && i < ARRAY_LEN(ports); i++) {
		size_t m = strlen(ports[i]);

		if (n > m && !strcmp(address + n - m, ports[i]))
			return true;
	}
	return false;
}

enum audit_status check_d_tls(struct judge *j)
{
	const struct facts_daemon *d = j->daemon;
	struct names open = { .most = 4 }, unclear = { .most = 4 }, locked = { .most = 4 };
	bool local = true;

	for (size_t i = 0; i < d->listen_count; i++) {
		const struct facts_listen *l = &d->listens[i];

		if (!l->is_tcp || is_swarms(j, l->address))
			continue;
		if (l->has_tls == FACTS_YES && d->tls_verify == FACTS_YES) {
			names_add(&locked, "%s", l->address);
		} else if (l->has_tls == FACTS_YES && d->tls_verify != FACTS_NO && d->tls != FACTS_YES) {
			names_add(&unclear, "%s", l->address);
		} else if (l->has_tls == FACTS_UNKNOWN && d->tls_verify == FACTS_YES) {
			names_add(&locked, "%s", l->address);
		} else {
			local &= l->is_loopback;
			names_add(&open, "%s%s", l->address, l->has_tls == FACTS_YES ? " (TLS, but any client)" : "");
		}
	}
	if (open.count)
		return judge_fail_as(j, local ? AUDIT_HIGH : AUDIT_CRITICAL, "%s%s", names_text(&open),
				     local ? ": every program and every container with the host's network" : "");
	if (unclear.count)
		return judge_warn_as(j, AUDIT_MEDIUM, "%s has TLS; whether it wants a client's certificate is not known",
				     names_text(&unclear));
	if (locked.count)
		return judge_pass(j, "%s with tlsverify", names_text(&locked));
	if (!d->pid)
		return judge_unknown(j, "the engine's process was not found: %s", d->why);
	return judge_na(j, "it listens on no TCP port");
}

enum audit_status check_d_sockets(struct judge *j)
{
	const struct facts_daemon *d = j->daemon;
	struct names names = { .most = 4 };
	size_t count = 0;

	for (size_t i = 0; i < d->listen_count; i++) {
		const struct facts_listen *l = &d->listens[i];
		bool own = !l->uid || (d->is_rootless && l->uid == d->uid);

		if (l->is_tcp)
			continue;
		count++;
		if (!(l->mode & 0002) && own)
			continue;
		j->path = !strncmp(l->address, "unix:", 5) ? l->address + 5 : l->address;
		names_add(&names, "%s %04o, of uid %u", l->address, (unsigned)(l->mode & 07777), (unsigned)l->uid);
	}
	if (names.count)
		return judge_fail(j, "%s", names_text(&names));
	if (!count)
		return judge_unknown(j, "its sockets were not found: %s", d->why);
	return judge_pass(j, "%zu, none for everybody", count);
}

enum audit_status check_d_authz(struct judge *j)
{
	NEEDS_ENGINE(j);
	const struct facts_texts *t = &j->daemon->authz_plugins;
	return t->count ? judge_pass(j, "%s", t->v[0]) : judge_fail(j, "no authorization plugin");
}

enum audit_status check_d_rootless(struct judge *j)
{
	const struct facts_daemon *d = j->daemon;

	if (d->is_rootless || (d->pid && d->uid))
		return judge_pass(j, "uid %u", (unsigned)d->uid);
	if (!d->pid && !d->is_known)
		return judge_unknown(j, "the engine's process was not found: %s", d->why);
	return judge_fail(j, "it is root");
}

/* ---- what containers get ---- */

enum audit_status check_d_seccomp(struct judge *j)
{
	const struct facts_daemon *d = j->daemon;

	NEEDS_ENGINE(j);
	if (!d->has_seccomp)
		return judge_fail(j, "engine or kernel has no seccomp");
	if (!strcmp(d->seccomp_profile, "unconfined"))
		return judge_fail(j, "the default profile is unconfined");
	return judge_pass(j, "profile %s", d->seccomp_profile[0] ? d->seccomp_profile : "builtin");
}

enum audit_status check_d_icc(struct judge *j)
{
	const struct facts_daemon *d = j->daemon;

	NEEDS_ENGINE(j);
	for (size_t i = 0; i < d->network_count; i++) {
		const struct facts_bridge *b = &d->networks[i];

		if (!b->is_default || strcmp(b->driver, "bridge") != 0 || b->has_icc == FACTS_UNKNOWN)
			continue;
		return b->has_icc == FACTS_NO ? judge_pass(j, "%s has icc off", b->name) : judge_fail(j, "%s has icc on", b->name);
	}
	if (d->icc == FACTS_NO)
		return judge_pass(j, "icc is false");
	if (d->network_count)
		return judge_na(j, "there is no default bridge");
	return judge_unknown(j, "its networks are not known");
}

enum audit_status check_d_iptables(struct judge *j)
{
	NEEDS_OPTIONS(j);
	return j->daemon->iptables == FACTS_NO ? judge_fail(j, "iptables is false") : judge_pass(j, "on");
}

static bool is_local_registry(const char *r)
{
	return !strcmp(r, "127.0.0.0/8") || !strcmp(r, "::1/128") || !strncmp(r, "127.", 4) || !strncmp(r, "localhost", 9);
}

enum audit_status check_d_registries(struct judge *j)
{
	struct names names = { .most = 6 };

	NEEDS_ENGINE(j);
	for (size_t i = 0; i < j->daemon->insecure_registries.count; i++) {
		/* the engine's own entries: nobody is on the way there */
		if (!is_local_registry(j->daemon->insecure_registries.v[i]))
			names_add(&names, "%s", j->daemon->insecure_registries.v[i]);
	}
	return names.count ? judge_fail(j, "%s", names_text(&names)) : judge_pass(j, "none but this host");
}

enum audit_status check_d_nnp(struct judge *j)
{
	NEEDS_OPTIONS(j);
	return j->daemon->no_new_privileges == FACTS_YES ? judge_pass(j, "on") : judge_fail(j, "not set");
}

enum audit_status check_d_userns(struct judge *j)
{
	NEEDS_ENGINE(j);
	if (j->daemon->is_rootless)
		return judge_pass(j, "the whole engine runs in a user namespace");
	return j->daemon->has_userns ? judge_pass(j, "userns-remap") : judge_fail(j, "no userns-remap");
}

enum audit_status check_d_ulimits(struct judge *j)
{
	NEEDS_OPTIONS(j);
	return j->daemon->ulimit_count ? judge_pass(j, "%zu set", j->daemon->ulimit_count) : judge_fail(j, "none");
}

enum audit_status check_d_cgroup_parent(struct judge *j)
{
	const char *parent = j->daemon->cgroup_parent;

	NEEDS_OPTIONS(j);
	return parent[0] ? judge_warn(j, "%.100s", parent) : judge_pass(j, "the default");
}

enum audit_status check_d_basesize(struct judge *j)
{
	const struct facts_daemon *d = j->daemon;

	NEEDS_ENGINE(j);
	if (strcmp(d->driver, "devicemapper") != 0)
		return judge_na(j, "only devicemapper has one; this is %s", d->driver);
	return d->basesize[0] ? judge_warn(j, "%.60s", d->basesize) : judge_pass(j, "the default");
}

enum audit_status check_d_storage(struct judge *j)
{
	static const char *const old[] = { "aufs", "devicemapper", "overlay", "vfs" };
	const char *driver = j->daemon->driver;

	NEEDS_ENGINE(j);
	for (size_t i = 0; i < ARRAY_LEN(old); i++) {
		if (!strcmp(driver, old[i]))
			return judge_fail(j, "%s", driver);
	}
	return judge_pass(j, "%s", driver);
}

enum audit_status check_d_runtime(struct judge *j)
{
	static const char *const known[] = { "runc", "io.containerd.runc.v2", "crun", "youki", "runsc", "kata", "kata-runtime", "nvidia" };
	const char *runtime = j->daemon->default_runtime;

	NEEDS_ENGINE(j);
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (!strcmp(runtime, known[i]))
			return judge_pass(j, "%s", runtime);
	}
	return runtime[0] ? judge_fail(j, "%.100s", runtime) : judge_pass(j, "runc");
}

/* ---- the engine itself ---- */

enum audit_status check_d_config(struct judge *j)
{
	const struct facts_daemon *d = j->daemon;

	if (!d->has_config)
		return judge_na(j, "there is none");
	return d->is_config_bad ? judge_fail(j, "%s", d->config_error) : judge_pass(j, "%s", d->config_path);
}

enum audit_status check_d_config_newer(struct judge *j)
{
	const struct facts_daemon *d = j->daemon;

	if (!d->has_config)
		return judge_na(j, "there is none");
	if (!d->pid)
		return judge_unknown(j, "the engine's process was not found: %s", d->why);
	return d->is_config_newer ? judge_warn(j, "%s was changed after the engine's start", d->config_path) :
				    judge_pass(j, "older than the engine's process");
}

enum audit_status check_d_live_restore(struct judge *j)
{
	NEEDS_ENGINE(j);
	if (j->daemon->swarm[0] && !strcmp(j->daemon->swarm, "active"))
		return judge_na(j, "swarm mode does without");
	return j->daemon->has_live_restore ? judge_pass(j, "on") : judge_fail(j, "off");
}

enum audit_status check_d_userland_proxy(struct judge *j)
{
	const struct facts_daemon *d = j->daemon;

	NEEDS_OPTIONS(j);
	if (d->proxies)
		return judge_fail(j, "%zu docker-proxy processes", d->proxies);
	return d->userland_proxy == FACTS_NO ? judge_pass(j, "off") : judge_fail(j, "on (the default); no port needs it now");
}

enum audit_status check_d_log_level(struct judge *j)
{
	const char *level = j->daemon->log_level;

	NEEDS_OPTIONS(j);
	return !level[0] || !strcmp(level, "info") ? judge_pass(j, "info") : judge_fail(j, "%.20s", level);
}

enum audit_status check_d_log_driver(struct judge *j)
{
	const char *driver = j->daemon->logging_driver;

	NEEDS_ENGINE(j);
	if (!strcmp(driver, "none"))
		return judge_fail_as(j, AUDIT_MEDIUM, "none");
	if (!strcmp(driver, "json-file"))
		return judge_fail(j, "json-file: on this host only");
	if (!strcmp(driver, "local"))
		return judge_warn_as(j, AUDIT_INFO, "local: rotated, but on this host only");
	return judge_pass(j, "%.40s", driver);
}

enum audit_status check_d_experimental(struct judge *j)
{
	NEEDS_ENGINE(j);
	return j->daemon->is_experimental ? judge_fail(j, "on") : judge_pass(j, "off");
}

/* The oldest major release that still got updates at the end of 2025; a release of this file moves it on. */
enum { OLDEST_MAINTAINED = 28 };

enum audit_status check_d_version(struct judge *j)
{
	const char *v = j->daemon->version;
	long major = strtol(v, NULL, 10);

	NEEDS_ENGINE(j);
	if (major <= 0)
		return judge_unknown(j, "version '%.40s'", v);
	if (major >= OLDEST_MAINTAINED)
		return judge_pass(j, "%.40s", v);
	/* distributions keep an old number and take the fixes over */
	if (strstr(v, "dfsg") || strstr(v, "ubuntu") || strstr(v, "+deb") || strstr(v, ".el") || strstr(v, ".fc"))
		return judge_warn_as(j, AUDIT_LOW, "%.40s: of a distribution; as safe as its updates", v);
	return judge_fail(j, "%.40s: releases before %d get no fixes", v, OLDEST_MAINTAINED);
}

enum audit_status check_d_trust(struct judge *j)
{
	const struct facts_texts *e = &j->daemon->environment_names;

	NEEDS_OPTIONS(j);
	if (judge_text_in(e, "DOCKER_CONTENT_TRUST=1"))
		return judge_pass(j, "DOCKER_CONTENT_TRUST=1");
	return judge_warn(j, "not required by the engine");
}

enum audit_status check_d_warnings(struct judge *j)
{
	const struct facts_texts *w = &j->daemon->warnings;
	struct names names = { .most = 4 };

	NEEDS_ENGINE(j);
	for (size_t i = 0; i < w->count; i++)
		names_add(&names, "%.120s", w->v[i]);
	return names.count ? judge_warn(j, "%s", names_text(&names)) : judge_pass(j, "none");
}

/* ---- swarm ---- */

static bool has_swarm(const struct judge *j)
{
	return j->daemon->swarm[0] && strcmp(j->daemon->swarm, "inactive") != 0;
}

#define NEEDS_SWARM(j)                                                                                                 \
	do {                                                                                                           \
		NEEDS_ENGINE(j);                                                                                       \
		if (!has_swarm(j))                                                                                     \
			return judge_na(j, "no swarm");                                                                \
		if ((j)->daemon->is_swarm_manager != FACTS_YES)                                                        \
			return judge_na(j, "no manager of the swarm");                                                 \
	} while (0)

enum audit_status check_d_swarm(struct judge *j)
{
	NEEDS_ENGINE(j);
	return has_swarm(j) ? judge_warn(j, "%.20s", j->daemon->swarm) : judge_pass(j, "inactive");
}

enum audit_status check_d_swarm_address(struct judge *j)
{
	static const char *const open[] = { "tcp:0.0.0.0:2377", "tcp:[::]:2377", "tcp:*:2377", "tcp::::2377", "tcp::2377" };

	NEEDS_SWARM(j);
	for (size_t i = 0; i < j->daemon->listen_count; i++) {
		for (size_t k = 0; k < ARRAY_LEN(open); k++) {
			if (!strcmp(j->daemon->listens[i].address, open[k]))
				return judge_fail(j, "%s", open[k]);
		}
	}
	return judge_pass(j, "not on every address");
}

enum audit_status check_d_overlay(struct judge *j)
{
	struct names names = { .most = 6 };
	size_t count = 0;

	NEEDS_ENGINE(j);
	for (size_t i = 0; i < j->daemon->network_count; i++) {
		const struct facts_bridge *b = &j->daemon->networks[i];

		/* ingress can't be encrypted after the fact, and carries published ports only */
		if (strcmp(b->driver, "overlay") != 0)
			continue;
		count++;
		if (b->is_encrypted != FACTS_YES)
			names_add(&names, "%.60s", b->name);
	}
	if (names.count)
		return judge_fail(j, "%s", names_text(&names));
	return count ? judge_pass(j, "%zu, all encrypted", count) : judge_na(j, "no overlay network");
}

enum audit_status check_d_autolock(struct judge *j)
{
	NEEDS_SWARM(j);
	if (j->daemon->has_swarm_autolock == FACTS_UNKNOWN)
		return judge_unknown(j, "the swarm's settings are not known");
	return j->daemon->has_swarm_autolock == FACTS_YES ? judge_pass(j, "on") : judge_fail(j, "off");
}

enum audit_status check_d_cert_expiry(struct judge *j)
{
	const int64_t hour = INT64_C(3600000000000), most = 48 * hour, expiry = j->daemon->swarm_cert_expiry_ns;

	NEEDS_SWARM(j);
	if (expiry <= 0)
		return judge_unknown(j, "the swarm's settings are not known");
	return expiry > most ? judge_warn(j, "%" PRId64 " hours", expiry / hour) : judge_pass(j, "%" PRId64 " hours", expiry / hour);
}

/* ---- what piles up ---- */

enum audit_status check_d_images(struct judge *j)
{
	const struct facts_daemon *d = j->daemon;
	enum { MANY = 100 };

	NEEDS_ENGINE(j);
	if (d->images > MANY && d->images > 2 * d->containers)
		return judge_warn(j, "%zu images for %zu containers", d->images, d->containers);
	return judge_pass(j, "%zu images for %zu containers", d->images, d->containers);
}

enum audit_status check_d_containers(struct judge *j)
{
	const struct facts_daemon *d = j->daemon;
	size_t stopped = d->containers > d->containers_running ? d->containers - d->containers_running : 0;
	enum { MANY = 25 };

	NEEDS_ENGINE(j);
	return stopped > MANY ? judge_warn(j, "%zu stopped, %zu run", stopped, d->containers_running) :
				judge_pass(j, "%zu stopped, %zu run", stopped, d->containers_running);
}
