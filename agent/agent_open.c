/* agent_open.c - the agent's start and end. */
#include "agent/agent_priv.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/utsname.h>

#include "agent/trim.h"
#include "common/file.h"
#include "common/json.h"

enum {
	SCRATCH_BYTES = 1024 * 1024,
	RESOLVED_BYTES = 256 * 1024,
	MAX_HELD = 1024,
	MAX_HELD_BYTES = 4 * 1024 * 1024,
	MAX_FOLDED = 1024,
	PATH_BYTES = 4096,
	ENGINE_CONNECTIONS = 6,
};

#define RECORD_MAX_BYTES (256ull * 1024 * 1024)

static void on_state(void *arg, bool is_connected, const char *why)
{
	struct agent *a = arg;

	if (is_connected && a->live)
		live_connected(a->live);
	if (is_connected && a->audit)
		audit_live_connected(a->audit);
	if (is_connected)
		LOG(INFO, "uplink.connected", KV_STR("collector", a->url));
	else
		LOG(WARN, "uplink.lost", KV_STR("collector", a->url), KV_STR("why", why));
}

static void read_word(const char *path, char *dst, size_t size)
{
	CLEANUP(buf_finip) struct buf b = { 0 };

	dst[0] = 0;
	if (file_read(path, 4096, &b, NULL) >= 0)
		slice_copy(slice_trim(buf_slice(&b)), dst, size);
}

static int enrolment_path(const char *state_dir, char path[PATH_BYTES])
{
	return snprintf(path, PATH_BYTES, "%s/collector.json", state_dir);
}

int agent_enrolment_write(const char *state_dir, const char *url, const char *server_name, struct err *err)
{
	CLEANUP(buf_finip) struct buf out = { 0 };
	char path[PATH_BYTES];
	struct json j;

	buf_init(&out, 4096);
	json_init(&j, &out);
	json_object_open(&j);
	json_kv_str(&j, "url", url);
	json_kv_str(&j, "server_name", server_name);
	json_object_close(&j);
	enrolment_path(state_dir, path);
	return file_write_atomic(path, buf_slice(&out), 0600, err);
}

/* The configuration's address, else the enrolment's. */
static int find_collector(struct agent *a, struct err *err)
{
	CLEANUP(buf_finip) struct buf text = { 0 };
	CLEANUP(cJSON_Deletep) cJSON *doc = NULL;
	char path[PATH_BYTES];

	enrolment_path(a->cfg->state_dir, path);
	if (file_read(path, 4096, &text, err) < 0 || json_parse(buf_slice(&text), 4096, &doc, err) < 0) {
		if (!a->cfg->url[0])
			return err_wrap(err, -ENOENT,
					"this host is not enrolled: run `picket-agent enroll --token TOKEN`");
	}
	a->url = a->cfg->url[0] ? conf_strdup(a->cfg->url) : slice_dup(json_get_str(doc, "url"));
	a->server_name = a->cfg->server_name[0] ? conf_strdup(a->cfg->server_name)
						: slice_dup(json_get_str(doc, "server_name"));
	return a->url && a->server_name ? 0 : err_set(err, ENOMEM, "collector's address");
}

static int open_uplink(struct agent *a, struct loop *l, struct err *err)
{
	static const struct uplink_ops ops = { .on_heartbeat = agent_on_heartbeat,
					       .on_loss = agent_on_loss,
					       .on_policy = agent_on_policy,
					       .on_state = on_state };
	struct utsname u;

	uname(&u);
	snprintf(a->kernel, sizeof(a->kernel), "%s %s", u.release, u.machine);
	read_word("/etc/machine-id", a->machine_id, sizeof(a->machine_id));
	read_word("/proc/sys/kernel/random/boot_id", a->boot_id, sizeof(a->boot_id));
	int r = find_collector(a, err);
	if (r < 0)
		return r;
	struct uplink_config cfg = { .state_dir = a->cfg->state_dir,
				     .url = a->url,
				     .server_name = a->server_name,
				     .spool_max_bytes = a->cfg->spool_max_bytes,
				     .flush_ms = a->cfg->flush_ms,
				     .sync_ms = a->cfg->sync_ms,
				     .heartbeat_ms = a->cfg->heartbeat_ms,
				     .hostname = a->cfg->name,
				     .agent_version = PICKET_VERSION,
				     .kernel = a->kernel,
				     .machine_id = a->machine_id,
				     .boot_id = a->boot_id };
	return uplink_new(l, a->clk, &cfg, &ops, a, &a->uplink, err);
}

static void on_inspected(void *arg, const struct container *c, struct slice body)
{
	agent_on_inspected(arg, c, body);
	agent_network_inspected(arg, c, body);
}

static int open_world(struct agent *a, struct loop *l, struct err *err)
{
	static const struct world_ops ops = { .on_container = agent_on_container,
					      .on_images = agent_on_images,
					      .on_engine = agent_on_engine,
					      .on_inspected = on_inspected };
	struct world_config cfg = { .max_processes = a->cfg->max_processes,
				    .docker_socket = a->cfg->docker_socket,
				    .proc_root = "/proc" };

	int r = fetch_pool_new(l, ENGINE_CONNECTIONS, &a->fetch, err);
	if (r >= 0)
		r = world_new(l, a->fetch, a->clk, &cfg, &ops, a, &a->world, err);
	return r;
}

/* What happens to a match: waiting for a name, folding, responses. */
static int open_judging(struct agent *a, struct loop *l, struct err *err)
{
	const struct agent_response *responses = a->cfg->responses.items;
	size_t count = a->cfg->responses.count;
	CLEANUP(freep) struct guard_rule *rules = calloc(count + 1, sizeof(*rules));
	struct guard_config cfg = { .mode = (enum guard_mode)a->cfg->response_mode,
				    .rules = rules,
				    .rule_count = count,
				    .docker_socket = a->cfg->docker_socket,
				    .max_per_minute = a->cfg->response_max_per_minute };

	if (!rules)
		return err_set(err, ENOMEM, "responses");
	for (size_t i = 0; i < count; i++)
		rules[i] = (struct guard_rule){ responses[i].rule, (enum guard_action)responses[i].action };
	int r = hold_new(MAX_HELD, MAX_HELD_BYTES, agent_judge, a, &a->hold, err);
	if (r >= 0)
		r = fold_new(MAX_FOLDED, (unsigned)a->cfg->fold_burst, a->cfg->fold_window_ms * 1000000,
			     agent_on_folded, a, &a->fold, err);
	if (r >= 0)
		r = guard_new(l, a->fetch, a->clk, &cfg, agent_on_action, a, &a->guard, err);
	if (r < 0)
		return r;
	a->hold_timer = loop_timer_new(l, agent_on_hold_tick, a);
	a->tick_timer = loop_timer_new(l, agent_on_tick, a);
	if (!a->hold_timer || !a->tick_timer)
		return err_set(err, ENOMEM, "timer");
	loop_timer_every(a->tick_timer, TICK_MS);
	return 0;
}

static void seed(void *arg, const struct event_process *p)
{
	struct agent *a = arg;

	world_seed(a->world, p);
	const struct container *c = world_container(a->world, p);
	if (!c)
		return;
	stats_cgroup(a->stats, p->cgroup_id, c->id);
	agent_network_process(a, c, p);
}

static int open_probe(struct agent *a, struct loop *l, struct err *err)
{
	static const struct probe_ops ops = { .on_event = agent_on_event };
	struct probe_config cfg = { .own_pid = (uint32_t)getpid(),
				    .ring_bytes = { [EVC_PROCESS] = (uint32_t)a->cfg->ring_bytes,
						    [EVC_RARE] = (uint32_t)a->cfg->rare_ring_bytes,
						    [EVC_VOLUME] = (uint32_t)a->cfg->volume_ring_bytes },
				    .with_fork = true,
				    .mode = (enum probe_mode)a->cfg->probe_mode };
	struct err seed_err;

	int r = probe_new(l, a->clk, &cfg, &ops, a, &a->probe, err);
	if (r < 0)
		return err_wrap(err, r, "probe");
	if (probe_seed(a->probe, seed, a, &seed_err) < 0) {
		LOG(INFO, "agent.seed", KV_STR("from", "/proc"), KV_STR("why", seed_err.msg));
		if (world_seed_proc(a->world, &seed_err) < 0)
			LOG(WARN, "agent.seed", KV_STR("why", seed_err.msg));
	}
	/* Loading is the peak of memory: what was needed for what came before it goes first. */
	(void)trim_start_pages(&seed_err);
	/* Execs are seen all the same, so better half an agent than none; status says what is missing. */
	if (agent_apply_rules(a, &seed_err) < 0) {
		slice_copy(slice_of(seed_err.msg), a->reload_error, sizeof(a->reload_error));
		a->reload_failed_unix_ns = clock_unix_ns(a->clk);
		a->is_half = true;
		LOG(ERROR, "rules.half", KV_STR("why", seed_err.msg),
		    KV_STR("instead", "only programs that start and end are seen"));
	}
	return 0;
}

static void on_live_answer(void *arg, const Picket__Reply *reply)
{
	struct agent *a = arg;

	if (a->live)
		live_answer(a->live, reply);
}

static int ask_collector(void *arg, Picket__Request *m, struct err *err)
{
	struct agent *a = arg;

	return uplink_ask(a->uplink, m, on_live_answer, a, err);
}

static int open_images(struct agent *a, struct loop *l, struct err *err)
{
	static const struct live_ops ops = { .ask = ask_collector, .stocked = agent_on_stocked };
	struct live_config cfg = { .state_dir = a->cfg->state_dir,
				   .docker_socket = a->cfg->docker_socket,
				   .proc_root = "/proc",
				   .all_every_ms = a->cfg->images_all_ms,
				   .update_every_ms = a->cfg->images_update_ms,
				   .cache_max_bytes = a->cfg->images_cache_bytes,
				   .registry_ca = a->cfg->images_registry_ca,
				   .docker_config = a->cfg->images_docker_config };

	if (!a->cfg->docker_socket[0] || !a->cfg->images_enabled)
		return 0;
	return live_new(l, a->fetch, a->clk, &cfg, &ops, a, &a->live, err);
}

static int open_record(struct agent *a, struct err *err)
{
	if (!a->cfg->record_path)
		return 0;
	int r = event_log_open(a->cfg->record_path, RECORD_MAX_BYTES, &a->event_log, err);
	if (r >= 0)
		event_log_set_rules(a->event_log, a->rules);
	return r;
}

/* For those who look at the running agent, and for edited rules. */
static int open_watching(struct agent *a, struct loop *l, struct err *err)
{
	static const struct hooks_ops hooks = { .begin = agent_begin_hooks, .write = agent_write_hooks };
	struct err why;

	if (watch_new(l, agent_on_rules_changed, a, &a->watch, &why) < 0)
		LOG(WARN, "rules.watch", KV_STR("why", why.msg), KV_STR("instead", "SIGHUP loads them again"));
	agent_watch_rules(a);
	int r = status_server_new(l, a->cfg->run_dir, agent_write_status, a, &a->status, err);
	if (r >= 0)
		r = hooks_server_new(l, a->cfg->run_dir, &hooks, a, &a->hooks, err);
	return r;
}

int agent_new(struct loop *l, const struct clock *clk, const struct agent_config *cfg, struct agent **ret,
	      struct err *err)
{
	CLEANUP(agent_freep) struct agent *a = calloc(1, sizeof(*a));

	if (!a)
		return err_set(err, ENOMEM, "agent");
	a->cfg = cfg;
	a->clk = clk;
	a->own_pid = (uint32_t)getpid();
	a->admission_fd = -1;
	buf_init(&a->out, LIMIT_RECORD_BYTES + 4096);
	buf_init(&a->watched, WATCHED_BYTES + 1);
	a->scratch = arena_new(SCRATCH_BYTES);
	a->resolved = arena_new(RESOLVED_BYTES);
	a->configs = configs_new();
	if (!a->scratch || !a->resolved || !a->configs)
		return err_set(err, ENOMEM, "agent");
	/* Without the right the agent runs at normal priority: slower to read, never wrong. */
	if (cfg->priority && setpriority(PRIO_PROCESS, 0, -(int)cfg->priority) < 0)
		LOG(INFO, "agent.priority", KV_STR("why", err_name(errno)));
	int r = agent_load_rules(a, err);
	if (r >= 0)
		r = open_record(a, err);
	if (r >= 0)
		r = agent_open_stats(a, l, err);
	if (r >= 0)
		r = open_world(a, l, err);
	if (r >= 0)
		r = open_judging(a, l, err);
	if (r >= 0)
		r = open_uplink(a, l, err);
	if (r >= 0)
		r = open_images(a, l, err);
	if (r >= 0)
		r = agent_open_audit(a, l, err);
	if (r >= 0)
		r = agent_open_policy(a, l, err);
	if (r >= 0)
		r = agent_open_admission(a, l, err);
	if (r >= 0)
		r = agent_open_hash(a, l, err);
	if (r >= 0)
		r = open_probe(a, l, err);
	if (r >= 0)
		r = open_watching(a, l, err);
	if (r < 0)
		return r;
	world_start(a->world);
	*ret = take_ptr(a);
	return 0;
}

/* In the order of the flow: what is under way is judged, then what judging made is told. */
void agent_free(struct agent *a)
{
	if (!a)
		return;
	hooks_server_free(a->hooks);
	status_server_free(a->status);
	watch_free(a->watch);
	if (a->probe)
		probe_drain(a->probe);
	probe_free(a->probe);
	hash_free(take_ptr(a->hash));
	hold_free(a->hold);
	a->hold = NULL;
	guard_free(a->guard);
	fold_free(a->fold);
	if (a->uplink)
		agent_tell_losses(a, true);
	loop_timer_free(a->hold_timer);
	loop_timer_free(a->tick_timer);
	live_free(take_ptr(a->live));
	agent_close_audit(a);
	agent_close_admission(a);
	agent_close_policy(a);
	agent_close_stats(a);
	world_free(a->world);
	configs_free(a->configs);
	fetch_pool_free(a->fetch);
	uplink_free(a->uplink);
	event_log_close(a->event_log);
	rules_free(a->rules);
	for (size_t i = 0; i < ARRAY_LEN(a->kill_rules); i++)
		free(a->kill_rules[i]);
	arena_free(a->scratch);
	arena_free(a->resolved);
	buf_fini(&a->out);
	buf_fini(&a->watched);
	free(a->measured);
	free(a->url);
	free(a->server_name);
	free(a);
}
