/* stream.h - bytes one after the other: of a file, a pipe, a slice; checked against their digest, unpacked. */
#pragma once
#include "common/err.h"
#include "common/slice.h"

struct stream {
	/* *ret: borrowed until the next call; empty at the end, and from then on. */
	int (*read)(struct stream *s, struct slice *ret, struct err *err);
	void (*close)(struct stream *s);
	/* nullable: go on n bytes further without reading them; false: it can't. */
	bool (*skip)(struct stream *s, uint64_t n);
};

/* What may be spent on one image; counts down over all its streams and layers. */
struct budget {
	uint64_t unpacked_left, entries_left;
	uint64_t ratio;
	uint64_t read; /* bytes read from outside, for the progress */
	void (*tick)(struct budget *b); /* nullable: after each piece read */
};

/* fd borrowed. A file: size bytes from off on, read by position. A pipe: off 0, size UINT64_MAX, is_pipe.
 * *ret of all these: caller frees with stream_close. b: borrowed. */
int stream_of_fd(int fd, bool is_pipe, uint64_t off, uint64_t size, struct budget *b, struct stream **ret,
		 struct err *err) WARN_UNUSED;
/* s: borrowed bytes. */
int stream_of_slice(struct slice s, struct stream **ret, struct err *err) WARN_UNUSED;
/* Ends in ERR_CORRUPT unless all of below's bytes have this digest ("sha256:…", checked for its form; empty:
 * none) and number (UINT64_MAX: any). below: taken, also on error. */
int stream_checked(struct stream *below, struct slice digest, uint64_t size, struct stream **ret,
		   struct err *err) WARN_UNUSED;
/* Writes the digest of all of below's bytes to ret (72, borrowed) at their end. below: taken, also on error. */
int stream_hashed(struct stream *below, char *ret_digest, struct stream **ret, struct err *err) WARN_UNUSED;
/* gzip, zstd or neither, as its first bytes say. ERR_LIMIT where it unpacks to more than b has left. below:
 * taken, also on error. */
int stream_unpacked(struct stream *below, struct budget *b, struct stream **ret, struct err *err) WARN_UNUSED;
/* "gzip", "zstd", "" - what stream_unpacked found; "xz", "bzip2", "lz4" are told, not read. */
const char *stream_packing(struct slice head);

/* Reads on to the end, so that a digest is checked. */
int stream_drain(struct stream *s, struct err *err) WARN_UNUSED;
void stream_close(struct stream *s);
DEFINE_CLEANUP(struct stream, stream_close)

/* "sha256:" and 64 hex digits, lower case? */
bool stream_is_digest(struct slice s);
