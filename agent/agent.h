/* agent.h - the running agent: the one place where the rooms meet. */
#pragma once
#include "agent/config.h"
#include "common/clock.h"
#include "common/loop.h"

struct agent;

/* Opens everything in the order in which nothing can fall between: uplink (spool), world, probe, then
 * the processes and containers that were there before. cfg: borrowed until agent_free. */
int agent_new(struct loop *l, const struct clock *clk, const struct agent_config *cfg,
	      struct agent **ret, struct err *err) WARN_UNUSED;
/* Loads the rules again; on an error the old ones stay. */
int agent_reload(struct agent *a, struct err *err) WARN_UNUSED;
/* The same; what went wrong is logged and stands in the status. */
void agent_reload_logged(struct agent *a);
/* Detaches the probe, judges and sends what is under way into the spool, closes. */
void agent_free(struct agent *a);
DEFINE_CLEANUP(struct agent, agent_free)

/* Where the enrolment's address is kept: STATE_DIR/collector.json */
int agent_enrolment_write(const char *state_dir, const char *url, const char *server_name,
			  struct err *err) WARN_UNUSED;
