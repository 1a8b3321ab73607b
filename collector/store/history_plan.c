/* history_plan.c - see history_query.h. */
#include <arpa/inet.h>
#include <errno.h>

#include "collector/store/history_query.h"
#include "collector/store/record_json.h"

static const char *const event_keys[] = { "host",    "agent", "container", "container.id", "image",
					  "type",    "user",  "process",   "exe",	   "cmdline",
					  "pid",     "ppid",  "parent",	   "rule",	   "text",
					  "time",    "since", "until",	   "call",	   "path",
					  "address", "port",  "hash",      NULL };

static bool is_key(const struct filter_term *t, const char *key)
{
	return t->key && !strcmp(t->key, key);
}

static bool is_text(const struct filter_term *t)
{
	return !t->key || !strcmp(t->key, "text");
}

/* As many hex digits as docker prints of a container's id, or more. */
static bool is_container_id(struct slice v)
{
	if (v.n < CONTAINER_ID_SHORT || v.n > 64)
		return false;
	for (size_t i = 0; i < v.n; i++)
		if (!strchr("0123456789abcdef", v.p[i]) || !v.p[i])
			return false;
	return true;
}

static void add(struct plan_set *set, enum term_kind kind, struct slice value)
{
	set->terms[set->count++] = record_term(kind, value);
}

static void add_id(struct plan_set *set, struct slice id)
{
	add(set, TERM_CONTAINER_ID, slice_sub(id, 0, CONTAINER_ID_SHORT));
}

/* Hosts are resolved here, through the agents' present names: patterns and renamed hosts included. */
static bool set_of_hosts(struct store *s, const struct filter_term *t, struct plan_set *set)
{
	for (size_t i = 0; i < s->agents.count; i++) {
		const struct agent_brief *a = &s->agents.rows[i];

		if (!filter_match_text(t, slice_of(a->host)))
			continue;
		if (set->count == PLAN_IDS_MAX)
			return false; /* so many that looking costs more than it saves */
		add(set, TERM_AGENT, slice_of(a->id));
	}
	return true;
}

/* By the name in the record, or by the id of a container known by that name. 1 if the set is of use. */
static int set_of_containers(struct store *s, const struct filter_term *t, struct arena *a, struct plan *p,
			     struct err *err)
{
	struct plan_set *set = &p->sets[p->set_count];
	const char *ids[PLAN_IDS_MAX + 1];
	struct slice value = slice_of(t->value);
	size_t count;
	int r = containers_named(s, t->key, value, PLAN_IDS_MAX, a, ids, &count, err);

	if (r < 0 || count > PLAN_IDS_MAX)
		return r;
	for (size_t i = 0; i < count; i++)
		add_id(set, slice_of(ids[i]));
	add(set, is_key(t, "image") ? TERM_IMAGE : TERM_CONTAINER_NAME, value);
	if (is_key(t, "container") && is_container_id(value))
		add_id(set, value);
	if (p->any_count || count >= PLAN_ANY)
		return 1;
	for (size_t i = 0; i < count; i++)
		p->any[p->any_count++] = slice_of(ids[i]);
	p->any[p->any_count++] = value; /* the name, or the beginning of the id */
	return 1;
}

/* An address in the one text it has here: "::FFFF:10.0.0.1" is "10.0.0.1". */
static bool canonical_address(const char *value, char dst[RECORD_ADDRESS_MAX])
{
	uint8_t bytes[16];

	if (inet_pton(AF_INET, value, bytes) == 1)
		return record_json_address(slice_from(bytes, 4), dst);
	return inet_pton(AF_INET6, value, bytes) == 1 && record_json_address(slice_from(bytes, 16), dst);
}

static bool set_of_address(const struct filter_term *t, struct plan_set *set)
{
	char text[RECORD_ADDRESS_MAX];

	if (!canonical_address(t->value, text))
		return false;
	add(set, TERM_ADDRESS, slice_of(text));
	return true;
}

static bool set_of_port(const struct filter_term *t, struct plan_set *set)
{
	char text[16];
	uint64_t port;

	if (!slice_to_u64(slice_of(t->value), &port) || !port || port >= RECORD_PORTS)
		return false;
	snprintf(text, sizeof(text), "%u", (unsigned)port); /* "080" is 80 */
	add(set, TERM_PORT, slice_of(text));
	return true;
}

/* 1: every record that satisfies t has a term of the plan's next set. 0: nothing is known. */
static int set_of_term(struct store *s, const struct filter_term *t, struct arena *a, struct plan *p,
		       struct err *err)
{
	struct plan_set *set = &p->sets[p->set_count];
	static const struct {
		const char *key;
		enum term_kind kind;
	} plain[] = { { "agent", TERM_AGENT },	 { "process", TERM_PROCESS }, { "exe", TERM_EXE },
		      { "user", TERM_USER },	 { "rule", TERM_RULE },	      { "parent", TERM_PARENT },
		      { "call", TERM_CALL },	 { "path", TERM_PATH },	      { "hash", TERM_HASH } };

	if (t->is_negated || !t->key)
		return 0;
	if (is_key(t, "host"))
		return t->op != FILTER_NE && set_of_hosts(s, t, set);
	/* an empty value is also what a record without the field has */
	if (t->op != FILTER_EQ || !t->value[0])
		return 0;
	if (is_key(t, "container") || is_key(t, "image"))
		return set_of_containers(s, t, a, p, err);
	if (is_key(t, "container.id") && slice_of(t->value).n >= CONTAINER_ID_SHORT) {
		add_id(set, slice_of(t->value));
		return 1;
	}
	if (is_key(t, "address"))
		return set_of_address(t, set);
	if (is_key(t, "port"))
		return set_of_port(t, set);
	if (is_key(t, "type")) { /* a kind of event, or one call of that kind */
		add(set, TERM_TYPE, slice_of(t->value));
		add(set, TERM_CALL, slice_of(t->value));
		return 1;
	}
	for (size_t i = 0; i < ARRAY_LEN(plain); i++)
		if (is_key(t, plain[i].key)) {
			add(set, plain[i].kind, slice_of(t->value));
			return 1;
		}
	return 0;
}

/* An address stands in a packed record as its bytes, mapped into IPv6 or not. */
static int needle_of_address(struct plan *p, const struct filter_term *t, struct arena *a, struct err *err)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	uint8_t bytes[16];
	size_t n = inet_pton(AF_INET, t->value, bytes) == 1 ? 4 : inet_pton(AF_INET6, t->value, bytes) == 1 ? 16 : 0;
	size_t at = n == 16 && !memcmp(bytes, mapped, sizeof(mapped)) ? 12 : 0;

	if (!n || t->op != FILTER_EQ || t->is_negated || p->needle_count == PLAN_NEEDLES)
		return 0;
	char *copy = arena_alloc(a, n - at);
	if (!copy)
		return err_set(err, ENOMEM, "history query");
	memcpy(copy, bytes + at, n - at);
	p->needles[p->needle_count++].word = slice_from(copy, n - at);
	return 0;
}

/* Every word of such a value stands in a matching record, whatever else: blanks stand for what separates
 * arguments, which is a NUL there. */
static void choose_needles(struct plan *p, const struct filter_term *t)
{
	static const char *const keys[] = { "process",	    "exe",     "rule", "parent",
					    "container.id", "cmdline", "call", "path" };
	struct slice rest = slice_of(t->value), word;
	bool is_told = false;

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		is_told |= is_key(t, keys[i]);
	if (!is_told || t->is_negated || (t->op != FILTER_EQ && t->op != FILTER_CONTAINS))
		return;
	while (p->needle_count < PLAN_NEEDLES && slice_split(&rest, ' ', &word))
		if (word.n) {
			p->needles[p->needle_count].word = word;
			p->needles[p->needle_count++].is_any_case = t->op == FILTER_CONTAINS;
		}
}

/* "SHA256:ABC…" is "abc…", as records are compared. */
static int spell_hash(struct filter_term *t, struct arena *a, struct err *err)
{
	struct slice v = slice_of(t->value);

	if (v.n > 7 && !strncasecmp(v.p, "sha256", 6) && (v.p[6] == ':' || v.p[6] == '='))
		v = slice_sub(v, 7, v.n);
	char *text = arena_dup(a, v);
	if (!text)
		return err_set(err, ENOMEM, "history query");
	for (size_t i = 0; i < v.n; i++)
		text[i] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] + 32 : text[i]);
	t->value = text;
	return 0;
}

/* A whole hash stands in a matching record, as its bytes. */
static int choose_hash(struct plan *p, const struct filter_term *t, struct arena *a, struct err *err)
{
	unsigned byte;

	if (t->is_negated || t->op != FILTER_EQ || strlen(t->value) != 64 || p->needle_count == PLAN_NEEDLES)
		return 0;
	char *bytes = arena_alloc(a, 32);
	if (!bytes)
		return err_set(err, ENOMEM, "history query");
	for (size_t i = 0; i < 32; i++) {
		if (sscanf(t->value + 2 * i, "%2x", &byte) != 1)
			return 0;
		bytes[i] = (char)byte;
	}
	p->needles[p->needle_count++].word = slice_from(bytes, 32);
	return 0;
}

/* Leaves the terms about hosts and times, and asks for gaps beside. */
static void keep_gaps(struct plan *p)
{
	static const char *const keys[] = { "host", "agent", "time", "since", "until" };
	struct filter *f = &p->filter;
	size_t kept = 0;

	for (size_t i = 0; i < f->count; i++) {
		bool is_kept = false;

		for (size_t k = 0; k < ARRAY_LEN(keys); k++)
			is_kept |= is_key(&f->terms[i], keys[k]);
		if (is_kept)
			f->terms[kept++] = f->terms[i];
	}
	if (kept == PLAN_SETS)
		kept--; /* one host less to tell apart: more is said to be lost, not less */
	f->terms[kept++] = (struct filter_term){ .key = "type", .op = FILTER_EQ, .value = "gap" };
	f->count = kept;
}

/* One of these, whatever the terms say: the language has no "or". */
static void add_types(struct plan *p, const char *const *types)
{
	struct plan_set *set = &p->sets[p->set_count];

	p->types = types;
	set->count = 0;
	for (size_t i = 0; types && types[i] && i < PLAN_IDS_MAX; i++)
		add(set, TERM_TYPE, slice_of(types[i]));
	p->set_count += types != NULL;
}

static int make(struct store *s, const struct store_query *q, bool is_gaps, struct arena *a,
		struct plan *ret, struct err *err)
{
	struct plan p = { .now = clock_unix_ns(s->clk),
			  .since = q->since_unix_ns,
			  .until = q->until_unix_ns,
			  .classes = is_gaps ? 1u << CLASS_MIXED | 1u << CLASS_FINDING : history_classes_of(q->types),
			  .is_gaps = is_gaps };
	int r = filter_parse(q->filter, event_keys, a, &p.filter, err);

	if (r < 0)
		return r;
	if (is_gaps)
		keep_gaps(&p);
	p.sets = arena_zalloc(a, PLAN_SETS + 1, sizeof(*p.sets));
	if (!p.sets)
		return err_set(err, ENOMEM, "history query");
	filter_window(&p.filter, p.now, &p.since, &p.until);
	add_types(&p, q->types);
	for (size_t i = 0; i < p.filter.count; i++) {
		struct filter_term *t = &p.filter.terms[i];

		if (is_key(t, "hash")) {
			r = spell_hash(t, a, err);
			if (r >= 0)
				r = choose_hash(&p, t, a, err);
			if (r < 0)
				return r;
		}
		p.needs_names |= is_text(t) || is_key(t, "container") || is_key(t, "image");
		choose_needles(&p, t);
		r = is_key(t, "address") ? needle_of_address(&p, t, a, err) : 0;
		if (r < 0)
			return r;
		p.sets[p.set_count].count = 0;
		r = set_of_term(s, t, a, &p, err);
		if (r < 0)
			return r;
		p.set_count += r > 0;
	}
	*ret = p;
	return 0;
}

int plan_make(struct store *s, const struct store_query *q, struct arena *a, struct plan *ret,
	      struct err *err)
{
	return make(s, q, false, a, ret, err);
}

int plan_make_gaps(struct store *s, const struct store_query *q, struct arena *a, struct plan *ret,
		   struct err *err)
{
	return make(s, q, true, a, ret, err);
}

bool plan_match_agent(struct store *s, const struct plan *p, const char *agent)
{
	const struct agent_brief *brief = agents_find(s, agent);

	for (size_t i = 0; i < p->filter.count; i++) {
		const struct filter_term *t = &p->filter.terms[i];

		if (is_key(t, "host") && !filter_match_text(t, slice_of(brief ? brief->host : "")))
			return false;
		if (is_key(t, "agent") && !filter_match_text(t, slice_of(agent)))
			return false;
	}
	return true;
}

static bool has_any(const struct plan *p, struct slice packed)
{
	for (size_t i = 0; i < p->any_count; i++)
		if (memmem(packed.p, packed.n, p->any[i].p, p->any[i].n))
			return true;
	return !p->any_count;
}

bool plan_may_match(const struct plan *p, struct slice packed)
{
	/* As every agent packs a gap: the time (field 1, 8 bytes), then field 4. */
	if (p->is_gaps && (packed.n < 10 || packed.p[0] != 0x09 || packed.p[9] != 0x22))
		return false;
	for (size_t i = 0; i < p->needle_count; i++) {
		struct slice word = p->needles[i].word;

		if (p->needles[i].is_any_case ? !filter_contains(packed, word) :
						!memmem(packed.p, packed.n, word.p, word.n))
			return false;
	}
	return has_any(p, packed);
}

/* ---- one record ---- */

struct subject {
	const Picket__Record *rec;
	struct record_view v;
	struct slice id, name, image, host;
	struct arena *arena;
};

static bool contains_deed(const struct subject *u, struct slice needle)
{
	const Picket__File *f = u->v.file;
	const Picket__Network *n = u->v.network;
	char text[RECORD_ADDRESS_MAX];

	if (filter_contains(slice_of(u->v.call), needle) || filter_contains(u->v.args, needle))
		return true;
	if (f && (filter_contains(msg_slice(f->path), needle) || filter_contains(msg_slice(f->raw), needle) ||
		  filter_contains(msg_slice(f->target), needle)))
		return true;
	if (!n)
		return false;
	return filter_contains(msg_slice(n->path), needle) || filter_contains(slice_of(n->protocol), needle) ||
	       (record_json_address(msg_slice(n->local_address), text) &&
		filter_contains(slice_of(text), needle)) ||
	       (record_json_address(msg_slice(n->remote_address), text) &&
		filter_contains(slice_of(text), needle));
}

static bool contains_report(const Picket__AuditReport *m, struct slice needle)
{
	if (filter_contains(slice_of(m->subject), needle) || filter_contains(msg_slice(m->subject_name), needle) ||
	    filter_contains(slice_of(m->trigger), needle))
		return true;
	for (size_t i = 0; i < m->n_results; i++)
		if (filter_contains(slice_of(m->results[i]->check_id), needle) ||
		    filter_contains(msg_slice(m->results[i]->evidence), needle))
			return true;
	return false;
}

/* Of a hash among words: fewer would be found in nearly every one. */
enum { HASH_DIGITS_MIN = 8 };

static bool match_anywhere(const struct filter_term *t, const struct subject *u)
{
	struct slice needle = slice_of(t->value);
	const struct slice own[] = { u->host, u->id, u->name, u->image, slice_of(u->v.type) };

	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		if (filter_contains(own[i], needle))
			return true;
	if (u->v.process) {
		const Picket__Process *p = u->v.process;
		char hash[RECORD_HASH_MAX];

		if (needle.n >= HASH_DIGITS_MIN && record_hash(p, hash) && filter_contains(slice_of(hash), needle))
			return true;
		if (filter_contains(msg_slice(p->exe), needle) ||
		    filter_contains(msg_slice(p->user), needle) ||
		    filter_contains(msg_slice(p->cwd), needle) ||
		    filter_contains(record_cmdline(p, u->arena), needle))
			return true;
	}
	if (contains_deed(u, needle) || filter_contains(slice_of(u->v.rule), needle))
		return true;
	if (u->v.finding && filter_contains(slice_of(u->v.finding->output), needle))
		return true;
	if (u->v.action && (filter_contains(slice_of(u->v.action->kind), needle) ||
			    filter_contains(slice_of(u->v.action->why), needle)))
		return true;
	if (u->v.admission && (filter_contains(msg_slice(u->v.admission->reason), needle) ||
			       filter_contains(msg_slice(u->v.admission->user), needle) ||
			       filter_contains(msg_slice(u->v.admission->path), needle)))
		return true;
	if (u->v.report && contains_report(u->v.report, needle))
		return true;
	return u->v.gap && filter_contains(slice_of(u->v.gap->reason), needle);
}

/* Is the term satisfied by not being so? Then each of several values must. */
static bool is_negative(const struct filter_term *t)
{
	return t->is_negated != (t->op == FILTER_NE);
}

static bool match_id(const struct filter_term *t, struct slice id)
{
	struct slice want = slice_of(t->value);

	if (t->op == FILTER_EQ && want.n >= CONTAINER_ID_SHORT && want.n < id.n)
		return slice_starts(id, want) != t->is_negated;
	return filter_match_text(t, id);
}

static bool match_container(const struct filter_term *t, const struct subject *u)
{
	struct slice want = slice_of(t->value);

	if (t->op == FILTER_EQ && is_container_id(want) && slice_starts(u->id, want))
		return !t->is_negated;
	return filter_match_text(t, u->name);
}

static bool match_user(const struct filter_term *t, const Picket__Process *p)
{
	struct slice want = slice_of(t->value);
	char uid[16];
	uint64_t number;

	snprintf(uid, sizeof(uid), "%u", p->uid);
	if (slice_to_u64(want, &number) || !p->user.len)
		return filter_match_text(t, slice_of(uid));
	return filter_match_text(t, msg_slice(p->user));
}

/* Does a record without a process satisfy a term about one? As if it were empty. */
static bool match_process(const struct filter_term *t, const struct subject *u)
{
	static const Picket__Process none = PICKET__PROCESS__INIT;
	const Picket__Process *p = u->v.process ? u->v.process : &none;
	char hash[RECORD_HASH_MAX];

	if (!u->v.process && is_key(t, "user"))
		return filter_match_text(t, SLICE_NONE);
	if (!u->v.process && (is_key(t, "pid") || is_key(t, "ppid")))
		return is_negative(t); /* no number is less than another */
	if (is_key(t, "user"))
		return match_user(t, p);
	if (is_key(t, "process"))
		return filter_match_text(t, msg_slice(p->name));
	if (is_key(t, "exe"))
		return filter_match_text(t, msg_slice(p->exe));
	if (is_key(t, "cmdline"))
		return filter_match_text(t, record_cmdline(p, u->arena));
	if (is_key(t, "hash"))
		return filter_match_text(t, record_hash(p, hash) ? slice_of(hash) : SLICE_NONE);
	if (is_key(t, "pid"))
		return filter_match_number(t, p->pid);
	if (is_key(t, "ppid"))
		return filter_match_number(t, p->ppid);
	return filter_match_text(t, p->n_ancestors ? msg_slice(p->ancestors[0]->name) : SLICE_NONE);
}

/* Of a record with several values any may be meant; with none it is as if there were an empty one. */
static bool match_any(const struct filter_term *t, const struct slice *values, size_t count)
{
	if (!count)
		return filter_match_text(t, SLICE_NONE);
	for (size_t i = 0; i < count; i++)
		if (filter_match_text(t, values[i]) != is_negative(t))
			return !is_negative(t);
	return is_negative(t);
}

static bool match_path(const struct filter_term *t, const struct subject *u)
{
	struct slice paths[RECORD_PATHS + 1], want = slice_of(t->value);
	size_t count = record_paths(&u->v, paths);
	bool is_met = false;

	if ((t->op == FILTER_EQ || t->op == FILTER_NE) && count) {
		for (size_t i = 0; i < count; i++)
			is_met |= record_path_is(paths[i], want);
		return is_met != is_negative(t);
	}
	/* A pattern is also looked for in the path as it was given: a symlink's name, say. */
	if (u->v.file && u->v.file->path.len && u->v.file->raw.len)
		paths[count++] = msg_slice(u->v.file->raw);
	return match_any(t, paths, count);
}

/* "10.0.0.0/8" */
static bool is_in_network(struct slice address, struct slice network)
{
	uint8_t want[16];
	char text[RECORD_ADDRESS_MAX];
	struct slice base;
	uint64_t bits;

	if (!slice_split(&network, '/', &base) || !slice_to_u64(network, &bits) ||
	    !slice_copy(base, text, sizeof(text)))
		return false;
	size_t n = inet_pton(AF_INET, text, want) == 1 ? 4 : inet_pton(AF_INET6, text, want) == 1 ? 16 : 0;
	if (n == 4 && address.n == 16 && record_json_address(address, text) && !strchr(text, ':'))
		address = slice_sub(address, 12, 4);
	if (!n || address.n != n || bits > 8 * n)
		return false;
	size_t whole = bits / 8;
	uint8_t mask = (uint8_t)(0xff00 >> bits % 8);
	return !memcmp(address.p, want, whole) &&
	       (whole == n || !(((uint8_t)address.p[whole] ^ want[whole]) & mask));
}

static bool match_address(const struct filter_term *t, const struct subject *u)
{
	char ends[RECORD_ENDS][RECORD_ADDRESS_MAX], want[RECORD_ADDRESS_MAX];
	struct slice values[RECORD_ENDS], raw[RECORD_ENDS];
	struct record_end all[RECORD_ENDS];
	struct filter_term canonical = *t;
	size_t n = record_ends(&u->v, all), count = 0;

	for (size_t i = 0; i < n; i++) {
		raw[count] = all[i].address;
		if (!record_json_address(raw[count], ends[count]))
			continue;
		values[count] = slice_of(ends[count]);
		count++;
	}
	if ((t->op == FILTER_EQ || t->op == FILTER_NE) && strchr(t->value, '/')) {
		bool is_met = false;

		for (size_t i = 0; i < count; i++)
			is_met |= is_in_network(raw[i], slice_of(t->value));
		return is_met != is_negative(t);
	}
	if (canonical_address(t->value, want))
		canonical.value = want;
	return match_any(&canonical, values, count);
}

static bool match_port(const struct filter_term *t, const struct subject *u)
{
	struct record_end ends[RECORD_ENDS];
	size_t n = record_ends(&u->v, ends);

	for (size_t i = 0; i < n; i++)
		if (ends[i].port && filter_match_number(t, ends[i].port) != is_negative(t))
			return !is_negative(t);
	return is_negative(t);
}

/* The kind of event, or the call by its name: "file" and "openat". A finding is a finding only. */
static bool match_type(const struct filter_term *t, const struct subject *u)
{
	const struct slice words[] = { slice_of(u->v.type), slice_of(u->v.call) };

	return match_any(t, words, u->v.call[0] && !u->v.finding ? 2 : 1);
}

static bool match_term(const struct plan *plan, const struct filter_term *t, const struct subject *u)
{
	if (is_text(t))
		return match_anywhere(t, u) != t->is_negated;
	if (is_key(t, "host") || is_key(t, "agent"))
		return true; /* plan_match_agent has looked */
	if (is_key(t, "container"))
		return match_container(t, u);
	if (is_key(t, "container.id"))
		return match_id(t, u->id);
	if (is_key(t, "image"))
		return filter_match_text(t, u->image);
	if (is_key(t, "type"))
		return match_type(t, u);
	if (is_key(t, "call"))
		return filter_match_text(t, slice_of(u->v.call));
	if (is_key(t, "path"))
		return match_path(t, u);
	if (is_key(t, "address"))
		return match_address(t, u);
	if (is_key(t, "port"))
		return match_port(t, u);
	if (is_key(t, "rule"))
		return filter_match_text(t, slice_of(u->v.rule));
	if (is_key(t, "time") || is_key(t, "since") || is_key(t, "until"))
		return filter_match_time(t, plan->now, u->rec->time_unix_ns);
	return match_process(t, u);
}

/* The record knows only the id: the rest from what the agent told about the container. */
static int fill_names(struct store *s, const char *agent, Picket__Container *c, struct arena *a,
		      struct err *err)
{
	struct slice name, image;

	if (!c || !c->id || !c->id[0] || (c->name.len && c->image.len))
		return 0;
	int r = containers_names_of(s, agent, c->id, a, &name, &image, err);
	if (r <= 0)
		return r;
	if (!c->name.len)
		c->name = msg_bytes(name);
	if (!c->image.len)
		c->image = msg_bytes(image);
	return 0;
}

static Picket__Container *container_of(Picket__Record *rec)
{
	if (rec->body_case == PICKET__RECORD__BODY_EVENT)
		return rec->event->container;
	return rec->body_case == PICKET__RECORD__BODY_FINDING ? rec->finding->container : NULL;
}

static bool is_one_of(const char *type, const char *const *types)
{
	for (size_t i = 0; types[i]; i++)
		if (!strcmp(type, types[i]))
			return true;
	return false;
}

int plan_match(struct store *s, const struct plan *p, const char *agent, Picket__Record *rec,
	       struct arena *a, struct err *err)
{
	struct subject u = { .rec = rec, .arena = a };

	if ((p->since && rec->time_unix_ns < p->since) || (p->until && rec->time_unix_ns > p->until))
		return 0;
	/* "gap" may also be what an agent says a call is named. */
	if (p->is_gaps && rec->body_case != PICKET__RECORD__BODY_GAP)
		return 0;
	int r = p->needs_names ? fill_names(s, agent, container_of(rec), a, err) : 0;
	if (r < 0)
		return r;
	record_view(rec, &u.v);
	if (p->types && !is_one_of(u.v.type, p->types))
		return 0;
	if (u.v.container) {
		u.id = slice_of(u.v.container->id);
		u.name = msg_slice(u.v.container->name);
		u.image = msg_slice(u.v.container->image);
	}
	if (p->needs_names) {
		const struct agent_brief *brief = agents_find(s, agent);

		u.host = slice_of(brief ? brief->host : "");
	}
	for (size_t i = 0; i < p->filter.count; i++)
		if (!match_term(p, &p->filter.terms[i], &u))
			return 0;
	if (!p->needs_names)
		r = fill_names(s, agent, container_of(rec), a, err);
	return r < 0 ? r : 1;
}
