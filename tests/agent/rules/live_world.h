/* live_world.h - a world of four processes in the place of the real one, and conditions on one event. */
#pragma once
#include "agent/rules/rules.h"
#include "agent/world/world.h"
#include "vectors.h"

#define PIECES(s) ((struct slice){ s, sizeof(s) })

static struct proc family[] = {
	{ .pid = 1, .vpid = 1, .session_id = 1, .group_id = 1, .name = SLICE_LIT("systemd"),
	  .exe = SLICE_LIT("/usr/lib/systemd/systemd"), .argv0 = SLICE_LIT("/sbin/init") },
	{ .pid = 10, .ppid = 1, .vpid = 10, .session_id = 10, .group_id = 10, .name = SLICE_LIT("containerd-shim"),
	  .exe = SLICE_LIT("/usr/bin/containerd-shim"), .argv0 = SLICE_LIT("/usr/bin/containerd-shim"),
	  .args = PIECES("-id\0x") },
	{ .pid = 20, .ppid = 10, .start_ns = 3000000000, .vpid = 1, .session_id = 20, .group_id = 20,
	  .name = SLICE_LIT("sh"), .exe = SLICE_LIT("/bin/dash"), .argv0 = SLICE_LIT("sh"), .args = PIECES("-c\0x y"),
	  .cwd = SLICE_LIT("/srv"), .exe_inode = 7, .exe_ctime_ns = 1700000004500000000, .exe_from_memfd = true },
	{ .pid = 30, .ppid = 20, .start_ns = 4000000000, .vpid = 7, .session_id = 20, .group_id = 20,
	  .name = SLICE_LIT("wget") },
};

const struct proc *world_proc(struct world *w, uint32_t pid)
{
	(void)w;
	for (size_t i = 0; i < ARRAY_LEN(family); i++)
		if (family[i].pid == pid)
			return &family[i];
	return NULL;
}

const struct proc *world_ancestor(struct world *w, const struct proc *p, unsigned level)
{
	while (p && level--)
		p = world_proc(w, p->ppid);
	return p;
}

static char name_buffer[16];

struct slice world_user_name(struct world *w, const struct event_process *p, uint32_t uid)
{
	(void)w;
	(void)p;
	snprintf(name_buffer, sizeof(name_buffer), "u%u", uid);
	return uid == 4242 ? SLICE_NONE : slice_of(name_buffer);
}

struct slice world_group_name(struct world *w, const struct event_process *p, uint32_t gid)
{
	(void)w;
	(void)p;
	snprintf(name_buffer, sizeof(name_buffer), "g%u", gid);
	return slice_of(name_buffer);
}

bool world_user_account(struct world *w, const struct event_process *p, uint32_t uid, struct slice *ret_home,
			struct slice *ret_shell)
{
	(void)w;
	(void)p;
	*ret_home = SLICE_LIT("/root");
	*ret_shell = SLICE_LIT("/bin/sh");
	return !uid;
}

/* Both lead to 10.0.0.1. */
const char *world_name_of(struct world *w, const uint8_t *address, size_t bytes, size_t index)
{
	static const char *const watched[] = { "kube.example", "metadata.example" };

	(void)w;
	return bytes == 4 && !memcmp(address, "\12\0\0\1", 4) && index < ARRAY_LEN(watched) ? watched[index] : NULL;
}

const char *world_proc_root(const struct world *w)
{
	(void)w;
	return "/proc";
}

static bool eval(const struct container *c, const struct event *e, const char *condition)
{
	struct rules_live live = { NULL, e, c, 12 };
	struct rules_source src = rules_live_source(&live);
	struct err err = { 0 };
	bool result = false;

	if (rules_eval_condition(slice_of(condition), &src, &result, &err) < 0)
		fail_msg("%s: %s", condition, err.msg);
	return result;
}

static void assert_all(const struct container *c, const struct event *e, const char *const *conditions, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!eval(c, e, conditions[i]))
			fail_msg("not true: %s", conditions[i]);
}
