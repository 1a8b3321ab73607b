/* timeline.h - rules tried on a file of events, with what is expected of them: NDJSON, one of these a line:
 *
 *	{"time":"2026-12-01T10:00:00Z","host":"web-1","type":"exec","process":{"exe":"/bin/sh"},…}
 *	                        an event as the API writes it (`picketctl event search -o ndjson`); time may be seconds from
 *	                        the file's begin. Types that no agent has: "scan" {"scan":{vulnerability, severity, package,
 *	                        used, exploited, exposed, fixable}}, "health" {"health":{"state":"offline"}}. What the collector
 *	                        knows besides: "image":{scanned, exploited, worst}, "remote_host", "remote_silent"
 *	{"now":120}             the clock goes on
 *	{"expect":{"rule":"brute force","fired":1,"group":{"host":"web-1"}}}
 *	                        so often in all (1) for that group (of which some fields may be left out: any)
 *
 * It passes where every rule that raises alerts did what is expected, and no other raised one. Blank lines and those that
 * begin with # are skipped. Pure. */
#pragma once
#include "collector/correlate/ruleset.h"
#include "common/json.h"

enum { TIMELINE_BYTES_MAX = 64 << 20, TIMELINE_LINE_MAX = 1 << 20, TIMELINE_FIRINGS_MAX = 10000, TIMELINE_EXPECTS_MAX = 1000 };

struct timeline_result {
	uint64_t events, late;
	size_t firing_count, failure_count; /* kept: the first TIMELINE_FIRINGS_MAX */
	struct timeline_firing {
		const char *rule; /* as people call it */
		const char *name;
		uint64_t time_unix_ns;
		const char *group; /* JSON object */
		double value;
	} *firings;
	const char **failures;
};
/* rs: linked. name is for messages; a is for *ret. Error: ERR_SYNTAX "NAME:LINE: what". */
int timeline_run(struct ruleset *rs, const char *name, struct slice text, struct arena *a, struct timeline_result *ret,
		 struct err *err) WARN_UNUSED;

/* ---- for its own files ---- */

/* One line as what an agent would have sent, or as what the collector would have made. */
struct timeline_event {
	const char *agent, *host;
	uint64_t epoch, sequence; /* 0: the line says none */
	Picket__Record *record;	  /* NULL: made */
	struct observed_made made;
	struct observed_known known;
	bool has_known;
	const char *remote_host;
	bool is_remote_silent;
};
/* base_unix_ns: what times in seconds are added to. All of *ret lives in a. */
int timeline_read(const cJSON *line, uint64_t base_unix_ns, struct arena *a, struct timeline_event *ret, struct err *err) WARN_UNUSED;
int timeline_time(const cJSON *v, uint64_t base_unix_ns, uint64_t *ret, struct err *err) WARN_UNUSED;
