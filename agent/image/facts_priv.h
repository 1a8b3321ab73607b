/* facts_priv.h - between facts.c (storage), facts_read.c (entries to facts) and merge.c. */
#pragma once
#include "agent/image/facts.h"
#include "agent/image/passwd.h"

enum {
	FACTS_OS_RELEASE_BYTES = 64 * 1024,
	FACTS_DRIFT_BYTES = 2 << 20,
};

void facts_init(struct facts *f, struct facts_room *room);
/* ERR_LIMIT past the room. */
int room_take(struct facts_room *room, size_t n, struct err *err) WARN_UNUSED;
/* An array with room for one more than count; NULL with err set (p is still the caller's). */
void *room_grow(struct facts_room *room, void *p, size_t *size, size_t count, size_t item,
		struct err *err) WARN_UNUSED;
char *room_dup(struct facts_room *room, struct slice s, struct err *err) WARN_UNUSED;
void pack_text(struct buf *b, struct slice s);
