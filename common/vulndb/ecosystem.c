/* ecosystem.c - see ecosystem.h. */
#include "common/vulndb/ecosystem.h"

#include <ctype.h>

static const struct ecosystem ecosystems[] = {
#define ECOSYSTEM(osv, purl, scheme, names, release, os)                                                   \
	{ osv, purl, VERSION_##scheme, NAMES_##names, RELEASE_##release, os },
#include "common/vulndb/ecosystem.def"
#undef ECOSYSTEM
};

static const struct {
	const char *number, *codename;
} debian_releases[] = {
#define RELEASE(number, codename) { number, codename },
#include "common/vulndb/release.def"
#undef RELEASE
};

/* ---- the table ---- */

const struct ecosystem *ecosystem_of_osv(struct slice osv)
{
	struct slice base = SLICE_NONE;

	(void)slice_split(&osv, ':', &base);
	for (size_t i = 0; i < ARRAY_LEN(ecosystems); i++)
		if (base.n == strlen(ecosystems[i].osv) && !strncasecmp(base.p, ecosystems[i].osv, base.n))
			return &ecosystems[i];
	return NULL;
}

const struct ecosystem *ecosystem_of_purl(struct slice type)
{
	for (size_t i = 0; i < ARRAY_LEN(ecosystems); i++)
		if (!ecosystem_is_distro(&ecosystems[i]) && slice_is(type, ecosystems[i].purl))
			return &ecosystems[i];
	return NULL;
}

static bool has_word(const char *words, struct slice word)
{
	struct slice rest = slice_of(words), one;

	while (word.n && slice_split(&rest, ' ', &one))
		if (slice_eq(one, word))
			return true;
	return false;
}

static const char *debian_number(struct slice codename)
{
	for (size_t i = 0; i < ARRAY_LEN(debian_releases); i++)
		if (slice_is(codename, debian_releases[i].codename))
			return debian_releases[i].number;
	return NULL;
}

const struct ecosystem *ecosystem_of_os(const struct vulndb_os *os, struct slice purl)
{
	for (size_t i = 0; i < ARRAY_LEN(ecosystems); i++)
		if (slice_is(purl, ecosystems[i].purl) && has_word(ecosystems[i].os, os->id))
			return &ecosystems[i];
	/* A derivative that keeps Debian's packages keeps its codename; others have versions of their own. */
	struct slice rest = os->id_like, like;
	while (slice_is(purl, "deb") && slice_split(&rest, ' ', &like))
		if (slice_is(like, "debian") && debian_number(os->codename))
			return ecosystem_of_osv(SLICE_LIT("Debian"));
	return NULL;
}

/* ---- releases ---- */

static struct slice after(struct slice s, struct slice prefix)
{
	return slice_starts(s, prefix) ? slice_sub(s, prefix.n, SIZE_MAX) : s;
}

static struct slice before(struct slice s, char c)
{
	ptrdiff_t at = slice_find_char(s, c);

	return at < 0 ? s : slice_sub(s, 0, (size_t)at);
}

/* "a:b" in lower case; just a without b. */
static struct slice join(struct slice a, struct slice b, char dst[SPACE_MAX])
{
	int n = snprintf(dst, SPACE_MAX, "%.*s%s%.*s", (int)(a.n < 256 ? a.n : 256), a.p ? a.p : "", b.n ? ":" : "",
			 (int)(b.n < 300 ? b.n : 300), b.p ? b.p : "");

	for (int i = 0; i < n; i++)
		dst[i] = (char)tolower((unsigned char)dst[i]);
	return slice_from(dst, n > 0 ? (size_t)n : 0);
}

static struct slice redhat_release(struct slice cpe)
{
	static const char *const streams[] = { "rhel_eus", "rhel_aus", "rhel_e4s", "rhel_tus", "rhel_eus_long_life" };
	struct slice rest = cpe, product = SLICE_NONE, version = SLICE_NONE;

	(void)slice_split(&rest, ':', &product);
	(void)slice_split(&rest, ':', &version);
	if (slice_is(product, "enterprise_linux") || slice_is(product, "rhel_els"))
		return version;
	for (size_t i = 0; i < ARRAY_LEN(streams); i++)
		if (slice_is(product, streams[i]))
			return version;
	return cpe; /* a layered product: no os-release asks for it */
}

/* "Linux Enterprise Server 15 SP5-LTSS" -> "15.5"; "Linux Enterprise Micro 5.4" -> "micro 5.4". */
static struct slice suse_release(struct slice product, char *dst, size_t size)
{
	char number[16] = "", pack[16] = "", word[16];
	struct slice rest = product, one;
	bool is_micro = slice_find(product, SLICE_LIT("Micro ")) >= 0;
	bool is_enterprise = slice_starts(product, SLICE_LIT("Linux Enterprise "));

	while (slice_split(&rest, ' ', &one)) {
		one = before(one, '-');
		if (!slice_copy(one, word, sizeof(word)))
			continue;
		if (isdigit((unsigned char)word[0]))
			memcpy(number, word, sizeof(number));
		else if (!strncmp(word, "SP", 2) && isdigit((unsigned char)word[2]))
			memcpy(pack, word + 2, sizeof(pack) - 2);
	}
	if (!number[0] || (!is_micro && !is_enterprise))
		return product;
	snprintf(dst, size, "%s%s%s%s", is_micro ? "micro " : "", number, pack[0] ? "." : "", pack);
	return slice_of(dst);
}

static struct slice debian_release(struct slice release)
{
	const char *number = debian_number(release);

	return number ? slice_of(number) : release;
}

/* The release as OSV, the tracker or secdb writes it, in the one form the database has. */
static struct slice plain_release(enum ecosystem_release kind, struct slice release, char *dst, size_t size)
{
	switch (kind) {
	case RELEASE_NONE:
	case RELEASE_ROLLING:
		return SLICE_NONE;
	case RELEASE_WORD:
	case RELEASE_OPENSUSE:
		return release;
	case RELEASE_MAJOR:
		return before(release, '.');
	case RELEASE_DEBIAN:
		return debian_release(release);
	case RELEASE_UBUNTU:
		return slice_ends(release, SLICE_LIT(":LTS")) ? slice_sub(release, 0, release.n - 4) : release;
	case RELEASE_ALPINE:
		return after(release, SLICE_LIT("v"));
	case RELEASE_REDHAT:
		return redhat_release(release);
	case RELEASE_SUSE:
		return suse_release(release, dst, size);
	}
	return release;
}

struct slice ecosystem_space_of_release(const struct ecosystem *e, struct slice release, char dst[SPACE_MAX])
{
	char text[64];

	return join(slice_of(e->osv), plain_release(e->release, release, text, sizeof(text)), dst);
}

struct slice ecosystem_space(const struct ecosystem *e, struct slice osv, char dst[SPACE_MAX])
{
	struct slice base = SLICE_NONE;

	if (!e)
		return join(osv, SLICE_NONE, dst);
	(void)slice_split(&osv, ':', &base);
	return ecosystem_space_of_release(e, osv, dst);
}

/* ---- what a host asks for ---- */

static void add_space(struct ecosystem_spaces *s, const struct ecosystem *e, const char *prefix, struct slice release)
{
	char text[128];

	if (s->count == SPACES_MAX || !release.n || release.n > 64)
		return;
	snprintf(text, sizeof(text), "%s%.*s", prefix, SLICE_FMT(release));
	(void)join(slice_of(e->osv), slice_of(text), s->name[s->count++]);
}

/* 3.18.4 -> 3.18; a snapshot of edge has a date: 3.19_alpha20231219. */
static struct slice alpine_release(struct slice version)
{
	ptrdiff_t first = slice_find_char(version, '.');

	if (slice_find(version, SLICE_LIT("_alpha")) >= 0)
		return SLICE_LIT("edge");
	if (first < 0)
		return version;
	struct slice minor = before(slice_sub(version, (size_t)first + 1, SIZE_MAX), '.');
	return slice_sub(version, 0, (size_t)first + 1 + minor.n);
}

static void debian_spaces(const struct ecosystem *e, const struct vulndb_os *os, struct ecosystem_spaces *ret)
{
	const char *number = debian_number(os->codename);

	/* A codename this program is too young to know stands in the database by itself. */
	if (number)
		add_space(ret, e, "", slice_of(number));
	else
		add_space(ret, e, "", os->codename);
	if (!number)
		add_space(ret, e, "", before(os->version_id, '.'));
}

void ecosystem_spaces_of_os(const struct ecosystem *e, const struct vulndb_os *os, struct ecosystem_spaces *ret)
{
	struct slice version = os->version_id;

	*ret = (struct ecosystem_spaces){ 0 };
	switch (e->release) {
	case RELEASE_NONE:
	case RELEASE_ROLLING:
		break;
	case RELEASE_WORD:
		add_space(ret, e, "", version);
		break;
	case RELEASE_MAJOR:
		add_space(ret, e, "", before(version, '.'));
		break;
	case RELEASE_DEBIAN:
		debian_spaces(e, os, ret);
		break;
	case RELEASE_UBUNTU:
		add_space(ret, e, "", version);
		add_space(ret, e, "pro:", version);
		break;
	case RELEASE_ALPINE:
		add_space(ret, e, "", alpine_release(version));
		break;
	case RELEASE_REDHAT: /* the stream of the minor release, then the release */
		if (slice_find_char(version, '.') >= 0)
			add_space(ret, e, "", version);
		add_space(ret, e, "", before(version, '.'));
		break;
	case RELEASE_OPENSUSE:
		if (slice_is(os->id, "opensuse-tumbleweed"))
			add_space(ret, e, "", SLICE_LIT("tumbleweed"));
		else
			add_space(ret, e, slice_is(os->id, "opensuse-leap") ? "leap " : "leap micro ", version);
		break;
	case RELEASE_SUSE:
		add_space(ret, e, slice_find(os->id, SLICE_LIT("micro")) >= 0 ? "micro " : "", version);
		break;
	}
	(void)join(slice_of(e->osv), SLICE_NONE, ret->name[ret->count++]); /* said of every release */
}

/* ---- names and versions ---- */

static bool is_separator(char c)
{
	return c == '-' || c == '_' || c == '.';
}

/* PEP 503: runs of - _ . are one -, letters small. */
static size_t pep503(struct slice name, char *dst)
{
	size_t n = 0;

	for (size_t i = 0; i < name.n; i++) {
		if (!is_separator(name.p[i]))
			dst[n++] = (char)tolower((unsigned char)name.p[i]);
		else if (!i || !is_separator(name.p[i - 1]))
			dst[n++] = '-';
	}
	return n;
}

static size_t lower(struct slice name, bool is_crate, char *dst)
{
	for (size_t i = 0; i < name.n; i++)
		dst[i] = is_crate && name.p[i] == '_' ? '-' : (char)tolower((unsigned char)name.p[i]);
	return name.n;
}

struct slice ecosystem_name(const struct ecosystem *e, struct slice name, char *dst, size_t size)
{
	if (!e || e->names == NAMES_EXACT || name.n > size)
		return name;
	if (e->names == NAMES_DEBIAN) /* a signed kernel has a source package of its own, the tracker names one */
		return slice_starts(name, SLICE_LIT("linux-signed-")) ? SLICE_LIT("linux") : name;
	size_t n = e->names == NAMES_PEP503 ? pep503(name, dst) : lower(name, e->names == NAMES_CRATE, dst);
	return slice_from(dst, n);
}

struct slice ecosystem_version(const struct ecosystem *e, struct slice version)
{
	size_t n = version.n;

	if (!e || strcmp(e->purl, "bitnami"))
		return version;
	while (n && isdigit((unsigned char)version.p[n - 1]))
		n--;
	return n > 1 && n < version.n && version.p[n - 1] == '-' ? slice_sub(version, 0, n - 1) : version;
}
