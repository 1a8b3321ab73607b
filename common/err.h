/* err.h - what went wrong, on the stack of whoever decides. Making an error allocates nothing.
 *
 * Convention: a fallible function returns int, 0 or positive = success, negative = -code, and takes
 * `struct err *err` (nullable) last. Codes are errno values; ours start at 1024. */
#pragma once
#include "common/cleanup.h"

enum err_code {
	ERR_CORRUPT = 1024, /* stored or received bytes are not what was written */
	ERR_SYNTAX,	    /* a file or text a person wrote is wrong */
	ERR_LIMIT,	    /* a bound of ours was passed */
	ERR_DENIED,	    /* the other side is not allowed (or we are not) */
	ERR_VERSION,	    /* made by a version that can't be understood here */
	ERR_PEER,	    /* the other side answered something wrong, or went away */
	ERR_CRYPTO,	    /* a key, certificate or signature is wrong */
	ERR_NOT_FOUND,	    /* no such thing by that name */
	ERR_USAGE,	    /* wrong command line */
};

struct err {
	int code; /* positive; 0 = none */
	char msg[240];
};

/* Writes the error and returns -code. For an errno code (below 1024) its text is appended. */
int err_set(struct err *err, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Puts "what: " before the message that is there and returns r unchanged. */
int err_wrap(struct err *err, int r, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The words for a code, ours or errno's. Borrowed, for ever. */
const char *err_name(int code);
/* The contract's exit code for an error of this code (either sign): 3 for wrong files, 4 not
 * allowed, 5 not found, 6 unreachable, 7 timed out, 2 usage, else 1. */
int err_exit_code(int code);
