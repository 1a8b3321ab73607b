/* test_config.c - what `enroll` writes is a configuration, with every key in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "agent/config.h"
#include "agent/guard/guard.h"
#include "common/file.h"

static char path[] = "/tmp/picket-config-XXXXXX";

static int read_text(const char *text, struct agent_config *c, struct err *err)
{
	assert_int_equal(file_write_atomic(path, slice_of(text), 0600, NULL), 0);
	agent_config_init(c);
	return agent_config_read(path, c, err);
}

/* The comments are taken off: what stands behind them must be the defaults, by the same names. */
static void the_written_file_says_every_key_with_its_default(void **state)
{
	CLEANUP(buf_finip) struct buf out = { 0 }, plain = { 0 };
	struct agent_config c, defaults;
	struct err err = { 0 };

	(void)state;
	buf_init(&out, 65536);
	buf_init(&plain, 65536);
	agent_config_init(&defaults);
	agent_config_write(&defaults, &out);
	struct slice rest = buf_slice(&out), line;
	while (slice_split(&rest, '\n', &line)) {
		if (slice_starts(line, SLICE_LIT("# ")) || slice_find(line, SLICE_LIT("as enrolled")) >= 0 ||
		    slice_starts(line, SLICE_LIT("#collector")))
			continue;
		buf_add_slice(&plain, slice_sub(line, line.n && line.p[0] == '#', line.n));
		buf_add_char(&plain, '\n');
	}
	if (read_text(plain.p, &c, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(c.fold_burst, defaults.fold_burst);
	assert_int_equal(c.fold_window_ms, defaults.fold_window_ms);
	assert_int_equal(c.ring_bytes, defaults.ring_bytes);
	assert_int_equal(c.rare_ring_bytes, defaults.rare_ring_bytes);
	assert_int_equal(c.volume_ring_bytes, defaults.volume_ring_bytes);
	assert_int_equal(c.spool_max_bytes, defaults.spool_max_bytes);
	assert_int_equal(c.sync_ms, defaults.sync_ms);
	assert_int_equal(c.flush_ms, defaults.flush_ms);
	assert_int_equal(c.heartbeat_ms, defaults.heartbeat_ms);
	assert_int_equal(c.name_wait_ms, defaults.name_wait_ms);
	assert_int_equal(c.max_processes, defaults.max_processes);
	assert_int_equal(c.priority, defaults.priority);
	assert_int_equal(c.log_level, defaults.log_level);
	assert_int_equal(c.response_mode, defaults.response_mode);
	assert_int_equal(c.response_max_per_minute, defaults.response_max_per_minute);
	assert_int_equal(c.rule_matching, defaults.rule_matching);
	assert_int_equal(c.probe_mode, defaults.probe_mode);
	assert_string_equal(c.docker_socket, defaults.docker_socket);
	agent_config_fini(&c);
	agent_config_fini(&defaults);
}

static void responses_are_read_and_half_ones_refused(void **state)
{
	static const struct {
		const char *text, *want; /* want NULL: accepted */
	} cases[] = {
		{ "response:\n  mode: enforce\n  rules:\n  - {rule: A, action: pause}\n  - {rule: B}\n", NULL },
		{ "response:\n  mode: dry-run\n", "names no rule" },
		{ "response:\n  rules:\n  - action: kill\n", "has no 'rule'" },
		{ "response:\n  rules:\n  - {rule: A, action: shoot}\n", "one of kill, stop, pause, disconnect" },
		{ "response:\n  mode: on\n", "off, dry-run, enforce" },
		{ "response:\n  moed: off\n", "did you mean 'mode'" },
		{ "rule_matching: some\n", "one of all, first" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct agent_config c;
		struct err err = { 0 };
		int r = read_text(cases[i].text, &c, &err);

		if ((r >= 0) != !cases[i].want || (cases[i].want && !strstr(err.msg, cases[i].want)))
			fail_msg("case %zu: %d %s", i, r, err.msg);
		if (!i) {
			const struct agent_response *all = c.responses.items;

			assert_int_equal(c.responses.count, 2);
			assert_int_equal(all[0].action, GUARD_PAUSE);
			assert_int_equal(all[1].action, GUARD_KILL);
			assert_string_equal(all[1].rule, "B");
		}
		agent_config_fini(&c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_written_file_says_every_key_with_its_default),
		cmocka_unit_test(responses_are_read_and_half_ones_refused),
	};
	int fd = mkstemp(path);

	if (fd < 0)
		return 1;
	close(fd);
	int r = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return r;
}
