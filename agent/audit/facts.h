/* facts.h - what is known of the host, the engine, an image and a container when they are judged.
 *
 * Two halves: what was asked for (the engine's API) and what is (the kernel). A verdict follows the kernel where
 * it has been read (real.is_known), else what was asked for; where the two differ, that is a finding of its own.
 * Plain data: everything lives in one arena, nothing here is read from anywhere by a check.
 * Strings: NUL-terminated, never NULL, "" where unknown; bytes of containers are not escaped here. */
#pragma once
#include "common/arena.h"
#include "common/buf.h"
#include "common/err.h"
#include "common/slice.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum facts_tri { FACTS_UNKNOWN, FACTS_NO, FACTS_YES };

/* A list of texts, or of rows. */
struct facts_texts {
	const char **v;
	size_t count;
};

/* ---- a container, as asked for: GET /containers/ID/json ---- */

struct facts_port {
	const char *host_ip; /* "" = every address */
	uint16_t host_port;  /* 0: chosen by the engine, or not published */
	uint16_t port;
	const char *protocol; /* tcp udp sctp */
};
struct facts_asked_mount {
	const char *type;	/* bind volume tmpfs npipe cluster */
	const char *source;	/* path on the host, or a volume's mount point */
	const char *name;	/* of the volume */
	const char *driver;	/* of the volume */
	const char *device;	/* a local volume's option `device` with o=bind: what it really is; else "" */
	const char *dest;
	const char *propagation;
	bool is_writable;
	bool is_unseen; /* of a volume: the engine could not be asked what it is */
};
struct facts_network {
	const char *name, *id, *address, *address6; /* address: of the container in it */
};
struct facts_exec { /* GET /exec/ID/json */
	const char *id, *user;
	bool is_privileged, is_running;
	pid_t pid; /* 0: not running */
};
struct facts_ulimit {
	const char *name;
	int64_t soft, hard;
};

enum facts_state { STATE_UNKNOWN, STATE_CREATED, STATE_RUNNING, STATE_PAUSED, STATE_RESTARTING, STATE_EXITED, STATE_DEAD };
enum facts_restart { RESTART_NO, RESTART_ALWAYS, RESTART_UNLESS_STOPPED, RESTART_ON_FAILURE };

struct facts_asked {
	bool is_privileged, is_root_readonly, is_oom_kill_disabled, is_publish_all, is_health_none;
	const char *user; /* Config.User, of image or run */
	struct facts_texts cap_add, cap_drop; /* as given: "SYS_ADMIN", "cap_net_raw", "ALL" */
	struct facts_texts security_opt;      /* as given */
	const char *pid_mode, *ipc_mode, *network_mode, *uts_mode, *userns_mode, *cgroupns_mode, *cgroup_parent, *runtime;
	const char *apparmor; /* AppArmorProfile */
	struct facts_texts devices;	       /* "/dev/kmsg:/dev/kmsg:rwm" */
	struct facts_texts device_rules;       /* DeviceCgroupRules */
	size_t device_requests;		       /* --gpus and their like */
	enum facts_tri masks_proc;	       /* MaskedPaths not empty */
	struct facts_texts sysctls;	       /* "net.ipv4.ip_forward=1" */
	int64_t memory_bytes;		       /* 0: none */
	int64_t nano_cpus, cpu_quota, cpu_shares;
	int64_t pids_limit;		       /* 0, -1: none */
	int64_t oom_score_adj;
	enum facts_restart restart;
	int64_t restart_max;		       /* of on-failure; 0: no limit */
	struct facts_ulimit *ulimits;
	size_t ulimit_count;
	struct facts_texts health_test;	       /* Config.Healthcheck.Test */
	const char *health;		       /* State.Health.Status: healthy unhealthy starting; "" none */
	/* published (exposed alone is none): NetworkSettings.Ports, else HostConfig.PortBindings */
	struct facts_port *ports;
	size_t port_count;
	struct facts_asked_mount *mounts;
	size_t mount_count;
	struct facts_network *networks;
	size_t network_count;
	struct facts_exec *execs;
	size_t exec_count;
	struct facts_texts secret_names; /* variables of Config.Env that look like a secret: names only */
	struct facts_texts volumes_from;
	const char *log_driver;
};

/* ---- a container, as it is: the kernel ---- */

enum facts_ns { NS_PID, NS_MNT, NS_NET, NS_IPC, NS_UTS, NS_USER, NS_CGROUP, NS_COUNT };
enum facts_seccomp { SECCOMP_UNKNOWN = -1, SECCOMP_OFF = 0, SECCOMP_STRICT_MODE = 1, SECCOMP_FILTERED = 2 };
enum { FACTS_SYSCALLS = 512 }; /* numbers of x86-64 and arm64 end below */

/* What the filters of a process let through (with any arguments, or with some), call by call. */
struct facts_filter {
	bool is_read; /* false: could not be read; why is in `why` */
	const char *why;
	unsigned instructions, filters;
	uint64_t allows[FACTS_SYSCALLS / 64]; /* bit n: call n is let through, with some arguments at least */
	uint64_t always[FACTS_SYSCALLS / 64]; /* bit n: whatever its arguments; within allows */
	unsigned allowed; /* bits set in allows */
	bool allows_other_abi; /* 32-bit or x32 calls are let through */
};

struct facts_process {
	pid_t pid;
	uid_t uid, euid; /* as the host sees them */
	uint64_t cap_effective, cap_permitted, cap_inheritable, cap_bounding, cap_ambient;
	bool no_new_privs;
	enum facts_seccomp seccomp;
	unsigned seccomp_filters; /* Seccomp_filters; 0 where the kernel does not say */
	const char *comm, *exe;	  /* a container chooses both: shown, never judged by */
	const char *label;	  /* attr/current: AppArmor or SELinux; "" none */
	int oom_score_adj;
	uint64_t ns[NS_COUNT];	  /* inode numbers; 0: not read */
};

/* A line of mountinfo. The root file system and what the engine itself mounts (/etc/hosts, /proc, /dev …) too. */
struct facts_mount {
	int id;		     /* of the mount, unique while it lasts */
	dev_t dev;	     /* st_dev of the file system */
	const char *root;    /* within its file system */
	const char *point;   /* in the container */
	const char *fs_type; /* overlay tmpfs ext4 proc … */
	const char *source;
	const char *super_options; /* of the file system: "rw,lowerdir=…" */
	bool is_writable, is_noexec, is_nosuid, is_nodev;
	bool is_shared;	     /* shared:N: mounts made here are seen elsewhere */
	bool is_slave;
	/* filled by looking through the mount on the host's side; "" / false where it can't be told */
	const char *host_path;	/* where the same files are on the host, by the mount that is nearest */
	/* Where else, by the mount that was made first; "" the same. A volume with o=bind puts a second name on /etc:
	 * neither of both may hide the other. */
	const char *host_other;
	bool is_directory, is_socket, is_block, is_char;
	ino_t inode;		/* of what is mounted */
	/* The socket of an engine that is this file or lies below it, at most 4 levels deep: compared by device
	 * and inode, so that a link, another name or a folder above makes no difference. "": none. */
	const char *api_socket;
};

struct facts_listener {
	const char *address; /* "0.0.0.0", "::", … */
	uint16_t port;
	const char *protocol; /* tcp tcp6 udp udp6 */
};

struct facts_real {
	bool is_known; /* init was there and could be read; everything below is then what is */
	const char *why; /* not known because */
	struct facts_process init;
	struct facts_process *processes; /* all of its cgroup, init too; at most FACTS_PROCESSES_MAX */
	size_t process_count, process_total;
	uint64_t init_start_ticks;  /* when init started, since boot; 0: not read */
	struct facts_filter filter; /* of init */
	struct facts_mount *mounts;
	size_t mount_count;
	bool is_user_ns_host; /* uid_map is the identity over everything */
	uid_t root_uid;	      /* what uid 0 in it is on the host */
	bool is_root_readonly;
	int64_t memory_max, pids_max; /* of the cgroup; -1: no limit, -2: not read */
	int64_t cpu_quota_us, cpu_period_us;
	uint64_t cpu_weight; /* in the unit of v2's cpu.weight (v1's shares converted); 0: the default, nobody set it */
	bool has_all_devices; /* the device cgroup lets everything through (v1: "a *:* rwm"); v2: not told */
	const char *cgroup;   /* path */
	struct facts_listener *listeners; /* of its network namespace, unless that is the host's */
	size_t listener_count;
	uint64_t nofile_max, nproc_max;	  /* hard limits; UINT64_MAX: none */
};
enum { FACTS_PROCESSES_MAX = 256, FACTS_MOUNTS_MAX = 512, FACTS_LISTENERS_MAX = 256, FACTS_LIST_MAX = 256 };

struct facts_container {
	const char *id, *name; /* 64 hex digits; without the slash */
	const char *image, *image_id, *image_digest; /* as given; sha256:…; of the repository */
	enum facts_state state;
	pid_t pid; /* of init; 0: not running */
	uint64_t created_unix_s, started_unix_s;
	struct facts_texts labels; /* "key=value"; the policy's scopes are told by them, no check ever looks */
	struct facts_asked asked;
	struct facts_real real;
};

/* ---- an image ---- */
struct facts_image {
	const char *id; /* sha256:… */
	struct facts_texts tags, digests; /* RepoTags, RepoDigests */
	const char *user;
	struct facts_texts health_test, exposed_ports, secret_names, history; /* history: CreatedBy, oldest first */
	struct facts_texts setid_files; /* from the stock of the image, where it was taken */
	bool has_stock;
	size_t package_count;
	struct facts_texts layers; /* digests, lowest first */
	/* An image of this engine whose layers are the lowest of this one's, known by `latest` alone; "" none, or not looked. */
	const char *base_latest;
	enum facts_tri has_user_uid0; /* User (without its group) is a name of uid 0 in the image's passwd */
	uint64_t created_unix_s, size_bytes;
	size_t used_by; /* containers */
};

/* What somebody who may look into images found in one's files. */
struct facts_stock {
	struct facts_texts setid_files, roots; /* roots: names of uid 0 in its /etc/passwd, as engines read it */
	size_t package_count;
	bool has_passwd;
};

/* ---- the engine and the host ---- */
/* lstat, of a file or folder that must be root's; where it is a link, what it leads to. `what`, several rows each
 * where there are several: docker.service, docker.socket, /etc/docker, registry certificate, TLS CA certificate,
 * TLS server certificate, TLS server key, docker socket, daemon.json, /etc/default/docker, /etc/sysconfig/docker,
 * containerd socket. A row that is not there has exists false; rows of registry certificates only where there are some,
 * of TLS files only where the engine was told of some. */
struct facts_file {
	const char *what, *path; /* "docker.service", "/lib/systemd/system/docker.service" */
	bool exists, is_link, has_acl;
	uid_t uid;
	gid_t gid;
	mode_t mode;
	bool is_directory, is_socket;
	/* the first folder above that others than root can write, "" = none */
	const char *loose_parent;
};
struct facts_listen { /* of the engine's own process */
	const char *address; /* "unix:/run/docker.sock", "tcp:0.0.0.0:2375", "tcp:[::]:2375" */
	bool is_tcp, is_loopback;
	enum facts_tri has_tls; /* and asks clients for a certificate */
	mode_t mode; /* of a unix socket */
	uid_t uid;
	gid_t gid;
};
struct facts_user {
	const char *name;
	uid_t uid;
};
struct facts_bridge { /* GET /networks: what is in effect */
	const char *name, *driver;
	enum facts_tri has_icc, is_encrypted, is_internal;
	bool is_default;
};
struct facts_daemon {
	bool is_known; /* the engine answered */
	const char *why;
	const char *version, *api_version, *os, *arch, *root_dir, *driver, *logging_driver, *cgroup_driver, *default_runtime;
	unsigned cgroup_version;
	bool has_live_restore, is_experimental, is_rootless, has_userns, has_seccomp, has_apparmor, has_selinux;
	const char *seccomp_profile; /* "builtin", "unconfined", a path */
	struct facts_texts insecure_registries, authz_plugins, runtimes, security_options, warnings;
	const char *swarm; /* inactive active … */
	enum facts_tri is_swarm_manager, has_swarm_autolock;
	int64_t swarm_cert_expiry_ns;
	size_t containers, containers_running, images;
	struct facts_bridge *networks;
	size_t network_count;
	/* its own process, found by who listens on the socket: not by a name */
	pid_t pid;
	uid_t uid;
	const char *exe;
	struct facts_texts argv;
	/* DOCKER_CONTENT_TRUST and the proxies only, NAME=value; without the password of a proxy */
	struct facts_texts environment_names;
	uint64_t started_unix_s;
	struct facts_listen *listens;
	size_t listen_count;
	size_t proxies; /* docker-proxy children */
	/* its file */
	const char *config_path; /* "/etc/docker/daemon.json", or as argv says */
	bool has_config, is_config_bad, is_config_newer; /* newer than the process: not in effect */
	const char *config_error;
	/* both together: the option's value as the engine has it, argv over file; "" where neither says */
	const char *log_level, *cgroup_parent, *basesize;
	enum facts_tri icc, iptables, userland_proxy, no_new_privileges, tls_verify, tls;
	struct facts_texts hosts; /* -H of both: "unix:///run/docker.sock" */
	const char *metrics_address;
	struct facts_ulimit *ulimits;
	size_t ulimit_count;
	const char *tls_ca, *tls_cert, *tls_key;
};
struct facts_host {
	const char *kernel, *distribution;
	uint64_t now_unix_s;
	bool has_apparmor, has_selinux, has_cgroup_v2;
	bool root_dir_is_mount; /* the engine's folder is on a file system of its own */
	struct facts_user *docker_users; /* who may use the engine's socket by group, primary group too */
	size_t docker_user_count;
	struct facts_file *files; /* section 3 of the benchmark */
	size_t file_count;
	struct facts_texts watched; /* paths that audit rules watch */
	bool has_audit_rules;	    /* they could be read */
	struct facts_texts watched_by_us; /* files and folders that are not written without the agent, which runs, seeing it */
	uint64_t ns[NS_COUNT];
	int64_t pid_max;
	/* what the engine's default profile lets through on this machine; from the default filter of a container,
	 * or computed from the engine's published profile */
	struct facts_filter default_filter;
	uint64_t default_caps; /* 0xa80425fb */
};

/* ---- reading them ---- */

/* Nothing known yet: every text "", what has a value for "not read" has that. What reads into them expects them so,
 * or filled before (facts_read_container and facts_read_image do it themselves). */
void facts_container_init(struct facts_container *c);
void facts_image_init(struct facts_image *i);
void facts_daemon_init(struct facts_daemon *d);
void facts_host_init(struct facts_host *h);

/* Pure: the engine's answers. body: at most 8 MiB of JSON. Values of the wrong type count as absent, every list is
 * cut at FACTS_LIST_MAX. ERR_SYNTAX with the place where it is no JSON object. */
int facts_read_container(struct slice body, struct arena *a, struct facts_container *ret, struct err *err);
/* Of an exec's ID, facts_read_container knows no more than that: asked.execs has a row with the id alone, to be read
 * over by this one. */
int facts_read_exec(struct slice body, struct arena *a, struct facts_exec *ret, struct err *err);
/* A local volume's real device (o=bind), or "". GET /volumes/NAME. */
int facts_read_volume(struct slice body, struct arena *a, const char **ret_name, const char **ret_device, struct err *err);
int facts_read_image(struct slice body, struct arena *a, struct facts_image *ret, struct err *err);
/* Pure: is `of` built on it? Has it no other tag than latest? */
bool facts_image_is_base(const struct facts_image *base, const struct facts_image *of);
bool facts_image_is_latest(const struct facts_texts *tags);
/* Pure: has_stock and what follows from it. s: its texts are borrowed as long as ret. */
void facts_image_stock(struct facts_image *ret, const struct facts_stock *s);
int facts_read_history(struct slice body, struct arena *a, struct facts_image *ret, struct err *err);
int facts_read_info(struct slice body, struct arena *a, struct facts_daemon *ret, struct err *err);
int facts_read_version(struct slice body, struct arena *a, struct facts_daemon *ret, struct err *err);
int facts_read_networks(struct slice body, struct arena *a, struct facts_daemon *ret, struct err *err);
int facts_read_swarm(struct slice body, struct arena *a, struct facts_daemon *ret, struct err *err);
/* Pure: daemon.json, and the command line over it (argv wins, as in dockerd; where both say it, dockerd does not start). */
int facts_read_config(struct slice text, struct arena *a, struct facts_daemon *ret, struct err *err);
void facts_read_argv(const struct facts_texts *argv, struct arena *a, struct facts_daemon *ret);

/* What the kernel knows of a running container. proc_root: "/proc". Takes nothing for granted: the process is held by
 * a descriptor of its /proc folder, and is the same one at the end, else ESRCH (and ret->is_known false). Stops init
 * for some microseconds while its filter is read (PTRACE_SECCOMP_GET_FILTER), which may end a call it sleeps in with
 * EINTR; not with FACTS_NO_FILTER, and not where what is known of it holds still. A process that somebody else traces is
 * not touched. Errors: ESRCH, EACCES, ENOMEM. */
enum facts_real_flags { FACTS_NO_FILTER = 1 };
/* A filter that was read before. It can't be taken away, only others put before it, and stays over an exec: the same
 * process with as many (Seccomp_filters, Linux 5.9) has the same. */
struct facts_known {
	pid_t pid;
	uint64_t start_ticks;
	unsigned seccomp_filters;
	struct facts_filter filter; /* is_read */
};
struct facts_how {
	unsigned flags;
	const struct facts_sockets *sockets; /* nullable */
	const struct facts_known *known;     /* nullable */
};
struct facts_sockets { /* the engines' API sockets of this host, by device and inode */
	struct facts_socket {
		dev_t dev;
		ino_t inode;
		const char *path;
		/* where it is in its file system, as mountinfo counts it (the device of a file may be another) */
		dev_t fs_dev;
		const char *fs_path; /* "" not known */
		bool has_links;	     /* it has further names */
	} *v;
	size_t count;
};
/* engine: as facts_read_host left it; nullable: its process is looked for again. */
int facts_read_sockets(const char *docker_socket, const struct facts_daemon *engine, struct arena *a,
		       struct facts_sockets *ret, struct err *err);
int facts_read_real(const char *proc_root, pid_t pid, const struct facts_how *how, struct arena *a, struct facts_real *ret,
		    struct err *err);
/* Pure: what can be known of it the next time, as a word of [0-9a-f-] that is kept by somebody who need not understand
 * it; nothing is written where there is nothing to know. */
void facts_known_write(const struct facts_real *r, struct buf *out);
/* ERR_SYNTAX: it is none. */
int facts_known_read(struct slice word, struct facts_known *ret, struct err *err) WARN_UNUSED;
enum { FACTS_KNOWN_BYTES = 400 };
/* The host and the engine's process. d: as far as the API told; completed here. */
int facts_read_host(const char *proc_root, const char *docker_socket, struct arena *a, struct facts_daemon *d,
		    struct facts_host *ret, struct err *err);

/* Pure: texts of the kernel. Each tolerates what it does not know. */
int facts_parse_status(struct slice text, struct facts_process *ret);
int facts_parse_mountinfo(struct slice text, struct arena *a, struct facts_mount **ret, size_t *ret_count, struct err *err);
int facts_parse_sockets(struct slice text, const char *protocol, struct arena *a, struct facts_listener **ret, size_t *ret_count,
			struct err *err); /* /proc/PID/net/tcp and its like: listening ones */
bool facts_parse_uid_map(struct slice text, uid_t *ret_root); /* true: the identity over everything */

/* Pure: which calls the classic BPF programs let through, each number tried with unknown arguments: a call counts as
 * allowed unless every path refuses it. A call that a supervisor or a tracer is asked for counts as let through: who
 * that is, is up to the container's owner. programs: as PTRACE_SECCOMP_GET_FILTER gives them; none: everything is let
 * through. arch: AUDIT_ARCH_*. ERR_CORRUPT when the kernel would not have taken one, ERR_LIMIT when they would take
 * too long. */
struct sock_filter;
struct facts_program {
	const struct sock_filter *v;
	size_t count;
};
int facts_filter_evaluate(const struct facts_program *programs, size_t count, uint32_t arch, struct facts_filter *ret, struct err *err);
/* Pure: what the engine's own profile would let through for a container of that bounding set on this machine.
 * engine_version: "28.2.2"; "" = any that is supported. What one release lets through and another does not counts as
 * let through, except what was taken out on purpose. */
void facts_default_filter(uint64_t cap_bounding, const char *engine_version, struct facts_filter *ret);
