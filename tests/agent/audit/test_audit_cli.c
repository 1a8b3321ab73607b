/* test_audit_cli.c - the command line, without an engine; with one: tests/e2e/test_audit_command.py. */
#include "agent/audit/audit_cli.h"

#include <fcntl.h>
#include <getopt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "common/buf.h"
#include "common/file.h"
#include "common/json.h"

struct ran {
	int code;
	struct buf out, err;
};

static void read_back(int fd, struct buf *ret)
{
	char path[64];

	buf_init(ret, 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	assert_true(file_read(path, 16 << 20, ret, NULL) >= 0);
}

static struct ran run(const char *const *args)
{
	FILE *out = tmpfile(), *err = tmpfile();
	int old_out = dup(STDOUT_FILENO), old_err = dup(STDERR_FILENO), argc = 1;
	char *argv[16] = { (char[]){ "picket-agent" } };
	const struct audit_stocks stocks = { .state_dir = "/nonexistent" };
	struct ran r;

	for (; args[argc - 1]; argc++)
		argv[argc] = (char *)(uintptr_t)args[argc - 1];
	fflush(NULL);
	dup2(fileno(out), STDOUT_FILENO);
	dup2(fileno(err), STDERR_FILENO);
	optind = 0;
	r.code = audit_cli(argc, argv, &stocks);
	fflush(NULL);
	dup2(old_out, STDOUT_FILENO);
	dup2(old_err, STDERR_FILENO);
	close(old_out);
	close(old_err);
	read_back(fileno(out), &r.out);
	read_back(fileno(err), &r.err);
	fclose(out);
	fclose(err);
	return r;
}

#define RUN(...) run((const char *const[]){ __VA_ARGS__, NULL })

static void ran_fini(struct ran *r)
{
	buf_fini(&r->out);
	buf_fini(&r->err);
}

static void assert_usage(struct ran r, const char *words)
{
	assert_int_equal(r.code, 2);
	assert_true(r.err.n > 0 && strstr(r.err.p, words));
	assert_int_equal(r.out.n, 0);
	ran_fini(&r);
}

static void wrong_words_are_told(void **state)
{
	assert_usage(RUN("--format", "xml"), "none of table, json, sarif");
	assert_usage(RUN("--fail-on", "bad"), "none of info, low, medium, high, critical");
	assert_usage(RUN("--check", "PKT-C-006x"), "did you mean 'PKT-C-006'");
	assert_usage(RUN("--check", ""), "there is no check");
	assert_usage(RUN("--files"), "can't look into images");
	assert_usage(RUN("something"), "unexpected argument 'something'");
	assert_usage(RUN("--nothing"), "--help");
	assert_usage(RUN("--container"), "--help");
}

static void a_docker_host_that_is_no_socket_is_refused(void **state)
{
	setenv("DOCKER_HOST", "tcp://127.0.0.1:2375", 1);
	assert_usage(RUN("--all"), "only unix://");
	unsetenv("DOCKER_HOST");
}

static void help_and_the_list_need_no_engine(void **state)
{
	struct ran r = RUN("--help");

	assert_int_equal(r.code, 0);
	assert_non_null(strstr(r.out.p, "--fail-on LEVEL"));
	ran_fini(&r);
	r = RUN("--list", "--docker-socket", "/nonexistent");
	assert_int_equal(r.code, 0);
	assert_non_null(strstr(r.out.p, "PKT-C-005"));
	ran_fini(&r);
}

static void without_an_engine_the_host_is_judged_and_the_exit_code_says_so(void **state)
{
	struct ran r = RUN("--docker-socket", "/nonexistent/docker.sock", "--format", "json");
	cJSON *o = NULL;
	struct err err = { 0 };

	assert_int_equal(r.code, 6);
	assert_true(r.err.n > 0);
	assert_int_equal(json_parse(buf_slice(&r.out), 16 << 20, &o, &err), 0);
	const cJSON *x;
	size_t host = 0, unknown = 0;
	cJSON_ArrayForEach(x, cJSON_GetObjectItem(o, "results"))
	{
		host += slice_is(json_get_str(x, "subject"), "host");
		unknown += slice_is(json_get_str(x, "subject"), "daemon") && slice_is(json_get_str(x, "status"), "error");
	}
	assert_true(host > 10);
	assert_true(unknown > 10);
	cJSON_Delete(o);
	ran_fini(&r);
}

static void a_container_of_no_engine_is_unreachable(void **state)
{
	struct ran r = RUN("--docker-socket", "/nonexistent/docker.sock", "--container", "x");

	assert_int_equal(r.code, 6);
	assert_int_equal(r.out.n, 0);
	ran_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_words_are_told),
		cmocka_unit_test(a_docker_host_that_is_no_socket_is_refused),
		cmocka_unit_test(help_and_the_list_need_no_engine),
		cmocka_unit_test(without_an_engine_the_host_is_judged_and_the_exit_code_says_so),
		cmocka_unit_test(a_container_of_no_engine_is_unreachable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
