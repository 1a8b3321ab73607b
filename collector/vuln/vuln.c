/* vuln.c - see vuln.h. What there is to do, a slice at a time:
 *
 *   mark (what an import changed) -> match (packages due) -> scan (images, for policies) -> judge (vulnerabilities due)
 *        -> count (images)
 *
 * in this order, so that of a thousand new findings the urgent ones are told first. */
#include "collector/vuln/vuln_priv.h"

#include <errno.h>

#include "common/log.h"

const char vuln_matched_name[] = "images.matched_unix_s";

enum { TICK_MS = 1000, TIDY_EVERY_MS = 60 * 1000, COUNT_AT_ONCE = 4, MATCH_ARENA_BYTES = 16 << 20 };
static const uint64_t ms_ns = 1000000;

/* What policies ask. Without data nothing was matched, and nothing is said; with all done, all is as new as the data. */
static int scan_some(struct vuln *v, uint64_t until_boot_ns, struct err *err)
{
	uint64_t told, data;
	bool more = true;

	if (!v->data.db || v->data.is_marking)
		return 0;
	while (more && clock_boot_ns(v->clk) < until_boot_ns) {
		int r = store_image_scans_judge(v->store, COUNT_AT_ONCE, &more, err);

		if (r < 0)
			return r;
	}
	if (more)
		return 1;
	int r = data_refreshed(v, &data, err);
	if (r >= 0)
		r = store_number_get(v->store, vuln_matched_name, &told, err);
	return r < 0 || told == data ? r : store_number_set(v->store, vuln_matched_name, data, err);
}

/* 1: there is more to do. */
static int count_some(struct vuln *v, uint64_t until_boot_ns, struct err *err)
{
	bool more = true;

	while (more && clock_boot_ns(v->clk) < until_boot_ns) {
		int r = store_image_counts(v->store, COUNT_AT_ONCE, &more, err);

		if (r < 0)
			return r;
	}
	return more;
}

static int do_slice(struct vuln *v, struct err *err)
{
	static int (*const steps[])(struct vuln *v, uint64_t until, struct err *err) = { data_mark, match_some,
											 scan_some, judge_some, count_some };
	uint64_t until = clock_boot_ns(v->clk) + VULN_SLICE_MS * ms_ns;
	int r = store_begin(v->store, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_LEN(steps) && r == 0; i++)
		r = clock_boot_ns(v->clk) < until ? steps[i](v, until, err) : 1;
	r = store_end(v->store, r, err);
	if (r >= 0 && v->ops.on_committed)
		v->ops.on_committed(v->arg);
	return r;
}

static void on_work(void *arg)
{
	struct vuln *v = arg;
	struct err err = { 0 };

	int r = do_slice(v, &err);
	if (r < 0)
		LOG(ERROR, "vuln.work", KV_STR("why", err.msg));
	if (r > 0)
		vuln_kick(v); /* after a failure: with the next tick */
}

void vuln_kick(struct vuln *v)
{
	loop_timer_soon(v->work, 1);
}

/* ---- each second, each minute ---- */

static int tidy(struct vuln *v, struct err *err)
{
	const struct store_images_tidy how = { .gone_ns = v->cfg->gone_ms * ms_ns,
					       .quiet_ns = v->cfg->quiet_ms * ms_ns,
					       .keep_ns = v->cfg->keep_ms * ms_ns };
	uint64_t dropped = 0;
	int r = store_begin(v->store, err);

	if (r < 0)
		return r;
	r = store_images_tidy(v->store, &how, &dropped, err);
	if (r >= 0)
		r = store_acceptances_expire(v->store, err);
	if (r >= 0)
		r = data_check_age(v, err);
	if (r >= 0 && dropped)
		LOG(INFO, "vuln.dropped", KV_U64("images", dropped));
	r = store_end(v->store, r, err);
	if (r >= 0 && v->ops.on_committed)
		v->ops.on_committed(v->arg);
	return r;
}

/* Once a minute. */
static int tidy_in_time(struct vuln *v, struct err *err)
{
	uint64_t now = clock_boot_ns(v->clk);

	if (now - v->tidied_boot_ns < TIDY_EVERY_MS * ms_ns)
		return 0;
	v->tidied_boot_ns = now;
	return tidy(v, err);
}

static void on_tick(void *arg)
{
	struct vuln *v = arg;
	struct err err = { 0 };

	data_look(v);
	if (tidy_in_time(v, &err) < 0)
		LOG(ERROR, "vuln.tidy", KV_STR("why", err.msg));
	feeds_tick(v);
	vuln_kick(v);
}

int vuln_work_all(struct vuln *v, struct err *err)
{
	v->data.looked_boot_ns = 0;
	data_look(v);
	int r = tidy_in_time(v, err);
	if (r < 0)
		return r;
	do {
		r = do_slice(v, err);
	} while (r > 0);
	return r;
}

/* ---- status ---- */

static int on_db_feed(void *arg, const struct vulndb_feed *f)
{
	struct json *j = arg;

	json_object_open(j);
	json_kv_slice(j, "name", f->name);
	json_kv_u64(j, "records", f->records);
	json_kv_time(j, "imported", f->imported_unix_s * 1000000000);
	json_kv_slice(j, "data_date", f->data_date);
	json_object_close(j);
	return 0;
}

static int on_feed(void *arg, const struct store_feed *f)
{
	struct json *j = arg;

	json_object_open(j);
	json_kv_str(j, "name", f->name);
	json_kv_str(j, "url", f->url);
	json_kv_time(j, "tried", f->tried_unix_ns);
	json_kv_time(j, "succeeded", f->succeeded_unix_ns);
	json_kv_time(j, "changed", f->changed_unix_ns);
	json_kv_str(j, "error", f->error);
	json_object_close(j);
	return 0;
}

static void write_figures(struct vuln *v, struct json *j)
{
	struct store_vuln_status st;

	if (store_vuln_status(v->store, &st, NULL) < 0)
		return;
	json_kv_u64(j, "images", st.images_known);
	json_kv_u64(j, "images_running", st.images_running);
	json_kv_u64(j, "images_without_inventory", st.images - st.images_known);
	json_kv_u64(j, "images_dropped", st.images_dropped);
	json_kv_u64(j, "packages", st.packages);
	json_kv_u64(j, "vulnerabilities", st.vulns);
	json_kv_u64(j, "exploited_and_running", st.kev_running);
	json_kv_u64(j, "packages_to_match", st.packages_due);
	json_kv_u64(j, "vulnerabilities_to_judge", st.vulns_due);
}

void vuln_status(struct vuln *v, struct json *j)
{
	const struct data *d = &v->data;

	write_figures(v, j);
	json_key(j, "vulnerability_data");
	json_object_open(j);
	json_kv_bool(j, "usable", d->db != NULL);
	json_kv_str(j, "problem", d->why_not);
	json_kv_u64(j, "generation", d->info.generation);
	json_kv_u64(j, "records", d->info.records);
	json_kv_bool(j, "signed", d->info.is_signed);
	json_kv_bool(j, "updating", v->child > 0);
	json_key(j, "imports");
	json_array_open(j);
	if (d->db) {
		struct vulndb_info info;

		if (vulndb_status(d->db, &info, on_db_feed, j, NULL) < 0)
			LOG(WARN, "vuln.status", KV_STR("why", "the database can't be read now"));
	}
	json_array_close(j);
	json_object_close(j);
	json_key(j, "feeds");
	json_array_open(j);
	if (store_feeds_each(v->store, on_feed, j, NULL) < 0)
		LOG(WARN, "vuln.status", KV_STR("why", "the feeds can't be read now"));
	json_array_close(j);
}

/* ---- life ---- */

int vuln_new(struct loop *l, struct store *s, const struct clock *clk, const struct vuln_config *cfg,
	     const struct vuln_ops *ops, void *arg, struct vuln **ret, struct err *err)
{
	CLEANUP(vuln_freep) struct vuln *v = calloc(1, sizeof(*v));

	if (!v)
		return err_set(err, ENOMEM, "vulnerabilities");
	v->store = s;
	v->clk = clk;
	v->cfg = cfg;
	v->ops = *ops;
	v->arg = arg;
	v->loop = l;
	v->child_fd = -1;
	v->quota.at_once = VULN_PACKAGES_AT_ONCE;
	v->quota.per_hour = VULN_PACKAGES_PER_HOUR;
	v->match_limit = VULN_MATCH_MIN * 4;
	v->tidied_boot_ns = clock_boot_ns(clk);
	v->assemblies = assemblies_new();
	v->inventory_arena = arena_new(LIMIT_INVENTORY_ARENA_BYTES);
	v->match_arena = arena_new(MATCH_ARENA_BYTES);
	v->judge_arena = arena_new(VULN_JUDGE_ARENA_BYTES);
	v->work = loop_timer_new(l, on_work, v);
	v->tick = loop_timer_new(l, on_tick, v);
	if (!v->assemblies || !v->inventory_arena || !v->match_arena || !v->judge_arena || !v->work || !v->tick)
		return err_set(err, ENOMEM, "vulnerabilities");
	loop_timer_every(v->tick, TICK_MS);
	*ret = take_ptr(v);
	return 0;
}

void vuln_free(struct vuln *v)
{
	if (!v)
		return;
	feeds_fini(v);
	loop_timer_free(v->work);
	loop_timer_free(v->tick);
	data_fini(&v->data);
	assemblies_free(v->assemblies);
	arena_free(v->inventory_arena);
	arena_free(v->match_arena);
	arena_free(v->judge_arena);
	buf_fini(&v->unpacked);
	free(v);
}
