/* ruleset.c - see ruleset.h. */
#include "collector/correlate/ruleset.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

#include "common/file.h"

enum { ARENA_BYTES = 1 << 30, DEPTH_MAX = 8, PATH_BYTES = 4096 };

/* A file that was read. */
struct ruleset_part {
	struct sigma_file file;
	struct ruleset_part *next;
};

struct ruleset *ruleset_new(void)
{
	CLEANUP(ruleset_freep) struct ruleset *rs = calloc(1, sizeof(*rs));

	if (!rs)
		return NULL;
	rs->arena = arena_new(ARENA_BYTES);
	rs->set = detect_set_new(&(struct detect_fields){ observed_resolve, NULL });
	rs->notes.arena = rs->arena;
	rs->next_part = &rs->parts;
	return rs->arena && rs->set ? take_ptr(rs) : NULL;
}

void ruleset_free(struct ruleset *rs)
{
	if (!rs)
		return;
	detect_set_free(rs->set);
	arena_free(rs->arena);
	free(rs);
}

/* ---- files ---- */

static void note_error(struct ruleset *rs, const struct err *err)
{
	if (rs->error_count < RULESET_ERRORS_MAX)
		(void)slice_copy(slice_of(err->msg), rs->errors[rs->error_count], sizeof(rs->errors[0]));
	rs->error_count++;
}

int ruleset_add(struct ruleset *rs, const char *name, struct slice text, struct err *err)
{
	if (rs->file_count == RULESET_FILES_MAX || rs->text_bytes + text.n > RULESET_BYTES_MAX)
		return err_set(err, ERR_LIMIT, "%s: more than %d files or %d MiB of rules", name, RULESET_FILES_MAX,
			       RULESET_BYTES_MAX >> 20);
	struct ruleset_part *part = arena_zalloc(rs->arena, 1, sizeof(*part));
	if (!part)
		return err_set(err, ERR_LIMIT, "%s: no room for rules", name);
	int r = sigma_parse(name, text, rs->arena, &part->file, &rs->notes, err);
	if (r < 0)
		return r;
	*rs->next_part = part;
	rs->next_part = &part->next;
	rs->text_bytes += text.n;
	rs->file_count++;
	return 0;
}

static int add_file(struct ruleset *rs, const char *path, bool is_lenient, struct err *err)
{
	CLEANUP(buf_finip) struct buf text = { 0 };
	int r = file_read(path, SIGMA_FILE_BYTES, &text, err);

	if (r >= 0)
		r = ruleset_add(rs, path, buf_slice(&text), err);
	if (r >= 0 || !is_lenient || r == -ENOENT) /* one that went meanwhile is none */
		return r == -ENOENT ? 0 : r;
	note_error(rs, err);
	return 0;
}

static int is_wanted(const struct dirent *d)
{
	struct slice name = slice_of(d->d_name);

	return name.n && name.p[0] != '.';
}

static int add_folder(struct ruleset *rs, const char *path, bool is_lenient, unsigned depth, struct err *err);

static int add_entry(struct ruleset *rs, const char *folder, const char *name, bool is_lenient, unsigned depth, struct err *err)
{
	char path[PATH_BYTES];
	struct stat st;
	struct slice s = slice_of(name);

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", folder, name) >= sizeof(path))
		return err_set(err, ENAMETOOLONG, "'%.100s…'", folder);
	if (stat(path, &st) < 0)
		return 0;
	if (S_ISDIR(st.st_mode))
		return depth < DEPTH_MAX ? add_folder(rs, path, is_lenient, depth + 1, err) : 0;
	if (!S_ISREG(st.st_mode) || !(slice_ends(s, SLICE_LIT(".yml")) || slice_ends(s, SLICE_LIT(".yaml"))))
		return 0;
	return add_file(rs, path, is_lenient, err);
}

static int add_folder(struct ruleset *rs, const char *path, bool is_lenient, unsigned depth, struct err *err)
{
	struct dirent **names;
	int n = scandir(path, &names, is_wanted, alphasort), r = 0;

	if (n < 0)
		return errno == ENOENT ? 0 : err_set(err, errno, "'%s'", path);
	for (int i = 0; i < n; i++) {
		if (r >= 0)
			r = add_entry(rs, path, names[i]->d_name, is_lenient, depth, err);
		free(names[i]);
	}
	free(names);
	return r;
}

int ruleset_add_folder(struct ruleset *rs, const char *path, bool is_lenient, struct err *err)
{
	return add_folder(rs, path, is_lenient, 0, err);
}

extern const struct ruleset_shipped {
	const char *name, *text;
	size_t bytes;
} ruleset_shipped_files[];
extern const size_t ruleset_shipped_count;

int ruleset_add_shipped(struct ruleset *rs, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < ruleset_shipped_count && r >= 0; i++)
		r = ruleset_add(rs, ruleset_shipped_files[i].name,
				slice_from(ruleset_shipped_files[i].text, ruleset_shipped_files[i].bytes), err);
	return r;
}

/* ---- linking ---- */

static const char *name_of(const struct sigma_rule *r)
{
	return r->id[0] ? r->id : r->name[0] ? r->name : r->title;
}

static int collect(struct ruleset *rs, struct err *err)
{
	size_t count = 0;

	for (struct ruleset_part *p = rs->parts; p; p = p->next)
		count += p->file.count;
	if (count > RULESET_DOCUMENTS_MAX)
		return err_set(err, ERR_LIMIT, "%zu rules; at most %d", count, RULESET_DOCUMENTS_MAX);
	rs->rules = arena_zalloc(rs->arena, count + 1, sizeof(*rs->rules));
	rs->documents = arena_zalloc(rs->arena, count + 1, sizeof(*rs->documents));
	rs->documents_of = arena_zalloc(rs->arena, count + 1, sizeof(*rs->documents_of));
	if (!rs->rules || !rs->documents || !rs->documents_of)
		return err_set(err, ERR_LIMIT, "no room for %zu rules", count);
	for (struct ruleset_part *p = rs->parts; p; p = p->next)
		for (size_t i = 0; i < p->file.count; i++)
			rs->rules[rs->count++] =
				(struct ruleset_rule){ .rule = &p->file.rules[i], .name = name_of(&p->file.rules[i]) };
	return 0;
}

/* A detection into the set; a correlation read. */
static int compile(struct ruleset *rs, struct ruleset_rule *x, struct err *err)
{
	unsigned index;
	int r;

	if (x->rule->correlation)
		return correlation_parse(x->rule, rs->arena, &x->correlation, &rs->notes, err);
	r = detect_set_add(rs->set, x->rule, &index, &rs->notes, err);
	if (r < 0)
		return r;
	x->index = index;
	x->source = detect_set_source(rs->set, index);
	x->can_match = detect_set_can_match(rs->set, index);
	return 0;
}

static void drop(struct ruleset *rs, size_t at)
{
	rs->count--;
	memmove(&rs->rules[at], &rs->rules[at + 1], (rs->count - at) * sizeof(*rs->rules));
}

static int compile_all(struct ruleset *rs, bool is_lenient, struct err *err)
{
	for (size_t i = 0; i < rs->count;) {
		int r = compile(rs, &rs->rules[i], err);

		if (r < 0 && !is_lenient)
			return r;
		if (r < 0) {
			note_error(rs, err);
			drop(rs, i);
		} else {
			i++;
		}
	}
	return 0;
}

static int resolve(void *arg, size_t document, struct slice name)
{
	const struct ruleset *rs = arg;
	enum detect_source source = rs->rules[document].source;
	const struct detect_field_name *f = detect_field_find(source, name);

	if (f && !f->ours)
		return CORRELATION_FIELD_NONE;
	return observed_resolve(NULL, source, f ? slice_of(f->ours) : name);
}

/* What is wrong goes, and what names it, until the rest holds together. */
static int link_all(struct ruleset *rs, bool is_lenient, struct err *err)
{
	struct correlation_fields fields = { resolve, rs };

	for (;;) {
		size_t bad = rs->count;

		for (size_t i = 0; i < rs->count; i++)
			rs->documents[i] = (struct correlation_document){ rs->rules[i].rule, rs->rules[i].correlation };
		int r = correlation_link(rs->documents, rs->count, &fields, rs->arena, &bad, &rs->notes, err);
		if (r >= 0 || !is_lenient || bad >= rs->count)
			return r;
		note_error(rs, err);
		drop(rs, bad);
	}
}

/* ---- what follows from it ---- */

static int want_field(struct ruleset *rs, struct ruleset_rule *x, int32_t field, struct err *err)
{
	enum { MOST = CORRELATION_GROUP_MAX * 16 };

	if (field < 0)
		return 0;
	for (size_t i = 0; i < x->field_count; i++)
		if (x->fields[i] == field)
			return 0;
	if (!x->fields)
		x->fields = arena_alloc(rs->arena, MOST * sizeof(*x->fields));
	if (!x->fields || x->field_count == MOST)
		return err_set(err, ERR_LIMIT, "%s: correlations ask for more than %d fields of '%.60s'", x->rule->file, MOST, x->name);
	x->fields[x->field_count++] = (uint16_t)field;
	return 0;
}

static int look_at_refs(struct ruleset *rs, const struct correlation *c, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < c->ref_count; i++) {
		const struct correlation_ref *ref = &c->refs[i];
		struct ruleset_rule *x = &rs->rules[ref->rule];

		x->is_named = true;
		x->is_told |= c->is_generate;
		for (size_t k = 0; !ref->is_correlation && k < c->group_by.count && r >= 0; k++)
			r = want_field(rs, x, ref->group[k], err);
		for (size_t k = 0; !ref->is_correlation && k < c->fields.count && r >= 0; k++)
			r = want_field(rs, x, ref->field[k], err);
	}
	return r;
}

static int look_at_rules(struct ruleset *rs, struct err *err)
{
	int r = 0;

	memset(rs->documents_of, 0xff, detect_set_count(rs->set) * sizeof(*rs->documents_of)); /* of one that was left out */
	for (size_t i = 0; i < rs->count && r >= 0; i++)
		if (rs->rules[i].correlation)
			r = look_at_refs(rs, rs->rules[i].correlation, err);
	for (size_t i = 0; i < rs->count; i++) {
		struct ruleset_rule *x = &rs->rules[i];

		x->is_told |= !x->is_named;
		rs->correlations += x->correlation != NULL;
		if (x->correlation)
			continue;
		rs->documents_of[x->index] = (uint32_t)i;
		rs->detections++;
		if (x->can_match)
			rs->wants |= detect_set_wants(rs->set, x->index);
	}
	return r;
}

int ruleset_link(struct ruleset *rs, bool is_lenient, struct err *err)
{
	_Static_assert(DETECT_SOURCE_ANY < 32, "wants has a bit for each source");
	int r = collect(rs, err);

	if (r >= 0)
		r = compile_all(rs, is_lenient, err);
	if (r >= 0)
		r = link_all(rs, is_lenient, err);
	return r < 0 ? r : look_at_rules(rs, err);
}

bool ruleset_is_shipped(const struct ruleset_rule *x)
{
	return slice_starts(slice_of(x->rule->file), SLICE_LIT("shipped/"));
}

static int try_texts(const struct ruleset_text *texts, size_t count, bool is_lenient, bool with_shipped, struct ruleset **ret,
		     struct err *err)
{
	CLEANUP(ruleset_freep) struct ruleset *rs = ruleset_new();
	struct err unheard;

	err = err ? err : &unheard; /* errors that are left out are noted */
	int r = rs ? 0 : err_set(err, ENOMEM, "rules");
	if (r >= 0 && with_shipped)
		r = ruleset_add_shipped(rs, err);
	for (size_t i = 0; i < count && r >= 0; i++) {
		r = ruleset_add(rs, texts[i].name, texts[i].text, err);
		if (r < 0 && is_lenient) {
			note_error(rs, err);
			r = 0;
		}
	}
	if (r >= 0)
		r = ruleset_link(rs, is_lenient, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < rs->count && with_shipped; i++)
		rs->rules[i].is_told &= !ruleset_is_shipped(&rs->rules[i]);
	*ret = take_ptr(rs);
	return 0;
}

int ruleset_of_texts(const struct ruleset_text *texts, size_t count, bool is_lenient, struct ruleset **ret, struct err *err)
{
	CLEANUP(ruleset_freep) struct ruleset *alone = NULL, *both = NULL;
	int r = try_texts(texts, count, is_lenient, false, &alone, err);

	if (r < 0 || alone->error_count) {
		/* What is said of the files alone is what people hear where the others don't help. */
		if (try_texts(texts, count, is_lenient, true, &both, NULL) >= 0 && (r < 0 || both->error_count < alone->error_count)) {
			*ret = take_ptr(both);
			return 0;
		}
	}
	if (r < 0)
		return r;
	*ret = take_ptr(alone);
	return 0;
}

ptrdiff_t ruleset_find(const struct ruleset *rs, struct slice name)
{
	for (size_t i = 0; i < rs->count; i++)
		if (sigma_rule_is(rs->rules[i].rule, name))
			return (ptrdiff_t)i;
	for (size_t i = 0; i < rs->count; i++)
		if (slice_is(name, rs->rules[i].rule->title))
			return (ptrdiff_t)i;
	return -1;
}

/* ---- events ---- */

size_t ruleset_match(struct ruleset *rs, const struct observed *o, unsigned *ret)
{
	size_t n, kept = 0;

	if (!(rs->wants >> o->ev.source & 1))
		return 0;
	n = detect_match(rs->set, &o->ev, ret);
	for (size_t i = 0; i < n; i++)
		if (rs->documents_of[ret[i]] != UINT32_MAX)
			ret[kept++] = rs->documents_of[ret[i]];
	return kept;
}

void ruleset_value(const struct observed *o, unsigned field, struct engine_value *ret)
{
	struct detect_value v;

	*ret = (struct engine_value){ .kind = ENGINE_ABSENT };
	if (!o->ev.ops->get(&o->ev, field, &v, 1) || v.kind == DETECT_NULL)
		return;
	if (v.kind == DETECT_TEXT)
		*ret = (struct engine_value){ .kind = ENGINE_TEXT, .text = v.text };
	else
		*ret = (struct engine_value){ .kind = ENGINE_INT, .i = v.number };
}
