/* python_locks.c - the lock files of Python's tools: pipenv, poetry, pdm, uv, and the standard one. */
#include "agent/image/lang/graph.h"
#include "agent/image/lang/items.h"
#include "agent/image/lang/lang.h"

/* Pipfile.lock: {"_meta": …, "default": {"name": {"version": "==1.0"}}, "develop": …} */

static int found_pipfile(struct give *e, const struct item *it)
{
	struct slice group = doc_key(it->d, 0), version = it->text[ITEM_VERSION];

	if (slice_is(group, "_meta"))
		return 0;
	while (version.n && version.p[0] == '=')
		version = slice_sub(version, 1, version.n);
	return give_package(e, it->key, version, slice_is(group, "develop"));
}

static const struct items_format pipfile = {
	.ecosystem = "pypi",
	.read = doc_json,
	.shapes = { { "*/*", false } },
	.fields = { { "version", ITEM_VERSION } },
	.found = found_pipfile,
};

int lang_pipfile_lock(struct slice path, struct slice text, const struct pkg_out *out, struct err *err)
{
	(void)path;
	return items_read(&pipfile, text, NULL, out, err);
}

/* poetry.lock, pdm.lock: only in groups other than the main one means for development. */

static int found_grouped(struct give *e, const struct item *it)
{
	bool is_main = item_has_word(it, ITEM_DEV, "main") || item_has_word(it, ITEM_DEV, "default");

	return give_package(e, it->text[ITEM_NAME], it->text[ITEM_VERSION], it->text[ITEM_DEV].n && !is_main);
}

static const struct items_format grouped = {
	.ecosystem = "pypi",
	.read = doc_toml,
	.shapes = { { "package/#", false } },
	.fields = { { "name", ITEM_NAME },
		    { "version", ITEM_VERSION },
		    { "category", ITEM_DEV },
		    { "groups/#", ITEM_DEV } },
	.found = found_grouped,
};

int lang_poetry_lock(struct slice path, struct slice text, const struct pkg_out *out, struct err *err)
{
	(void)path;
	return items_read(&grouped, text, NULL, out, err);
}

int lang_pdm_lock(struct slice path, struct slice text, const struct pkg_out *out, struct err *err)
{
	(void)path;
	return items_read(&grouped, text, NULL, out, err);
}

/* uv.lock: the project and its members are in it as virtual or editable. What they don't reach but by their
 * dev-dependencies is for development. */

struct uv {
	struct graph graph;
	uint64_t node; /* the package being read; its name stands first */
};

static uint64_t node_of(struct slice name)
{
	return give_hash(name, SLICE_NONE, 'g');
}

static int on_need(void *arg, const struct doc *d, enum doc_event e, struct slice text)
{
	struct uv *u = arg;

	if (e != DOC_TEXT || doc_depth(d) < 3)
		return 0;
	if (doc_is(d, 0, "package/#/name"))
		u->node = node_of(text);
	if (doc_is(d, 0, "package/#/source/virtual") || doc_is(d, 0, "package/#/source/editable"))
		graph_add_root(&u->graph, u->node);
	if (doc_is(d, 0, "package/#/dependencies/#/name") ||
	    doc_is(d, 0, "package/#/optional-dependencies/*/#/name"))
		graph_add(&u->graph, u->node, node_of(text));
	return 0;
}

static int found_uv(struct give *e, const struct item *it)
{
	const struct uv *u = it->arg;
	struct slice name = it->text[ITEM_NAME];

	if (it->text[ITEM_PLACE].n)
		return 0;
	return give_package(e, name, it->text[ITEM_VERSION], !graph_is_reached(&u->graph, node_of(name)));
}

static const struct items_format uv = {
	.ecosystem = "pypi",
	.read = doc_toml,
	.shapes = { { "package/#", false } },
	.fields = { { "name", ITEM_NAME },
		    { "version", ITEM_VERSION },
		    { "source/virtual", ITEM_PLACE },
		    { "source/editable", ITEM_PLACE } },
	.found = found_uv,
};

int lang_uv_lock(struct slice path, struct slice text, const struct pkg_out *out, struct err *err)
{
	struct uv u = { 0 };

	(void)path;
	graph_init(&u.graph);
	if (!doc_toml(text, on_need, &u, NULL)) /* of a broken file nothing is known */
		graph_reach(&u.graph);
	int r = items_read(&uv, text, &u, out, err);
	graph_fini(&u.graph);
	return r;
}

/* pylock.toml (PEP 751): a folder without a version is the project. */

static int found_pylock(struct give *e, const struct item *it)
{
	if (it->text[ITEM_PLACE].n && !it->text[ITEM_VERSION].n)
		return 0;
	return give_package(e, it->text[ITEM_NAME], it->text[ITEM_VERSION], false);
}

static const struct items_format standard = {
	.ecosystem = "pypi",
	.read = doc_toml,
	.shapes = { { "packages/#", false } },
	.fields = { { "name", ITEM_NAME }, { "version", ITEM_VERSION }, { "directory/path", ITEM_PLACE } },
	.found = found_pylock,
};

int lang_pylock(struct slice path, struct slice text, const struct pkg_out *out, struct err *err)
{
	(void)path;
	return items_read(&standard, text, NULL, out, err);
}

/* pyproject.toml: no lock file, but pins are pins. */

static int found_requirement(struct give *e, const struct item *it)
{
	struct slice name, version;

	return lang_requirement(it->text[ITEM_NAME], &name, &version) ?
		       give_package(e, name, version, false) :
		       0;
}

static const struct items_format project = {
	.ecosystem = "pypi",
	.read = doc_toml,
	.shapes = { { "project/dependencies/#", false }, { "project/optional-dependencies/*/#", false } },
	.fields = { { "", ITEM_NAME } },
	.found = found_requirement,
};

int lang_pyproject(struct slice path, struct slice text, const struct pkg_out *out, struct err *err)
{
	(void)path;
	return items_read(&project, text, NULL, out, err);
}
