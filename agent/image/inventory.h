/* inventory.h - layers joined and the configuration's facts as the message that travels, and the table of owners. */
#pragma once
#include "agent/image/merge.h"
#include "agent/image/meta.h"
#include "agent/image/owners.h"

struct inventory_input {
	const struct merged *merged;
	const struct meta *meta; /* as many layers as merged, or fewer (a container's own is the last) */
	const char *kind;	 /* image directory container */
};

/* *ret: in a. *ret_owners: caller frees with owners_free. */
int inventory_make(const struct inventory_input *in, struct arena *a, Picket__Inventory **ret,
		   struct owners **ret_owners, struct err *err) WARN_UNUSED;
/* The owners alone. */
int inventory_owners(const struct merged *m, struct owners **ret, struct err *err) WARN_UNUSED;
