/* php.c - what Composer locked, and what it installed. */
#include "agent/image/lang/items.h"
#include "agent/image/lang/lang.h"

static const struct items_format lock = {
	.ecosystem = "composer",
	.read = doc_json,
	.shapes = { { "packages/#", false }, { "packages-dev/#", true } },
	.fields = { { "name", ITEM_NAME }, { "version", ITEM_VERSION } },
};

int lang_composer_lock(struct slice path, struct slice text, const struct pkg_out *out, struct err *err)
{
	if (lang_is_inside(path, "vendor"))
		return 0;
	return items_read(&lock, text, NULL, out, err);
}

/* install-path is seen from vendor/composer, where installed.json lies. */
static int found_installed(struct give *e, const struct item *it)
{
	const struct slice *folder = it->arg;
	int r = give_package(e, it->text[ITEM_NAME], it->text[ITEM_VERSION], false);
	char path[4096];

	if (r || !it->text[ITEM_PLACE].n ||
	    !give_join(*folder, it->text[ITEM_PLACE], path, sizeof(path) - 1))
		return r;
	size_t n = strlen(path);
	path[n] = '/';
	return give_owned(e->ecosystem, it->text[ITEM_NAME], slice_from(path, n + 1), e->out);
}

/* Composer 1 wrote the list by itself. */
static const struct items_format installed = {
	.ecosystem = "composer",
	.read = doc_json,
	.shapes = { { "packages/#", false }, { "#", false } },
	.fields = { { "name", ITEM_NAME }, { "version", ITEM_VERSION }, { "install-path", ITEM_PLACE } },
	.found = found_installed,
};

int lang_composer_installed(struct slice path, struct slice text, const struct pkg_out *out,
			    struct err *err)
{
	struct slice folder = give_folder(path);

	return items_read(&installed, text, &folder, out, err);
}
