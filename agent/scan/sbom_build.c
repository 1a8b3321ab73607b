/* sbom_build.c - drafts of components become packages, layers, an operating system; these an inventory. */
#include <errno.h>
#include <strings.h>

#include "agent/scan/os_names.h"
#include "agent/scan/purl.h"
#include "agent/scan/sbom_priv.h"

static char *text_of(struct slice s)
{
	/* every slice here is a copy in an arena, with its NUL */
	return s.n ? (char *)(uintptr_t)s.p : (char *)(uintptr_t)protobuf_c_empty_string;
}

static int no_room(struct err *err)
{
	return err_set(err, ERR_LIMIT, "it holds more than fits into memory set aside for it");
}

/* ---- texts that stay ---- */

/* FNV-1a from a random start: the document is a stranger's, who could choose texts that collide. */
static uint64_t hash_of(const struct builder *b, struct slice s)
{
	uint64_t h = b->seed;

	for (size_t i = 0; i < s.n; i++)
		h = (h ^ (uint8_t)s.p[i]) * 1099511628211u;
	return h ^ h >> 32;
}

static struct slice *slot_of(const struct builder *b, struct slice *slots, size_t size, struct slice s)
{
	size_t i = (size_t)hash_of(b, s) & (size - 1);

	while (slots[i].p && !slice_eq(slots[i], s))
		i = (i + 1) & (size - 1);
	return &slots[i];
}

static bool grow_kept(struct builder *b)
{
	size_t size = b->kept_size ? b->kept_size * 2 : 1024;
	struct slice *slots = calloc(size, sizeof(*slots));

	if (!slots)
		return false;
	for (size_t i = 0; i < b->kept_size; i++) {
		if (b->kept[i].p)
			*slot_of(b, slots, size, b->kept[i]) = b->kept[i];
	}
	free(b->kept);
	b->kept = slots;
	b->kept_size = size;
	return true;
}

int sbom_keep(struct builder *b, struct slice s, struct slice *ret, struct err *err)
{
	if (b->kept_count * 2 >= b->kept_size && !grow_kept(b))
		return no_room(err);
	struct slice *slot = slot_of(b, b->kept, b->kept_size, s);
	if (!slot->p) {
		const char *copy = arena_dup(b->arena, s);

		if (!copy)
			return no_room(err);
		*slot = (struct slice){ copy, s.n };
		b->kept_count++;
	}
	*ret = *slot;
	return 0;
}

static int keep(struct builder *b, struct slice s, char **ret, struct err *err)
{
	struct slice kept = SLICE_NONE;
	int r = s.n ? sbom_keep(b, s, &kept, err) : 0;

	if (r >= 0)
		*ret = text_of(kept);
	return r;
}

/* ---- layers ---- */

static Picket__Layer *new_layer(struct builder *b)
{
	Picket__Layer *l = arena_alloc(b->arena, sizeof(*l));

	if (l)
		picket__layer__init(l);
	return l;
}

static struct slice layer_name(const Picket__Layer *l)
{
	return slice_of(l->diff_id);
}

/* The layer of that name, new if need be. Past the most there may be: the one for all that name none. */
static int layer_of(struct builder *b, struct slice diff_id, struct slice digest, uint32_t *ret, struct err *err)
{
	size_t i = 0;

	while (i < b->layer_count && !slice_eq(layer_name(b->layers[i]), diff_id))
		i++;
	if (i == LIMIT_LAYERS) {
		b->layers_lost = true;
		i--;
	}
	if (i == b->layer_count) {
		Picket__Layer *l = new_layer(b);

		if (!l)
			return no_room(err);
		int r = keep(b, diff_id, &l->diff_id, err);
		if (r < 0)
			return r;
		b->layers[b->layer_count++] = l;
	}
	*ret = (uint32_t)i;
	if (digest.n && !b->layers[i]->digest[0])
		return keep(b, digest, &b->layers[i]->digest, err);
	return 0;
}

/* ---- what the image itself says ---- */

static int add_text(struct builder *b, char **list, size_t *count, struct slice value, struct err *err)
{
	return *count < LIMIT_IMAGE_LIST ? keep(b, value, &list[(*count)++], err) : 0;
}

static int root_property(struct builder *b, struct slice name, struct slice value, struct err *err)
{
	uint32_t layer;

	if (slice_is(name, "RepoTag"))
		return add_text(b, b->names, &b->name_count, value, err);
	if (slice_is(name, "RepoDigest"))
		return add_text(b, b->repo_digests, &b->repo_digest_count, value, err);
	if (slice_is(name, "DiffID"))
		return layer_of(b, value, SLICE_NONE, &layer, err);
	return slice_is(name, "ImageID") ? keep(b, value, &b->image_id, err) : 0;
}

int sbom_draft_property(struct builder *b, struct draft *d, struct slice name, struct slice value,
			struct err *err)
{
	static const char *const names[] = {
#define FIELD(name, text) text,
#include "agent/scan/sbom_fields.def"
#undef FIELD
	};

	for (size_t i = 0; i < DRAFT_COUNT; i++) {
		if (names[i][0] && slice_is(name, names[i]))
			return sbom_copy(b, value, &d->f[i], err);
	}
	return root_property(b, name, value, err);
}

/* ---- the operating system ---- */

static int set_os(struct builder *b, struct slice id, struct slice version, struct slice codename,
		  struct err *err)
{
	version = os_names_version(id, version);
	if (!codename.n)
		codename = os_names_codename(id, version);
	if (b->has_os) {
		b->has_other_os |= !slice_is(id, b->os.id) ||
				   (version.n && b->os.version_id[0] && !slice_is(version, b->os.version_id));
		return 0;
	}
	picket__os_release__init(&b->os);
	b->has_os = true;
	int r = keep(b, id, &b->os.id, err);
	if (r >= 0)
		r = keep(b, version, &b->os.version_id, err);
	return r < 0 ? r : keep(b, codename, &b->os.codename, err);
}

static bool is_os(const struct draft *d)
{
	return slice_is(d->f[DRAFT_TYPE], "operating-system") || slice_is(d->f[DRAFT_TYPE], "OPERATING-SYSTEM") ||
	       slice_starts(d->f[DRAFT_REF], SLICE_LIT("SPDXRef-OperatingSystem"));
}

/* Said outright, it goes before what package URLs say. */
static int finish_os(struct builder *b, const struct draft *d, struct err *err)
{
	bool had = b->has_os;
	Picket__OsRelease of_purls = b->os;

	b->has_os = false;
	int r = set_os(b, os_names_id(d->f[DRAFT_NAME]), d->f[DRAFT_VERSION], d->f[DRAFT_CODENAME], err);
	if (r >= 0)
		r = keep(b, d->f[DRAFT_ID_LIKE], &b->os.id_like, err);
	if (r >= 0)
		r = keep(b, d->f[DRAFT_PRETTY_NAME], &b->os.pretty_name, err);
	if (r < 0)
		return r;
	if (had)
		b->has_other_os |= strcmp(of_purls.id, b->os.id) != 0;
	return 0;
}

/* ---- packages ---- */

static int add_package(struct builder *b, const struct sbom_package *p, struct err *err)
{
	if (b->package_count == LIMIT_PACKAGES)
		return err_set(err, ERR_LIMIT, "more than %d packages", LIMIT_PACKAGES);
	if (b->package_count == b->package_size) {
		size_t size = b->package_size ? b->package_size * 2 : 256;
		struct sbom_package *grown = reallocarray(b->packages, size, sizeof(*grown));

		if (!grown)
			return no_room(err);
		b->packages = grown;
		b->package_size = size;
	}
	b->packages[b->package_count++] = *p;
	return 0;
}

static void note_bad(struct builder *b, const struct draft *d, const char *why)
{
	if (!b->bad_purl++)
		snprintf(b->first_bad, sizeof(b->first_bad), "'%.60s': %.80s", d->f[DRAFT_PURL].p, why);
}

/* [EPOCH:]VERSION[-RELEASE], as Trivy's properties have it in pieces. */
static int source_version(struct builder *b, const struct draft *d, struct slice *ret, struct err *err)
{
	struct slice epoch = d->f[DRAFT_SOURCE_EPOCH], release = d->f[DRAFT_SOURCE_RELEASE];
	struct slice version = d->f[DRAFT_SOURCE_VERSION];

	if (slice_is(epoch, "0"))
		epoch = SLICE_NONE;
	if (!version.n || (!epoch.n && !release.n)) {
		*ret = version;
		return 0;
	}
	char *text = arena_printf(b->scratch, "%.*s%s%.*s%s%.*s", SLICE_FMT(epoch), epoch.n ? ":" : "",
				  SLICE_FMT(version), release.n ? "-" : "", SLICE_FMT(release));
	*ret = slice_of(text);
	return text ? 0 : no_room(err);
}

/* Package URLs of Python have lower case and dashes; the component keeps the name as it was written. */
static struct slice written_name(const struct draft *d, const struct purl_package *p)
{
	struct purl a = { .type = p->ecosystem, .name = p->name }, b = { .type = p->ecosystem,
									 .name = d->f[DRAFT_NAME] };

	return slice_is(p->ecosystem, "pypi") && purl_covers(&a, &b) ? b.name : p->name;
}

static struct slice first_of(struct slice a, struct slice b)
{
	return a.n ? a : b;
}

static bool is_too_long(const Picket__Package *p)
{
	const char *texts[] = { p->ecosystem, p->name, p->version, p->arch, p->source, p->source_version, p->owner };

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		if (strlen(texts[i]) > LIMIT_PACKAGE_TEXT_BYTES)
			return true;
	}
	return p->path.len > LIMIT_PATH_BYTES;
}

/* A source that is the package itself is not said, as our own parsers don't. */
static int set_source(struct builder *b, const struct draft *d, const struct purl_package *p,
		      Picket__Package *pkg, struct err *err)
{
	struct slice source = first_of(d->f[DRAFT_SOURCE], p->source), version = SLICE_NONE;
	int r = source_version(b, d, &version, err);

	version = first_of(version, p->source_version);
	if (r >= 0)
		r = keep(b, slice_is(source, pkg->name) ? SLICE_NONE : source, &pkg->source, err);
	if (r >= 0)
		r = keep(b, slice_is(version, pkg->version) ? SLICE_NONE : version, &pkg->source_version, err);
	return r;
}

static int set_texts(struct builder *b, const struct draft *d, const struct purl_package *p, Picket__Package *pkg,
		     struct err *err)
{
	const struct {
		struct slice text;
		char **to;
	} rows[] = {
		{ p->ecosystem, &pkg->ecosystem },
		{ written_name(d, p), &pkg->name },
		{ first_of(p->version, d->f[DRAFT_VERSION]), &pkg->version },
		{ first_of(d->f[DRAFT_ARCH], p->arch), &pkg->arch },
		{ d->f[DRAFT_OWNER], &pkg->owner },
	};
	char *path = NULL;
	int r = keep(b, d->f[DRAFT_PATH], &path, err);

	for (size_t i = 0; i < ARRAY_LEN(rows) && r >= 0; i++)
		r = keep(b, rows[i].text, rows[i].to, err);
	pkg->path = (ProtobufCBinaryData){ d->f[DRAFT_PATH].n, (uint8_t *)path };
	return r < 0 ? r : set_source(b, d, p, pkg, err);
}

/* A ref that is the purl tells nothing that the package does not. */
static int keep_ref(struct builder *b, const struct draft *d, struct slice *ret, struct err *err)
{
	struct slice ref = d->f[DRAFT_REF];

	*ret = SLICE_NONE;
	return ref.n && !slice_eq(ref, d->f[DRAFT_PURL]) ? sbom_keep(b, ref, ret, err) : 0;
}

static int finish_package(struct builder *b, const struct draft *d, const struct purl_package *p,
			  struct err *err)
{
	Picket__Package *pkg = arena_alloc(b->arena, sizeof(*pkg));
	struct sbom_package out = { .pkg = pkg };

	if (!pkg)
		return no_room(err);
	picket__package__init(pkg);
	pkg->is_dev = slice_is(d->f[DRAFT_DEV], "true");
	int r = set_texts(b, d, p, pkg, err);
	if (r >= 0)
		r = keep_ref(b, d, &out.ref, err);
	if (r < 0)
		return r;
	if (is_too_long(pkg)) {
		b->too_long++;
		return 0;
	}
	r = layer_of(b, d->f[DRAFT_LAYER], d->f[DRAFT_LAYER_DIGEST], &out.layer, err);
	return r < 0 ? r : add_package(b, &out, err);
}

static int finish_purl(struct builder *b, const struct draft *d, struct err *err)
{
	struct purl p;
	struct purl_package pkg;
	struct err why;
	int r = purl_parse(d->f[DRAFT_PURL], b->scratch, &p, &why);

	if (r < 0) {
		note_bad(b, d, why.msg);
		return 0;
	}
	if (slice_is(p.type, "oci") || slice_is(p.type, "docker"))
		return 0;
	r = purl_to_package(&p, b->scratch, &pkg, err);
	if (r < 0)
		return r;
	if (purl_is_os(pkg.ecosystem) && pkg.os_id.n)
		r = set_os(b, pkg.os_id, pkg.os_version, pkg.os_codename, err);
	return r < 0 ? r : finish_package(b, d, &pkg, err);
}

int sbom_draft_finish(struct builder *b, struct draft *d, struct err *err)
{
	int r = d->is_root ? keep(b, d->f[DRAFT_NAME], &b->target, err) : 0;

	if (r < 0)
		return r;
	if (is_os(d))
		return d->f[DRAFT_NAME].n ? finish_os(b, d, err) : 0;
	if (d->is_root)
		return 0;
	if (d->f[DRAFT_PURL].n)
		return finish_purl(b, d, err);
	/* SPDX's subject, a file, an application that only holds others */
	if (!strncasecmp(text_of(d->f[DRAFT_TYPE]), "library", 8) || !d->f[DRAFT_TYPE].n)
		b->without_purl++;
	return 0;
}

/* ---- the inventory ---- */

static int fill_layers(struct builder *b, struct slice *refs, struct err *err)
{
	size_t n = 0;

	for (size_t i = 0; i < b->package_count; i++)
		b->layers[b->packages[i].layer]->n_packages++;
	for (size_t i = 0; i < b->layer_count; i++) {
		Picket__Layer *l = b->layers[i];

		l->packages = arena_zalloc(b->arena, l->n_packages + 1, sizeof(*l->packages));
		if (!l->packages)
			return no_room(err);
		l->n_packages = 0;
		for (size_t k = 0; k < b->package_count; k++) {
			if (b->packages[k].layer != i)
				continue;
			l->packages[l->n_packages++] = b->packages[k].pkg;
			refs[n++] = b->packages[k].ref;
		}
	}
	return 0;
}

static void add_problem(struct builder *b, Picket__Inventory *inv, const char *text)
{
	char *copy = arena_dup(b->arena, slice_of(text));

	if (copy)
		inv->problems[inv->n_problems++] = copy;
}

static void add_problems(struct builder *b, Picket__Inventory *inv)
{
	char text[320];

	if (b->without_purl) {
		snprintf(text, sizeof(text), "components without a package URL, not judged: %llu",
			 (unsigned long long)b->without_purl);
		add_problem(b, inv, text);
	}
	if (b->bad_purl) {
		snprintf(text, sizeof(text), "wrong package URLs: %llu, the first %s",
			 (unsigned long long)b->bad_purl, b->first_bad);
		add_problem(b, inv, text);
	}
	if (b->too_long) {
		snprintf(text, sizeof(text), "components with a name or version of more than %d bytes: %llu",
			 LIMIT_PACKAGE_TEXT_BYTES, (unsigned long long)b->too_long);
		add_problem(b, inv, text);
	}
	if (b->has_other_os)
		add_problem(b, inv, "packages of more than one distribution; all are judged by the first's advisories");
	if (b->layers_lost)
		add_problem(b, inv, "more layers than an image can have; the last ones are taken for one");
}

static char **copy_list(struct builder *b, char **list, size_t count)
{
	char **copy = arena_zalloc(b->arena, count + 1, sizeof(*copy));

	if (copy && count)
		memcpy(copy, list, count * sizeof(*copy));
	return copy;
}

static int fill(struct builder *b, Picket__Inventory *inv, struct err *err)
{
	inv->kind = arena_dup(b->arena, SLICE_LIT("sbom"));
	inv->layers = arena_zalloc(b->arena, b->layer_count + 1, sizeof(*inv->layers));
	inv->problems = arena_zalloc(b->arena, 8, sizeof(*inv->problems));
	inv->names = copy_list(b, b->names, b->name_count);
	inv->repo_digests = copy_list(b, b->repo_digests, b->repo_digest_count);
	if (!inv->kind || !inv->layers || !inv->problems || !inv->names || !inv->repo_digests)
		return no_room(err);
	inv->n_names = b->name_count;
	inv->n_repo_digests = b->repo_digest_count;
	inv->n_layers = b->layer_count;
	memcpy(inv->layers, b->layers, b->layer_count * sizeof(*inv->layers));
	if (b->image_id)
		inv->image_id = b->image_id;
	if (b->target)
		inv->target = b->target;
	add_problems(b, inv);
	if (!b->has_os)
		return 0;
	inv->os = arena_alloc(b->arena, sizeof(*inv->os));
	if (!inv->os)
		return no_room(err);
	*inv->os = b->os;
	return 0;
}

int sbom_build(struct builder *b, struct sbom *ret, struct err *err)
{
	Picket__Inventory *inv = arena_alloc(b->arena, sizeof(*inv));
	struct slice *refs = arena_zalloc(b->arena, b->package_count + 1, sizeof(*refs));

	if (!inv || !refs)
		return no_room(err);
	picket__inventory__init(inv);
	int r = fill_layers(b, refs, err);
	if (r >= 0)
		r = fill(b, inv, err);
	if (r < 0)
		return r;
	ret->inventory = inv;
	ret->refs = refs;
	ret->package_count = b->package_count;
	return 0;
}

void sbom_builder_fini(struct builder *b)
{
	free(b->packages);
	free(b->kept);
	arena_free(b->scratch);
}
