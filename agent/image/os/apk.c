/* apk.c - what Alpine's apk says is installed: lib/apk/db/installed, and usr/lib/apk/db since apk 3.
 *
 * Lines "X:value", a blank line after each package: P name, V version, A architecture, o the source package
 * (always of the same version); then F a folder and R each file in it, with lines of lower-case letters or Z
 * for their modes and checksums between. */
#include <errno.h>

#include "agent/image/os/os_priv.h"

struct reader {
	struct emit e;
	struct kept name, version, arch, origin;
	char path[OS_PATH_MAX]; /* the folder, a slash, the file */
	size_t folder_n;
	uint32_t line; /* where the package begins; 0: nothing yet */
	bool is_given;
};

/* The package is given out before its files. */
static bool give(struct reader *r)
{
	struct pkg p = { .name = kept_slice(&r->name),
			 .version = kept_slice(&r->version),
			 .arch = kept_slice(&r->arch),
			 .source = kept_slice(&r->origin) };

	if (!r->line || r->is_given)
		return true;
	r->is_given = true;
	if (r->name.is_cut || r->version.is_cut || r->arch.is_cut || r->origin.is_cut) {
		os_emit_wrong(&r->e, ERR_SYNTAX, "line %u: a package's text is too long", r->line);
		return true;
	}
	if (!p.name.n || !p.version.n) {
		os_emit_wrong(&r->e, ERR_SYNTAX, "line %u: a package without a %s", r->line,
			   p.name.n ? "version" : "name");
		return true;
	}
	return os_emit_package(&r->e, &p);
}

static bool end_package(struct reader *r)
{
	bool go_on = give(r);

	r->name.n = r->version.n = r->arch.n = r->origin.n = 0;
	r->folder_n = 0;
	r->line = 0;
	r->is_given = false;
	return go_on;
}

/* With one that is too long, so is every file in it. */
static void take_folder(struct reader *r, struct slice folder)
{
	r->folder_n = folder.n < sizeof(r->path) ? folder.n : sizeof(r->path);
	if (!r->folder_n || r->folder_n == sizeof(r->path))
		return;
	memcpy(r->path, folder.p, folder.n);
	r->path[r->folder_n++] = '/';
}

static bool take_file(struct reader *r, struct slice name, uint32_t line)
{
	if (name.n > sizeof(r->path) - r->folder_n) {
		os_emit_wrong(&r->e, ERR_SYNTAX, "line %u: a path is too long", line);
		return true;
	}
	if (!name.n)
		return true;
	memcpy(r->path + r->folder_n, name.p, name.n);
	return os_emit_owned(&r->e, kept_slice(&r->name), slice_from(r->path, r->folder_n + name.n));
}

/* False when the taker wants no more. */
static bool take_line(struct reader *r, struct slice line, uint32_t number)
{
	bool go_on = true;

	if (line.n < 2 || line.p[1] != ':') {
		os_emit_wrong(&r->e, ERR_SYNTAX, "line %u: no field", number);
		return true;
	}
	const struct slice value = slice_sub(line, 2, line.n);
	if (!r->line)
		r->line = number;
	switch (line.p[0]) {
	case 'P':
		kept_set(&r->name, value);
		break;
	case 'V':
		kept_set(&r->version, value);
		break;
	case 'A':
		kept_set(&r->arch, value);
		break;
	case 'o':
		kept_set(&r->origin, value);
		break;
	case 'F':
		take_folder(r, value);
		break;
	case 'R':
		go_on = give(r) && take_file(r, value, number);
		break;
	default:
		break;
	}
	return go_on;
}

int apk_read(struct slice path, const struct blob *b, const struct pkg_out *out, struct err *err)
{
	CLEANUP(lines_finip) struct lines l = { 0 };
	CLEANUP(freep) struct reader *r = calloc(1, sizeof(*r));
	struct slice line;
	bool go_on = true;

	(void)path;
	int n = r ? lines_init(&l, b, err) : err_set(err, ENOMEM, "read a file");
	if (n < 0)
		return n;
	r->e = (struct emit){ .out = out, .ecosystem = "apk" };
	while (go_on && (n = lines_next(&l, &line, err)) > 0)
		go_on = slice_trim(line).n ? take_line(r, line, l.number) : end_package(r);
	if (n < 0)
		return n;
	if (go_on)
		(void)end_package(r);
	return os_emit_end(&r->e, err);
}
