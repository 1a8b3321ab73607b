/* test_place.c - the kernel's texts and messages of where a container is. */
#include "agent/guard/net/place.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <linux/rtnetlink.h>

#include "agent/guard/net/netlink.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void version_2_is_found_where_it_is_mounted_whole(void **state)
{
	static const struct {
		const char *text, *want; /* NULL: not found */
	} cases[] = {
		{ "24 1 0:22 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n", "/sys/fs/cgroup" },
		{ "30 24 0:25 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
		  "31 24 0:26 / /sys/fs/cgroup/unified rw shared:1 master:2 - cgroup2 none rw\n",
		  "/sys/fs/cgroup/unified" },
		{ "31 24 0:26 /docker/x /mnt rw - cgroup2 none rw\n31 24 0:26 / /a\\040b rw - cgroup2 none rw", "/a b" },
		{ "31 24 0:26 / /mnt rw - cgroup none rw\n", NULL },
		{ "31 24 0:26 / /mnt rw cgroup2\n", NULL },
		{ "31 24 0:26 / - - cgroup2 x\n", NULL },
		{ "cgroup2\n- cgroup2", NULL },
		{ "", NULL },
	};
	char got[64];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int r = place_parse_mountinfo(slice_of(cases[i].text), got, sizeof(got), NULL);

		assert_int_equal(r, cases[i].want ? 0 : -ERR_NOT_FOUND);
		if (cases[i].want)
			assert_string_equal(got, cases[i].want);
	}
	assert_int_equal(place_parse_mountinfo(SLICE_LIT("1 2 3 / /long/er/than/that rw - cgroup2 n r"), got, 8, NULL),
			 -ERR_LIMIT);
	assert_int_equal(place_parse_mountinfo(SLICE_LIT("1 2 3 / /a\\999 rw - cgroup2 n r"), got, 8, NULL), -ERR_LIMIT);
}

static void the_cgroup_ends_where_the_id_stands(void **state)
{
	static const struct {
		const char *text, *want;
		int r;
	} cases[] = {
		{ "0::/docker/" ID "\n", "/docker/" ID, 0 },
		{ "12:pids:/docker/" ID "\n0::/docker/" ID "\n", "/docker/" ID, 0 },
		{ "0::/docker/" ID "/init.scope\n", "/docker/" ID, 0 },
		{ "0::/system.slice/docker-" ID ".scope\n", "/system.slice/docker-" ID ".scope", 0 },
		{ "0::/system.slice/docker-" ID ".scope/a/" ID, "/system.slice/docker-" ID ".scope", 0 },
		{ "4:memory:/docker/" ID "\n0::/\n", "", 0 },		    /* version 1 only */
		{ "0::/docker/" ID "0\n", "", -ESRCH },			    /* another one's */
		{ "0::/docker/f" ID "\n", "", -ESRCH },
		{ "0::/../../docker/" ID "\n", "", -ESRCH },		    /* out of our own root */
		{ "0::/docker/./" ID "\n", "", -ESRCH },
		{ "0:name=systemd:/docker/" ID "\n", "", 0 },		    /* not the line of version 2 */
		{ "0::/user.slice\n", "", -ESRCH },
		{ "0\n:\n::\n", "", -ESRCH },
		{ "", "", -ESRCH },
	};
	char got[256];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int r = place_parse_cgroup(slice_of(cases[i].text), SLICE_LIT(ID), got, sizeof(got), NULL);

		if (r != cases[i].r)
			fail_msg("case %zu: %d", i, r);
		if (!r)
			assert_string_equal(got, cases[i].want);
	}
	assert_int_equal(place_parse_cgroup(SLICE_LIT("0::/docker/" ID), SLICE_LIT(ID), got, 20, NULL), -ERR_CORRUPT);
	assert_int_equal(place_parse_cgroup(SLICE_LIT("0::/docker/"), SLICE_NONE, got, 20, NULL), -EINVAL);
}

/* --- messages --- */

static char message[512];
static size_t message_bytes;

static void put(const void *p, size_t n)
{
	memcpy(message + message_bytes, p, n);
	message_bytes += n;
	while (message_bytes % 4)
		message[message_bytes++] = 0;
}

static void put_attr(uint16_t type, const void *p, size_t n)
{
	struct rtattr a = { .rta_type = type, .rta_len = (unsigned short)(sizeof(a) + n) };

	put(&a, sizeof(a));
	put(p, n);
}

static void put_link(const char *kind)
{
	struct ifinfomsg info = { 0 };
	uint32_t peer = 77;
	int32_t netns = 3;
	char nested[32];
	struct rtattr a = { .rta_type = IFLA_INFO_KIND, .rta_len = (unsigned short)(sizeof(a) + strlen(kind) + 1) };

	memset(message, 0, sizeof(message));
	message_bytes = 0;
	put(&info, sizeof(info));
	put_attr(IFLA_IFNAME, "eth0", 5);
	put_attr(IFLA_LINK, &peer, 4);
	memcpy(nested, &a, sizeof(a));
	strcpy(nested + sizeof(a), kind);
	put_attr(IFLA_LINKINFO | NLA_F_NESTED, nested, a.rta_len);
	put_attr(IFLA_LINK_NETNSID, &netns, 4);
}

static void a_veth_and_nothing_else_is_a_veth(void **state)
{
	uint32_t peer = 0;
	int32_t netns = 0;

	put_link("veth");
	assert_true(place_parse_veth(slice_from(message, message_bytes), &peer, &netns));
	assert_int_equal(peer, 77);
	assert_int_equal(netns, 3);
	/* macvlan's is the host's own device: never to be touched */
	put_link("macvlan");
	assert_false(place_parse_veth(slice_from(message, message_bytes), &peer, &netns));
	put_link("vet");
	assert_false(place_parse_veth(slice_from(message, message_bytes), &peer, &netns));
}

static void a_cut_message_is_no_veth(void **state)
{
	uint32_t peer;
	int32_t netns;

	put_link("veth");
	size_t whole = message_bytes;
	for (size_t n = 0; n < whole; n++) {
		CLEANUP(freep) char *exact = malloc(n + 1); /* so that the sanitizer sees a byte too far */

		memcpy(exact, message, n);
		assert_false(place_parse_veth(slice_from(exact, n), &peer, &netns));
	}
}

static void an_attribute_never_passes_its_end(void **state)
{
	struct rtattr a = { .rta_len = 200, .rta_type = 1 };
	struct slice rest = slice_from(&a, sizeof(a)), value;
	uint16_t type;

	assert_false(netlink_attr(&rest, &type, &value));
	a.rta_len = 3;
	assert_false(netlink_attr(&rest, &type, &value));
	a.rta_len = sizeof(a);
	assert_true(netlink_attr(&rest, &type, &value));
	assert_int_equal(value.n, 0);
	assert_false(netlink_attr(&rest, &type, &value));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(version_2_is_found_where_it_is_mounted_whole),
		cmocka_unit_test(the_cgroup_ends_where_the_id_stands),
		cmocka_unit_test(a_veth_and_nothing_else_is_a_veth),
		cmocka_unit_test(a_cut_message_is_no_veth),
		cmocka_unit_test(an_attribute_never_passes_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
