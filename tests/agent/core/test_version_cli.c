/* version_cli: what is printed and with which exit code, for scripts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <sys/mman.h>

#include "agent/version_cli.h"
#include "common/cleanup.h"

typedef int (*command_fn)(int argc, char **argv);

/* Runs it with both outputs in files of memory; returns the exit code. */
static int run(command_fn fn, int argc, const char *const *args, char *out, char *errors, size_t size)
{
	int saved[2], files[2];
	char *argv[8] = { (char *)"picket-agent" };
	char *into[2] = { out, errors };

	for (int i = 0; i < argc; i++)
		argv[i + 1] = (char *)args[i];
	fflush(NULL);
	for (int i = 0; i < 2; i++) {
		saved[i] = dup(i + 1);
		files[i] = memfd_create("output", MFD_CLOEXEC);
		dup2(files[i], i + 1);
	}
	int r = fn(argc + 1, argv);
	fflush(NULL);
	for (int i = 0; i < 2; i++) {
		dup2(saved[i], i + 1);
		ssize_t n = pread(files[i], into[i], size - 1, 0);
		into[i][n > 0 ? n : 0] = 0;
		close(saved[i]);
		close(files[i]);
	}
	return r;
}

static const struct row {
	command_fn fn;
	const char *args[4];
	int argc, want;
	const char *out, *error; /* error: what it holds */
} rows[] = {
	{ version_compare_cli, { "deb", "1.0~rc1", "1.0" }, 3, 0, "<\n", "" },
	{ version_compare_cli, { "rpm", "1:1", "2" }, 3, 0, ">\n", "" },
	{ version_compare_cli, { "pep440", "1.0", "1.0.0" }, 3, 0, "=\n", "" },
	{ version_compare_cli, { "maven", "-1", "-2" }, 3, 0, "<\n", "" },
	{ version_compare_cli, { "gem", "", "0" }, 3, 0, "=\n", "" },
	{ version_compare_cli, { "apk", "6.6.2p1", "1" }, 3, 3, "", "'6.6.2p1': not a version of apk\n" },
	{ version_compare_cli, { "deb", "1", "1.0_2" }, 3, 3, "", "'1.0_2': not a version of deb\n" },
	{ version_compare_cli, { "npm", "1.0.0", "1.0" }, 3, 3, "", "'1.0': not a version of npm\n" },
	{ version_compare_cli, { "semver", "1..2", "1" }, 3, 3, "", "'1..2': column 2: not a version of semver\n" },
	{ version_compare_cli, { "gentoo", "1", "2" }, 3, 2, "", "there are: deb apk rpm" },
	{ version_compare_cli, { "deb", "1" }, 2, 2, "", "usage: picket-agent version-compare SCHEME A B\n" },
	{ version_compare_cli, { "deb", "1", "2", "3" }, 4, 2, "", "usage:" },
	{ version_match_cli, { "npm", "^1.2 || >=3", "1.9.0" }, 3, 0, "true\n", "" },
	{ version_match_cli, { "maven", "[1.0,2.0)", "2.0" }, 3, 0, "false\n", "" },
	{ version_match_cli, { "npm", ">=2", "glorp" }, 3, 0, "false\n", "" },
	{ version_match_cli, { "gem", "~> x", "1" }, 3, 3, "", "range, column 4: not a version here\n" },
	{ version_match_cli, { "gem", "~> 1", "x" }, 3, 3, "", "version, column 1: not a version of gem\n" },
	{ version_match_cli, { "gem", "~> 1" }, 2, 2, "", "usage: picket-agent version-match SCHEME RANGE VERSION\n" },
};

static void answers_go_to_standard_output_and_reasons_to_standard_error(void **state)
{
	char out[512], errors[512];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int r = run(rows[i].fn, rows[i].argc, rows[i].args, out, errors, sizeof(out));

		if (r != rows[i].want)
			print_error("%s %s: %s%s\n", rows[i].args[0], rows[i].args[1], out, errors);
		assert_int_equal(r, rows[i].want);
		assert_string_equal(out, rows[i].out);
		assert_non_null(strstr(errors, rows[i].error));
		assert_int_equal(errors[0] != 0, rows[i].error[0] != 0);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_go_to_standard_output_and_reasons_to_standard_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
