/* dotnet.c - X.deps.json beside a published program; NuGet's lock files. */
#include "agent/image/lang/items.h"
#include "agent/image/lang/lang.h"

/* X.deps.json: "libraries" names all packages, "targets" which files of theirs there are. A package
 * without a file is a name that pulls in others: it is left out, as nothing of it can be run. */

struct deps {
	struct give files;   /* remembers: 'f' has files, 't' is in a target */
	struct slice folder; /* of X.deps.json, where the files lie too */
	const struct pkg_out *out;
};

/* Where a file of each list lies beside the program: by its last part, as the list has it, or in a folder
 * of its language, which nobody runs. */
static const struct {
	const char *name;
	bool is_flat, is_owned;
} file_lists[] = {
	{ "runtime", true, true },
	{ "native", true, true },
	{ "runtimeTargets", false, true },
	{ "resources", false, false },
};

/* "Name/1.0" -> both; false without a version. */
static bool split_library(struct slice key, struct slice *ret_name, struct slice *ret_version)
{
	struct slice prefix = SLICE_LIT("runtimepack.");
	ptrdiff_t i = slice_find_char(key, '/');

	if (i < 1)
		return false;
	*ret_name = slice_sub(key, 0, (size_t)i);
	*ret_version = slice_sub(key, (size_t)i + 1, key.n);
	if (slice_starts(*ret_name, prefix))
		*ret_name = slice_sub(*ret_name, prefix.n, ret_name->n);
	return ret_name->n && ret_version->n;
}

static int own_file(struct deps *t, struct slice library, struct slice file)
{
	struct slice name, version;
	char path[4096];

	if (!t->out->owned || !split_library(library, &name, &version) ||
	    !give_join(t->folder, file, path, sizeof(path)))
		return 0;
	return give_owned("nuget", name, slice_of(path), t->out);
}

/* targets/FRAMEWORK/LIBRARY/runtime/lib/net6.0/X.dll */
static int on_target(void *arg, const struct doc *d, enum doc_event e, struct slice text)
{
	struct deps *t = arg;

	(void)text;
	if (e != DOC_MAP || !slice_is(doc_key(d, 0), "targets"))
		return 0;
	if (doc_is(d, 1, "*/*"))
		(void)give_seen(&t->files, give_hash(doc_key(d, 2), SLICE_NONE, 't'));
	if (!doc_is(d, 1, "*/*/*/*"))
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(file_lists); i++) {
		struct slice file = doc_key(d, 4);

		if (!slice_is(doc_key(d, 3), file_lists[i].name))
			continue;
		(void)give_seen(&t->files, give_hash(doc_key(d, 2), SLICE_NONE, 'f'));
		if (file_lists[i].is_owned)
			return own_file(t, doc_key(d, 2), file_lists[i].is_flat ? give_basename(file) : file);
	}
	return 0;
}

static bool has_files(struct deps *t, struct slice key)
{
	return !give_seen(&t->files, give_hash(key, SLICE_NONE, 't')) ||
	       give_seen(&t->files, give_hash(key, SLICE_NONE, 'f'));
}

static int found_library(struct give *e, const struct item *it)
{
	struct slice name, version;

	if (!split_library(it->key, &name, &version) || !has_files(it->arg, it->key))
		return 0;
	return give_package(e, name, version, false);
}

static const struct items_format libraries = {
	.ecosystem = "nuget",
	.read = doc_json,
	.shapes = { { "libraries/*", false } },
	.found = found_library,
};

int lang_dotnet_deps(struct slice path, struct slice text, const struct pkg_out *out, struct err *err)
{
	struct deps t = { .folder = give_folder(path), .out = out };

	give_init(&t.files, "nuget", out);
	int r = doc_json(text, on_target, &t, err);
	if (!r)
		r = items_read(&libraries, text, &t, out, err);
	return give_end(&t.files, r, err);
}

/* packages.lock.json: "dependencies" by framework; a project has nothing resolved. */

static int found_locked(struct give *e, const struct item *it)
{
	struct slice version = it->text[ITEM_VERSION];

	return version.n ? give_package(e, it->key, version, false) : 0;
}

static const struct items_format lock = {
	.ecosystem = "nuget",
	.read = doc_json,
	.shapes = { { "dependencies/*/*", false } },
	.fields = { { "resolved", ITEM_VERSION } },
	.found = found_locked,
};

int lang_nuget_lock(struct slice path, struct slice text, const struct pkg_out *out, struct err *err)
{
	(void)path;
	return items_read(&lock, text, NULL, out, err);
}

/* packages.config: <package id="X" version="1.0" developmentDependency="true" /> and nothing else of XML. */

static struct slice attribute(struct slice tag, const char *name)
{
	struct slice rest = tag;
	ptrdiff_t i;

	while ((i = slice_find(rest, slice_of(name))) > 0) {
		char before = rest.p[i - 1];
		rest = slice_trim(slice_sub(rest, (size_t)i + strlen(name), rest.n));
		if ((before != ' ' && before != '\t' && before != '\n') || !rest.n || rest.p[0] != '=')
			continue;
		rest = slice_trim(slice_sub(rest, 1, rest.n));
		if (!rest.n || (rest.p[0] != '"' && rest.p[0] != '\''))
			return SLICE_NONE;
		ptrdiff_t end = slice_find_char(slice_sub(rest, 1, rest.n), rest.p[0]);
		return end < 0 ? SLICE_NONE : slice_sub(rest, 1, (size_t)end);
	}
	return SLICE_NONE;
}

static int read_config(struct give *e, struct slice text)
{
	struct slice open = SLICE_LIT("<package");
	ptrdiff_t i;
	int r = 0;

	while (!r && (i = slice_find(text, open)) >= 0) {
		text = slice_sub(text, (size_t)i + open.n, text.n);
		ptrdiff_t end = slice_find_char(text, '>');
		if (end < 0)
			break;
		struct slice tag = slice_sub(text, 0, (size_t)end);
		text = slice_sub(text, (size_t)end, text.n);
		if (tag.n && tag.p[0] != 's')
			r = give_package(e, attribute(tag, "id"), attribute(tag, "version"),
					 slice_is(attribute(tag, "developmentDependency"), "true"));
	}
	return r;
}

int lang_nuget_config(struct slice path, struct slice text, const struct pkg_out *out, struct err *err)
{
	struct give e;

	(void)path;
	give_init(&e, "nuget", out);
	return give_end(&e, read_config(&e, text), err);
}
