/* agent.c - see agent.h.
 *
 *   probe -> world (who, which container) -> record -> uplink
 *                    \-> rules (at once, or when the container's name is known) -> record -> uplink
 */
#include "agent/agent.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <time.h>

#include "agent/hold.h"
#include "agent/probe/probe.h"
#include "agent/record.h"
#include "agent/rule_files.h"
#include "agent/rules/rules.h"
#include "agent/status.h"
#include "agent/uplink/uplink.h"
#include "agent/world/world.h"
#include "common/file.h"
#include "common/json.h"
#include "common/log.h"

enum {
	SCRATCH_BYTES = 1024 * 1024,
	MAX_HELD = 1024,
	MAX_HELD_BYTES = 4 * 1024 * 1024,
	HOLD_TICK_MS = 20,
	PATH_BYTES = 4096,
	ENGINE_CONNECTIONS = 6,
};

struct agent {
	const struct agent_config *cfg;
	const struct clock *clk;
	struct fetch_pool *fetch;
	struct uplink *uplink;
	struct world *world;
	struct rules *rules;
	struct hold *hold;
	struct loop_timer *hold_timer;
	struct probe *probe;
	struct status_server *status;
	struct arena *scratch;
	struct buf out;
	char *url, *server_name;
	char kernel[130], machine_id[64], boot_id[64];
	struct uplink_sensor sensors[LIMIT_SENSORS];
	uint64_t judged, matches, unkept, unkept_said_ns;
	bool has_engine; /* the engine's API answers */
	/* the event whose rules are being run */
	const struct event *event;
	const struct container *container;
	uint64_t event_seq;
};

/* ---- out ---- */

/* A record that could not be kept or packed: counted, and said at most every ten seconds. */
static void say_unkept(struct agent *a, const char *event, const struct err *err)
{
	const uint64_t pause_ns = 10 * 1000000000ull;
	uint64_t now = clock_boot_ns(a->clk);

	a->unkept++;
	if (a->unkept_said_ns && now - a->unkept_said_ns < pause_ns)
		return;
	a->unkept_said_ns = now;
	LOG(ERROR, event, KV_STR("why", err->msg), KV_U64("unkept", a->unkept));
}

/* One packed record into the spool. A failure is counted there as lost, too. */
static uint64_t send_record(struct agent *a, enum uplink_class class, uint64_t unix_ns)
{
	struct err err;
	uint64_t seq = 0;

	if (uplink_append(a->uplink, class, unix_ns, buf_slice(&a->out), &seq, &err) < 0)
		say_unkept(a, "agent.spool", &err);
	return seq;
}

static void begin_record(struct agent *a)
{
	buf_reset(&a->out);
	arena_reset(a->scratch);
}

static void send_gap(struct agent *a, int loss_class, uint64_t lost, uint64_t from, uint64_t to,
		     const char *reason)
{
	struct err err;
	uint64_t now = clock_unix_ns(a->clk);

	LOG(WARN, "agent.gap", KV_STR("class", msg_loss_class_name(loss_class)), KV_U64("lost", lost),
	    KV_STR("reason", reason));
	begin_record(a);
	if (record_gap(loss_class, lost, from, to, reason, now, &a->out, &err) < 0)
		say_unkept(a, "agent.pack", &err);
	else
		send_record(a, UPLINK_PROCESS, now);
}

/* ---- rules ---- */

static void on_match(void *arg, const struct rules_match *m)
{
	struct agent *a = arg;
	struct err err;

	a->matches++;
	begin_record(a);
	if (record_finding(a->world, a->event, a->container, m, a->event_seq, a->scratch, &a->out, &err) < 0)
		say_unkept(a, "agent.pack", &err);
	else
		send_record(a, UPLINK_PROCESS, a->event->unix_ns);
}

static void judge(void *arg, const struct event *e, uint64_t event_seq)
{
	struct agent *a = arg;
	struct rules_live live = { .world = a->world,
				   .event = e,
				   .container = world_container(a->world, &e->p),
				   .number = ++a->judged };
	struct rules_source src = rules_live_source(&live);

	a->event = e;
	a->container = live.container;
	a->event_seq = event_seq;
	rules_eval(a->rules, rules_live_type(e), &src, on_match, a);
	a->event = NULL;
}

static void on_hold_tick(void *arg)
{
	struct agent *a = arg;

	if (!hold_expire(a->hold, clock_boot_ns(a->clk)))
		loop_timer_stop(a->hold_timer);
}

static void on_exec(struct agent *a, const struct event *e, const struct container *c, uint64_t seq)
{
	/* Rules look at more than the name (declared user, image digest), so where the engine is there to
	 * answer, its inspection is waited for; it nearly always came before the container's start. */
	bool will_be_known = c && a->has_engine && !strcmp(c->engine, "docker");
	if (!will_be_known || c->is_inspected || !a->cfg->name_wait_ms) {
		judge(a, e, seq);
		return;
	}
	uint64_t deadline = clock_boot_ns(a->clk) + a->cfg->name_wait_ms * 1000000;
	hold_add(a->hold, e, seq, c->id, deadline);
	loop_timer_every(a->hold_timer, HOLD_TICK_MS);
}

/* ---- what comes in ---- */

static int loss_class_of(enum event_class c)
{
	static const int table[EVC_COUNT] = { [EVC_PROCESS] = PICKET__LOSS_CLASS__LOSS_PROCESS,
					      [EVC_RARE] = PICKET__LOSS_CLASS__LOSS_RARE,
					      [EVC_VOLUME] = PICKET__LOSS_CLASS__LOSS_VOLUME };

	return table[c];
}

static void on_event(void *arg, const struct event *e)
{
	struct agent *a = arg;
	struct err err;

	if (e->type == EV_GAP) {
		send_gap(a, loss_class_of(e->gap.class), e->gap.lost, e->gap.from_unix_ns, e->gap.to_unix_ns,
			 e->gap.reason);
		return;
	}
	if (e->type == EV_EXIT) { /* before the tree forgets what it was */
		const struct container *c = world_container(a->world, &e->p);

		begin_record(a);
		if (record_event(a->world, e, c, a->scratch, &a->out, &err) < 0)
			say_unkept(a, "agent.pack", &err);
		else
			send_record(a, UPLINK_PROCESS, e->unix_ns);
		world_apply(a->world, e);
		return;
	}
	world_apply(a->world, e);
	if (e->type != EV_EXEC)
		return;
	const struct container *c = world_container(a->world, &e->p);
	uint64_t seq = 0;
	begin_record(a);
	if (record_event(a->world, e, c, a->scratch, &a->out, &err) < 0)
		say_unkept(a, "agent.pack", &err);
	else
		seq = send_record(a, UPLINK_PROCESS, e->unix_ns);
	on_exec(a, e, c, seq);
}

static void send_container_event(struct agent *a, const struct container *c, int type)
{
	struct err err;
	uint64_t now = clock_unix_ns(a->clk);

	begin_record(a);
	if (record_container_event(c, type, now, &a->out, &err) < 0)
		say_unkept(a, "agent.pack", &err);
	else
		send_record(a, UPLINK_PROCESS, now);
}

static void on_container(void *arg, const struct container *c, enum world_change change)
{
	static const int types[] = { [WORLD_CREATED] = PICKET__EVENT_TYPE__EVENT_CONTAINER_CREATE,
				     [WORLD_STARTED] = PICKET__EVENT_TYPE__EVENT_CONTAINER_START,
				     [WORLD_STOPPED] = PICKET__EVENT_TYPE__EVENT_CONTAINER_STOP,
				     [WORLD_REMOVED] = 0,
				     [WORLD_UPDATED] = 0 };
	struct agent *a = arg;
	struct err err;
	uint64_t now = clock_unix_ns(a->clk);

	if (c->is_named && (change == WORLD_CREATED || change == WORLD_UPDATED)) {
		begin_record(a);
		if (record_container(c, now, a->scratch, &a->out, &err) < 0)
			say_unkept(a, "agent.pack", &err);
		else
			send_record(a, UPLINK_PROCESS, now);
	}
	if (types[change])
		send_container_event(a, c, types[change]);
	if (c->is_inspected)
		hold_release(a->hold, c->id);
}

static void on_engine(void *arg, bool is_connected, const char *why)
{
	((struct agent *)arg)->has_engine = is_connected;
	if (is_connected)
		LOG(INFO, "engine.connected", KV_STR("engine", "docker"));
	else
		LOG(WARN, "engine.lost", KV_STR("engine", "docker"), KV_STR("why", why));
}

/* ---- the uplink's questions ---- */

static uint64_t rss_bytes(void)
{
	CLEANUP(fclosep) FILE *f = fopen("/proc/self/statm", "re");
	unsigned long size, resident;

	if (!f || fscanf(f, "%lu %lu", &size, &resident) != 2)
		return 0;
	return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void on_heartbeat(void *arg, struct uplink_heartbeat *hb)
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
	hb->rss_bytes = rss_bytes();
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
}

static void on_loss(void *arg, const struct uplink_loss *loss)
{
	send_gap(arg, loss_class_of((enum event_class)loss->class), loss->lost, loss->from_unix_ns,
		 loss->to_unix_ns, loss->reason);
}

static void on_state(void *arg, bool is_connected, const char *why)
{
	struct agent *a = arg;

	if (is_connected)
		LOG(INFO, "uplink.connected", KV_STR("collector", a->url));
	else
		LOG(WARN, "uplink.lost", KV_STR("collector", a->url), KV_STR("why", why));
}

static void write_status(void *arg, struct json *j)
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
	json_kv_bool(j, "healthy", sensing && us.is_connected);
	json_kv_str(j, "version", PICKET_VERSION);
	json_kv_str(j, "host", a->cfg->name);
	json_kv_u64(j, "rules", rules_count(a->rules));
	json_kv_str(j, "rules_version", rules_version(a->rules));
	json_kv_u64(j, "rss_bytes", rss_bytes());
	json_kv_u64(j, "cpu_ns", cpu_ns());
	json_key(j, "uplink");
	json_object_open(j);
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
	json_key(j, "events");
	json_object_open(j);
	json_kv_u64(j, "seen", seen);
	json_kv_u64(j, "lost", lost);
	json_kv_u64(j, "matches", a->matches);
	json_kv_u64(j, "unkept", a->unkept);
	json_object_close(j);
	json_key(j, "world");
	json_object_open(j);
	json_kv_bool(j, "engine_configured", a->cfg->docker_socket[0]);
	json_kv_bool(j, "engine_connected", ws.engine_connected);
	json_kv_u64(j, "processes", ws.processes);
	json_kv_u64(j, "process_bytes", ws.process_bytes);
	json_kv_u64(j, "processes_evicted", ws.processes_evicted);
	json_kv_u64(j, "containers", ws.containers);
	json_object_close(j);
	json_key(j, "sensors");
	json_array_open(j);
	for (size_t i = 0; i < ps.sensor_count; i++) {
		json_object_open(j);
		json_kv_str(j, "name", ps.sensors[i].name);
		json_kv_bool(j, "attached", ps.sensors[i].attached);
		json_kv_str(j, "why_not", ps.sensors[i].why_not);
		json_object_close(j);
	}
	json_array_close(j);
}

/* ---- start ---- */

int agent_reload(struct agent *a, struct err *err)
{
	static const char *const fallback[] = { "/etc/picket/rules.d" };
	CLEANUP(rule_files_fini) struct rule_files files = { 0 };
	const struct conf_list *own = &a->cfg->rules;
	struct rules *fresh = NULL;
	struct rules_report report = { 0 };

	int r = own->count ? rule_files_find((const char *const *)own->items, own->count, &files, err)
			   : rule_files_find(fallback, ARRAY_LEN(fallback), &files, err);
	if (r >= 0)
		r = rules_load((const char *const *)files.paths, files.count, &fresh, &report, err);
	for (size_t i = 0; i < report.count; i++)
		if (!report.messages[i].is_error)
			LOG(WARN, "rules.warning", KV_STR("file", report.messages[i].file),
			    KV_U64("line", report.messages[i].line), KV_STR("what", report.messages[i].text));
	rules_report_fini(&report);
	if (r < 0)
		return r;
	rules_free(a->rules);
	a->rules = fresh;
	if (!rules_count(fresh))
		LOG(WARN, "rules.none", KV_STR("why", "no rule is enabled: nothing can raise an alert"),
		    KV_STR("from", own->count ? ((char **)own->items)[0] : fallback[0]));
	LOG(INFO, "rules.loaded", KV_U64("files", files.count), KV_U64("rules", rules_count(fresh)),
	    KV_STR("version", rules_version(fresh)));
	return 0;
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
	static const struct uplink_ops ops = { .on_heartbeat = on_heartbeat,
					       .on_loss = on_loss,
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

static int open_world(struct agent *a, struct loop *l, struct err *err)
{
	static const struct world_ops ops = { .on_container = on_container, .on_engine = on_engine };
	struct world_config cfg = { .max_processes = a->cfg->max_processes,
				    .docker_socket = a->cfg->docker_socket,
				    .proc_root = "/proc" };

	int r = fetch_pool_new(l, ENGINE_CONNECTIONS, &a->fetch, err);
	if (r >= 0)
		r = hold_new(MAX_HELD, MAX_HELD_BYTES, judge, a, &a->hold, err);
	if (r >= 0)
		r = world_new(l, a->fetch, a->clk, &cfg, &ops, a, &a->world, err);
	a->hold_timer = loop_timer_new(l, on_hold_tick, a);
	if (r >= 0 && !a->hold_timer)
		return err_set(err, ENOMEM, "timer");
	return r;
}

static void seed(void *arg, const struct event_process *p)
{
	world_seed(((struct agent *)arg)->world, p);
}

static int open_probe(struct agent *a, struct loop *l, struct err *err)
{
	static const struct probe_ops ops = { .on_event = on_event };
	struct probe_config cfg = { .ring_bytes = { (uint32_t)a->cfg->ring_bytes }, .with_fork = true };
	struct err seed_err;

	int r = probe_new(l, a->clk, &cfg, &ops, a, &a->probe, err);
	if (r < 0)
		return err_wrap(err, r, "probe");
	if (probe_seed(a->probe, seed, a, &seed_err) < 0) {
		LOG(INFO, "agent.seed", KV_STR("from", "/proc"), KV_STR("why", seed_err.msg));
		if (world_seed_proc(a->world, &seed_err) < 0)
			LOG(WARN, "agent.seed", KV_STR("why", seed_err.msg));
	}
	return 0;
}

int agent_new(struct loop *l, const struct clock *clk, const struct agent_config *cfg, struct agent **ret,
	      struct err *err)
{
	CLEANUP(agent_freep) struct agent *a = calloc(1, sizeof(*a));

	if (!a)
		return err_set(err, ENOMEM, "agent");
	a->cfg = cfg;
	a->clk = clk;
	buf_init(&a->out, LIMIT_RECORD_BYTES + 4096);
	a->scratch = arena_new(SCRATCH_BYTES);
	if (!a->scratch)
		return err_set(err, ENOMEM, "agent");
	/* Without the right the agent runs at normal priority: slower to read, never wrong. */
	if (cfg->priority && setpriority(PRIO_PROCESS, 0, -(int)cfg->priority) < 0)
		LOG(INFO, "agent.priority", KV_STR("why", err_name(errno)));
	int r = agent_reload(a, err);
	if (r >= 0)
		r = open_world(a, l, err);
	if (r >= 0)
		r = open_uplink(a, l, err);
	if (r >= 0)
		r = open_probe(a, l, err);
	if (r >= 0)
		r = status_server_new(l, cfg->run_dir, write_status, a, &a->status, err);
	if (r < 0)
		return r;
	world_start(a->world);
	*ret = take_ptr(a);
	return 0;
}

void agent_free(struct agent *a)
{
	if (!a)
		return;
	status_server_free(a->status);
	if (a->probe)
		probe_drain(a->probe);
	probe_free(a->probe);
	hold_free(a->hold);
	loop_timer_free(a->hold_timer);
	world_free(a->world);
	fetch_pool_free(a->fetch);
	uplink_free(a->uplink);
	rules_free(a->rules);
	arena_free(a->scratch);
	buf_fini(&a->out);
	free(a->url);
	free(a->server_name);
	free(a);
}
