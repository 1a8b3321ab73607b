/* observed.h - records, as the agents send them, as events that rules are asked about: of which kind each is, and its
 * fields by number. Field names are record_json.h's; observed_fields.def has them, and those that are derived. Pure. */
#pragma once
#include "collector/correlate/detect.h"
#include "proto/msg.h"

enum { OBSERVED_ADDRESS_MAX = 46, OBSERVED_ARENA_BYTES = 128 << 10 };

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
	const char *call; /* "" none */
	int64_t call_result;
	struct arena *arena;
	struct slice command_line, cmdline; /* made when first asked for */
	char addresses[2][OBSERVED_ADDRESS_MAX]; /* local, remote */
	char caps[20];
};

/* How many events a record is: of a report on checks each result is one, all others are one. */
size_t observed_count(const Picket__Record *record);
/* The i-th of them. agent, host, record: borrowed as long as *ret is asked; a: for the texts made of arguments,
 * OBSERVED_ARENA_BYTES are enough for one event; without room they are cut. */
void observed_init(struct observed *ret, const char *agent, const char *host, const Picket__Record *record, size_t i,
		   struct arena *a);
/* For detect_fields (arg is not used): the field of that name, if events of that kind can have it. */
int observed_resolve(void *arg, enum detect_source source, struct slice name);
/* "process.exe"; field: of observed_resolve. */
const char *observed_field_name(unsigned field);
/* One value of a field as text for a correlation's groups, the first of several; false: the event has none.
 * Numbers are written to dst. */
enum { OBSERVED_NUMBER_MAX = 24 };
bool observed_text(const struct observed *o, unsigned field, char dst[OBSERVED_NUMBER_MAX], struct slice *ret);
