/* catalogue.h - the texts of the checks, as the worker says them, on their way to a collector that has not got them: asked by
 * their key first. One thread. */
#pragma once
#include "common/buf.h"
#include "proto/msg.h"

typedef int (*catalogue_ask_fn)(void *arg, Picket__Request *m, struct err *err);

struct catalogue {
	struct buf packed; /* empty: not said by a worker yet */
	char key[MSG_CATALOGUE_KEY_MAX];
	enum { CATALOGUE_UNSAID, CATALOGUE_ASKED, CATALOGUE_SENT, CATALOGUE_KNOWN } state;
	bool is_connected;
	catalogue_ask_fn ask;
	void *arg;
};

/* ask: its answer comes to catalogue_answer. */
void catalogue_init(struct catalogue *c, catalogue_ask_fn ask, void *arg);
void catalogue_fini(struct catalogue *c);
/* packed: a CheckCatalogue, borrowed for the call; nonsense is left out. */
void catalogue_put(struct catalogue *c, struct slice packed);
/* The collector can be asked (again). */
void catalogue_connected(struct catalogue *c);
/* reply: nullable: none came, it is asked again with the tick. */
void catalogue_answer(struct catalogue *c, const Picket__Reply *reply);
void catalogue_tick(struct catalogue *c);
