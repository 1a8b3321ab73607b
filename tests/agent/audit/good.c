/* good.c - see good.h. */
#include "tests/agent/audit/good.h"

#include <sys/stat.h>

enum { NOW = 1795000000, DAY = 86400, ROOT_UID = 100000, INIT_PID = 4242 };

void good_set(struct good *w, struct facts_texts *t, const char *a, const char *b)
{
	const char **row = w->texts[w->texts_used++ % 40];

	row[0] = a;
	row[1] = b;
	*t = (struct facts_texts){ row, b ? 2 : a ? 1 : 0 };
}

void good_allow(struct facts_filter *f, int call)
{
	if (!(f->allows[call / 64] >> (call % 64) & 1))
		f->allowed++;
	f->allows[call / 64] |= UINT64_C(1) << (call % 64);
}

static struct facts_filter filter(void)
{
	struct facts_filter f = { .is_read = true, .why = "", .instructions = 974, .filters = 1 };

	good_allow(&f, 0);
	good_allow(&f, 1);
	good_allow(&f, 257);
	return f;
}

static void init_host(struct good *w)
{
	facts_host_init(&w->host);
	w->host.now_unix_s = NOW;
	w->host.has_apparmor = true;
	w->host.has_cgroup_v2 = true;
	w->host.root_dir_is_mount = true;
	good_set(w, &w->host.watched_by_us, "/", NULL);
	w->host.pid_max = 4194304;
	w->host.default_caps = 0xa80425fb;
	w->host.default_filter = filter();
	w->host.docker_users = w->users;
	w->host.files = w->files;
	for (int i = 0; i < NS_COUNT; i++)
		w->host.ns[i] = 1000 + (uint64_t)i;
}

static void init_daemon(struct good *w)
{
	struct facts_daemon *d = &w->daemon;

	facts_daemon_init(d);
	d->is_known = true;
	d->version = "28.5.1";
	d->root_dir = "/var/lib/docker";
	d->driver = "overlay2";
	d->logging_driver = "journald";
	d->default_runtime = "runc";
	d->cgroup_version = 2;
	d->has_live_restore = d->has_userns = d->has_seccomp = d->has_apparmor = true;
	d->seccomp_profile = "builtin";
	d->swarm = "inactive";
	d->containers = d->containers_running = d->images = 1;
	w->bridges[0] = (struct facts_bridge){ .name = "bridge", .driver = "bridge", .has_icc = FACTS_NO, .is_default = true };
	d->networks = w->bridges;
	d->network_count = 1;
	d->pid = 700;
	d->uid = 1000;
	d->exe = "/usr/bin/dockerd";
	w->listens[0] = (struct facts_listen){ .address = "unix:/run/docker.sock", .mode = S_IFSOCK | 0660 };
	d->listens = w->listens;
	d->listen_count = 1;
	d->userland_proxy = FACTS_NO;
	d->no_new_privileges = FACTS_YES;
	w->ulimits[0] = (struct facts_ulimit){ "nofile", 1024, 4096 };
	d->ulimits = w->ulimits;
	d->ulimit_count = 1;
	good_set(w, &d->authz_plugins, "picket", NULL);
	good_set(w, &d->environment_names, "DOCKER_CONTENT_TRUST=1", NULL);
	good_set(w, &d->insecure_registries, "127.0.0.0/8", "::1/128");
}

static void init_image(struct good *w)
{
	struct facts_image *i = &w->image;

	facts_image_init(i);
	i->id = "sha256:" GOOD_ID;
	i->user = "10001";
	i->has_stock = true;
	i->package_count = 20;
	i->has_user_uid0 = FACTS_NO;
	i->created_unix_s = NOW - 10 * DAY;
	good_set(w, &i->tags, "registry.example/app:1.2", NULL);
	good_set(w, &i->digests, GOOD_DIGEST, NULL);
	good_set(w, &i->health_test, "CMD", "/healthy");
	good_set(w, &i->history, "/bin/sh -c #(nop) ADD file:0123 in / ", "RUN /bin/sh -c apt-get update && apt-get install -y curl # buildkit");
	good_set(w, &i->exposed_ports, "80/tcp", NULL);
	w->has_image = true;
}

static void init_asked(struct good *w)
{
	struct facts_asked *a = w->asked;

	a->is_root_readonly = true;
	a->user = "10001:10001";
	a->network_mode = "app-net";
	a->ipc_mode = a->cgroupns_mode = "private";
	a->runtime = "runc";
	a->apparmor = "docker-default";
	a->masks_proc = FACTS_YES;
	a->memory_bytes = 64 << 20;
	a->nano_cpus = 500000000;
	a->pids_limit = 100;
	a->restart = RESTART_ON_FAILURE;
	a->restart_max = 5;
	a->health = "healthy";
	a->log_driver = "journald";
	a->ulimits = w->ulimits;
	a->ulimit_count = 1;
	a->ports = w->ports;
	a->mounts = w->asked_mounts;
	a->execs = w->execs;
	a->networks = w->networks;
	a->network_count = 1;
	w->networks[0] = (struct facts_network){ .name = "app-net", .id = "", .address = "172.20.0.2", .address6 = "" };
	good_set(w, &a->cap_drop, "ALL", NULL);
	good_set(w, &a->security_opt, "no-new-privileges", NULL);
	good_set(w, &a->health_test, "CMD", "/healthy");
	good_port(w, "127.0.0.1", 8080, 80);
	*good_asked_mount(w, "", "/tmp", true) = (struct facts_asked_mount){
		.type = "tmpfs", .source = "", .name = "", .driver = "", .device = "", .dest = "/tmp", .propagation = "", .is_writable = true
	};
}

struct facts_process *good_process(struct good *w, uid_t uid)
{
	struct facts_process *p = &w->processes[w->real->process_count++];

	if (p != w->processes)
		*p = w->processes[0];
	p->pid = INIT_PID + (pid_t)(p - w->processes);
	p->uid = p->euid = uid;
	w->real->process_total = w->real->process_count;
	w->real->init = w->processes[0];
	return p;
}

static void runtimes_mount(struct good *w, const char *type, const char *point, const char *host_path, bool is_writable)
{
	struct facts_mount *m = good_mount(w, host_path, point, is_writable);

	m->fs_type = type;
	m->is_noexec = strcmp(point, "/dev") != 0 && strcmp(point, "/") != 0;
}

static void init_real(struct good *w)
{
	struct facts_real *r = w->real;

	r->is_known = true;
	r->processes = w->processes;
	r->mounts = w->mounts;
	r->listeners = w->listeners;
	w->processes[0] = (struct facts_process){ .no_new_privs = true,
						  .seccomp = SECCOMP_FILTERED,
						  .seccomp_filters = 1,
						  .comm = "app",
						  .exe = "/app",
						  .label = "docker-default (enforce)" };
	for (int i = 0; i < NS_COUNT; i++)
		w->processes[0].ns[i] = 2000 + (uint64_t)i;
	w->init = &r->init;
	good_process(w, ROOT_UID + 10001);
	r->filter = filter();
	r->root_uid = ROOT_UID;
	r->is_root_readonly = true;
	r->memory_max = 64 << 20;
	r->pids_max = 100;
	r->cpu_quota_us = 50000;
	r->cpu_period_us = 100000;
	r->cgroup = "/system.slice/docker-" GOOD_ID ".scope";
	r->nofile_max = 4096;
	r->nproc_max = 100;
	runtimes_mount(w, "overlay", "/", "/var/lib/docker/overlay2/x/merged", false);
	runtimes_mount(w, "proc", "/proc", "", true);
	runtimes_mount(w, "tmpfs", "/proc/kcore", "", true);
	runtimes_mount(w, "tmpfs", "/dev", "", true);
	runtimes_mount(w, "tmpfs", "/tmp", "", true);
	runtimes_mount(w, "ext4", "/etc/hosts", "/var/lib/docker/containers/" GOOD_ID "/hosts", true);
	good_listener(w, "::", 80);
	good_listener(w, "127.0.0.11", 39127); /* the engine's name server */
}

void good_init(struct good *w)
{
	memset(w, 0, sizeof(*w));
	init_host(w);
	init_daemon(w);
	init_image(w);
	facts_container_init(&w->c);
	w->c.id = GOOD_ID;
	w->c.name = "good";
	w->c.image = w->c.image_digest = GOOD_DIGEST;
	w->c.image_id = "sha256:" GOOD_ID;
	w->c.state = STATE_RUNNING;
	w->c.pid = INIT_PID;
	w->c.created_unix_s = w->c.started_unix_s = NOW - DAY;
	w->asked = &w->c.asked;
	w->real = &w->c.real;
	init_asked(w);
	init_real(w);
}

struct audit_input good_input(const struct good *w)
{
	return (struct audit_input){ &w->host, &w->daemon, w->has_image ? &w->image : NULL, &w->c };
}

void good_stop(struct good *w, enum facts_state s)
{
	w->c.state = s;
	w->c.pid = 0;
	w->real->is_known = false;
	w->real->why = "it does not run";
}

void good_seen_as_privileged(struct good *w)
{
	struct facts_process *p = &w->processes[0];

	p->cap_effective = p->cap_permitted = p->cap_bounding = (UINT64_C(1) << 41) - 1;
	p->seccomp = SECCOMP_OFF;
	p->seccomp_filters = 0;
	w->real->init = *p;
}

struct facts_mount *good_mount(struct good *w, const char *host_path, const char *point, bool is_writable)
{
	struct facts_mount *m = &w->mounts[w->real->mount_count++];

	*m = (struct facts_mount){ .dev = 1,
				   .root = "/",
				   .point = point,
				   .fs_type = "ext4",
				   .source = "/dev/sda1",
				   .super_options = "",
				   .is_writable = is_writable,
				   .host_path = host_path,
				   .host_other = "",
				   .is_directory = true,
				   .is_noexec = true,
				   .api_socket = "" };
	return m;
}

struct facts_asked_mount *good_asked_mount(struct good *w, const char *source, const char *dest, bool is_writable)
{
	struct facts_asked_mount *m = &w->asked_mounts[w->asked->mount_count++];

	*m = (struct facts_asked_mount){ .type = "bind",
					 .source = source,
					 .name = "",
					 .driver = "",
					 .device = "",
					 .dest = dest,
					 .propagation = "rprivate",
					 .is_writable = is_writable };
	return m;
}

void good_exec(struct good *w, const char *user, bool is_privileged, bool is_running)
{
	w->execs[w->asked->exec_count++] = (struct facts_exec){
		.id = "feedfacefeedface", .user = user, .is_privileged = is_privileged, .is_running = is_running, .pid = is_running ? 99 : 0
	};
}

void good_port(struct good *w, const char *ip, uint16_t host_port, uint16_t port)
{
	w->ports[w->asked->port_count++] = (struct facts_port){ ip, host_port, port, "tcp" };
}

void good_listener(struct good *w, const char *address, uint16_t port)
{
	w->listeners[w->real->listener_count++] =
		(struct facts_listener){ address, port, strchr(address, ':') ? "tcp6" : "tcp" };
}

void good_listen(struct good *w, const char *address, bool is_tcp, enum facts_tri has_tls)
{
	w->listens[w->daemon.listen_count++] = (struct facts_listen){ .address = address,
								      .is_tcp = is_tcp,
								      .is_loopback = strstr(address, "127.0.0.1"),
								      .has_tls = has_tls,
								      .mode = S_IFSOCK | 0660 };
}

struct facts_file *good_file(struct good *w, const char *path, mode_t mode)
{
	struct facts_file *f = &w->files[w->host.file_count++];

	*f = (struct facts_file){ .what = "", .path = path, .exists = true, .mode = mode, .loose_parent = "" };
	return f;
}
