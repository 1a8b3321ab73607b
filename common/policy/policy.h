/* policy.h - the access-control policy: what containers may be, use and reach. Parsed once, then judged against.
 *
 * Used by the agent (admission, its audit of what runs, the kernel's network maps) and by the collector (`policy
 * diff`). Pure: text in, verdicts out; reads no file but policy_load's. Schema and precedence: README.md here. */
#pragma once
#include "common/arena.h"
#include "common/err.h"
#include "common/slice.h"
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct policy;

enum policy_mode { POLICY_OFF, POLICY_MONITOR, POLICY_ENFORCE };
enum policy_section { POLICY_IMAGE, POLICY_NETWORK, POLICY_PORT, POLICY_RUNTIME, POLICY_SECTION_COUNT };

/* A rule of the policy, as a denial names it: stable ids, a table in rules.def. */
enum policy_rule; /* defined in rules.h, "AC-012" */

/* ---- what is judged ---- */

struct policy_texts {
	const char *const *v;
	size_t count;
};
struct policy_port {
	const char *host_ip; /* "" every address */
	uint16_t host_port, port; /* host_port 0: not published, or chosen by the engine */
	const char *protocol;
};
struct policy_mount {
	const char *type;	/* bind volume tmpfs … */
	const char *source;	/* as asked for: a path on the host, a volume's name */
	const char *real;	/* source with links resolved on the host; "" not resolved */
	uint64_t dev, ino;	/* of the source; 0: not looked at */
	const char *device;	/* a local volume's real folder (type=none, o=bind, device=…); "" */
	const char *driver;	/* of the volume; "" or "local" */
	const char *dest;
	bool is_writable;
	/* What protected thing this is, holds or lies in, found by device and inode by who can look: a path of
	 * denied_mounts, "/" for the whole host. "": none, or not looked at. */
	const char *protects;
};
/* A container, made or to be made. Strings never NULL. */
struct policy_workload {
	const char *name; /* "" not given */
	const char *image; /* reference as given */
	const char *image_id, *repository, *tag; /* repository: normalized "docker.io/library/nginx" */
	struct policy_texts digests; /* RepoDigests of the image: where it came from, whatever it is called now */
	struct policy_texts labels;  /* "key=value", of the container */
	/* state of the image's scan; is_scanned false: not scanned */
	bool is_scanned, is_scan_known; /* is_scan_known false: nobody to ask; max_severity and max_scan_age are not judged */
	const char *worst_severity;	/* of open findings; "" none */
	uint64_t scanned_unix_s;
	const char *user; /* effective declaration: of run, else of the image; "" root */
	bool is_user_root; /* resolved: uid 0 under any name */
	bool is_privileged;
	struct policy_texts cap_add, cap_drop, security_opt, devices, device_rules, sysctls, volumes_from;
	const char *pid_mode, *ipc_mode, *network_mode, *uts_mode, *userns_mode, *cgroupns_mode, *cgroup_parent, *runtime;
	/* the same after container:X was followed: "host", "" … */
	const char *real_pid_mode, *real_ipc_mode, *real_network_mode;
	bool has_unmasked_paths, is_publish_all, is_root_readonly, is_oom_kill_disabled;
	size_t device_requests;
	int64_t memory_bytes, nano_cpus, cpu_quota, pids_limit, oom_score_adj;
	bool has_weaker_seccomp, has_weaker_apparmor; /* off, or a profile that lets through more than the default */
	const struct policy_port *ports;
	size_t port_count;
	const struct policy_mount *mounts;
	size_t mount_count;
	struct policy_texts networks, extra_hosts, env_names;
};

/* ---- verdicts ---- */

struct policy_denial {
	const char *rule;    /* "AC-012" */
	enum policy_section section;
	const char *reason;  /* "bind of /etc, writable" */
	const char *way_out; /* "use a named volume" */
	unsigned line, column; /* of what in the policy says so */
	bool is_enforced;    /* the section's mode; false: only told */
	const char *exception; /* the reason of the exception that lets it pass; "" none */
};
struct policy_verdict {
	bool is_allowed;     /* no enforced denial without an exception */
	struct policy_denial *denials; /* also those only told, and those let pass */
	size_t count;
};

/* Errors: ERR_SYNTAX with file:line:col and the nearest known key. name: for messages. *ret: caller frees. */
int policy_parse(struct slice text, const char *name, struct policy **ret, struct err *err) WARN_UNUSED;
int policy_load(const char *path, struct policy **ret, struct err *err) WARN_UNUSED;
void policy_free(struct policy *p);

const char *policy_name(const struct policy *p);      /* of the file */
const char *policy_digest(const struct policy *p);    /* sha256 of the text, hex */
enum policy_mode policy_mode_of(const struct policy *p, enum policy_section s);
/* Everything the policy says of the workload. now_unix_s: for exceptions that end. verdict lives in the arena. */
int policy_judge(const struct policy *p, const struct policy_workload *w, uint64_t now_unix_s, struct arena *a,
		 struct policy_verdict *ret, struct err *err) WARN_UNUSED;
/* May it reach the address? Longest prefix decides; of equal ones the denial. false: no. */
bool policy_may_reach(const struct policy *p, const struct policy_workload *w, const uint8_t address[16], bool is_v6,
		      uint16_t port, const char **ret_rule);
/* May it listen on the port? */
bool policy_may_listen(const struct policy *p, const struct policy_workload *w, uint16_t port, const char **ret_rule);

/* For the kernel: every prefix that holds for this workload (its scope and exceptions applied). IPv4 as it is, IPv6
 * as it is; the caller unmaps. Names of hosts in the lists come as names: who has a resolver asks. */
struct policy_prefix {
	uint8_t address[16];
	uint8_t bits; /* 0..32, 0..128 */
	bool is_v6, is_denied;
	const char *name; /* host name instead of an address; else "" */
	const char *rule; /* "AC-201" */
};
typedef void (*policy_prefix_fn)(void *arg, const struct policy_prefix *p);
void policy_each_prefix(const struct policy *p, const struct policy_workload *w, policy_prefix_fn fn, void *arg);
struct policy_port_range {
	uint16_t from, to;
	bool is_denied;
};
void policy_each_port(const struct policy *p, const struct policy_workload *w,
		      void (*fn)(void *arg, const struct policy_port_range *r), void *arg);
/* Paths of denied_mounts, for who looks them up by device and inode. */
void policy_each_denied_mount(const struct policy *p, void (*fn)(void *arg, const char *path), void *arg);

/* ---- what others need of it ---- */

/* "nginx" -> "docker.io/library/nginx", tag "latest"; "r:5000/a/b@sha256:…". false: not a reference. */
bool policy_reference(const char *image, struct arena *a, const char **ret_repository, const char **ret_tag,
		      const char **ret_digest);
