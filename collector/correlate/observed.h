/* observed.h - records, as the agents send them, as events that rules are asked about: of which kind each is, and its
 * fields by number. Field names are record_json.h's; observed_fields.def has them, and those that are derived. Pure. */
#pragma once
#include "collector/correlate/detect.h"
#include "proto/msg.h"

enum { OBSERVED_ADDRESS_MAX = 46, OBSERVED_ARENA_BYTES = 128 << 10 };

/* An event that no agent tells of: the collector makes it of what it knows. */
struct observed_made {
	enum detect_source source; /* SCAN: a vulnerability in an image that a container runs; HEALTH: of an agent */
	uint64_t time_unix_ns;
	const Picket__Container *container; /* nullable */
	const char *state;		    /* of HEALTH: online, offline; of SCAN: found, unscanned */
	/* of SCAN; texts are never NULL */
	const char *vulnerability, *severity, *package, *used;
	bool is_exploited, is_exposed, is_fixable;
};
/* What the collector knows beyond what an event says. Texts are borrowed until the next question. */
struct observed_known {
	struct slice name, image;
	const char *image_id; /* "" not known */
	const char *worst;    /* the severity of the worst vulnerability that nobody accepts; "" none or not known */
	bool is_privileged, is_told; /* is_told: how it was made is known */
	bool is_scanned, is_exploited;
};
struct observed_world {
	/* false: nothing is known of that container. */
	bool (*container)(void *arg, const char *agent, const char *id, struct observed_known *ret);
	/* The host of the fleet that has this address, or "". */
	const char *(*host_of)(void *arg, struct slice address);
	/* Has the agent of that host not been heard of? */
	bool (*is_silent)(void *arg, const char *host);
	void *arg;
};

struct observed {
	struct detect_event ev; /* first: what detect_match takes */
	const char *agent, *host;
	const Picket__Record *record;
	const Picket__Event *event;	 /* nullable, as those that follow */
	const Picket__Process *process;
	const Picket__Container *container;
	const Picket__File *file;
	const Picket__Network *network;
	const Picket__Finding *finding;
	const Picket__AuditReport *report;
	const Picket__AuditResult *result;
	const struct observed_made *made; /* nullable */
	const struct observed_world *world; /* nullable; to be set after observed_init */
	Picket__Record made_record;
	struct observed_known known;
	bool is_known, has_asked;
	const char *call; /* "" none */
	int64_t call_result;
	struct arena *arena;
	struct slice command_line, cmdline; /* made when first asked for */
	char addresses[2][OBSERVED_ADDRESS_MAX]; /* local, remote */
	char caps[20], hashes[7 + 65]; /* "SHA256=" and what follows it */
};

/* How many events a record is: of a report on checks each result is one, all others are one. */
size_t observed_count(const Picket__Record *record);
/* The i-th of them. agent, host, record: borrowed as long as *ret is asked; a: for the texts made of arguments,
 * OBSERVED_ARENA_BYTES are enough for one event; without room they are cut. */
void observed_init(struct observed *ret, const char *agent, const char *host, const Picket__Record *record, size_t i,
		   struct arena *a);
/* made: borrowed likewise. */
void observed_init_made(struct observed *ret, const char *agent, const char *host, const struct observed_made *made,
			struct arena *a);
/* For detect_fields (arg is not used): the field of that name, if events of that kind can have it. */
int observed_resolve(void *arg, enum detect_source source, struct slice name);
/* "process.exe"; field: of observed_resolve. */
const char *observed_field_name(unsigned field);
/* One value of a field as text for a correlation's groups, the first of several; false: the event has none.
 * Numbers are written to dst. */
enum { OBSERVED_NUMBER_MAX = 24 };
bool observed_text(const struct observed *o, unsigned field, char dst[OBSERVED_NUMBER_MAX], struct slice *ret);
