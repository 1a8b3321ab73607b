/* record_hash.h - an exec's record, told again with its file's hash. */
#pragma once
#include "proto/msg.h"

/* exec_record: as record_event() packed it. */
int record_hash(struct slice exec_record, const uint8_t sha256[32], struct arena *scratch, struct buf *out,
		uint64_t *ret_unix_ns, struct err *err) WARN_UNUSED;
