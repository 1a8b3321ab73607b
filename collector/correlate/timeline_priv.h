/* timeline_priv.h - what timeline's files share: members of JSON as the types of records, in an arena. */
#pragma once
#include "collector/correlate/timeline.h"

struct reader {
	struct arena *a;
	bool is_full;
};

static inline char *text(struct reader *r, const cJSON *o, const char *key)
{
	char *s = arena_dup(r->a, json_get_str(o, key));

	r->is_full |= !s;
	return s ? s : (char *)(uintptr_t)"";
}

static inline ProtobufCBinaryData bytes(struct reader *r, const cJSON *o, const char *key)
{
	const char *s = text(r, o, key);

	return msg_bytes(slice_of(s));
}

static inline const cJSON *at(const cJSON *o, const char *key)
{
	return cJSON_GetObjectItemCaseSensitive(o, key);
}

static inline uint32_t number(const cJSON *o, const char *key)
{
	return (uint32_t)json_get_u64(o, key, 0);
}

/* true, or the text "true" */
static inline bool flag(const cJSON *o, const char *key)
{
	return json_get_bool(o, key, false) || slice_is(json_get_str(o, key), "true");
}

static inline void *zero(struct reader *r, size_t size)
{
	void *p = arena_zalloc(r->a, 1, size);

	r->is_full |= !p;
	return p;
}

#define NEW(r, type) ((type *)zero(r, sizeof(type)))

ProtobufCBinaryData timeline_address(struct reader *r, const cJSON *o, const char *key);
/* timeline_parts.c: NULL where o is no object. */
Picket__Process *timeline_process(struct reader *r, const cJSON *o);
Picket__Container *timeline_container(struct reader *r, const cJSON *o);
Picket__File *timeline_file(struct reader *r, const cJSON *o);
Picket__Network *timeline_network(struct reader *r, const cJSON *o);
