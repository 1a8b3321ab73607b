/* out.h - where a format goes: a buffer that is emptied into a descriptor as it fills, so that a long
 * report costs no memory. A failure sticks; out_end tells it. */
#pragma once
#include "common/arena.h"
#include "common/buf.h"
#include "common/err.h"
#include "common/json.h"

struct out {
	struct buf text; /* everything, where there is no descriptor */
	struct json json;
	struct arena *scratch; /* for one element; out_flush resets it */
	int fd;		       /* borrowed; -1: into text only */
	int failed;	       /* errno of the first write that failed */
};

/* fd: borrowed; -1 keeps all in text (tests). Release with out_fini. */
int out_init(struct out *o, int fd, struct err *err) WARN_UNUSED;
/* Between elements: writes what has gathered. */
void out_flush(struct out *o);
/* Writes the rest. EPIPE and other errors of writing, ERR_LIMIT. */
int out_end(struct out *o, struct err *err) WARN_UNUSED;
void out_fini(struct out *o);

/* Only where there is something: key and text; key and each text. */
void out_kv(struct out *o, const char *key, struct slice s);
void out_kv_str(struct out *o, const char *key, const char *s);
/* RFC 3339 in whole seconds; 0 writes nothing. */
void out_kv_time(struct out *o, const char *key, uint64_t unix_s);
/* "2026-11-30T12:00:00Z" */
enum { OUT_TIME_MAX = 32 };
char *out_time(uint64_t unix_s, char dst[OUT_TIME_MAX]);
