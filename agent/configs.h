/* configs.h - how each container was made, as the audit log keeps it: packed ContainerConfigs by container id.
 *
 * Bounded: CONFIGS_MAX containers, CONFIGS_ONE_BYTES each; the oldest goes first. What is too long is cut: texts to
 * 256 bytes, then lists to 16 elements. One thread. */
#pragma once
#include "agent/audit/facts.h"
#include "proto/msg.h"

enum { CONFIGS_MAX = 4096, CONFIGS_ONE_BYTES = 16 * 1024 };

struct configs;

struct configs *configs_new(void) WARN_UNUSED;
/* What the engine says of it: GET /containers/ID/json. An answer that can't be read leaves what was there. */
int configs_put(struct configs *c, const char *id, struct slice inspect, struct err *err) WARN_UNUSED;
/* Packed, borrowed until the next put or drop; empty: not known. */
struct slice configs_get(const struct configs *c, const char *id);
void configs_drop(struct configs *c, const char *id);
void configs_free(struct configs *c);
DEFINE_CLEANUP(struct configs, configs_free)

/* Pure. Strings of ret borrow from f and a. ENOMEM: the arena is full. */
int configs_make(const struct facts_container *f, struct arena *a, Picket__ContainerConfig *ret, struct err *err) WARN_UNUSED;
