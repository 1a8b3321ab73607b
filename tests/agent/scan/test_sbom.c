/* sbom: what CycloneDX and SPDX documents of several tools say, and what wrong ones get. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "agent/scan/sbom.h"
#include "common/buf.h"
#include "common/text.h"
#include "proto/limits.h"
#include "tests/agent/scan/samples.h"

static struct arena *arena;

static int set_up(void **state)
{
	arena = arena_new(LIMIT_INVENTORY_ARENA_BYTES);
	return arena ? 0 : -1;
}

static int tear_down(void **state)
{
	arena_free(arena);
	return 0;
}

static struct sbom parsed(const char *text)
{
	struct sbom s = { 0 };
	struct err err;

	if (sbom_read(slice_of(text), arena, &s, &err) < 0)
		fail_msg("%s", err.msg);
	return s;
}

/* All an inventory says, a line a thing. */
static const char *shown(const Picket__Inventory *inv, struct buf *out)
{
	buf_reset(out);
	if (inv->os)
		buf_printf(out, "os %s %s %s\n", inv->os->id, inv->os->version_id, inv->os->codename);
	for (size_t i = 0; i < inv->n_layers; i++) {
		const Picket__Layer *l = inv->layers[i];

		buf_printf(out, "layer %s %s\n", l->diff_id, l->digest);
		for (size_t k = 0; k < l->n_packages; k++) {
			const Picket__Package *p = l->packages[k];

			buf_printf(out, "%s %s %s arch=%s source=%s/%s path=%.*s owner=%s%s\n", p->ecosystem,
				   p->name, p->version, p->arch, p->source, p->source_version, (int)p->path.len,
				   p->path.data ? (char *)p->path.data : "", p->owner, p->is_dev ? " dev" : "");
		}
	}
	for (size_t i = 0; i < inv->n_problems; i++)
		buf_printf(out, "problem %s\n", inv->problems[i]);
	return out->n ? out->p : "";
}

static const struct {
	const char *what, *text, *want;
} documents[] = {
	{ "Trivy's properties",
	  "{\"bomFormat\":\"CycloneDX\",\"specVersion\":\"1.5\",\"components\":["
	  "{\"type\":\"library\",\"name\":\"openssl-libs\",\"version\":\"1.0.2k-16.el7\","
	  "\"purl\":\"pkg:rpm/centos/openssl-libs@1.0.2k-16.el7?arch=x86_64&epoch=1&distro=centos-7.6.1810\","
	  "\"properties\":[{\"name\":\"aquasecurity:trivy:SrcName\",\"value\":\"openssl\"},"
	  "{\"name\":\"aquasecurity:trivy:SrcVersion\",\"value\":\"1.0.2k\"},"
	  "{\"name\":\"aquasecurity:trivy:SrcRelease\",\"value\":\"16.el7\"},"
	  "{\"value\":\"1\",\"name\":\"aquasecurity:trivy:SrcEpoch\"},"
	  "{\"name\":\"aquasecurity:trivy:LayerDiffID\",\"value\":\"sha256:8916\"},"
	  "{\"name\":\"aquasecurity:trivy:LayerDigest\",\"value\":\"sha256:ac92\"}]},"
	  "{\"type\":\"operating-system\",\"name\":\"centos\",\"version\":\"7.6.1810\"}]}",
	  "os centos 7.6.1810 \nlayer sha256:8916 sha256:ac92\n"
	  "rpm openssl-libs 1:1.0.2k-16.el7 arch=x86_64 source=openssl/ path= owner=\n" },
	{ "Syft's package URLs and properties",
	  "{\"bomFormat\":\"CycloneDX\",\"specVersion\":\"1.6\",\"components\":["
	  "{\"type\":\"library\",\"name\":\"libssl3\",\"version\":\"3.0.11-1\","
	  "\"purl\":\"pkg:deb/debian/libssl3@3.0.11-1?arch=amd64&distro=debian-12&upstream=openssl\","
	  "\"properties\":[{\"name\":\"syft:location:0:path\",\"value\":\"/var/lib/dpkg/status\"},"
	  "{\"name\":\"syft:location:0:layerID\",\"value\":\"sha256:1\"}]},"
	  "{\"type\":\"library\",\"name\":\"log4j-core\",\"purl\":\"pkg:maven/org.apache/log4j-core@2.14.1\"}]}",
	  "os debian 12 bookworm\nlayer sha256:1 \n"
	  "deb libssl3 3.0.11-1 arch=amd64 source=openssl/ path=/var/lib/dpkg/status owner=\nlayer  \n"
	  "maven org.apache:log4j-core 2.14.1 arch= source=/ path= owner=\n" },
	{ "components in components, tools and pedigrees beside them",
	  "{\"bomFormat\":\"CycloneDX\",\"specVersion\":\"1.4\",\"metadata\":{\"tools\":{\"components\":["
	  "{\"type\":\"application\",\"name\":\"syft\",\"purl\":\"pkg:golang/syft@1\"}]},"
	  "\"component\":{\"type\":\"application\",\"name\":\"app\",\"purl\":\"pkg:npm/app@1\","
	  "\"components\":[{\"purl\":\"pkg:npm/in-root@1\"}]}},"
	  "\"components\":[{\"name\":\"a\",\"components\":[{\"components\":[{\"purl\":\"pkg:npm/deep@3\"}],"
	  "\"purl\":\"pkg:npm/b@2\"}],\"purl\":\"pkg:npm/a@1\",\"pedigree\":{\"ancestors\":["
	  "{\"purl\":\"pkg:npm/old@0\"}]}}]}",
	  "layer  \nnpm in-root 1 arch= source=/ path= owner=\nnpm deep 3 arch= source=/ path= owner=\n"
	  "npm b 2 arch= source=/ path= owner=\nnpm a 1 arch= source=/ path= owner=\n" },
	{ "an image's layers and names",
	  "{\"bomFormat\":\"CycloneDX\",\"specVersion\":\"1.5\",\"metadata\":{\"component\":{\"type\":\"container\","
	  "\"name\":\"web:1\",\"properties\":[{\"name\":\"picket:DiffID\",\"value\":\"sha256:a\"},"
	  "{\"name\":\"picket:DiffID\",\"value\":\"sha256:b\"},"
	  "{\"name\":\"picket:ImageID\",\"value\":\"sha256:c\"}]}},\"components\":["
	  "{\"purl\":\"pkg:gem/x@1\",\"properties\":[{\"name\":\"picket:LayerDiffID\",\"value\":\"sha256:b\"},"
	  "{\"name\":\"picket:Owner\",\"value\":\"ruby-x\"},{\"name\":\"picket:Development\",\"value\":\"true\"},"
	  "{\"name\":\"picket:FilePath\",\"value\":\"usr/x.gemspec\"}]}]}",
	  "layer sha256:a \nlayer sha256:b \ngem x 1 arch= source=/ path=usr/x.gemspec owner=ruby-x dev\n" },
	{ "what can't be judged is told",
	  "{\"bomFormat\":\"CycloneDX\",\"specVersion\":\"1.6\",\"components\":["
	  "{\"type\":\"library\",\"name\":\"a\"},{\"type\":\"library\",\"purl\":\"pkg:x\"},"
	  "{\"type\":\"file\",\"name\":\"f\"},{\"purl\":\"pkg:oci/nginx@sha256:1\"},"
	  "{\"purl\":\"pkg:deb/debian/x@1?distro=debian-12\"},{\"purl\":\"pkg:apk/alpine/y@1?distro=3.18\"}]}",
	  "os debian 12 bookworm\nlayer  \ndeb x 1 arch= source=/ path= owner=\napk y 1 arch= source=/ path= owner=\n"
	  "problem components without a package URL, not judged: 1\n"
	  "problem wrong package URLs: 1, the first 'pkg:x': no 'pkg:TYPE/NAME'\n"
	  "problem packages of more than one distribution; all are judged by the first's advisories\n" },
	{ "Trivy's SPDX",
	  "{\"spdxVersion\":\"SPDX-2.3\",\"SPDXID\":\"SPDXRef-DOCUMENT\",\"packages\":["
	  "{\"SPDXID\":\"SPDXRef-ContainerImage-1\",\"name\":\"centos-7.tar.gz\",\"attributionTexts\":["
	  "\"ImageID: sha256:f\",\"DiffID: sha256:8916\",\"RepoTag: r:centos-7\"],"
	  "\"primaryPackagePurpose\":\"CONTAINER\"},"
	  "{\"SPDXID\":\"SPDXRef-OperatingSystem-2\",\"name\":\"centos\",\"versionInfo\":\"7.6.1810\"},"
	  "{\"SPDXID\":\"SPDXRef-Package-3\",\"name\":\"openssl-libs\",\"versionInfo\":\"1.0.2k\","
	  "\"sourceInfo\":\"built package from: openssl 1:1.0.2k-19.el7\",\"externalRefs\":["
	  "{\"referenceCategory\":\"SECURITY\",\"referenceType\":\"cpe23Type\",\"referenceLocator\":\"cpe:2.3:a\"},"
	  "{\"referenceLocator\":\"pkg:rpm/centos/openssl-libs@1.0.2k-16.el7?arch=x86_64&epoch=1&distro=centos-7.6.1810\","
	  "\"referenceType\":\"purl\",\"referenceCategory\":\"PACKAGE-MANAGER\"}],"
	  "\"attributionTexts\":[\"PkgID: x\",\"LayerDiffID: sha256:8916\"]}],\"relationships\":[]}",
	  "os centos 7.6.1810 \nlayer sha256:8916 \n"
	  "rpm openssl-libs 1:1.0.2k-16.el7 arch=x86_64 source=openssl/1:1.0.2k-19.el7 path= owner=\n" },
	{ "Debian's point release is not a version that advisories know",
	  "{\"bomFormat\":\"CycloneDX\",\"specVersion\":\"1.6\",\"components\":["
	  "{\"type\":\"operating-system\",\"name\":\"Debian GNU/Linux\",\"version\":\"12.5\"}]}",
	  "os debian 12 bookworm\n" },
};

static void documents_of_several_tools_are_understood(void **state)
{
	CLEANUP(buf_finip) struct buf out = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(documents); i++) {
		arena_reset(arena);
		struct sbom s = parsed(documents[i].text);
		const char *got = shown(s.inventory, &out);

		if (strcmp(got, documents[i].want) != 0)
			fail_msg("%s:\n%s\ninstead of\n%s", documents[i].what, got, documents[i].want);
	}
}

static void what_is_no_bill_of_materials_is_refused(void **state)
{
	static const struct {
		const char *text;
		int code;
		const char *says;
	} rows[] = {
		{ "{}", ERR_SYNTAX, "neither" },
		{ "[]", ERR_SYNTAX, "neither" },
		{ "", ERR_SYNTAX, "byte 0" },
		{ "<bom/>", ERR_SYNTAX, "XML" },
		{ "{\"bomFormat\":\"CycloneDX\",\"specVersion\":\"2.0\"}", ERR_VERSION, "'2.0'" },
		{ "{\"bomFormat\":\"CycloneDX\"}", ERR_VERSION, "''" },
		{ "{\"spdxVersion\":\"SPDX-2.1\"}", ERR_VERSION, "'SPDX-2.1'" },
		{ "{\"@context\":\"https://spdx.org/rdf/3.0.1/spdx-context.jsonld\"}", ERR_VERSION, "SPDX 3" },
		{ "{\"bomFormat\":\"CycloneDX\",\"components\":[{\"name\":\"a\\u0000b\"}]}", ERR_SYNTAX, "NUL" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct sbom s;
		struct err err;

		if (sbom_read(slice_of(rows[i].text), arena, &s, &err) != -rows[i].code || !strstr(err.msg, rows[i].says))
			fail_msg("%s: %s", rows[i].text, err.msg);
	}
}

static void sizes_are_bounded(void **state)
{
	CLEANUP(buf_finip) struct buf text = { 0 };
	CLEANUP(buf_finip) struct buf out = { 0 };
	struct sbom s;
	struct err err;

	buf_init(&text, 0);
	buf_add_str(&text, "{\"bomFormat\":\"CycloneDX\",\"specVersion\":\"1.6\",\"components\":[");
	buf_printf(&text, "{\"purl\":\"pkg:npm/a@1\",\"version\":\"%02000d\"},", 0);
	buf_printf(&text, "{\"purl\":\"pkg:npm/%02000d@1\"},", 0);
	for (int i = 0; i < LIMIT_LAYERS + 8; i++)
		buf_printf(&text, "{\"purl\":\"pkg:npm/a@1\",\"properties\":[{\"name\":\"picket:LayerDiffID\",\"value\":\"%d\"}]},", i);
	buf_add_str(&text, "{\"purl\":\"pkg:npm/last@1\"}]}");
	assert_int_equal(sbom_read(buf_slice(&text), arena, &s, &err), 0);
	assert_int_equal(s.inventory->n_layers, LIMIT_LAYERS);
	assert_non_null(strstr(shown(s.inventory, &out), "problem components with a name or version of more than 1024 bytes: 1\n"));
	assert_non_null(strstr(out.p, "problem more layers than an image can have"));
	assert_int_equal(s.package_count, LIMIT_LAYERS + 8 + 2);

	/* an arena that is too small is an error, whatever is being made */
	for (size_t cap = 1024; cap < 200000; cap += 5003) {
		CLEANUP(arena_freep) struct arena *small = arena_new(cap);
		int r = sbom_read(buf_slice(&text), small, &s, &err);

		assert_true(r == 0 || r == -ERR_LIMIT);
	}
}

static void broken_documents_end_in_an_error(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(documents); i++) {
		struct slice text = slice_of(documents[i].text);

		for (size_t n = 0; n < text.n; n += 7) {
			CLEANUP(freep) char *cut = slice_dup(slice_sub(text, 0, n));
			struct sbom s;

			arena_reset(arena);
			assert_true(sbom_read(slice_from(cut, n), arena, &s, NULL) < 0);
			if (!n)
				continue;
			CLEANUP(freep) char *bent = slice_dup(text);
			bent[n] ^= 1 << n % 7;
			(void)!sbom_read(slice_from(bent, text.n), arena, &s, NULL);
		}
	}
}

static void refs_stand_in_the_order_of_the_packages(void **state)
{
	struct sbom s = parsed("{\"bomFormat\":\"CycloneDX\",\"specVersion\":\"1.6\",\"serialNumber\":\"urn:uuid:1\",\"components\":["
			       "{\"bom-ref\":\"one\",\"purl\":\"pkg:npm/a@1\"},{\"bom-ref\":\"two\",\"purl\":\"pkg:npm/b@1\","
			       "\"properties\":[{\"name\":\"picket:LayerDiffID\",\"value\":\"x\"}]},"
			       "{\"bom-ref\":\"three\",\"purl\":\"pkg:npm/c@1\"}]}");

	assert_int_equal(s.package_count, 3);
	assert_true(slice_is(s.refs[0], "one") && slice_is(s.refs[1], "three") && slice_is(s.refs[2], "two"));
	assert_true(slice_is(s.serial, "urn:uuid:1") && slice_is(s.format, "CycloneDX 1.6"));
}

/* Real documents, where they are; how many components with a package URL each has was counted with jq. */
static const struct {
	const char *file;
	size_t packages;
} real[] = {
	{ "SBOM/laravel-7.12.0/bom.1.2.json", 62 },
	{ "SBOM/laravel-7.12.0/bom.1.3.json", 62 },
	{ "SBOM/laravel-7.12.0/bom.1.4.json", 62 },
	{ "SBOM/dropwizard-1.3.15/bom.json", 167 },
	{ "SBOM/juice-shop/v11.1.2/bom.json", 840 },
	{ "SBOM/juice-shop/via_npm/bare/bom.1.4.json", 1115 },
	{ "SBOM/juice-shop/via_npm/flat/bom.1.4.json", 1115 },
	{ "SBOM/keycloak-10.0.2/bom.json", 903 },
	{ "SBOM/cern-lhc-vdm-editor-e564943/bom.json", 43 },
	{ "SBOM/proton-bridge/proton-bridge-v1.8.0.bom.json", 201 },
	{ "SBOM/protonmail-webclient-v4-0912dff/bom.json", 883 },
};

static void real_documents_are_read_whole(void **state)
{
	CLEANUP(buf_finip) struct buf text = { 0 };

	if (access(SAMPLES_ZIP, R_OK) < 0) {
		print_message("%s is not there\n", SAMPLES_ZIP);
		skip();
	}
	for (size_t i = 0; i < ARRAY_LEN(real); i++) {
		arena_reset(arena);
		assert_int_equal(sample_read(real[i].file, &text), 0);
		struct sbom s = parsed(text.p);

		if (s.package_count != real[i].packages || s.inventory->n_problems)
			fail_msg("%s: %zu packages instead of %zu; %s", real[i].file, s.package_count, real[i].packages,
				 s.inventory->n_problems ? s.inventory->problems[0] : "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(documents_of_several_tools_are_understood),
		cmocka_unit_test(what_is_no_bill_of_materials_is_refused),
		cmocka_unit_test(sizes_are_bounded),
		cmocka_unit_test(broken_documents_end_in_an_error),
		cmocka_unit_test(refs_stand_in_the_order_of_the_packages),
		cmocka_unit_test(real_documents_are_read_whole),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
