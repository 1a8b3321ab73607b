/* record_priv.h - what the files that make records share: texts cut to their bounds, a container's short form. */
#pragma once
#include "agent/world/world.h"
#include "proto/msg.h"

/* Read only until the record is packed. */
#define RECORD_TEXT(s) ((char *)(uintptr_t)(s))

static inline ProtobufCBinaryData record_cut(struct slice s, size_t max)
{
	return msg_bytes(slice_sub(s, 0, max));
}

/* The short form that rides on every event; borrows from c. */
static inline void record_container_brief(const struct container *c, Picket__Container *ret)
{
	picket__container__init(ret);
	ret->id = RECORD_TEXT(c->id);
	ret->name = record_cut(slice_of(c->name), LIMIT_NAME_BYTES);
	ret->image = record_cut(slice_of(c->image), LIMIT_NAME_BYTES);
	ret->image_id = RECORD_TEXT(c->image_id ? c->image_id : "");
	ret->image_digest = RECORD_TEXT(c->image_digest ? c->image_digest : "");
}
