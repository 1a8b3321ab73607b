/* live.h - when what is audited, and what of it is told.
 *
 *   container starts, changes, runs something with more rights -> that container  \
 *   image runs, or is new in the engine's list                 -> that image       > worker (a process) -> report
 *   engine connects, its file changes; once a day everything   -> engine, host    /
 *
 * The worker reads the engine's API and the kernel and runs the checks: it looks into mounts of containers, and what
 * can make it wait for ever must not make the agent wait. It is killed when it takes too long, ends by itself when it
 * has nothing to do, and is started again by the next question. One thread: the loop. */
#pragma once
#include "agent/audit/gather.h"
#include "agent/event.h"
#include "agent/world/world.h"
#include "common/json.h"
#include "proto/msg.h"

struct audit_live;

/* Texts borrowed until audit_live_free. */
struct audit_live_config {
	const char *docker_socket; /* not "" */
	const char *state_dir;	   /* of the agent: what it found in images; nullable */
	const char *run_dir;	   /* of the agent: where it says which files it watches; nullable */
	const char *policy_path;   /* what runs is judged by it, too; "" none */
	uint64_t every_ms;	   /* everything; 0: only at the start of the agent */
	uint64_t limit_ms;	   /* of one container or image; six times that for host and engine; 0: 5,000 */
};

struct audit_live_ops {
	/* A report to be sent; borrowed for the call. */
	void (*report)(void *arg, const Picket__AuditReport *r);
	/* As uplink_ask: the answer comes to audit_live_answer. */
	int (*ask)(void *arg, Picket__Request *m, struct err *err);
};

int audit_live_new(struct loop *l, const struct clock *clk, const struct audit_live_config *cfg,
		   const struct audit_live_ops *ops, void *arg, struct audit_live **ret, struct err *err) WARN_UNUSED;
void audit_live_container(struct audit_live *v, const struct container *c, enum world_change change);
/* A program started in it: looked at again when it has capabilities that the container's first process has not. */
void audit_live_exec(struct audit_live *v, const struct container *c, const struct event_process *p);
/* Some image came, went, or was renamed: the engine's list is asked for within a second. */
void audit_live_images(struct audit_live *v);
/* What is in an image's files is known now: it and its containers are judged again. */
void audit_live_stocked(struct audit_live *v, const char *image_id);
/* Is it the worker's? It reads seccomp filters by ptrace, which a rule would tell as an attack. */
bool audit_live_is_worker(const struct audit_live *v, uint32_t pid);
/* The engine answers (again): itself and everything that runs are audited. */
void audit_live_engine(struct audit_live *v, bool is_connected);
/* The engine's configuration, or the policy, changed. trigger: "daemon", "policy". */
void audit_live_changed(struct audit_live *v, const char *trigger);
/* The collector can be asked (again). */
void audit_live_connected(struct audit_live *v);
void audit_live_answer(struct audit_live *v, const Picket__Reply *reply);

struct audit_live_stats {
	uint64_t audits, reports, failed, killed; /* killed: workers that took too long */
	uint64_t waiting, images; /* images: known */
	/* From the start's event to the report, of containers that started; late: after more than 50 ms. */
	uint64_t starts, late, last_took_ns, worst_took_ns, sum_took_ns;
	char why[200]; /* of the last failure */
};
void audit_live_stats(const struct audit_live *v, struct audit_live_stats *ret);
void audit_live_write_status(const struct audit_live *v, struct json *j);
void audit_live_free(struct audit_live *v);
DEFINE_CLEANUP(struct audit_live, audit_live_free)

/* The worker: main() of picket-agent gives it its arguments, and what other rooms know.
 * Returns the exit code; -1: argv is none of it.
 *   audit-worker --docker-socket S [--policy F] [--state-dir D] [--run-dir R] [--proc-root P] */
struct audit_outside {
	gather_stock_fn stock;	   /* of images' files, by the folder of state; nullable */
	gather_watched_fn watched; /* by the folder of sockets; nullable */
};
int audit_worker_main(int argc, char **argv, const struct audit_outside *outside);
