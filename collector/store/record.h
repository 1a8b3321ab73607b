/* record.h - a Record as the history sees it: what it can be asked for. Private to the store. */
#pragma once
#include "common/arena.h"
#include "proto/msg.h"

struct record_view {
	const char *type;		 /* "exec" … "finding", "gap", "container", "unknown" */
	const char *call;		 /* "openat", "" = none */
	const char *rule;		 /* of a finding or an action, "" = none */
	const Picket__Process *process;	     /* nullable */
	const Picket__Container *container;  /* nullable */
	const Picket__Finding *finding;	     /* nullable */
	const Picket__Gap *gap;		     /* nullable */
	const Picket__Action *action;	     /* nullable */
	const Picket__File *file;	     /* nullable */
	const Picket__Network *network;	     /* nullable; never beside a file */
	const Picket__Admission *admission;  /* nullable */
	const Picket__Traffic *traffic;	     /* nullable */
	const Picket__AuditReport *report;   /* nullable; a container's is seen as that container's record */
	Picket__Container reported;	     /* what container points to then: a view is not copied */
	struct slice args;		     /* of the call, as text */
};
void record_view(const Picket__Record *rec, struct record_view *ret);
/* The paths that path= means: of the file (as given, where it isn't resolved), its target, a unix
 * socket's. Returns how many. */
enum { RECORD_PATHS = 2 };
size_t record_paths(const struct record_view *v, struct slice ret[RECORD_PATHS]);
/* Does path=want mean this path? "/etc/shadow" the whole, "shadow" the file's name, "/etc/" what lies
 * directly in it. */
bool record_path_is(struct slice path, struct slice want);
/* name + " " + arguments, as Falco's proc.cmdline. In the arena; empty past its cap. */
struct slice record_cmdline(const Picket__Process *p, struct arena *a);
/* The hash of its executable as people write it; false: it has none. */
enum { RECORD_HASH_MAX = 65 };
bool record_hash(const Picket__Process *p, char dst[RECORD_HASH_MAX]);

/* What a posting is for. Stored: never renumbered. */
enum term_kind {
	TERM_AGENT = 1,
	TERM_CONTAINER_ID, /* its first 12 digits, which is how people name one */
	TERM_CONTAINER_NAME,
	TERM_IMAGE,
	TERM_TYPE,
	TERM_PROCESS,
	TERM_EXE,
	TERM_USER, /* its name, and its number in decimal */
	TERM_RULE,
	TERM_PARENT,
	TERM_CALL,
	TERM_PATH, /* a whole path, its name, its directory with the slash: see record_path_is */
	TERM_ADDRESS, /* as record_json_address writes it, either end */
	TERM_PORT, /* in decimal, either end, below RECORD_PORTS */
	TERM_HASH, /* SHA-256 of the executable: 64 hex digits */
	TERM_KINDS
};
enum { CONTAINER_ID_SHORT = 12 };
/* Ports above are one end's choice for one connection: an index of them would be as long as the records. */
enum { RECORD_PORTS = 32768 };
/* Of a traffic record's peers those with the most bytes are found by address= and port=: more would need more terms
 * than any other record has. */
enum { RECORD_PEERS = 6 };
/* Both ends of a connection, or the peers of an interval: how many there are. */
struct record_end {
	struct slice address;
	uint32_t port;
};
enum { RECORD_ENDS = RECORD_PEERS };
size_t record_ends(const struct record_view *v, struct record_end ret[RECORD_ENDS]);
/* The most terms a record has: agent, type, call, rule and parent, 3 of the container, 4 of the process;
 * and of a socket 3 for its path and 2 for each end, which is more than the 6 of a file's two paths;
 * of traffic 2 for each of its peers, and no process; and the hash of a program. */
enum { RECORD_TERMS_MAX = 20 };
/* A number per (kind, value). Two values with one number cost a needless look into a block, no more. */
uint64_t record_term(enum term_kind kind, struct slice value);
/* Gives every term of the record to add. */
void record_terms(const char *agent, const Picket__Record *rec,
		  void (*add)(void *arg, uint64_t term), void *arg);
