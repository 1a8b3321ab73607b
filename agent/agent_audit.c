/* agent_audit.c - what the audit says goes out; what changed goes to the audit. */
#include "agent/agent_priv.h"

#include "agent/record.h"

#define ENGINE_CONFIG "/etc/docker/daemon.json"

static void on_report(void *arg, const Picket__AuditReport *r)
{
	agent_send_audit(arg, r);
}

static void on_answer(void *arg, const Picket__Reply *reply)
{
	struct agent *a = arg;

	if (a->audit)
		audit_live_answer(a->audit, reply);
}

static int ask(void *arg, Picket__Request *m, struct err *err)
{
	struct agent *a = arg;

	return uplink_ask(a->uplink, m, on_answer, a, err);
}

static void on_engine_file(void *arg)
{
	struct agent *a = arg;

	if (a->audit)
		audit_live_changed(a->audit, "daemon");
}

static void watch_file(struct loop *l, const char *path, loop_fn fn, struct agent *a, struct watch **ret)
{
	struct err err;

	if (!path[0])
		return;
	int r = watch_new(l, fn, a, ret, &err);
	if (r >= 0)
		r = watch_set(*ret, &path, 1, &err);
	if (r < 0)
		LOG(WARN, "audit.watch", KV_STR("file", path), KV_STR("why", err.msg),
		    KV_STR("instead", "it is looked at once a day"));
}

int agent_open_audit(struct agent *a, struct loop *l, struct err *err)
{
	static const struct audit_live_ops ops = { .report = on_report, .ask = ask };
	struct audit_live_config cfg = { .docker_socket = a->cfg->docker_socket,
					 .state_dir = a->cfg->state_dir,
					 .run_dir = a->cfg->run_dir,
					 .policy_path = a->cfg->policy_path,
					 .every_ms = a->cfg->audit_every_ms };

	if (!a->cfg->docker_socket[0] || !a->cfg->audit_enabled)
		return 0;
	int r = audit_live_new(l, a->clk, &cfg, &ops, a, &a->audit, err);
	if (r < 0)
		return r;
	watch_file(l, ENGINE_CONFIG, on_engine_file, a, &a->engine_watch);
	return 0;
}

void agent_close_audit(struct agent *a)
{
	watch_free(take_ptr(a->engine_watch));
	audit_live_free(take_ptr(a->audit));
}

void agent_on_images(void *arg)
{
	struct agent *a = arg;

	if (a->audit)
		audit_live_images(a->audit);
	if (a->live)
		live_images_changed(a->live);
}

void agent_on_stocked(void *arg, const char *image_id)
{
	struct agent *a = arg;

	if (a->audit)
		audit_live_stocked(a->audit, image_id);
}

void agent_on_inspected(void *arg, const struct container *c, struct slice body)
{
	struct agent *a = arg;
	struct err err;

	if (configs_put(a->configs, c->id, body, &err) < 0)
		LOG(WARN, "container.config", KV_STR("container", c->id), KV_STR("why", err.msg));
}

/* Before anything else forgets it. */
void agent_audit_container(struct agent *a, const struct container *c, enum world_change change)
{
	if (a->audit)
		audit_live_container(a->audit, c, change);
	if (change != WORLD_REMOVED)
		return;
	configs_drop(a->configs, c->id);
	stats_gone(a->stats, c->id);
}
