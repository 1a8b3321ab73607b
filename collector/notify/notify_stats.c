/* notify_stats.c - how each lane is doing, what is configured, test messages. */
#include "collector/notify/notify_priv.h"

#include <errno.h>
#include <inttypes.h>

static const char *kind_of(const struct receiver *to)
{
	static const char *const presets[] = { [NOTIFY_PICKET] = "webhook", [NOTIFY_SLACK] = "slack",
					       [NOTIFY_ALERTMANAGER] = "alertmanager", [NOTIFY_FALCO] = "falco",
					       [NOTIFY_TEAMS] = "teams", [NOTIFY_PAGERDUTY] = "pagerduty" };

	if (to->kind == NOTIFY_MAIL)
		return "mail";
	if (to->kind == NOTIFY_SYSLOG)
		return to->syslog->format == NOTIFY_CEF ? "cef" : "syslog";
	return to->body ? "template" : presets[to->webhook->preset];
}

int notify_lane_stats(struct notify *n, size_t i, struct notify_lane_stats *ret, struct err *err)
{
	const struct lane *l = &n->lanes[i];
	struct store_lane s;
	int r = store_notify_lane(n->store, l->route->name, l->to->name, &s, err);

	if (r < 0)
		return r;
	*ret = (struct notify_lane_stats){ .route = l->route->name,
					   .receiver = l->to->name,
					   .kind = kind_of(l->to),
					   .sent = s.sent,
					   .failures = s.failures,
					   .digests = s.digests,
					   .waiting = s.waiting,
					   .dead = s.dead,
					   .pending = s.pending,
					   .oldest_unix_ns = s.oldest_unix_ns,
					   .success_unix_ns = s.success_unix_ns,
					   .failure_unix_ns = s.failure_unix_ns,
					   .failing_since_unix_ns = l->failing_since_ns };
	/* After a restart: as it was left. */
	if (!ret->failing_since_unix_ns && s.failure_unix_ns > s.success_unix_ns && s.waiting)
		ret->failing_since_unix_ns = s.failure_unix_ns;
	memcpy(ret->error, s.error, sizeof(ret->error));
	return 0;
}

int notify_stats(struct notify *n, struct notify_stats *ret, struct err *err)
{
	int r = 0;

	*ret = (struct notify_stats){ .quiet = n->quiet, .skipped = n->skipped, .lane_count = n->lane_count };
	for (size_t i = 0; i < n->lane_count && r >= 0; i++) {
		struct store_lane s;

		r = store_notify_lane(n->store, n->lanes[i].route->name, n->lanes[i].to->name, &s, err);
		if (r < 0)
			break;
		ret->waiting += s.waiting;
		ret->dead += s.dead;
		ret->pending += s.pending;
		if (s.oldest_unix_ns && (!ret->oldest_unix_ns || s.oldest_unix_ns < ret->oldest_unix_ns))
			ret->oldest_unix_ns = s.oldest_unix_ns;
	}
	return r;
}

/* ---- what there is ---- */

static void describe_lane(struct json *j, const struct notify_lane_stats *s, const struct lane *l)
{
	json_object_open(j);
	json_kv_str(j, "route", s->route);
	json_kv_str(j, "receiver", s->receiver);
	json_kv_str(j, "kind", s->kind);
	json_kv_bool(j, "implicit", l->route->is_implicit);
	json_kv_str(j, "state", s->failing_since_unix_ns ? "failing" : s->success_unix_ns ? "ok" : "unused");
	json_kv_u64(j, "sent", s->sent);
	json_kv_u64(j, "failures", s->failures);
	json_kv_u64(j, "digests", s->digests);
	json_kv_u64(j, "waiting", s->waiting);
	json_kv_u64(j, "pending", s->pending);
	json_kv_u64(j, "dead", s->dead);
	json_kv_time(j, "oldest", s->oldest_unix_ns);
	json_kv_time(j, "last_success", s->success_unix_ns);
	json_kv_time(j, "last_failure", s->failure_unix_ns);
	json_kv_time(j, "failing_since", s->failing_since_unix_ns);
	json_kv_str(j, "last_error", s->error);
	json_kv_bool(j, "storm", l->storm_window_ns > 0);
	json_object_close(j);
}

int notify_describe(struct notify *n, struct json *j, struct err *err)
{
	int r = 0;

	json_kv_array(j, "items");
	for (size_t i = 0; i < n->lane_count && r >= 0; i++) {
		struct notify_lane_stats s;

		r = notify_lane_stats(n, i, &s, err);
		if (r >= 0)
			describe_lane(j, &s, &n->lanes[i]);
	}
	json_array_close(j);
	json_kv_str(j, "cursor", "");
	json_kv_array(j, "receivers");
	for (size_t i = 0; i < n->receiver_count; i++) {
		const struct receiver *to = &n->receivers[i];

		json_object_open(j);
		json_kv_str(j, "name", to->name);
		json_kv_str(j, "kind", kind_of(to));
		json_object_close(j);
	}
	json_array_close(j);
	json_kv_u64(j, "quiet", n->quiet);
	json_kv_u64(j, "skipped", n->skipped);
	return r;
}

/* ---- tests ---- */

static struct test_run *find_run(struct notify *n, uint64_t id)
{
	for (size_t i = 0; i < NOTIFY_TESTS && id; i++)
		if (n->tests[i].id == id)
			return &n->tests[i];
	return NULL;
}

static void add_target(struct test_run *t, struct receiver *to)
{
	for (size_t i = 0; i < t->count; i++)
		if (t->all[i].to == to)
			return;
	if (t->count < NOTIFY_TEST_LANES)
		t->all[t->count++].to = to;
}

int notify_test(struct notify *n, const char *name, uint64_t *ret, struct err *err)
{
	struct test_run *t = &n->tests[0];

	for (size_t i = 0; i < NOTIFY_TESTS; i++)
		if (n->tests[i].id < t->id)
			t = &n->tests[i];
	if (t->id && t->done < t->count)
		return err_set(err, EBUSY, "%d tests are under way", NOTIFY_TESTS);
	*t = (struct test_run){ .id = 0 };
	for (size_t i = 0; i < n->receiver_count; i++)
		if (!strcmp(n->receivers[i].name, name))
			add_target(t, &n->receivers[i]);
	for (size_t i = 0; i < n->lane_count; i++)
		if (!strcmp(n->lanes[i].route->name, name))
			add_target(t, n->lanes[i].to);
	if (!t->count)
		return err_set(err, ERR_NOT_FOUND, "no route or receiver '%.64s'", name);
	t->id = ++n->test_count;
	t->started_ns = notify_now(n);
	*ret = t->id;
	int r = 0;
	for (size_t i = 0; i < t->count && r >= 0; i++)
		r = notify_send_test(n, t, i, err);
	return r;
}

int notify_test_result(struct notify *n, uint64_t id, struct json *j, struct err *err)
{
	const struct test_run *t = find_run(n, id);

	if (!t)
		return err_set(err, ERR_NOT_FOUND, "no test %" PRIu64, id);
	json_kv_u64(j, "id", t->id);
	json_kv_bool(j, "done", t->done == t->count);
	json_kv_array(j, "results");
	for (size_t i = 0; i < t->count; i++) {
		json_object_open(j);
		json_kv_str(j, "receiver", t->all[i].to->name);
		json_kv_str(j, "kind", kind_of(t->all[i].to));
		json_kv_str(j, "result", !t->all[i].is_done ? "waiting" : t->all[i].is_ok ? "ok" : "failed");
		json_kv_str(j, "answer", t->all[i].answer);
		json_kv_u64(j, "took_ms", t->all[i].took_ms);
		json_object_close(j);
	}
	json_array_close(j);
	return 0;
}
