/* test_facts_mounts.c - where a mount's files are on the host, and sockets told by their place alone. */
#include <fcntl.h>
#include <sys/sysmacros.h>

#include "facts_test.h"

static const char host_text[] = "20 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
				"21 20 8:2 / /var rw - ext4 /dev/sda2 rw\n"
				"22 20 0:30 / /run rw - tmpfs tmpfs rw\n"
				"23 20 8:1 /home/a /srv/a rw - ext4 /dev/sda1 rw\n"
				"24 20 8:1 / /again rw - ext4 /dev/sda1 rw\n";

static struct facts_mount_table parse(const char *text, struct facts_out *o)
{
	struct facts_mount_table t;

	assert_int_equal(facts_parse_mounts(slice_of(text), 100, o, &t.v, &t.count), 0);
	return t;
}

static void the_same_files_are_found_on_the_host(void **state)
{
	struct facts_out o = { .a = *state };
	const struct facts_mount_table host = parse(host_text, &o);
	const struct {
		dev_t dev;
		const char *root, *want;
	} rows[] = {
		{ makedev(8, 1), "/", "/" },
		{ makedev(8, 1), "/etc", "/etc" },
		{ makedev(8, 2), "/lib/docker", "/var/lib/docker" },
		{ makedev(0, 30), "/docker.sock", "/run/docker.sock" },
		{ makedev(8, 1), "/home/a/x", "/srv/a/x" }, /* the nearest */
		{ makedev(8, 1), "/home/ab", "/home/ab" },
		{ makedev(9, 9), "/", "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(facts_host_path(host, rows[i].dev, rows[i].root, &o), rows[i].want);
}

static void sockets_on_a_root_that_may_wait_are_told_by_their_place(void **state)
{
	struct facts_out o = { .a = *state };
	const struct facts_mount_table host = parse(host_text, &o);
	const struct facts_mount_table mounts = parse("50 1 0:99 / / rw - fuse.fuse-overlayfs x rw\n"
						      "51 50 0:30 / /host-run rw - tmpfs tmpfs rw\n"
						      "52 50 0:30 /docker.sock /s ro - tmpfs tmpfs rw\n"
						      "53 50 0:30 /docker /d rw - tmpfs tmpfs rw\n"
						      "54 50 8:1 /docker.sock /other rw - ext4 x rw\n",
						      &o);
	struct facts_socket socket = { .path = "/run/docker.sock", .fs_dev = makedev(0, 30), .fs_path = "/docker.sock" };
	const struct facts_sockets sockets = { &socket, 1 };
	CLEANUP(fd_closep) int dir = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	facts_look_behind(dir, mounts, host, &sockets, &o);
	assert_string_equal(mounts.v[1].api_socket, "/run/docker.sock");
	assert_string_equal(mounts.v[2].api_socket, "/run/docker.sock");
	assert_string_equal(mounts.v[3].api_socket, ""); /* a folder beside it */
	assert_string_equal(mounts.v[4].api_socket, ""); /* another file system */
	assert_string_equal(mounts.v[0].api_socket, "");
	assert_false(mounts.v[1].is_directory); /* nobody looked */
	assert_string_equal(mounts.v[2].host_path, "/run/docker.sock");
	/* A socket whose place is not known is none of theirs. */
	socket.fs_path = "";
	mounts.v[1].api_socket = "";
	facts_look_behind(dir, mounts, host, &sockets, &o);
	assert_string_equal(mounts.v[1].api_socket, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_arena(the_same_files_are_found_on_the_host),
		with_arena(sockets_on_a_root_that_may_wait_are_told_by_their_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
