/* policy.c - see policy.h. Skeleton: the interface links; parsing and judging follow. */
#include "common/policy/policy.h"

#include <errno.h>

struct policy {
	char *name;
};

int policy_parse(struct slice text, const char *name, struct policy **ret, struct err *err)
{
	return err_set(err, ENOSYS, "%s: not read yet", name);
}

int policy_load(const char *path, struct policy **ret, struct err *err)
{
	return policy_parse(SLICE_NONE, path, ret, err);
}

void policy_free(struct policy *p)
{
	free(p);
}

const char *policy_name(const struct policy *p)
{
	return "";
}

const char *policy_digest(const struct policy *p)
{
	return "";
}

enum policy_mode policy_mode_of(const struct policy *p, enum policy_section s)
{
	return POLICY_OFF;
}

int policy_judge(const struct policy *p, const struct policy_workload *w, uint64_t now_unix_s, struct arena *a,
		 struct policy_verdict *ret, struct err *err)
{
	return err_set(err, ENOSYS, "judge");
}

enum policy_mode policy_mode_for(const struct policy *p, const struct policy_workload *w, enum policy_section s)
{
	return POLICY_OFF;
}

bool policy_may_reach(const struct policy *p, const struct policy_workload *w, uint64_t now_unix_s,
		      const uint8_t address[16], bool is_v6, const char **ret_rule)
{
	return true;
}

bool policy_may_listen(const struct policy *p, const struct policy_workload *w, uint64_t now_unix_s, uint16_t port,
		       const char **ret_rule)
{
	return true;
}

void policy_each_prefix(const struct policy *p, const struct policy_workload *w, uint64_t now_unix_s,
			policy_prefix_fn fn, void *arg)
{
}

void policy_each_port(const struct policy *p, const struct policy_workload *w, uint64_t now_unix_s,
		      void (*fn)(void *arg, const struct policy_port_range *r), void *arg)
{
}

void policy_each_denied_mount(const struct policy *p, void (*fn)(void *arg, const char *path), void *arg)
{
}

bool policy_reference(const char *image, struct arena *a, const char **ret_repository, const char **ret_tag,
		      const char **ret_digest)
{
	return false;
}
