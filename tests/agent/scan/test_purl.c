/* purl: what is read and written, which purl speaks of which package, and what must be refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "agent/scan/purl.h"
#include "common/text.h"

static struct arena *arena;

static int set_up(void **state)
{
	arena = arena_new(1 << 20);
	return arena ? 0 : -1;
}

static int tear_down(void **state)
{
	arena_free(arena);
	return 0;
}

static struct purl parsed(const char *text)
{
	struct purl p = { 0 };
	struct err err;

	if (purl_parse(slice_of(text), arena, &p, &err) < 0)
		fail_msg("'%s': %s", text, err.msg);
	return p;
}

static void expect(struct slice got, const char *want, const char *text)
{
	if (!slice_is(got, want))
		fail_msg("'%s': '%.*s' instead of '%s'", text, SLICE_FMT(got), want);
}

static void each_part_is_read_and_written_back(void **state)
{
	static const struct {
		const char *text, *type, *space, *name, *version, *subpath, *canonical;
	} rows[] = {
		{ "pkg:deb/debian/curl@7.50.3-1?arch=i386&distro=jessie", "deb", "debian", "curl",
		  "7.50.3-1", "", NULL },
		{ "pkg:deb/debian/attr@1:2.4.47-2%2Bb1?arch=amd64", "deb", "debian", "attr",
		  "1:2.4.47-2+b1", "", NULL },
		{ "pkg:deb/debian/attr@1%3A2.4.47-2", "deb", "debian", "attr", "1:2.4.47-2", "",
		  "pkg:deb/debian/attr@1:2.4.47-2" },
		{ "pkg:npm/%40angular/animation@12.3.1", "npm", "@angular", "animation", "12.3.1", "", NULL },
		{ "pkg:npm/@angular/animation@12.3.1", "npm", "@angular", "animation", "12.3.1", "",
		  "pkg:npm/%40angular/animation@12.3.1" },
		{ "pkg:npm/@angular/animation", "npm", "@angular", "animation", "", "",
		  "pkg:npm/%40angular/animation" },
		{ "pkg:golang/google.golang.org/genproto@abcdef#googleapis/api/annotations", "golang",
		  "google.golang.org", "genproto", "abcdef", "googleapis/api/annotations", NULL },
		{ "pkg:golang/stdlib@1.21.0", "golang", "", "stdlib", "1.21.0", "", NULL },
		{ "PKG://Maven/org.apache/io@1.3.4?Type=zip&classifier=dist", "maven", "org.apache", "io",
		  "1.3.4", "", "pkg:maven/org.apache/io@1.3.4?classifier=dist&type=zip" },
		{ "pkg:oci/nginx@sha256%3A13d2?tag=1", "oci", "", "nginx", "sha256:13d2", "",
		  "pkg:oci/nginx@sha256:13d2?tag=1" },
		{ "pkg:pypi/a@1?empty=&b&c=d", "pypi", "", "a", "1", "", "pkg:pypi/a@1?c=d" },
		{ "pkg:gem//a/b//", "gem", "a", "b", "", "", "pkg:gem/a/b" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct purl p = parsed(rows[i].text);
		CLEANUP(buf_finip) struct buf out = { 0 };

		buf_init(&out, 0);
		expect(p.type, rows[i].type, rows[i].text);
		expect(p.space, rows[i].space, rows[i].text);
		expect(p.name, rows[i].name, rows[i].text);
		expect(p.version, rows[i].version, rows[i].text);
		expect(p.subpath, rows[i].subpath, rows[i].text);
		purl_write(&p, &out);
		expect(buf_slice(&out), rows[i].canonical ? rows[i].canonical : rows[i].text, rows[i].text);
	}
}

static void what_is_no_purl_is_refused(void **state)
{
	static const char *const rows[] = {
		"", "pkg", "pkg:", "pkg:deb", "pkg:deb/", "pkg:deb//", "pkg:/deb", "EnterpriseLibrary@6",
		"pkg:EnterpriseLibrary.Common@6.0.1304", "pkg:n&g?inx/nginx@0.8.9", "pkg:3nginx/nginx@0.8.9",
		"pkg:nginx:a/nginx@0.8.9", "pkg:npm/a@1?in%20production=true", "pkg:maven/@1.3.4",
		"pkg%3Amaven/org.apache.commons/io", "pkg:deb/a%", "pkg:deb/a%4", "pkg:deb/a%zz",
		"pkg:deb/a%00b", "pkg:deb/a@%00", "pkg:deb/a?k=%00", "pkg:deb/a#%00", "pkg:deb/a?=1",
		"pkg:deb/a?arch=b&Arch=c",
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct purl p;
		struct err err;

		if (purl_parse(slice_of(rows[i]), arena, &p, &err) != -ERR_SYNTAX)
			fail_msg("'%s' was taken", rows[i]);
	}
}

static void sizes_are_bounded(void **state)
{
	static char text[PURL_TEXT_MAX + 2] = "pkg:deb/";
	struct purl p;
	struct err err;

	memset(text + 8, 'a', sizeof(text) - 9);
	assert_int_equal(purl_parse(slice_from(text, PURL_TEXT_MAX), arena, &p, &err), 0);
	assert_int_equal(purl_parse(slice_from(text, PURL_TEXT_MAX + 1), arena, &p, &err), -ERR_LIMIT);
	strcpy(text + 9, "?");
	for (int i = 0; i < PURL_QUALIFIERS_MAX + 1; i++)
		snprintf(text + strlen(text), 8, "k%c=v&", 'a' + i);
	assert_int_equal(purl_parse(slice_of(text), arena, &p, &err), -ERR_LIMIT);
	struct arena *tiny = arena_new(8);
	assert_int_equal(purl_parse(SLICE_LIT("pkg:deb/debian/curl@7.50.3-1"), tiny, &p, &err), -ERR_LIMIT);
	arena_free(tiny);
}

static void random_bytes_are_read_or_refused(void **state)
{
	for (int i = 0; i < 20000; i++) {
		static const char some[] = "pkg:deb/@?&=#%41 \xff";
		char text[64] = "pkg:";
		uint8_t raw[60];
		struct purl p;

		text_random(raw, sizeof(raw));
		for (size_t k = 0; k < sizeof(raw); k++)
			text[4 + k] = i % 2 ? (char)raw[k] : some[raw[k] % (sizeof(some) - 1)];
		arena_reset(arena);
		(void)!purl_parse(slice_from(text, 4 + raw[0] % 60), arena, &p, NULL);
	}
}

static void a_purl_speaks_of_what_has_all_that_it_has(void **state)
{
	static const struct {
		const char *pattern, *purl;
		bool covers;
	} rows[] = {
		{ "pkg:deb/debian/curl", "pkg:deb/debian/curl@1?arch=amd64", true },
		{ "pkg:deb/debian/curl@1", "pkg:deb/debian/curl@1?arch=amd64", true },
		{ "pkg:deb/debian/curl@1?arch=amd64", "pkg:deb/debian/curl@1?arch=amd64&distro=debian-12", true },
		{ "pkg:deb/debian/curl@2", "pkg:deb/debian/curl@1", false },
		{ "pkg:deb/debian/curl@1", "pkg:deb/debian/curl", false },
		{ "pkg:deb/ubuntu/curl", "pkg:deb/debian/curl@1", false },
		{ "pkg:deb/debian/Curl", "pkg:deb/debian/curl@1", false },
		{ "pkg:rpm/debian/curl", "pkg:deb/debian/curl@1", false },
		{ "pkg:deb/debian/curl?arch=arm64", "pkg:deb/debian/curl@1?arch=amd64", false },
		{ "pkg:deb/debian/curl?arch=arm64", "pkg:deb/debian/curl@1", false },
		{ "pkg:pypi/Typing_Extensions", "pkg:pypi/typing-extensions@1", true },
		{ "pkg:pypi/typingextensions", "pkg:pypi/typing-extensions@1", false },
		{ "pkg:golang/github.com/Masterminds/goutils", "pkg:golang/github.com/masterminds/goutils@v1", true },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct purl a = parsed(rows[i].pattern), b = parsed(rows[i].purl);

		if (purl_covers(&a, &b) != rows[i].covers)
			fail_msg("'%s' %s '%s'", rows[i].pattern, rows[i].covers ? "misses" : "covers", rows[i].purl);
	}
}

static Picket__Package package(const char *ecosystem, const char *name, const char *version, const char *arch,
			       const char *source, const char *source_version)
{
	Picket__Package p = PICKET__PACKAGE__INIT;

	p.ecosystem = (char *)(uintptr_t)ecosystem;
	p.name = (char *)(uintptr_t)name;
	p.version = (char *)(uintptr_t)version;
	p.arch = (char *)(uintptr_t)arch;
	p.source = (char *)(uintptr_t)source;
	p.source_version = (char *)(uintptr_t)source_version;
	return p;
}

static const struct {
	const char *ecosystem, *name, *version, *arch, *source, *source_version, *purl;
} packages[] = {
	{ "deb", "libssl3", "3.0.11-1~deb12u2", "amd64", "openssl", "", "pkg:deb/debian/libssl3@3.0.11-1~deb12u2?arch=amd64&distro=debian-12&upstream=openssl" },
	{ "deb", "libx", "1:2.0-1+b1", "amd64", "x", "1:2.0-1", "pkg:deb/debian/libx@1:2.0-1%2Bb1?arch=amd64&distro=debian-12&upstream=x%401:2.0-1" },
	{ "deb", "x", "2+b1", "all", "", "2", "pkg:deb/debian/x@2%2Bb1?arch=all&distro=debian-12&upstream=x%402" },
	{ "apk", "libcrypto3", "3.1.0-r4", "x86_64", "openssl", "", "pkg:apk/debian/libcrypto3@3.1.0-r4?arch=x86_64&distro=debian-12&upstream=openssl" },
	{ "rpm", "openssl-libs", "1:3.0.7-24.el9", "x86_64", "openssl", "3.0.7-24.el9", "pkg:rpm/debian/openssl-libs@3.0.7-24.el9?arch=x86_64&distro=debian-12&epoch=1&upstream=openssl%403.0.7-24.el9" },
	{ "npm", "@babel/core", "7.0.0", "", "", "", "pkg:npm/%40babel/core@7.0.0" },
	{ "npm", "lodash", "4.17.4", "", "", "", "pkg:npm/lodash@4.17.4" },
	{ "golang", "github.com/a/b/v2", "v2.0.1", "", "", "", "pkg:golang/github.com/a/b/v2@v2.0.1" },
	{ "golang", "stdlib", "1.21.0", "", "", "", "pkg:golang/stdlib@1.21.0" },
	{ "maven", "org.apache.logging.log4j:log4j-core", "2.14.1", "", "", "", "pkg:maven/org.apache.logging.log4j/log4j-core@2.14.1" },
	{ "composer", "symfony/http-kernel", "v5.0", "", "", "", "pkg:composer/symfony/http-kernel@v5.0" },
	{ "pypi", "typing-extensions", "3.2", "", "", "", "pkg:pypi/typing-extensions@3.2" },
	{ "nuget", "Newtonsoft.Json", "12.0.1", "", "", "", "pkg:nuget/Newtonsoft.Json@12.0.1" },
};

static void a_package_becomes_a_purl_and_comes_back(void **state)
{
	Picket__OsRelease os = PICKET__OS_RELEASE__INIT;
	char id[] = "debian", version[] = "12";

	os.id = id;
	os.version_id = version;
	for (size_t i = 0; i < ARRAY_LEN(packages); i++) {
		Picket__Package pkg = package(packages[i].ecosystem, packages[i].name, packages[i].version,
					      packages[i].arch, packages[i].source, packages[i].source_version);
		struct purl p = purl_of_package(&pkg, &os, arena);
		CLEANUP(buf_finip) struct buf text = { 0 };
		struct purl_package back;
		struct err err;

		buf_init(&text, 0);
		purl_write(&p, &text);
		expect(buf_slice(&text), packages[i].purl, packages[i].name);
		p = parsed(text.p);
		assert_int_equal(purl_to_package(&p, arena, &back, &err), 0);
		expect(back.ecosystem, packages[i].ecosystem, text.p);
		expect(back.name, packages[i].name, text.p);
		expect(back.version, packages[i].version, text.p);
		expect(back.arch, packages[i].arch, text.p);
		expect(back.source_version, packages[i].source_version, text.p);
		if (purl_is_os(back.ecosystem)) {
			expect(back.os_id, "debian", text.p);
			expect(back.os_version, "12", text.p);
		}
	}
}

static void python_names_are_written_as_their_index_has_them(void **state)
{
	Picket__Package pkg = package("pypi", "Typing_Extensions", "4.1", "", "", "");
	struct purl p = purl_of_package(&pkg, NULL, arena);

	expect(p.name, "typing-extensions", pkg.name);
}

static void distributions_are_read_as_other_tools_write_them(void **state)
{
	static const struct {
		const char *purl, *id, *version, *codename, *source, *source_version;
	} rows[] = {
		{ "pkg:apk/alpine/a@1?distro=3.18.4", "alpine", "3.18.4", "", "", "" },
		{ "pkg:apk/alpine/a@1?distro=alpine-3.18.4", "alpine", "3.18.4", "", "", "" },
		{ "pkg:rpm/redhat/a@1?distro=redhat-8.4", "rhel", "8.4", "", "", "" },
		{ "pkg:rpm/opensuse/a@1?distro=opensuse-leap-15.4", "opensuse-leap", "15.4", "", "", "" },
		{ "pkg:rpm/opensuse.leap/a@1?distro=opensuse.leap-15.4", "opensuse-leap", "15.4", "", "", "" },
		{ "pkg:deb/debian/a@1?distro=bookworm", "debian", "", "bookworm", "", "" },
		{ "pkg:deb/debian/a@1?distro=debian-bookworm", "debian", "", "bookworm", "", "" },
		{ "pkg:deb/debian/a@1", "debian", "", "", "", "" },
		{ "pkg:rpm/rhel/a@1?upstream=open-ssl-3.0.7-24.el9.src.rpm", "rhel", "", "", "open-ssl", "3.0.7-24.el9" },
		{ "pkg:rpm/rhel/a@1?upstream=.src.rpm", "rhel", "", "", "", "" },
		{ "pkg:deb/debian/a@1?upstream=b", "debian", "", "", "b", "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct purl p = parsed(rows[i].purl);
		struct purl_package got;

		assert_int_equal(purl_to_package(&p, arena, &got, NULL), 0);
		expect(got.os_id, rows[i].id, rows[i].purl);
		expect(got.os_version, rows[i].version, rows[i].purl);
		expect(got.os_codename, rows[i].codename, rows[i].purl);
		expect(got.source, rows[i].source, rows[i].purl);
		expect(got.source_version, rows[i].source_version, rows[i].purl);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_part_is_read_and_written_back),
		cmocka_unit_test(what_is_no_purl_is_refused),
		cmocka_unit_test(sizes_are_bounded),
		cmocka_unit_test(random_bytes_are_read_or_refused),
		cmocka_unit_test(a_purl_speaks_of_what_has_all_that_it_has),
		cmocka_unit_test(a_package_becomes_a_purl_and_comes_back),
		cmocka_unit_test(python_names_are_written_as_their_index_has_them),
		cmocka_unit_test(distributions_are_read_as_other_tools_write_them),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
