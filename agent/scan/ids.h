/* ids.h - which items speak of a vulnerability: its id, in any case, to their numbers. */
#pragma once
#include "common/err.h"
#include "common/slice.h"

struct ids_entry {
	struct slice id;
	uint32_t item, next;
};
struct ids {
	struct ids_entry *entries; /* [0] is nobody */
	uint32_t *heads;
	uint32_t count, size, head_count;
};

/* id: borrowed as long. ERR_LIMIT past 4 million, ENOMEM. */
int ids_add(struct ids *t, struct slice id, uint32_t item, struct err *err) WARN_UNUSED;
/* The first entry of id, then the next one; 0 = no more. In no order. */
uint32_t ids_find(const struct ids *t, struct slice id);
uint32_t ids_next(const struct ids *t, uint32_t at);
void ids_fini(struct ids *t);
