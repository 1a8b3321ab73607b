/* test_cgroup.c - container ids in cgroup paths: Falco's published cases and our own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/world/world_priv.h"
#include "common/file.h"

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct row {
	const char *path, *id, *engine; /* id NULL: none */
} rows[] = {
	{"/docker/" A, A, "docker"},
	{"/system.slice/docker-" A ".scope", A, "docker"},
	{"/my/own/parent/" A, A, "docker"},
	{"/machine.slice/libpod-" A ".scope/container", A, "podman"},
	{"/machine.slice/libpod-" A ".scope", A, "podman"},
	{"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" A ".scope/container", A,
	 "podman"},
	{"/user.slice/user-1000.slice/podman-17.scope/" A, A, "podman"},
	{"/libpod_parent/libpod-" A, A, "podman"},
	{"/a/libpod-payload-" A, A, "podman"},
	{"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice/crio-" A ".scope",
	 A, "crio"},
	{"/kubepods/burstable/pod63b3ebfc-2890-11e9-8154-16bf8ef8d9dc/crio-" A, A, "crio"},
	{"/kubepods.slice/kubepods-pod1.slice/cri-containerd-" A ".scope", A, "containerd"},
	{"/kubepods/besteffort/pod63b3ebfc-2890-11e9-8154-16bf8ef8d9dc/" A, A, "containerd"},
	{"/system.slice/containerd.service/kubepods-pod1.slice:cri-containerd:" A, A, "containerd"},
	{"/lxc.payload.web/init.scope", "web", "lxc"},
	{"/lxc/web", "web", "lxc"},
	{"/docker/buildkit/xk2n1f0aaab", "xk2n1f0aaab", "buildkit"},
	{"/k8s.io/my-test_container", "my-test_container", "containerd"},
	/* docker in docker, and what a process in A may make below its own cgroup to hide or to
	 * pass for B: what the host made comes first */
	{"/docker/" A "/docker/" B, A, "docker"},
	{"/docker/" A "/sub", A, "docker"},
	{"/docker/" A "/docker-" B ".scope", A, "docker"},
	{"/docker/" A "/" B, A, "docker"},
	{"/system.slice/docker-" A ".scope/init.scope", A, "docker"},
	{"/system.slice/docker-" A ".scope/kubepods/pod1/crio-" B, A, "docker"},
	{"/docker/" A "/x.service", A, "docker"},
	{"/default/web/sub/../deeper", "web", "containerd"},
	/* the host's own */
	{"/", NULL, NULL},
	{"", NULL, NULL},
	{"/init.scope", NULL, NULL},
	{"/system.slice/docker.service", NULL, NULL},
	{"/system.slice/ssh.service/sub", NULL, NULL},
	{"/user.slice/user-0.slice/session-1.scope", NULL, NULL},
	{"/kubepods/besteffort", NULL, NULL},
	{"/docker", NULL, NULL},
	{"/docker/buildkit", NULL, NULL},
	{"/machine.slice/libpod-conmon-" A ".scope", NULL, NULL},
	/* almost */
	{"/docker/" A "0", NULL, NULL},
	{"/docker/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaA", NULL, NULL},
	{"/system.slice/docker-" A ".scope.d", NULL, NULL},
	{"/system.slice/docker-.scope", NULL, NULL},
	{"/system.slice/docker-" A, NULL, NULL},
	{"/default/..", NULL, NULL},
	{"/default/a b", NULL, NULL},
	{"/default/x\x1b[31m", NULL, NULL},
	{"////", NULL, NULL},
};

static void the_outermost_container_of_a_path_is_found(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char id[65] = "";
		const char *engine = NULL;
		bool found = cgroup_container_id(slice_of(rows[i].path), id, &engine);

		if (found != (rows[i].id != NULL))
			fail_msg("%s: %s '%s'", rows[i].path, found ? "found" : "not found", id);
		if (!found)
			continue;
		assert_string_equal(id, rows[i].id);
		assert_string_equal(engine, rows[i].engine);
	}
}

static void every_published_case_gives_the_published_id(void **state)
{
	const char *folder = getenv("PICKET_VECTORS");
	char path[4096];
	CLEANUP(buf_finip) struct buf text = {0};
	struct slice rest, line, cell[3];
	unsigned count = 0;

	snprintf(path, sizeof(path), "%s/cgroup-container-ids.tsv",
		 folder && *folder ? folder : TEST_ROOT "/../shared/vectors");
	if (file_read(path, 1 << 20, &text, NULL) < 0) {
		print_message("no vectors at %s: our own table alone\n", path);
		skip();
	}
	rest = buf_slice(&text);
	(void)slice_split(&rest, '\n', &line); /* the head */
	while (slice_split(&rest, '\n', &line)) {
		char id[65] = "";
		const char *engine;

		if (!line.n)
			continue;
		for (unsigned i = 0; i < 3; i++)
			assert_true(slice_split(&line, '\t', &cell[i]));
		bool found = cgroup_container_id(cell[0], id, &engine);
		if (found != slice_is(cell[2], "true"))
			fail_msg("%.*s: found %d", SLICE_FMT(cell[0]), found);
		/* The published ids are cut at 12. */
		if (found && !slice_is(cell[1], "") && strncmp(id, cell[1].p, cell[1].n) != 0)
			fail_msg("%.*s: '%s'", SLICE_FMT(cell[0]), id);
		count++;
	}
	assert_true(count >= 13);
}

static void a_path_says_whether_a_user_could_have_made_it(void **state)
{
	struct cgroup_match m;

	assert_true(cgroup_find_id(slice_of("/user.slice/user-1000.slice/docker-" A ".scope"), &m));
	assert_true(m.is_user);
	assert_true(cgroup_find_id(slice_of("/docker/" A), &m));
	assert_false(m.is_user);
	assert_false(m.is_loose);
	assert_true(cgroup_find_id(slice_of("/one/two"), &m));
	assert_true(m.is_loose);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_outermost_container_of_a_path_is_found),
		cmocka_unit_test(every_published_case_gives_the_published_id),
		cmocka_unit_test(a_path_says_whether_a_user_could_have_made_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
