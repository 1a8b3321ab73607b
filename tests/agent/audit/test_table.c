/* test_table.c - the table itself: its ids, its words, and what is filled into them. */
#include "tests/agent/audit/good.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void ids_are_unique_and_well_formed(void **state)
{
	static const char letters[] = "HDIC";

	for (size_t i = 0; i < audit_check_count(); i++) {
		const struct audit_check *c = audit_check_at(i);

		assert_int_equal(strlen(c->id), 9);
		assert_memory_equal(c->id, "PKT-", 4);
		assert_int_equal(c->id[4], letters[c->subject]);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(c->id, audit_check_at(k)->id);
	}
	assert_null(audit_check_at(audit_check_count()));
}

/* "{name}" and its like are the only words in braces. */
static void assert_placeholders(const char *text)
{
	static const char *const known[] = { "{name}", "{id}", "{image}", "{path}" };

	for (const char *p = strchr(text, '{'); p; p = strchr(p + 1, '{')) {
		size_t n = strspn(p + 1, "abcdefghijklmnopqrstuvwxyz_");
		bool fine = !n || p[n + 1] != '}';

		for (size_t i = 0; i < ARRAY_LEN(known); i++)
			fine |= !strncmp(p, known[i], strlen(known[i]));
		if (!fine)
			fail_msg("unknown placeholder in: %s", text);
	}
}

static void every_check_says_why_and_how(void **state)
{
	for (size_t i = 0; i < audit_check_count(); i++) {
		const struct audit_check *c = audit_check_at(i);
		size_t why = strlen(c->why);

		assert_in_range(strlen(c->title), 8, 72);
		assert_in_range(why, 25, 400);
		assert_int_equal(c->why[why - 1], '.');
		assert_in_range(strlen(c->fix), 15, 400);
		assert_true(c->title[strlen(c->title) - 1] != '.');
		assert_placeholders(c->title);
		assert_placeholders(c->why);
		assert_placeholders(c->fix);
		assert_true(!c->mitre[0] || c->mitre[0] == 'T');
		assert_null(strstr(c->title, "Ensure")); /* the benchmark's words are not ours */
	}
}

/* Of sections 1 to 5, what a program can tell; 1.2.1, 4.11, 4.12 and 5.x that need a person are not here. */
static void the_benchmark_is_covered(void **state)
{
	static const struct {
		const char *section;
		int first, last;
	} sections[] = { { "1.1.", 1, 18 }, { "1.2.", 2, 2 }, { "2.", 1, 18 }, { "3.", 1, 24 }, { "4.", 1, 10 }, { "5.", 1, 32 },
			 { "6.", 1, 2 },    { "7.", 2, 3 },   { "7.", 5, 5 },  { "7.", 7, 7 } };
	char number[16];

	for (size_t i = 0; i < ARRAY_LEN(sections); i++) {
		for (int n = sections[i].first; n <= sections[i].last; n++) {
			snprintf(number, sizeof(number), "%s%d", sections[i].section, n);
			if (!audit_check_find(number))
				fail_msg("no check for %s", number);
		}
	}
}

static void checks_are_found_by_id_and_number(void **state)
{
	assert_string_equal(audit_check_find("pkt-c-005")->id, "PKT-C-005");
	assert_string_equal(audit_check_find("5.5")->id, "PKT-C-005");
	assert_string_equal(audit_check_find("CIS-5.5")->id, "PKT-C-005");
	assert_string_equal(audit_check_find("cis 1.1.12")->id, "PKT-H-003");
	assert_true(audit_check_is(audit_check_find("PKT-I-001"), "4.1"));
	assert_null(audit_check_find("5"));
	assert_null(audit_check_find(""));
	assert_null(audit_check_find("CIS-"));
	assert_null(audit_check_find("PKT-C-999"));
}

static const char *fix_of(struct good *w, struct arena *a, enum audit_subject s, const char *id)
{
	struct audit_input in = good_input(w);
	struct audit_result *v;
	struct err err;
	size_t n;

	assert_int_equal(audit_run(s, &in, a, &v, &n, &err), 0);
	for (size_t i = 0; i < n; i++) {
		if (!strcmp(v[i].check->id, id))
			return v[i].fix;
	}
	return "";
}

static void a_fix_names_its_subject_and_can_be_pasted(void **state)
{
	struct good *w = calloc(1, sizeof(*w));
	struct arena *a = arena_new(1 << 20);

	good_init(w);
	w->real->memory_max = -1;
	assert_string_equal(fix_of(w, a, SUBJECT_CONTAINER, "PKT-C-011"), "docker update --memory 512m --memory-swap 512m good");
	w->c.name = "x; rm -rf /";
	assert_string_equal(fix_of(w, a, SUBJECT_CONTAINER, "PKT-C-011"), "docker update --memory 512m --memory-swap 512m 'x; rm -rf /'");
	w->c.name = "it's $(x)";
	assert_string_equal(fix_of(w, a, SUBJECT_CONTAINER, "PKT-C-011"),
			    "docker update --memory 512m --memory-swap 512m 'it'\\''s $(x)'");
	w->c.name = "-f";
	assert_string_equal(fix_of(w, a, SUBJECT_CONTAINER, "PKT-C-011"), "docker update --memory 512m --memory-swap 512m '-f'");
	w->c.name = "";
	assert_string_equal(fix_of(w, a, SUBJECT_CONTAINER, "PKT-C-011"), "docker update --memory 512m --memory-swap 512m " GOOD_ID);

	good_file(w, "/etc/default/docker", 0666);
	assert_string_equal(fix_of(w, a, SUBJECT_HOST, "PKT-H-119"), "chown root /etc/default/docker && chmod 0644 /etc/default/docker");
	w->daemon.has_live_restore = false;
	w->daemon.config_path = "/srv/engine.json";
	assert_non_null(strstr(fix_of(w, a, SUBJECT_DAEMON, "PKT-D-015"), "/srv/engine.json"));
	assert_string_equal(fix_of(w, a, SUBJECT_DAEMON, "PKT-D-005"), "");
	arena_free(a);
	free(w);
}

static void severities_are_read(void **state)
{
	enum audit_severity s;

	assert_true(audit_severity_parse(SLICE_LIT("high"), &s));
	assert_int_equal(s, AUDIT_HIGH);
	assert_false(audit_severity_parse(SLICE_LIT("High "), &s));
	assert_string_equal(audit_status_name(AUDIT_NA), "na");
	assert_string_equal(audit_subject_name(SUBJECT_DAEMON), "daemon");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_are_unique_and_well_formed),
		cmocka_unit_test(every_check_says_why_and_how),
		cmocka_unit_test(the_benchmark_is_covered),
		cmocka_unit_test(checks_are_found_by_id_and_number),
		cmocka_unit_test(a_fix_names_its_subject_and_can_be_pasted),
		cmocka_unit_test(severities_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
