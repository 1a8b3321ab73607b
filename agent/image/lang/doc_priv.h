/* doc_priv.h - what the three readers share: the path, and sending. */
#pragma once
#include "agent/image/lang/doc.h"
#include "common/buf.h"

struct doc {
	struct doc_open {
		uint32_t key_at, key_n; /* in keys: under which key the value now read stands */
		bool is_list;
	} open[DOC_DEPTH_MAX]; /* maps and lists that are open */
	size_t depth;
	struct buf keys;
	doc_fn fn;
	void *arg;
	struct err *err;
};

void doc_init(struct doc *d, doc_fn fn, void *arg, struct err *err);
void doc_fini(struct doc *d);
/* In the innermost map: the key of the value that follows. */
int doc_set_key(struct doc *d, struct slice key) WARN_UNUSED;
int doc_open_map(struct doc *d) WARN_UNUSED;
int doc_open_list(struct doc *d) WARN_UNUSED;
/* The innermost map or list ends. */
int doc_close(struct doc *d) WARN_UNUSED;
int doc_value(struct doc *d, enum doc_event e, struct slice text) WARN_UNUSED;
static inline bool doc_in_list(const struct doc *d)
{
	return d->depth && d->open[d->depth - 1].is_list;
}
