/* alert_loss.h - the words and the document of an alert on loss: sums over the gaps of one host and class.
 * Pure. */
#pragma once
#include "common/buf.h"
#include "proto/msg.h"

#define ALERT_LOSS_RULE "Events lost"

/* Of the host and class; can't be that of a finding, whatever its rule is called. */
void alert_loss_fold_key(struct buf *out, const char *host, const Picket__Gap *gap);
/* title: "Events lost on host-07: 123 process records (ring_full), noisiest `web-1`". document: as of a
 * finding, with "gap":{class, lost, gaps, from, to, reason, reasons:{ring_full: 123}, noisiest,
 * sources:{web-1: 100}}, where old_document's are added up (nullable: nothing was lost before). */
void alert_loss_write(const Picket__Gap *gap, const char *host, const char *old_document,
		      struct buf *title, struct buf *document);
