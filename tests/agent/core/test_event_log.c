/* test_event_log.c - what is recorded can be replayed; the file is bounded, private and no link. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "agent/event_log.h"
#include "agent/replay_event.h"
#include "agent/rules/rules_json.h"
#include "common/file.h"

static char dir[] = "/tmp/picket-record-XXXXXX";

static const char *in_dir(const char *name)
{
	static char path[300];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static cJSON *event(const char *text)
{
	cJSON *doc = NULL;

	assert_int_equal(json_parse(slice_of(text), 1 << 20, &doc, NULL), 0);
	return doc;
}

static uint64_t size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) < 0 ? 0 : (uint64_t)st.st_size;
}

static void what_is_written_reads_the_same(void **state)
{
	static const char conditions[] =
		"- rule: A\n  desc: x\n  condition: evt.arg.flags contains RDONLY and proc.aname[2]=init\n"
		"  output: x %proc.args[1]\n  priority: INFO\n";
	static const char *const checks[] = {
		"evt.arg.flags = O_RDONLY", "proc.aname[2] = init",  "proc.aname in (init)",
		"proc.args = \"-a b\"",	    "fd.sip = 1.2.3.4",	     "fd.sport = 443",
		"evt.rawtime = 1795471200500000001", "user.uid = 0", "proc.is_exe_upper_layer = true",
		"fd.ip = 1.2.3.4",	    "not fd.name exists",
	};
	CLEANUP(cJSON_Deletep) cJSON *said = event(
		"{\"evt.arg.flags\":\"O_RDONLY\",\"proc.aname\":[\"sh\",\"init\"],\"proc.args\":[\"-a\",\"b\"],"
		"\"fd.sip\":\"1.2.3.4\",\"fd.sport\":443,\"evt.rawtime\":\"1795471200500000001\",\"user.uid\":0,"
		"\"proc.is_exe_upper_layer\":true,\"proc.name\":\"a\\u0001\\\"b\"}");
	struct rules_source src = rules_json_source(said);
	CLEANUP(buf_finip) struct buf text = { 0 };
	CLEANUP(cJSON_Deletep) cJSON *read = NULL;
	struct event_log *l;
	struct rules *rules;
	struct err err = { 0 };
	struct stat st;

	(void)state;
	if (rules_load_text("r.yaml", slice_of(conditions), &rules, NULL, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(event_log_open(in_dir("e"), 1 << 20, &l, NULL), 0);
	event_log_set_rules(l, rules);
	event_log_add(l, "open", &src);
	event_log_add(l, NULL, &src);
	assert_int_equal(event_log_count(l), 1);
	event_log_close(l);
	rules_free(rules);
	assert_int_equal(stat(in_dir("e"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(file_read(in_dir("e"), 1 << 20, &text, NULL), 0);
	assert_int_equal(replay_event(buf_slice(&text), &read, NULL), 1);
	struct rules_source again = rules_json_source(read);
	for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
		bool matches = false;

		if (rules_eval_condition(slice_of(checks[i]), &again, &matches, &err) < 0)
			fail_msg("%s: %s", checks[i], err.msg);
		if (!matches)
			fail_msg("%s does not hold in %s", checks[i], text.p);
	}
}

static void a_full_file_becomes_the_old_one(void **state)
{
	CLEANUP(cJSON_Deletep) cJSON *said = event("{\"proc.name\":\"x\"}");
	struct rules_source src = rules_json_source(said);
	struct event_log *l;
	char old[300];

	(void)state;
	snprintf(old, sizeof(old), "%s", in_dir("b.1"));
	assert_int_equal(event_log_open(in_dir("b"), 4096, &l, NULL), 0);
	for (unsigned i = 0; i < 500; i++) {
		event_log_add(l, "open", &src);
		if (i % 10 == 0)
			event_log_flush(l);
	}
	event_log_close(l);
	assert_in_range(size_of(in_dir("b")), 1, 4096);
	assert_in_range(size_of(old), 1, 4096);
}

static void a_link_is_not_followed(void **state)
{
	struct event_log *l;

	(void)state;
	assert_int_equal(symlink("/nonexistent", in_dir("link")), 0);
	assert_int_equal(event_log_open(in_dir("link"), 4096, &l, NULL), -ELOOP);
}

static int remove_dir(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_reads_the_same),
		cmocka_unit_test(a_full_file_becomes_the_old_one),
		cmocka_unit_test(a_link_is_not_followed),
	};

	if (!mkdtemp(dir))
		return 1;
	return cmocka_run_group_tests(tests, NULL, remove_dir);
}
