/* bounds_priv.h - what a packed message must satisfy before anything is allocated for it. */
#pragma once
#include <protobuf-c/protobuf-c.h>

#include "common/err.h"
#include "common/slice.h"

/* A bound on one field: bytes of a string or bytes field (of each element, if repeated), and how
 * often a repeated field may stand. */
struct bound {
	unsigned offset; /* of the field in the generated struct: names it at compile time */
	uint32_t max_bytes, max_count;
};

/* Walks the packed bytes along the descriptor: well-formed, lengths and counts within bounds, no
 * NUL in a string, no singular field twice. `code` is what a passed bound is reported as. */
int bounds_check(const ProtobufCMessageDescriptor *d, struct slice msg, int code,
		 struct err *err) WARN_UNUSED;
/* The row for a field, NULL if it has none; for the test that no field is without. */
const struct bound *bounds_find(const ProtobufCMessageDescriptor *d,
				const ProtobufCFieldDescriptor *f);
