/* find, places: one vulnerability by any id of it, and what each record says of which package. */
#include "tests/common/vulndb/fixture.h"

static int put_one(void *arg, const struct vulndb_found *f)
{
	return put_found(arg, 0, f);
}

static int put_place(void *arg, const struct vulndb_place *p)
{
	buf_printf(arg, "%.*s %.*s %.*s %.*s [%.*s] %s %s%s\n", SLICE_FMT(p->feed), SLICE_FMT(p->record),
		   SLICE_FMT(p->ecosystem), SLICE_FMT(p->package), SLICE_FMT(p->range), vuln_status_name(p->status),
		   vuln_severity_name(p->severity), p->is_withdrawn ? " withdrawn" : "");
	return 0;
}

static const char *find(struct fixture *f, const char *id, bool places, int want)
{
	CLEANUP(vulndb_closep) struct vulndb *db = NULL;

	buf_reset(&f->found);
	assert_int_equal(vulndb_open(f->db, NULL, &db, &f->err), 0);
	int r = places ? vulndb_places(db, slice_of(id), put_place, &f->found, &f->err) :
			 vulndb_find(db, slice_of(id), put_one, &f->found, &f->err);
	assert_int_equal(r, want);
	return f->found.n ? f->found.p : "";
}

static const char osv[] =
	"[{\"id\":\"GHSA-aaaa\",\"summary\":\"s\",\"aliases\":[\"CVE-2024-0001\"],\"database_specific\":{\"severity\":\"HIGH\"},\"affected\":["
	"{\"package\":{\"ecosystem\":\"npm\",\"name\":\"a\"},\"ranges\":[{\"type\":\"SEMVER\",\"events\":[{\"introduced\":\"1.0.0\"},{\"fixed\":\"1.2.0\"}]}]},"
	"{\"package\":{\"ecosystem\":\"npm\",\"name\":\"b\"},\"versions\":[\"1.0.0\"]}]},"
	"{\"id\":\"GHSA-wwww\",\"withdrawn\":\"2024-01-01T00:00:00Z\",\"aliases\":[\"CVE-2024-0001\"],\"affected\":[{\"package\":{\"ecosystem\":\"npm\",\"name\":\"c\"},\"versions\":[\"1\"]}]},"
	"{\"id\":\"ALSA-1\",\"related\":[\"CVE-2024-0001\",\"CVE-2024-0002\"],\"affected\":[{\"package\":{\"ecosystem\":\"AlmaLinux:9\",\"name\":\"d\"},\"ranges\":[{\"type\":\"ECOSYSTEM\",\"events\":[{\"introduced\":\"0\"},{\"fixed\":\"1-2.el9\"}]}]}]}]";

static void any_id_finds_it(void **state)
{
	static const char want[] = "CVE-2024-0001=GHSA-aaaa,GHSA-wwww GHSA-aaaa fixed= high/ghsa affected []\n";
	struct fixture *f = *state;

	fixture_must_import(f, fixture_write(f, "o.json", osv), "osv");
	assert_string_equal(find(f, "CVE-2024-0001", false, 0), want);
	assert_string_equal(find(f, "GHSA-aaaa", false, 0), "CVE-2024-0001=GHSA-aaaa GHSA-aaaa fixed= high/ghsa affected []\n");
	assert_string_equal(find(f, "CVE-2024-0002", false, 0), "CVE-2024-0002 ALSA-1 fixed= unknown affected []\n");
	/* an advisory about two, by its own id: its first */
	assert_string_equal(find(f, "ALSA-1", false, 0), "CVE-2024-0001 ALSA-1 fixed= unknown affected []\n");
	find(f, "CVE-2024-9999", false, -ERR_NOT_FOUND);
	find(f, "", false, -ERR_NOT_FOUND);
}

static void places_name_every_package_of_every_record(void **state)
{
	struct fixture *f = *state;

	fixture_must_import(f, fixture_write(f, "o.json", osv), "osv");
	assert_string_equal(find(f, "CVE-2024-0001", true, 0),
			    "osv GHSA-aaaa npm a [>=1.0.0, <1.2.0] affected unknown\n"
			    "osv GHSA-aaaa npm b [=1.0.0] affected unknown\n"
			    "osv GHSA-wwww   [] affected unknown withdrawn\n"
			    "osv ALSA-1 AlmaLinux:9 d [<1-2.el9] affected unknown\n");
	find(f, "CVE-2024-9999", true, -ERR_NOT_FOUND);
}

static void debians_word_is_shown_with_its_place(void **state)
{
	struct fixture *f = *state;

	fixture_text(f, "d.json", "{\"p\":{\"CVE-2024-0001\":{\"releases\":{\"bookworm\":{\"status\":\"open\",\"urgency\":\"low\",\"nodsa_reason\":\"ignored\"},"
				  "\"sid\":{\"status\":\"resolved\",\"fixed_version\":\"0\"}}}}}");
	assert_string_equal(find(f, "CVE-2024-0001", true, 0),
			    "debian CVE-2024-0001 Debian:bookworm p [*] will_not_fix low\n"
			    "debian CVE-2024-0001 Debian:sid p [<0] affected unknown\n");
}

#define T(f) cmocka_unit_test_setup_teardown(f, fixture_open, fixture_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(any_id_finds_it),
		T(places_name_every_package_of_every_record),
		T(debians_word_is_shown_with_its_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
