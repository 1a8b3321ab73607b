/* judge_mounts.c - what of the host a container would see: binds, volumes over folders, drivers that may lead anywhere.
 * A path is compared as text in each form it is known by, both ways: what lies in a denied folder, and what holds one. */
#include "common/policy/policy_priv.h"

enum { PATH_BYTES = 4200 };

struct mount {
	const struct policy_mount *m;
	char path[PATH_BYTES]; /* clean, one of its forms */
	const char *as;	       /* "as asked for", "its links followed" … */
};

static void deny(struct judge *j, enum policy_rule rule, const struct policy_value *v, const struct policy_entry *e, const char *a,
		 const char *b)
{
	judge_deny(j, &(struct policy_told){ .rule = rule, .value = v, .entry = e, .a = a, .b = b });
}

static const char *keep(struct judge *j, const char *text)
{
	const char *copy = arena_dup(j->v.arena, slice_of(text));

	if (!copy)
		j->is_failed = true;
	return policy_text(copy);
}

static const char *words(struct judge *j, const struct mount *x, const char *why, const char *of)
{
	const char *text = arena_printf(j->v.arena, "%s%s%s%s", x->m->is_writable ? "writable" : "read-only", why, of, x->as);

	if (!text)
		j->is_failed = true;
	return policy_text(text);
}

/* The longest allowed entry the path lies in; NULL: none. */
static const struct policy_entry *find_allowed(const struct view *v, const struct mount *x)
{
	const struct policy_value *yes = v->v[KEY_ALLOWED_MOUNTS];
	const struct policy_entry *best = NULL;

	for (size_t i = 0; i < yes->count; i++) {
		const struct policy_entry *e = &yes->entries[i];

		if (!(e->is_half && x->m->is_writable) && policy_path_is_under(x->path, e->text) &&
		    (!best || policy_path_depth(e->text) > policy_path_depth(best->text)))
			best = e;
	}
	return best;
}

/* The longest denied entry the path lies in, else the first that lies in the path. */
static const struct policy_entry *find_denied(const struct view *v, const struct mount *x, bool *ret_holds)
{
	const struct policy_value *no = v->v[KEY_DENIED_MOUNTS];
	const struct policy_entry *best = NULL, *held = NULL;

	for (size_t i = 0; i < no->count; i++) {
		const struct policy_entry *e = &no->entries[i];

		if (e->is_half && !x->m->is_writable)
			continue;
		if (policy_path_is_under(x->path, e->text)) {
			if (!best || policy_path_depth(e->text) > policy_path_depth(best->text))
				best = e;
		} else if (!held && policy_path_is_under(e->text, x->path)) {
			held = e;
		}
	}
	/* What it holds can't be allowed away: the denied thing is reached through it. */
	*ret_holds = held != NULL;
	return held ? held : best;
}

static bool is_system(const char *path)
{
	return !path[1] || policy_path_is_under(path, "/proc") || policy_path_is_under(path, "/sys");
}

/* true: something was told, and other forms of the same path need not be looked at. */
static bool judge_path(struct judge *j, struct mount *x, bool *is_told_system)
{
	const struct policy_value *yes = j->v.v[KEY_ALLOWED_MOUNTS], *no = j->v.v[KEY_DENIED_MOUNTS];
	const struct policy_entry *a = find_allowed(&j->v, x);
	bool holds, is_hidden = x->path[0] != '/';
	const struct policy_entry *d = find_denied(&j->v, x, &holds);

	if (!*is_told_system && x->m->is_writable && view_is_on(&j->v, KEY_DENY_PRIVILEGED) && (is_hidden || is_system(x->path))) {
		*is_told_system = true;
		deny(j, RULE_SYSTEM_MOUNT, j->v.v[KEY_DENY_PRIVILEGED], NULL, keep(j, x->path), words(j, x, "", ""));
	}
	if (is_hidden && (no->count || yes->is_set)) {
		deny(j, RULE_DENIED_MOUNT, no->count ? no : yes, NULL, keep(j, policy_text(x->m->source)),
		     words(j, x, ", may lead anywhere", ""));
		return true;
	}
	if (d && (holds || !a || policy_path_depth(d->text) >= policy_path_depth(a->text))) {
		bool is_self = !strcmp(d->text, x->path);

		deny(j, RULE_DENIED_MOUNT, no, d, keep(j, x->path),
		     words(j, x, holds ? ", holds " : is_self ? "" : ", lies in ", is_self ? "" : d->text));
		return true;
	}
	if (yes->is_set && !a) {
		deny(j, RULE_OTHER_MOUNT, yes, NULL, keep(j, x->path), words(j, x, "", ""));
		return true;
	}
	return false;
}

/* What somebody who can look found it to be, by device and inode. */
static void judge_protected(struct judge *j, const struct policy_mount *m)
{
	const struct policy_value *no = j->v.v[KEY_DENIED_MOUNTS];
	struct mount x = { .m = m, .as = ", found by device and inode" };
	char path[PATH_BYTES], source[PATH_BYTES];
	bool is_hidden, is_volume = !strcmp(policy_text(m->type), "volume") && !policy_text(m->device)[0];

	if (!no->count || !policy_path_clean(policy_text(m->protects), path, sizeof(path), &is_hidden))
		return;
	/* A plain volume lies where the engine keeps volumes, denied as a folder or not. */
	if (is_volume && policy_path_clean(policy_text(m->source), source, sizeof(source), &is_hidden) &&
	    policy_path_is_under(source, path))
		return;
	const struct policy_entry *d = NULL;
	for (size_t i = 0; i < no->count && !d; i++)
		if (!(no->entries[i].is_half && !m->is_writable) && (!path[1] || !strcmp(no->entries[i].text, path)))
			d = &no->entries[i];
	if (!d)
		return;
	/* Allowed inside of what is denied, by a longer path that the mount really is at. */
	if (policy_path_clean(policy_text(m->real)[0] ? m->real : policy_text(m->source), x.path, sizeof(x.path), &is_hidden) &&
	    !is_hidden) {
		const struct policy_entry *a = find_allowed(&j->v, &x);

		if (a && path[1] && policy_path_is_under(a->text, path) && policy_path_depth(a->text) > policy_path_depth(path))
			return;
	}
	deny(j, RULE_DENIED_MOUNT, no, d, keep(j, path), words(j, &x, ", reached by ", policy_text(m->source)));
}

static void judge_forms(struct judge *j, const struct policy_mount *m, const char *const *forms, const char *const *as,
			size_t count)
{
	struct mount x = { .m = m };
	bool is_told_system = false, is_hidden;
	char seen[PATH_BYTES] = "";

	for (size_t i = 0; i < count; i++) {
		if (!forms[i][0])
			continue;
		x.as = as[i];
		if (!policy_path_clean(forms[i], x.path, sizeof(x.path), &is_hidden) || is_hidden)
			snprintf(x.path, sizeof(x.path), "?%.*s", 200, forms[i]);
		if (!strcmp(seen, x.path))
			continue;
		if (judge_path(j, &x, &is_told_system))
			return;
		slice_copy(slice_of(x.path), seen, sizeof(seen));
	}
	judge_protected(j, m);
}

static bool restricts(const struct view *v)
{
	return v->v[KEY_ALLOWED_MOUNTS]->is_set || v->v[KEY_DENIED_MOUNTS]->count;
}

static void judge_driver(struct judge *j, const char *driver)
{
	const struct policy_value *yes = j->v.v[KEY_ALLOWED_VOLUME_DRIVERS];
	bool is_named = false, is_local = !driver[0] || !strcmp(driver, "local");

	if (is_local)
		driver = "local";
	if (!is_local || policy_value_name(j->v.v[KEY_DENIED_VOLUME_DRIVERS], driver))
		judge_name(j, driver, KEY_ALLOWED_VOLUME_DRIVERS, KEY_DENIED_VOLUME_DRIVERS, RULE_DENIED_DRIVER, RULE_OTHER_DRIVER,
			   &is_named);
	/* A driver mounts what it likes: /etc of this host too. */
	if (!is_local && !is_named && restricts(&j->v))
		deny(j, RULE_OTHER_DRIVER, yes->is_set ? yes : j->v.v[j->v.v[KEY_DENIED_MOUNTS]->count ? KEY_DENIED_MOUNTS : KEY_ALLOWED_MOUNTS],
		     NULL, driver, "may mount what is denied");
}

static void judge_volume(struct judge *j, const struct policy_mount *m)
{
	static const char *const as[] = { ", by a volume", ", by a volume, its links followed" };
	const char *device = policy_text(m->device);
	const char *forms[] = { device, policy_text(m->real) };

	judge_driver(j, policy_text(m->driver));
	if (!device[0]) {
		judge_protected(j, m);
		return;
	}
	if (view_is_on(&j->v, KEY_DENY_VOLUME_BINDS))
		deny(j, RULE_VOLUME_BIND, j->v.v[KEY_DENY_VOLUME_BINDS], NULL, device, policy_text(m->source));
	/* A file server's "host:/path" is no path of this host. */
	if (device[0] != '/')
		return;
	if (!strncmp(device, "/dev/", 5))
		judge_device(j, device);
	judge_forms(j, m, forms, as, ARRAY_LEN(forms));
}

static void judge_mount(struct judge *j, const struct policy_mount *m)
{
	static const char *const as[] = { "", ", its links followed" };
	const char *type = policy_text(m->type);
	const char *forms[] = { policy_text(m->source), policy_text(m->real) };

	if (!strcmp(type, "volume") || !strcmp(type, "cluster"))
		judge_volume(j, m);
	else if (strcmp(type, "tmpfs") && strcmp(type, "image"))
		judge_forms(j, m, forms, as, ARRAY_LEN(forms)); /* bind, and what we don't know */
}

void judge_mounts(struct judge *j)
{
	const struct policy_workload *w = j->v.w;

	for (size_t i = 0; i < w->mount_count; i++)
		judge_mount(j, &w->mounts[i]);
	for (size_t i = 0; i < w->volumes_from.count && view_is_on(&j->v, KEY_DENY_VOLUMES_FROM); i++)
		deny(j, RULE_VOLUMES_FROM, j->v.v[KEY_DENY_VOLUMES_FROM], NULL, policy_text(w->volumes_from.v[i]), "");
	if (w->has_unseen_volumes && (restricts(&j->v) || view_is_on(&j->v, KEY_DENY_VOLUME_BINDS))) {
		const struct policy_value *no = j->v.v[KEY_DENIED_MOUNTS], *yes = j->v.v[KEY_ALLOWED_MOUNTS];

		deny(j, RULE_UNSEEN_VOLUMES, no->count ? no : yes->is_set ? yes : j->v.v[KEY_DENY_VOLUME_BINDS], NULL,
		     w->volumes_from.count ? policy_text(w->volumes_from.v[0]) : "a volume", "");
	}
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void policy_each_denied_mount(const struct policy *p, void (*fn)(void *arg, const char *path), void *arg)
{
	size_t count = 0, n = 0;

	for (size_t layer = 0; layer <= p->scope_count; layer++)
		count += (layer ? &p->scopes[layer - 1] : &p->general)->v[KEY_DENIED_MOUNTS].count;
	CLEANUP(freep) const char **paths = calloc(count + 1, sizeof(*paths));
	for (size_t layer = 0; paths && layer <= p->scope_count; layer++) {
		const struct policy_value *v = &(layer ? &p->scopes[layer - 1] : &p->general)->v[KEY_DENIED_MOUNTS];

		for (size_t i = 0; i < v->count; i++)
			paths[n++] = v->entries[i].text;
	}
	if (n)
		qsort(paths, n, sizeof(*paths), by_text);
	for (size_t i = 0; i < n; i++)
		if (!i || strcmp(paths[i - 1], paths[i]) != 0)
			fn(arg, paths[i]);
}
