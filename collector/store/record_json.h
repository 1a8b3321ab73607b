/* record_json.h - the contract's JSON of what the store holds: alerts, and the processes and
 * containers that alerts and events name. Pure; the one place where those names are spelled.
 *
 * Values are what the host said, as JSON strings; whoever puts them before people escapes them again
 * (common/show.h). NUL bytes become U+FFFD, since JSON readers in C stop at them. */
#pragma once
#include "collector/store/store.h"
#include "common/json.h"

/* A value that a container may have chosen: cut at max_bytes. */
void record_json_text(struct json *j, const char *key, struct slice s, size_t max_bytes);
/* "process": {pid, name, exe, cmdline, cwd, user, …, parent{pid, name, exe, cmdline}}; p nullable
 * writes null. */
/* 32 bytes as 64 hex digits. */
void record_json_hash(struct json *j, const char *key, struct slice sha256);
void record_json_process(struct json *j, const char *key, const Picket__Process *p);
/* "container": {id, name, image, image_digest, …}; null on the host (no id). */
void record_json_container(struct json *j, const char *key, const Picket__Container *c);
/* How a container was made: {mounts: [{type, source, target, writable, …}], ports: [{host_ip, host_port, port,
 * protocol}], networks, cap_add, cap_drop, security_opt, pid_mode, …}; what is empty is left out. */
void record_json_config(struct json *j, const char *key, const Picket__ContainerConfig *c);
/* {kind, allowed, monitored, rule, reason, policy, user, method, path, took_ns, count} */
void record_json_admission(struct json *j, const char *key, const Picket__Admission *a);
/* "refused: create of `web` (AC-012): bind of /etc". Unescaped. */
void record_json_admission_text(struct buf *out, const Picket__Admission *a, const Picket__Container *c);
/* {from, to, rx_bytes, tx_bytes, rx_packets, tx_packets, peers: [{address, port, protocol, outgoing, rx_bytes, tx_bytes,
 * connections}], other_bytes} */
void record_json_traffic(struct json *j, const char *key, const Picket__Traffic *t);
/* {subject, subject_id, name, image, trigger, gone, results: [{check, status, severity, evidence, differs}], passed} */
void record_json_report(struct json *j, const char *key, const Picket__AuditReport *m);

/* What a system call did, for FILE, NETWORK and CALL events and findings about one:
 *	"call":"openat", "result":3 or "EACCES", "args":…,
 *	"file":{path, raw, target, flags:"O_RDONLY|O_CLOEXEC", mode:"0644", file_mode, inode, dev, upper_layer},
 *	"network":{protocol, local_address, local_port, remote_address, remote_port, path}
 * and "summary", one line for people. Members that don't apply are left out; nothing at all is written
 * without a call, file and network. */
struct record_json_deed {
	const char *call; /* nullable */
	int64_t result;
	struct slice args;
	const Picket__File *file;	/* nullable */
	const Picket__Network *network; /* nullable */
};
void record_json_deed(struct json *j, const struct record_json_deed *d);
/* The member "network" alone, under a key. */
void record_json_network(struct json *j, const char *key, const Picket__Network *n);
/* "openat /etc/shadow (read) = EACCES", "connect tcp 10.0.0.1:40000 -> 203.0.113.9:80". Unescaped. */
void record_json_summary(struct buf *out, const struct record_json_deed *d);
/* The members of a response, into an open object: kind, rule, dry_run, done, why, by_kernel, finding_seq,
 * took_ns. */
void record_json_action(struct json *j, const Picket__Action *a);
/* "done: kill wget (pid 42) after 90 us", "dry run: would pause container web-1", "dry run: would not
 * kill init (pid 1): protected: init", "failed: kill …: why".
 * p, c: nullable. Unescaped. */
void record_json_action_text(struct buf *out, const Picket__Action *a, const Picket__Process *p,
			     const Picket__Container *c);
/* 4 or 16 bytes as text; IPv4 in IPv6 as IPv4, so that one address has one text. false: none. */
enum { RECORD_ADDRESS_MAX = 46 };
bool record_json_address(struct slice address, char dst[RECORD_ADDRESS_MAX]);
/* An alert: the row's columns and the members of its document. */
void record_json_alert(struct json *j, const struct store_alert *al);
/* The same without its braces, for further members behind. */
void record_json_alert_members(struct json *j, const struct store_alert *al);
/* "agent:epoch:seq" */
enum { RECORD_ID_MAX = 128 };
char *record_json_id(const char *agent, uint64_t epoch, uint64_t seq, char dst[RECORD_ID_MAX]);
