/* record_call.h - what a system call did, as the messages say it. */
#pragma once
#include "agent/event.h"
#include "common/slice.h"
#include "proto/msg.h"

/* The messages' own types of an event: FILE, NETWORK, CALL, EXEC ... */
int record_event_type(const struct event *e);

/* What it did to a file and to a connection. Everything points into e. */
struct record_call {
	Picket__File file;
	Picket__Network network;
	char protocol[8];
	bool has_file, has_network;
};
void record_call_fill(const struct event *e, struct record_call *ret);
/* No path of it is longer than max any more. */
void record_call_shrink(struct record_call *c, size_t max);
