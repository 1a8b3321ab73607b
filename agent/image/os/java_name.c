/* java_name.c - see java_name.h. */
#include "agent/image/os/java_name.h"

#include "common/text.h"

static const struct {
	const char *name, *group, *artifact;
} groups[] = {
#define JAR(n, g, a) { n, g, a },
#include "agent/image/os/java_groups.def"
#undef JAR
};

/* ---- META-INF/maven/GROUP/ARTIFACT/pom.properties ---- */

static bool is_whole(const struct kept *k)
{
	return k->n && !k->is_cut && slice_find(kept_slice(k), SLICE_LIT("${")) < 0;
}

int java_pom_read(const struct blob *b, struct java_name *ret, bool *ret_is_whole, struct err *err)
{
	CLEANUP(lines_finip) struct lines l = { 0 };
	struct slice line, value;

	int r = lines_init(&l, b, err);
	if (r < 0)
		return r;
	ret->group.n = ret->artifact.n = ret->version.n = 0;
	while ((r = lines_next(&l, &line, err)) > 0) {
		line = slice_trim(line);
		if (field_is(line, "groupId", '=', &value))
			kept_set(&ret->group, value);
		else if (field_is(line, "artifactId", '=', &value))
			kept_set(&ret->artifact, value);
		else if (field_is(line, "version", '=', &value))
			kept_set(&ret->version, value);
	}
	*ret_is_whole = is_whole(&ret->group) && is_whole(&ret->artifact) && is_whole(&ret->version);
	return r;
}

/* ---- META-INF/MANIFEST.MF ---- */

static struct kept *wanted(struct java_manifest *m, struct slice line, struct slice *ret_value)
{
	const struct {
		const char *key;
		struct kept *to;
	} keys[] = {
		{ "Implementation-Title", &m->title },
		{ "Implementation-Version", &m->version },
		{ "Implementation-Vendor-Id", &m->vendor_id },
		{ "Specification-Title", &m->spec_title },
		{ "Specification-Version", &m->spec_version },
		{ "Bundle-SymbolicName", &m->bundle },
		{ "Bundle-Version", &m->bundle_version },
	};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (field_is(line, keys[i].key, ':', ret_value))
			return keys[i].to;
	return NULL;
}

static void append(struct kept *k, struct slice s)
{
	size_t room = sizeof(k->p) - k->n;

	k->is_cut |= s.n > room;
	if (s.n > room)
		s.n = room;
	if (s.n)
		memcpy(k->p + k->n, s.p, s.n);
	k->n = (uint16_t)(k->n + s.n);
}

/* Lines have at most 72 bytes; the next one goes on with a blank. The main section ends at an empty line. */
int java_manifest_read(const struct blob *b, struct java_manifest *ret, struct err *err)
{
	CLEANUP(lines_finip) struct lines l = { 0 };
	struct kept *value = NULL;
	struct slice line, s;

	memset(ret, 0, sizeof(*ret));
	int r = lines_init(&l, b, err);
	if (r < 0)
		return r;
	while ((r = lines_next(&l, &line, err)) > 0 && line.n) {
		if (line.p[0] == ' ') {
			if (value)
				append(value, slice_sub(line, 1, line.n));
			continue;
		}
		value = wanted(ret, line, &s);
		if (value)
			kept_set(value, s);
	}
	ptrdiff_t semicolon = slice_find_char(kept_slice(&ret->bundle), ';');
	if (semicolon >= 0)
		ret->bundle.n = (uint16_t)semicolon;
	return r < 0 ? r : 0;
}

/* ---- the file's name ---- */

static struct slice stem_of(struct slice file)
{
	struct slice name = base_name(file);

	for (size_t i = name.n; i; i--)
		if (name.p[i - 1] == '.')
			return slice_sub(name, 0, i - 1);
	return name;
}

static bool is_digit_at(struct slice s, size_t i)
{
	return i < s.n && s.p[i] >= '0' && s.p[i] <= '9';
}

/* Where the word before the one at `at` begins, if it looks like a part of the version, too ("1.0" of
 * "1.0-20230101.123456-1", of "1.0.0.redhat-1"); else at. */
static size_t widen(struct slice s, size_t at)
{
	size_t i = at - 1; /* the '-' */

	while (i && s.p[i - 1] != '-')
		i--;
	if (i < 2 || !is_digit_at(s, i) || slice_find_char(slice_sub(s, i, at - 1 - i), '.') < 0)
		return at;
	return i;
}

void java_file_split(struct slice file, struct slice known, struct slice *artifact, struct slice *version)
{
	struct slice s = stem_of(file);
	size_t at = 0;

	*artifact = s;
	*version = SLICE_NONE;
	if (known.n && slice_ends(s, known) && s.n > known.n + 1 && s.p[s.n - known.n - 1] == '-')
		at = s.n - known.n;
	for (size_t i = s.n; !at && i > 1; i--)
		if (s.p[i - 1] == '-' && is_digit_at(s, i))
			at = i;
	for (size_t wider = at; at && (wider = widen(s, at)) != at;)
		at = wider;
	if (at < 2)
		return;
	*artifact = slice_sub(s, 0, at - 1);
	*version = slice_sub(s, at, s.n);
}

bool java_is_of_file(const struct java_name *n, struct slice file)
{
	struct slice stem = stem_of(file), artifact = kept_slice(&n->artifact), version = kept_slice(&n->version);

	if (!slice_starts(stem, artifact))
		return false;
	stem = slice_sub(stem, artifact.n, stem.n);
	return !stem.n || (stem.p[0] == '-' && slice_starts(slice_sub(stem, 1, stem.n), version));
}

/* ---- guessing ---- */

static bool is_word(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= 'A' && s.p[i] <= 'Z') || is_digit_at(s, i) ||
		      s.p[i] == '-' || s.p[i] == '_' || s.p[i] == '.'))
			return false;
	return s.n > 0;
}

static struct slice first_of(const struct kept *a, const struct kept *b, const struct kept *c)
{
	return a->n ? kept_slice(a) : b->n ? kept_slice(b) : kept_slice(c);
}

/* "com.fasterxml.jackson.core.jackson-databind" of jackson-databind -> without its last word; but
 * "com.google.inject" of guice is the group. */
static struct slice bundle_group(struct slice bundle, struct slice artifact)
{
	for (size_t i = bundle.n; i; i--)
		if (bundle.p[i - 1] == '.')
			return slice_find(artifact, slice_sub(bundle, i, bundle.n)) < 0 ? bundle :
											   slice_sub(bundle, 0, i - 1);
	return SLICE_NONE;
}

static void set_group(const struct java_manifest *m, struct java_name *ret)
{
	struct slice bundle = kept_slice(&m->bundle);

	for (size_t i = 0; i < ARRAY_LEN(groups); i++)
		if (text_glob(slice_of(groups[i].name), kept_slice(&ret->artifact))) {
			kept_set(&ret->group, slice_of(groups[i].group));
			if (groups[i].artifact[0])
				kept_set(&ret->artifact, slice_of(groups[i].artifact));
			return;
		}
	if (is_word(kept_slice(&m->vendor_id)))
		kept_set(&ret->group, kept_slice(&m->vendor_id));
	else
		kept_set(&ret->group, is_word(bundle) ? bundle_group(bundle, kept_slice(&ret->artifact)) : SLICE_NONE);
}

static struct slice known_version(const struct java_manifest *m)
{
	return first_of(&m->version, &m->spec_version, &m->bundle_version);
}

bool java_is_other(const struct java_manifest *m, struct slice file, const struct kept *pom_version)
{
	struct slice artifact, version, known = known_version(m);

	java_file_split(file, known, &artifact, &version);
	return version.n || (known.n && !slice_eq(known, kept_slice(pom_version)));
}

bool java_guess(const struct java_manifest *m, struct slice file, struct java_name *ret)
{
	struct slice known = known_version(m), artifact, version;
	bool is_by_file;

	java_file_split(file, known, &artifact, &version);
	is_by_file = version.n > 0;
	if (!is_by_file) {
		version = known;
		if (is_word(kept_slice(&m->title)))
			artifact = kept_slice(&m->title);
	}
	if (!is_word(artifact) || !version.n || slice_find(version, SLICE_LIT("${")) >= 0)
		return false;
	kept_set(&ret->artifact, artifact);
	kept_set(&ret->version, version);
	set_group(m, ret);
	/* Every jar of a runtime has a name and a manifest with a version. */
	return is_by_file || ret->group.n;
}
