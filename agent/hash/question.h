/* question.h - what the agent asks its hash worker and what it hears: one message each on a socket that keeps their
 * bounds. Both ends are this program; what the worker says is checked all the same, it reads what others wrote. */
#pragma once
#include <stdint.h>

enum { HASH_PATH_BYTES = 4096, HASH_SHA256_BYTES = 32 };

/* A file's content as it was when it was run: whoever writes to it moves its ctime, which nobody can set. The kernel's
 * record has no size; mtime stands for it. */
struct hash_key {
	uint64_t inode, ctime_ns, mtime_ns;
	uint64_t dev; /* 0: in a lower layer of an overlay, where each container has a device number of its own */
};

enum hash_state {
	HASH_KNOWN,
	HASH_TOO_LARGE,	 /* over the limit: never read */
	HASH_SKIPPED,	 /* no regular file, or on a file system that can hang */
	HASH_GONE,	 /* neither the process nor the path leads to it any more */
	HASH_CHANGED,	 /* it is not, or while it was read ceased to be, the file that was run */
	HASH_UNREADABLE, /* an error of the file system, or the worker hung in it */
	HASH_ALIVE,	 /* of the worker: it is with this one */
	HASH_STATES
};

struct hash_question {
	uint64_t id;
	struct hash_key key;
	uint32_t pid;	   /* whose executable it is */
	uint32_t root_pids[2]; /* whose roots the path may begin at, should that process be gone: 1: of the host; 0: none */
	uint32_t path_bytes;
	char path[HASH_PATH_BYTES]; /* only path_bytes of it are sent */
};

struct hash_answer {
	uint64_t id;
	uint32_t state; /* enum hash_state */
	uint32_t pad;
	uint8_t sha256[HASH_SHA256_BYTES];
};
