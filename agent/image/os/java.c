/* java.c - Java archives (jar, war, ear and their like), and those within them.
 *
 * A pom.properties names what it was built from, and there may be several where others were put in. A jar that
 * has none, or none of its own, is named by its manifest and its file. Nothing is unpacked as a whole. */
#include <errno.h>

#include "agent/image/os/java_name.h"
#include "agent/image/os/zip.h"

enum {
	DEPTH_MAX = 4, /* a jar in a jar in a war in an ear; 2.3 MiB each */
	ENTRIES_MAX = 1000000, /* of all archives of a file */
	COST_ARCHIVE = 64 * 1024, /* opening one, as unpacked bytes: it reads as much to find the directory */
	COST_FILE = 4 * 1024,
	POM_MAX = 64 * 1024,
};
/* What may be unpacked of a file: a little of a small one, however well it packs; of a large one some 4 s. */
#define UNPACKED_MAX (1024ULL * 1024 * 1024)
#define UNPACKED_MIN (64ULL * 1024 * 1024)
enum { UNPACKED_RATIO = 64 };

struct java {
	struct emit e;
	uint64_t budget; /* bytes that may be unpacked yet */
	uint32_t entries;
	unsigned depth;
	struct java_name name; /* of what is given next */
	char text[2 * OS_TEXT_MAX + 2];
};

struct archive {
	struct java *j;
	const struct blob *b;
	struct slice file;
	unsigned poms;
	bool has_own_pom, has_manifest;
	struct kept pom_version; /* the last one's */
	struct java_manifest manifest;
};

static void read_archive(struct java *j, const struct blob *b, struct slice file);

static bool charge(struct java *j, uint64_t cost)
{
	if (j->budget < cost) {
		j->budget = 0;
		os_emit_wrong(&j->e, ERR_LIMIT, "archive: it holds too much");
		return false;
	}
	j->budget -= cost;
	return true;
}

static bool give_name(struct java *j)
{
	const struct java_name *n = &j->name;
	int len = n->group.n ? snprintf(j->text, sizeof(j->text), "%.*s:%.*s", SLICE_FMT(kept_slice(&n->group)),
					SLICE_FMT(kept_slice(&n->artifact))) :
			       snprintf(j->text, sizeof(j->text), "%.*s", SLICE_FMT(kept_slice(&n->artifact)));
	struct pkg p = { .name = slice_from(j->text, (size_t)len), .version = kept_slice(&n->version) };

	return os_emit_package(&j->e, &p);
}

/* ---- entries that tell something ---- */

static int take_pom(struct archive *a, const struct blob *b, struct err *err)
{
	struct java *j = a->j;
	bool is_whole;

	if (b->size > POM_MAX)
		return err_set(err, ERR_LIMIT, "pom.properties: %llu bytes", (unsigned long long)b->size);
	int r = java_pom_read(b, &j->name, &is_whole, err);
	if (r < 0 || !is_whole)
		return r;
	a->poms++;
	a->pom_version = j->name.version;
	a->has_own_pom |= java_is_of_file(&j->name, a->file);
	(void)give_name(j);
	return 0;
}

static int take_manifest(struct archive *a, const struct blob *b, struct err *err)
{
	int r = a->has_manifest ? 0 : java_manifest_read(b, &a->manifest, err);

	a->has_manifest |= r >= 0;
	return r;
}

static int take_archive(struct archive *a, const struct blob *b, struct slice name, struct err *err)
{
	struct java *j = a->j;
	char file[OS_PATH_MAX];

	if (j->depth >= DEPTH_MAX)
		return err_set(err, ERR_LIMIT, "archive: nested more than %d times", DEPTH_MAX);
	/* The name lies in a window of the archive around, which moves while this one is read. */
	if (!charge(j, COST_ARCHIVE) || !slice_copy(base_name(name), file, sizeof(file)))
		return 0;
	j->depth++;
	read_archive(j, b, slice_of(file));
	j->depth--;
	return 0;
}

static bool is_archive(struct slice name)
{
	static const struct slice ends[] = { { ".jar", 4 }, { ".war", 4 }, { ".ear", 4 },
					     { ".par", 4 }, { ".hpi", 4 }, { ".jpi", 4 } };

	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		if (name.n > ends[i].n && !strncasecmp(name.p + name.n - ends[i].n, ends[i].p, ends[i].n))
			return true;
	return false;
}

static int take_data(struct archive *a, const struct zip_entry *e, bool is_pom, bool is_manifest, struct err *err)
{
	CLEANUP(zip_data_finip) struct zip_data d = { 0 };

	int r = zip_data_init(&d, a->b, e, &a->j->budget, err);
	if (r < 0)
		return r;
	return is_pom	   ? take_pom(a, d.b, err) :
	       is_manifest ? take_manifest(a, d.b, err) :
			     take_archive(a, d.b, e->name, err);
}

static bool take_entry(void *arg, const struct zip_entry *e)
{
	struct archive *a = arg;
	bool is_pom = slice_starts(e->name, SLICE_LIT("META-INF/maven/")) &&
		      slice_ends(e->name, SLICE_LIT("/pom.properties"));
	bool is_manifest = e->name.n == 20 && !strncasecmp(e->name.p, "META-INF/MANIFEST.MF", 20);
	struct err err;

	if (!is_pom && !is_manifest && !is_archive(e->name))
		return true;
	if (!charge(a->j, COST_FILE))
		return false;
	int r = take_data(a, e, is_pom, is_manifest, &err);
	if (r < 0)
		os_emit_failed(&a->j->e, r, &err);
	return !a->j->e.stop && a->j->budget;
}

/* ---- an archive ---- */

static void read_archive(struct java *j, const struct blob *b, struct slice file)
{
	CLEANUP(freep) struct archive *a = calloc(1, sizeof(*a));
	struct err err;

	int r = a ? 0 : err_set(&err, ENOMEM, "read an archive");
	if (a) {
		a->j = j;
		a->b = b;
		a->file = file;
		r = zip_each(b, &j->entries, take_entry, a, &err);
	}
	if (r < 0)
		os_emit_failed(&j->e, r, &err);
	if (!a || j->e.stop || a->has_own_pom || (r < 0 && !a->has_manifest))
		return;
	/* Is its only pom.properties that of a file renamed to "app.jar", or of something put into it? */
	if (a->poms == 1 && !java_is_other(&a->manifest, file, &a->pom_version))
		return;
	if (java_guess(&a->manifest, file, &j->name))
		(void)give_name(j);
}

int java_read(struct slice path, const struct blob *b, const struct pkg_out *out, struct err *err)
{
	CLEANUP(freep) struct java *j = calloc(1, sizeof(*j));

	if (!j)
		return err_set(err, ENOMEM, "read an archive");
	j->e = (struct emit){ .out = out, .ecosystem = "maven" };
	j->budget = b->size < (UNPACKED_MAX - UNPACKED_MIN) / UNPACKED_RATIO ?
			    UNPACKED_MIN + b->size * UNPACKED_RATIO :
			    UNPACKED_MAX;
	j->entries = ENTRIES_MAX;
	read_archive(j, b, base_name(path));
	return os_emit_end(&j->e, err);
}
