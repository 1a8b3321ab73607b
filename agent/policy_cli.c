/* policy_cli.c - see policy_cli.h. What was understood to standard output, one line an error to standard error. */
#include "agent/policy_cli.h"

#include <time.h>

#include "common/policy/policy.h"

static const char default_path[] = "/etc/picket/policy.yaml";

static int usage(void)
{
	fputs("usage: picket-agent policy check [FILE]    default /etc/picket/policy.yaml\n", stderr);
	return err_exit_code(ERR_USAGE);
}

int policy_cli(int argc, char **argv)
{
	CLEANUP(policy_freep) struct policy *p = NULL;
	CLEANUP(buf_finip) struct buf out = { 0 };
	struct err err;

	if (argc < 2 || argc > 3 || strcmp(argv[1], "check") != 0 || (argc == 3 && argv[2][0] == '-'))
		return usage();
	const char *path = argc == 3 ? argv[2] : default_path;
	if (policy_load(path, &p, &err) < 0) {
		fprintf(stderr, "picket-agent: %s\n", err.msg);
		return err_exit_code(err.code);
	}
	policy_summary(p, (uint64_t)time(NULL), &out);
	printf("%s: right\n%s", path, out.n ? out.p : "");
	return 0;
}
