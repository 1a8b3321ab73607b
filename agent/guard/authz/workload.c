/* workload.c - what a container is asked to be: Config and HostConfig of the engine's API as a policy_workload. */
#include <stdlib.h>

#include "agent/guard/authz/authz_priv.h"

enum { PORT_RANGE_MAX = 1024, PORTS_MAX = 1024 };

enum field_kind { FIELD_TEXT, FIELD_BOOL, FIELD_I64, FIELD_TEXTS };

static const struct field {
	enum field_kind kind;
	size_t at;
	const char *name;
} fields[] = {
#define FIELD(kind, member, name) { FIELD_##kind, offsetof(struct policy_workload, member), name },
#include "agent/guard/authz/host_fields.def"
#undef FIELD
};

void authz_workload_init(struct policy_workload *w)
{
	*w = (struct policy_workload){
		.name = "", .image = "", .image_id = "", .repository = "", .tag = "", .worst_severity = "", .user = "",
		.pid_mode = "", .ipc_mode = "", .network_mode = "", .uts_mode = "", .userns_mode = "",
		.cgroupns_mode = "", .cgroup_parent = "", .runtime = "", .real_pid_mode = "", .real_ipc_mode = "",
		.real_network_mode = "",
	};
}

/* The engine takes numbers as Go's Atoi does: "+0" and "00" are root too. */
void authz_workload_set_user(struct policy_workload *w, const char *user)
{
	char *end;
	long uid = strtol(user, &end, 10);

	w->user = user;
	if (end == user)
		w->is_user_root = !*user || *user == ':' || !strcmp(user, "root") || !strncmp(user, "root:", 5);
	else
		w->is_user_root = !uid && (!*end || *end == ':');
}

static int read_fields(const struct authz_body *host, struct arena *a, struct policy_workload *w, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(fields) && r >= 0; i++) {
		void *to = (char *)w + fields[i].at;

		switch (fields[i].kind) {
		case FIELD_TEXT:
			r = authz_text(host, fields[i].name, to, err);
			break;
		case FIELD_BOOL:
			r = authz_bool(host, fields[i].name, to, err);
			break;
		case FIELD_I64:
			r = authz_i64(host, fields[i].name, to, err);
			break;
		case FIELD_TEXTS:
			r = authz_texts(host, fields[i].name, a, to, err);
			break;
		}
	}
	return r;
}

/* {"a":"b"} as "a=b". */
static int read_map(const struct authz_body *o, const char *name, struct arena *a, struct policy_texts *ret, struct err *err)
{
	const struct authz_body *map;
	size_t n = 0;
	int r = authz_object(o, name, &map, err);

	*ret = (struct policy_texts){ 0 };
	if (r < 0 || !map)
		return r;
	const char **v = arena_zalloc(a, map->count + 1, sizeof(*v));
	for (const struct authz_body *m = map->first; v && m; m = m->next) {
		if (m->type != AUTHZ_STRING && m->type != AUTHZ_NULL)
			return err_set(err, ERR_SYNTAX, "%s has a value that is no text", name);
		v[n] = arena_printf(a, "%s=%s", m->name.p, m->type == AUTHZ_STRING ? m->text.p : "");
		if (!v[n++])
			v = NULL;
	}
	if (!v)
		return err_set(err, ERR_LIMIT, "%s is too long", name);
	*ret = (struct policy_texts){ v, n };
	return 0;
}

static int read_env(const struct authz_body *config, struct arena *a, struct policy_workload *w, struct err *err)
{
	struct policy_texts env;
	int r = authz_texts(config, "Env", a, &env, err);

	if (r < 0)
		return r;
	const char **v = arena_zalloc(a, env.count + 1, sizeof(*v));
	for (size_t i = 0; v && i < env.count; i++) {
		v[i] = arena_dup(a, (struct slice){ env.v[i], strcspn(env.v[i], "=") });
		if (!v[i])
			v = NULL;
	}
	if (!v)
		return err_set(err, ERR_LIMIT, "Env is too long");
	w->env_names = (struct policy_texts){ v, env.count };
	return 0;
}

static int read_devices(const struct authz_body *host, struct arena *a, struct policy_workload *w, struct err *err)
{
	const struct authz_body *list, *requests;
	size_t n = 0;
	int r = authz_list(host, "DeviceRequests", &requests, err);

	if (r >= 0)
		r = authz_list(host, "Devices", &list, err);
	if (r < 0)
		return r;
	w->device_requests = requests ? requests->count : 0;
	const char **v = arena_zalloc(a, (list ? list->count : 0) + 1, sizeof(*v));
	for (const struct authz_body *d = list ? list->first : NULL; v && d; d = d->next) {
		const char *from, *to, *how;

		if ((r = authz_text(d, "PathOnHost", &from, err)) < 0 || (r = authz_text(d, "PathInContainer", &to, err)) < 0 ||
		    (r = authz_text(d, "CgroupPermissions", &how, err)) < 0)
			return r;
		v[n] = arena_printf(a, "%s:%s:%s", from, to, how);
		if (!v[n++])
			v = NULL;
	}
	if (!v)
		return err_set(err, ERR_LIMIT, "Devices is too long");
	w->devices = (struct policy_texts){ v, n };
	return 0;
}

/* ---- ports ---- */

/* "8080", "8000-8010". */
static bool read_range(struct slice s, uint16_t *ret_from, uint16_t *ret_to)
{
	ptrdiff_t dash = slice_find_char(s, '-');
	uint64_t from, to;

	if (!slice_to_u64(dash < 0 ? s : slice_sub(s, 0, (size_t)dash), &from))
		return false;
	to = from;
	if (dash >= 0 && !slice_to_u64(slice_sub(s, (size_t)dash + 1, s.n), &to))
		return false;
	if (from > to || to > 65535)
		return false;
	*ret_from = (uint16_t)from;
	*ret_to = (uint16_t)to;
	return true;
}

struct ports {
	struct arena *a;
	struct policy_port *v;
	size_t n;
	bool is_publish_all;
	struct err *err;
};

static int add_ports(struct ports *p, uint16_t from, uint16_t to, struct slice key, const char *ip, bool is_published)
{
	ptrdiff_t slash = slice_find_char(key, '/');
	const char *protocol = slash < 0 ? "tcp" : arena_dup(p->a, slice_sub(key, (size_t)slash + 1, key.n));
	uint16_t first, last;

	if (!read_range(slash < 0 ? key : slice_sub(key, 0, (size_t)slash), &first, &last))
		return err_set(p->err, ERR_SYNTAX, "'%.*s' is no port", (int)(key.n > 40 ? 40 : key.n), key.p);
	unsigned hosts = from ? to - from + 1u : 1, ports = last - first + 1u;
	unsigned count = hosts > ports ? hosts : ports;
	if (count > PORT_RANGE_MAX || p->n + count > PORTS_MAX)
		return err_set(p->err, ERR_LIMIT, "more than %d ports", count > PORT_RANGE_MAX ? PORT_RANGE_MAX : PORTS_MAX);
	if (!protocol)
		return err_set(p->err, ERR_LIMIT, "ports");
	for (unsigned i = 0; i < count; i++)
		p->v[p->n++] = (struct policy_port){ .host_ip = ip,
						     .host_port = (uint16_t)(from ? from + (i < hosts ? i : hosts - 1) : 0),
						     .port = (uint16_t)(first + (i < ports ? i : ports - 1)),
						     .protocol = protocol,
						     .is_published = is_published };
	return 0;
}

static int add_bindings(struct ports *p, const struct authz_body *port)
{
	if (port->type == AUTHZ_NULL || (port->type == AUTHZ_LIST && !port->count))
		return add_ports(p, 0, 0, port->name, "", p->is_publish_all); /* exposed, no more */
	if (port->type != AUTHZ_LIST)
		return err_set(p->err, ERR_SYNTAX, "PortBindings has a value that is no list");
	for (const struct authz_body *b = port->first; b; b = b->next) {
		const char *ip, *text;
		uint16_t from = 0, to = 0;
		int r = authz_text(b, "HostIp", &ip, p->err);

		if (r >= 0)
			r = authz_text(b, "HostPort", &text, p->err);
		if (r >= 0 && *text && !read_range(slice_of(text), &from, &to))
			r = err_set(p->err, ERR_SYNTAX, "HostPort is no port");
		if (r >= 0)
			r = add_ports(p, from, to, port->name, ip, true);
		if (r < 0)
			return r;
	}
	return 0;
}

static int by_slice(const void *a, const void *b)
{
	const struct slice *x = *(const struct slice *const *)a, *y = *(const struct slice *const *)b;
	int order = memcmp(x->p, y->p, x->n < y->n ? x->n : y->n);

	return order ? order : (x->n > y->n) - (x->n < y->n);
}

/* Members' names, folded, in order. */
static const struct slice **sorted(const struct authz_body *map, struct arena *a)
{
	const struct slice **v = arena_zalloc(a, map->count + 1, sizeof(*v));
	size_t n = 0;

	for (const struct authz_body *m = v ? map->first : NULL; m; m = m->next)
		v[n++] = &m->folded;
	if (n)
		qsort(v, n, sizeof(*v), by_slice);
	return v;
}

static int read_ports(const struct authz_body *config, const struct authz_body *host, struct arena *a,
		      struct policy_workload *w, struct err *err)
{
	const struct authz_body *bound, *exposed;
	struct ports p = { .a = a, .is_publish_all = w->is_publish_all, .err = err };
	int r = authz_object(host, "PortBindings", &bound, err);

	if (r >= 0)
		r = authz_object(config, "ExposedPorts", &exposed, err);
	if (r < 0 || (!bound && !exposed))
		return r;
	p.v = arena_zalloc(a, PORTS_MAX, sizeof(*p.v));
	const struct slice **names = bound ? sorted(bound, a) : NULL;
	if (!p.v || (bound && !names))
		return err_set(err, ERR_LIMIT, "ports");
	for (const struct authz_body *m = bound ? bound->first : NULL; m && r >= 0; m = m->next)
		r = add_bindings(&p, m);
	/* The command line exposes what it publishes: told once. */
	for (const struct authz_body *m = exposed ? exposed->first : NULL; m && r >= 0; m = m->next) {
		const struct slice *name = &m->folded;

		if (!bound || !bsearch(&name, names, bound->count, sizeof(*names), by_slice))
			r = add_ports(&p, 0, 0, m->name, "", p.is_publish_all);
	}
	w->ports = p.v;
	w->port_count = p.n;
	return r;
}

/* ---- confinement ---- */

/* What the engine hides and write-protects by default (1.24 to 1.47). */
static const char *const masked[] = { "/proc/acpi",	     "/proc/kcore",	  "/proc/keys",	 "/proc/latency_stats",
				      "/proc/timer_list",    "/proc/sched_debug", "/proc/scsi", "/sys/firmware" };
static const char *const readonly[] = { "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger" };

/* A list that is there replaces the engine's. */
static int read_paths(const struct authz_body *host, const char *name, const char *const *wanted, size_t count,
		      struct arena *a, struct policy_workload *w, struct err *err)
{
	struct policy_texts given;
	int r = authz_texts(host, name, a, &given, err);

	if (r < 0 || !authz_get(host, name))
		return r;
	for (size_t i = 0; i < count; i++) {
		bool is_there = false;

		for (size_t k = 0; k < given.count && !is_there; k++)
			is_there = !strcmp(given.v[k], wanted[i]);
		w->has_unmasked_paths |= !is_there;
	}
	return 0;
}

/* "seccomp=unconfined", with the old colon too; the first of both separators as the engine splits it. */
static void read_security_opt(struct arena *a, struct policy_workload *w)
{
	for (size_t i = 0; i < w->security_opt.count; i++) {
		struct slice s = slice_of(w->security_opt.v[i]), value;
		ptrdiff_t at = slice_find_char(s, '=');

		if (at < 0)
			at = slice_find_char(s, ':');
		if (at < 0)
			continue;
		value = slice_sub(s, (size_t)at + 1, s.n);
		s = slice_sub(s, 0, (size_t)at);
		if (slice_is(s, "apparmor"))
			/* ":root:unconfined" is it too */
			w->has_weaker_apparmor |= slice_find(value, SLICE_LIT("unconfined")) >= 0;
		else if (slice_is(s, "seccomp") && !slice_is(value, "builtin"))
			w->has_weaker_seccomp |= slice_is(value, "unconfined") || authz_seccomp_is_weaker(value, a);
		else if (slice_is(s, "systempaths"))
			w->has_unmasked_paths |= slice_is(value, "unconfined");
		else if (slice_is(s, "writable-cgroups")) /* API 1.48: /sys/fs/cgroup of the host's kernel */
			w->has_unmasked_paths |= !slice_is(value, "false") && !slice_is(value, "0");
	}
}

/* Annotations by which runtimes change what they do: crun takes a seccomp program of its own, gVisor and Kata their
 * flags and the hypervisor. */
static int read_annotations(const struct authz_body *host, struct policy_workload *w, struct err *err)
{
	static const char *const prefixes[] = { "run.oci.", "dev.gvisor.", "io.katacontainers.", "org.systemd.property." };
	const struct authz_body *map;
	int r = authz_object(host, "Annotations", &map, err);

	for (const struct authz_body *m = map && r >= 0 ? map->first : NULL; m; m = m->next)
		for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
			w->has_weaker_seccomp |= slice_starts(m->name, slice_of(prefixes[i]));
	return r;
}

static int read_confinement(const struct authz_body *host, struct arena *a, struct policy_workload *w, struct err *err)
{
	int r = read_paths(host, "MaskedPaths", masked, ARRAY_LEN(masked), a, w, err);

	if (r >= 0)
		r = read_paths(host, "ReadonlyPaths", readonly, ARRAY_LEN(readonly), a, w, err);
	if (r >= 0)
		r = read_map(host, "Sysctls", a, &w->sysctls, err);
	if (r >= 0)
		r = read_annotations(host, w, err);
	read_security_opt(a, w);
	return r;
}

int authz_workload_of(const struct authz_body *config, const struct authz_body *host, struct arena *a,
		      struct policy_workload *ret, struct err *err)
{
	struct policy_workload w;
	const char *user;
	int r;

	authz_workload_init(&w);
	if ((r = read_fields(host, a, &w, err)) < 0 || (r = read_confinement(host, a, &w, err)) < 0 ||
	    (r = read_devices(host, a, &w, err)) < 0 || (r = read_map(config, "Labels", a, &w.labels, err)) < 0 ||
	    (r = read_env(config, a, &w, err)) < 0 || (r = read_ports(config, host, a, &w, err)) < 0 ||
	    (r = authz_mounts(config, host, a, &w, err)) < 0 || (r = authz_text(config, "Image", &w.image, err)) < 0 ||
	    (r = authz_text(config, "User", &user, err)) < 0)
		return r;
	authz_workload_set_user(&w, user);
	w.real_pid_mode = w.pid_mode;
	w.real_ipc_mode = w.ipc_mode;
	w.real_network_mode = w.network_mode;
	*ret = w;
	return 0;
}

/* ---- the body of a create ---- */

/* HostConfig's members also count at the top of the body, if there is no HostConfig: the engine embeds it there for
 * clients of long ago. */
static const char *const of_host[] = {
#define FIELD(kind, member, name) name,
#include "agent/guard/authz/host_fields.def"
#undef FIELD
	"Binds", "Mounts", "Tmpfs", "Devices", "DeviceRequests", "PortBindings", "Sysctls", "MaskedPaths", "ReadonlyPaths",
	"GroupAdd", "Capabilities", "Dns", "DnsOptions", "DnsSearch", "Ulimits", "RestartPolicy", "LogConfig", "Links",
	"StorageOpt", "VolumeDriver", "Init", "AutoRemove", "Annotations", "Cgroup", "CpuRealtimePeriod", "CpuRealtimeRuntime",
};

static bool is_of_old_clients(const char *name)
{
	return !strcmp(name, "Memory");
}

static int find_host(const struct authz_body *b, const struct authz_body **ret, struct err *err)
{
	int r = authz_object(b, "HostConfig", ret, err);

	if (r < 0)
		return r;
	if (!*ret) {
		*ret = b;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(of_host); i++)
		if (authz_get(b, of_host[i]) && !is_of_old_clients(of_host[i]))
			return err_set(err, ERR_SYNTAX, "%s stands outside HostConfig, beside one", of_host[i]);
	return 0;
}

/* The names, and the ids that stand in them: where both are, the engine goes by the id. */
int authz_networks(const struct authz_body *endpoints, struct arena *a, struct policy_workload *w, struct err *err)
{
	const char **v = arena_zalloc(a, 2 * (endpoints ? endpoints->count : 0) + 1, sizeof(*v));
	size_t n = 0;

	if (!v)
		return err_set(err, ERR_LIMIT, "too many networks");
	for (const struct authz_body *m = endpoints ? endpoints->first : NULL; m; m = m->next) {
		int r = authz_text(m, "NetworkID", &v[n], err);

		if (r < 0)
			return r;
		n += *v[n] != 0;
		v[n++] = m->name.p;
	}
	w->networks = (struct policy_texts){ v, n };
	return 0;
}

static int read_networks(const struct authz_body *b, struct arena *a, struct policy_workload *w, struct err *err)
{
	const struct authz_body *networking, *endpoints = NULL;
	int r = authz_object(b, "NetworkingConfig", &networking, err);

	if (r >= 0)
		r = authz_object(networking, "EndpointsConfig", &endpoints, err);
	if (r >= 0)
		r = authz_bounds(networking, err);
	return r < 0 ? r : authz_networks(endpoints, a, w, err);
}

int authz_workload(const struct authz_body *b, struct slice query, struct arena *a, struct policy_workload *ret,
		   struct err *err)
{
	const struct authz_body *host;
	struct policy_workload w;

	if (b->type != AUTHZ_OBJECT)
		return err_set(err, ERR_SYNTAX, "the body is no object");
	int r = find_host(b, &host, err);
	if (r >= 0)
		r = authz_bounds(b, err);
	if (r >= 0)
		r = authz_bounds(host, err);
	if (r >= 0)
		r = authz_workload_of(b, host, a, &w, err);
	if (r >= 0)
		r = read_networks(b, a, &w, err);
	if (r >= 0)
		r = authz_query(query, "name", a, &w.name, err);
	if (r < 0)
		return r;
	if (authz_get(host, "Capabilities")) /* a field of one release, which replaces the whole set */
		return err_set(err, ERR_DENIED, "HostConfig.Capabilities");
	w.name += *w.name == '/';
	*ret = w;
	return 0;
}
