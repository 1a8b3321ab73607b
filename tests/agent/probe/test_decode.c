/* test_decode.c - records as they stood in a ring, and what a broken kernel side could leave there. */
#include "agent/probe/probe.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "agent/bpf/record.h"

/* Recorded by a 6.18 kernel (golden/exec.bin, exit.bin, fork.bin). */
static struct slice golden(const char *name, char *buf, size_t size)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/golden/%s", TEST_DATA, name);
	CLEANUP(fclosep) FILE *f = fopen(path, "re");
	assert_non_null(f);
	return slice_from(buf, fread(buf, 1, size, f));
}

static void assert_slice(struct slice s, const char *want)
{
	if (!slice_is(s, want))
		fail_msg("'%.*s' is not '%s'", SLICE_FMT(s), want);
}

static void a_recorded_exec_decodes(void **state)
{
	char buf[4096];
	struct slice rec = golden("exec.bin", buf, sizeof(buf));
	struct event e;

	assert_int_equal(probe_decode(rec, 1000, &e, NULL), 0);
	assert_int_equal(e.type, EV_EXEC);
	assert_int_equal(e.class, EVC_PROCESS);
	assert_int_equal(e.unix_ns, e.boot_ns + 1000);
	assert_slice(e.p.exe, "/usr/bin/echo");
	assert_slice(e.p.argv0, "/usr/bin/echo");
	assert_int_equal(e.p.args.n, sizeof("one\0\0three"));
	assert_memory_equal(e.p.args.p, "one\0\0three", e.p.args.n);
	assert_slice(e.p.cwd, "/usr");
	assert_slice(e.p.name, "echo");
	assert_slice(e.p.cgroup, "/picket-golden");
	assert_int_equal(e.p.env.n, sizeof("LANG=C"));
	assert_int_equal(e.p.login_uid, UINT32_MAX);
	assert_int_equal(e.p.pid, e.p.tid);
	assert_true(e.p.exe_writable);
	assert_true(e.p.exe_mtime_ns > 1000000000000000000);
}

static void a_recorded_exit_and_fork_decode(void **state)
{
	char buf[4096];
	struct event e;

	assert_int_equal(probe_decode(golden("exit.bin", buf, sizeof(buf)), 0, &e, NULL), 0);
	assert_int_equal(e.type, EV_EXIT);
	assert_int_equal(e.exit.code, 3);
	assert_int_equal(e.exit.signal, 0);
	assert_slice(e.p.name, "sh");
	assert_true(e.exit.duration_ns > 0);
	assert_int_equal(probe_decode(golden("fork.bin", buf, sizeof(buf)), 0, &e, NULL), 0);
	assert_int_equal(e.type, EV_FORK);
	assert_slice(e.p.cgroup, "/picket-golden");
	assert_int_equal(e.p.exe.n, 0);
}

/* Every field that says how long something is, set to what it must not be. */
static void a_damaged_record_is_refused(void **state)
{
	static const struct {
		const char *what;
		size_t offset, width;
		uint64_t value;
	} rows[] = {
		{ "size 0", offsetof(struct record, size), 4, 0 },
		{ "size one less", offsetof(struct record, size), 4, sizeof(struct record_exec) + 7 },
		{ "size all ones", offsetof(struct record, size), 4, UINT32_MAX },
		{ "type 0", offsetof(struct record, type), 1, 0 },
		{ "type past the last", offsetof(struct record, type), 1, RECORD_TASK + 1 },
		{ "type 255", offsetof(struct record, type), 1, 255 },
		{ "version 0", offsetof(struct record, version), 1, 0 },
		{ "version 2", offsetof(struct record, version), 1, RECORD_VERSION + 1 },
		{ "cgroup short", offsetof(struct record, text_bytes[TEXT_CGROUP]), 2, 0 },
		{ "cgroup too long", offsetof(struct record, text_bytes[TEXT_CGROUP]), 2, 1024 },
		{ "exe past the end", offsetof(struct record, text_bytes[TEXT_EXE]), 2, 5 },
		{ "args all ones", offsetof(struct record, text_bytes[TEXT_ARGS]), 2, 65535 },
		{ "env one more", offsetof(struct record, text_bytes[TEXT_ENV]), 2, 1 },
	};
	char base[sizeof(struct record_exec) + 8] = { 0 };
	struct record r = { .size = sizeof(base), .type = RECORD_EXEC, .version = RECORD_VERSION,
			    .text_bytes = { 4, 4 } };
	struct event e;

	memcpy(base, &r, sizeof(r));
	assert_int_equal(probe_decode(slice_from(base, sizeof(base)), 0, &e, NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char copy[sizeof(base)];
		struct err err = { 0 };

		memcpy(copy, base, sizeof(base));
		memcpy(copy + rows[i].offset, &rows[i].value, rows[i].width);
		if (probe_decode(slice_from(copy, sizeof(copy)), 0, &e, &err) != -ERR_CORRUPT)
			fail_msg("%s is accepted", rows[i].what);
	}
}

static void a_record_cut_anywhere_is_refused(void **state)
{
	char buf[4096];
	struct slice rec = golden("exec.bin", buf, sizeof(buf));
	struct event e;

	for (size_t n = 0; n < rec.n; n++) {
		char *exact = malloc(n ? n : 1); /* the sanitizer sees a step past its end */

		assert_non_null(exact);
		memcpy(exact, rec.p, n);
		assert_int_equal(probe_decode(slice_from(exact, n), 0, &e, NULL), -ERR_CORRUPT);
		/* and where the record owns up to its length */
		uint32_t size = (uint32_t)n;
		if (n >= sizeof(size)) {
			memcpy(exact, &size, sizeof(size));
			assert_int_equal(probe_decode(slice_from(exact, n), 0, &e, NULL),
					 -ERR_CORRUPT);
		}
		free(exact);
	}
}

static void an_argument_list_cut_in_its_first_word_has_no_others(void **state)
{
	char rec[sizeof(struct record_exec) + 3] = { 0 };
	struct record r = { .size = sizeof(rec), .type = RECORD_EXEC, .version = RECORD_VERSION,
			    .flags = RECORD_ARGS_TRUNCATED, .text_bytes = { [TEXT_ARGS] = 3 } };
	struct event e;

	memcpy(rec, &r, sizeof(r));
	memcpy(rec + sizeof(struct record_exec), "abc", 3);
	assert_int_equal(probe_decode(slice_from(rec, sizeof(rec)), 0, &e, NULL), 0);
	assert_slice(e.p.argv0, "abc");
	assert_int_equal(e.p.args.n, 0);
	assert_true(e.p.args_truncated);
}

static void a_wait_status_is_a_code_or_a_signal(void **state)
{
	static const struct {
		int status, code;
		unsigned signal;
	} rows[] = { { 0, 0, 0 }, { 0xff00, 255, 0 }, { 9, -1, 9 }, { 0x8b, -1, 11 }, { -1, -1, 127 } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct record_exit x = { .r = { .size = sizeof(x), .type = RECORD_EXIT,
						.version = RECORD_VERSION, .start_ns = 50,
						.boot_ns = 40 },
					 .status = rows[i].status };
		struct event e;

		assert_int_equal(probe_decode(slice_from(&x, sizeof(x)), 0, &e, NULL), 0);
		assert_int_equal(e.exit.code, rows[i].code);
		assert_int_equal(e.exit.signal, rows[i].signal);
		assert_int_equal(e.exit.duration_ns, 0); /* a clock that went back is no duration */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_recorded_exec_decodes),
		cmocka_unit_test(a_recorded_exit_and_fork_decode),
		cmocka_unit_test(a_damaged_record_is_refused),
		cmocka_unit_test(a_record_cut_anywhere_is_refused),
		cmocka_unit_test(an_argument_list_cut_in_its_first_word_has_no_others),
		cmocka_unit_test(a_wait_status_is_a_code_or_a_signal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
