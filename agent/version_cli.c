/* version_cli.c - see version_cli.h. No options: a version may begin with a dash. */
#include "agent/version_cli.h"

#include "common/version/version.h"

static int fail(const struct err *err)
{
	fprintf(stderr, "picket-agent: %s\n", err->msg);
	return err_exit_code(err->code);
}

static int usage(const char *what)
{
	fprintf(stderr, "usage: picket-agent %s\n", what);
	return err_exit_code(ERR_USAGE);
}

/* Stricter than comparing: what the scheme's own tools only warn of is refused. */
static int check(enum version_scheme s, const char *text, struct err *err)
{
	struct version v;

	int r = version_parse(s, slice_of(text), &v, err);
	if (r >= 0 && !version_is_valid(s, slice_of(text)))
		r = err_set(err, ERR_SYNTAX, "not a version of %s", version_scheme_name(s));
	return r < 0 ? err_wrap(err, r, "'%.80s'", text) : 0;
}

int version_compare_cli(int argc, char **argv)
{
	enum version_scheme s;
	struct err err;
	int order = 0;

	if (argc != 4)
		return usage("version-compare SCHEME A B");
	int r = version_scheme_find(slice_of(argv[1]), &s, &err);
	for (int i = 2; r >= 0 && i < 4; i++)
		r = check(s, argv[i], &err);
	if (r >= 0)
		r = version_compare(s, slice_of(argv[2]), slice_of(argv[3]), &order, &err);
	if (r < 0)
		return fail(&err);
	puts(order < 0 ? "<" : order > 0 ? ">" : "=");
	return 0;
}

int version_match_cli(int argc, char **argv)
{
	enum version_scheme s;
	bool matches = false;
	struct err err;

	if (argc != 4)
		return usage("version-match SCHEME RANGE VERSION");
	int r = version_scheme_find(slice_of(argv[1]), &s, &err);
	if (r >= 0)
		r = version_match(s, slice_of(argv[2]), slice_of(argv[3]), &matches, &err);
	if (r < 0)
		return fail(&err);
	puts(matches ? "true" : "false");
	return 0;
}
