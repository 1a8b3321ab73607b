/* sbom_priv.h - what sbom.c (the documents' shapes) and sbom_build.c (an inventory from them) share. */
#pragma once
#include "agent/scan/sbom.h"
#include "agent/scan/paths.h"
#include "proto/limits.h"

/* What a document tells of one component before it is known what it is. Trivy's and our properties have
 * the names of sbom_fields.def. */
enum draft_field {
#define FIELD(name, text) DRAFT_##name,
#include "agent/scan/sbom_fields.def"
#undef FIELD
	DRAFT_COUNT
};

struct draft {
	struct slice f[DRAFT_COUNT];
	bool is_root;	  /* the document's own subject */
	bool is_external; /* an SPDX reference being read: its kind and text */
	struct slice ref_type, ref_text;
};

struct sbom_package {
	Picket__Package *pkg;
	uint32_t layer;
	struct slice ref;
};

struct builder {
	struct arena *arena;   /* the caller's: what stays */
	struct arena *scratch; /* drafts; forgotten when no component is open */
	struct slice *kept;    /* texts that stay, each once; open addressing, a power of two */
	size_t kept_count, kept_size;
	uint64_t seed;
	struct draft drafts[PATHS_DEPTH_MAX]; /* a component and those it stands in */
	size_t depth;
	struct slice property; /* the name of the one being read */
	struct slice property_value;
	struct slice format, version, serial;
	struct sbom_package *packages; /* malloc'd */
	size_t package_count, package_size;
	Picket__Layer *layers[LIMIT_LAYERS + 1]; /* the last for packages that name none */
	size_t layer_count;
	char *names[LIMIT_IMAGE_LIST], *repo_digests[LIMIT_IMAGE_LIST];
	size_t name_count, repo_digest_count;
	Picket__OsRelease os;
	bool has_os, has_other_os;
	char *image_id, *target;
	uint64_t without_purl, bad_purl, too_long;
	char first_bad[160];
	bool layers_lost;
};

/* A CycloneDX component's own path, however deep components stand in components; not those of tools, nor
 * pedigrees. */
bool sbom_is_component(struct slice path);
int sbom_draft_finish(struct builder *b, struct draft *d, struct err *err) WARN_UNUSED;
/* A property, by its name without any prefix. Unknown ones are fine. */
int sbom_draft_property(struct builder *b, struct draft *d, struct slice name, struct slice value,
			struct err *err) WARN_UNUSED;
/* The inventory of all that was finished. */
int sbom_build(struct builder *b, struct sbom *ret, struct err *err) WARN_UNUSED;
void sbom_builder_fini(struct builder *b);

/* Into scratch memory, for drafts. */
static inline int sbom_copy(struct builder *b, struct slice s, struct slice *ret, struct err *err)
{
	char *p = arena_dup(b->scratch, s);

	if (!p)
		return err_set(err, ERR_LIMIT, "components in components hold more than fits into memory");
	*ret = (struct slice){ p, s.n };
	return 0;
}
/* Into what stays. Of equal texts one copy: layers, paths, architectures are the same ones over and over. */
int sbom_keep(struct builder *b, struct slice s, struct slice *ret, struct err *err) WARN_UNUSED;
