/* msg.h - packing, bounded unpacking and validation of picket.proto's messages.
 *
 * Unpacking goes into an arena, so a hostile message can't allocate past the arena's cap. What
 * msg_read_* returns has passed every limit of limits.h. Pure: bytes in, message or error out. */
#pragma once
#include "common/arena.h"
#include "common/buf.h"
#include "common/err.h"
#include "proto/limits.h"
#include "proto/picket.pb-c.h"

/* Each: msg borrowed; *ret lives in the arena; set only on success.
 * Errors: ERR_CORRUPT (not a message, or a field is out of its bounds: says which), ERR_LIMIT,
 * ERR_VERSION. */
int msg_read_request(struct slice msg, struct arena *a, Picket__Request **ret,
		     struct err *err) WARN_UNUSED;
int msg_read_reply(struct slice msg, struct arena *a, Picket__Reply **ret,
		   struct err *err) WARN_UNUSED;
/* A record whose body is unknown here (from a newer agent) is fine: body case 0. */
int msg_read_record(struct slice msg, struct arena *a, Picket__Record **ret,
		    struct err *err) WARN_UNUSED;
/* What is in an image. a: an arena of LIMIT_INVENTORY_ARENA_BYTES. Keys of layers are empty or of their
 * length, and not compared with the content. */
int msg_read_inventory(struct slice msg, struct arena *a, Picket__Inventory **ret,
		       struct err *err) WARN_UNUSED;
/* "pkt1." + base64url. Text from a person: error ERR_SYNTAX says what is wrong with it. */
int msg_read_token(struct slice text, struct arena *a, Picket__Token **ret,
		   struct err *err) WARN_UNUSED;

/* Appends the packed message to out. ERR_LIMIT when it would pass its bound. */
int msg_pack_request(const Picket__Request *m, struct buf *out, struct err *err) WARN_UNUSED;
int msg_pack_reply(const Picket__Reply *m, struct buf *out, struct err *err) WARN_UNUSED;
int msg_pack_record(const Picket__Record *m, struct buf *out, struct err *err) WARN_UNUSED;
int msg_pack_inventory(const Picket__Inventory *m, struct buf *out, struct err *err) WARN_UNUSED;
int msg_pack_token(const Picket__Token *m, struct buf *out, struct err *err) WARN_UNUSED;

/* A batch's bytes without copying records into protobuf structs: Request{protocol, agent_id,
 * batch{epoch, first_seq, records, lost_before}}. records: count packed Records. */
int msg_pack_batch(const char *agent_id, uint64_t epoch, uint64_t first_seq, uint64_t lost_before,
		   const struct slice *records, size_t count, struct buf *out,
		   struct err *err) WARN_UNUSED;

/* A layer's key (Layer.key): SHA-256 over its packages, each packed, one behind the other, in order.
 * None: the digest of nothing. ERR_LIMIT where a package is beyond its bounds. */
int msg_layer_key(Picket__Package *const *packages, size_t count, uint8_t ret[LIMIT_KEY_BYTES],
		  struct err *err) WARN_UNUSED;

/* A container's configuration by itself, as a store keeps it: what picket__container_config__pack made. NULL where it is
 * none, or has no room in the arena. */
Picket__ContainerConfig *msg_unpack_config(struct slice packed, struct arena *a) WARN_UNUSED;

/* A catalogue's key (CheckCatalogue.key): SHA-256 over its checks, each packed, one behind the other, in order; as
 * hex. ERR_LIMIT where a check is beyond its bounds. */
enum { MSG_CATALOGUE_KEY_MAX = 65 };
int msg_catalogue_key(Picket__Check *const *checks, size_t count, char ret[MSG_CATALOGUE_KEY_MAX],
		      struct err *err) WARN_UNUSED;

/* protobuf-c's bytes as a slice and back (borrowed both ways). */
static inline struct slice msg_slice(ProtobufCBinaryData d)
{
	return (struct slice){ (const char *)d.data, d.len };
}
static inline ProtobufCBinaryData msg_bytes(struct slice s)
{
	return (ProtobufCBinaryData){ .len = s.n, .data = (uint8_t *)(uintptr_t)s.p };
}

enum msg_severity { SEVERITY_INFO, SEVERITY_LOW, SEVERITY_MEDIUM, SEVERITY_HIGH, SEVERITY_CRITICAL };
/* Falco's priority word (any case) -> severity; unknown words give SEVERITY_INFO. */
enum msg_severity msg_severity(struct slice priority);
const char *msg_severity_name(enum msg_severity s); /* "info" … "critical" */
/* Contract's names of event types: "exec", "exit", "container.start" …; "unknown". */
const char *msg_event_type_name(int type);
int msg_event_type_parse(struct slice name); /* 0 when unknown */
const char *msg_loss_class_name(int loss_class);
