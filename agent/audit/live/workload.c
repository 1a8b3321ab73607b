/* workload.c - see workload.h. */
#include "agent/audit/live/workload.h"

#include <errno.h>

#include "agent/audit/mounts.h"

static const char *const cap_names[] = {
#define CAP(name) #name,
#include "agent/caps.def"
#undef CAP
};

struct making {
	const struct facts_container *c;
	const struct facts_host *host;
	const struct facts_daemon *daemon;
	const struct facts_real *real; /* nullable */
	struct arena *a;
};

static struct policy_texts texts(const struct facts_texts *t)
{
	return (struct policy_texts){ .v = t->v, .count = t->count };
}

/* ---- capabilities ---- */

/* What any of its processes has or may come to have: one that was let in with more is in it, too. */
static uint64_t real_caps(const struct facts_real *r)
{
	uint64_t caps = r->init.cap_bounding | r->init.cap_inheritable;

	for (size_t i = 0; i <= r->process_count; i++) {
		const struct facts_process *p = i < r->process_count ? &r->processes[i] : &r->init;

		caps |= p->cap_effective | p->cap_permitted | p->cap_ambient;
	}
	return caps;
}

static bool fill_names(uint64_t caps, struct arena *a, struct policy_texts *ret)
{
	const char **v = arena_zalloc(a, ARRAY_LEN(cap_names), sizeof(*v));
	size_t n = 0;

	for (size_t i = 0; v && i < ARRAY_LEN(cap_names); i++)
		if (caps >> i & 1)
			v[n++] = cap_names[i];
	*ret = (struct policy_texts){ v, n };
	return v;
}

/* As if it had been asked for: what is more than the engine's default was added, what is less was dropped. */
static bool fill_caps(const struct making *m, struct policy_workload *w)
{
	uint64_t caps = m->real ? real_caps(m->real) : 0, usual = m->host->default_caps;

	return !m->real || !usual || (fill_names(caps & ~usual, m->a, &w->cap_add) && fill_names(usual & ~caps, m->a, &w->cap_drop));
}

/* ---- mounts ---- */

static void fill_mount(const struct making *mk, const struct facts_asked_mount *from, struct policy_mount *to)
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
	for (size_t i = 0; mk->real && i < mk->real->mount_count; i++) {
		const struct facts_mount *m = &mk->real->mounts[i];
		bool is_bind = !strcmp(from->type, "bind");

		if (strcmp(m->point, from->dest) != 0)
			continue;
		to->dev = m->dev;
		to->ino = m->inode;
		to->is_writable = m->is_writable;
		if (*m->host_path && (is_bind || strcmp(m->host_path, from->source) != 0))
			to->real = m->host_path;
		if (*m->host_other && !is_bind && !strcmp(m->host_path, from->source))
			to->real = m->host_other; /* the volume's folder is a second name of it */
		if (*m->api_socket)
			to->protects = m->api_socket;
	}
}

/* It came along with the mount above it: the same files as there, at the same place below. */
static bool is_part_of(const struct facts_mount *m, const struct facts_asked_mount *above, const char *source)
{
	size_t n = strlen(above->dest), s = strlen(source);
	const char *rest = m->point + (n == 1 ? 0 : n);

	if (!mounts_is_below(m->point, above->dest) || !*source)
		return false;
	return !strncmp(m->host_path, source, s) && !strcmp(m->host_path + (s == 1 ? 0 : s), rest);
}

/* There, though the engine does not say so. */
static bool is_untold(const struct making *mk, const struct facts_mount *m)
{
	static const char *const own[] = { "tmpfs", "proc", "sysfs", "mqueue", "devpts", "cgroup", "cgroup2" };
	const struct facts_asked *k = &mk->c->asked;

	if (!*m->host_path || mounts_is_made(mk->c, mk->daemon->root_dir, m))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		if (!strcmp(m->fs_type, own[i]) && !m->is_socket && !*m->api_socket && !strcmp(m->root, "/"))
			return false;
	for (size_t i = 0; i < k->mount_count; i++)
		if (!strcmp(k->mounts[i].dest, m->point) || is_part_of(m, &k->mounts[i], k->mounts[i].source))
			return false;
	for (size_t i = 0; i < k->devices.count; i++) { /* made by the runtime, by bind where it has to */
		size_t n = strcspn(k->devices.v[i], ":");
		if (!strncmp(k->devices.v[i], m->host_path, n) && !m->host_path[n])
			return false;
	}
	return true;
}

static void fill_untold(const struct facts_mount *m, struct policy_mount *to)
{
	*to = (struct policy_mount){ .type = "bind",
				     .source = m->host_path,
				     .real = m->host_path,
				     .device = "",
				     .driver = "",
				     .dest = m->point,
				     .dev = m->dev,
				     .ino = m->inode,
				     .is_writable = m->is_writable,
				     .protects = m->api_socket };
}

static bool fill_mounts(const struct making *mk, struct policy_workload *w)
{
	const struct facts_asked *k = &mk->c->asked;
	size_t n = 0, most = k->mount_count + (mk->real ? mk->real->mount_count : 0) + 1;
	struct policy_mount *to = arena_zalloc(mk->a, most, sizeof(*to));

	if (!to)
		return false;
	for (size_t i = 0; i < k->mount_count; i++) {
		fill_mount(mk, &k->mounts[i], &to[n++]);
		/* where the kernel was read, what is there was seen, whoever did not tell */
		w->has_unseen_volumes |= !mk->real && k->mounts[i].is_unseen;
	}
	for (size_t i = 0; mk->real && i < mk->real->mount_count; i++)
		if (is_untold(mk, &mk->real->mounts[i]))
			fill_untold(&mk->real->mounts[i], &to[n++]);
	w->mounts = to;
	w->mount_count = n;
	return true;
}

/* The runtime covers places in /proc, unless told not to. */
static bool has_unmasked_paths(const struct making *mk)
{
	const struct facts_asked *k = &mk->c->asked;
	bool is_asked = false;

	if (!mk->real || !mk->real->mount_count)
		return k->masks_proc == FACTS_NO;
	for (size_t i = 0; i < mk->real->mount_count; i++) {
		const char *point = mk->real->mounts[i].point;

		if (strncmp(point, "/proc/", 6) != 0)
			continue;
		is_asked = false;
		for (size_t n = 0; n < k->mount_count; n++)
			is_asked |= !strcmp(k->mounts[n].dest, point);
		if (!is_asked)
			return false;
	}
	return true;
}

/* The device group refuses none: as if that had been asked for. */
static bool fill_devices(const struct making *mk, struct policy_workload *w)
{
	const struct facts_texts *t = &mk->c->asked.device_rules;

	if (!mk->real || !mk->real->has_all_devices)
		return true;
	const char **v = arena_zalloc(mk->a, t->count + 1, sizeof(*v));
	if (!v)
		return false;
	for (size_t i = 0; i < t->count; i++)
		v[i] = t->v[i];
	v[t->count] = "a *:* rwm";
	w->device_rules = (struct policy_texts){ v, t->count + 1 };
	return true;
}

/* ---- ports, networks ---- */

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

/* More than the engine's own profile would let through for the same capabilities. r: nullable. */
static bool is_seccomp_weaker(const struct facts_real *r, const struct facts_daemon *d)
{
	struct facts_filter own = { 0 };

	if (!r || r->init.seccomp == SECCOMP_UNKNOWN)
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

static const char *shares(const struct making *mk, enum facts_ns ns, const char *asked)
{
	const struct facts_real *r = mk->real;

	if (!r || !r->init.ns[ns] || !mk->host->ns[ns])
		return asked;
	return r->init.ns[ns] == mk->host->ns[ns] ? "host" : "";
}

/* Of a namespace that has no field for what is: asked for, or there all the same where the engine gives its own. */
static const char *or_host(const struct making *mk, enum facts_ns ns, bool has_own, const char *asked)
{
	return mk->real && has_own && !strcmp(shares(mk, ns, ""), "host") ? "host" : asked;
}

static bool is_root(const struct making *mk, const char *user)
{
	const struct facts_real *r = mk->real;

	for (size_t i = 0; r && i < r->process_count; i++)
		if (r->processes[i].euid == r->root_uid)
			return true;
	if (r)
		return r->init.euid == r->root_uid;
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
	const struct facts_real *r = audit_real(c);
	const struct making mk = { c, host, daemon, r, a };

	*ret = (struct policy_workload){
		.name = c->name,
		.labels = texts(&c->labels),
		.user = k->user,
		.is_user_root = is_root(&mk, k->user),
		.is_privileged = k->is_privileged || (r && audit_is_privileged(r)),
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
		.uts_mode = or_host(&mk, NS_UTS, true, k->uts_mode),
		.userns_mode = or_host(&mk, NS_USER, daemon->has_userns, k->userns_mode),
		.cgroupns_mode = or_host(&mk, NS_CGROUP, host->has_cgroup_v2, k->cgroupns_mode),
		.cgroup_parent = k->cgroup_parent,
		.runtime = k->runtime,
		.real_pid_mode = shares(&mk, NS_PID, k->pid_mode),
		.real_ipc_mode = shares(&mk, NS_IPC, k->ipc_mode),
		.real_network_mode = shares(&mk, NS_NET, k->network_mode),
		.has_unmasked_paths = has_unmasked_paths(&mk),
		.is_publish_all = k->is_publish_all,
		.is_root_readonly = r ? r->is_root_readonly : k->is_root_readonly,
		.is_oom_kill_disabled = k->is_oom_kill_disabled,
		.device_requests = k->device_requests,
		.memory_bytes = k->memory_bytes,
		.nano_cpus = k->nano_cpus,
		.cpu_quota = k->cpu_quota,
		.pids_limit = k->pids_limit,
		.oom_score_adj = k->oom_score_adj,
		.has_weaker_seccomp = is_seccomp_weaker(r, daemon),
		.has_weaker_apparmor = host->has_apparmor && r &&
				       (!*r->init.label || !strncmp(r->init.label, "unconfined", 10)),
	};
	fill_image(c, image, a, ret);
	if (!fill_caps(&mk, ret) || !fill_devices(&mk, ret) || !fill_mounts(&mk, ret) || !fill_ports(c, a, ret) || !fill_networks(c, a, ret))
		return err_set(err, ENOMEM, "container as the policy sees it");
	return 0;
}
