/* dpkg.c - what dpkg (Debian, Ubuntu, distroless) and opkg (OpenWrt) say is installed, and which files it
 * brought.
 *
 * var/lib/dpkg/status	 stanzas "Field: value" with a blank line between
 * var/lib/dpkg/status.d one such file a package (distroless), NAME.md5sums beside it
 * var/lib/dpkg/info	 NAME.list or NAME:ARCH.list: every path, folders too; NAME.md5sums: files without
 *			 configuration */
#include <errno.h>

#include "agent/image/os/os_priv.h"

struct stanza {
	struct kept name, version, arch, source, status;
	bool is_same; /* Multi-Arch: same */
	uint32_t line; /* of its first field; 0: nothing yet */
};

struct reader {
	struct emit e;
	struct stanza s;
	bool is_file_each; /* status.d: no Status means installed */
	struct slice file_key; /* status.d: the file's name, for its first package; else empty */
	char key[2 * OS_TEXT_MAX];
};

/* Are the package's files there? The third word; "half-installed" and "config-files" have none that count. */
static bool is_there(struct slice status)
{
	static const char *const there[] = { "installed", "unpacked", "half-configured", "triggers-awaited",
					     "triggers-pending" };
	struct slice word, last = SLICE_NONE;

	while (slice_split(&status, ' ', &word))
		last = word.n ? word : last;
	for (size_t i = 0; i < ARRAY_LEN(there); i++)
		if (slice_is(last, there[i]))
			return true;
	return false;
}

/* "gcc-12 (12.2.0-14)": the version stands there only where it is not the package's own. */
static void split_source(struct slice s, struct slice *name, struct slice *version)
{
	ptrdiff_t open = slice_find_char(s, '(');

	*name = slice_trim(open < 0 ? s : slice_sub(s, 0, (size_t)open));
	*version = SLICE_NONE;
	if (open < 0)
		return;
	s = slice_sub(s, (size_t)open + 1, s.n);
	ptrdiff_t close = slice_find_char(s, ')');
	*version = slice_trim(close < 0 ? s : slice_sub(s, 0, (size_t)close));
}

/* As dpkg names the package's files: with the architecture where two of them may be installed. */
static struct slice key_of(struct reader *r)
{
	const struct stanza *s = &r->s;
	struct slice key = r->file_key;

	if (key.n) {
		r->file_key = SLICE_NONE;
		return key;
	}
	int n = s->is_same && s->arch.n ? snprintf(r->key, sizeof(r->key), "%.*s:%.*s", SLICE_FMT(kept_slice(&s->name)),
						   SLICE_FMT(kept_slice(&s->arch))) :
					  snprintf(r->key, sizeof(r->key), "%.*s", SLICE_FMT(kept_slice(&s->name)));
	return slice_from(r->key, (size_t)n);
}

static bool end_stanza(struct reader *r)
{
	struct stanza *s = &r->s;
	bool go_on = true;

	if (s->line && (s->status.n ? is_there(kept_slice(&s->status)) : r->is_file_each)) {
		if (!s->name.n || !s->version.n) {
			os_emit_wrong(&r->e, ERR_SYNTAX, "line %u: a package without a %s", s->line,
				   s->name.n ? "version" : "name");
		} else if (s->name.is_cut || s->version.is_cut || s->arch.is_cut || s->source.is_cut) {
			os_emit_wrong(&r->e, ERR_SYNTAX, "line %u: a package's text is too long", s->line);
		} else {
			struct pkg p = { .name = kept_slice(&s->name),
					 .version = kept_slice(&s->version),
					 .arch = kept_slice(&s->arch),
					 .key = key_of(r) };

			split_source(kept_slice(&s->source), &p.source, &p.source_version);
			go_on = os_emit_package(&r->e, &p);
		}
	}
	s->name.n = s->version.n = s->arch.n = s->source.n = s->status.n = 0;
	s->is_same = false;
	s->line = 0;
	return go_on;
}

static void take_field(struct stanza *s, struct slice line, uint32_t number)
{
	const struct {
		const char *name;
		struct kept *to;
	} fields[] = {
		{ "Package", &s->name }, { "Version", &s->version }, { "Architecture", &s->arch },
		{ "Source", &s->source }, { "Status", &s->status },
	};
	struct slice value;

	if (!s->line)
		s->line = number;
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (field_is(line, fields[i].name, ':', &value))
			kept_set(fields[i].to, value);
	if (field_is(line, "Multi-Arch", ':', &value))
		s->is_same = slice_is(value, "same");
}

/* file_key: not empty, it is a file of status.d */
static int read_status(const char *ecosystem, struct slice file_key, const struct blob *b,
		       const struct pkg_out *out, struct err *err)
{
	CLEANUP(lines_finip) struct lines l = { 0 };
	CLEANUP(freep) struct reader *r = calloc(1, sizeof(*r));
	struct slice line;
	bool go_on = true;

	int n = r ? lines_init(&l, b, err) : err_set(err, ENOMEM, "read a file");
	if (n < 0)
		return n;
	r->e = (struct emit){ .out = out, .ecosystem = ecosystem };
	r->file_key = file_key;
	r->is_file_each = file_key.n > 0;
	while (go_on && (n = lines_next(&l, &line, err)) > 0) {
		if (!slice_trim(line).n)
			go_on = end_stanza(r);
		else /* one that goes on begins with a blank, and so with no field's name */
			take_field(&r->s, line, l.number);
	}
	if (n < 0)
		return n;
	if (go_on)
		(void)end_stanza(r);
	return os_emit_end(&r->e, err);
}

int dpkg_status_read(struct slice path, const struct blob *b, const struct pkg_out *out, struct err *err)
{
	(void)path;
	return read_status("deb", SLICE_NONE, b, out, err);
}

int opkg_status_read(struct slice path, const struct blob *b, const struct pkg_out *out, struct err *err)
{
	(void)path;
	return read_status("opkg", SLICE_NONE, b, out, err);
}

int dpkg_status_d_read(struct slice path, const struct blob *b, const struct pkg_out *out, struct err *err)
{
	if (slice_ends(path, SLICE_LIT(".md5sums")))
		return dpkg_md5sums_read(path, b, out, err);
	return read_status("deb", base_name(path), b, out, err);
}

/* ---- files ---- */

/* The file's name without its ending is the key of the package in read_status. */
static struct slice file_stem(struct slice path)
{
	struct slice name = base_name(path);
	size_t n = name.n;

	while (n && name.p[n - 1] != '.')
		n--;
	return slice_sub(name, 0, n ? n - 1 : name.n);
}

static bool is_below(struct slice path, struct slice folder)
{
	return path.n > folder.n && path.p[folder.n] == '/' && slice_starts(path, folder);
}

/* Folders come before what is in them; only empty ones, which look like files, get through. */
static int read_list(const char *ecosystem, struct slice key, const struct blob *b, const struct pkg_out *out,
		     struct err *err)
{
	struct emit e = { .out = out, .ecosystem = ecosystem };
	CLEANUP(lines_finip) struct lines l = { 0 };
	char last[OS_PATH_MAX];
	size_t last_n = 0;
	bool go_on = true;
	struct slice line;

	int n = lines_init(&l, b, err);
	if (n < 0)
		return n;
	while (go_on && (n = lines_next(&l, &line, err)) > 0) {
		ptrdiff_t tab = slice_find_char(line, '\t'); /* opkg: mode and link follow */

		line = tab < 0 ? line : slice_sub(line, 0, (size_t)tab);
		if (line.n > sizeof(last)) {
			os_emit_wrong(&e, ERR_SYNTAX, "line %u: a path is too long", l.number);
			continue;
		}
		if (last_n && !is_below(line, slice_from(last, last_n)))
			go_on = os_emit_owned(&e, key, slice_from(last, last_n));
		last_n = line.n;
		memcpy(last, line.p, line.n);
		if (slice_is(line, "/."))
			last_n = 0;
	}
	if (n < 0)
		return n;
	if (go_on && last_n)
		(void)os_emit_owned(&e, key, slice_from(last, last_n));
	return os_emit_end(&e, err);
}

int dpkg_list_read(struct slice path, const struct blob *b, const struct pkg_out *out, struct err *err)
{
	return read_list("deb", file_stem(path), b, out, err);
}

int opkg_list_read(struct slice path, const struct blob *b, const struct pkg_out *out, struct err *err)
{
	return read_list("opkg", file_stem(path), b, out, err);
}

/* 32 hex digits, two blanks, a path from the root. */
int dpkg_md5sums_read(struct slice path, const struct blob *b, const struct pkg_out *out, struct err *err)
{
	struct emit e = { .out = out, .ecosystem = "deb" };
	CLEANUP(lines_finip) struct lines l = { 0 };
	enum { DIGITS = 32 };
	bool go_on = true;
	struct slice line;

	int n = lines_init(&l, b, err);
	if (n < 0)
		return n;
	while (go_on && (n = lines_next(&l, &line, err)) > 0) {
		ptrdiff_t blank = slice_find_char(line, ' ');

		if (blank != DIGITS || line.n < DIGITS + 3)
			os_emit_wrong(&e, ERR_SYNTAX, "line %u: no checksum and path", l.number);
		else
			go_on = os_emit_owned(&e, file_stem(path), slice_sub(line, DIGITS + 2, OS_PATH_MAX));
	}
	return n < 0 ? n : os_emit_end(&e, err);
}
