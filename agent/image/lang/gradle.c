/* gradle.c - gradle.lockfile: "group:artifact:version=configuration,…" by the line. */
#include "agent/image/lang/give.h"
#include "agent/image/lang/lang.h"

/* Only in configurations that are called test…? */
static bool is_for_tests(struct slice configurations)
{
	struct slice one;
	bool has_one = false;

	while (slice_split(&configurations, ',', &one)) {
		if (!slice_starts(slice_trim(one), SLICE_LIT("test")))
			return false;
		has_one = true;
	}
	return has_one;
}

static int read_line(struct give *e, struct slice line)
{
	ptrdiff_t equals = slice_find_char(line, '=');
	struct slice module, rest;

	if (equals < 0 || line.p[0] == '#')
		return 0;
	module = slice_sub(line, 0, (size_t)equals);
	rest = slice_sub(line, (size_t)equals + 1, line.n);
	ptrdiff_t group = slice_find_char(module, ':');
	if (group < 1)
		return 0;
	ptrdiff_t artifact = slice_find_char(slice_sub(module, (size_t)group + 1, module.n), ':');
	if (artifact < 1)
		return 0;
	size_t name = (size_t)group + 1 + (size_t)artifact;
	return give_package(e, slice_sub(module, 0, name), slice_sub(module, name + 1, module.n),
			    is_for_tests(rest));
}

int lang_gradle_lock(struct slice path, struct slice text, const struct pkg_out *out, struct err *err)
{
	struct slice line;
	struct give e;
	int r = 0;

	(void)path;
	give_init(&e, "maven", out);
	while (!r && slice_split(&text, '\n', &line))
		r = read_line(&e, slice_trim(line));
	return give_end(&e, r, err);
}
