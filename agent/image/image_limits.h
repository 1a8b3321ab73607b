/* image_limits.h - every bound of taking stock, in one place. */
#pragma once

enum {
	/* defaults of struct image_limits */
	IMAGE_ENTRIES = 2000000,
	IMAGE_RATIO = 1000,	    /* gzip does 1,032 at most, zstd far more: a bomb, not an image */
	IMAGE_RATIO_FREE = 64 << 20, /* bytes unpacked before the ratio counts */
	IMAGE_PARSE_BYTES = 16 << 20,
	IMAGE_PACKAGES = 50000,
	IMAGE_TIME_MS = 600 * 1000,

	IMAGE_PATH_DEPTH = 256,
	IMAGE_STREAM_BYTES = 128 * 1024, /* read at once */
	IMAGE_DOCUMENT_BYTES = 4 << 20,	 /* a manifest, a configuration */
	IMAGE_DOCUMENTS_BYTES = 8 << 20, /* all of an archive that can be read once only */
	IMAGE_ARCHIVE_NAMES = 16384,	 /* what may be a layer or a document in an archive */
	IMAGE_LINKS = 1024,		 /* symbolic links kept, of those on the way to a package database */
	IMAGE_ALIASES = 64,		 /* other names of folders with package databases */
	IMAGE_WANTS = 4096,		 /* hard links to be read again under their other name */
	IMAGE_PASSES = 4,		 /* over the layers, when links lead elsewhere */
	IMAGE_LINK_HOPS = 40,
	IMAGE_PROBLEM_BYTES = 400,

	/* the worker's memory: what packages and owned files may take, and all of it */
	IMAGE_FACTS_BYTES = 16 << 20,
	IMAGE_WORKER_DATA_BYTES = 40 << 20,
	IMAGE_OWNED_FILES = 400000,
	IMAGE_INVENTORY_BYTES = 8 << 20, /* packed, of LIMIT_INVENTORY_BYTES */
	IMAGE_OWNERS_BYTES = 8 << 20,	 /* written, of OWNERS_BYTES_MAX */
	IMAGE_WORKER_FILES = 600,	 /* descriptors: a folder's depth and a bit */
	IMAGE_MANIFEST_NESTING = 4,

	IMAGE_CACHE_FILES = 512,
	IMAGE_CACHE_BYTES = 128 << 20,
};
enum { IMAGE_ALIASES_ALL = IMAGE_ALIASES + IMAGE_WANTS };
#define IMAGE_UNPACKED_BYTES (64ULL << 30)
#define IMAGE_SPOOL_BYTES (1ULL << 30)
