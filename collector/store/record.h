/* record.h - a Record as the history sees it: what it can be asked for. Private to the store. */
#pragma once
#include "common/arena.h"
#include "proto/msg.h"

struct record_view {
	const char *type;		 /* "exec" … "finding", "gap", "container", "unknown" */
	const Picket__Process *process;	     /* nullable */
	const Picket__Container *container;  /* nullable */
	const Picket__Finding *finding;	     /* nullable */
	const Picket__Gap *gap;		     /* nullable */
};
void record_view(const Picket__Record *rec, struct record_view *ret);
/* name + " " + arguments, as Falco's proc.cmdline. In the arena; empty past its cap. */
struct slice record_cmdline(const Picket__Process *p, struct arena *a);

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
};
enum { CONTAINER_ID_SHORT = 12 };
/* A number per (kind, value). Two values with one number cost a needless look into a block, no more. */
uint64_t record_term(enum term_kind kind, struct slice value);
/* Gives every term of the record to add. */
void record_terms(const char *agent, const Picket__Record *rec,
		  void (*add)(void *arg, uint64_t term), void *arg);
