/* entry.h - what stands in a layer, one after the other, the same from a tar stream and from a folder. */
#pragma once
#include "agent/image/blob.h"
#include "agent/image/stream.h"

enum entry_kind {
	ENTRY_FILE,
	ENTRY_FOLDER,
	ENTRY_SYMLINK,
	ENTRY_HARDLINK, /* of a tar: content stands elsewhere */
	ENTRY_WHITEOUT, /* path is no more, nor what was below it in lower layers */
	ENTRY_OPAQUE,	/* folder path shows nothing of lower layers */
	ENTRY_OTHER,	/* device, pipe, socket */
};

/* All borrowed for the call. */
struct entry {
	struct slice path; /* from the root, clean (path.h); never empty but for the root's ENTRY_OPAQUE */
	enum entry_kind kind;
	uint32_t mode, uid, gid; /* not of a folder's folders and links */
	uint64_t size;
	uint64_t own_bytes; /* size, or this name's share where a folder has several for one file */
	struct slice target; /* of hard links (clean) and, where link is NULL, symbolic ones (as written) */
	bool (*link)(void *arg, struct slice *ret); /* nullable: reads target; false: gone */
	/* Content, of ENTRY_FILE. In any order, each as often as wanted; nothing is read unless asked for.
	 * head: the first bytes, up to 64. text: ERR_LIMIT past max. blob: valid until the call returns. */
	int (*head)(void *arg, struct slice *ret, struct err *err);
	int (*text)(void *arg, uint64_t max, struct slice *ret, struct err *err);
	int (*blob)(void *arg, struct blob *ret, struct err *err);
	/* Nullable: the text of another file of the same folder, until the call returns; empty: not to be had. */
	struct slice (*sibling)(void *arg, const char *name, uint64_t max);
	void *arg;
};
enum { ENTRY_HEAD_BYTES = 64 };

struct entry_ops {
	/* Not 0 ends the walk with that code. */
	int (*entry)(void *arg, const struct entry *e, struct err *err);
	/* A file or folder that can't be read, while others can. */
	void (*problem)(void *arg, struct slice path, const char *why);
	void *arg;
};

/* Where a layer's bytes may be put when a parser wants to read a file of a stream at any offset: an unlinked
 * file. fd -1: nowhere. */
struct spool {
	int fd;
	uint64_t max_bytes;
};

/* tar: plain bytes (stream_unpacked) of a layer. A broken or hostile archive is an error: ERR_CORRUPT,
 * ERR_LIMIT; the stream is read to its end. */
int entry_read_tar(struct stream *tar, struct budget *b, const struct spool *spool,
		   const struct entry_ops *ops, struct err *err) WARN_UNUSED;

enum { ENTRY_OVERLAY = 1 }; /* a layer as overlayfs keeps it: device 0:0 is a whiteout */
/* All below the folder (fd borrowed), never through a link, never into another file system. Opaque folders
 * can't be seen without CAP_SYS_ADMIN: not told. */
int entry_read_folder(int fd, unsigned flags, struct budget *b, const struct entry_ops *ops,
		      struct err *err) WARN_UNUSED;
