/* health.c - what is open, and what becomes of it when a look finds it again, finds it no more, or finds something new. */
#include <errno.h>
#include <stdlib.h>

#include "collector/health/health_priv.h"
#include "common/log.h"

enum { LOOK_MS = 5000, WINDOW_MS = 30000, PAUSE_MS = 15000, SEVERAL = 10, SHOWN = 100, NAMED = 5 };
static const uint64_t ms_ns = 1000000;

static const struct kind {
	const char *name, *rule, *several;
	uint64_t hold_ms, clear_ms;
} kinds[HEALTH_KINDS] = {
#define HEALTH(id, name, rule, hold, clear, several) [HEALTH_##id] = { name, rule, several, hold, clear },
#include "collector/health/health.def"
#undef HEALTH
};

/* Something that was found, told or not yet. */
struct open_case {
	enum health_kind kind;
	enum msg_severity severity; /* as told */
	char subject[SUBJECT_BYTES], host[HOST_BYTES];
	int64_t alert; /* 0: waits for hold_ms */
	uint64_t since_unix_ns, found_boot_ns, well_boot_ns; /* well 0: it is still so */
};

struct health {
	struct store *store;
	const struct clock *clk;
	const struct health_config *cfg;
	const struct health_ops *ops;
	void *arg;
	struct open_case *open; /* owned, sorted as looks are */
	size_t count, room;
	struct founds found;
	struct prom_durations answers[2]; /* half a minute to a minute ago, and less */
	uint64_t turned_boot_ns, looked_boot_ns, silence_from_boot_ns, last_tick_boot_ns;
	uint64_t looks, failed, beyond;
};

static int order(enum health_kind ka, const char *a, enum health_kind kb, const char *b)
{
	int n = strcmp(kinds[ka].name, kinds[kb].name);

	return n ? n : strcmp(a, b);
}

static struct open_case *append(struct health *h)
{
	if (h->count == h->room) {
		size_t room = h->room ? h->room * 2 : 64;
		struct open_case *more = realloc(h->open, room * sizeof(*more));

		if (!more)
			return NULL;
		h->open = more;
		h->room = room;
	}
	h->open[h->count] = (struct open_case){ 0 };
	return &h->open[h->count++];
}

static int load_row(void *arg, const struct store_health *row)
{
	struct health *h = arg;

	for (size_t k = 0; k < HEALTH_KINDS; k++) {
		if (strcmp(kinds[k].name, row->what) != 0)
			continue;
		struct open_case *o = append(h);
		if (!o)
			return -ENOMEM;
		o->kind = (enum health_kind)k;
		o->severity = row->severity;
		o->alert = row->alert;
		o->since_unix_ns = row->since_unix_ns;
		slice_copy(slice_of(row->subject), o->subject, sizeof(o->subject));
		slice_copy(slice_of(row->host), o->host, sizeof(o->host));
	}
	return 0;
}

int health_new(struct store *s, const struct clock *clk, const struct health_config *cfg, const struct health_ops *ops, void *arg,
	       struct health **ret, struct err *err)
{
	CLEANUP(health_freep) struct health *h = calloc(1, sizeof(*h));

	if (!h)
		return err_set(err, ENOMEM, "health");
	h->store = s;
	h->clk = clk;
	h->cfg = cfg;
	h->ops = ops;
	h->arg = arg;
	h->silence_from_boot_ns = h->last_tick_boot_ns = clock_boot_ns(clk);
	int r = store_health_each(s, load_row, h, err);
	if (r < 0)
		return err_wrap(err, r, "health");
	*ret = take_ptr(h);
	return 0;
}

void health_free(struct health *h)
{
	if (!h)
		return;
	free(h->open);
	free(h->found.v);
	free(h);
}

/* ---- one look ---- */

static void open_new(struct health *h, struct open_case *o, const struct found *f, uint64_t boot)
{
	*o = (struct open_case){ .kind = f->kind, .since_unix_ns = clock_unix_ns(h->clk), .found_boot_ns = boot };
	memcpy(o->subject, f->subject, sizeof(o->subject));
}

/* The look's findings and what is open, both in order, become one list. What is found and not open joins it; what is open
 * and not found is well since now. */
static int join(struct health *h, bool may_judge_silence, uint64_t boot)
{
	size_t i = 0, k = 0, n = 0, room = h->count + h->found.count + 1;
	struct open_case *to = calloc(room, sizeof(*to));

	if (!to)
		return -ENOMEM;
	while (i < h->count || k < h->found.count) {
		const struct found *f = k < h->found.count ? &h->found.v[k] : NULL;
		const struct open_case *o = i < h->count ? &h->open[i] : NULL;
		int which = !f ? -1 : !o ? 1 : order(o->kind, o->subject, f->kind, f->subject);

		if (which > 0)
			open_new(h, &to[n], f, boot);
		else
			to[n] = h->open[i++];
		if (which >= 0) {
			to[n].well_boot_ns = 0;
			memcpy(to[n].host, f->host, sizeof(f->host));
			k++;
		} else if (!to[n].well_boot_ns && (may_judge_silence || to[n].kind != HEALTH_SILENT)) {
			to[n].well_boot_ns = boot;
		}
		n++;
	}
	free(h->open);
	h->open = to;
	h->count = n;
	h->room = room;
	return 0;
}

static const struct found *find(const struct health *h, const struct open_case *o)
{
	size_t low = 0, high = h->found.count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct found *f = &h->found.v[mid];
		int n = order(f->kind, f->subject, o->kind, o->subject);

		if (!n)
			return f;
		if (n < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

/* To be told now: new and held long enough, or worse than it was told. */
static bool is_due(const struct open_case *o, const struct found *f, uint64_t boot)
{
	if (o->well_boot_ns || !f)
		return false;
	if (o->alert)
		return f->severity > o->severity;
	return boot - o->found_boot_ns >= kinds[o->kind].hold_ms * ms_ns;
}

static int keep(struct health *h, const struct open_case *o, struct err *err)
{
	const struct store_health row = { .what = kinds[o->kind].name,
					  .subject = o->subject,
					  .host = o->host,
					  .since_unix_ns = o->since_unix_ns,
					  .severity = o->severity,
					  .alert = o->alert };

	return store_health_put(h->store, &row, err);
}

static int tell_one(struct health *h, struct open_case *o, const struct found *f, struct err *err)
{
	const struct health_case c = { kinds[o->kind].rule, f->host, f->title, f->detail, f->severity };
	int r = h->ops->on_case(h->arg, &c, &o->alert, err);

	if (r < 0)
		return r;
	o->severity = f->severity;
	return keep(h, o, err);
}

/* A site that is cut off is one thing to know, not a thousand. */
static int tell_several(struct health *h, enum health_kind kind, uint64_t boot, struct err *err)
{
	CLEANUP(buf_finip) struct buf hosts = { 0 };
	char title[TITLE_BYTES];
	enum msg_severity worst = SEVERITY_INFO;
	size_t n = 0;
	int64_t alert = 0;

	for (size_t i = 0; i < h->count; i++) {
		const struct open_case *o = &h->open[i];
		const struct found *f = o->kind == kind && !o->well_boot_ns ? find(h, o) : NULL;

		if (!f)
			continue;
		if (n < NAMED)
			buf_printf(&hosts, "%s%.40s", n ? ", " : "", o->host[0] ? o->host : o->subject);
		worst = f->severity > worst ? f->severity : worst;
		n++;
	}
	if (n > NAMED)
		buf_add_str(&hosts, " …");
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* a table of ours */
	snprintf(title, sizeof(title), kinds[kind].several, n, hosts.n ? hosts.p : "");
#pragma GCC diagnostic pop
	const struct health_case c = { kinds[kind].rule, "", title,
				       "Many at once have one cause: the network between them and here, a roll-out, or an attack. The list:"
				       " picketctl host list; picketctl status -o json",
				       worst };
	int r = h->ops->on_case(h->arg, &c, &alert, err);
	for (size_t i = 0; i < h->count && r >= 0; i++) {
		struct open_case *o = &h->open[i];
		const struct found *f = o->kind == kind ? find(h, o) : NULL;

		if (!is_due(o, f, boot))
			continue;
		o->alert = alert;
		o->severity = f->severity;
		r = keep(h, o, err);
	}
	return r;
}

static int tell(struct health *h, uint64_t boot, struct err *err)
{
	size_t due[HEALTH_KINDS] = { 0 };
	int r = 0;

	for (size_t i = 0; i < h->count; i++)
		due[h->open[i].kind] += is_due(&h->open[i], find(h, &h->open[i]), boot);
	for (size_t k = 0; k < HEALTH_KINDS && r >= 0; k++)
		if (due[k] > SEVERAL && kinds[k].several[0])
			r = tell_several(h, (enum health_kind)k, boot, err);
	for (size_t i = 0; i < h->count && r >= 0; i++) {
		struct open_case *o = &h->open[i];
		const struct found *f = find(h, o);

		if (is_due(o, f, boot))
			r = tell_one(h, o, f, err);
	}
	return r;
}

static bool is_over(const struct open_case *o, uint64_t boot)
{
	return o->well_boot_ns && (!o->alert || boot - o->well_boot_ns >= kinds[o->kind].clear_ms * ms_ns);
}

static int close_alert(struct health *h, int64_t alert, uint64_t boot, struct err *err)
{
	for (size_t i = 0; i < h->count; i++)
		if (h->open[i].alert == alert && !is_over(&h->open[i], boot))
			return 0; /* of another case too */
	return h->ops->on_closed(h->arg, alert, "it is well again", err);
}

/* What has been well for long enough. The rows go in this transaction, the list after it. */
static int close_cases(struct health *h, uint64_t boot, struct err *err)
{
	int64_t last = 0;
	int r = 0;

	for (size_t i = 0; i < h->count && r >= 0; i++) {
		const struct open_case *o = &h->open[i];

		if (!o->alert || !is_over(o, boot))
			continue;
		r = store_health_delete(h->store, kinds[o->kind].name, o->subject, err);
		if (r >= 0 && o->alert != last)
			r = close_alert(h, o->alert, boot, err);
		last = o->alert;
	}
	return r;
}

static void forget_closed(struct health *h, uint64_t boot)
{
	size_t n = 0;

	for (size_t i = 0; i < h->count; i++)
		if (!is_over(&h->open[i], boot))
			h->open[n++] = h->open[i];
	h->count = n;
}

static bool has_work(const struct health *h, uint64_t boot)
{
	for (size_t i = 0; i < h->count; i++)
		if (is_over(&h->open[i], boot) || is_due(&h->open[i], find(h, &h->open[i]), boot))
			return true;
	return false;
}

/* Where it fails nothing of it is kept: what was open stays as it was before, in memory too. */
static int settle(struct health *h, uint64_t boot, struct err *err)
{
	struct open_case *before = NULL;

	if (!has_work(h, boot))
		return 0;
	before = malloc((h->count + 1) * sizeof(*before));
	if (!before)
		return err_set(err, ENOMEM, "health");
	memcpy(before, h->open, h->count * sizeof(*before));
	int r = store_begin(h->store, err);
	if (r >= 0) {
		r = tell(h, boot, err);
		if (r >= 0)
			r = close_cases(h, boot, err);
		r = store_end(h->store, r, err);
	}
	if (r < 0)
		memcpy(h->open, before, h->count * sizeof(*before));
	free(before);
	if (r < 0)
		return r;
	forget_closed(h, boot);
	h->ops->on_committed(h->arg);
	return 0;
}

static int look(struct health *h, uint64_t boot, struct err *err)
{
	struct health_facts facts = { .free_bytes = UINT64_MAX };
	bool may_judge = boot - h->silence_from_boot_ns >= h->cfg->silent_ms * ms_ns;

	h->ops->on_facts(h->arg, &facts);
	int r = health_look(h->store, h->clk, h->cfg, &facts, &h->answers[0], may_judge, &h->found, err);
	if (r < 0)
		return r;
	if (facts.answers && boot - h->turned_boot_ns >= WINDOW_MS * ms_ns) {
		h->answers[0] = h->answers[1];
		h->answers[1] = *facts.answers;
		h->turned_boot_ns = boot;
	}
	h->looks++;
	h->beyond += h->found.beyond;
	if (join(h, may_judge, boot) < 0)
		return err_set(err, ENOMEM, "health");
	return settle(h, boot, err);
}

void health_tick(struct health *h)
{
	uint64_t boot = clock_boot_ns(h->clk);
	struct err err = { 0 };

	/* We stood still ourselves, or the machine did: who was silent meanwhile can't be told from who was not heard. */
	if (boot - h->last_tick_boot_ns >= PAUSE_MS * ms_ns)
		h->silence_from_boot_ns = boot;
	h->last_tick_boot_ns = boot;
	if (h->looked_boot_ns && boot - h->looked_boot_ns < LOOK_MS * ms_ns)
		return;
	h->looked_boot_ns = boot;
	if (look(h, boot, &err) >= 0)
		return;
	h->failed++;
	LOG(ERROR, "health.look", KV_STR("why", err.msg));
}

/* ---- what people see ---- */

void health_status(const struct health *h, struct json *j)
{
	size_t told = 0;

	json_kv_array(j, "health");
	for (size_t i = 0; i < h->count; i++) {
		const struct open_case *o = &h->open[i];

		if (!o->alert || told++ >= SHOWN)
			continue;
		json_object_open(j);
		json_kv_str(j, "what", kinds[o->kind].name);
		json_kv_str(j, "rule", kinds[o->kind].rule);
		json_kv_str(j, "host", o->host);
		json_kv_str(j, "severity", msg_severity_name(o->severity));
		json_kv_time(j, "since", o->since_unix_ns);
		json_kv_i64(j, "alert", o->alert);
		json_object_close(j);
	}
	json_array_close(j);
	json_kv_u64(j, "health_count", told);
}

void health_metrics(const struct health *h, struct buf *out)
{
	uint64_t n[HEALTH_KINDS] = { 0 };

	for (size_t i = 0; i < h->count; i++)
		n[h->open[i].kind] += h->open[i].alert != 0;
	prom_family(out, "picket_health_cases", PROM_GAUGE, "What is wrong now and has an alert, by kind.");
	for (size_t k = 0; k < HEALTH_KINDS; k++)
		prom_u64(out, "picket_health_cases", PROM_LABELS("what", kinds[k].name), n[k]);
	prom_one(out, "picket_health_looks_total", PROM_COUNTER, "How often the collector looked after its health.", h->looks);
	prom_one(out, "picket_health_failed_total", PROM_COUNTER, "Looks that could not be finished.", h->failed);
	prom_one(out, "picket_health_beyond_total", PROM_COUNTER, "Cases past the bound, not told.", h->beyond);
}
