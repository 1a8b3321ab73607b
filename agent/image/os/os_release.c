/* os_release.c - which distribution this is: etc/os-release, usr/lib/os-release (os-release(5)). */
#include "agent/image/pkg.h"
#include "common/text.h"

/* Quotes off. A backslash within stays: no value asked for has one. What is no clean text is nothing. */
static struct slice unquote(struct slice s)
{
	s = slice_trim(s);
	if (s.n >= 2 && (s.p[0] == '"' || s.p[0] == '\'') && s.p[s.n - 1] == s.p[0])
		s = slice_trim(slice_sub(s, 1, s.n - 2));
	return text_is_clean(s) ? s : SLICE_NONE;
}

/* "8 (jessie)" -> "jessie": where VERSION_CODENAME is not set. "(Focal Fossa)" is no codename but a name. */
static struct slice codename_of(struct slice version)
{
	ptrdiff_t open = slice_find_char(version, '('), close = slice_find_char(version, ')');

	if (open < 0 || close < open)
		return SLICE_NONE;
	struct slice s = slice_sub(version, (size_t)open + 1, (size_t)(close - open - 1));
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 'a' || s.p[i] > 'z')
			return SLICE_NONE;
	return s;
}

int pkg_os_release_parse(struct slice text, struct pkg_os_release *ret, struct err *err)
{
	struct slice version = SLICE_NONE, ubuntu = SLICE_NONE, line;
	struct pkg_os_release o = { 0 };
	const struct {
		const char *name;
		struct slice *to;
	} fields[] = {
		{ "ID", &o.id },
		{ "VERSION_ID", &o.version_id },
		{ "VERSION_CODENAME", &o.codename },
		{ "ID_LIKE", &o.id_like },
		{ "PRETTY_NAME", &o.pretty_name },
		{ "VERSION", &version },
		{ "UBUNTU_CODENAME", &ubuntu },
	};

	while (slice_split(&text, '\n', &line)) {
		ptrdiff_t equals = slice_find_char(line, '=');

		for (size_t i = 0; equals > 0 && i < ARRAY_LEN(fields); i++)
			if (slice_is(slice_trim(slice_sub(line, 0, (size_t)equals)), fields[i].name))
				*fields[i].to = unquote(slice_sub(line, (size_t)equals + 1, line.n));
	}
	if (!o.codename.n)
		o.codename = slice_is(o.id, "ubuntu") ? ubuntu : codename_of(version);
	if (!o.id.n)
		return err_set(err, ERR_SYNTAX, "os-release without ID");
	*ret = o;
	return 0;
}
