/* known.h - the containers and images that are audited: what is remembered of each between two audits. One thread. */
#pragma once
#include <uthash.h>

#include "agent/audit/live/frame.h"
#include "agent/world/world.h"

enum { KNOWN_CONTAINERS = 8192, KNOWN_IMAGES = 4096, KNOWN_ID_BYTES = 80 };

/* A container that a report was made of, or will be. By name and image the collector knows its subject. */
struct known {
	char id[65];
	char name[256], image[512], image_id[KNOWN_ID_BYTES];
	uint64_t rights; /* of its first process */
	bool has_rights, is_reported;
	uint64_t stopped_ns; /* to be looked at once more, when it stays; 0: no */
	uint64_t rights_ns;  /* when a program with more was last a reason */
	char *filter;	     /* owned; what the worker wants to be told of it the next time; nullable */
	UT_hash_handle hh;
};

struct known_image {
	char id[KNOWN_ID_BYTES];
	char name[256]; /* as its report said */
	bool is_reported;
	uint64_t round; /* of the list that named it last */
	UT_hash_handle hh;
};

struct known_all {
	struct known *containers;	/* uthash */
	struct known_image *images; /* uthash */
	uint64_t round;
};

struct known *known_find(const struct known_all *a, const char *id);
/* Found or made, and as c says now. NULL past the bound. */
struct known *known_take_in(struct known_all *a, const struct container *c);
/* word: forgotten where it is longer than a question may be. */
void known_set_filter(struct known *k, struct slice word);
void known_forget(struct known_all *a, struct known *k);

struct known_image *known_image_find(const struct known_all *a, const char *id);
/* NULL: it is known already, is no id, or there is no room. */
struct known_image *known_image_new(struct known_all *a, struct slice id);
void known_image_forget(struct known_all *a, struct known_image *i);
void known_fini(struct known_all *a);
