/* health_look.c - what is wrong now. Reads, judges, writes nothing. */
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "collector/health/health_priv.h"
#include "common/tls.h"

static const uint64_t ms_ns = 1000000, s_ns = 1000000000, day_ns = 86400ull * 1000000000;

struct look {
	struct founds *out;
	const struct health_config *cfg;
	uint64_t now;
	bool may_judge_silence;
};

static struct found *add(struct look *l, enum health_kind kind, enum msg_severity severity, const char *subject, const char *host)
{
	struct founds *f = l->out;

	if (f->count == CASES_MAX) {
		f->beyond++;
		return NULL;
	}
	if (f->count == f->room) {
		size_t room = f->room ? f->room * 2 : 64;
		struct found *more = realloc(f->v, room * sizeof(*more));

		if (!more) {
			f->beyond++;
			return NULL;
		}
		f->v = more;
		f->room = room;
	}
	struct found *x = &f->v[f->count++];
	*x = (struct found){ .kind = kind, .severity = severity };
	slice_copy(slice_of(subject), x->subject, sizeof(x->subject));
	slice_copy(slice_of(host), x->host, sizeof(x->host));
	return x;
}

/* "3 days", "4 h", "12 min", "45 s". */
static const char *ago(uint64_t ns, char dst[32])
{
	uint64_t s = ns / s_ns;

	if (s >= 2 * 86400)
		snprintf(dst, 32, "%" PRIu64 " days", s / 86400);
	else if (s >= 2 * 3600)
		snprintf(dst, 32, "%" PRIu64 " h", s / 3600);
	else if (s >= 120)
		snprintf(dst, 32, "%" PRIu64 " min", s / 60);
	else
		snprintf(dst, 32, "%" PRIu64 " s", s);
	return dst;
}

static const char *at(uint64_t unix_ns, char dst[40])
{
	time_t t = (time_t)(unix_ns / s_ns);
	struct tm tm;

	if (!gmtime_r(&t, &tm) || !strftime(dst, 40, "%Y-%m-%d %H:%M:%S UTC", &tm))
		snprintf(dst, 40, "?");
	return dst;
}

/* ---- agents ---- */

static uint64_t cert_warning_ns(const struct health_config *cfg)
{
	uint64_t third = cfg->cert_days * day_ns / 3, most = 30 * day_ns;

	return cfg->cert_days && third < most ? third : most;
}

static enum msg_severity cert_severity(uint64_t left, uint64_t warning)
{
	return left <= warning / 10 ? SEVERITY_HIGH : left <= warning / 2 ? SEVERITY_MEDIUM : SEVERITY_LOW;
}

static void judge_silence(struct look *l, const struct store_health_agent *a)
{
	uint64_t heard = a->last_seen_unix_ns > a->enrolled_unix_ns ? a->last_seen_unix_ns : a->enrolled_unix_ns;
	char t[32], when[40];

	if (!l->may_judge_silence || heard + l->cfg->silent_ms * ms_ns > l->now)
		return;
	struct found *f = add(l, HEALTH_SILENT, SEVERITY_HIGH, a->id, a->host);
	if (!f)
		return;
	snprintf(f->title, sizeof(f->title), "Nothing is heard of the agent on %.200s for %s", a->host, ago(l->now - heard, t));
	if (a->last_seen_unix_ns)
		snprintf(f->detail, sizeof(f->detail),
			 "Last heard of at %s. The host may be down, cut off, or somebody stopped its agent: look at it; `systemctl status"
			 " picket-agent` there says why. A host that is gone for good: picketctl host revoke %.200s",
			 at(a->last_seen_unix_ns, when), a->host);
	else
		snprintf(f->detail, sizeof(f->detail), "It enrolled at %s and was never heard of since: `picket-agent status` there says why.",
			 at(a->enrolled_unix_ns, when));
}

static void judge_spool(struct look *l, const struct store_health_agent *a)
{
	char t[32];

	if (!a->spool_oldest_unix_ns || a->spool_oldest_unix_ns + l->cfg->spool_ms * ms_ns > l->now)
		return;
	struct found *f = add(l, HEALTH_SPOOL, SEVERITY_MEDIUM, a->id, a->host);
	if (!f)
		return;
	snprintf(f->title, sizeof(f->title), "%.200s has %" PRIu64 " events that wait, the oldest for %s", a->host, a->spool_records,
		 ago(l->now - a->spool_oldest_unix_ns, t));
	snprintf(f->detail, sizeof(f->detail),
		 "They are safe on its disk until its spool is full; then the oldest of the lowest class go first, counted."
		 " What it tells is late: a slow line, a collector that is behind, or more events than either takes.");
}

static void judge_clock(struct look *l, const struct store_health_agent *a)
{
	uint64_t off = a->clock_ahead_ns < 0 ? 0 - (uint64_t)a->clock_ahead_ns : (uint64_t)a->clock_ahead_ns;
	char t[32];

	if (off < l->cfg->clock_off_ms * ms_ns || !a->last_seen_unix_ns)
		return;
	struct found *f = add(l, HEALTH_CLOCK, off > 300 * s_ns ? SEVERITY_HIGH : SEVERITY_MEDIUM, a->id, a->host);
	if (!f)
		return;
	snprintf(f->title, sizeof(f->title), "The clock of %.200s is %s %s", a->host, ago(off, t),
		 a->clock_ahead_ns < 0 ? "behind" : "ahead");
	snprintf(f->detail, sizeof(f->detail),
		 "Times of its events are off by as much, and certificates may be refused. One of the two clocks is wrong: look at"
		 " `timedatectl` on both machines.");
}

static void judge_ledger(struct look *l, const struct store_health_agent *a)
{
	uint64_t accounted = a->stored + a->lost + a->spool_records;

	if (a->produced <= accounted)
		return;
	struct found *f = add(l, HEALTH_LEDGER, SEVERITY_HIGH, a->id, a->host);
	if (!f)
		return;
	snprintf(f->title, sizeof(f->title), "%" PRIu64 " records of %.200s are neither stored, nor waiting, nor counted as lost",
		 a->produced - accounted, a->host);
	snprintf(f->detail, sizeof(f->detail),
		 "produced %" PRIu64 " = stored %" PRIu64 " + lost %" PRIu64 " + waiting %" PRIu64
		 " does not hold. Somebody may have taken records away at the agent, or it is a fault of picket's.",
		 a->produced, a->stored, a->lost, a->spool_records);
}

static void judge_agent_cert(struct look *l, const struct store_health_agent *a)
{
	uint64_t warning = cert_warning_ns(l->cfg), end = a->cert_not_after_unix_ns;
	char t[32], when[40];

	if (!end || end > l->now + warning)
		return;
	uint64_t left = end > l->now ? end - l->now : 0;
	struct found *f = add(l, HEALTH_AGENT_CERT, cert_severity(left, warning), a->id, a->host);
	if (!f)
		return;
	if (left)
		snprintf(f->title, sizeof(f->title), "The certificate of the agent on %.200s ends in %s", a->host, ago(left, t));
	else
		snprintf(f->title, sizeof(f->title), "The certificate of the agent on %.200s has ended", a->host);
	snprintf(f->detail, sizeof(f->detail),
		 "It ends at %s; the agent is refused after that. A new one: `picket-collector token create` here, `picket-agent enroll"
		 " --token …` there.",
		 at(end, when));
}

static int on_agent(void *arg, const struct store_health_agent *a)
{
	struct look *l = arg;

	judge_silence(l, a);
	judge_spool(l, a);
	judge_clock(l, a);
	judge_ledger(l, a);
	judge_agent_cert(l, a);
	return 0;
}

/* ---- the collector itself ---- */

static void judge_cert(struct look *l, struct slice pem, const char *subject, const char *name, const char *fix)
{
	struct tls_identity id;
	uint64_t warning = 30 * day_ns;
	char t[32], when[40];

	if (!pem.n || tls_cert_identity(pem, &id, NULL) < 0)
		return;
	uint64_t end = id.not_after_unix * s_ns, left = end > l->now ? end - l->now : 0;
	if (left > warning)
		return;
	struct found *f = add(l, HEALTH_CERT, cert_severity(left, warning), subject, "");
	if (!f)
		return;
	if (left)
		snprintf(f->title, sizeof(f->title), "The %s ends in %s", name, ago(left, t));
	else
		snprintf(f->title, sizeof(f->title), "The %s has ended", name);
	snprintf(f->detail, sizeof(f->detail), "It ends at %s. %s", at(end, when), fix);
}

static void judge_storage(struct look *l, uint64_t free_bytes)
{
	uint64_t reserve = l->cfg->reserve_bytes;

	if (!reserve || free_bytes >= 4 * reserve)
		return;
	enum msg_severity severity = free_bytes < reserve ? SEVERITY_CRITICAL : free_bytes < 2 * reserve ? SEVERITY_HIGH : SEVERITY_MEDIUM;
	struct found *f = add(l, HEALTH_STORAGE, severity, "", "");
	if (!f)
		return;
	snprintf(f->title, sizeof(f->title), "%" PRIu64 " MiB are free where the collector keeps its data%s", free_bytes >> 20,
		 free_bytes < reserve ? ": agents keep their events until there is more" : "");
	snprintf(f->detail, sizeof(f->detail),
		 "Below %" PRIu64 " MiB (history.reserve) no more events are taken; nothing is lost while agents have room. Keep fewer"
		 " days (history.days), or give it more disk.",
		 reserve >> 20);
}

/* Several, and one in a hundred: a single slow one of an idle night is nothing. */
static void judge_behind(struct look *l, const struct prom_durations *now, const struct prom_durations *before)
{
	enum { SEVERAL_SLOW = 5 };
	uint64_t slow = now ? prom_durations_over(now, before, l->cfg->behind_ms * ms_ns) : 0;
	uint64_t all = now ? now->total - before->total : 0;

	if (slow < SEVERAL_SLOW || slow * 100 < all)
		return;
	struct found *f = add(l, HEALTH_BEHIND, SEVERITY_HIGH, "", "");
	if (!f)
		return;
	snprintf(f->title, sizeof(f->title),
		 "The collector is behind: of the last %" PRIu64 " requests of agents %" PRIu64 " waited more than %" PRIu64 " ms for the answer",
		 all, slow, l->cfg->behind_ms);
	snprintf(f->detail, sizeof(f->detail),
		 "Nothing is lost while agents have room in their spools; alerts come late. A slow disk, too little CPU, or a flood:"
		 " `picketctl host list` says who sends most.");
}

/* Another error is another case, so that the alert says what is wrong now. */
static void judge_rules(struct look *l, const char *error)
{
	char subject[20];

	if (!error || !error[0])
		return;
	snprintf(subject, sizeof(subject), "%016" PRIx64, slice_hash(slice_of(error)));
	struct found *f = add(l, HEALTH_RULES, SEVERITY_HIGH, subject, "");
	if (!f)
		return;
	snprintf(f->title, sizeof(f->title), "A file of rules is wrong; those in force before go on");
	snprintf(f->detail, sizeof(f->detail), "%.500s", error);
}

static int on_route(void *arg, const struct store_health_route *r)
{
	struct look *l = arg;
	struct found *f;
	char t[32];

	if (r->oldest_unix_ns && r->oldest_unix_ns + l->cfg->delivery_ms * ms_ns <= l->now) {
		f = add(l, HEALTH_DELIVERY, SEVERITY_HIGH, r->receiver, "");
		if (f) {
			snprintf(f->title, sizeof(f->title), "%" PRIu64 " notifications wait for '%.80s', the oldest for %s", r->waiting,
				 r->receiver, ago(l->now - r->oldest_unix_ns, t));
			snprintf(f->detail, sizeof(f->detail), "The other side said: %.400s. They are tried again; `picketctl notify test %.80s`"
							       " tries at once.",
				 r->last_error, r->receiver);
		}
	}
	if (r->dead) {
		f = add(l, HEALTH_DEAD_LETTERS, SEVERITY_HIGH, r->receiver, "");
		if (f) {
			snprintf(f->title, sizeof(f->title), "%" PRIu64 " notifications for '%.80s' were given up", r->dead, r->receiver);
			snprintf(f->detail, sizeof(f->detail), "The other side said: %.400s. When it is mended: `picketctl notify resend --all`.",
				 r->last_error);
		}
	}
	return 0;
}

/* ---- all of it ---- */

static const char *const names[] = {
#define HEALTH(id, name, ...) name,
#include "collector/health/health.def"
#undef HEALTH
};

static int by_name(const void *a, const void *b)
{
	const struct found *x = a, *y = b;
	int order = strcmp(names[x->kind], names[y->kind]);

	return order ? order : strcmp(x->subject, y->subject);
}

int health_look(struct store *s, const struct clock *clk, const struct health_config *cfg, const struct health_facts *facts,
		const struct prom_durations *before, bool may_judge_silence, struct founds *ret, struct err *err)
{
	uint64_t now = clock_unix_ns(clk);
	struct look l = { .out = ret, .cfg = cfg, .now = now, .may_judge_silence = may_judge_silence };
	const struct store_health_limits limits = {
		.heard_before_unix_ns = may_judge_silence && now > cfg->silent_ms * ms_ns ? now - cfg->silent_ms * ms_ns + 1 : 0,
		.spool_before_unix_ns = now > cfg->spool_ms * ms_ns ? now - cfg->spool_ms * ms_ns + 1 : 0,
		.cert_before_unix_ns = now + cert_warning_ns(cfg) + 1,
		.clock_off_ns = cfg->clock_off_ms * ms_ns - 1,
	};

	ret->count = 0;
	ret->beyond = 0;
	int r = store_health_agents(s, &limits, on_agent, &l, err);
	if (r >= 0)
		r = store_health_routes(s, on_route, &l, err);
	if (r < 0)
		return r;
	judge_cert(&l, cfg->cert_pem, "collector", "collector's own certificate",
		   "Agents and people refuse the collector after that. Make a new one from the same CA, put it where tls.cert says, restart.");
	judge_cert(&l, cfg->ca_pem, "ca", "certificate of the fleet's CA",
		   "Every agent is refused after that, and no new one can enrol.");
	judge_storage(&l, facts->free_bytes);
	judge_behind(&l, facts->answers, before);
	judge_rules(&l, facts->rules_error);
	if (ret->count)
		qsort(ret->v, ret->count, sizeof(*ret->v), by_name);
	return 0;
}
