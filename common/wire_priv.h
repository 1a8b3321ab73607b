/* wire_priv.h - what both sides of wire.h share. */
#pragma once
#include <nng/nng.h>

#include "common/nng_tls.h"

enum {
	WIRE_ID_BYTES = 4,	       /* REQ/REP's request id before every message */
	WIRE_REQUEST_BIT = 0x80000000, /* set in every request id; ends REQ/REP's address stack */
};

/* "what: why" for an NNG error, as the nearest errno. Returns -code. */
int wire_err(struct err *err, int rv, const char *what);
/* Plain words: "connection refused". Borrowed, for ever. */
const char *wire_words(int rv);
