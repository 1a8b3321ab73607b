/* assembly.h - inventories that come in parts: put together, bounded, unpacked. No store, no clock. */
#pragma once
#include "common/buf.h"
#include "common/err.h"
#include "proto/msg.h"

struct assemblies;

struct assemblies *assemblies_new(void) WARN_UNUSED;
void assemblies_free(struct assemblies *x);
DEFINE_CLEANUP(struct assemblies, assemblies_free)

enum assembly_state {
	ASSEMBLY_MORE, /* *ret_next is wanted next */
	ASSEMBLY_WHOLE, /* *ret_whole: the frame, borrowed until assembly_end */
	ASSEMBLY_BUSY, /* too many are on their way: later */
};
/* A part in its order is kept; another changes nothing but says which one is wanted. The first part of an
 * inventory begins it anew. */
enum assembly_state assembly_add(struct assemblies *x, const char *agent, const Picket__InventoryPart *p,
				 uint64_t now_boot_ns, uint32_t *ret_next, struct slice *ret_whole);
/* Forgets the agent's inventory of this digest. */
void assembly_end(struct assemblies *x, const char *agent, struct slice sha256);
size_t assemblies_count(const struct assemblies *x);

/* One zstd frame -> at most LIMIT_INVENTORY_BYTES, with this digest. out is made empty first.
 * ERR_CORRUPT, ERR_LIMIT. */
int assembly_unpack(struct slice frame, struct slice sha256, struct buf *out, struct err *err) WARN_UNUSED;
