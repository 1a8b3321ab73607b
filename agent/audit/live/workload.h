/* workload.h - a container that is there, as the policy judges it. Pure. */
#pragma once
#include "agent/audit/facts.h"
#include "common/policy/policy.h"

/* What was asked for, and where the kernel was read what is, so that it does not matter what the engine was asked or
 * says: who runs privileged in fact is judged as privileged, capabilities beyond the default as added, a mount that
 * nobody told of as a bind.
 * image: nullable. ret borrows from c and image; the rest lives in a. ENOMEM: the arena is full. */
int workload_of(const struct facts_container *c, const struct facts_image *image, const struct facts_host *host,
		const struct facts_daemon *daemon, struct arena *a, struct policy_workload *ret, struct err *err) WARN_UNUSED;
