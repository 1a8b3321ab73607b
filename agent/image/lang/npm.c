/* npm.c - what npm locked and what lies in node_modules.
 *
 * Format 1 has "dependencies", each with its own "dependencies" below it; format 3 has "packages", flat, by
 * folder; format 2 has both and says the same twice, so "packages" is taken where there is one. */
#include "agent/image/lang/items.h"
#include "agent/image/lang/lang.h"
#include "common/buf.h"

/* format 1 */

struct tree {
	struct give e;
	struct buf text; /* versions of the packages that are open, one after the other */
	struct {
		size_t level, at; /* where it stands; where its version begins in text */
		bool is_dev;
	} open[DOC_DEPTH_MAX / 2];
	size_t depth;
};

/* dependencies/A/dependencies/B … */
static bool is_dependency(const struct doc *d)
{
	size_t n = doc_depth(d);

	for (size_t i = 0; i < n; i += 2)
		if (!slice_is(doc_key(d, i), "dependencies"))
			return false;
	return n && !(n % 2);
}

/* "git+ssh://…#1a2b", "file:../x": where it comes from, which is no version. */
static struct slice real_version(struct slice v)
{
	return slice_find_char(v, ':') < 0 && slice_find_char(v, '/') < 0 ? v : SLICE_NONE;
}

/* "npm:@babel/code-frame@7.0.0" is what lies there under another name. */
static void resolve_alias(struct slice *name, struct slice *version)
{
	if (!slice_starts(*version, SLICE_LIT("npm:")))
		return;
	struct slice rest = slice_sub(*version, 4, version->n);
	ptrdiff_t at = slice_find_char(slice_sub(rest, 1, rest.n), '@');
	if (at < 0)
		return;
	*name = slice_sub(rest, 0, (size_t)at + 1);
	*version = slice_sub(rest, (size_t)at + 2, rest.n);
}

static int close_dependency(struct tree *t, const struct doc *d)
{
	size_t at = t->open[--t->depth].at;
	struct slice name = doc_key(d, t->open[t->depth].level - 1);
	struct slice version = slice_sub(buf_slice(&t->text), at, t->text.n);

	resolve_alias(&name, &version);
	int r = give_package(&t->e, name, real_version(version), t->open[t->depth].is_dev);
	t->text.n = at;
	return r;
}

static int on_tree(void *arg, const struct doc *d, enum doc_event e, struct slice text)
{
	struct tree *t = arg;

	if (e == DOC_MAP && is_dependency(d)) {
		t->open[t->depth].level = doc_depth(d);
		t->open[t->depth].at = t->text.n;
		t->open[t->depth++].is_dev = false;
		return 0;
	}
	if (!t->depth)
		return 0;
	size_t level = t->open[t->depth - 1].level;
	if (e == DOC_MAP_END && doc_depth(d) == level)
		return close_dependency(t, d);
	if (e == DOC_TEXT && doc_is(d, level, "version")) {
		t->text.n = t->open[t->depth - 1].at;
		buf_add_slice(&t->text, slice_sub(text, 0, GIVE_TEXT_MAX + 1));
	}
	if (e == DOC_WORD && doc_is(d, level, "dev"))
		t->open[t->depth - 1].is_dev = slice_is(text, "true");
	return 0;
}

static int read_tree(struct slice text, const struct pkg_out *out, struct err *err)
{
	struct tree t = { 0 };

	give_init(&t.e, "npm", out);
	buf_init(&t.text, DOC_DEPTH_MAX * (GIVE_TEXT_MAX + 1));
	int r = doc_json(text, on_tree, &t, err);
	buf_fini(&t.text);
	return give_end(&t.e, r, err);
}

/* formats 2 and 3 */

/* Behind the last "node_modules/"; a folder of the project itself: its last part. */
static struct slice name_of_folder(struct slice folder, bool *ret_is_installed)
{
	struct slice mark = SLICE_LIT("node_modules/"), rest = folder;
	ptrdiff_t i;

	*ret_is_installed = false;
	while ((i = slice_find(rest, mark)) >= 0) {
		rest = slice_sub(rest, (size_t)i + mark.n, rest.n);
		*ret_is_installed = true;
	}
	return *ret_is_installed ? rest : give_basename(folder);
}

static int found_folder(struct give *e, const struct item *it)
{
	bool is_installed, is_dev = item_has_word(it, ITEM_DEV, "true");
	struct slice folder_name = name_of_folder(it->key, &is_installed), name = it->text[ITEM_NAME];
	struct slice version = it->text[ITEM_VERSION];

	/* "" is the project; a link stands beside the folder that it leads to. */
	if (!it->key.n || slice_is(it->text[ITEM_KIND], "true") || (!is_installed && !version.n))
		return 0;
	return give_package(e, name.n ? name : folder_name, real_version(version), is_dev);
}

static const struct items_format folders = {
	.ecosystem = "npm",
	.read = doc_json,
	.shapes = { { "packages/*", false } },
	.fields = { { "name", ITEM_NAME },
		    { "version", ITEM_VERSION },
		    { "link", ITEM_KIND },
		    { "dev", ITEM_DEV } },
	.found = found_folder,
};

static int find_packages(void *arg, const struct doc *d, enum doc_event e, struct slice text)
{
	(void)text;
	if (e == DOC_MAP && doc_is(d, 0, "packages"))
		*(bool *)arg = true;
	return 0;
}

int lang_npm_lock(struct slice path, struct slice text, const struct pkg_out *out, struct err *err)
{
	bool has_packages = false;

	if (lang_is_inside(path, "node_modules"))
		return 0;
	int r = doc_json(text, find_packages, &has_packages, err);
	/* A broken file is read all the same: what stands before the break counts. */
	(void)r;
	return has_packages ? items_read(&folders, text, NULL, out, err) : read_tree(text, out, err);
}

/* what is installed */

struct manifest {
	char name[GIVE_TEXT_MAX + 1], version[GIVE_TEXT_MAX + 1];
	bool is_other; /* an extension of VS Code, a package of Unity: the same file name */
};

static int on_manifest(void *arg, const struct doc *d, enum doc_event e, struct slice text)
{
	struct manifest *m = arg;

	if (e == DOC_TEXT && doc_is(d, 0, "name"))
		(void)slice_copy(text, m->name, sizeof(m->name));
	if (e == DOC_TEXT && doc_is(d, 0, "version"))
		(void)slice_copy(text, m->version, sizeof(m->version));
	if (doc_is(d, 0, "engines/vscode") || doc_is(d, 0, "contributes") || doc_is(d, 0, "unity"))
		m->is_other = true;
	return 0;
}

/* "…/node_modules/x/package.json" or "…/node_modules/@s/x/package.json" -> its folder, else empty. */
static struct slice package_folder(struct slice path)
{
	struct slice folder = give_folder(path), parent = give_folder(folder);

	if (give_basename(parent).n && give_basename(parent).p[0] == '@')
		parent = give_folder(parent);
	return slice_is(give_basename(parent), "node_modules") ? folder : SLICE_NONE;
}

int lang_npm_package(struct slice path, struct slice text, const struct pkg_out *out, struct err *err)
{
	struct slice folder = package_folder(path);
	struct manifest m = { 0 };
	char below[4096];

	if (!folder.n)
		return 0;
	int r = doc_json(text, on_manifest, &m, err);
	if (r || m.is_other || !m.name[0] || !m.version[0])
		return r;
	r = give_one("npm", slice_of(m.name), slice_of(m.version), folder, out, err);
	if (r || folder.n + 2 > sizeof(below))
		return r;
	memcpy(below, folder.p, folder.n);
	below[folder.n] = '/';
	return give_owned("npm", folder, slice_from(below, folder.n + 1), out);
}
