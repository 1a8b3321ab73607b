/* agent_rules.c - the set of rules: loaded, put in place with all that follows from it, loaded again. */
#include "agent/agent_priv.h"

#include <errno.h>

#include "agent/rule_files.h"
#include "common/text.h"

enum { NAMES_MAX = 1024 };

static const char *const fallback[] = { "/etc/picket/rules.d" };

static size_t rule_paths(const struct agent *a, const char *const **ret)
{
	const struct conf_list *own = &a->cfg->rules;

	*ret = own->count ? (const char *const *)own->items : fallback;
	return own->count ? own->count : ARRAY_LEN(fallback);
}

/* ---- responses name rules ---- */

struct nearest {
	struct slice name;
	const char *best;
	unsigned distance;
};

static void look_near(void *arg, const struct rules_info *i)
{
	struct nearest *n = arg;
	unsigned d = text_distance(n->name, slice_of(i->name));

	if (d < n->distance) {
		n->distance = d;
		n->best = i->name;
	}
}

/* A response to a rule that is not there would never be: said at the start as an error, later (rules
 * come and go with their files) as a warning. */
static int check_responses(const struct agent *a, const struct rules *r, bool is_start, struct err *err)
{
	const struct agent_response *all = a->cfg->responses.items;

	for (size_t i = 0; a->cfg->response_mode != GUARD_OFF && i < a->cfg->responses.count; i++) {
		struct nearest near = { .name = slice_of(all[i].rule), .distance = UINT32_MAX };
		struct err why;

		if (rules_has(r, all[i].rule))
			continue;
		rules_each(r, look_near, &near);
		bool is_near = near.best && near.distance <= 1 + near.name.n / 3;
		int e = err_set(&why, ERR_SYNTAX, "response.rules: no rule is called '%s'%s%s%s", all[i].rule,
				is_near ? "; did you mean '" : "", is_near ? near.best : "", is_near ? "'?" : "");
		if (is_start) {
			if (err)
				*err = why;
			return e;
		}
		LOG(WARN, "response.rule", KV_STR("why", why.msg));
	}
	return 0;
}

/* ---- loading ---- */

static int load(struct agent *a, bool is_start, struct rules **ret, struct err *err)
{
	CLEANUP(rules_freep) struct rules *fresh = NULL;
	CLEANUP(rule_files_fini) struct rule_files files = { 0 };
	struct rules_report report = { 0 };
	const char *const *paths;
	size_t count = rule_paths(a, &paths);

	int r = rule_files_find(paths, count, &files, err);
	if (r >= 0)
		r = rules_load((const char *const *)files.paths, files.count, &fresh, &report, err);
	for (size_t i = 0; i < report.count; i++)
		if (!report.messages[i].is_error)
			LOG(WARN, "rules.warning", KV_STR("file", report.messages[i].file),
			    KV_U64("line", report.messages[i].line), KV_STR("what", report.messages[i].text));
	rules_report_fini(&report);
	if (r >= 0)
		r = check_responses(a, fresh, is_start, err);
	if (r < 0)
		return r;
	rules_set_matching(fresh, (enum rules_matching)a->cfg->rule_matching);
	if (!rules_count(fresh))
		LOG(WARN, "rules.none", KV_STR("why", "no rule is enabled: nothing can raise an alert"),
		    KV_STR("from", paths[0]));
	LOG(INFO, "rules.loaded", KV_U64("files", files.count), KV_U64("rules", rules_count(fresh)),
	    KV_STR("version", rules_version(fresh)));
	*ret = take_ptr(fresh);
	return 0;
}

int agent_load_rules(struct agent *a, struct err *err)
{
	return load(a, true, &a->rules, err);
}

/* ---- what follows ---- */

struct kill_rows {
	const struct rules *rules;
	struct filter *filter;
	struct err *err;
	int result;
};

static void add_kill(void *arg, const char *rule)
{
	struct kill_rows *k = arg;

	if (k->result < 0)
		return;
	int r = rules_filter_kill(k->rules, rule, k->filter, k->err);
	/* Not said in the kernel's terms: user space kills, a moment later. */
	if (r <= 0)
		LOG(INFO, "guard.kill", KV_STR("rule", rule), KV_STR("by", "user space"),
		    KV_STR("why", r < 0 && k->err ? k->err->msg : "its condition asks more than the kernel's side can"));
}

static int keep_kill_rules(struct agent *a, const struct filter *f, struct err *err)
{
	char *names[FILTER_KILLS_MAX] = { 0 };

	for (size_t i = 0; i < f->kill_count; i++) {
		names[i] = strdup(f->kills[i].rule);
		if (names[i])
			continue;
		while (i)
			free(names[--i]);
		return err_set(err, ENOMEM, "rules");
	}
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		free(a->kill_rules[i]);
		a->kill_rules[i] = names[i];
	}
	return 0;
}

static int set_filter(struct agent *a, const struct rules *r, struct err *err)
{
	CLEANUP(filter_fini) struct filter f = { 0 };
	struct kill_rows rows = { .rules = r, .filter = &f, .err = err };

	int e = rules_filter(r, &f, err);
	if (e < 0)
		return err_wrap(err, e, "filter of the rules");
	guard_each_kill(a->guard, add_kill, &rows);
	probe_drain(a->probe); /* kills already told name rows of the old filter */
	e = probe_set_filter(a->probe, &f, err);
	if (e < 0)
		return err_wrap(err, e, "filter in the kernel");
	buf_reset(&a->watched);
	watched_paths(&f, &a->watched);
	memset(a->told, 0, sizeof(a->told));
	return keep_kill_rules(a, &f, err);
}

struct names {
	const char *all[NAMES_MAX];
	size_t count;
};

static void add_name(void *arg, const char *name)
{
	struct names *n = arg;

	if (n->count < NAMES_MAX)
		n->all[n->count++] = name;
}

/* Without names rules that compare them can't match; everything else goes on. */
static void watch_names(struct agent *a, const struct rules *r)
{
	struct names *n = calloc(1, sizeof(*n));
	struct err err;

	if (!n)
		return;
	rules_each_host_name(r, add_name, n);
	if (world_watch_names(a->world, n->all, n->count, &err) < 0)
		LOG(WARN, "rules.names", KV_STR("why", err.msg));
	free(n);
}

static int apply(struct agent *a, const struct rules *r, struct err *err)
{
	int e = set_filter(a, r, err);

	if (e < 0)
		return e;
	watch_names(a, r);
	a->wants_fork = rules_wants(r, "clone") || rules_wants_all(r);
	a->wants_exit = rules_wants(r, "procexit") || rules_wants_all(r);
	a->reloaded_unix_ns = clock_unix_ns(a->clk);
	a->reload_error[0] = 0;
	a->is_half = false;
	return 0;
}

int agent_apply_rules(struct agent *a, struct err *err)
{
	return apply(a, a->rules, err);
}

void agent_watch_rules(struct agent *a)
{
	const char *const *paths;
	size_t count = rule_paths(a, &paths);
	struct err err;

	if (a->watch && watch_set(a->watch, paths, count, &err) < 0)
		LOG(WARN, "rules.watch", KV_STR("why", err.msg), KV_STR("instead", "SIGHUP loads them again"));
}

int agent_reload(struct agent *a, struct err *err)
{
	CLEANUP(rules_freep) struct rules *fresh = NULL;
	struct err why;

	int r = load(a, false, &fresh, &why);
	if (r >= 0)
		r = apply(a, fresh, &why);
	agent_watch_rules(a); /* a folder may have been made or replaced */
	if (r < 0) {
		slice_copy(slice_of(why.msg), a->reload_error, sizeof(a->reload_error));
		a->reload_failed_unix_ns = clock_unix_ns(a->clk);
		if (err)
			*err = why;
		return r;
	}
	struct rules *old = a->rules;
	a->rules = take_ptr(fresh);
	rules_free(old);
	if (a->event_log)
		event_log_set_rules(a->event_log, a->rules);
	return 0;
}

void agent_reload_logged(struct agent *a)
{
	struct err err;

	if (agent_reload(a, &err) < 0)
		LOG(ERROR, "rules.refused", KV_STR("why", err.msg), KV_STR("instead", "the old rules stay"));
}

void agent_on_rules_changed(void *arg)
{
	agent_reload_logged(arg);
}
