/* observed_priv.h - what observed's files share: values that are made, declared from the table. */
#pragma once
#include "collector/correlate/observed.h"

#define DECLARE_BYTES(member)
#define DECLARE_STR(member)
#define DECLARE_U32(member)
#define DECLARE_I32(member)
#define DECLARE_U64(member)
#define DECLARE_BOOL(member)
#define DECLARE_MADE(member) size_t observed_get_##member(struct observed *o, struct detect_value *ret, size_t max);
#define FIELD(name, part, kind, member) DECLARE_##kind(member)
#include "collector/correlate/observed_fields.def"
#undef FIELD

static inline size_t give_text(struct detect_value *ret, struct slice s)
{
	*ret = (struct detect_value){ .kind = DETECT_TEXT, .text = s };
	return s.n != 0;
}

static inline size_t give_str(struct detect_value *ret, const char *s)
{
	return give_text(ret, slice_of(s));
}

static inline size_t give_bool(struct detect_value *ret, bool b)
{
	return give_str(ret, b ? "true" : "false");
}

static inline size_t give_number(struct detect_value *ret, uint64_t n)
{
	*ret = (struct detect_value){ .kind = DETECT_NUMBER, .number = n > INT64_MAX ? INT64_MAX : (int64_t)n };
	return 1;
}

static inline bool is_accept(const char *call)
{
	return !strcmp(call, "accept") || !strcmp(call, "accept4");
}
