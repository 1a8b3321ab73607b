/* workload.c - see workload.h. */
#include "agent/audit/live/workload.h"

#include <errno.h>

static struct policy_texts texts(const struct facts_texts *t)
{
	return (struct policy_texts){ .v = t->v, .count = t->count };
}

static void fill_mount(const struct facts_container *c, const struct facts_asked_mount *from, struct policy_mount *to)
{
	*to = (struct policy_mount){ .type = from->type,
				     .source = *from->name ? from->name : from->source,
				     .real = from->source,
				     .device = from->device,
				     .driver = from->driver,
				     .dest = from->dest,
				     .is_writable = from->is_writable,
				     .protects = "" };
	/* As the kernel has it: by what lies there, whatever it was called. */
	for (size_t i = 0; c->real.is_known && i < c->real.mount_count; i++) {
		const struct facts_mount *m = &c->real.mounts[i];

		if (strcmp(m->point, from->dest) != 0)
			continue;
		to->dev = m->dev;
		to->ino = m->inode;
		to->is_writable = m->is_writable;
		if (*m->host_path && !strcmp(from->type, "bind"))
			to->real = m->host_path;
		if (*m->api_socket)
			to->protects = m->api_socket;
	}
}

static bool fill_mounts(const struct facts_container *c, struct arena *a, struct policy_workload *w)
{
	struct policy_mount *to = arena_zalloc(a, c->asked.mount_count + 1, sizeof(*to));

	for (size_t i = 0; to && i < c->asked.mount_count; i++)
		fill_mount(c, &c->asked.mounts[i], &to[i]);
	w->mounts = to;
	w->mount_count = to ? c->asked.mount_count : 0;
	return to;
}

static bool fill_ports(const struct facts_container *c, struct arena *a, struct policy_workload *w)
{
	struct policy_port *to = arena_zalloc(a, c->asked.port_count + 1, sizeof(*to));

	for (size_t i = 0; to && i < c->asked.port_count; i++)
		to[i] = (struct policy_port){ .host_ip = c->asked.ports[i].host_ip,
					      .host_port = c->asked.ports[i].host_port,
					      .port = c->asked.ports[i].port,
					      .protocol = c->asked.ports[i].protocol,
					      .is_published = true };
	w->ports = to;
	w->port_count = to ? c->asked.port_count : 0;
	return to;
}

static bool fill_networks(const struct facts_container *c, struct arena *a, struct policy_workload *w)
{
	const char **to = arena_zalloc(a, c->asked.network_count + 1, sizeof(*to));

	for (size_t i = 0; to && i < c->asked.network_count; i++)
		to[i] = c->asked.networks[i].name;
	w->networks = (struct policy_texts){ .v = to, .count = to ? c->asked.network_count : 0 };
	return to;
}

/* More than the engine's own profile would let through for the same capabilities. */
static bool is_seccomp_weaker(const struct facts_real *r, const struct facts_daemon *d)
{
	struct facts_filter own = { 0 };

	if (!r->is_known || r->init.seccomp == SECCOMP_UNKNOWN)
		return false;
	if (r->init.seccomp == SECCOMP_OFF)
		return true;
	if (!r->filter.is_read)
		return false;
	facts_default_filter(r->init.cap_bounding, d->version, &own);
	for (size_t i = 0; i < FACTS_SYSCALLS / 64; i++)
		if (r->filter.allows[i] & ~own.allows[i])
			return true;
	return false;
}

static const char *shares(const struct facts_container *c, const struct facts_host *h, enum facts_ns ns, const char *asked)
{
	const struct facts_real *r = &c->real;

	if (!r->is_known || !r->init.ns[ns] || !h->ns[ns])
		return asked;
	return r->init.ns[ns] == h->ns[ns] ? "host" : "";
}

static bool is_root(const struct facts_container *c, const char *user)
{
	if (c->real.is_known) {
		for (size_t i = 0; i < c->real.process_count; i++)
			if (c->real.processes[i].euid == c->real.root_uid)
				return true;
		return false;
	}
	return !*user || !strcmp(user, "root") || !strcmp(user, "0") || !strncmp(user, "root:", 5) || !strncmp(user, "0:", 2);
}

static void fill_image(const struct facts_container *c, const struct facts_image *image, struct arena *a,
		       struct policy_workload *w)
{
	const char *digest;

	w->image = c->image;
	w->image_id = c->image_id;
	if (!policy_reference(c->image, a, &w->repository, &w->tag, &digest))
		w->repository = w->tag = "";
	if (image)
		w->digests = texts(&image->digests);
}

int workload_of(const struct facts_container *c, const struct facts_image *image, const struct facts_host *host,
		const struct facts_daemon *daemon, struct arena *a, struct policy_workload *ret, struct err *err)
{
	const struct facts_asked *k = &c->asked;
	const struct facts_real *r = &c->real;

	*ret = (struct policy_workload){
		.name = c->name,
		.labels = texts(&c->labels),
		.user = k->user,
		.is_user_root = is_root(c, k->user),
		.is_privileged = k->is_privileged,
		.cap_add = texts(&k->cap_add),
		.cap_drop = texts(&k->cap_drop),
		.security_opt = texts(&k->security_opt),
		.devices = texts(&k->devices),
		.device_rules = texts(&k->device_rules),
		.sysctls = texts(&k->sysctls),
		.volumes_from = texts(&k->volumes_from),
		.pid_mode = k->pid_mode,
		.ipc_mode = k->ipc_mode,
		.network_mode = k->network_mode,
		.uts_mode = k->uts_mode,
		.userns_mode = k->userns_mode,
		.cgroupns_mode = k->cgroupns_mode,
		.cgroup_parent = k->cgroup_parent,
		.runtime = k->runtime,
		.real_pid_mode = shares(c, host, NS_PID, k->pid_mode),
		.real_ipc_mode = shares(c, host, NS_IPC, k->ipc_mode),
		.real_network_mode = shares(c, host, NS_NET, k->network_mode),
		.has_unmasked_paths = k->masks_proc == FACTS_NO,
		.is_publish_all = k->is_publish_all,
		.is_root_readonly = r->is_known ? r->is_root_readonly : k->is_root_readonly,
		.is_oom_kill_disabled = k->is_oom_kill_disabled,
		.device_requests = k->device_requests,
		.memory_bytes = k->memory_bytes,
		.nano_cpus = k->nano_cpus,
		.cpu_quota = k->cpu_quota,
		.pids_limit = k->pids_limit,
		.oom_score_adj = k->oom_score_adj,
		.has_weaker_seccomp = is_seccomp_weaker(r, daemon),
		.has_weaker_apparmor = host->has_apparmor && r->is_known &&
				       (!*r->init.label || !strncmp(r->init.label, "unconfined", 10)),
	};
	fill_image(c, image, a, ret);
	if (!fill_mounts(c, a, ret) || !fill_ports(c, a, ret) || !fill_networks(c, a, ret))
		return err_set(err, ENOMEM, "container as the policy sees it");
	return 0;
}
