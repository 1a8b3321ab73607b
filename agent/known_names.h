/* known_names.h - where the policy's host names led, in a file: an agent that starts while no name server answers goes on
 * with that. Pure but for the file. */
#pragma once
#include "agent/world/world.h"
#include "agent/world/world_limits.h"

enum { KNOWN_NAMES_MAX = 16384, KNOWN_NAMES_FILE_BYTES = 8 * 1024 * 1024 };

struct known_names {
	struct known_address *all; /* with their names; known_names_free */
	size_t count, room;
};

/* address: 4 or 16 bytes. Past the bound: nothing is added. */
int known_names_add(struct known_names *k, const char *name, const uint8_t *address, size_t bytes, struct err *err) WARN_UNUSED;
/* What can't be read of it is left out. ERR_SYNTAX: it is no file of ours. */
int known_names_parse(struct slice text, struct known_names *ret, struct err *err) WARN_UNUSED;
int known_names_write(const struct known_names *k, struct buf *out, struct err *err) WARN_UNUSED;
/* A file that is not there is empty. */
int known_names_load(const char *path, struct known_names *ret, struct err *err) WARN_UNUSED;
void known_names_free(struct known_names *k);
