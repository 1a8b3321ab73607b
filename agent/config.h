/* config.h - agent.yaml: the keys, their defaults and bounds. */
#pragma once
#include "common/buf.h"
#include "common/conf.h"

/* An element of response.rules. */
struct agent_response {
	char *rule; /* exact name */
	int action; /* enum guard_action */
};

struct agent_config {
	char *name;	   /* host name people see */
	char *state_dir;   /* key, certificate, spool */
	char *run_dir;	   /* the socket `picket-agent status` asks */
	char *url, *server_name; /* "" = what the enrolment said */
	struct conf_list rules;	 /* files, or folders whose *.yaml are taken in order of name */
	int rule_matching;	 /* enum rules_matching */
	char *docker_socket;	 /* "" = no engine */
	int probe_mode;		 /* enum probe_mode */
	uint64_t fold_burst, fold_window_ms;
	int response_mode;	   /* enum guard_mode */
	struct conf_list responses; /* of struct agent_response */
	uint64_t response_max_per_minute;
	uint64_t max_processes, spool_max_bytes;
	uint64_t ring_bytes, rare_ring_bytes, volume_ring_bytes;
	uint64_t flush_ms, sync_ms, heartbeat_ms, name_wait_ms;
	bool images_enabled;
	uint64_t images_all_ms, images_update_ms; /* 0: never */
	uint64_t images_cache_bytes;
	char *images_registry_ca, *images_docker_config; /* "": the system's */
	bool audit_enabled;
	uint64_t audit_every_ms; /* 0: only at the start */
	bool network_enabled, network_unknown_denied;
	char *network_pin_dir; /* "" = not pinned */
	uint64_t stats_ms;
	bool hash_enabled;
	uint64_t hash_max_bytes, hash_rate_bytes;
	char *policy_path;	 /* "" = none */
	uint64_t priority; /* 0 .. 20: how much nicer the kernel is to us than to others */
	int log_level;
	const char *record_path; /* `run --record FILE`, no key of the file; borrowed, nullable */
};

/* Defaults; free with agent_config_fini whatever happens after. */
void agent_config_init(struct agent_config *c);
int agent_config_read(const char *path, struct agent_config *c, struct err *err) WARN_UNUSED;
/* A file for `enroll` to write: every key with its default and what it means. */
void agent_config_write(const struct agent_config *c, struct buf *out);
void agent_config_fini(struct agent_config *c);
