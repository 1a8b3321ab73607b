/* agent_status.c - what the agent says of itself: heartbeats, `status`, `status --hooks`. */
#include "agent/agent_priv.h"

#include <time.h>

#include "common/file.h"
#include "common/json.h"

static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

void agent_on_heartbeat(void *arg, struct uplink_heartbeat *hb)
{
	struct agent *a = arg;
	struct probe_stats ps;
	struct world_stats ws;
	struct uplink_stats us;

	probe_stats(a->probe, &ps);
	world_stats(a->world, &ws);
	uplink_stats(a->uplink, &us);
	for (size_t i = 0; i < UPLINK_CLASS_COUNT; i++)
		hb->lost[i] = ps.class[i].lost + ps.class[i].malformed + us.lost[i];
	hb->rss_bytes = file_own_rss_bytes();
	hb->cpu_ns = cpu_ns();
	hb->containers = (uint32_t)ws.containers;
	hb->processes = (uint32_t)ws.processes;
	hb->rules_version = rules_version(a->rules);
	for (size_t i = 0; i < ps.sensor_count && i < LIMIT_SENSORS; i++) {
		a->sensors[i] = (struct uplink_sensor){ .name = ps.sensors[i].name,
							.why_not = ps.sensors[i].why_not,
							.attached = ps.sensors[i].attached };
		hb->sensor_count = i + 1;
	}
	hb->sensors = a->sensors;
	hb->folded = fold_total(a->fold);
	hb->actions = a->actions;
	agent_policy_state(a, &hb->policy);
}

static const char *const response_modes[] = { [GUARD_OFF] = "off",
					      [GUARD_DRY_RUN] = "dry-run",
					      [GUARD_ENFORCE] = "enforce" };

/* How the last load went, and what is done about matches. */
static void write_rules(const struct agent *a, struct json *j)
{
	json_kv_object(j, "rules_load");
	json_kv_time(j, "time", a->reloaded_unix_ns);
	json_kv_str(j, "error", a->reload_error);
	json_kv_time(j, "error_time", a->reload_error[0] ? a->reload_failed_unix_ns : 0);
	json_kv_str(j, "matching", a->cfg->rule_matching == RULES_MATCH_FIRST ? "first" : "all");
	json_object_close(j);
	json_kv_object(j, "response");
	json_kv_str(j, "mode", response_modes[a->cfg->response_mode]);
	json_kv_u64(j, "rules", a->cfg->responses.count);
	json_kv_u64(j, "done", a->actions);
	json_kv_u64(j, "not_done", a->refused_actions);
	json_object_close(j);
}

static void write_hook(void *arg, const struct probe_hook *h)
{
	struct json *j = arg;

	json_object_open(j);
	json_kv_str(j, "name", h->name);
	json_kv_bool(j, "attached", h->attached);
	json_kv_str(j, "why_not", h->why_not);
	json_kv_u64(j, "seen", h->seen);
	json_kv_u64(j, "passed", h->passed);
	json_object_close(j);
}

static void write_classes(struct json *j, const struct probe_stats *ps)
{
	static const char *const names[EVC_COUNT] = { "process", "rare", "volume" };

	json_kv_object(j, "class");
	for (size_t i = 0; i < EVC_COUNT; i++) {
		json_kv_object(j, names[i]);
		json_kv_u64(j, "seen", ps->class[i].seen);
		json_kv_u64(j, "delivered", ps->class[i].delivered);
		json_kv_u64(j, "lost", ps->class[i].lost);
		json_object_close(j);
	}
	json_object_close(j);
}

/* Files of the host that are not written unseen: while every sensor is attached, and the filter is. */
static void write_watched(const struct agent *a, bool is_seeing, struct json *j)
{
	struct slice rest = buf_slice(&a->watched), line;

	json_key(j, "watched");
	json_array_open(j);
	while (is_seeing && slice_split(&rest, '\n', &line))
		if (line.n)
			json_str(j, line);
	json_array_close(j);
}

void agent_write_status(void *arg, struct json *j)
{
	struct agent *a = arg;
	struct probe_stats ps;
	struct world_stats ws;
	struct uplink_stats us;
	uint64_t seen = 0, lost = 0;
	bool sensing = true;

	probe_stats(a->probe, &ps);
	world_stats(a->world, &ws);
	uplink_stats(a->uplink, &us);
	for (size_t i = 0; i < EVC_COUNT; i++) {
		seen += ps.class[i].seen;
		lost += ps.class[i].lost;
	}
	for (size_t i = 0; i < ps.sensor_count; i++)
		sensing = sensing && ps.sensors[i].attached;
	json_kv_bool(j, "healthy", sensing && us.is_connected && !a->is_half);
	json_kv_str(j, "version", PICKET_VERSION);
	json_kv_str(j, "host", a->cfg->name);
	json_kv_u64(j, "rules", rules_count(a->rules));
	json_kv_str(j, "rules_version", rules_version(a->rules));
	write_rules(a, j);
	json_kv_u64(j, "rss_bytes", file_own_rss_bytes());
	json_kv_u64(j, "cpu_ns", cpu_ns());
	json_kv_object(j, "uplink");
	json_kv_bool(j, "connected", us.is_connected);
	json_kv_str(j, "url", a->url);
	json_kv_str(j, "why", us.why);
	json_kv_u64(j, "epoch", us.epoch);
	json_kv_u64(j, "produced", us.produced);
	json_kv_u64(j, "acked", us.acked);
	json_kv_u64(j, "spool_records", us.spool_records);
	json_kv_u64(j, "spool_bytes", us.spool_bytes);
	json_kv_u64(j, "lost", us.lost[0] + us.lost[1] + us.lost[2]);
	json_object_close(j);
	json_kv_object(j, "images");
	json_kv_bool(j, "enabled", a->live);
	if (a->live)
		live_write_status(a->live, j);
	json_object_close(j);
	agent_write_hash(a, j);
	json_kv_object(j, "policy");
	agent_write_policy(a, j);
	json_object_close(j);
	json_kv_object(j, "audit");
	json_kv_bool(j, "enabled", a->audit);
	write_watched(a, sensing && !a->is_half, j);
	if (a->audit)
		audit_live_write_status(a->audit, j);
	json_object_close(j);
	json_kv_object(j, "events");
	json_kv_u64(j, "seen", seen);
	json_kv_u64(j, "lost", lost);
	json_kv_u64(j, "matches", a->matches);
	write_classes(j, &ps);
	json_kv_u64(j, "folded", fold_total(a->fold));
	json_kv_u64(j, "unkept", a->unkept);
	json_object_close(j);
	json_kv_object(j, "world");
	json_kv_bool(j, "engine_configured", a->cfg->docker_socket[0]);
	json_kv_bool(j, "engine_connected", ws.engine_connected);
	json_kv_u64(j, "processes", ws.processes);
	json_kv_u64(j, "process_bytes", ws.process_bytes);
	json_kv_u64(j, "processes_evicted", ws.processes_evicted);
	json_kv_u64(j, "containers", ws.containers);
	json_object_close(j);
	json_kv_array(j, "sensors");
	for (size_t i = 0; i < ps.sensor_count; i++) {
		json_object_open(j);
		json_kv_str(j, "name", ps.sensors[i].name);
		json_kv_bool(j, "attached", ps.sensors[i].attached);
		json_kv_str(j, "why_not", ps.sensors[i].why_not);
		json_object_close(j);
	}
	json_array_close(j);
	json_kv_str(j, "mode", probe_mode_name(probe_mode_now(a->probe)));
	json_kv_array(j, "hooks");
	probe_hooks(a->probe, write_hook, j);
	json_array_close(j);
}

/* ---- the cost of hooks ---- */

static void keep_figures(void *arg, const struct probe_hook *h)
{
	struct agent *a = arg;

	if (a->measured_count == HOOKS_MAX)
		return;
	struct hook_figures *f = &a->measured[a->measured_count++];
	*f = (struct hook_figures){ .runs = h->runs, .run_ns = h->run_ns, .seen = h->seen, .passed = h->passed };
	slice_copy(slice_of(h->name), f->name, sizeof(f->name));
}

void agent_begin_hooks(void *arg)
{
	struct agent *a = arg;
	struct err err;

	a->measured_count = 0;
	if (!a->measured)
		a->measured = calloc(HOOKS_MAX, sizeof(*a->measured));
	if (probe_measure(a->probe, true, &err) < 0)
		LOG(INFO, "hooks.measure", KV_STR("why", err.msg));
	if (a->measured)
		probe_hooks(a->probe, keep_figures, a);
	a->measured_ns = clock_boot_ns(a->clk);
}

struct hooks_out {
	struct agent *agent;
	struct json *json;
	uint64_t ns, busy_ns;
};

static void write_cost(void *arg, const struct probe_hook *h)
{
	struct hooks_out *o = arg;
	struct json *j = o->json;
	struct hook_figures then = { .runs = h->runs, .run_ns = h->run_ns, .seen = h->seen, .passed = h->passed };

	for (size_t i = 0; i < o->agent->measured_count; i++)
		if (!strcmp(o->agent->measured[i].name, h->name) && o->agent->measured[i].runs <= h->runs)
			then = o->agent->measured[i];
	uint64_t runs = h->runs - then.runs, ns = h->run_ns - then.run_ns;
	o->busy_ns += ns;
	json_object_open(j);
	json_kv_str(j, "name", h->name);
	json_kv_str(j, "calls", h->calls);
	json_kv_bool(j, "attached", h->attached);
	json_kv_str(j, "why_not", h->why_not);
	json_kv_u64(j, "runs_per_second", o->ns ? runs * 1000000000 / o->ns : 0);
	json_kv_u64(j, "ns_per_run", runs ? ns / runs : 0);
	json_kv_u64(j, "cpu_ppm", o->ns ? ns * 1000000 / o->ns : 0);
	json_kv_u64(j, "seen", h->seen);
	json_kv_u64(j, "passed", h->passed);
	json_kv_u64(j, "seen_now", h->seen - then.seen);
	json_kv_u64(j, "passed_now", h->passed - then.passed);
	json_object_close(j);
}

void agent_write_hooks(void *arg, struct json *j)
{
	struct agent *a = arg;
	struct hooks_out o = { .agent = a, .json = j, .ns = clock_boot_ns(a->clk) - a->measured_ns };
	struct err err;

	json_kv_str(j, "mode", probe_mode_name(probe_mode_now(a->probe)));
	json_kv_u64(j, "measured_ns", o.ns);
	json_kv_array(j, "hooks");
	probe_hooks(a->probe, write_cost, &o);
	json_array_close(j);
	json_kv_u64(j, "cpu_ppm", o.ns ? o.busy_ns * 1000000 / o.ns : 0);
	if (probe_measure(a->probe, false, &err) < 0)
		LOG(INFO, "hooks.measure", KV_STR("why", err.msg));
	free(a->measured);
	a->measured = NULL;
	a->measured_count = 0;
}
