/* facts_config.c - how the engine is told to run: daemon.json, and the command line over it. Pure.
 *
 * One table of options for both. pflag's rules for the command line: --name value, --name=value, a switch takes its
 * value only behind "="; short ones may be joined (-DH tcp://…). */
#include "agent/audit/facts_priv.h"
#include "common/json.h"

enum kind { SWITCH, TEXT, LIST, ULIMITS, SKIP, SKIP_SWITCH };

static const struct option {
	const char *key, *plural; /* in argv; in the file where it differs */
	char letter;
	enum kind kind;
	size_t at; /* in struct facts_daemon */
} options[] = {
#define AT(field) offsetof(struct facts_daemon, field)
	{ "icc", NULL, 0, SWITCH, AT(icc) },
	{ "iptables", NULL, 0, SWITCH, AT(iptables) },
	{ "userland-proxy", NULL, 0, SWITCH, AT(userland_proxy) },
	{ "no-new-privileges", NULL, 0, SWITCH, AT(no_new_privileges) },
	{ "tlsverify", NULL, 0, SWITCH, AT(tls_verify) },
	{ "tls", NULL, 0, SWITCH, AT(tls) },
	{ "log-level", NULL, 'l', TEXT, AT(log_level) },
	{ "cgroup-parent", NULL, 0, TEXT, AT(cgroup_parent) },
	{ "tlscacert", NULL, 0, TEXT, AT(tls_ca) },
	{ "tlscert", NULL, 0, TEXT, AT(tls_cert) },
	{ "tlskey", NULL, 0, TEXT, AT(tls_key) },
	{ "metrics-addr", NULL, 0, TEXT, AT(metrics_address) },
	{ "host", "hosts", 'H', LIST, AT(hosts) },
	{ "default-ulimit", "default-ulimits", 0, ULIMITS, 0 },
#undef AT
	/* Not of interest, but what follows them is theirs. */
	{ "debug", NULL, 'D', SKIP_SWITCH, 0 },
	{ "group", NULL, 'G', SKIP, 0 },
	{ "bridge", NULL, 'b', SKIP, 0 },
	{ "pidfile", NULL, 'p', SKIP, 0 },
	{ "storage-driver", NULL, 's', SKIP, 0 },
};

static bool parse_bool(struct slice s, enum facts_tri *ret)
{
	static const char *const yes[] = { "1", "t", "T", "true", "TRUE", "True" };
	static const char *const no[] = { "0", "f", "F", "false", "FALSE", "False" };

	for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
		if (slice_is(s, yes[i]) || slice_is(s, no[i])) {
			*ret = slice_is(s, yes[i]) ? FACTS_YES : FACTS_NO;
			return true;
		}
	}
	return false;
}

static void add_text(struct facts_out *o, struct facts_texts *t, struct slice v)
{
	struct facts_texts more;

	if (t->count >= FACTS_LIST_MAX || !facts_texts_open(o, &more, t->count + 1))
		return;
	for (size_t i = 0; i < t->count; i++)
		facts_texts_add(&more, t->v[i]);
	facts_texts_add(&more, facts_text(o, v));
	*t = more;
}

static void add_ulimit(struct facts_out *o, struct facts_daemon *d, const struct facts_ulimit *u)
{
	for (size_t i = 0; i < d->ulimit_count; i++) {
		if (!strcmp(d->ulimits[i].name, u->name)) {
			d->ulimits[i] = *u;
			return;
		}
	}
	struct facts_ulimit *v =
		d->ulimit_count < FACTS_LIST_MAX ? facts_rows(o, d->ulimit_count + 1, sizeof(*v)) : NULL;
	if (!v)
		return;
	if (d->ulimit_count)
		memcpy(v, d->ulimits, d->ulimit_count * sizeof(*v));
	v[d->ulimit_count++] = *u;
	d->ulimits = v;
}

/* ---- the file ---- */

static void file_ulimits(struct facts_out *o, const cJSON *v, struct facts_daemon *d)
{
	const cJSON *u;

	cJSON_ArrayForEach(u, v)
	{
		const struct facts_ulimit row = { .name = u->string ? facts_text(o, slice_of(u->string)) : "",
						  .soft = facts_json_i64(u, "Soft", -1),
						  .hard = facts_json_i64(u, "Hard", -1) };

		if (cJSON_IsObject(v) && cJSON_IsObject(u) && u->string)
			add_ulimit(o, d, &row);
	}
}

static void file_option(struct facts_out *o, const struct option *p, const cJSON *doc, struct facts_daemon *d)
{
	void *to = (char *)d + p->at;
	const char *key = p->plural ? p->plural : p->key;
	enum facts_tri tri;

	switch (p->kind) {
	case SWITCH:
		tri = facts_json_tri(doc, key);
		if (tri != FACTS_UNKNOWN)
			*(enum facts_tri *)to = tri;
		break;
	case TEXT:
		if (cJSON_IsString(facts_get(doc, key)))
			*(const char **)to = facts_json_text(o, doc, key);
		break;
	case LIST:
		facts_json_texts(o, facts_get(doc, key), to);
		break;
	case ULIMITS:
		file_ulimits(o, facts_get(doc, key), d);
		break;
	case SKIP:
	case SKIP_SWITCH:
		break;
	}
}

static void read_base_size(struct facts_out *o, struct slice option, struct facts_daemon *d)
{
	static const struct slice name = { "dm.basesize=", 12 };

	if (slice_starts(option, name))
		d->basesize = facts_text(o, slice_sub(option, name.n, option.n));
}

static struct slice without_mark(struct slice text)
{
	return slice_starts(text, SLICE_LIT("\xef\xbb\xbf")) ? slice_sub(text, 3, text.n) : text;
}

int facts_read_config(struct slice text, struct arena *a, struct facts_daemon *ret, struct err *err)
{
	CLEANUP(cJSON_Deletep) cJSON *doc = NULL;
	struct facts_out o = { .a = a };
	struct facts_daemon d = *ret;
	struct err e = { 0 };
	const cJSON *v;

	d.has_config = ret->has_config = true;
	text = without_mark(text);
	if (!slice_trim(text).n) { /* the engine takes an empty one for none */
		ret->is_config_bad = false;
		return 0;
	}
	int r = facts_json_object(text, &doc, &e);
	if (r < 0) {
		ret->is_config_bad = true;
		ret->config_error = facts_text(&o, slice_of(e.msg));
		return err_set(err, e.code, "%s", e.msg);
	}
	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		file_option(&o, &options[i], doc, &d);
	cJSON_ArrayForEach(v, facts_get(doc, "storage-opts")) if (cJSON_IsString(v))
		read_base_size(&o, slice_of(v->valuestring), &d);
	r = facts_done(&o, err);
	if (r < 0)
		return r;
	d.is_config_bad = false;
	*ret = d;
	return 0;
}

/* ---- the command line ---- */

/* "nofile=64:128", "nofile=64" */
static void argv_ulimit(struct facts_out *o, struct slice v, struct facts_daemon *d)
{
	struct slice name, soft, hard;
	uint64_t s, h;

	if (!slice_split(&v, '=', &name) || !slice_split(&v, ':', &soft))
		return;
	hard = v.p ? v : soft;
	bool is_soft = slice_to_u64(soft, &s) && s <= INT64_MAX, is_hard = slice_to_u64(hard, &h) && h <= INT64_MAX;
	const struct facts_ulimit row = { .name = facts_text(o, name),
					  .soft = is_soft ? (int64_t)s : -1,
					  .hard = is_hard ? (int64_t)h : -1 };
	add_ulimit(o, d, &row);
}

static void argv_value(struct facts_out *o, const struct option *p, struct slice v, struct facts_daemon *d)
{
	void *to = (char *)d + p->at;
	enum facts_tri tri;

	switch (p->kind) {
	case SWITCH:
		if (parse_bool(v, &tri))
			*(enum facts_tri *)to = tri;
		break;
	case TEXT:
		*(const char **)to = facts_text(o, v);
		break;
	case LIST:
		add_text(o, to, v);
		break;
	case ULIMITS:
		argv_ulimit(o, v, d);
		break;
	case SKIP:
	case SKIP_SWITCH:
		break;
	}
}

static const struct option *find_long(struct slice name)
{
	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		if (slice_is(name, options[i].key))
			return &options[i];
	return NULL;
}

static const struct option *find_letter(char c)
{
	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		if (options[i].letter && options[i].letter == c)
			return &options[i];
	return NULL;
}

static bool is_switch(const struct option *p)
{
	return p->kind == SWITCH || p->kind == SKIP_SWITCH;
}

/* The value in the next word, which is then used up. */
static struct slice next_word(const struct facts_texts *argv, size_t *i)
{
	return *i + 1 < argv->count ? slice_of(argv->v[++*i]) : SLICE_NONE;
}

static void read_long(struct facts_out *o, struct slice w, const struct facts_texts *argv, size_t *i,
		      struct facts_daemon *d)
{
	struct slice rest = w, name = SLICE_NONE;

	(void)slice_split(&rest, '=', &name);
	const struct option *p = find_long(name);
	if (slice_is(name, "storage-opt")) {
		read_base_size(o, rest.p ? rest : next_word(argv, i), d);
		return;
	}
	if (!p)
		return;
	struct slice v = rest.p ? rest : is_switch(p) ? SLICE_LIT("true") : next_word(argv, i);
	argv_value(o, p, v, d);
}

static void read_letters(struct facts_out *o, struct slice w, const struct facts_texts *argv, size_t *i,
			 struct facts_daemon *d)
{
	while (w.n) {
		const struct option *p = find_letter(w.p[0]);

		w = slice_sub(w, 1, w.n);
		if (!p)
			return;
		if (is_switch(p)) {
			/* -D=false */
			if (w.n && w.p[0] == '=') {
				argv_value(o, p, slice_sub(w, 1, w.n), d);
				return;
			}
			argv_value(o, p, SLICE_LIT("true"), d);
			continue;
		}
		if (w.n && w.p[0] == '=')
			w = slice_sub(w, 1, w.n);
		argv_value(o, p, w.n ? w : next_word(argv, i), d);
		return;
	}
}

void facts_read_argv(const struct facts_texts *argv, struct arena *a, struct facts_daemon *ret)
{
	struct facts_out o = { .a = a };

	for (size_t i = 1; i < argv->count; i++) {
		struct slice w = slice_of(argv->v[i]);

		if (slice_is(w, "--"))
			return;
		if (slice_starts(w, SLICE_LIT("--")))
			read_long(&o, slice_sub(w, 2, w.n), argv, &i, ret);
		else if (slice_starts(w, SLICE_LIT("-")))
			read_letters(&o, slice_sub(w, 1, w.n), argv, &i, ret);
	}
}
