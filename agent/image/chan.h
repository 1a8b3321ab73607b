/* chan.h - what the worker and its parent say to each other: messages over a SOCK_SEQPACKET pair, each with at
 * most one descriptor. What comes from the worker is to be taken for a stranger's. */
#pragma once
#include "common/err.h"
#include "common/slice.h"

enum chan_kind {
	/* parent to worker, at the beginning, in this order */
	CHAN_JOB = 1, /* data: struct job (worker.h) */
	CHAN_FOLDER,  /* fd: a folder that may be read, for Landlock; any number */
	CHAN_ROOT,    /* fd: above all folders (or an empty one): chroot */
	CHAN_SPOOL,   /* fd: an unlinked file to write to */
	CHAN_GO,
	/* worker to parent */
	CHAN_READY,    /* locked down; data: what of it this kernel has not */
	CHAN_ASK,      /* what: enum chan_ask; one at a time */
	CHAN_PROGRESS, /* what: layers (0: not known), a: the one being read, b: bytes; data: uint64_t bytes of all */
	CHAN_PART,     /* what: enum chan_part; data: its next piece */
	CHAN_DONE,
	CHAN_FAILED, /* a: error code, data: message */
	/* parent to worker, to an ASK: a, b, fd as the ask says; or what: an error code, data: message */
	CHAN_REPLY,
};

enum chan_ask {
	CHAN_ASK_LAYER = 1, /* a: number. fd: its folder */
	CHAN_ASK_OPAQUE,    /* a: layer, data: folder. a: 1 or 0 */
	CHAN_ASK_ARCHIVE,   /* fd: the archive. a: 1 a pipe, b: size */
	CHAN_ASK_CONFIG,    /* fd: a file, b: size. The image's configuration as the engine has it */
	CHAN_ASK_TOP,	    /* fd: a file, b: size. OCI's index.json, or the manifest that the reference names */
	CHAN_ASK_MANIFEST,  /* data: digest. fd: a file, b: size */
	CHAN_ASK_BLOB,	    /* data: digest, b: size or UINT64_MAX. fd; a: 1 a pipe; b: size */
};

enum chan_part { CHAN_PART_INVENTORY, CHAN_PART_OWNERS, CHAN_PART_DRIFT, CHAN_PART_COUNT };

enum { CHAN_DATA_BYTES = 32 * 1024 };

struct chan_msg {
	uint32_t kind, what;
	uint64_t a, b;
	int fd; /* -1: none; of chan_receive: the caller's to close */
	struct slice data;
	char buf[CHAN_DATA_BYTES];
};

/* data and fd are borrowed. */
int chan_send(int sock, enum chan_kind kind, uint32_t what, uint64_t a, uint64_t b, struct slice data, int fd,
	      struct err *err) WARN_UNUSED;
/* Waits. 1, or 0 when the other side is gone. More than one descriptor, or a cut message: ERR_CORRUPT. */
int chan_receive(int sock, struct chan_msg *ret, struct err *err) WARN_UNUSED;
