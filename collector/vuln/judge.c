/* judge.c - one vulnerability after the other, urgent ones first: where it is, how urgent that makes it, and
 * what its alerts have to say.
 *
 *   places (image by image) ──► sums for lists
 *                           └─► cases: image runs, severity at or above the level (or exploited), not accepted
 *        case    told before
 *        yes     no                 new       (or withheld, when there are too many)
 *        yes     open, withheld     the same  (or worse)
 *        yes     closed             again
 *        no      open, withheld     closed, with why
 *
 * Nothing is written while places are read: cases are kept in the arena and told afterwards. */
#include <errno.h>

#include "collector/vuln/vuln_priv.h"
#include "common/json.h"
#include "common/text.h"

enum { NAMES_MAX = 32, NAMES_BYTES = 64 * 1024 };

/* An image of the vulnerability that matters here: it has a case, or was told of. */
struct candidate {
	int64_t image;
	bool is_running, is_case, is_accepted, is_exposed;
	enum vuln_severity severity; /* of what nobody accepts */
	uint64_t hosts, containers;
	const char *image_id, *names;
	struct store_place *places;
	size_t place_count, place_room;
	const char *accepted_by;
};

struct judge {
	struct vuln *v;
	struct arena *a;
	struct store_vuln vuln;
	struct err *err;
	struct store_acceptance *acceptances;
	size_t acceptance_count, acceptance_room;
	struct store_told_row *told;
	size_t told_count, told_room;
	struct candidate *candidates;
	size_t candidate_count, candidate_room;
	bool is_cut; /* there are more candidates than are kept: none is closed for not being among them */
	struct candidate now;	 /* the image whose places are being read */
	int64_t last_image, last_running;
	cJSON *names; /* of packages */
	bool is_all_accepted;
};

static enum msg_severity severity_of(enum vuln_severity s, bool is_kev)
{
	static const enum msg_severity map[] = { [VULN_UNKNOWN] = SEVERITY_INFO, [VULN_NONE] = SEVERITY_INFO,
						 [VULN_LOW] = SEVERITY_LOW,	 [VULN_MEDIUM] = SEVERITY_MEDIUM,
						 [VULN_HIGH] = SEVERITY_HIGH,	 [VULN_CRITICAL] = SEVERITY_CRITICAL };

	if (is_kev)
		return SEVERITY_CRITICAL;
	return (size_t)s < ARRAY_LEN(map) ? map[s] : SEVERITY_INFO;
}

static int no_room(struct judge *j)
{
	return err_set(j->err, ERR_LIMIT, "judge '%.60s'", j->vuln.id);
}

/* The array with room for one more, in the arena. */
static void *grown(struct arena *a, void *old, size_t count, size_t *room, size_t size)
{
	if (count < *room)
		return old;
	size_t more = *room ? 2 * *room : 4;
	void *p = arena_zalloc(a, more, size);

	if (p && count)
		memcpy(p, old, count * size);
	if (p)
		*room = more;
	return p;
}

/* ---- what is known before ---- */

static int add_acceptance(void *arg, const struct store_acceptance *x)
{
	struct judge *j = arg;

	j->acceptances = grown(j->a, j->acceptances, j->acceptance_count, &j->acceptance_room, sizeof(*x));
	if (!j->acceptances)
		return no_room(j);
	struct store_acceptance *to = &j->acceptances[j->acceptance_count++];
	*to = *x;
	to->image = arena_dup(j->a, slice_of(x->image));
	to->package = arena_dup(j->a, slice_of(x->package));
	to->who = arena_dup(j->a, slice_of(x->who));
	return to->image && to->package && to->who ? 0 : no_room(j);
}

static int add_told(void *arg, const struct store_told_row *row)
{
	struct judge *j = arg;

	j->told = grown(j->a, j->told, j->told_count, &j->told_room, sizeof(*row));
	if (!j->told)
		return no_room(j);
	j->told[j->told_count++] = *row;
	return 0;
}

static const struct store_told_row *find_told(const struct judge *j, int64_t image)
{
	for (size_t i = 0; i < j->told_count; i++)
		if (j->told[i].image == image)
			return &j->told[i];
	return NULL;
}

/* ---- places ---- */

static int keep_place(struct judge *j, const struct store_place *p)
{
	struct candidate *c = &j->now;
	const char **texts[8];
	size_t n = 0;

	if (c->place_count == VULN_CASE_PLACES_MAX)
		return 0;
	if (c->place_count && arena_used(j->a) > VULN_JUDGE_ARENA_BYTES / 2)
		return 0; /* one package must do */
	c->places = grown(j->a, c->places, c->place_count, &c->place_room, sizeof(*c->places));
	if (!c->places)
		return no_room(j);
	struct store_place *to = &c->places[c->place_count++];
	*to = *p;
	to->image_id = to->names = to->arch = to->severity_source = "";
	texts[n++] = &to->ecosystem;
	texts[n++] = &to->package;
	texts[n++] = &to->version;
	texts[n++] = &to->fixed;
	texts[n++] = &to->note;
	texts[n++] = &to->feed;
	texts[n++] = &to->record;
	texts[n++] = &to->used_agent;
	for (size_t i = 0; i < n; i++) {
		*texts[i] = arena_dup(j->a, slice_of(*texts[i]));
		if (!*texts[i])
			return no_room(j);
	}
	const char *path = arena_dup(j->a, p->path), *used = arena_dup(j->a, p->used_path);
	to->used_container = arena_dup(j->a, slice_of(p->used_container));
	if (!path || !used || !to->used_container)
		return no_room(j);
	to->path = slice_from(path, p->path.n);
	to->used_path = slice_from(used, p->used_path.n);
	return 0;
}

static const struct store_acceptance *accepted_by(const struct judge *j, const struct store_place *p)
{
	for (size_t i = 0; i < j->acceptance_count; i++)
		if (store_acceptance_covers(&j->acceptances[i], p))
			return &j->acceptances[i];
	return NULL;
}

static int by_severity(const void *a, const void *b)
{
	const struct store_place *x = a, *y = b;

	return x->severity == y->severity ? strcmp(x->package, y->package) : (int)y->severity - (int)x->severity;
}

/* Places are kept of images that run only. */
static bool is_case(const struct judge *j, const struct candidate *c)
{
	return c->place_count &&
	       (j->vuln.is_kev || (int)c->severity >= j->v->cfg->min_severity);
}

/* The image's last place was read. */
static int close_image(struct judge *j)
{
	struct candidate *c = &j->now;

	if (!c->image)
		return 0;
	c->is_case = is_case(j, c);
	if (c->place_count)
		qsort(c->places, c->place_count, sizeof(*c->places), by_severity);
	bool is_wanted = c->is_case || find_told(j, c->image);
	bool has_room = j->candidate_count < VULN_CASES_MAX && arena_used(j->a) < VULN_JUDGE_ARENA_BYTES / 4 * 3;
	j->is_cut |= is_wanted && !has_room;
	if (is_wanted && has_room) {
		j->candidates = grown(j->a, j->candidates, j->candidate_count, &j->candidate_room, sizeof(*c));
		if (!j->candidates)
			return no_room(j);
		j->candidates[j->candidate_count++] = *c;
	}
	*c = (struct candidate){ 0 };
	return 0;
}

static int open_image(struct judge *j, const struct store_place *p)
{
	struct store_vuln *v = &j->vuln;

	j->now = (struct candidate){ .image = p->image,
				     .is_running = p->hosts > 0,
				     .is_exposed = p->is_exposed,
				     .hosts = p->hosts,
				     .containers = p->containers,
				     .image_id = arena_dup(j->a, slice_of(p->image_id)),
				     .names = arena_dup(j->a, slice_of(p->names)) };
	v->images++;
	v->running += p->hosts > 0;
	v->is_exposed |= p->is_exposed;
	return j->now.image_id && j->now.names ? 0 : no_room(j);
}

static void add_name(struct judge *j, const char *name)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, j->names)
	{
		if (!strcmp(item->valuestring, name))
			return;
	}
	if (cJSON_GetArraySize(j->names) < NAMES_MAX)
		cJSON_AddItemToArray(j->names, cJSON_CreateString(name));
}

static int on_place(void *arg, const struct store_place *p)
{
	struct judge *j = arg;
	struct store_vuln *v = &j->vuln;
	const struct store_acceptance *by = accepted_by(j, p);
	int r = 0;

	if (j->now.image != p->image) {
		r = close_image(j);
		if (r >= 0)
			r = open_image(j, p);
	}
	if (r < 0)
		return r;
	add_name(j, p->package);
	v->severity = p->severity > v->severity ? p->severity : v->severity;
	v->is_fixable |= p->fixed[0] != '\0';
	/* What is used where it doesn't run (any more) says nothing of today. */
	v->used |= p->hosts ? p->used : 0;
	j->is_all_accepted &= by != NULL;
	if (by) {
		j->now.is_accepted = true;
		j->now.accepted_by = by->who;
		return 0;
	}
	j->now.severity = p->severity > j->now.severity ? p->severity : j->now.severity;
	/* Places cost memory: only of what may be told. */
	if (!p->hosts || !(v->is_kev || (int)p->severity >= j->v->cfg->min_severity))
		return 0;
	return keep_place(j, p);
}

/* ---- telling ---- */

struct uses {
	struct judge *j;
	struct store_use *all;
	size_t n;
};

static int on_use(void *arg, const struct store_use *u)
{
	struct uses *x = arg;
	struct store_use *to = &x->all[x->n++];
	const char **texts[] = { &to->agent,	 &to->host,  &to->reference, &to->container, &to->container_name,
				 &to->ports };

	*to = *u;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		*texts[i] = arena_dup(x->j->a, slice_of(*texts[i]));
		if (!*texts[i])
			return no_room(x->j);
	}
	return 0;
}

/* As people call it: as it runs, else its first name, else its id. */
static const char *name_of(struct judge *j, const struct candidate *c, const struct uses *u)
{
	CLEANUP(cJSON_Deletep) cJSON *names = NULL;
	const char *name = c->image_id;

	if (u->n && u->all[0].reference[0] && strncmp(u->all[0].reference, "sha256:", 7) != 0)
		return u->all[0].reference;
	if (json_parse(slice_of(c->names), NAMES_BYTES * 16, &names, NULL) >= 0 &&
	    cJSON_IsString(cJSON_GetArrayItem(names, 0)))
		name = arena_dup(j->a, slice_of(cJSON_GetArrayItem(names, 0)->valuestring));
	return name ? name : c->image_id;
}

static int tell_case(struct judge *j, const struct candidate *c, struct store_told_row *told)
{
	struct uses u = { .j = j, .all = arena_zalloc(j->a, VULN_CASE_USES_MAX, sizeof(*u.all)) };
	struct store_case sc = { .vuln = &j->vuln,
				 .image_id = c->image_id,
				 .severity = severity_of(c->severity, j->vuln.is_kev),
				 .is_exposed = c->is_exposed,
				 .places = c->places,
				 .place_count = c->place_count,
				 .hosts = c->hosts,
				 .containers = c->containers };

	if (!u.all)
		return no_room(j);
	int r = store_image_uses(j->v->store, c->image, VULN_CASE_USES_MAX, on_use, &u, j->err);
	if (r < 0)
		return r;
	sc.uses = u.all;
	sc.use_count = u.n;
	sc.image = name_of(j, c, &u);
	bool is_worse = told->state != TOLD_NOTHING && told->state != TOLD_CLOSED && sc.severity > told->severity;
	enum vuln_case_why why = told->state == TOLD_NOTHING  ? CASE_NEW
				 : told->state == TOLD_CLOSED ? CASE_AGAIN
				 : is_worse		      ? CASE_WORSE
							      : CASE_SAME;
	/* What was withheld once stays so: telling it a week later, when there is room, would say it is new. */
	if (told->state == TOLD_WITHHELD && !is_worse)
		return 0;
	r = j->v->ops.on_case(j->v->arg, &sc, why, told, j->err);
	if (r < 0)
		return r;
	told->severity = sc.severity;
	return store_told_set(j->v->store, j->vuln.row, told, j->err);
}

static void say_why(const struct judge *j, const struct candidate *c, char *dst, size_t size)
{
	if (!c)
		snprintf(dst, size, "no package of the image is affected any more, by what the advisories say now");
	else if (!c->is_running)
		snprintf(dst, size, "no container of the image runs any more");
	else if (c->is_accepted && !c->place_count)
		snprintf(dst, size, "accepted by %.100s", c->accepted_by);
	else
		snprintf(dst, size, "its severity is %s now", vuln_severity_name(c->severity));
}

static int tell_closed(struct judge *j, const struct candidate *c, struct store_told_row *told)
{
	char why[200];
	int r = 0;

	if (told->state != TOLD_OPEN && told->state != TOLD_WITHHELD)
		return 0;
	say_why(j, c, why, sizeof(why));
	if (told->state == TOLD_OPEN)
		r = j->v->ops.on_closed(j->v->arg, told->alert, why, j->err);
	told->state = told->state == TOLD_OPEN ? TOLD_CLOSED : TOLD_NOTHING;
	return r < 0 ? r : store_told_set(j->v->store, j->vuln.row, told, j->err);
}

static int tell_all(struct judge *j)
{
	int r = 0;

	for (size_t i = 0; i < j->candidate_count && r >= 0; i++) {
		const struct candidate *c = &j->candidates[i];
		const struct store_told_row *before = find_told(j, c->image);
		struct store_told_row told = before ? *before : (struct store_told_row){ .image = c->image };

		r = c->is_case ? tell_case(j, c, &told) : tell_closed(j, c, &told);
	}
	/* Images that have it no longer, or are here no longer. */
	for (size_t i = 0; i < j->told_count && r >= 0 && !j->is_cut; i++) {
		bool is_there = false;

		for (size_t k = 0; k < j->candidate_count; k++)
			is_there |= j->candidates[k].image == j->told[i].image;
		if (!is_there)
			r = tell_closed(j, NULL, &j->told[i]);
	}
	return r;
}

/* ---- one ---- */

static int read_all(struct judge *j)
{
	struct store *s = j->v->store;
	struct store_vuln *v = &j->vuln;

	j->names = cJSON_CreateArray();
	if (!j->names)
		return no_room(j);
	int r = store_acceptances_each(s, v, false, VULN_ACCEPTANCES_MAX, add_acceptance, j, j->err);
	if (r >= 0)
		r = store_told_each(s, v->row, add_told, j, j->err);
	v->severity = VULN_UNKNOWN;
	v->images = v->running = v->hosts = v->used = 0;
	v->is_exposed = v->is_fixable = false;
	j->is_all_accepted = true;
	if (r >= 0)
		r = store_vuln_places(s, v->row, 0, 0, on_place, j, j->err);
	if (r >= 0)
		r = close_image(j);
	if (r >= 0 && v->running)
		r = store_vuln_hosts(s, v->row, &v->hosts, j->err);
	return r;
}

static int judge_one(struct judge *j)
{
	CLEANUP(buf_finip) struct buf names = { 0 };
	const cJSON *item;
	struct json out;
	int r = read_all(j);

	if (r >= 0)
		r = tell_all(j);
	if (r < 0)
		return r;
	buf_init(&names, NAMES_BYTES);
	json_init(&out, &names);
	json_array_open(&out);
	cJSON_ArrayForEach(item, j->names)
	{
		json_str(&out, slice_of(item->valuestring));
	}
	json_array_close(&out);
	j->vuln.packages = names.failed ? "[]" : names.p;
	j->vuln.is_accepted = j->vuln.images && j->is_all_accepted;
	return store_vuln_judged(j->v->store, &j->vuln, j->err);
}

int judge_some(struct vuln *v, uint64_t until_boot_ns, struct err *err)
{
	do {
		struct judge j = { .v = v, .a = v->judge_arena, .err = err };

		arena_reset(v->judge_arena);
		int r = store_vuln_next_due(v->store, v->judge_arena, &j.vuln, err);
		if (r < 0 || !j.vuln.row)
			return r;
		r = judge_one(&j);
		cJSON_Delete(j.names);
		if (r < 0)
			return r;
	} while (clock_boot_ns(v->clk) < until_boot_ns);
	return 1;
}
