/* judge_image.c - image_access: where the image came from, how it is named, what its scan found. */
#include <strings.h>

#include "common/policy/policy_priv.h"

/* The longest prefix decides; of equal ones the denial. */
static void judge_repository(struct judge *j, const char *repository)
{
	const struct policy_value *yes = j->v.v[KEY_ALLOWED_REPOSITORIES], *no = j->v.v[KEY_DENIED_REPOSITORIES];
	const struct policy_entry *a = policy_value_repository(yes, slice_of(repository));
	const struct policy_entry *d = policy_value_repository(no, slice_of(repository));

	if (d && (!a || strlen(d->text) >= strlen(a->text)))
		judge_deny(j, &(struct policy_told){ .rule = RULE_DENIED_REPOSITORY, .value = no, .entry = d, .a = repository,
						     .b = d->text[0] ? d->text : "*" });
	else if (yes->is_set && !a)
		judge_deny(j, &(struct policy_told){ .rule = RULE_OTHER_REPOSITORY, .value = yes, .a = repository });
}

static bool local_is_allowed(const struct view *v)
{
	const struct policy_value *local = v->v[KEY_ALLOW_LOCAL];

	return local->is_set ? local->n : !v->v[KEY_ALLOWED_REPOSITORIES]->is_set;
}

static const char *shown_image(const struct view *v)
{
	const char *image = policy_text(v->w->image), *id = policy_text(v->w->image_id);

	return image[0] ? image : id;
}

/* Each repository it came from must be right: under containerd's image store a tag is enough to be listed. */
static void judge_origin(struct judge *j)
{
	const struct view *v = &j->v;
	const struct policy_value *yes = v->v[KEY_ALLOWED_REPOSITORIES], *no = v->v[KEY_DENIED_REPOSITORIES];

	if (v->is_local && !local_is_allowed(v)) {
		const struct policy_value *says = v->v[KEY_ALLOW_LOCAL]->is_set ? v->v[KEY_ALLOW_LOCAL] : yes;

		judge_deny(j, &(struct policy_told){ .rule = RULE_LOCAL_IMAGE, .value = says, .a = shown_image(v) });
		return;
	}
	if (!yes->is_set && !no->count)
		return;
	for (size_t i = 0; i < v->source_count; i++) {
		bool is_told = false;

		for (size_t k = 0; k < i; k++)
			is_told = is_told || !strcmp(v->sources[k].repository, v->sources[i].repository);
		if (!is_told)
			judge_repository(j, v->sources[i].repository);
	}
	if (v->has_more_sources)
		judge_deny(j, &(struct policy_told){ .rule = RULE_OTHER_REPOSITORY, .value = yes->is_set ? yes : no,
						     .a = "more repositories than can be judged" });
	if (v->source_count)
		return;
	if (v->named[0])
		judge_repository(j, v->named);
	else if (!v->is_local)
		judge_deny(j, &(struct policy_told){ .rule = RULE_NO_REFERENCE, .value = yes->is_set ? yes : no, .a = shown_image(v) });
}

/* An id, or the beginning of it, names the very content too. */
static bool is_by_id(const struct policy_workload *w)
{
	const char *id = policy_text(w->image_id), *image = policy_text(w->image);

	id += strncmp(id, "sha256:", 7) ? 0 : 7;
	return image[0] && !strncmp(id, image, strlen(image));
}

static void judge_name_of_image(struct judge *j)
{
	const struct view *v = &j->v;
	bool is_named;

	if (view_is_on(v, KEY_REQUIRE_DIGEST) && v->is_reference && !v->digest[0] && !is_by_id(v->w))
		judge_deny(j, &(struct policy_told){ .rule = RULE_NO_DIGEST, .value = v->v[KEY_REQUIRE_DIGEST], .a = shown_image(v) });
	/* With a digest the tag is only a remark. */
	if (v->v[KEY_DENIED_TAGS]->count && v->tag[0] && !v->digest[0])
		judge_name(j, v->tag, KEY_NONE, KEY_DENIED_TAGS, RULE_DENIED_TAG, RULE_DENIED_TAG, &is_named);
}

static uint64_t severity_rank(const char *word)
{
	for (size_t i = 0; i <= SEVERITY_CRITICAL; i++)
		if (!strcasecmp(word, policy_severity_names[i]))
			return i;
	return word[0] ? SEVERITY_CRITICAL : 0; /* a word we don't know is not taken lightly */
}

static const char *shown_time(struct judge *j, uint64_t s)
{
	const char *text = s >= 172800 ? arena_printf(j->v.arena, "%llud", (unsigned long long)(s / 86400)) :
			   s >= 7200   ? arena_printf(j->v.arena, "%lluh", (unsigned long long)(s / 3600)) :
					 arena_printf(j->v.arena, "%llus", (unsigned long long)s);

	return policy_text(text);
}

static void judge_scan(struct judge *j)
{
	const struct view *v = &j->v;
	const struct policy_workload *w = v->w;
	const struct policy_value *most = v->v[KEY_MAX_SEVERITY], *oldest = v->v[KEY_MAX_SCAN_AGE];
	bool has_most = most->is_set && most->n < SEVERITY_CRITICAL; /* critical lets everything through */

	if (!w->is_scan_known || (!has_most && !oldest->is_set))
		return;
	if (!w->is_scanned) {
		judge_deny(j, &(struct policy_told){ .rule = RULE_NOT_SCANNED, .value = has_most ? most : oldest, .a = shown_image(v) });
		return;
	}
	if (has_most && severity_rank(policy_text(w->worst_severity)) > most->n)
		judge_deny(j, &(struct policy_told){ .rule = RULE_SEVERITY, .value = most, .a = w->worst_severity,
						     .b = policy_severity_names[most->n] });
	uint64_t age_s = v->now_unix_s > w->scanned_unix_s ? v->now_unix_s - w->scanned_unix_s : 0;
	if (oldest->is_set && age_s > oldest->n / 1000)
		judge_deny(j, &(struct policy_told){ .rule = RULE_SCAN_AGE, .value = oldest, .a = shown_time(j, age_s),
						     .b = shown_time(j, oldest->n / 1000) });
}

bool policy_wants_scans(const struct policy *p)
{
	bool is_said = false, is_on = false;

	for (size_t layer = 0; layer <= p->scope_count; layer++) {
		const struct policy_layer *l = layer ? &p->scopes[layer - 1] : &p->general;
		const struct policy_value *most = &l->v[KEY_MAX_SEVERITY];

		is_said |= (most->is_set && most->n < SEVERITY_CRITICAL) || l->v[KEY_MAX_SCAN_AGE].is_set;
		is_on |= l->mode[POLICY_IMAGE] > POLICY_OFF;
	}
	return is_said && is_on;
}

void judge_image(struct judge *j)
{
	const struct view *v = &j->v;

	if (v->w->subject == POLICY_BUILD && view_is_on(v, KEY_DENY_BUILD))
		judge_deny(j, &(struct policy_told){ .rule = RULE_BUILD, .value = v->v[KEY_DENY_BUILD] });
	if (v->w->subject != POLICY_CONTAINER && v->w->subject != POLICY_PULL)
		return;
	judge_origin(j);
	judge_name_of_image(j);
	if (v->w->subject == POLICY_CONTAINER)
		judge_scan(j);
}
