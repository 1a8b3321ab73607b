/* agent_silences.h - noting when an agent was not heard of. Private to the store. */
#pragma once
#include "collector/store/store_priv.h"

/* Before its last_seen is moved on. */
int silences_heard(struct store *s, const char *agent, struct err *err) WARN_UNUSED;
/* This process runs; is_start: what lies behind was its absence. */
int silences_alive(struct store *s, bool is_start, struct err *err) WARN_UNUSED;
