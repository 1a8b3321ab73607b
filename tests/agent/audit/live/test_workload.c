/* test_workload.c - what the policy judges of a container that is there: as the kernel has it, whatever the engine says. */
#include <linux/capability.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "agent/audit/live/workload.h"
#include "tests/agent/audit/good.h"

#define BIT(n) (UINT64_C(1) << (n))

static struct good w;

/* Ids of the rules that deny it, one after the other; in the arena. */
static const char *denials(struct arena *a, const char *runtime_access)
{
	char text[1000];
	CLEANUP(policy_freep) struct policy *p = NULL;
	struct policy_workload load;
	struct policy_verdict v;
	struct err err = { 0 };
	const char *ids = "";

	snprintf(text, sizeof(text), "access_control:\n  runtime_access: {%s}\nmode: enforce\n", runtime_access);
	if (policy_parse(slice_of(text), "test", &p, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(workload_of(&w.c, &w.image, &w.host, &w.daemon, a, &load, NULL), 0);
	assert_int_equal(policy_judge(p, &load, 1800000000, a, &v, NULL), 0);
	for (size_t i = 0; i < v.count; i++)
		ids = arena_printf(a, "%s%s%s", ids, *ids ? " " : "", v.denials[i].rule);
	return ids;
}

#define STRICT                                                                                                         \
	"deny_privileged: true, deny_host_namespaces: true, denied_capabilities: [SYS_ADMIN, NET_ADMIN], "             \
	"denied_mounts: [/etc, /var/run/docker.sock], require_user: true, deny_unconfined: true"

static void a_good_one_is_let_pass(void **state)
{
	good_init(&w);
	assert_string_equal(denials(*state, STRICT), "");
}

/* The engine's answer says nothing of it in any of these. */
static void what_the_engine_does_not_tell_is_judged(void **state)
{
	static const char *const access[] = { "denied_capabilities: [SYS_ADMIN]", "deny_privileged: true", "deny_host_namespaces: true",
					      "denied_mounts: [/etc]", "deny_unconfined: true", "require_user: true" };

	for (size_t i = 0; i < ARRAY_LEN(access); i++) {
		good_init(&w);
		if (*denials(*state, access[i]))
			fail_msg("%s: %s", access[i], denials(*state, access[i]));
		switch (i) {
		case 0:
			w.init->cap_bounding |= BIT(CAP_SYS_ADMIN);
			break;
		case 1:
			good_seen_as_privileged(&w);
			w.asked->is_privileged = false;
			break;
		case 2:
			w.init->ns[NS_PID] = w.host.ns[NS_PID];
			break;
		case 3:
			(void)good_mount(&w, "/etc", "/mnt", false);
			break;
		case 4:
			w.init->seccomp = SECCOMP_OFF;
			break;
		case 5:
			good_process(&w, 0)->euid = w.real->root_uid;
			break;
		}
		if (!*denials(*state, access[i]))
			fail_msg("let pass: %s", access[i]);
	}
}

static bool has(const struct policy_texts *t, const char *name)
{
	for (size_t i = 0; i < t->count; i++)
		if (!strcmp(t->v[i], name))
			return true;
	return false;
}

static struct policy_workload load(struct arena *a)
{
	struct policy_workload l;

	assert_int_equal(workload_of(&w.c, &w.image, &w.host, &w.daemon, a, &l, NULL), 0);
	return l;
}

static void capabilities_are_the_kernels(void **state)
{
	struct policy_workload l;

	good_init(&w);
	w.init->cap_bounding = (w.host.default_caps & ~BIT(CAP_NET_RAW)) | BIT(CAP_NET_ADMIN);
	good_set(&w, &w.asked->cap_add, "SYS_TIME", NULL); /* asked for, and not there */
	l = load(*state);
	assert_int_equal(l.cap_add.count, 1);
	assert_true(has(&l.cap_add, "NET_ADMIN"));
	assert_true(l.cap_drop.count >= 1 && has(&l.cap_drop, "NET_RAW"));
	/* a program that was let in with more than its container has */
	good_process(&w, 1000)->cap_effective = BIT(CAP_SYS_PTRACE);
	l = load(*state);
	assert_true(has(&l.cap_add, "SYS_PTRACE"));
	/* of one that does not run there is only what was asked for */
	good_stop(&w, STATE_EXITED);
	l = load(*state);
	assert_true(has(&l.cap_add, "SYS_TIME") && !has(&l.cap_add, "NET_ADMIN"));
	/* and of one on a kernel of its own */
	good_init(&w);
	w.init->cap_bounding |= BIT(CAP_SYS_ADMIN);
	w.asked->runtime = "runsc";
	l = load(*state);
	assert_false(has(&l.cap_add, "SYS_ADMIN"));
}

static void namespaces_are_the_kernels(void **state)
{
	struct policy_workload l;

	good_init(&w);
	l = load(*state);
	assert_string_equal(l.uts_mode, w.asked->uts_mode);
	w.init->ns[NS_UTS] = w.host.ns[NS_UTS];
	w.init->ns[NS_NET] = w.host.ns[NS_NET];
	w.init->ns[NS_USER] = w.host.ns[NS_USER];
	w.daemon.has_userns = false;
	l = load(*state);
	assert_string_equal(l.uts_mode, "host");
	assert_string_equal(l.real_network_mode, "host");
	assert_string_not_equal(l.userns_mode, "host"); /* nobody has one of his own there */
	w.daemon.has_userns = true;
	l = load(*state);
	assert_string_equal(l.userns_mode, "host");
}

static size_t mounts_at(const struct policy_workload *l, const char *dest)
{
	size_t n = 0;

	for (size_t i = 0; i < l->mount_count; i++)
		n += !strcmp(l->mounts[i].dest, dest);
	return n;
}

static void mounts_nobody_told_of_are_binds(void **state)
{
	struct policy_workload l;
	size_t usual;

	good_init(&w);
	usual = load(*state).mount_count;
	(void)good_mount(&w, "/etc/hosts", "/etc/hosts", true); /* the runtime's own */
	good_mount(&w, "", "/proc/kcore", false)->fs_type = "tmpfs";
	assert_int_equal(load(*state).mount_count, usual);
	good_mount(&w, "/root/.ssh", "/mnt", true)->inode = 77;
	l = load(*state);
	assert_int_equal(l.mount_count, usual + 1);
	assert_string_equal(l.mounts[usual].type, "bind");
	assert_string_equal(l.mounts[usual].real, "/root/.ssh");
	assert_true(l.mounts[usual].is_writable && l.mounts[usual].ino == 77);
	/* what comes along with a mount that was asked for is part of it; what only lies there is not */
	good_init(&w);
	(void)good_asked_mount(&w, "/srv", "/data", true);
	(void)good_mount(&w, "/srv", "/data", true);
	(void)good_mount(&w, "/srv/disk", "/data/disk", true);
	(void)good_mount(&w, "/root", "/data/other", true);
	l = load(*state);
	assert_int_equal(mounts_at(&l, "/data"), 1);
	assert_int_equal(mounts_at(&l, "/data/disk"), 0);
	assert_int_equal(mounts_at(&l, "/data/other"), 1);
}

static void a_volume_is_what_lies_there(void **state)
{
	struct facts_asked_mount *m;
	struct policy_workload l;
	struct facts_mount *real;

	good_init(&w);
	m = good_asked_mount(&w, "/var/lib/docker/volumes/v/_data", "/v", true);
	m->type = "volume";
	m->name = "v";
	real = good_mount(&w, "/var/lib/docker/volumes/v/_data", "/v", true);
	l = load(*state);
	assert_string_equal(l.mounts[l.mount_count - 1].real, "/var/lib/docker/volumes/v/_data");
	real->host_other = "/etc"; /* its folder is a second name of another */
	l = load(*state);
	assert_string_equal(l.mounts[l.mount_count - 1].real, "/etc");
	real->host_other = "";
	real->host_path = "/boot"; /* the engine says it is a volume, and it is not */
	l = load(*state);
	assert_string_equal(l.mounts[l.mount_count - 1].real, "/boot");
}

static void what_could_not_be_seen_is_told(void **state)
{
	struct facts_asked_mount *m;

	good_init(&w);
	m = good_asked_mount(&w, "/var/lib/docker/volumes/v/_data", "/v", true);
	m->type = "volume";
	m->is_unseen = true;
	assert_false(load(*state).has_unseen_volumes); /* the kernel has shown it */
	good_stop(&w, STATE_EXITED);
	assert_true(load(*state).has_unseen_volumes);
	m->is_unseen = false;
	assert_false(load(*state).has_unseen_volumes);
}

static void all_devices_and_bare_proc_are_seen(void **state)
{
	struct policy_workload l;

	good_init(&w);
	assert_false(load(*state).has_unmasked_paths);
	w.real->has_all_devices = true;
	for (size_t i = 0; i < w.real->mount_count; i++)
		if (!strncmp(w.real->mounts[i].point, "/proc/", 6))
			w.real->mounts[i].point = "/other";
	l = load(*state);
	assert_true(l.has_unmasked_paths);
	assert_true(has(&l.device_rules, "a *:* rwm"));
}

static int setup(void **state)
{
	return !(*state = arena_new(1 << 20));
}

static int teardown(void **state)
{
	arena_free(*state);
	return 0;
}

#define with_arena(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_arena(a_good_one_is_let_pass),
		with_arena(what_the_engine_does_not_tell_is_judged),
		with_arena(capabilities_are_the_kernels),
		with_arena(namespaces_are_the_kernels),
		with_arena(mounts_nobody_told_of_are_binds),
		with_arena(a_volume_is_what_lies_there),
		with_arena(what_could_not_be_seen_is_told),
		with_arena(all_devices_and_bare_proc_are_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
