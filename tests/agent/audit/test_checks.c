/* test_checks.c - every check with facts that it has to pass and facts that it has to fail. */
#include "tests/agent/audit/good.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define ANY (-1)
#define INFO AUDIT_INFO
#define LOW AUDIT_LOW
#define MEDIUM AUDIT_MEDIUM
#define HIGH AUDIT_HIGH
#define CRITICAL AUDIT_CRITICAL

#define CASE(name, check, status, severity, ...)                                                                       \
	static void set_##name(struct good *w)                                                                         \
	{                                                                                                              \
		(void)w;                                                                                               \
		__VA_ARGS__                                                                                            \
	}
#include "cases_container.def"
#include "cases_other.def"
#undef CASE

struct check_case {
	const char *name, *check;
	enum audit_status status;
	int severity;
	void (*set)(struct good *w);
};

static const struct check_case cases[] = {
#define CASE(name, check, status, severity, ...) { #name, check, AUDIT_##status, severity, set_##name },
#include "cases_container.def"
#include "cases_other.def"
#undef CASE
};

/* What does not apply where everything is fine. */
static const char *const na_when_good[] = { "PKT-C-003", "PKT-C-028", "PKT-C-110", "PKT-D-007", "PKT-D-011", "PKT-D-023", "PKT-D-024",
					    "PKT-D-029", "PKT-D-030", "PKT-D-031", "PKT-D-032" };

static bool may_be_na(const char *id)
{
	for (size_t i = 0; i < ARRAY_LEN(na_when_good); i++) {
		if (!strcmp(id, na_when_good[i]))
			return true;
	}
	return !strncmp(id, "PKT-H-1", 7); /* files: there are none */
}

struct fixture {
	struct good good;
	struct arena *arena;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->arena = arena_new(1 << 20);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	arena_free(f->arena);
	free(f);
	return 0;
}

static struct audit_result *run(struct fixture *f, enum audit_subject subject, size_t *n)
{
	struct audit_input in = good_input(&f->good);
	struct audit_result *v = NULL;
	struct err err;

	arena_reset(f->arena);
	assert_int_equal(audit_run(subject, &in, f->arena, &v, n, &err), 0);
	return v;
}

static struct audit_result *result_of(struct fixture *f, const char *id)
{
	const struct audit_check *check = audit_check_find(id);
	size_t n;

	assert_non_null(check);
	struct audit_result *v = run(f, check->subject, &n);
	for (size_t i = 0; i < n; i++) {
		if (v[i].check == check)
			return &v[i];
	}
	fail_msg("%s has no result", id);
	return NULL;
}

static void what_is_good_passes_or_does_not_apply(void **state)
{
	struct fixture *f = *state;
	int bad = 0;

	good_init(&f->good);
	for (int s = 0; s < SUBJECT_COUNT; s++) {
		size_t n;
		struct audit_result *v = run(f, (enum audit_subject)s, &n);

		assert_true(n > 5);
		for (size_t i = 0; i < n; i++) {
			if (v[i].status == AUDIT_PASS || (v[i].status == AUDIT_NA && may_be_na(v[i].check->id)))
				continue;
			print_error("%s: %s: %s\n", v[i].check->id, audit_status_name(v[i].status), v[i].evidence);
			bad++;
		}
	}
	assert_int_equal(bad, 0);
}

static void each_case_gets_its_verdict(void **state)
{
	struct fixture *f = *state;
	int bad = 0;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		good_init(&f->good);
		cases[i].set(&f->good);
		struct audit_result *r = result_of(f, cases[i].check);
		bool same = r->status == cases[i].status && (cases[i].severity == ANY || (int)r->severity == cases[i].severity);

		if (same && r->evidence[0])
			continue;
		print_error("%s, %s: %s %s: %s\n", cases[i].name, cases[i].check, audit_status_name(r->status),
			    audit_severity_name(r->severity), r->evidence);
		bad++;
	}
	assert_int_equal(bad, 0);
}

static void each_check_has_a_case_that_fails(void **state)
{
	for (size_t i = 0; i < audit_check_count(); i++) {
		const char *id = audit_check_at(i)->id;
		int bad = 0;

		for (size_t k = 0; k < ARRAY_LEN(cases); k++)
			bad += !strcmp(cases[k].check, id) && (cases[k].status == AUDIT_FAIL || cases[k].status == AUDIT_WARN);
		if (!bad)
			fail_msg("%s has no case that it fails", id);
	}
}

static void each_check_has_a_case_that_passes(void **state)
{
	for (size_t i = 0; i < audit_check_count(); i++) {
		const char *id = audit_check_at(i)->id;
		bool good = !may_be_na(id); /* by what_is_good_passes */

		for (size_t k = 0; k < ARRAY_LEN(cases) && !good; k++)
			good = !strcmp(cases[k].check, id) && cases[k].status == AUDIT_PASS;
		/* the files are one function */
		if (!good && strncmp(id, "PKT-H-1", 7) != 0)
			fail_msg("%s has no case that it passes", id);
	}
}

/* ---- names ---- */

static void rename_everything(struct good *w)
{
	static const char *const argv[] = { "dockerd", "--no-new-privileges", "--icc=false", "--tlsverify" };

	w->c.name = "\033[2Jdocker-bench-security'; rm -rf /";
	w->init->comm = w->init->exe = "dockerd";
	for (size_t i = 0; i < w->real->process_count; i++)
		w->processes[i].comm = w->processes[i].exe = "/usr/bin/dockerd --icc=false";
	w->daemon.argv = (struct facts_texts){ (const char **)(uintptr_t)argv, ARRAY_LEN(argv) };
	w->networks[0].address = w->networks[0].id = "x";
	for (size_t i = 0; i < w->asked->mount_count; i++)
		w->asked_mounts[i].name = "docker.sock";
}

static void names_change_no_verdict(void **state)
{
	struct fixture *f = *state;
	struct audit_result *before = calloc(audit_check_count(), sizeof(*before));
	int bad = 0;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (int s = 0; s < SUBJECT_COUNT; s++) {
			size_t n, m;

			good_init(&f->good);
			cases[i].set(&f->good);
			if (s == SUBJECT_IMAGE && !f->good.has_image)
				continue;
			struct audit_result *v = run(f, (enum audit_subject)s, &n);
			memcpy(before, v, n * sizeof(*v));
			rename_everything(&f->good);
			v = run(f, (enum audit_subject)s, &m);
			assert_int_equal(n, m);
			for (size_t k = 0; k < n; k++) {
				/* the one that asks for a program by its name */
				if (!strcmp(v[k].check->id, "PKT-C-007") && !strcmp(cases[i].name, "ssh_by_name"))
					continue;
				if (v[k].status == before[k].status && v[k].severity == before[k].severity && v[k].differs == before[k].differs)
					continue;
				print_error("%s: %s changed by a name\n", cases[i].name, v[k].check->id);
				bad++;
			}
		}
	}
	free(before);
	assert_int_equal(bad, 0);
}

static void what_is_said_cannot_speak_to_a_terminal(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t n;

		good_init(&f->good);
		cases[i].set(&f->good);
		rename_everything(&f->good);
		f->good.c.image = "x\033]0;y\007\n";
		good_mount(&f->good, "/etc/\033[31m\n\xff", "/\xe2\x80\xae\n", true);
		struct audit_result *v = run(f, SUBJECT_CONTAINER, &n);
		for (size_t k = 0; k < n; k++) {
			for (const char *p = v[k].evidence; *p; p++)
				assert_true((unsigned char)*p >= ' ' && *p != 0x7f);
			for (const char *p = v[k].fix; *p; p++)
				assert_true((unsigned char)*p >= ' ' && *p != 0x7f);
			assert_null(strstr(v[k].evidence, "\xe2\x80\xae"));
		}
	}
}

/* ---- asked for and real ---- */

static void what_differs_is_told(void **state)
{
	struct fixture *f = *state;

	good_init(&f->good);
	f->good.init->seccomp = SECCOMP_OFF;
	struct audit_result *r = result_of(f, "PKT-C-022");
	assert_true(r->differs);
	r = result_of(f, "PKT-C-115");
	assert_int_equal(r->status, AUDIT_FAIL);
	assert_non_null(strstr(r->evidence, "PKT-C-022"));

	good_init(&f->good);
	f->good.asked->user = "root";
	r = result_of(f, "PKT-C-001");
	assert_int_equal(r->status, AUDIT_PASS);
	assert_true(r->differs);
	assert_non_null(strstr(r->evidence, "root"));
}

/* As the engine starts it when nobody thinks of anything. */
static void make_default(struct good *w)
{
	struct facts_asked *a = w->asked;

	a->is_root_readonly = w->real->is_root_readonly = false;
	a->user = a->cgroupns_mode = "";
	a->security_opt.count = a->cap_drop.count = a->ulimit_count = a->health_test.count = a->port_count = 0;
	a->memory_bytes = a->nano_cpus = a->pids_limit = 0;
	a->restart = RESTART_NO;
	a->mount_count = 0;
	a->log_driver = "json-file";
	w->networks[0].name = "bridge";
	w->daemon.has_userns = false;
	w->daemon.no_new_privileges = FACTS_UNKNOWN;
	w->daemon.ulimit_count = 0;
	w->init->uid = w->init->euid = 0;
	w->init->no_new_privs = false;
	w->init->cap_effective = w->init->cap_permitted = w->init->cap_bounding = 0xa80425fb;
	w->real->is_user_ns_host = true;
	w->real->memory_max = w->real->pids_max = w->real->cpu_quota_us = -1;
	w->real->nofile_max = 1 << 20;
	w->processes[0] = *w->init;
	w->mounts[4].point = "/elsewhere";
	w->c.image = "bb:latest";
	w->image.digests.count = 0;
}

static void a_default_container_has_nothing_severe(void **state)
{
	struct fixture *f = *state;
	size_t n, found = 0;

	good_init(&f->good);
	make_default(&f->good);
	struct audit_result *v = run(f, SUBJECT_CONTAINER, &n);
	for (size_t i = 0; i < n; i++) {
		if (v[i].status == AUDIT_FAIL && v[i].severity > AUDIT_MEDIUM)
			fail_msg("%s: %s: %s", v[i].check->id, audit_severity_name(v[i].severity), v[i].evidence);
		if (v[i].differs)
			fail_msg("%s differs: %s", v[i].check->id, v[i].evidence);
		found += v[i].status == AUDIT_FAIL;
	}
	assert_in_range(found, 8, 20);
}

static void nothing_known_is_no_pass_of_the_engine(void **state)
{
	struct fixture *f = *state;
	size_t n;

	good_init(&f->good);
	facts_daemon_init(&f->good.daemon);
	f->good.daemon.why = "refused";
	struct audit_result *v = run(f, SUBJECT_DAEMON, &n);
	for (size_t i = 0; i < n; i++) {
		if (v[i].status != AUDIT_ERROR && v[i].status != AUDIT_NA)
			fail_msg("%s: %s", v[i].check->id, audit_status_name(v[i].status));
	}
	/* empty facts crash nothing */
	facts_host_init(&f->good.host);
	facts_image_init(&f->good.image);
	facts_container_init(&f->good.c);
	for (int s = 0; s < SUBJECT_COUNT; s++)
		run(f, (enum audit_subject)s, &n);
	f->good.c.real.is_known = true;
	run(f, SUBJECT_CONTAINER, &n);
}

static void a_full_arena_is_an_error(void **state)
{
	struct fixture *f = *state;
	struct audit_result *v;
	struct err err;
	size_t n;

	good_init(&f->good);
	struct audit_input in = good_input(&f->good);
	for (size_t size = 64; size <= 4096; size *= 2) {
		struct arena *small = arena_new(size);
		int r = audit_run(SUBJECT_CONTAINER, &in, small, &v, &n, &err);

		arena_free(small);
		assert_int_equal(r, -ERR_LIMIT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_good_passes_or_does_not_apply, set_up, tear_down),
		cmocka_unit_test_setup_teardown(each_case_gets_its_verdict, set_up, tear_down),
		cmocka_unit_test(each_check_has_a_case_that_fails),
		cmocka_unit_test(each_check_has_a_case_that_passes),
		cmocka_unit_test_setup_teardown(names_change_no_verdict, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_said_cannot_speak_to_a_terminal, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_differs_is_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_default_container_has_nothing_severe, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nothing_known_is_no_pass_of_the_engine, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_full_arena_is_an_error, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
