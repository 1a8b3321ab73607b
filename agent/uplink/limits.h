/* limits.h - every bound of the uplink. */
#pragma once

enum {
	SPOOL_BUFFER_BYTES = 64 * 1024,	   /* per class, before a write(2) */
	SPOOL_SEGMENT_BYTES = 1024 * 1024, /* a segment is closed at this size, or at ... */
	SPOOL_SEGMENTS_MIN = 16,   /* ... max_bytes / this, so that a drop is a small part */
	SPOOL_SEGMENTS_MAX = 4096, /* ... but at least max_bytes / this: the list is in memory */
	SPOOL_FILES_MAX = 16384,   /* directory entries looked at when opening */
	SPOOL_BAD_MAX = 16,	   /* unreadable segments kept for a person to look at */
	SPOOL_RETRY_MS = 1000,	   /* after a failed write */

	UPLINK_BATCH_BYTES =
		256 * 1024,	       /* closed here; LIMIT_BATCH_BYTES would cost 3 MB resident */
	UPLINK_FEW_RECORDS = 256,      /* fewer wait while a batch is under way */
	UPLINK_ANSWER_MS = 15 * 1000,  /* without an answer the connection is started again */
	UPLINK_ASK_MS = 60 * 1000,     /* a question beside the batches without an answer is over */
	UPLINK_PAUSE_MS = 1000,	       /* credit 0: asked again with a heartbeat after this */
	UPLINK_REFUSED_MS = 30 * 1000, /* not us, revoked, version: somebody must act first */
};

#define SPOOL_BYTES_MIN (1024ULL * 1024)
#define SPOOL_BYTES_MAX (64ULL * 1024 * 1024 * 1024)
