/* policy_match.c - which of the policy holds for a workload: where its image came from, the scopes it lies in laid over
 * the general access_control, the exceptions that match it. */
#include <errno.h>

#include "common/policy/policy_priv.h"
#include "common/text.h"

/* ---- the image ---- */

static bool source_is_there(const struct view *v, const char *repository, const char *digest)
{
	for (size_t i = 0; i < v->source_count; i++)
		if (!strcmp(v->sources[i].repository, repository) && !strcmp(v->sources[i].digest, digest))
			return true;
	return false;
}

/* More than any reference takes: where there is as much, none was taken for no reference for want of memory. */
enum { REFERENCE_BYTES = 2048 };

static int find_sources(struct view *v, struct err *err)
{
	const struct policy_workload *w = v->w;
	size_t most = w->digests.count < POLICY_SOURCES_MAX ? w->digests.count : POLICY_SOURCES_MAX;
	const char *repository, *tag, *digest;

	v->sources = arena_zalloc(v->arena, most + 1, sizeof(*v->sources));
	v->named = "";
	v->digest = "";
	v->tag = policy_text(w->tag);
	if (!v->sources)
		return err_set(err, ENOMEM, "judge");
	for (size_t i = 0; i < w->digests.count; i++) {
		/* "<none>@<none>" and their like vouch for nothing. */
		if (!policy_reference(w->digests.v[i], v->arena, &repository, &tag, &digest) || !digest[0])
			continue;
		repository = policy_canonical(slice_of(repository), v->arena);
		if (!repository)
			return err_set(err, ENOMEM, "judge");
		if (source_is_there(v, repository, digest))
			continue;
		v->has_more_sources = v->source_count == most;
		if (v->has_more_sources)
			break;
		v->sources[v->source_count++] = (struct policy_source){ repository, digest };
	}
	v->is_reference = policy_reference(w->image, v->arena, &repository, &tag, &digest);
	if (policy_text(w->repository)[0])
		v->named = policy_canonical(slice_of(w->repository), v->arena);
	else if (v->is_reference)
		v->named = policy_canonical(slice_of(repository), v->arena);
	if (v->is_reference) {
		v->tag = v->tag[0] ? v->tag : tag;
		v->digest = digest;
	}
	v->is_local = !v->source_count && policy_text(w->image_id)[0];
	return v->named && arena_alloc(v->arena, REFERENCE_BYTES) ? 0 : err_set(err, ENOMEM, "judge");
}

/* ---- match ---- */

static unsigned literals(const char *glob)
{
	unsigned n = 0;

	for (; *glob; glob++)
		n += *glob != '*' && *glob != '?';
	return n;
}

/* "nginx" for "docker.io/library/nginx", "prom/x" for "docker.io/prom/x", as people write it. */
static const char *familiar(const char *repository)
{
	if (!strncmp(repository, "docker.io/library/", 18) && !strchr(repository + 18, '/'))
		return repository + 18;
	return !strncmp(repository, "docker.io/", 10) ? repository + 10 : repository;
}

/* The glob over "REPOSITORY", "REPOSITORY:TAG", "REPOSITORY@DIGEST", each also in its familiar form. */
static bool image_is(const struct view *v, const char *glob, const char *repository, const char *tag, const char *digest)
{
	const char *forms[2] = { repository, familiar(repository) };
	struct slice pattern = slice_of(glob);
	char text[1024];

	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		if (text_glob(pattern, slice_of(forms[i])))
			return true;
		if (tag[0] && snprintf(text, sizeof(text), "%s:%s", forms[i], tag) < (int)sizeof(text) &&
		    text_glob(pattern, slice_of(text)))
			return true;
		if (digest[0] && snprintf(text, sizeof(text), "%s@%s", forms[i], digest) < (int)sizeof(text) &&
		    text_glob(pattern, slice_of(text)))
			return true;
	}
	return false;
}

static bool allows_local(const struct view *v)
{
	const struct policy_value *general = v->p->general.v;

	return general[KEY_ALLOW_LOCAL].is_set ? general[KEY_ALLOW_LOCAL].n : !general[KEY_ALLOWED_REPOSITORIES].is_set;
}

/* By where it came from; by its name only where the engine has yet to fetch it, or names of local images are believed. */
static bool image_matches(const struct view *v, const char *glob)
{
	for (size_t i = 0; i < v->source_count; i++) {
		const struct policy_source *s = &v->sources[i];

		if (image_is(v, glob, s->repository, strcmp(s->repository, v->named) ? "" : v->tag, s->digest))
			return true;
	}
	if (v->source_count || !v->named[0] || (v->is_local && !allows_local(v)))
		return false;
	return image_is(v, glob, v->named, v->tag, v->digest);
}

static bool name_matches(const struct view *v, const char *glob)
{
	const char *name = policy_text(v->w->name);

	name += name[0] == '/';
	return name[0] && text_glob(slice_of(glob), slice_of(name));
}

/* "key=value", or "key" whatever its value. */
static bool label_matches(const struct view *v, const char *glob)
{
	bool has_value = strchr(glob, '=') != NULL;

	for (size_t i = 0; i < v->w->labels.count; i++) {
		struct slice label = slice_of(policy_text(v->w->labels.v[i]));
		ptrdiff_t end = has_value ? -1 : slice_find_char(label, '=');

		if (text_glob(slice_of(glob), end < 0 ? label : slice_sub(label, 0, (size_t)end)))
			return true;
	}
	return false;
}

/* One of the globs; *score grows by the most literal that matches. */
static bool any_matches(const struct view *v, const struct policy_texts *globs,
			bool (*matches)(const struct view *v, const char *glob), unsigned weight, unsigned *score)
{
	unsigned best = 0;
	bool is_found = false;

	for (size_t i = 0; i < globs->count; i++) {
		if (!matches(v, globs->v[i]))
			continue;
		unsigned n = literals(globs->v[i]);
		best = n > best ? n : best;
		is_found = true;
	}
	if (globs->count)
		*score += weight + best;
	return is_found || !globs->count;
}

bool view_matches(const struct view *v, const struct policy_match *m, unsigned *ret_score)
{
	/* A name is more specific than an image, an image than a label, more of them than fewer: then the longer one. */
	enum { BY_NAME = 4 << 16, BY_IMAGE = 2 << 16, BY_LABEL = 1 << 16 };
	unsigned score = 0;
	bool matches = any_matches(v, &m->name, name_matches, BY_NAME, &score) &&
		       any_matches(v, &m->image, image_matches, BY_IMAGE, &score) &&
		       any_matches(v, &m->label, label_matches, BY_LABEL, &score);

	*ret_score = score;
	return matches;
}

/* ---- the layers ---- */

static void lay_over(struct view *v, const struct policy_layer *layer)
{
	for (size_t i = 0; i < KEY_COUNT; i++)
		if (layer->v[i].is_set)
			v->v[i] = &layer->v[i];
	for (size_t i = 0; i < POLICY_SECTION_COUNT; i++)
		if (layer->mode[i] >= 0)
			v->mode[i] = (enum policy_mode)layer->mode[i];
}

int view_init(struct view *v, const struct policy *p, const struct policy_workload *w, uint64_t now_unix_s,
	      struct arena *a, struct err *err)
{
	static const struct policy_value unset = { .line = 1, .column = 1 };
	struct {
		const struct policy_layer *layer;
		unsigned score;
	} found[POLICY_SCOPES_MAX];
	size_t count = 0;

	*v = (struct view){ .p = p, .w = w, .now_unix_s = now_unix_s, .arena = a };
	int r = find_sources(v, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < KEY_COUNT; i++)
		v->v[i] = &p->general.v[i];
	v->v[KEY_NONE] = &unset;
	lay_over(v, &p->general);
	for (size_t i = 0; i < p->scope_count; i++) {
		unsigned score;
		size_t at = count;

		if (!view_matches(v, &p->scopes[i].match, &score))
			continue;
		/* The less specific first; of equal ones the later in the file is laid on top. */
		for (; at && found[at - 1].score > score; at--)
			found[at] = found[at - 1];
		found[at].layer = &p->scopes[i];
		found[at].score = score;
		count++;
	}
	for (size_t i = 0; i < count; i++)
		lay_over(v, found[i].layer);
	return 0;
}

bool view_is_on(const struct view *v, enum policy_key k)
{
	return v->v[k]->is_set && v->v[k]->n;
}

bool policy_exception_holds(const struct policy_exception *x, uint64_t now_unix_s)
{
	return !x->until_unix_s || now_unix_s < x->until_unix_s;
}
