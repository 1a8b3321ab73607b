/* notify_storm.c - how fast messages are made, and what happens when that is not enough.
 *
 *   calm:  each message takes a token (ten at once; then one each 6 s for people, each 0.5 s for programs, each
 *          0.1 s where a message holds one alert)
 *   storm: more groups wait for a token than the threshold, or more alerts came than messages of the threshold hold:
 *          nothing is told until the window ends, then one digest of everything; the next window is twice as long
 *   calm again: a window that brought no more than the threshold
 *
 * A digest is collected in slices: an outbox row that is not due yet takes parts from groups, each slice in a
 * transaction, so that a kill -9 neither loses nor doubles one. */
#include "collector/notify/notify_priv.h"

#include <errno.h>
#include <inttypes.h>

#include "common/log.h"
#include "common/text.h"
#include "common/tls.h"

enum { TOKENS = 10, SLICE_PARTS = 100, DIGEST_PARTS = 20000, SLICE_GROUPS = 200, LEAST_MOST = 4 };
enum { PEOPLE_DIGEST = 10, PROGRAM_DIGEST = 50 };
#define PEOPLE_TOKEN_NS (6 * NOTIFY_SECOND)
#define PROGRAM_TOKEN_NS (NOTIFY_SECOND / 2)
#define SINGLE_TOKEN_NS (NOTIFY_SECOND / 10)
#define PEOPLE_NEWS_NS (60 * NOTIFY_SECOND)
#define PROGRAM_NEWS_NS (10 * NOTIFY_SECOND)
#define PEOPLE_WINDOW_NS (30 * NOTIFY_SECOND)
#define PROGRAM_WINDOW_NS (5 * NOTIFY_SECOND)
#define LONGEST_WINDOW_NS (900 * NOTIFY_SECOND)

static uint64_t token_ns(const struct lane *l)
{
	if (notify_lane_is_people(l))
		return PEOPLE_TOKEN_NS;
	return notify_lane_most(l) == 1 ? SINGLE_TOKEN_NS : PROGRAM_TOKEN_NS;
}

static uint64_t news_window_ns(const struct lane *l)
{
	return notify_lane_is_people(l) ? PEOPLE_NEWS_NS : PROGRAM_NEWS_NS;
}

/* 0: never. A SIEM wants each line. */
static uint64_t threshold(const struct lane *l)
{
	if (l->route->digest)
		return l->route->digest;
	if (l->to->kind == NOTIFY_SYSLOG)
		return 0;
	return notify_lane_is_people(l) ? PEOPLE_DIGEST : PROGRAM_DIGEST;
}

/* ---- pace ---- */

static void count_tokens(struct lane *l, uint64_t now)
{
	uint64_t gone = now > l->counted_ns ? now - l->counted_ns : 0;
	uint64_t more = gone / (token_ns(l) / 1000);

	if (!l->counted_ns || more > TOKENS * 1000)
		more = TOKENS * 1000;
	if (!more)
		return;
	l->milli_tokens = l->milli_tokens + more > TOKENS * 1000 ? TOKENS * 1000 : l->milli_tokens + more;
	l->counted_ns = now;
}

bool notify_pace_take(struct lane *l, uint64_t now_ns)
{
	if (!threshold(l))
		return true;
	count_tokens(l, now_ns);
	if (l->milli_tokens < 1000)
		return false;
	l->milli_tokens -= 1000;
	return true;
}

uint64_t notify_pace_next(const struct lane *l, uint64_t now_ns)
{
	uint64_t missing = l->milli_tokens < 1000 ? 1000 - l->milli_tokens : 0;

	return now_ns + missing * (token_ns(l) / 1000) + 1000000;
}

static void turn_window(struct lane *l, uint64_t now)
{
	uint64_t window = news_window_ns(l);

	if (now - l->window_ns < window)
		return;
	l->news_before = now - l->window_ns < 2 * window ? l->news : 0;
	l->news = 0;
	l->window_ns = now;
}

int notify_pace_restore(struct notify *n, struct lane *l, struct err *err)
{
	uint64_t now = notify_now(n), window = 2 * news_window_ns(l);

	l->window_ns = now;
	return store_notify_count_pending(n->store, l->route->name, l->to->name, now > window ? now - window : 0, &l->news, err);
}

void notify_pace_news(struct lane *l, uint64_t now_ns)
{
	turn_window(l, now_ns);
	l->news++;
}

/* ---- storms ---- */

static int is_storm(struct notify *n, struct lane *l, uint64_t now, bool *ret, struct err *err)
{
	uint64_t limit = threshold(l);
	size_t most = notify_lane_most(l), due = 0;

	*ret = false;
	if (!limit)
		return 0;
	turn_window(l, now);
	if (l->news + l->news_before > limit * (most > LEAST_MOST ? most : LEAST_MOST)) {
		*ret = true;
		return 0;
	}
	/* Groups that got no token are due still; those whose receiver is away have a message on its way. */
	int r = store_notify_count_due(n->store, l->route->name, l->to->name, now, (size_t)limit + TOKENS + 1, &due, err);
	count_tokens(l, now);
	*ret = r >= 0 && due > limit + l->milli_tokens / 1000;
	return r;
}

struct slice_of_storm {
	int64_t groups[SLICE_GROUPS];
	bool is_held[SLICE_GROUPS];
	size_t group_count;
	struct store_member members[SLICE_PARTS];
	size_t member_count;
};

static int on_group(void *arg, const struct store_group *g)
{
	struct slice_of_storm *x = arg;

	x->is_held[x->group_count] = g->is_held;
	x->groups[x->group_count++] = g->id;
	return 0;
}

static int on_member(void *arg, const struct store_member *m)
{
	struct slice_of_storm *x = arg;

	x->members[x->member_count++] = *m;
	return 0;
}

/* The parts of one group, as far as there is room. */
static int collect_group(struct notify *n, struct lane *l, struct slice_of_storm *x, size_t g, int64_t message,
			 size_t *ret_left, struct err *err)
{
	struct store_part parts[SLICE_PARTS];
	size_t count = 0, most = *ret_left;
	uint64_t total;

	x->member_count = 0;
	int r = store_notify_pending(n->store, x->groups[g], most, on_member, x, err);
	for (size_t i = 0; i < x->member_count && r >= 0; i++) {
		enum member_verdict v;

		r = notify_member_judge(n, l, x->is_held[g], &x->members[i], &v, &parts[count], err);
		count += r >= 0 && v == MEMBER_TOLD;
	}
	if (r >= 0 && count)
		r = store_notify_collect(n->store, message, parts, count, &total, err);
	if (r >= 0 && x->member_count < most)
		r = store_notify_set_due(n->store, x->groups[g], 0, false, err);
	*ret_left = most - x->member_count;
	return r;
}

/* *ret_has_more: the slice is full. */
static int collect_slice(struct notify *n, struct lane *l, uint64_t now, int64_t message, bool *ret_has_more,
			 struct err *err)
{
	CLEANUP(freep) struct slice_of_storm *x = calloc(1, sizeof(*x));
	size_t left = SLICE_PARTS;

	if (!x)
		return err_set(err, ENOMEM, "notify");
	int r = store_notify_due_all(n->store, l->route->name, l->to->name, now, l->collected, SLICE_GROUPS,
				     on_group, x, err);
	for (size_t i = 0; i < x->group_count && left && r >= 0; i++) {
		r = collect_group(n, l, x, i, message, &left, err);
		if (left)
			l->collected = x->groups[i];
	}
	*ret_has_more = !left || x->group_count == SLICE_GROUPS;
	return r;
}

static int begin_digest(struct notify *n, const struct lane *l, uint64_t now, int64_t *ret, struct err *err)
{
	char text[400], key[65];
	uint8_t hash[32];

	snprintf(text, sizeof(text), "digest\n%.100s\n%.100s\n%" PRIu64, l->route->name, l->to->name, now);
	tls_sha256(slice_of(text), hash);
	text_hex(hash, sizeof(hash), key);
	key[32] = 0;
	struct store_outbox o = { .route = l->route->name,
				  .receiver = l->to->name,
				  .kind = "digest",
				  .group = "digest",
				  .key = key,
				  .body = "",
				  .thread = key,
				  .serial = 1,
				  .created_unix_ns = now };
	return store_notify_form(n->store, &o, NULL, 0, ret, err);
}

/* Everything is in it: it goes out, and calm may come back. */
static int end_digest(struct notify *n, struct lane *l, uint64_t now, int64_t message, uint64_t parts, struct err *err)
{
	static const char *const kinds[] = { [NOTIFY_WEBHOOK] = "webhook", [NOTIFY_MAIL] = "mail", [NOTIFY_SYSLOG] = "syslog" };
	CLEANUP(buf_finip) struct buf text = { 0 };
	uint64_t begun = clock_boot_ns(n->clk);
	int r;

	l->is_collecting = false;
	l->collected = 0;
	if (parts) {
		buf_init(&text, NOTIFY_MESSAGE_BYTES);
		r = notify_digest_text(n, l, message, now - l->storm_window_ns, &text, err);
		if (r >= 0)
			r = store_notify_close(n->store, message, kinds[l->to->kind], text.p, err);
		if (r >= 0)
			r = store_notify_digested(n->store, l->route->name, l->to->name, err);
		LOG(INFO, "notify.digest", KV_STR("route", l->route->name), KV_STR("receiver", l->to->name),
		    KV_U64("alerts", parts), KV_U64("us", (clock_boot_ns(n->clk) - begun) / 1000));
	} else {
		r = store_outbox_done(n->store, message, err);
	}
	if (parts > threshold(l)) {
		l->storm_window_ns = l->storm_window_ns * 2 > LONGEST_WINDOW_NS ? LONGEST_WINDOW_NS : l->storm_window_ns * 2;
		l->storm_due_ns = now + l->storm_window_ns;
	} else {
		l->storm_window_ns = 0;
	}
	l->news = l->news_before = 0;
	return r;
}

static int digest(struct notify *n, struct lane *l, uint64_t now, uint64_t *ret_next, struct err *err)
{
	uint64_t parts = 0;
	bool has_more = false;
	int64_t message = 0;

	int r = store_notify_open(n->store, l->route->name, l->to->name, &message, err);
	if (r >= 0 && !message)
		r = begin_digest(n, l, now, &message, err);
	if (r < 0)
		return r;
	l->is_collecting = true;
	r = collect_slice(n, l, now, message, &has_more, err);
	if (r >= 0)
		r = store_notify_collect(n->store, message, NULL, 0, &parts, err);
	if (r < 0)
		return r;
	if (has_more && parts < DIGEST_PARTS) {
		*ret_next = now; /* as soon as the loop has looked after the others */
		return 0;
	}
	r = end_digest(n, l, now, message, parts, err);
	*ret_next = l->storm_window_ns ? l->storm_due_ns : 0;
	return r;
}

int notify_storm(struct notify *n, struct lane *l, uint64_t now, uint64_t *ret_next, struct err *err)
{
	bool is_new = false;
	int r = 0;

	if (l->is_collecting && !l->storm_window_ns) { /* since before a restart */
		l->storm_window_ns = notify_lane_is_people(l) ? PEOPLE_WINDOW_NS : PROGRAM_WINDOW_NS;
		l->storm_due_ns = now;
	}
	if (!l->storm_window_ns) {
		r = is_storm(n, l, now, &is_new, err);
		if (r < 0 || !is_new)
			return r;
		l->storm_window_ns = notify_lane_is_people(l) ? PEOPLE_WINDOW_NS : PROGRAM_WINDOW_NS;
		l->storm_due_ns = now + l->storm_window_ns;
		LOG(WARN, "notify.storm", KV_STR("route", l->route->name), KV_STR("receiver", l->to->name),
		    KV_U64("digest_in_ms", l->storm_window_ns / 1000000));
	}
	if (now < l->storm_due_ns) {
		*ret_next = l->storm_due_ns;
		return 1;
	}
	r = digest(n, l, now, ret_next, err);
	return r < 0 ? r : 1;
}
