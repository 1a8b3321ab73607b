/* levels.h - what is usual: how much each container, and each image, sends and receives in a minute.
 *
 *   while learning (the first hour of an image):	 the level is the highest seen
 *   after:  a value above it pulls it up by an eighth of the difference a minute, so that what stays is learned in
 *	     some twenty minutes and what passes is not; unused, it halves in a day
 *
 * A container's own level counts once it has one, before that its image's: a new one of a known image is judged at
 * once. Bounded: LEVELS_MAX keys, the longest unused goes first. One thread; pure but for the file. */
#pragma once
#include "common/err.h"
#include "common/slice.h"

enum { LEVELS_MAX = 8192, LEVELS_KEY_BYTES = 320, LEVELS_LEARN_S = 3600, LEVELS_HALF_S = 86400 };

struct levels;

struct level {
	uint64_t per_minute; /* of this interval */
	uint64_t learned;    /* what is usual; per minute */
	uint64_t above;	     /* 0: within it, or still learning */
	bool is_learning;
};

struct levels *levels_new(void) WARN_UNUSED;
/* bytes in interval_ns (at least a second) up to now_unix_s. container: a name that outlives its id; image: repository. */
void levels_add(struct levels *l, const char *container, const char *image, uint64_t bytes, uint64_t interval_ns,
		uint64_t now_unix_s, struct level *ret);
/* The same of all containers of an image together. */
void levels_add_image(struct levels *l, const char *image, uint64_t per_minute, uint64_t interval_ns, uint64_t now_unix_s,
		      struct level *ret);
size_t levels_count(const struct levels *l);
/* As JSON, atomically. A file that is not there or not ours is begun anew (ERR_SYNTAX, told). */
int levels_save(const struct levels *l, const char *path, struct err *err) WARN_UNUSED;
int levels_load(struct levels *l, const char *path, uint64_t now_unix_s, struct err *err) WARN_UNUSED;
/* Pure: the file's text. */
int levels_parse(struct levels *l, struct slice text, uint64_t now_unix_s, struct err *err) WARN_UNUSED;
void levels_free(struct levels *l);
DEFINE_CLEANUP(struct levels, levels_free)
