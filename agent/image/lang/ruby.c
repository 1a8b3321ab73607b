/* ruby.c - Gemfile.lock, and the specifications of installed gems. */
#include "agent/image/lang/give.h"
#include "agent/image/lang/lang.h"

enum { PATH_SIZE = 4096 };

/* "1.13.3-x86_64-linux": a gem's version has no "-" of its own, what follows is the platform. */
static struct slice without_platform(struct slice version)
{
	ptrdiff_t i = slice_find_char(version, '-');

	return i < 0 ? version : slice_sub(version, 0, (size_t)i);
}

/* "    name (1.0)": four blanks; what a gem needs stands deeper. */
static bool read_spec(struct slice line, struct slice *ret_name, struct slice *ret_version)
{
	struct slice indent = SLICE_LIT("    ");

	if (!slice_starts(line, indent) || line.n == indent.n || line.p[indent.n] == ' ')
		return false;
	line = slice_trim(line);
	ptrdiff_t open = slice_find(line, SLICE_LIT(" ("));
	if (open < 1 || !slice_ends(line, SLICE_LIT(")")))
		return false;
	*ret_name = slice_sub(line, 0, (size_t)open);
	*ret_version = without_platform(slice_sub(line, (size_t)open + 2, line.n - (size_t)open - 3));
	return ret_version->n;
}

/* GEM, GIT, PATH and PLUGIN SOURCE have "  specs:"; any line further left ends them. */
static int read_gemfile(struct give *e, struct slice text)
{
	struct slice line, name, version;
	bool is_in_specs = false;
	int r = 0;

	while (!r && slice_split(&text, '\n', &line)) {
		if (!slice_trim(line).n)
			continue;
		if (!slice_starts(line, SLICE_LIT("    ")))
			is_in_specs = slice_is(slice_trim(line), "specs:");
		else if (is_in_specs && read_spec(line, &name, &version))
			r = give_package(e, name, version, false);
	}
	return r;
}

int lang_gemfile_lock(struct slice path, struct slice text, const struct pkg_out *out, struct err *err)
{
	struct give e;

	(void)path;
	give_init(&e, "gem", out);
	return give_end(&e, read_gemfile(&e, text), err);
}

/* "s.name = \"rake\".freeze" -> rake, when the field is name. */
static bool read_field(struct slice line, const char *field, struct slice *ret)
{
	ptrdiff_t dot = slice_find_char(line, '.');

	if (dot < 1)
		return false;
	line = slice_sub(line, (size_t)dot + 1, line.n);
	if (!slice_starts(line, slice_of(field)))
		return false;
	line = slice_trim(slice_sub(line, strlen(field), line.n));
	if (!line.n || line.p[0] != '=')
		return false;
	line = slice_trim(slice_sub(line, 1, line.n));
	if (line.n < 2 || (line.p[0] != '"' && line.p[0] != '\''))
		return false;
	char quote = line.p[0];
	line = slice_sub(line, 1, line.n);
	ptrdiff_t end = slice_find_char(line, quote);
	*ret = end < 0 ? SLICE_NONE : slice_sub(line, 0, (size_t)end);
	return ret->n && slice_find(*ret, SLICE_LIT("#{")) < 0;
}

/* "# stub: rake 13.0.6 ruby lib" is written by RubyGems for readers that run no Ruby; without it, the
 * assignments as RubyGems writes them. */
static void read_gemspec(struct slice text, struct slice *ret_name, struct slice *ret_version)
{
	struct slice line, stub = SLICE_LIT("# stub: "), value;

	*ret_name = *ret_version = SLICE_NONE;
	while (slice_split(&text, '\n', &line)) {
		line = slice_trim(line);
		if (slice_starts(line, stub)) {
			line = slice_sub(line, stub.n, line.n);
			(void)slice_split(&line, ' ', ret_name);
			(void)slice_split(&line, ' ', ret_version);
			return;
		}
		if (!ret_name->n && read_field(line, "name", &value))
			*ret_name = value;
		if (!ret_version->n && read_field(line, "version", &value))
			*ret_version = value;
		if (ret_name->n && ret_version->n)
			return;
	}
}

/* D/specifications/NAME-VERSION.gemspec: the gem is in D/gems/NAME-VERSION. Default gems (a folder deeper)
 * lie among Ruby's own files. */
static int own_folder(struct slice path, const struct pkg_out *out)
{
	struct slice folder = give_folder(path), stem = give_basename(path);
	char below[PATH_SIZE];

	if (!slice_is(give_basename(folder), "specifications"))
		return 0;
	struct slice root = give_folder(folder);
	stem = slice_sub(stem, 0, stem.n - strlen(".gemspec"));
	int n = snprintf(below, sizeof(below), "%.*s%sgems/%.*s/", SLICE_FMT(root), root.n ? "/" : "",
			 SLICE_FMT(stem));
	if (n < 0 || (size_t)n >= sizeof(below))
		return 0;
	return give_owned("gem", path, slice_of(below), out);
}

int lang_gemspec(struct slice path, struct slice text, const struct pkg_out *out, struct err *err)
{
	struct slice name, version;

	if (!slice_ends(path, SLICE_LIT(".gemspec")))
		return 0;
	read_gemspec(text, &name, &version);
	int r = give_one("gem", name, without_platform(version), path, out, err);
	return r ? r : own_folder(path, out);
}
