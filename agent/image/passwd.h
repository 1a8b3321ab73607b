/* passwd.h - which names of an image's /etc/passwd are root, as engines read it. Pure. */
#pragma once
#include "common/buf.h"
#include "common/slice.h"

enum { PASSWD_BYTES = 64 * 1024, PASSWD_NAME_BYTES = 64, PASSWD_ROOTS = 64 };

/* Appends each name of uid 0 and a line feed: those a user can be asked for by, each once, PASSWD_ROOTS at most. */
void passwd_roots(struct slice text, struct buf *out);
