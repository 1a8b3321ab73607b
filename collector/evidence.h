/* evidence.h - is what is stored what came? The commands `verify` and `heads`.
 *
 * A file of heads has a line per chain, as `heads` prints it:	AGENT CLASS COUNT HASH */
#pragma once
#include "collector/store/store_history.h"

/* One line of such a file; agent is borrowed from line, cut by a NUL. False: it is none. */
bool evidence_head_parse(char *line, struct store_head *ret);
int evidence_print_heads(struct store *s, struct err *err) WARN_UNUSED;
/* Every fault on a line of its own; EIO if there are any. heads_path: nullable. */
int evidence_verify(struct store *s, const char *heads_path, struct err *err) WARN_UNUSED;
