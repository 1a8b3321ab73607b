/* python.c - what is installed in site-packages: metadata, and which files belong to it. */
#include "agent/image/lang/give.h"
#include "agent/image/lang/lang.h"
#include "common/text.h"

enum { PATH_SIZE = 4096 };

static bool is_header(struct slice line, const char *name, struct slice *ret)
{
	size_t n = strlen(name);

	if (line.n <= n || line.p[n] != ':' || strncasecmp(line.p, name, n) != 0)
		return false;
	*ret = slice_trim(slice_sub(line, n + 1, line.n));
	return true;
}

void lang_python_headers(struct slice text, struct slice *ret_name, struct slice *ret_version)
{
	struct slice line, value;

	*ret_name = *ret_version = SLICE_NONE;
	while (slice_split(&text, '\n', &line) && slice_trim(line).n) {
		if (!ret_name->n && is_header(line, "name", &value))
			*ret_name = value;
		if (!ret_version->n && is_header(line, "version", &value))
			*ret_version = value;
		if (ret_name->n && ret_version->n)
			return;
	}
}

/* The folder that stands for the package: X.dist-info, X.egg-info; of an egg unpacked, the egg itself; an
 * X.egg-info that is a file stands for itself. */
static struct slice key_of(struct slice path)
{
	if (slice_ends(path, SLICE_LIT(".egg-info")))
		return path;
	struct slice folder = give_folder(path);
	return slice_is(give_basename(folder), "EGG-INFO") ? give_folder(folder) : folder;
}

int lang_python_metadata(struct slice path, struct slice text, const struct pkg_out *out, struct err *err)
{
	struct slice name, version, key = key_of(path);
	char below[PATH_SIZE];

	lang_python_headers(text, &name, &version);
	int r = give_one("pypi", name, version, key, out, err);
	if (r || !slice_ends(key, SLICE_LIT(".egg")) || key.n + 2 > sizeof(below))
		return r;
	memcpy(below, key.p, key.n);
	below[key.n] = '/';
	return give_owned("pypi", key, slice_from(below, key.n + 1), out);
}

static int own(struct slice key, struct slice base, struct slice file, const struct pkg_out *out)
{
	char path[PATH_SIZE];

	if (!give_join(base, file, path, sizeof(path)))
		return 0;
	return give_owned("pypi", key, slice_of(path), out);
}

/* The first field of a line of CSV; quotes, when there are some, can be doubled only in names that nobody
 * has, and such are left out. */
static struct slice first_field(struct slice line)
{
	bool is_quoted = line.n && line.p[0] == '"';

	if (is_quoted)
		line = slice_sub(line, 1, line.n);
	ptrdiff_t end = slice_find_char(line, is_quoted ? '"' : ',');
	return end < 0 ? SLICE_NONE : slice_sub(line, 0, (size_t)end);
}

int lang_python_record(struct slice path, struct slice text, const struct pkg_out *out, struct err *err)
{
	struct slice line, key = give_folder(path), base = give_folder(key);
	int r = 0;

	(void)err;
	while (out->owned && !r && slice_split(&text, '\n', &line))
		r = own(key, base, first_field(line), out);
	return r;
}

int lang_python_installed_files(struct slice path, struct slice text, const struct pkg_out *out,
				struct err *err)
{
	struct slice line, key = give_folder(path);
	int r = 0;

	(void)err;
	while (out->owned && !r && slice_split(&text, '\n', &line))
		r = own(key, key, slice_trim(line), out);
	return r;
}
