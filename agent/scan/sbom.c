/* sbom.c - see sbom.h. Which value of which document means what; one walk reads either, as the format is
 * known only once its key came by. */
#include "agent/scan/sbom_priv.h"

#include "common/text.h"

/* A component and those in it, until the outermost is closed. */
enum { SCRATCH_BYTES = 16 << 20 };

static bool ends(struct slice path, const char *with)
{
	return slice_ends(path, slice_of(with));
}

bool sbom_is_component(struct slice path)
{
	struct slice one = SLICE_LIT(".components[]"), root = SLICE_LIT(".metadata.component");

	if (slice_starts(path, root))
		path = slice_sub(path, root.n, path.n);
	else if (!slice_starts(path, one))
		return false;
	while (slice_starts(path, one))
		path = slice_sub(path, one.n, path.n);
	return !path.n;
}

static bool is_draft(struct slice path)
{
	return slice_is(path, ".packages[]") || sbom_is_component(path);
}

/* The path without its last key; *ret_key that key. */
static struct slice parent(struct slice path, struct slice *ret_key)
{
	const char *dot = path.n ? memrchr(path.p, '.', path.n) : NULL;
	size_t n = dot ? (size_t)(dot - path.p) : 0;

	*ret_key = slice_sub(path, n + (dot != NULL), path.n);
	return slice_sub(path, 0, n);
}

static struct draft *current(struct builder *b)
{
	return b->depth ? &b->drafts[b->depth - 1] : NULL;
}

/* ---- objects ---- */

static int on_open(struct builder *b, struct slice path)
{
	if (is_draft(path)) {
		b->drafts[b->depth++] = (struct draft){ .is_root = slice_is(path, ".metadata.component") };
		return 0;
	}
	if (ends(path, ".properties[]"))
		b->property = b->property_value = SLICE_NONE;
	if (slice_is(path, ".packages[].externalRefs[]") && current(b))
		current(b)->ref_type = current(b)->ref_text = SLICE_NONE;
	return 0;
}

/* "aquasecurity:trivy:SrcName" and "picket:SrcName" are "SrcName". */
static struct slice short_name(struct slice name)
{
	static const char *const prefixes[] = { "picket:", "aquasecurity:trivy:" };

	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
		struct slice prefix = slice_of(prefixes[i]);

		if (slice_starts(name, prefix))
			return slice_sub(name, prefix.n, name.n);
	}
	return SLICE_NONE;
}

/* Syft's names for the same. */
static struct slice syft_name(struct slice name)
{
	static const struct {
		const char *syft, *ours;
	} rows[] = {
		{ "syft:metadata:source", "SrcName" },
		{ "syft:metadata:originPackage", "SrcName" },
		{ "syft:metadata:sourceVersion", "SrcVersion" },
		{ "syft:location:0:path", "FilePath" },
		{ "syft:location:0:layerID", "LayerDiffID" },
		{ "syft:distro:versionCodename", "Codename" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (slice_is(name, rows[i].syft))
			return slice_of(rows[i].ours);
	}
	return SLICE_NONE;
}

static int on_property(struct builder *b, struct slice path, struct err *err)
{
	struct slice key, of = parent(path, &key), name = short_name(b->property);

	if (!current(b) || !sbom_is_component(of))
		return 0;
	name = name.n ? name : syft_name(b->property);
	return name.n ? sbom_draft_property(b, current(b), name, b->property_value, err) : 0;
}

static int on_close(struct builder *b, struct slice path, struct err *err)
{
	struct draft *d = current(b);

	if (ends(path, ".properties[]"))
		return on_property(b, path, err);
	if (slice_is(path, ".packages[].externalRefs[]") && d && slice_is(d->ref_type, "purl") &&
	    !d->f[DRAFT_PURL].n)
		d->f[DRAFT_PURL] = d->ref_text;
	if (!is_draft(path) || !d)
		return 0;
	int r = sbom_draft_finish(b, d, err);
	if (!--b->depth)
		arena_reset(b->scratch);
	return r;
}

/* ---- values ---- */

static int on_component_value(struct builder *b, struct slice key, struct slice value, struct err *err)
{
	static const struct {
		const char *key;
		enum draft_field field;
	} rows[] = {
		{ "type", DRAFT_TYPE },
		{ "name", DRAFT_NAME },
		{ "version", DRAFT_VERSION },
		{ "purl", DRAFT_PURL },
		{ "bom-ref", DRAFT_REF },
		{ "SPDXID", DRAFT_REF },
		{ "versionInfo", DRAFT_VERSION },
		{ "primaryPackagePurpose", DRAFT_TYPE },
		{ "packageFileName", DRAFT_PATH },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (slice_is(key, rows[i].key))
			return sbom_copy(b, value, &current(b)->f[rows[i].field], err);
	}
	/* "built package from: openssl 1:1.0.2k-16.el7" is Trivy's way to name the source */
	struct slice built = SLICE_LIT("built package from: ");
	if (!slice_is(key, "sourceInfo") || !slice_starts(value, built))
		return 0;
	value = slice_sub(value, built.n, value.n);
	ptrdiff_t blank = slice_find_char(value, ' ');
	size_t n = blank < 0 ? value.n : (size_t)blank;
	int r = sbom_draft_property(b, current(b), SLICE_LIT("SrcName"), slice_sub(value, 0, n), err);
	return r < 0 ? r : sbom_draft_property(b, current(b), SLICE_LIT("SrcVersion"),
					       slice_sub(value, n + 1, value.n), err);
}

/* "LayerDiffID: sha256:…" */
static int on_attribution(struct builder *b, struct slice value, struct err *err)
{
	ptrdiff_t colon = slice_find(value, SLICE_LIT(": "));

	if (colon <= 0)
		return 0;
	return sbom_draft_property(b, current(b), slice_sub(value, 0, (size_t)colon),
				   slice_sub(value, (size_t)colon + 2, value.n), err);
}

static int on_document_value(struct builder *b, struct slice path, struct slice value, struct err *err)
{
	if (slice_is(path, ".bomFormat"))
		return sbom_keep(b, value, &b->format, err);
	if (slice_is(path, ".specVersion") || slice_is(path, ".spdxVersion")) {
		if (slice_is(path, ".spdxVersion"))
			b->format = SLICE_LIT("SPDX");
		return sbom_keep(b, value, &b->version, err);
	}
	if (slice_is(path, ".serialNumber") || slice_is(path, ".documentNamespace"))
		return sbom_keep(b, value, &b->serial, err);
	/* SPDX 3 is JSON-LD and has its version in the context's address */
	if (slice_is(path, ".@context") && slice_find(value, SLICE_LIT("spdx.org/rdf/3")) >= 0)
		return err_set(err, ERR_VERSION, "SPDX 3 can't be read; write SPDX 2.3 or CycloneDX");
	return 0;
}

static int on_value(struct builder *b, struct slice path, struct slice value, struct err *err)
{
	struct slice key, of = parent(path, &key);

	if (!of.n)
		return on_document_value(b, path, value, err);
	if (!current(b))
		return 0;
	if (is_draft(of))
		return slice_is(key, "attributionTexts[]") ? on_attribution(b, value, err)
							  : on_component_value(b, key, value, err);
	if (ends(of, ".properties[]") && slice_is(key, "name"))
		return sbom_copy(b, value, &b->property, err);
	if (ends(of, ".properties[]") && slice_is(key, "value"))
		return sbom_copy(b, value, &b->property_value, err);
	if (slice_is(of, ".packages[].externalRefs[]") && slice_is(key, "referenceType"))
		return sbom_copy(b, value, &current(b)->ref_type, err);
	if (slice_is(of, ".packages[].externalRefs[]") && slice_is(key, "referenceLocator"))
		return sbom_copy(b, value, &current(b)->ref_text, err);
	return 0;
}

static int on_event(void *arg, enum paths_kind kind, struct slice path, struct slice value, struct err *err)
{
	switch (kind) {
	case PATHS_OPEN:
		return on_open(arg, path);
	case PATHS_CLOSE:
		return on_close(arg, path, err);
	case PATHS_STRING:
		return on_value(arg, path, value, err);
	case PATHS_OTHER:
		return 0;
	}
	return 0;
}

/* ---- the whole ---- */

static int check_format(struct builder *b, struct sbom *ret, struct err *err)
{
	struct slice v = b->version;

	if (slice_is(b->format, "SPDX")) {
		if (!slice_is(v, "SPDX-2.3") && !slice_is(v, "SPDX-2.2"))
			return err_set(err, ERR_VERSION, "'%.*s' can't be read; SPDX-2.2 and SPDX-2.3 can",
				       SLICE_FMT(v));
		v = slice_sub(v, 5, v.n);
	} else if (slice_is(b->format, "CycloneDX")) {
		if (v.n != 3 || memcmp(v.p, "1.", 2) != 0 || v.p[2] < '2' || v.p[2] > '7')
			return err_set(err, ERR_VERSION, "CycloneDX '%.*s' can't be read; 1.2 to 1.7 can",
				       SLICE_FMT(v));
	} else {
		return err_set(err, ERR_SYNTAX, "neither a CycloneDX nor an SPDX document");
	}
	char *name = arena_printf(b->arena, "%.*s %.*s", SLICE_FMT(b->format), SLICE_FMT(v));
	if (!name)
		return err_set(err, ERR_LIMIT, "out of memory");
	ret->format = slice_of(name);
	ret->serial = b->serial;
	return 0;
}

static int finish(struct builder *b, int r, struct sbom *ret, struct err *err)
{
	struct sbom s = { 0 };

	if (r >= 0)
		r = check_format(b, &s, err);
	if (r >= 0)
		r = sbom_build(b, &s, err);
	if (r >= 0)
		*ret = s;
	return r;
}

static void builder_freep(struct builder **b)
{
	if (*b)
		sbom_builder_fini(*b);
	free(*b);
}

static struct builder *builder_new(struct arena *a)
{
	CLEANUP(builder_freep) struct builder *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->arena = a;
	text_random(&b->seed, sizeof(b->seed));
	b->scratch = arena_new(SCRATCH_BYTES);
	return b->scratch ? take_ptr(b) : NULL;
}

int sbom_read(struct slice text, struct arena *a, struct sbom *ret, struct err *err)
{
	CLEANUP(builder_freep) struct builder *b = builder_new(a);
	struct slice trimmed = slice_trim(text);

	if (!b)
		return err_set(err, ERR_LIMIT, "out of memory");
	if (trimmed.n && trimmed.p[0] == '<')
		return err_set(err, ERR_SYNTAX, "this is XML; write the document as JSON");
	return finish(b, paths_text(text, on_event, b, err), ret, err);
}

int sbom_read_file(const char *path, struct arena *a, struct sbom *ret, struct err *err)
{
	CLEANUP(builder_freep) struct builder *b = builder_new(a);

	if (!b)
		return err_set(err, ERR_LIMIT, "out of memory");
	int r = paths_file(path, (uint64_t)SBOM_MAX_MIB << 20, on_event, b, err);
	if (r < 0)
		return r;
	r = finish(b, r, ret, err);
	return r < 0 ? err_wrap(err, r, "%s", path) : 0;
}
