/* policy.h - the access-control policy: what containers may be, use and reach. Parsed once, then judged against.
 *
 * Used by the agent (admission, its audit of what runs, the kernel's network maps) and by the collector (`policy
 * diff`). Pure: text in, verdicts out; reads no file but policy_load's. Schema and precedence: README.md here. */
#pragma once
#include "common/arena.h"
#include "common/buf.h"
#include "common/err.h"
#include "common/slice.h"
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct policy;

enum policy_mode { POLICY_OFF, POLICY_MONITOR, POLICY_ENFORCE };
enum policy_section { POLICY_IMAGE, POLICY_NETWORK, POLICY_PORT, POLICY_RUNTIME, POLICY_SECTION_COUNT };

/* Rules have stable ids, "AC-012": a table in rules.def, which the README tells of. */

/* ---- what is judged ---- */

struct policy_texts {
	const char *const *v;
	size_t count;
};
struct policy_port {
	const char *host_ip; /* "" every address */
	uint16_t host_port, port; /* host_port 0: not published, or chosen by the engine */
	const char *protocol;
	bool is_published; /* a binding was asked for; false with host_port 0: only exposed */
};
struct policy_mount {
	const char *type;	/* bind volume tmpfs … */
	const char *source;	/* as asked for: a path on the host, a volume's name */
	const char *real;	/* source (of a volume: device) with links followed on the host; "" not looked at */
	uint64_t dev, ino;	/* of the source; 0: not looked at */
	const char *device;	/* of a local volume: its option `device`, whatever its type; "" */
	const char *driver;	/* of the volume; "" or "local" */
	const char *dest;
	bool is_writable;
	/* What protected thing this is, holds or lies in, found by device and inode by who can look: a path of
	 * denied_mounts, "/" for the whole host. "": none, or not looked at. */
	const char *protects;
};
/* What is asked for. All but the container: only what belongs to it is judged; name, image and labels choose scope and
 * exceptions all the same. */
enum policy_subject {
	POLICY_CONTAINER, /* made, or to be made: everything */
	POLICY_EXEC,	  /* in a container: is_privileged, user and is_user_root are the exec's */
	POLICY_PULL,	  /* of an image: image, repository, tag */
	POLICY_BUILD,	  /* of an image: network_mode, cgroup_parent */
	POLICY_VOLUME,	  /* made by itself: mounts[0] */
	POLICY_NETWORKS,  /* an existing container is connected: networks */
};
/* Strings: NULL counts as "". */
struct policy_workload {
	enum policy_subject subject;
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
	bool has_unseen_volumes; /* mounts of volumes_from, or a volume's driver and device, could not be looked up */
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
	struct policy_texts networks; /* of the engine, by name; network_mode need not be among them */
	struct policy_texts extra_hosts, env_names;
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
/* NULL is allowed and does nothing. */
void policy_free(struct policy *p);
DEFINE_CLEANUP(struct policy, policy_free)

const char *policy_name(const struct policy *p);      /* of the file */
const char *policy_digest(const struct policy *p);    /* sha256 of the text, hex */
enum policy_mode policy_mode_of(const struct policy *p, enum policy_section s);
/* The same with the scopes that w lies in. */
enum policy_mode policy_mode_for(const struct policy *p, const struct policy_workload *w, enum policy_section s);
/* Of all sections, in every scope: what holds where it is not known yet who it is about. */
enum policy_mode policy_mode_strictest(const struct policy *p);
/* Does what is known of an image's vulnerabilities matter: max_severity below critical, or max_scan_age, anywhere? */
bool policy_wants_scans(const struct policy *p);
/* The strictest for addresses and ports, off where no layer names any: whether the kernel has anything to judge. */
enum policy_mode policy_mode_network(const struct policy *p);
/* Everything the policy says of the workload. now_unix_s: for exceptions that end. verdict lives in the arena. */
int policy_judge(const struct policy *p, const struct policy_workload *w, uint64_t now_unix_s, struct arena *a,
		 struct policy_verdict *ret, struct err *err) WARN_UNUSED;
/* May it reach the address? Longest prefix decides; of equal ones the denial. false: no; ret_rule nullable. Mapped
 * addresses (::ffff:1.2.3.4) are judged as IPv4. Host names of the lists are not looked up. The mode is not asked. */
bool policy_may_reach(const struct policy *p, const struct policy_workload *w, uint64_t now_unix_s,
		      const uint8_t address[16], bool is_v6, const char **ret_rule);
/* May it listen on the port? Port 0 (the kernel chooses): yes. */
bool policy_may_listen(const struct policy *p, const struct policy_workload *w, uint64_t now_unix_s, uint16_t port,
		       const char **ret_rule);

/* For the kernel: every prefix that holds for this workload (its scope and exceptions applied), the default as
 * 0.0.0.0/0 and ::/0; no prefix twice; none: everything is allowed. IPv4 in the first four bytes. Names of hosts in the
 * lists come as names: who has a resolver asks, and puts in addresses of /32 and /128. Told are first allowances, then
 * denials, then exceptions: of the same address the last holds. Where the mode for w (policy_mode_for) is off: none. */
struct policy_prefix {
	uint8_t address[16];
	uint8_t bits; /* 0..32, 0..128 */
	bool is_v6, is_denied;
	const char *name; /* host name instead of an address; else "" */
	const char *rule; /* "AC-201" */
};
typedef void (*policy_prefix_fn)(void *arg, const struct policy_prefix *p);
void policy_each_prefix(const struct policy *p, const struct policy_workload *w, uint64_t now_unix_s,
			policy_prefix_fn fn, void *arg);
/* Names of hosts in the lists and exceptions of every scope, each once, sorted: for who looks them up. */
void policy_each_host_name(const struct policy *p, void (*fn)(void *arg, const char *name), void *arg);
/* Ports it may listen on. The last range that holds a port decides; none: allowed. */
struct policy_port_range {
	uint16_t from, to;
	bool is_denied;
	const char *rule; /* "AC-301"; "" allowed */
};
void policy_each_port(const struct policy *p, const struct policy_workload *w, uint64_t now_unix_s,
		      void (*fn)(void *arg, const struct policy_port_range *r), void *arg);
/* Paths of denied_mounts, of every scope, each once, sorted, for who looks them up by device and inode. */
void policy_each_denied_mount(const struct policy *p, void (*fn)(void *arg, const char *path), void *arg);

/* For people: modes, what each section says, scopes, exceptions and which of them have ended. Lines of text. */
void policy_summary(const struct policy *p, uint64_t now_unix_s, struct buf *out);

/* ---- what others need of it ---- */

/* "nginx" -> "docker.io/library/nginx", tag "latest"; "r:5000/a/b@sha256:…" (tag ""). false: not a reference, as an
 * image's id is none. */
bool policy_reference(const char *image, struct arena *a, const char **ret_repository, const char **ret_tag,
		      const char **ret_digest);
