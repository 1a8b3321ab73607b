/* test_reach.c - who can reach whom by what they are in, and who did. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <errno.h>

#include <cmocka.h>

#include "agent/learn/reach.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct reach_network networks[] = {
	{ .name = "bridge", .driver = "bridge", .is_default = true },
	{ .name = "front", .driver = "bridge" },
	{ .name = "quiet", .driver = "bridge", .is_icc_off = true },
	{ .name = "lan", .driver = "macvlan", .is_icc_off = true }, /* no option of that driver */
	{ .name = "host", .driver = "host" },
};
static const struct reach_member m_web[] = { { "front", "172.20.0.2", "" }, { "quiet", "172.21.0.2", "" } };
static const struct reach_member m_api[] = { { "front", "172.20.0.3", "fd00::3" } };
static const struct reach_member m_db[] = { { "quiet", "172.21.0.3", "" } };
static const struct reach_member m_old[] = { { "bridge", "172.17.0.2", "" } };
static const struct reach_member m_lan1[] = { { "lan", "10.9.0.1", "" } }, m_lan2[] = { { "lan", "10.9.0.2", "" } };
static const struct reach_member m_host[] = { { "host", "", "" } };
static const struct reach_port p_web[] = { { 80, 8080, "tcp", "" }, { 81, 0, "tcp", "" } };

enum { WEB, API, DB, OLD, SIDE, AGENT, ALONE, LAN1, LAN2, COUNT };
static const struct reach_container containers[COUNT] = {
	[WEB] = { .name = "web", .id = ID, .network_mode = "front", .members = m_web, .member_count = 2, .ports = p_web, .port_count = 2 },
	[API] = { .name = "api", .network_mode = "front", .members = m_api, .member_count = 1 },
	[DB] = { .name = "db", .network_mode = "quiet", .members = m_db, .member_count = 1 },
	[OLD] = { .name = "old", .network_mode = "bridge", .members = m_old, .member_count = 1 },
	[SIDE] = { .name = "side", .network_mode = "container:" ID },
	[AGENT] = { .name = "agent", .network_mode = "host", .members = m_host, .member_count = 1 },
	[ALONE] = { .name = "alone", .network_mode = "none" },
	[LAN1] = { .name = "lan1", .network_mode = "lan", .members = m_lan1, .member_count = 1 },
	[LAN2] = { .name = "lan2", .network_mode = "lan", .members = m_lan2, .member_count = 1 },
};

static struct reach_input input(const struct reach_flow *flows, size_t count)
{
	return (struct reach_input){ containers, COUNT, networks, ARRAY_LEN(networks), flows, count };
}

static const struct reach_pair *pair(const struct reach_result *r, size_t a, size_t b)
{
	for (size_t i = 0; i < r->pair_count; i++)
		if (r->pairs[i].a == a && r->pairs[i].b == b)
			return &r->pairs[i];
	return NULL;
}

static enum reach_way way(const struct reach_result *r, size_t a, size_t b)
{
	const struct reach_pair *p = pair(r, a, b);

	return p ? p->way : REACH_NO;
}

static void membership_icc_and_namespaces_say_who_can(void **state)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(1 << 20);
	struct reach_input in = input(NULL, 0);
	struct reach_result r;

	assert_int_equal(reach_judge(&in, REACH_NOBODY, a, &r, NULL), 0);
	assert_int_equal(way(&r, WEB, API), REACH_NETWORK);
	assert_string_equal(pair(&r, WEB, API)->network, "front");
	assert_int_equal(way(&r, WEB, DB), REACH_NO);	/* icc off */
	assert_int_equal(way(&r, WEB, OLD), REACH_NO);	/* no network in common */
	assert_int_equal(way(&r, WEB, SIDE), REACH_SHARED);
	assert_int_equal(way(&r, API, SIDE), REACH_NETWORK); /* with the networks of web */
	assert_int_equal(way(&r, DB, AGENT), REACH_HOST);
	assert_int_equal(way(&r, AGENT, ALONE), REACH_NO);
	assert_int_equal(way(&r, LAN1, LAN2), REACH_NETWORK);
	assert_int_equal(r.on_default_count, 1);
	assert_int_equal(r.on_default[0], OLD);
	assert_int_equal(r.share_count, 1);
	assert_int_equal(r.shares[0].who, SIDE);
	assert_int_equal(r.shares[0].of, WEB);
	assert_int_equal(r.unused_count, r.pair_count);
}

static void flows_say_who_did(void **state)
{
	static const struct reach_flow flows[] = {
		{ .from = "web", .to = "api", .port = 80, .protocol = "tcp", .count = 3 },
		{ .from = "web", .to_address = "::ffff:172.20.0.3", .port = 80, .protocol = "tcp", .count = 2 },
		{ .from_address = "fd00::3", .to = "web", .count = UINT64_MAX },
		{ .from = "api", .to = "web", .count = 7 }, /* full is full */
		{ .from = "web", .to_address = "172.17.0.2", .port = 5432, .protocol = "tcp" },
		{ .from = "web", .to_address = "1.1.1.1" },
		{ .from = "web", .to = "gone", .to_address = "172.20.0.3" }, /* a name is believed, not its address */
		{ .from = "web", .to = "web" },
		{ .from = NULL, .to = NULL, .from_address = "x", .to_address = NULL },
	};
	CLEANUP(arena_freep) struct arena *a = arena_new(1 << 20);
	struct reach_input in = input(flows, ARRAY_LEN(flows));
	struct reach_result r;

	assert_int_equal(reach_judge(&in, WEB, a, &r, NULL), 0);
	assert_int_equal(pair(&r, WEB, API)->ab, 5);
	assert_true(pair(&r, WEB, API)->ba == UINT64_MAX);
	assert_int_equal(pair(&r, WEB, OLD)->ab, 1);
	assert_int_equal(way(&r, WEB, OLD), REACH_NO); /* and did all the same */
	assert_int_equal(r.outside, 3);
	assert_null(pair(&r, LAN1, LAN2)); /* of web alone */
	assert_int_equal(r.unused_count, 2); /* side, agent */
}

static bool has(const struct buf *b, const char *s)
{
	return slice_find(buf_slice(b), slice_of(s)) >= 0;
}

static void the_text_tells_what_to_do(void **state)
{
	static const struct reach_flow flows[] = { { .from = "web", .to = "api", .count = 1 } };
	CLEANUP(arena_freep) struct arena *a = arena_new(1 << 20);
	CLEANUP(buf_finip) struct buf out = { 0 };
	struct reach_input in = input(flows, 1);
	struct reach_result r;

	assert_int_equal(reach_judge(&in, REACH_NOBODY, a, &r, NULL), 0);
	reach_text(&in, REACH_NOBODY, &r, &out);
	assert_true(has(&out, "web - api: network front; seen 1 ->, 0 <-"));
	assert_true(has(&out, "old is on the default bridge"));
	assert_true(has(&out, "side is in the network namespace of web"));
	assert_true(has(&out, "agent is in the host's network"));
	assert_true(has(&out, "at the host's 8080/tcp\n"));
	assert_true(has(&out, "network lan: 1 of 1 pairs never talked"));
	assert_false(has(&out, "network quiet"));
	buf_reset(&out);
	in.flow_count = 0;
	assert_int_equal(reach_judge(&in, API, a, &r, NULL), 0);
	reach_text(&in, API, &r, &out);
	assert_true(has(&out, "api used nothing of network front, where 2 can reach it"));
	assert_false(has(&out, "old"));
}

static void hostile_names_are_shown_harmless_and_bounds_hold(void **state)
{
	static const struct reach_container odd[] = {
		{ .name = "a\x1b[2J", .network_mode = "container:b", .members = m_api, .member_count = 1 },
		{ .name = "b", .network_mode = "container:a\x1b[2J", .members = m_api, .member_count = 1 },
		{ .name = NULL, .network_mode = "container:" },
	};
	CLEANUP(arena_freep) struct arena *a = arena_new(1 << 20), *small = arena_new(64);
	CLEANUP(buf_finip) struct buf out = { 0 };
	struct reach_input in = { .containers = odd, .container_count = 3 };
	struct reach_result r;
	struct err err;

	assert_int_equal(reach_judge(&in, REACH_NOBODY, a, &r, &err), 0);
	reach_text(&in, REACH_NOBODY, &r, &out);
	assert_false(has(&out, "\x1b"));
	assert_int_equal(reach_judge(&in, 3, a, &r, &err), -ERR_NOT_FOUND);
	assert_int_equal(reach_judge(&in, 0, small, &r, &err), -ENOMEM);
	in.container_count = REACH_CONTAINERS_MAX + 1;
	assert_int_equal(reach_judge(&in, REACH_NOBODY, a, &r, &err), -ERR_LIMIT);
}

static void a_large_host_is_cut_and_says_so(void **state)
{
	enum { MANY = 300 };
	CLEANUP(arena_freep) struct arena *a = arena_new(32 << 20);
	static struct reach_container many[MANY];
	static char name[MANY][8];
	struct reach_input in = { many, MANY, networks, ARRAY_LEN(networks), NULL, 0 };
	struct reach_result r;

	for (size_t i = 0; i < MANY; i++) {
		snprintf(name[i], sizeof(name[i]), "c%zu", i);
		many[i] = (struct reach_container){ .name = name[i], .members = m_api, .member_count = 1 };
	}
	assert_int_equal(reach_judge(&in, REACH_NOBODY, a, &r, NULL), 0);
	assert_int_equal(r.pair_count, REACH_PAIRS_MAX);
	assert_true(r.is_cut);
	assert_int_equal(reach_judge(&in, 7, a, &r, NULL), 0);
	assert_int_equal(r.pair_count, MANY - 1);
	assert_false(r.is_cut);
}

static void who_is_meant_is_found(void **state)
{
	struct reach_input in = input(NULL, 0);

	assert_int_equal(reach_find(&in, "web"), WEB);
	assert_int_equal(reach_find(&in, "0123456789ab"), WEB);
	assert_true(reach_find(&in, "0123456789a") == REACH_NOBODY);
	assert_true(reach_find(&in, "") == REACH_NOBODY);
	assert_int_equal(reach_find_address(&in, "172.21.0.2", NULL), WEB);
	assert_int_equal(reach_find_address(&in, "fd00:0::3", &containers[WEB]), API);
	assert_true(reach_find_address(&in, "", NULL) == REACH_NOBODY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(membership_icc_and_namespaces_say_who_can),
		cmocka_unit_test(flows_say_who_did),
		cmocka_unit_test(the_text_tells_what_to_do),
		cmocka_unit_test(hostile_names_are_shown_harmless_and_bounds_hold),
		cmocka_unit_test(a_large_host_is_cut_and_says_so),
		cmocka_unit_test(who_is_meant_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
