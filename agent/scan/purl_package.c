/* purl_package.c - packages as purls and back. See purl.h. */
#include "agent/scan/purl.h"

#include "agent/scan/os_names.h"

bool purl_is_os(struct slice ecosystem)
{
	return slice_is(ecosystem, "deb") || slice_is(ecosystem, "apk") || slice_is(ecosystem, "rpm");
}

static void add_qualifier(struct purl *p, const char *key, struct slice value)
{
	if (value.n && p->qualifier_count < PURL_QUALIFIERS_MAX)
		p->qualifiers[p->qualifier_count++] = (struct purl_qualifier){ slice_of(key), value };
}

/* What stands before and after the last c; all of it is the name when there is none. */
static void split_name(struct slice s, char c, struct purl *p)
{
	const char *at = s.n ? memrchr(s.p, c, s.n) : NULL;

	if (!at || at == s.p) {
		p->name = s;
		return;
	}
	p->space = slice_sub(s, 0, (size_t)(at - s.p));
	p->name = slice_sub(s, p->space.n + 1, s.n);
}

/* rpm's epoch has a qualifier of its own. */
static void split_epoch(struct purl *p)
{
	ptrdiff_t colon = slice_find_char(p->version, ':');

	if (colon <= 0)
		return;
	add_qualifier(p, "epoch", slice_sub(p->version, 0, (size_t)colon));
	p->version = slice_sub(p->version, (size_t)colon + 1, p->version.n);
}

static struct slice made(char *text)
{
	return text ? slice_of(text) : SLICE_NONE;
}

static void add_distro(struct purl *p, const Picket__OsRelease *os, struct arena *a)
{
	if (!os || !os->id || !os->id[0])
		return;
	/* Red Hat's own documents, Trivy and Syft call it so */
	p->space = strcmp(os->id, "rhel") != 0 ? slice_of(os->id) : SLICE_LIT("redhat");
	if (os->version_id && os->version_id[0])
		add_qualifier(p, "distro", made(arena_printf(a, "%s-%s", os->id, os->version_id)));
	else if (os->codename && os->codename[0])
		add_qualifier(p, "distro", made(arena_printf(a, "%s-%s", os->id, os->codename)));
}

/* "upstream" is how Syft writes the source package, and Grype and others read it. */
static void add_upstream(struct purl *p, const Picket__Package *pkg, struct arena *a)
{
	const char *source = pkg->source && pkg->source[0] ? pkg->source : pkg->name;
	bool other_name = strcmp(source, pkg->name) != 0;
	bool other_version = pkg->source_version && pkg->source_version[0] &&
			     strcmp(pkg->source_version, pkg->version) != 0;

	if (other_version)
		add_qualifier(p, "upstream", made(arena_printf(a, "%s@%s", source, pkg->source_version)));
	else if (other_name)
		add_qualifier(p, "upstream", slice_of(source));
}

/* As Python's index has it: lower case, dashes. */
static struct slice pypi_name(struct slice name, struct arena *a)
{
	char *dst = arena_dup(a, name);

	if (!dst)
		return name;
	for (char *c = dst; *c; c++) {
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
		else if (*c == '_')
			*c = '-';
	}
	return slice_of(dst);
}

struct purl purl_of_package(const Picket__Package *pkg, const Picket__OsRelease *os, struct arena *a)
{
	struct purl p = { .type = slice_of(pkg->ecosystem), .version = slice_of(pkg->version) };
	bool is_os = purl_is_os(p.type);

	if (is_os)
		p.name = slice_of(pkg->name);
	else if (slice_is(p.type, "pypi"))
		p.name = pypi_name(slice_of(pkg->name), a);
	else
		split_name(slice_of(pkg->name), slice_is(p.type, "maven") ? ':' : '/', &p);
	if (slice_is(p.type, "rpm"))
		split_epoch(&p);
	if (!is_os)
		return p;
	add_qualifier(&p, "arch", slice_of(pkg->arch));
	add_distro(&p, os, a);
	add_upstream(&p, pkg, a);
	return p;
}

struct purl purl_of_source(const Picket__Package *pkg, const Picket__OsRelease *os, struct arena *a)
{
	bool has_source = pkg->source && pkg->source[0];
	bool has_version = pkg->source_version && pkg->source_version[0];
	struct purl p = { .type = slice_of(pkg->ecosystem),
			  .name = slice_of(has_source ? pkg->source : pkg->name),
			  .version = slice_of(has_version ? pkg->source_version : pkg->version) };

	add_qualifier(&p, "arch", SLICE_LIT("source"));
	add_distro(&p, os, a);
	return p;
}

/* ---- a purl as a package ---- */

static int joined(struct arena *a, struct slice *ret, struct err *err, struct slice x, const char *between,
		  struct slice y)
{
	char *text = arena_printf(a, "%.*s%s%.*s", SLICE_FMT(x), x.n ? between : "", SLICE_FMT(y));

	if (!text)
		return err_set(err, ERR_LIMIT, "no room for more packages");
	*ret = slice_of(text);
	return 0;
}

/* "debian-12", "3.18.4", "opensuse-leap-15.4", "debian-bookworm", "bookworm". The namespace says which
 * distribution where the text does not. */
static void read_distro(struct slice distro, struct slice space, struct purl_package *ret)
{
	struct slice rest = distro;
	ptrdiff_t dash = -1;

	for (size_t i = 0; i + 1 < distro.n; i++) {
		if (distro.p[i] == '-' && distro.p[i + 1] >= '0' && distro.p[i + 1] <= '9')
			dash = (ptrdiff_t)i;
	}
	if (dash < 0 && slice_starts(distro, space) && space.n < distro.n && distro.p[space.n] == '-')
		dash = (ptrdiff_t)space.n;
	ret->os_id = space;
	if (dash > 0) {
		ret->os_id = slice_sub(distro, 0, (size_t)dash);
		rest = slice_sub(distro, (size_t)dash + 1, distro.n);
	}
	ret->os_id = os_names_id(ret->os_id);
	if (rest.n && rest.p[0] >= '0' && rest.p[0] <= '9')
		ret->os_version = rest;
	else
		ret->os_codename = rest;
}

/* "openssl@3.0.11-1", "openssl", or the file "openssl-3.0.7-24.el9.src.rpm". */
static void read_upstream(struct slice upstream, struct purl_package *ret)
{
	ptrdiff_t at = slice_find_char(upstream, '@');

	if (slice_ends(upstream, SLICE_LIT(".src.rpm"))) {
		struct slice s = slice_sub(upstream, 0, upstream.n - 8);
		const char *release = s.n ? memrchr(s.p, '-', s.n) : NULL;
		const char *version = release && release > s.p
					      ? memrchr(s.p, '-', (size_t)(release - s.p))
					      : NULL;

		if (!version || version == s.p)
			return;
		ret->source = slice_sub(s, 0, (size_t)(version - s.p));
		ret->source_version = slice_sub(s, ret->source.n + 1, s.n);
		return;
	}
	ret->source = slice_sub(upstream, 0, at < 0 ? upstream.n : (size_t)at);
	if (at >= 0)
		ret->source_version = slice_sub(upstream, (size_t)at + 1, upstream.n);
}

int purl_to_package(const struct purl *p, struct arena *a, struct purl_package *ret, struct err *err)
{
	struct purl_package out = { .ecosystem = p->type, .name = p->name, .version = p->version };
	struct slice epoch = purl_get(p, "epoch");
	int r = 0;

	if (!purl_is_os(p->type)) {
		r = joined(a, &out.name, err, p->space, slice_is(p->type, "maven") ? ":" : "/", p->name);
		if (r >= 0)
			*ret = out;
		return r;
	}
	if (epoch.n && !slice_is(epoch, "0") && slice_find_char(p->version, ':') < 0)
		r = joined(a, &out.version, err, epoch, ":", p->version);
	if (r < 0)
		return r;
	out.arch = purl_get(p, "arch");
	read_distro(purl_get(p, "distro"), p->space, &out);
	read_upstream(purl_get(p, "upstream"), &out);
	*ret = out;
	return 0;
}
