/* workload.h - a container that the store knows, as the policy judges it. */
#pragma once
#include "collector/store/store_checks.h"
#include "collector/store/store_images.h"
#include "common/policy/policy.h"

/* image: its scan, nullable. What only its host could see (where a link leads, what a process really has) is taken as
 * asked for. *ret borrows from c, image and the arena. ERR_NOT_FOUND: nobody has told how it was made. */
int workload_from(const struct store_container *c, const struct store_image *image, struct arena *a,
		  struct policy_workload *ret, struct err *err) WARN_UNUSED;
