/* items.h - documents that are lists of packages: where an item stands, and which of its values matter. */
#pragma once
#include "agent/image/lang/doc.h"
#include "agent/image/lang/give.h"

enum item_slot {
	ITEM_NAME,
	ITEM_VERSION,
	ITEM_KIND, /* what sort of thing it is */
	ITEM_DEV,  /* a word, or the groups it is in, divided by blanks */
	ITEM_PLACE, /* where it comes from */
	ITEM_SLOT_COUNT
};

/* One package of the document, when its map ends (or its single value was read). Texts are borrowed for the
 * call; what is absent is empty. A text of more than GIVE_TEXT_MAX bytes has one byte more than that. */
struct item {
	const struct doc *d;
	size_t level;		 /* how many keys lead to it */
	struct slice key;	 /* the last of them */
	struct slice text[ITEM_SLOT_COUNT];
	bool is_dev;		 /* of the shape */
	void *arg;
};

struct item_shape {
	const char *at; /* a pattern of doc_is */
	bool is_dev;
};
struct item_field {
	const char *at; /* from the item on; "": the item is itself a text */
	enum item_slot slot;
};

struct items_format {
	const char *ecosystem;
	int (*read)(struct slice text, doc_fn fn, void *arg, struct err *err);
	struct item_shape shapes[3];
	struct item_field fields[8];
	/* nullable: gives out name and version */
	int (*found)(struct give *e, const struct item *it);
	doc_fn other; /* nullable: values that are in no item */
};

/* arg: for found and other. */
int items_read(const struct items_format *f, struct slice text, void *arg, const struct pkg_out *out,
	       struct err *err) WARN_UNUSED;
/* Is word among those of the slot? */
bool item_has_word(const struct item *it, enum item_slot slot, const char *word);
