/* facts_container.c - what was asked for: the engine's inspect of a container, of an exec, of a volume. Pure. */
#include <stdlib.h>

#include "agent/audit/facts_priv.h"
#include "common/json.h"

/* Rows of at most FACTS_LIST_MAX for the elements of v; NULL for none. */
static void *rows_for(struct facts_out *o, const cJSON *v, size_t size)
{
	int n = cJSON_GetArraySize(v);

	return n <= 0 ? NULL : facts_rows(o, n < FACTS_LIST_MAX ? (size_t)n : FACTS_LIST_MAX, size);
}

static enum facts_state state_of(const cJSON *state)
{
	static const struct {
		const char *name;
		enum facts_state state;
	} names[] = {
		{ "created", STATE_CREATED },	    { "running", STATE_RUNNING }, { "paused", STATE_PAUSED },
		{ "restarting", STATE_RESTARTING }, { "exited", STATE_EXITED },	  { "dead", STATE_DEAD },
		{ "removing", STATE_DEAD },	    { "stopped", STATE_EXITED },
	};
	struct slice s = json_get_str(state, "Status");

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (slice_is(s, names[i].name))
			return names[i].state;
	return STATE_UNKNOWN;
}

static enum facts_restart restart_of(const cJSON *policy)
{
	struct slice s = json_get_str(policy, "Name");

	return slice_is(s, "always")	       ? RESTART_ALWAYS
	       : slice_is(s, "unless-stopped") ? RESTART_UNLESS_STOPPED
	       : slice_is(s, "on-failure")     ? RESTART_ON_FAILURE
					       : RESTART_NO;
}

/* ---- lists of HostConfig ---- */

static void read_devices(struct facts_out *o, const cJSON *v, struct facts_texts *ret)
{
	const cJSON *d;

	if (!cJSON_IsArray(v) || !facts_texts_open(o, ret, (size_t)cJSON_GetArraySize(v)))
		return;
	cJSON_ArrayForEach(d, v)
	{
		if (ret->count == FACTS_LIST_MAX)
			return;
		if (cJSON_IsObject(d))
			facts_texts_add(ret, facts_format(o, "%s:%s:%s", facts_json_text(o, d, "PathOnHost"),
							  facts_json_text(o, d, "PathInContainer"),
							  facts_json_text(o, d, "CgroupPermissions")));
	}
}

static void read_sysctls(struct facts_out *o, const cJSON *v, struct facts_texts *ret)
{
	const cJSON *s;

	if (!cJSON_IsObject(v) || !facts_texts_open(o, ret, (size_t)cJSON_GetArraySize(v)))
		return;
	cJSON_ArrayForEach(s, v)
	{
		if (ret->count == FACTS_LIST_MAX)
			return;
		if (cJSON_IsString(s) && s->string)
			facts_texts_add(ret, facts_format(o, "%s=%s", s->string, s->valuestring));
	}
}

static void read_ulimits(struct facts_out *o, const cJSON *v, struct facts_asked *to)
{
	const cJSON *u;

	if (!cJSON_IsArray(v) || !(to->ulimits = rows_for(o, v, sizeof(*to->ulimits))))
		return;
	cJSON_ArrayForEach(u, v)
	{
		if (to->ulimit_count == FACTS_LIST_MAX)
			return;
		if (!cJSON_IsObject(u))
			continue;
		struct facts_ulimit *row = &to->ulimits[to->ulimit_count++];
		row->name = facts_json_text(o, u, "Name");
		row->soft = facts_json_i64(u, "Soft", -1);
		row->hard = facts_json_i64(u, "Hard", -1);
	}
}

/* ---- ports: {"80/tcp": [{"HostIp": "", "HostPort": "8080"}] or null} ---- */

static bool parse_port(const char *text, uint16_t *ret)
{
	uint64_t n;

	if (!slice_to_u64(slice_of(text), &n) || n > UINT16_MAX)
		return false;
	*ret = (uint16_t)n;
	return true;
}

static void add_bindings(struct facts_out *o, const cJSON *port, struct facts_asked *to)
{
	struct slice rest = slice_of(port->string), number = SLICE_NONE;
	char text[8];
	uint16_t inside;
	const cJSON *b;

	(void)slice_split(&rest, '/', &number);
	if (!slice_copy(number, text, sizeof(text)) || !parse_port(text, &inside))
		return;
	cJSON_ArrayForEach(b, port)
	{
		if (to->port_count == FACTS_LIST_MAX)
			return;
		if (!cJSON_IsObject(b))
			continue;
		struct facts_port *p = &to->ports[to->port_count++];
		p->port = inside;
		p->protocol = rest.n ? facts_text(o, rest) : "tcp";
		p->host_ip = facts_json_text(o, b, "HostIp");
		if (!parse_port(facts_json_text(o, b, "HostPort"), &p->host_port))
			p->host_port = 0;
	}
}

static void read_ports(struct facts_out *o, const cJSON *net, const cJSON *host, struct facts_asked *to)
{
	const cJSON *ports = facts_get(net, "Ports"), *p;
	size_t count = 0;

	/* Before a start and after a stop there are none in effect: then what was asked for. */
	if (!cJSON_IsObject(ports) || !ports->child)
		ports = facts_get(host, "PortBindings");
	if (!cJSON_IsObject(ports))
		return;
	cJSON_ArrayForEach(p, ports) if (cJSON_IsArray(p)) count += (size_t)cJSON_GetArraySize(p);
	to->ports = facts_rows(o, count < FACTS_LIST_MAX ? count : FACTS_LIST_MAX, sizeof(*to->ports));
	if (!to->ports)
		return;
	cJSON_ArrayForEach(p, ports) if (cJSON_IsArray(p) && p->string) add_bindings(o, p, to);
}

/* ---- mounts, networks, execs ---- */

static void read_mounts(struct facts_out *o, const cJSON *v, struct facts_asked *to)
{
	const cJSON *m;

	if (!cJSON_IsArray(v) || !(to->mounts = rows_for(o, v, sizeof(*to->mounts))))
		return;
	cJSON_ArrayForEach(m, v)
	{
		if (to->mount_count == FACTS_LIST_MAX)
			return;
		if (!cJSON_IsObject(m))
			continue;
		to->mounts[to->mount_count++] = (struct facts_asked_mount){
			.type = facts_json_text(o, m, "Type"),
			.source = facts_json_text(o, m, "Source"),
			.name = facts_json_text(o, m, "Name"),
			.driver = facts_json_text(o, m, "Driver"),
			.device = "",
			.dest = facts_json_text(o, m, "Destination"),
			.propagation = facts_json_text(o, m, "Propagation"),
			.is_writable = json_get_bool(m, "RW", false),
		};
	}
}

/* Mounts lists no tmpfs that was asked for with --tmpfs: they stand in HostConfig.Tmpfs. */
static void read_tmpfs(struct facts_out *o, const cJSON *v, struct facts_asked *to)
{
	const cJSON *t;

	if (!cJSON_IsObject(v) || !v->child)
		return;
	size_t more = (size_t)cJSON_GetArraySize(v);
	struct facts_asked_mount *all =
		facts_rows(o, to->mount_count + (more < FACTS_LIST_MAX ? more : FACTS_LIST_MAX), sizeof(*all));
	if (!all)
		return;
	if (to->mount_count)
		memcpy(all, to->mounts, to->mount_count * sizeof(*all));
	to->mounts = all;
	cJSON_ArrayForEach(t, v)
	{
		if (!more-- || to->mount_count == FACTS_LIST_MAX)
			return;
		if (!t->string)
			continue;
		to->mounts[to->mount_count++] = (struct facts_asked_mount){
			.type = "tmpfs",
			.source = "",
			.name = "",
			.driver = "",
			.device = "",
			.propagation = "",
			.dest = facts_text(o, slice_of(t->string)),
			.is_writable = true,
		};
	}
}

static void read_networks(struct facts_out *o, const cJSON *v, struct facts_asked *to)
{
	const cJSON *n;

	if (!cJSON_IsObject(v) || !(to->networks = rows_for(o, v, sizeof(*to->networks))))
		return;
	cJSON_ArrayForEach(n, v)
	{
		if (to->network_count == FACTS_LIST_MAX)
			return;
		if (!cJSON_IsObject(n) || !n->string)
			continue;
		to->networks[to->network_count++] = (struct facts_network){
			.name = facts_text(o, slice_of(n->string)),
			.id = facts_json_text(o, n, "NetworkID"),
			.address = facts_json_text(o, n, "IPAddress"),
			.address6 = facts_json_text(o, n, "GlobalIPv6Address"),
		};
	}
}

static void read_execs(struct facts_out *o, const cJSON *v, struct facts_asked *to)
{
	const cJSON *e;

	if (!cJSON_IsArray(v) || !(to->execs = rows_for(o, v, sizeof(*to->execs))))
		return;
	cJSON_ArrayForEach(e, v)
	{
		if (to->exec_count == FACTS_LIST_MAX)
			return;
		if (cJSON_IsString(e))
			to->execs[to->exec_count++] =
				(struct facts_exec){ .id = facts_text(o, slice_of(e->valuestring)), .user = "" };
	}
}

/* ---- the whole ---- */

/* null and [] both mean that nothing is masked; an engine that does not name them says nothing. */
static enum facts_tri masks_of(const cJSON *host)
{
	const cJSON *v = facts_get(host, "MaskedPaths");

	return !v ? FACTS_UNKNOWN : cJSON_IsArray(v) && v->child ? FACTS_YES : FACTS_NO;
}

static void read_host_config(struct facts_out *o, const cJSON *host, struct facts_asked *to)
{
	const cJSON *restart = facts_get(host, "RestartPolicy"), *requests = facts_get(host, "DeviceRequests");

	to->is_privileged = json_get_bool(host, "Privileged", false);
	to->is_root_readonly = json_get_bool(host, "ReadonlyRootfs", false);
	to->is_oom_kill_disabled = json_get_bool(host, "OomKillDisable", false);
	to->is_publish_all = json_get_bool(host, "PublishAllPorts", false);
	facts_json_texts(o, facts_get(host, "CapAdd"), &to->cap_add);
	facts_json_texts(o, facts_get(host, "CapDrop"), &to->cap_drop);
	facts_json_texts(o, facts_get(host, "SecurityOpt"), &to->security_opt);
	to->pid_mode = facts_json_text(o, host, "PidMode");
	to->ipc_mode = facts_json_text(o, host, "IpcMode");
	to->network_mode = facts_json_text(o, host, "NetworkMode");
	to->uts_mode = facts_json_text(o, host, "UTSMode");
	to->userns_mode = facts_json_text(o, host, "UsernsMode");
	to->cgroupns_mode = facts_json_text(o, host, "CgroupnsMode");
	to->cgroup_parent = facts_json_text(o, host, "CgroupParent");
	to->runtime = facts_json_text(o, host, "Runtime");
	read_devices(o, facts_get(host, "Devices"), &to->devices);
	facts_json_texts(o, facts_get(host, "DeviceCgroupRules"), &to->device_rules);
	to->device_requests = cJSON_IsArray(requests) ? (size_t)cJSON_GetArraySize(requests) : 0;
	to->masks_proc = masks_of(host);
	read_sysctls(o, facts_get(host, "Sysctls"), &to->sysctls);
	to->memory_bytes = facts_json_i64(host, "Memory", 0);
	to->nano_cpus = facts_json_i64(host, "NanoCpus", 0);
	to->cpu_quota = facts_json_i64(host, "CpuQuota", 0);
	to->cpu_shares = facts_json_i64(host, "CpuShares", 0);
	to->pids_limit = facts_json_i64(host, "PidsLimit", 0);
	to->oom_score_adj = facts_json_i64(host, "OomScoreAdj", 0);
	to->restart = restart_of(restart);
	to->restart_max = facts_json_i64(restart, "MaximumRetryCount", 0);
	read_ulimits(o, facts_get(host, "Ulimits"), to);
	facts_json_texts(o, facts_get(host, "VolumesFrom"), &to->volumes_from);
	to->log_driver = facts_json_text(o, facts_get(host, "LogConfig"), "Type");
}

static void read_labels(struct facts_out *o, const cJSON *v, struct facts_texts *ret)
{
	const cJSON *l;

	if (!cJSON_IsObject(v) || !facts_texts_open(o, ret, (size_t)cJSON_GetArraySize(v)))
		return;
	cJSON_ArrayForEach(l, v)
	{
		if (ret->count == FACTS_LIST_MAX)
			return;
		if (cJSON_IsString(l) && l->string)
			facts_texts_add(ret, facts_format(o, "%s=%s", l->string, l->valuestring));
	}
}

static void read_config(struct facts_out *o, const cJSON *config, struct facts_container *c)
{
	c->image = facts_json_text(o, config, "Image");
	c->asked.user = facts_json_text(o, config, "User");
	facts_json_texts(o, facts_get(facts_get(config, "Healthcheck"), "Test"), &c->asked.health_test);
	c->asked.is_health_none = c->asked.health_test.count && !strcmp(c->asked.health_test.v[0], "NONE");
	facts_secret_names(o, facts_get(config, "Env"), &c->asked.secret_names);
	read_labels(o, facts_get(config, "Labels"), &c->labels);
}

static pid_t pid_of(const cJSON *o, const char *key)
{
	int64_t n = facts_json_i64(o, key, 0);

	return n > 0 && n <= INT32_MAX ? (pid_t)n : 0;
}

int facts_read_container(struct slice body, struct arena *a, struct facts_container *ret, struct err *err)
{
	CLEANUP(cJSON_Deletep) cJSON *doc = NULL;
	struct facts_out o = { .a = a };
	struct facts_container c;
	int r = facts_json_object(body, &doc, err);

	if (r < 0)
		return err_wrap(err, r, "the engine's answer about a container");
	const cJSON *state = facts_get(doc, "State"), *net = facts_get(doc, "NetworkSettings"),
		    *host = facts_get(doc, "HostConfig");
	struct slice name = json_get_str(doc, "Name");

	facts_container_init(&c);
	c.id = facts_json_text(&o, doc, "Id");
	c.name = facts_text(&o, slice_starts(name, SLICE_LIT("/")) ? slice_sub(name, 1, name.n) : name);
	c.image_id = facts_json_text(&o, doc, "Image");
	c.state = state_of(state);
	c.pid = pid_of(state, "Pid");
	c.created_unix_s = facts_json_time_s(doc, "Created");
	c.started_unix_s = facts_json_time_s(state, "StartedAt");
	read_config(&o, facts_get(doc, "Config"), &c);
	ptrdiff_t at = slice_find(slice_of(c.image), SLICE_LIT("@sha256:"));
	if (at >= 0)
		c.image_digest = c.image + at + 1;
	read_host_config(&o, host, &c.asked);
	c.asked.apparmor = facts_json_text(&o, doc, "AppArmorProfile");
	c.asked.health = facts_json_text(&o, facts_get(state, "Health"), "Status");
	read_ports(&o, net, host, &c.asked);
	read_mounts(&o, facts_get(doc, "Mounts"), &c.asked);
	read_tmpfs(&o, facts_get(host, "Tmpfs"), &c.asked);
	read_networks(&o, facts_get(net, "Networks"), &c.asked);
	read_execs(&o, facts_get(doc, "ExecIDs"), &c.asked);
	r = facts_done(&o, err);
	if (r < 0)
		return r;
	*ret = c;
	return 0;
}

int facts_read_exec(struct slice body, struct arena *a, struct facts_exec *ret, struct err *err)
{
	CLEANUP(cJSON_Deletep) cJSON *doc = NULL;
	struct facts_out o = { .a = a };
	int r = facts_json_object(body, &doc, err);

	if (r < 0)
		return err_wrap(err, r, "the engine's answer about an exec");
	const cJSON *process = facts_get(doc, "ProcessConfig");
	struct facts_exec e = {
		.id = facts_json_text(&o, doc, "ID"),
		.user = facts_json_text(&o, process, "user"),
		.is_privileged = json_get_bool(process, "privileged", false),
		.is_running = json_get_bool(doc, "Running", false),
		.pid = pid_of(doc, "Pid"),
	};
	r = facts_done(&o, err);
	if (r < 0)
		return r;
	if (!e.is_running)
		e.pid = 0;
	*ret = e;
	return 0;
}

static bool has_bind(struct slice options)
{
	struct slice one;

	while (slice_split(&options, ',', &one))
		if (slice_is(slice_trim(one), "bind") || slice_is(slice_trim(one), "rbind"))
			return true;
	return false;
}

int facts_read_volume(struct slice body, struct arena *a, const char **ret_name, const char **ret_device,
		      struct err *err)
{
	CLEANUP(cJSON_Deletep) cJSON *doc = NULL;
	struct facts_out o = { .a = a };
	int r = facts_json_object(body, &doc, err);

	if (r < 0)
		return err_wrap(err, r, "the engine's answer about a volume");
	const cJSON *options = facts_get(doc, "Options");
	const char *name = facts_json_text(&o, doc, "Name"), *device = "";
	if (has_bind(json_get_str(options, "o")))
		device = facts_json_text(&o, options, "device");
	r = facts_done(&o, err);
	if (r < 0)
		return r;
	*ret_name = name;
	*ret_device = device;
	return 0;
}
