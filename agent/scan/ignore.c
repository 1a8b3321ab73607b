/* ignore.c - see ignore.h. */
#include "agent/scan/ignore.h"

#include <errno.h>
#include <fnmatch.h>

#include "agent/scan/ids.h"
#include "agent/scan/purl.h"
#include "common/conf.h"
#include "common/file.h"
#include "common/text.h"

enum { TEXT_MAX = 1 << 20, ARENA_BYTES = 64 << 20 };

/* As written. Trivy's keys beside ours: what means the same stands side by side. */
struct item {
	char *id, *package, *path, *purl, *reason, *statement, *until, *expired_at;
	struct conf_list paths, purls;
};

static const struct conf_key item_keys[] = {
	{ .name = "id", .kind = CONF_STR, .offset = offsetof(struct item, id) },
	{ .name = "package", .kind = CONF_STR, .offset = offsetof(struct item, package) },
	{ .name = "path", .kind = CONF_STR, .offset = offsetof(struct item, path) },
	{ .name = "purl", .kind = CONF_STR, .offset = offsetof(struct item, purl) },
	{ .name = "reason", .kind = CONF_STR, .offset = offsetof(struct item, reason) },
	{ .name = "statement", .kind = CONF_STR, .offset = offsetof(struct item, statement) },
	{ .name = "until", .kind = CONF_STR, .offset = offsetof(struct item, until) },
	{ .name = "expired_at", .kind = CONF_STR, .offset = offsetof(struct item, expired_at) },
	{ .name = "paths", .kind = CONF_STR_LIST, .offset = offsetof(struct item, paths) },
	{ .name = "purls", .kind = CONF_STR_LIST, .offset = offsetof(struct item, purls) },
};

struct document {
	struct conf_list ignore, vulnerabilities;
};

#define ITEMS(key, field)                                                                                     \
	{                                                                                                     \
		.name = key, .kind = CONF_LIST, .offset = offsetof(struct document, field), .sub = item_keys, \
		.sub_count = ARRAY_LEN(item_keys), .item_size = sizeof(struct item)                           \
	}
static const struct conf_key document_keys[] = {
	ITEMS("ignore", ignore),
	ITEMS("vulnerabilities", vulnerabilities),
	/* of Trivy's other scanners: nothing to us */
	{ .name = "misconfigurations", .kind = CONF_SKIP },
	{ .name = "secrets", .kind = CONF_SKIP },
	{ .name = "licenses", .kind = CONF_SKIP },
};

struct entry {
	struct slice id, package, reason, until;
	const char *const *paths;
	struct purl *purls;
	size_t path_count, purl_count;
	uint64_t until_ns; /* 0 = for ever */
	bool is_told;	   /* that it has expired */
};

struct ignore {
	const char *name;
	struct arena *arena;
	struct document doc;
	struct entry *entries;
	size_t count, size;
	struct ids ids;
};

void ignore_free(struct ignore *g)
{
	if (!g)
		return;
	conf_fini(document_keys, ARRAY_LEN(document_keys), &g->doc);
	ids_fini(&g->ids);
	arena_free(g->arena);
	free(g->entries);
	free(g);
}

/* ---- entries ---- */

static int add_entry(struct ignore *g, const struct entry *e, struct err *err)
{
	if (g->count == g->size) {
		size_t size = g->size ? g->size * 2 : 64;
		struct entry *grown = reallocarray(g->entries, size, sizeof(*grown));

		if (!grown)
			return err_set(err, ENOMEM, "%s", g->name);
		g->entries = grown;
		g->size = size;
	}
	g->entries[g->count] = *e;
	return ids_add(&g->ids, e->id, (uint32_t)g->count++, err);
}

/* "2027-01-31": to the end of that day, in UTC. "9999-12-31" is how people write for ever; our times end
 * in 2554. */
static bool read_until(struct slice text, uint64_t *ret_ns)
{
	char day[40];
	uint64_t year;

	if (text.n != 10)
		return text_time_parse(text, ret_ns);
	snprintf(day, sizeof(day), "%.10sT23:59:59Z", text.p);
	if (slice_to_u64(slice_sub(text, 0, 4), &year) && year > 2500)
		memcpy(day, "2500", 4);
	return text_time_parse(slice_of(day), ret_ns);
}

static int add_purl(struct ignore *g, struct entry *e, const char *text, struct err *err)
{
	int r = purl_parse(slice_of(text), g->arena, &e->purls[e->purl_count], err);

	e->purl_count += r >= 0;
	return r;
}

static int add_purls(struct ignore *g, const struct item *x, struct entry *e, struct err *err)
{
	size_t most = x->purls.count + 1;
	int r = 0;

	e->purls = arena_zalloc(g->arena, most, sizeof(*e->purls));
	if (!e->purls)
		return err_set(err, ERR_LIMIT, "too many purls");
	for (size_t i = 0; i < x->purls.count && r >= 0; i++)
		r = add_purl(g, e, ((char **)x->purls.items)[i], err);
	return r >= 0 && x->purl ? add_purl(g, e, x->purl, err) : r;
}

static int add_paths(struct ignore *g, const struct item *x, struct entry *e, struct err *err)
{
	const char **paths = arena_zalloc(g->arena, x->paths.count + 1, sizeof(*paths));

	if (!paths)
		return err_set(err, ERR_LIMIT, "too many paths");
	for (size_t i = 0; i < x->paths.count; i++)
		paths[e->path_count++] = ((char **)x->paths.items)[i];
	if (x->path)
		paths[e->path_count++] = x->path;
	e->paths = paths;
	return 0;
}

static int add_item(struct ignore *g, const struct item *x, bool needs_reason, struct err *err)
{
	const char *reason = x->reason ? x->reason : x->statement;
	const char *until = x->until ? x->until : x->expired_at;
	struct entry e = { .id = slice_trim(slice_of(x->id)),
			   .package = slice_of(x->package),
			   .reason = slice_trim(slice_of(reason)),
			   .until = slice_of(until) };

	if (!e.id.n)
		return err_set(err, ERR_SYNTAX, "no id");
	if (needs_reason && !e.reason.n)
		return err_set(err, ERR_SYNTAX, "no reason; say why it may be ignored");
	if (e.until.n && !read_until(e.until, &e.until_ns))
		return err_set(err, ERR_SYNTAX, "until: '%.40s' is no date such as 2027-01-31", until);
	int r = add_paths(g, x, &e, err);
	if (r >= 0)
		r = add_purls(g, x, &e, err);
	return r < 0 ? r : add_entry(g, &e, err);
}

static int add_items(struct ignore *g, const char *key, const struct conf_list *list, bool needs_reason,
		     struct err *err)
{
	const struct item *items = list->items;

	for (size_t i = 0; i < list->count; i++) {
		int r = add_item(g, &items[i], needs_reason, err);

		if (r < 0)
			return err_wrap(err, r, "%s: entry %zu of '%s' (%.60s)", g->name, i + 1, key,
					items[i].id ? items[i].id : "");
	}
	return 0;
}

static int parse_yaml(struct ignore *g, struct slice text, struct err *err)
{
	int r = conf_parse(g->name, text, document_keys, ARRAY_LEN(document_keys), &g->doc, err);

	if (r >= 0)
		r = add_items(g, "ignore", &g->doc.ignore, true, err);
	return r < 0 ? r : add_items(g, "vulnerabilities", &g->doc.vulnerabilities, false, err);
}

/* ---- an id a line ---- */

static bool take_word(struct slice *rest, struct slice *ret)
{
	*rest = slice_trim(*rest);
	size_t n = 0;

	while (n < rest->n && rest->p[n] != ' ' && rest->p[n] != '\t')
		n++;
	*ret = slice_sub(*rest, 0, n);
	*rest = slice_sub(*rest, n, rest->n);
	return n > 0;
}

/* comment: what stood above, taken for the reason. */
static int add_line(struct ignore *g, struct slice line, struct slice comment, struct err *err)
{
	struct entry e = { 0 };
	struct slice word;

	if (!text_is_clean(line))
		return err_set(err, ERR_SYNTAX, "not plain text");
	ptrdiff_t hash = slice_find_char(line, '#');
	if (hash >= 0) {
		comment = slice_sub(line, (size_t)hash + 1, line.n);
		line = slice_sub(line, 0, (size_t)hash);
	}
	(void)take_word(&line, &e.id);
	while (take_word(&line, &word)) {
		if (!slice_starts(word, SLICE_LIT("exp:")))
			continue; /* as Trivy */
		e.until = slice_sub(word, 4, word.n);
		if (!read_until(e.until, &e.until_ns))
			return err_set(err, ERR_SYNTAX, "'%.*s' is no date such as 2027-01-31",
				       SLICE_FMT(e.until));
	}
	struct slice *texts[] = { &e.id, &e.until, &e.reason };
	e.reason = slice_trim(comment);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		const char *copy = arena_dup(g->arena, *texts[i]);

		if (!copy)
			return err_set(err, ERR_LIMIT, "too many lines");
		texts[i]->p = copy;
	}
	return add_entry(g, &e, err);
}

static int parse_lines(struct ignore *g, struct slice text, struct err *err)
{
	struct slice line, comment = SLICE_NONE;
	size_t number = 0;

	while (slice_split(&text, '\n', &line)) {
		number++;
		line = slice_trim(line);
		if (!line.n || line.p[0] == '#') {
			comment = line.n ? slice_sub(line, 1, line.n) : SLICE_NONE;
			continue;
		}
		int r = add_line(g, line, comment, err);
		if (r < 0)
			return err_wrap(err, r, "%s:%zu", g->name, number);
	}
	return 0;
}

/* The first line that says something: a YAML key, or an id. */
static bool is_yaml(struct slice text)
{
	struct slice line;

	while (slice_split(&text, '\n', &line)) {
		line = slice_trim(line);
		if (!line.n || line.p[0] == '#' || slice_is(line, "---"))
			continue;
		ptrdiff_t colon = slice_find_char(line, ':');
		return colon > 0 && ((size_t)colon + 1 == line.n || line.p[colon + 1] == ' ' ||
				     line.p[colon + 1] == '#');
	}
	return false;
}

int ignore_parse(const char *name, struct slice text, struct ignore **ret, struct err *err)
{
	CLEANUP(ignore_freep) struct ignore *g = calloc(1, sizeof(*g));

	if (!g)
		return err_set(err, ENOMEM, "%s", name);
	g->name = name;
	g->arena = arena_new(ARENA_BYTES);
	if (!g->arena)
		return err_set(err, ENOMEM, "%s", name);
	if (text.n > TEXT_MAX)
		return err_set(err, ERR_LIMIT, "%s: larger than 1 MiB", name);
	int r = is_yaml(text) ? parse_yaml(g, text, err) : parse_lines(g, text, err);
	if (r < 0)
		return r;
	*ret = take_ptr(g);
	return 0;
}

int ignore_read(const char *path, struct ignore **ret, struct err *err)
{
	CLEANUP(buf_finip) struct buf text = { 0 };
	int r = file_read(path, TEXT_MAX, &text, err);

	return r < 0 ? r : ignore_parse(path, buf_slice(&text), ret, err);
}

/* ---- applying ---- */

static bool any_path(const struct entry *e, const Picket__Package *p)
{
	char path[4097];

	if (!e->path_count)
		return true;
	slice_copy(slice_from(p->path.data, p->path.len), path, sizeof(path));
	for (size_t i = 0; i < e->path_count; i++) {
		const char *glob = e->paths[i][0] == '/' ? e->paths[i] + 1 : e->paths[i];

		if (!fnmatch(glob, path, 0))
			return true;
	}
	return false;
}

static bool any_purl(const struct entry *e, const struct scan_result *r, const Picket__Package *p)
{
	if (!e->purl_count)
		return true;
	CLEANUP(arena_freep) struct arena *a = arena_new(16384);
	if (!a)
		return false;
	struct purl of = purl_of_package(p, r->inventory->os, a), source = purl_of_source(p, r->inventory->os, a);
	for (size_t i = 0; i < e->purl_count; i++) {
		if (purl_covers(&e->purls[i], &of) || purl_covers(&e->purls[i], &source))
			return true;
	}
	return false;
}

static bool speaks_of(const struct entry *e, const struct scan_result *r, const struct scan_finding *f)
{
	const Picket__Package *p = r->packages[f->package].pkg;

	return (!e->package.n || !fnmatch(e->package.p, p->name, 0)) && any_path(e, p) && any_purl(e, r, p);
}

static bool has_expired(struct ignore *g, struct entry *e, struct scan_result *r)
{
	if (!e->until_ns || r->now_unix_s <= e->until_ns / 1000000000)
		return false;
	if (!e->is_told)
		scan_warn(r, "%s: %.*s was ignored until %.*s and counts again (%.*s)", g->name,
			  SLICE_FMT(e->id), SLICE_FMT(e->until), SLICE_FMT(e->reason));
	e->is_told = true;
	return true;
}

/* The entry that hides it, the first of those with this id. */
static struct entry *find(struct ignore *g, struct scan_result *r, const struct scan_finding *f, struct slice id)
{
	struct entry *found = NULL;

	for (uint32_t at = ids_find(&g->ids, id); at; at = ids_next(&g->ids, at)) {
		struct entry *e = &g->entries[g->ids.entries[at].item];

		if (speaks_of(e, r, f) && !has_expired(g, e, r) && (!found || e < found))
			found = e;
	}
	return found;
}

void ignore_apply(struct ignore *g, struct scan_result *r)
{
	for (size_t i = 0; i < r->finding_count; i++) {
		struct scan_finding *f = &r->findings[i];
		const struct scan_vuln *v = f->vuln;
		struct entry *e = f->hush ? NULL : find(g, r, f, v->id);

		if (f->hush)
			continue;
		if (!e)
			e = find(g, r, f, v->record);
		for (size_t k = 0; k < v->alias_count && !e; k++)
			e = find(g, r, f, v->aliases[k]);
		if (!e)
			continue;
		f->hush = SCAN_IGNORED;
		f->hush_state = SLICE_LIT("ignored");
		f->hush_why = e->reason;
		f->hush_until = e->until;
		f->hush_source = slice_of(g->name);
	}
}
