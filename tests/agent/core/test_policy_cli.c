/* policy_cli: a policy checked from the command line: words, exit codes. */
#include "tests/agent/core/typed.h"

#include "agent/policy_cli.h"
#include "common/file.h"

static int run(const char *command, const char *path, const char *more)
{
	char *argv[] = { (char *)"policy", (char *)command, (char *)path, (char *)more, NULL };
	int argc = 1;

	while (argc < 4 && argv[argc])
		argc++;
	return typed(policy_cli, argc, argv);
}

static void a_right_policy_is_told_as_it_was_understood(void **state)
{
	assert_int_equal(run("check", TEST_ROOT "/agent/packaging/policy.yaml", NULL), 0);
	assert_string_equal(errors, "");
	assert_non_null(strstr(out, "/agent/packaging/policy.yaml: right\n"));
	assert_non_null(strstr(out, "runtime (monitor)\n  deny_privileged: yes\n"));
}

static void a_wrong_one_is_refused_with_its_place(void **state)
{
	char path[] = "/tmp/picket-policy-XXXXXX", want[200];
	CLEANUP(fd_closep) int fd = mkstemp(path);

	assert_int_equal(file_write_all(fd, "mode: enforced\n", 15, NULL), 0);
	int r = run("check", path, NULL);
	unlink(path);
	snprintf(want, sizeof(want), "picket-agent: %s:1:7: unknown mode 'enforced', did you mean 'enforce'?\n", path);
	assert_int_equal(r, 3);
	assert_string_equal(errors, want);
	assert_string_equal(out, "");
}

static void what_is_no_command_or_no_file_says_so(void **state)
{
	assert_int_equal(run(NULL, NULL, NULL), 2);
	assert_int_equal(run("chek", "x", NULL), 2);
	assert_int_equal(run("check", "--help", NULL), 2);
	assert_int_equal(run("check", "a", "b"), 2);
	assert_non_null(strstr(errors, "usage: picket-agent policy check"));
	assert_int_equal(run("check", "/nonexistent/policy.yaml", NULL), 5);
	assert_non_null(strstr(errors, "/nonexistent/policy.yaml"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_right_policy_is_told_as_it_was_understood),
		cmocka_unit_test(a_wrong_one_is_refused_with_its_place),
		cmocka_unit_test(what_is_no_command_or_no_file_says_so),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
