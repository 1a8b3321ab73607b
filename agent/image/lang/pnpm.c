/* pnpm.c - pnpm-lock.yaml. Which package it is stands in the key, written differently by each format:
 *   5   /@scope/name/1.0.0_peer@2.0.0      host/name/1.0.0
 *   6   /@scope/name@1.0.0(peer@2.0.0)
 *   9   @scope/name@1.0.0                  name@https://…  with a version below it
 * and below it, where the key doesn't tell, as "name" and "version".
 *
 * Up to 8 a package says itself whether it is "dev"; from 9 on it is when no importer reaches it but by its
 * devDependencies. Peers make several snapshots of one package: any of them reaches it. */
#include "agent/image/lang/graph.h"
#include "agent/image/lang/items.h"
#include "agent/image/lang/lang.h"

struct format {
	bool is_old; /* before 6 */
	struct graph graph;
};

static struct slice until(struct slice s, char c)
{
	ptrdiff_t i = slice_find_char(s, c);

	return i < 0 ? s : slice_sub(s, 0, (size_t)i);
}

/* Keys of format 5. */
static struct slice old_key(struct slice key, struct slice *ret_version)
{
	struct slice folder = give_folder(key), scope = give_folder(folder);
	bool has_scope = give_basename(scope).n && give_basename(scope).p[0] == '@';
	struct slice name = give_basename(folder);

	*ret_version = until(give_basename(key), '_');
	if (!has_scope)
		return name;
	return slice_from(give_basename(scope).p, give_basename(scope).n + 1 + name.n);
}

static struct slice new_key(struct slice key, struct slice *ret_version)
{
	key = until(key, '(');
	if (key.n && key.p[0] == '/')
		key = slice_sub(key, 1, key.n);
	ptrdiff_t at = slice_find_char(slice_sub(key, 1, key.n), '@');
	*ret_version = at < 0 ? SLICE_NONE : slice_sub(key, (size_t)at + 2, key.n);
	return at < 0 ? key : slice_sub(key, 0, (size_t)at + 1);
}

static uint64_t node_of_key(struct slice key)
{
	struct slice version, name = new_key(key, &version);

	return give_hash(name, version, 'g');
}

/* "dependencies: {NAME: VALUE}": a version with its peers, or a whole key where the name is an alias. */
static uint64_t node_of_value(struct slice name, struct slice value)
{
	value = until(value, '(');
	if (slice_find_char(slice_sub(value, 1, value.n), '@') >= 0 && slice_find_char(value, ':') < 0)
		return node_of_key(value);
	return give_hash(name, value, 'g');
}

static int on_need(void *arg, const struct doc *d, enum doc_event e, struct slice text)
{
	struct graph *g = arg;

	if (e != DOC_TEXT && e != DOC_WORD)
		return 0;
	if (doc_is(d, 0, "importers/*/dependencies/*/version") ||
	    doc_is(d, 0, "importers/*/optionalDependencies/*/version"))
		graph_add_root(g, node_of_value(doc_key(d, 3), text));
	if (doc_is(d, 0, "snapshots/*/dependencies/*") || doc_is(d, 0, "snapshots/*/optionalDependencies/*"))
		graph_add(g, node_of_key(doc_key(d, 1)), node_of_value(doc_key(d, 3), text));
	return 0;
}

static int found(struct give *e, const struct item *it)
{
	const struct format *f = it->arg;
	struct slice version, name = f->is_old ? old_key(it->key, &version) : new_key(it->key, &version);
	bool has_version = version.n && version.p[0] >= '0' && version.p[0] <= '9';

	if (it->text[ITEM_NAME].n)
		name = it->text[ITEM_NAME];
	else if (!has_version && (f->is_old || !it->text[ITEM_VERSION].n))
		return 0; /* a place, not a package */
	if (it->text[ITEM_VERSION].n)
		version = it->text[ITEM_VERSION];
	else if (!has_version)
		version = SLICE_NONE;
	bool is_dev = item_has_word(it, ITEM_DEV, "true") || !graph_is_reached(&f->graph, node_of_key(it->key));
	return give_package(e, name, version, is_dev);
}

static int other(void *arg, const struct doc *d, enum doc_event e, struct slice text)
{
	struct format *f = arg;

	uint64_t number;

	if ((e == DOC_TEXT || e == DOC_WORD) && doc_is(d, 0, "lockfileVersion"))
		f->is_old = !slice_to_u64(until(text, '.'), &number) || number < 6;
	return 0;
}

static const struct items_format packages = {
	.ecosystem = "npm",
	.read = doc_yaml,
	.shapes = { { "packages/*", false } },
	.fields = { { "name", ITEM_NAME }, { "version", ITEM_VERSION }, { "dev", ITEM_DEV } },
	.found = found,
	.other = other,
};

/* pnpm 10 may lock itself in a document before the project's, which is the last. */
static struct slice last_document(struct slice text)
{
	struct slice mark = SLICE_LIT("\n---"), rest = text;
	ptrdiff_t i;

	while ((i = slice_find(rest, mark)) >= 0) {
		rest = slice_sub(rest, (size_t)i + 1, rest.n);
		char after = rest.n > 3 ? rest.p[3] : '\n';
		if (after == '\n' || after == '\r' || after == ' ')
			text = rest;
	}
	return text;
}

int lang_pnpm(struct slice path, struct slice text, const struct pkg_out *out, struct err *err)
{
	struct format f = { .is_old = true };
	int r = 0;

	if (lang_is_inside(path, "node_modules"))
		return 0;
	text = last_document(text);
	graph_init(&f.graph);
	if (slice_find(text, SLICE_LIT("\nsnapshots:")) >= 0)
		r = doc_yaml(text, on_need, &f.graph, NULL);
	if (!r) /* of a broken file nothing is known */
		graph_reach(&f.graph);
	r = items_read(&packages, text, &f, out, err);
	graph_fini(&f.graph);
	return r;
}
