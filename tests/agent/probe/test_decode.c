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
		{ "type past the last", offsetof(struct record, type), 1, RECORD_KILL + 1 },
		{ "type 255", offsetof(struct record, type), 1, 255 },
		{ "version 0", offsetof(struct record, version), 1, 0 },
		{ "version one more", offsetof(struct record, version), 1, RECORD_VERSION + 1 },
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

/* A record of a call and texts one behind the other, as TEXT_* orders them. */
struct call_bytes {
	struct record_call c;
	char texts[64];
};

static struct call_bytes call_bytes(void)
{
	static const char texts[] = "/cg/etc/passwd/srv../xy/srv/ADATA";

	struct call_bytes b = {
		.c = {
			.r = { .type = RECORD_CALL, .version = RECORD_VERSION, .pid = 7,
			       .flags = RECORD_EXE_UPPER | RECORD_COMPAT | RECORD_RAW2_TRUNCATED |
					RECORD_SOCK_CONNECTED,
			       .text_bytes = { 3, 11, 4, 4, 1, 6, 4 } },
			.ret = -13,
			.arg = { UINT64_MAX, 1, 2, 3, 4, 5 },
			.file_inode = 99, .file_dev = 0x801, .file_flags = 0101102, .fd = -1,
			.target_ns_type = 0x20000000,
			.local = { 127, 0, 0, 1 }, .remote = { [15] = 1 },
			.local_port = 65535, .remote_port = 53,
			.sock_family = 10, .sock_type = 2, .sock_protocol = 17, .file_mode = 0140777,
			.call = CALL_CONNECT,
		},
	};
	memcpy(b.texts, texts, sizeof(texts) - 1);
	b.c.r.size = sizeof(b.c) + sizeof(texts) - 1;
	return b;
}

static int decode_call_bytes(const struct call_bytes *b, struct event *e)
{
	return probe_decode(slice_from(b, b->c.r.size), 0, e, NULL);
}

static void a_call_decodes_with_all_it_carries(void **state)
{
	struct call_bytes b = call_bytes();
	struct event e;

	assert_int_equal(decode_call_bytes(&b, &e), 0);
	assert_int_equal(e.type, EV_CALL);
	assert_int_equal(e.class, EVC_VOLUME);
	assert_int_equal(e.p.pid, 7);
	assert_int_equal(e.call.call, CALL_CONNECT);
	assert_int_equal(e.call.family, FAMILY_SOCK);
	assert_int_equal(e.call.ret, -13);
	assert_true(e.call.arg[0] == UINT64_MAX && e.call.arg[5] == 5);
	assert_slice(e.p.cgroup, "/cg");
	assert_slice(e.call.path, "/etc/passwd");
	assert_slice(e.call.base, "/srv");
	assert_slice(e.call.raw, "../x");
	assert_slice(e.call.raw2, "y");
	assert_slice(e.call.base2, "/srv/A");
	assert_slice(e.call.data, "DATA");
	assert_true(e.call.is_compat && !e.call.is_uring && e.call.file_upper_layer);
	assert_true(e.call.raw2_truncated && !e.call.raw_truncated && !e.call.path_truncated);
	assert_true(e.call.is_sock_connected && !e.call.is_sock_listening);
	assert_int_equal(e.call.sock_family, 10);
	assert_int_equal(e.call.sock_type, 2);
	assert_int_equal(e.call.sock_protocol, 17);
	assert_int_equal(e.call.local.port, 65535);
	assert_int_equal(e.call.remote.port, 53);
	assert_int_equal(e.call.local.address[0], 127);
	assert_int_equal(e.call.remote.address[15], 1);
	assert_int_equal(e.call.fd, -1);
	assert_int_equal(e.call.file_mode, 0140777);
	assert_int_equal(e.call.file_flags, 0101102);
	assert_int_equal(e.call.file_inode, 99);
	assert_int_equal(e.call.target_ns_type, 0x20000000);
	/* What is the call's is not the program's. */
	assert_true(!e.p.exe.n && !e.p.cwd.n && !e.p.args.n && !e.p.env.n && !e.p.exe_upper_layer);
}

static void every_call_of_the_table_has_its_ring_and_no_other_is_known(void **state)
{
	static const enum event_class want[] = {
#define CALL(id, name, family, class, x86_64, i386, arm64) EVC_##class,
#include "agent/calls.def"
#undef CALL
	};
	struct call_bytes b = call_bytes();
	struct event e;

	for (unsigned c = 0; c <= UINT16_MAX; c++) {
		b.c.call = (uint16_t)c;
		int r = decode_call_bytes(&b, &e);
		if (c >= CALL_COUNT)
			assert_int_equal(r, -ERR_CORRUPT);
		else
			assert_true(!r && e.call.call == c && e.class == want[c]);
	}
}

static void a_text_longer_than_its_place_is_refused(void **state)
{
	static const struct {
		uint8_t type;
		size_t fixed, text, most;
	} rows[] = {
		{ RECORD_CALL, sizeof(struct record_call), TEXT_CGROUP, TEXT_CGROUP_MAX },
		{ RECORD_CALL, sizeof(struct record_call), TEXT_PATH, TEXT_PATH_MAX },
		{ RECORD_CALL, sizeof(struct record_call), TEXT_BASE, TEXT_PATH_MAX },
		{ RECORD_CALL, sizeof(struct record_call), TEXT_RAW, TEXT_PATH_MAX },
		{ RECORD_CALL, sizeof(struct record_call), TEXT_RAW2, TEXT_PATH_MAX },
		{ RECORD_CALL, sizeof(struct record_call), TEXT_BASE2, TEXT_PATH_MAX },
		{ RECORD_CALL, sizeof(struct record_call), TEXT_DATA, TEXT_DATA_MAX },
		{ RECORD_EXEC, sizeof(struct record_exec), TEXT_BASE2, 0 },
		{ RECORD_KILL, sizeof(struct record_exec), TEXT_DATA, 0 },
		{ RECORD_EXIT, sizeof(struct record_exit), TEXT_DATA, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t more = 0; more < 2; more++) {
			size_t n = rows[i].fixed + rows[i].most + more;
			char *exact = calloc(1, n);
			struct record r = { .size = (uint32_t)n, .type = rows[i].type,
					    .version = RECORD_VERSION };
			struct event e;

			assert_non_null(exact);
			r.text_bytes[rows[i].text] = (uint16_t)(rows[i].most + more);
			memcpy(exact, &r, sizeof(r));
			if (probe_decode(slice_from(exact, n), 0, &e, NULL) !=
			    (more ? -ERR_CORRUPT : 0))
				fail_msg("row %zu, %zu bytes", i, rows[i].most + more);
			free(exact);
		}
	}
}

static void a_call_cut_anywhere_is_refused(void **state)
{
	struct call_bytes b = call_bytes();
	uint32_t whole = b.c.r.size;
	struct event e;

	for (uint32_t n = sizeof(struct record); n < whole; n++) {
		char *exact = malloc(n);

		assert_non_null(exact);
		b.c.r.size = n;
		memcpy(exact, &b, n);
		assert_int_equal(probe_decode(slice_from(exact, n), 0, &e, NULL), -ERR_CORRUPT);
		free(exact);
	}
}

static void a_base_without_its_upper_end_makes_no_whole_path(void **state)
{
	struct call_bytes b = call_bytes();
	struct event e;

	b.c.r.flags = RECORD_CWD_TRUNCATED;
	assert_int_equal(decode_call_bytes(&b, &e), 0);
	assert_true(e.call.path_truncated);
	assert_false(e.p.cwd_truncated);
}

static void a_kill_is_an_exec_with_the_row_that_asked(void **state)
{
	char rec[sizeof(struct record_exec) + 6];
	struct record_exec x = { .r = { .size = sizeof(rec), .type = RECORD_KILL,
					.version = RECORD_VERSION,
					.text_bytes = { [TEXT_EXE] = 4, [TEXT_ARGS] = 2 } },
				 .extra = 31 };
	struct event e;

	memcpy(rec, &x, sizeof(x));
	memcpy(rec + sizeof(x), "/bina", sizeof("/bina"));
	assert_int_equal(probe_decode(slice_from(rec, sizeof(rec)), 0, &e, NULL), 0);
	assert_int_equal(e.type, EV_KILL);
	assert_int_equal(e.class, EVC_PROCESS);
	assert_int_equal(e.kill.row, 31);
	assert_slice(e.p.exe, "/bin");
	assert_slice(e.p.argv0, "a");
	rec[offsetof(struct record, type)] = RECORD_EXEC;
	assert_int_equal(probe_decode(slice_from(rec, sizeof(rec)), 0, &e, NULL), 0);
	assert_int_equal(e.kill.row, 0);
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
		cmocka_unit_test(a_call_decodes_with_all_it_carries),
		cmocka_unit_test(every_call_of_the_table_has_its_ring_and_no_other_is_known),
		cmocka_unit_test(a_text_longer_than_its_place_is_refused),
		cmocka_unit_test(a_call_cut_anywhere_is_refused),
		cmocka_unit_test(a_base_without_its_upper_end_makes_no_whole_path),
		cmocka_unit_test(a_kill_is_an_exec_with_the_row_that_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
