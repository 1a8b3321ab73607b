/* Fields of live events: what an exec on the host and in a container tells, and what stays null. World
 * is replaced here by a family of four processes. */
#include "live_world.h"

static const struct event event = {
	.type = EV_EXEC,
	.boot_ns = 5000000000,
	.unix_ns = 1700000005000000000,
	.p = { .pid = 30, .tid = 30, .vpid = 7, .ppid = 20, .start_ns = 4000000000, .parent_start_ns = 3000000000,
	       .uid = 5, .euid = 0, .egid = 3, .login_uid = UINT32_MAX, .tty = 34816, .session_id = 20,
	       .group_id = 20, .cap_effective = 1ULL << 21 | 1, .name = SLICE_LIT("wget"),
	       .parent_name = SLICE_LIT("sh"), .exe = SLICE_LIT("/bin/busybox"), .argv0 = SLICE_LIT("wget"),
	       .args = PIECES("-q\0http://x y"), .cwd = SLICE_LIT("/tmp"), .env = PIECES("PATH=/bin\0LD_X=\0A=b"),
	       .exe_inode = 99, .exe_ctime_ns = 1700000000000000000, .exe_upper_layer = true },
};

static const struct container_label labels[] = { { "app", "shop" }, { "io.kubernetes.pod.namespace", "prod" } };
static const struct container_mount mounts[] = { { "/proc/x", "/host", "ro", "rprivate", false },
						 { "/srv", "/data", "", "", true } };
static const struct container box = {
	.id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
	.name = "shop-1", .image = "registry:5000/team/shop:1.2@sha256:aa", .image_id = "sha256:ffeeddccbbaa9988",
	.image_digest = "sha256:aa", .user = "app", .engine = "docker", .labels = labels, .label_count = 2,
	.mounts = mounts, .mount_count = 2, .started_unix_ns = 1700000000000000000, .privileged = true,
	.is_named = true, .is_inspected = true,
};

static void an_exec_gives_the_fields_of_its_process(void **state)
{
	static const char *const all[] = {
		"evt.type = execve and evt.type in (execve, execveat) and evt.num = 12 and evt.dir = '<'",
		"evt.res = SUCCESS and evt.rawres = 0 and evt.source = syscall and evt.rawtime = 1700000005000000000",
		"evt.arg.flags = EXE_UPPER_LAYER and evt.arg.exe = wget and evt.rawarg.pid = 30",
		"evt.args contains 'args=-q http://x y' and not evt.args contains 'PATH=/bin' and evt.arg.env startswith PATH",
		"proc.name = wget and proc.exe = wget and proc.exepath = /bin/busybox",
		"proc.args = \"-q http://x y\" and proc.cmdline = \"wget -q http://x y\" and proc.cmdnargs = 2",
		"proc.args[1] = \"http://x y\" and proc.args intersects (\"-q\") and proc.cmdlenargs = 12",
		"proc.pid = 30 and proc.ppid = 20 and proc.vpid = 7 and proc.pvpid = 1 and proc.tty = 34816",
		"proc.pname = sh and proc.pexe = sh and proc.pexepath = /bin/dash and proc.pcmdline = \"sh -c x y\"",
		"proc.aname[0] = wget and proc.aname[1] = sh and proc.aname[2] = containerd-shim and proc.aname[3] = systemd",
		"not proc.aname[4] exists and proc.aname = systemd and not proc.aname = wget",
		"proc.aexepath[2] endswith containerd-shim and proc.acmdline[2] = \"containerd-shim -id x\"",
		"proc.apid[2] = 10 and proc.apid in (1)",
		"proc.sid = 20 and proc.sname = sh and proc.sid.exe = sh and proc.vpgid = 1 and proc.vpgid.name = sh",
		"proc.is_sid_leader = false and proc.loginshellid = 20",
		"proc.cwd = /tmp/ and proc.env[PATH] = /bin and proc.env[LD_X] = '' and not proc.env[LD] exists",
		"proc.env = 'PATH=/bin LD_X= A=b'",
		"proc.duration = 1000000000 and proc.ppid.duration = 2000000000",
		"proc.pid.ts = 1700000004000000000 and proc.exe_ino = 99",
		"proc.exe_ino.ctime_duration_proc_start = 4000000000",
		"proc.is_exe_upper_layer = true and proc.is_exe_from_memfd = false",
		"thread.cap_effective = 'CAP_CHOWN CAP_SYS_ADMIN' and thread.cap_permitted = ''",
		"user.homedir = /root and user.shell = /bin/sh and proc.aenv[0] startswith PATH",
		"proc.pidns_init_start_ts = 1700000003000000000 and not proc.exe_ino.ctime_duration_pidns_start exists",
		"evt.arg.pid = wget and evt.arg.ptid = sh and evt.arg.uid = u0 and evt.arg[1] = wget",
		"user.uid = 0 and user.name = u0 and user.loginuid = -1 and not user.loginname exists",
		"group.gid = 3 and group.name = g3",
		"not fd.name exists and not k8s.ns.name exists and not evt.arg.path exists",
	};

	(void)state;
	assert_all(NULL, &event, all, ARRAY_LEN(all));
}

static void on_the_host_the_container_is_the_host(void **state)
{
	static const char *const all[] = {
		"container.id = host and container.name = host and container.full_id = host",
		"not container.image.repository exists and not container.privileged exists",
		"not container.mount.dest[/proc*] exists and not container.user exists",
	};

	(void)state;
	assert_all(NULL, &event, all, ARRAY_LEN(all));
}

static void in_a_container_its_facts_are_given(void **state)
{
	static const char *const all[] = {
		"container.id = 0123456789ab and container.full_id startswith 0123456789abcdef0 and container.type = docker",
		"container.name = shop-1 and container.image.repository = registry:5000/team/shop",
		"container.image.tag = 1.2 and container.image.digest = sha256:aa and container.image.id = ffeeddccbbaa",
		"container.privileged = true and container.user = app and container.duration = 5000000000",
		"container.mount.dest[/proc*] = /host and container.mount.mode[0] = ro and container.mount.rdwr[1] = true",
		"container.mount.source[/data] = /srv and not container.mount.dest[/etc] exists",
		"container.mount.dest[/proc*] exists and container.mounts contains /srv:/data::true:",
		"container.label.app = shop and container.label[app] = shop and container.labels contains app:shop",
		"k8s.ns.name = prod and not k8s.pod.name exists",
	};

	(void)state;
	assert_all(&box, &event, all, ARRAY_LEN(all));
}

static void what_the_engine_has_not_told_yet_is_null(void **state)
{
	struct container young = { .id = "0123456789abcdef", .name = "", .image = "", .image_id = "",
				   .image_digest = "", .user = "", .engine = "docker" };
	static const char *const all[] = {
		"container.id = 0123456789ab", "not container.name exists", "not container.image exists",
		"not container.privileged exists and not container.user exists and not container.mounts exists",
	};

	(void)state;
	assert_all(&young, &event, all, ARRAY_LEN(all));
}

static void image_references_are_taken_apart(void **state)
{
	static const char *const rows[][3] = {
		{ "nginx", "nginx", "latest" },
		{ "nginx:1", "nginx", "1" },
		{ "localhost:5000/a/b", "localhost:5000/a/b", "latest" },
		{ "a/b@sha256:00", "a/b", NULL },
		{ "sha256:0011", NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct container c = box;
		char condition[200];

		c.image = rows[i][0];
		snprintf(condition, sizeof(condition), rows[i][1] ? "container.image.repository = %s" :
								    "not container.image.repository exists",
			 rows[i][1]);
		assert_true(eval(&c, &event, condition));
		snprintf(condition, sizeof(condition), rows[i][2] ? "container.image.tag = %s" :
								    "not container.image.tag exists",
			 rows[i][2]);
		assert_true(eval(&c, &event, condition));
	}
}

static void a_process_nobody_knows_still_has_what_the_event_says(void **state)
{
	struct event e = event;
	static const char *const all[] = {
		"proc.name = wget and proc.pname = sh and proc.aname = sh and proc.aname[1] = sh",
		"not proc.pcmdline exists and not proc.aname[2] exists and not proc.sname exists",
		"not user.name exists and user.uid = 4242",
	};

	(void)state;
	e.p.pid = e.p.tid = 77;
	e.p.session_id = e.p.group_id = 78;
	e.p.euid = 4242;
	assert_all(NULL, &e, all, ARRAY_LEN(all));
}

/* It waited for its container's name, and its pid has come again. */
static void the_ancestors_are_not_those_of_another_of_its_pid(void **state)
{
	struct event old = event;
	static const char *const conditions[] = {
		"proc.name = wget and proc.pname = sh and not proc.pexepath exists and not proc.aname[2] exists",
	};

	(void)state;
	old.p.start_ns -= 3000000000;
	assert_all(NULL, &old, conditions, ARRAY_LEN(conditions));
}

static void an_exit_has_what_the_tree_kept_of_the_exec(void **state)
{
	struct event e = { .type = EV_EXIT, .p = { .pid = 20, .ppid = 10, .start_ns = 3000000000, .name = SLICE_LIT("sh") } };
	static const char *const all[] = {
		"evt.type = procexit and proc.exepath = /bin/dash and proc.cmdline = \"sh -c x y\"",
		"proc.is_exe_from_memfd = true and evt.arg.status = 0 and not evt.res exists and proc.cwd = /srv/",
		"not proc.env exists and proc.exe_ino = 7",
	};

	(void)state;
	assert_all(NULL, &e, all, ARRAY_LEN(all));
	e.type = EV_GAP;
	assert_null(rules_live_type(&e));
}

static void what_a_container_does_is_counted_and_named(void **state)
{
	static const struct slice names[] = { { "sleep", 5 }, { "miner", 5 } };
	struct event e = { .type = EV_STATS, .stats = { .process_count = 7, .names = names, .name_count = 2, .has_net = true,
							.net_per_minute = 300, .net_learned = 100, .net_above = 200 } };
	static const char *const all[] = {
		"evt.type = container_stats and container.process.count = 7 and container.name = shop-1",
		"container.process.names intersects (zmap, miner) and not container.process.names intersects (zmap)",
		"container.process.names in (sleep, miner, sh) and not container.process.names in (sleep)",
		"container.net.per_minute = 300 and container.net.learned = 100 and container.net.above > 199",
		"not container.image.net.above exists",
	};

	(void)state;
	assert_all(&box, &e, all, ARRAY_LEN(all));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_exec_gives_the_fields_of_its_process),
		cmocka_unit_test(on_the_host_the_container_is_the_host),
		cmocka_unit_test(in_a_container_its_facts_are_given),
		cmocka_unit_test(what_the_engine_has_not_told_yet_is_null),
		cmocka_unit_test(image_references_are_taken_apart),
		cmocka_unit_test(a_process_nobody_knows_still_has_what_the_event_says),
		cmocka_unit_test(the_ancestors_are_not_those_of_another_of_its_pid),
		cmocka_unit_test(an_exit_has_what_the_tree_kept_of_the_exec),
		cmocka_unit_test(what_a_container_does_is_counted_and_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
