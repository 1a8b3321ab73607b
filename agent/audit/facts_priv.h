/* facts_priv.h - shared by the files that read facts. */
#pragma once
#include <cjson/cJSON.h>

#include "agent/audit/facts.h"
#include "common/buf.h"

enum {
	FACTS_BODY_BYTES = 8 << 20,   /* an answer of the engine */
	FACTS_FILE_BYTES = 1 << 20,   /* a file of /proc or /etc that is read whole */
	FACTS_LINK_BYTES = 4096,
	FACTS_FILTERS_MAX = 64,	      /* of one process */
	FACTS_INSTRUCTIONS_MAX = 4096, /* of one filter: BPF_MAXINSNS */
};

/* ---- building texts and lists: an arena that is full is told once, at the end ---- */

struct facts_out {
	struct arena *a; /* borrowed */
	bool failed;
};

/* A copy; "" for nothing and when the arena is full. Cut at the first NUL byte. */
const char *facts_text(struct facts_out *o, struct slice s);
const char *facts_format(struct facts_out *o, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* count * size, cleared. NULL and *ret_count 0 when there is nothing or the arena is full. */
void *facts_rows(struct facts_out *o, size_t count, size_t size);
/* Room for at most FACTS_LIST_MAX texts. */
bool facts_texts_open(struct facts_out *o, struct facts_texts *t, size_t count);
/* One that was opened with room for it; past FACTS_LIST_MAX nothing. */
void facts_texts_add(struct facts_texts *t, const char *s);
/* 0 or ERR_LIMIT. */
int facts_done(const struct facts_out *o, struct err *err);

/* ---- JSON ---- */
const cJSON *facts_get(const cJSON *o, const char *key);
const char *facts_json_text(struct facts_out *o, const cJSON *obj, const char *key);
/* Texts of an array; others in it are left out. */
void facts_json_texts(struct facts_out *o, const cJSON *array, struct facts_texts *ret);
/* The keys of an object. */
void facts_json_keys(struct facts_out *o, const cJSON *obj, struct facts_texts *ret);
/* A whole number, also with a sign, clamped to what fits; fallback for anything else. */
int64_t facts_json_i64(const cJSON *obj, const char *key, int64_t fallback);
enum facts_tri facts_json_tri(const cJSON *obj, const char *key);
/* RFC 3339 to seconds; 0 for none, for year 1 (Go's "never") and for nonsense. */
uint64_t facts_json_time_s(const cJSON *obj, const char *key);
/* An object, or ERR_SYNTAX. *ret: caller frees with cJSON_Delete. */
int facts_json_object(struct slice body, cJSON **ret, struct err *err) WARN_UNUSED;

/* Names of the variables ("NAME=value") that look like a secret. */
void facts_secret_names(struct facts_out *o, const cJSON *env, struct facts_texts *ret);

/* ---- files by a folder's descriptor ---- */

/* Reads name below dir into ret (initialised here; caller frees with buf_fini, also on error). Past max_bytes it is
 * cut: what the kernel tells is judged as far as it was read. 0 or -errno. */
int facts_read_at(int dir, const char *name, size_t max_bytes, struct buf *ret);
/* One number, or "max": -1. -2: not read. */
int64_t facts_read_number_at(int dir, const char *name);
/* The text of a link; "" where there is none. */
const char *facts_link_at(struct facts_out *o, int dir, const char *name);
/* Inode numbers of dir/ns/... */
void facts_read_ns(int dir, uint64_t ret[NS_COUNT]);
/* The host's: those of process 1; where the kernel lets nobody look there (a sandbox, no ptrace), our own, as the agent
 * runs beside the engine. */
void facts_read_host_ns(const char *proc_root, uint64_t ret[NS_COUNT]);

/* ---- mounts: facts_mounts.c ---- */

/* Fills what is behind each mount. dir: the process's /proc folder; host: mounts of the agent's own namespace. */
struct facts_mount_table {
	struct facts_mount *v;
	size_t count;
};
void facts_look_behind(int dir, struct facts_mount_table mounts, struct facts_mount_table host,
		       const struct facts_sockets *sockets, struct facts_out *o);
/* Where (dev, path within the file system) is seen in the table; "" nowhere. */
const char *facts_host_path(struct facts_mount_table host, dev_t dev, const char *root, struct facts_out *o);
/* The same by the first mount that has it; "" where it is that one. */
const char *facts_host_other(struct facts_mount_table host, dev_t dev, const char *root, struct facts_out *o);
/* Reads the table of dir ("/proc/self" and the like), at most FACTS_HOST_MOUNTS_MAX of the host. */
enum { FACTS_HOST_MOUNTS_MAX = 4096 };
int facts_parse_mounts(struct slice text, size_t max, struct facts_out *o, struct facts_mount **ret, size_t *ret_count);

/* ---- cgroups: facts_cgroup.c ---- */
/* dir: the /proc folder of ret->init, which has been read. host: mounts of the agent's own namespace. */
void facts_read_cgroup(const char *proc_root, int dir, struct facts_mount_table host, struct facts_out *o,
		       struct facts_real *ret, bool *ret_is_frozen);

/* ---- seccomp: facts_seccomp.c ---- */

/* The filters of the process by ptrace, evaluated. Never fails: ret->why says what was not to be had. */
void facts_read_filter(pid_t pid, struct facts_out *o, struct facts_filter *ret);
uint32_t facts_native_arch(void);

/* ---- what needs a thread of its own: facts_thread.c ---- */

/* Runs fn(arg) in a thread and waits for its end. 0 or -errno: there is none to be had. */
int facts_in_thread(void *(*fn)(void *arg), void *arg) WARN_UNUSED;
/* dir: the process's /proc folder. */
void facts_read_listeners(int dir, struct facts_out *o, struct facts_real *r);

/* ---- a process ---- */

/* dir: a descriptor of its /proc folder. ESRCH when it is gone. */
int facts_read_process(int dir, pid_t pid, struct facts_out *o, struct facts_process *ret);

/* ---- the engine's process: facts_engine_process.c; who it is: facts_engine_find.c ---- */
void facts_read_engine_process(const char *proc_root, const char *docker_socket, struct facts_out *o, struct facts_daemon *d);
/* Unix sockets that listen, of the network namespace we are in: dev and inode of the file, inode of the socket. */
struct facts_unix {
	dev_t dev;
	ino_t file;
	uint64_t socket;
};
/* At most max; returns how many, 0 where the kernel does not tell. */
size_t facts_unix_listeners(struct facts_unix *ret, size_t max);
/* The process that listens on the socket file; 0: none found. */
pid_t facts_find_engine(const char *proc_root, const char *docker_socket);
/* Inodes of the sockets among the descriptors of a process (proc: its /proc folder); at most max; returns how many. */
size_t facts_socket_inodes(int proc, uint64_t *ret, size_t max);

/* ---- audit rules: facts_audit_rules.c ---- */

/* Pure: paths that a text of auditctl's rules watches are added to t (opened by the caller). */
void facts_parse_audit_rules(struct slice text, struct facts_out *o, struct facts_texts *t);
/* Pure: a rule as the kernel lists it (struct audit_rule_data). */
void facts_parse_audit_rule(struct slice data, struct facts_out *o, struct facts_texts *t);
/* false: they could not be read. */
bool facts_read_audit_rules(struct facts_out *o, struct facts_texts *ret);

void facts_process_init(struct facts_process *p);
void facts_filter_init(struct facts_filter *f);
void facts_real_init(struct facts_real *r);
