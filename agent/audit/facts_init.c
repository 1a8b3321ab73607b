/* facts_init.c - facts of which nothing is known yet: every text is "". */
#include "agent/audit/facts_priv.h"

void facts_process_init(struct facts_process *p)
{
	*p = (struct facts_process){
		.seccomp = SECCOMP_UNKNOWN, .comm = "", .exe = "", .label = "", .uid = (uid_t)-1, .euid = (uid_t)-1
	};
}

void facts_filter_init(struct facts_filter *f)
{
	*f = (struct facts_filter){ .why = "" };
}

void facts_real_init(struct facts_real *r)
{
	*r = (struct facts_real){
		.why = "",
		.cgroup = "",
		.root_uid = (uid_t)-1,
		.memory_max = -2,
		.pids_max = -2,
		.cpu_quota_us = -2,
		.nofile_max = UINT64_MAX,
		.nproc_max = UINT64_MAX,
	};
	facts_process_init(&r->init);
	facts_filter_init(&r->filter);
}

void facts_container_init(struct facts_container *c)
{
	*c = (struct facts_container){ .id = "", .name = "", .image = "", .image_id = "", .image_digest = "" };
	c->asked = (struct facts_asked){
		.user = "",
		.pid_mode = "",
		.ipc_mode = "",
		.network_mode = "",
		.uts_mode = "",
		.userns_mode = "",
		.cgroupns_mode = "",
		.cgroup_parent = "",
		.runtime = "",
		.apparmor = "",
		.health = "",
		.log_driver = "",
	};
	facts_real_init(&c->real);
}

void facts_image_init(struct facts_image *i)
{
	*i = (struct facts_image){ .id = "", .user = "", .base_latest = "" };
}

void facts_daemon_init(struct facts_daemon *d)
{
	*d = (struct facts_daemon){
		.why = "",
		.version = "",
		.api_version = "",
		.os = "",
		.arch = "",
		.root_dir = "",
		.driver = "",
		.logging_driver = "",
		.cgroup_driver = "",
		.default_runtime = "",
		.seccomp_profile = "",
		.swarm = "",
		.uid = (uid_t)-1,
		.exe = "",
		.config_path = "",
		.config_error = "",
		.log_level = "",
		.cgroup_parent = "",
		.basesize = "",
		.metrics_address = "",
		.tls_ca = "",
		.tls_cert = "",
		.tls_key = "",
	};
}

void facts_host_init(struct facts_host *h)
{
	*h = (struct facts_host){ .kernel = "", .distribution = "" };
	facts_filter_init(&h->default_filter);
}
