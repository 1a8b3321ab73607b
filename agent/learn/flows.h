/* flows.h - who a container talks to: its connections of now (/proc/PID/net/tcp …), and what the collector kept of it
 * (`picketctl event search type=traffic -o ndjson`). Pure: text in, flows for reach.h out, in the arena. */
#pragma once
#include "agent/learn/reach.h"

struct flows {
	struct reach_flow *v;
	size_t count, size;
	size_t skipped; /* lines that say nothing of traffic, or nothing that can be understood */
	bool is_cut;	/* more than REACH_FLOWS_MAX */
};

/* A table of /proc/PID/net. protocol (borrowed): tcp tcp6 udp udp6. self (borrowed): the container. A connection to a
 * port that is listened on came in, any other went out. ENOMEM. */
int flows_add_table(struct flows *f, struct slice text, const char *protocol, const char *self, struct arena *a,
		    struct err *err) WARN_UNUSED;
/* Lines of JSON, an event each; whose traffic it is stands in them. ENOMEM; a wrong line is skipped and counted. */
int flows_add_events(struct flows *f, struct slice text, struct arena *a, struct err *err) WARN_UNUSED;
