/* test_images.c - images and vulnerabilities over the real HTTPS API. */
#include "tests/collector/api/asked.h"

#include "tests/collector/served_images.h"

static int start(void **state)
{
	served_prepare(&srv);
	served_images(srv.p.store, srv.p.dir, srv.loop, SERVED_AGENT);
	served_run_api(&srv);
	return 0;
}

static void images_are_listed_and_filtered(void **state)
{
	cJSON *doc = get_doc("/api/v1/images");

	assert_int_equal(cJSON_GetArraySize(at(doc, "items")), 3);
	/* those that run are first, and the newest seen of them */
	text_is(doc, "items.0.id", SERVED_WEB);
	text_is(doc, "items.0.name", "web:1");
	text_is(doc, "items.0.os.codename", "bookworm");
	number_is(doc, "items.0.summary.critical", 1);
	number_is(doc, "items.0.summary.high", 2);
	number_is(doc, "items.0.kev", 1);
	number_is(doc, "items.0.packages", 4);
	assert_true(cJSON_IsTrue(at(doc, "items.0.newer_image")));
	assert_true(cJSON_IsTrue(at(doc, "items.0.exposed")));
	cJSON_Delete(doc);
	doc = get_doc("/api/v1/images?filter=running%3Ano%20package%3Dbash&limit=1");
	text_is(doc, "items.0.id", SERVED_DB);
	cJSON_Delete(doc);
}

static void an_image_says_all_that_is_known_of_it(void **state)
{
	cJSON *doc = get_doc("/api/v1/images/web%3A1");

	text_is(doc, "id", SERVED_WEB);
	text_is(doc, "config.exposed_ports.0", "80/tcp");
	text_is(doc, "config.secret_env.0", "AWS_SECRET");
	text_is(doc, "config.setid_files.0.mode", "4755");
	number_is(doc, "layers.1.packages", 2);
	text_is(doc, "runs.0.host", "host-07");
	text_is(doc, "runs.0.container.id", "c0ffee");
	text_is(doc, "runs.0.ports.0", "80/tcp");
	assert_true(cJSON_IsTrue(at(doc, "registry.0.newer")));
	text_is(doc, "registry.0.image", SERVED_NEW);
	number_is(doc, "registry.0.fixes", 4);
	number_is(doc, "registry.0.adds", 0);
	text_is(doc, "fixed_by_newer.0.package", "bash");
	cJSON_Delete(doc);
	/* by the beginning of its id, and by a digest */
	doc = get_doc("/api/v1/images/aaaaaaaaaaaa");
	text_is(doc, "id", SERVED_WEB);
	cJSON_Delete(doc);
	doc = get_doc("/api/v1/images/sha256%3Anew");
	text_is(doc, "id", SERVED_NEW);
	cJSON_Delete(doc);
}

static void packages_and_vulnerabilities_come_in_pages(void **state)
{
	char path[200], cursor[64] = "";
	unsigned rows = 0;

	do {
		snprintf(path, sizeof(path), "/api/v1/images/web%%3A1/packages?limit=3%s%s", cursor[0] ? "&cursor=" : "", cursor);
		cJSON *doc = get_doc(path);
		rows += (unsigned)cJSON_GetArraySize(at(doc, "items"));
		slice_copy(json_get_str(doc, "cursor"), cursor, sizeof(cursor));
		cJSON_Delete(doc);
	} while (cursor[0]);
	assert_int_equal(rows, 4);
	cJSON *doc = get_doc("/api/v1/images/web%3A1/vulns?limit=2");
	/* exploited first, then what runs */
	text_is(doc, "items.0.id", "CVE-2026-0002");
	assert_true(cJSON_IsTrue(at(doc, "items.0.kev")));
	text_is(doc, "items.1.id", "CVE-2026-0003");
	text_is(doc, "items.1.package", "lodash");
	text_is(doc, "items.1.installed", "4.17.20");
	text_is(doc, "items.1.fixed", "4.17.21");
	text_is(doc, "items.1.used", "executed");
	text_is(doc, "items.1.use.host", "host-07");
	text_is(doc, "items.1.severity", "critical");
	text_is(doc, "items.1.status", "fixed");
	text_is(doc, "items.1.urls.0", "https://advisories.example/3");
	number_is(doc, "items.1.layer", 1);
	text_is(doc, "cursor", "2");
	cJSON_Delete(doc);
}

static void vulnerabilities_are_listed_urgent_first(void **state)
{
	static const struct {
		const char *filter, *first;
		int count;
	} cases[] = { { "", "CVE-2026-0002", 3 },
		      { "kev:no", "CVE-2026-0003", 2 },
		      { "used:yes", "CVE-2026-0003", 1 },
		      { "severity%3E%3Dhigh", "CVE-2026-0003", 2 },
		      { "image~db", "CVE-2026-0002", 2 },
		      { "image~db%20running:yes", NULL, 0 } };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char path[200];

		snprintf(path, sizeof(path), "/api/v1/vulns?filter=%s", cases[i].filter);
		cJSON *doc = get_doc(path);
		assert_int_equal(cJSON_GetArraySize(at(doc, "items")), cases[i].count);
		if (cases[i].first)
			text_is(doc, "items.0.id", cases[i].first);
		cJSON_Delete(doc);
	}
	cJSON *doc = get_doc("/api/v1/vulns/GHSA-1111-2222-3333");
	text_is(doc, "id", "CVE-2026-0003");
	text_is(doc, "places.0.image.name", "web:1");
	text_is(doc, "places.0.use.container", "c0ffee");
	number_is(doc, "images", 1);
	cJSON_Delete(doc);
}

static void accepting_needs_a_role_a_reason_and_an_end(void **state)
{
	static const struct {
		const char *token, *body;
		long status;
	} cases[] = {
		{ "viewer-token", "{\"reason\":\"r\"}", 403 },
		{ "analyst-token", "{}", 400 },
		{ "analyst-token", "{\"reason\":\"\"}", 400 },
		{ "analyst-token", "{\"reason\":\"a\\u001bb\"}", 400 },
		{ "analyst-token", "{\"reason\":\"r\",\"until\":\"whenever\"}", 400 },
		{ "analyst-token", "{\"reason\":\"r\",\"until\":\"2020-01-01\"}", 400 },
		{ "analyst-token", "{\"reason\":\"r\",\"until\":\"400d\"}", 400 },
		{ "analyst-token", "{\"reason\":\"r\",\"until\":\"30d\",\"image\":\"web\"}", 200 },
		{ "analyst-token", "{\"reason\":\"for a while\"}", 200 },
	};
	cJSON *doc;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		long status = ask("POST", "/api/v1/vulns/GHSA-1111-2222-3333/accept", cases[i].token, cases[i].body, NULL);

		if (status != cases[i].status)
			fail_msg("%s: %ld", cases[i].body, status);
	}
	assert_int_equal(ask("POST", "/api/v1/vulns/CVE-1999-1/accept", "analyst-token", "{\"reason\":\"r\"}", NULL), 404);
	doc = get_doc("/api/v1/acceptances");
	assert_int_equal(cJSON_GetArraySize(at(doc, "items")), 2);
	text_is(doc, "items.0.vulnerability", "CVE-2026-0003");
	text_is(doc, "items.0.who", "anna");
	text_is(doc, "items.1.image", "web");
	cJSON_Delete(doc);
	doc = get_doc("/api/v1/vulns/CVE-2026-0003");
	number_is(doc, "places.0.accepted", 2);
	cJSON_Delete(doc);
	assert_int_equal(ask("POST", "/api/v1/acceptances/2/end", "viewer-token", "{}", NULL), 403);
	assert_int_equal(ask("POST", "/api/v1/acceptances/2/end", "analyst-token", "{}", NULL), 200);
	assert_int_equal(ask("POST", "/api/v1/acceptances/2/end", "analyst-token", "{}", NULL), 404);
	doc = get_doc("/api/v1/acceptances?limit=1");
	assert_int_equal(cJSON_GetArraySize(at(doc, "items")), 1);
	cJSON_Delete(doc);
	doc = get_doc("/api/v1/acceptances?ended=yes&limit=1");
	text_is(doc, "items.0.ended_by", "anna");
	text_is(doc, "cursor", "1");
	cJSON_Delete(doc);
	/* it stands in the audit log, with who and why */
	assert_int_equal(ask("GET", "/api/v1/audit-log?filter=what%3Dvuln.accept%20until", "analyst-token", NULL, &doc), 200);
	assert_true(slice_find(json_get_str(at(doc, "items.0"), "subject"), SLICE_LIT("for a while")) > 0);
	cJSON_Delete(doc);
}

static void what_is_not_there_or_wrong_is_said(void **state)
{
	static const struct {
		const char *path;
		long status;
	} cases[] = {
		{ "/api/v1/images/nobody", 404 },
		{ "/api/v1/images/nobody/vulns", 404 },
		{ "/api/v1/images/web%3A1/vulns?cursor=x", 400 },
		{ "/api/v1/images/web%3A1/vulns?filter=x", 400 },
		{ "/api/v1/images?filter=imgae%3Dx", 400 },
		{ "/api/v1/images?cursor=x", 400 },
		{ "/api/v1/vulns?cursor=i1.1.1", 400 },
		{ "/api/v1/vulns/CVE-1", 404 },
		{ "/api/v1/acceptances?ended=perhaps", 400 },
		{ "/api/v1/images/%00", 404 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		long status = ask("GET", cases[i].path, "viewer-token", NULL, NULL);

		if (status != cases[i].status)
			fail_msg("%s: %ld", cases[i].path, status);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(images_are_listed_and_filtered),
		cmocka_unit_test(an_image_says_all_that_is_known_of_it),
		cmocka_unit_test(packages_and_vulnerabilities_come_in_pages),
		cmocka_unit_test(vulnerabilities_are_listed_urgent_first),
		cmocka_unit_test(accepting_needs_a_role_a_reason_and_an_end),
		cmocka_unit_test(what_is_not_there_or_wrong_is_said),
	};

	return cmocka_run_group_tests(tests, start, asked_stop);
}
