/* facts.h - what one layer says, apart from all others: packages of the files in it, what it takes away, the
 * links on the way to package databases. Order of reading layers does not matter; merge.h joins them. */
#pragma once
#include "agent/image/entry.h"
#include "agent/image/match.h"
#include "common/buf.h"

/* What all layers of an image may take in memory together; counts down and, when facts are freed, up. */
struct facts_room {
	size_t bytes_left;
	uint64_t packages_left;
	uint64_t owned_left;
};

/* A file that a parser found something in. */
struct facts_file {
	char *path; /* where it stands in the layer */
	uint32_t path_n;
	uint16_t row;
	/* The path is a hard link of this layer, its content a file of a lower one. */
	bool is_of_link;
	uint32_t package_count, owned_count;
	struct buf packages; /* facts_next_package */
	struct buf owned;    /* facts_next_owned */
	uint32_t *since;     /* merge.c: the layer that brought each package */
	uint32_t turn;	     /* the order of reading */
};

struct facts_setid {
	char *path;
	uint32_t mode, uid, gid;
};
struct facts_link {
	char *path, *target;
	bool is_hard; /* a parser wants path, which is another name of target */
};

/* Keys: hash of a path, the two lowest bits say what stood there. */
enum facts_tag { FACTS_FILE, FACTS_FOLDER, FACTS_WHITEOUT, FACTS_OPAQUE };

struct facts {
	struct facts_room *room; /* borrowed */
	struct facts_file *files;
	uint64_t *keys; /* sorted */
	struct facts_setid *setids;
	struct facts_link *links;
	size_t file_count, key_count, setid_count, link_count;
	size_t file_size, key_size, setid_size, link_size;
	struct buf os_release[2]; /* etc/, usr/lib/; empty: none here */
	struct buf passwd;	  /* names of uid 0, a line each, after an empty one; empty: none here */
	struct buf problems;	  /* lines */
	size_t problem_count;
	struct buf drift; /* lines: 'x' executable, 'f' file, 'd' removed; path */
	uint64_t drift_total;
	uint64_t bytes; /* of files */
};

/* A package as it was found. */
struct facts_package {
	struct slice ecosystem, name, version, arch, source, source_version, key;
	bool is_dev;
};
/* Files of a package: hashes is count unaligned 64-bit numbers, path_hash without slashes at the ends, the
 * lowest bit: and all below. */
struct facts_owned {
	struct slice ecosystem, key;
	const char *hashes;
	uint32_t count;
};

/* What is at or below `real` is also looked at as if it stood at or below `name`, which is a link to it. Hard: the
 * file `name` is another one than `real`, with the same content. */
struct facts_alias {
	struct slice real, name;
	bool is_hard;
};

struct facts_reader {
	const struct matcher *matcher;
	uint64_t parse_bytes;
	struct spool spool;
	struct budget *budget;
	struct facts_room *room;
	const struct facts_alias *aliases;
	size_t alias_count;
	bool wants_drift;
	bool wants_owned;
};

/* ret: set up by this call; caller frees with facts_fini, also on error. */
int facts_read_tar(const struct facts_reader *fr, struct stream *tar, struct facts *ret, struct err *err) WARN_UNUSED;
int facts_read_folder(const struct facts_reader *fr, int fd, unsigned flags, struct facts *ret,
		      struct err *err) WARN_UNUSED;
void facts_fini(struct facts *f);
/* ret: set up by this call, as above. */
int facts_copy(const struct facts *f, struct facts *ret, struct err *err) WARN_UNUSED;

/* Cuts the next one off *rest, which begins as f->packages or f->owned; false at the end. */
bool facts_next_package(struct slice *rest, struct facts_package *ret);
bool facts_next_owned(struct slice *rest, struct facts_owned *ret);
bool facts_has(const struct facts *f, uint64_t hash, enum facts_tag tag);
/* Adds a key to sorted ones. */
int facts_add_key(struct facts *f, uint64_t hash, enum facts_tag tag, struct err *err) WARN_UNUSED;
void facts_sort(struct facts *f);
/* Gives up what file number i holds. */
void facts_file_fini(struct facts_room *room, struct facts_file *file);
/* "path: why", bounded, no more than LIMIT_PROBLEMS. */
void facts_problem(struct facts *f, struct slice path, const char *why);
