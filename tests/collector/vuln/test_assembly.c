/* test_assembly.c - parts of an inventory, in order and out of it, and frames made to harm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <zstd.h>

#include <stdio.h>
#include <stdlib.h>

#include "collector/vuln/assembly.h"
#include "collector/vuln/limits.h"
#include "common/tls.h"

static struct assemblies *x;

static int setup(void **state)
{
	x = assemblies_new();
	return x ? 0 : -1;
}

static int teardown(void **state)
{
	assemblies_free(x);
	return 0;
}

static uint8_t key[256][32];

static enum assembly_state add(const char *agent, unsigned which, uint32_t part, uint32_t parts, struct slice data,
			       uint64_t now, uint32_t *next, struct slice *whole)
{
	Picket__InventoryPart p = PICKET__INVENTORY_PART__INIT;

	key[which][0] = (uint8_t)which;
	p.inventory_sha256 = (ProtobufCBinaryData){ 32, key[which] };
	p.part = part;
	p.parts = parts;
	p.data = msg_bytes(data);
	return assembly_add(x, agent, &p, now, next, whole);
}

static void parts_in_order_make_a_whole(void **state)
{
	struct slice whole;
	uint32_t next;

	assert_int_equal(add("a", 1, 0, 3, SLICE_LIT("one "), 1, &next, &whole), ASSEMBLY_MORE);
	assert_int_equal(next, 1);
	/* another agent's inventory of the same digest is its own */
	assert_int_equal(add("b", 1, 1, 3, SLICE_LIT("two "), 1, &next, &whole), ASSEMBLY_MORE);
	assert_int_equal(next, 0);
	/* out of order, twice, and with another count */
	assert_int_equal(add("a", 1, 2, 3, SLICE_LIT("three"), 1, &next, &whole), ASSEMBLY_MORE);
	assert_int_equal(next, 1);
	assert_int_equal(add("a", 1, 1, 3, SLICE_LIT("two "), 1, &next, &whole), ASSEMBLY_MORE);
	assert_int_equal(add("a", 1, 1, 3, SLICE_LIT("two "), 1, &next, &whole), ASSEMBLY_MORE);
	assert_int_equal(next, 2);
	assert_int_equal(add("a", 1, 2, 3, SLICE_LIT("three"), 1, &next, &whole), ASSEMBLY_WHOLE);
	assert_true(slice_is(whole, "one two three"));
	assembly_end(x, "a", slice_from(key[1], 32));
	assert_int_equal(assemblies_count(x), 0);
	assert_int_equal(add("a", 1, 0, 3, SLICE_LIT("one "), 1, &next, &whole), ASSEMBLY_MORE);
	assert_int_equal(add("a", 1, 1, 4, SLICE_LIT("two "), 1, &next, &whole), ASSEMBLY_MORE);
	assert_int_equal(next, 0);
}

static void an_agent_makes_room_for_itself_and_none_at_others_cost(void **state)
{
	struct slice whole;
	uint32_t next;
	char agent[16];

	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(add("a", i, 0, 2, SLICE_LIT("x"), 1 + i, &next, &whole), ASSEMBLY_MORE);
	assert_int_equal(assemblies_count(x), VULN_ASSEMBLIES_PER_AGENT);
	for (unsigned i = 0; i < VULN_ASSEMBLIES - VULN_ASSEMBLIES_PER_AGENT; i++) {
		snprintf(agent, sizeof(agent), "b%u", i);
		assert_int_equal(add(agent, 1, 0, 2, SLICE_LIT("x"), 10, &next, &whole), ASSEMBLY_MORE);
	}
	assert_int_equal(add("late", 1, 0, 2, SLICE_LIT("x"), 10, &next, &whole), ASSEMBLY_BUSY);
	/* whoever says nothing for a minute loses his place */
	assert_int_equal(add("late", 1, 0, 2, SLICE_LIT("x"), 10 + VULN_ASSEMBLY_IDLE_MS * 1000000ull, &next, &whole),
			 ASSEMBLY_MORE);
}

static void all_together_hold_only_so_much(void **state)
{
	struct slice whole, big = { calloc(1, LIMIT_PART_BYTES), LIMIT_PART_BYTES };
	uint32_t next;
	unsigned kept = 0;
	char agent[16];

	assert_non_null(big.p);
	for (unsigned i = 0; i < 12; i++) {
		snprintf(agent, sizeof(agent), "a%u", i);
		for (uint32_t part = 0; part < LIMIT_PARTS; part++) {
			add(agent, 1, part, LIMIT_PARTS + 1, big, 1, &next, &whole);
			kept += next == part + 1;
		}
	}
	assert_int_equal(kept, VULN_ASSEMBLY_BYTES / LIMIT_PART_BYTES);
	free((void *)(uintptr_t)big.p);
}

/* ---- frames ---- */

static size_t squeeze(struct slice plain, char *dst, size_t size)
{
	size_t n = ZSTD_compress(dst, size, plain.p, plain.n, 3);

	assert_false(ZSTD_isError(n));
	return n;
}

static void a_frame_comes_out_as_it_went_in(void **state)
{
	static const struct slice plain = SLICE_LIT("some bytes, some bytes, some bytes");
	char frame[256];
	uint8_t sha[32];
	struct buf out = { 0 };
	struct err err;

	tls_sha256(plain, sha);
	size_t n = squeeze(plain, frame, sizeof(frame));
	assert_int_equal(assembly_unpack(slice_from(frame, n), slice_from(sha, 32), &out, &err), 0);
	assert_true(slice_eq(buf_slice(&out), plain));
	/* another digest, cut, damaged, with something behind */
	sha[0] ^= 1;
	assert_int_equal(assembly_unpack(slice_from(frame, n), slice_from(sha, 32), &out, &err), -ERR_CORRUPT);
	sha[0] ^= 1;
	for (size_t cut = 0; cut < n; cut++)
		assert_int_equal(assembly_unpack(slice_from(frame, cut), slice_from(sha, 32), &out, &err), -ERR_CORRUPT);
	frame[n] = 'x';
	assert_int_equal(assembly_unpack(slice_from(frame, n + 1), slice_from(sha, 32), &out, &err), -ERR_CORRUPT);
	frame[4] ^= 0x55;
	assert_true(assembly_unpack(slice_from(frame, n), slice_from(sha, 32), &out, &err) < 0);
	buf_fini(&out);
}

static void a_bomb_stops_at_the_bound(void **state)
{
	const size_t size = 64u << 20;
	char *plain = calloc(1, size), frame[65536];
	uint8_t sha[32] = { 0 };
	struct buf out = { 0 };
	struct err err;

	assert_non_null(plain);
	size_t n = squeeze(slice_from(plain, size), frame, sizeof(frame));
	assert_int_equal(assembly_unpack(slice_from(frame, n), slice_from(sha, 32), &out, &err), -ERR_LIMIT);
	assert_true(out.size <= LIMIT_INVENTORY_BYTES + (2u << 20));
	n = squeeze(slice_from(plain, LIMIT_INVENTORY_BYTES + 1), frame, sizeof(frame));
	tls_sha256(slice_from(plain, LIMIT_INVENTORY_BYTES + 1), sha);
	assert_int_equal(assembly_unpack(slice_from(frame, n), slice_from(sha, 32), &out, &err), -ERR_LIMIT);
	/* exactly the bound is fine */
	n = squeeze(slice_from(plain, LIMIT_INVENTORY_BYTES), frame, sizeof(frame));
	tls_sha256(slice_from(plain, LIMIT_INVENTORY_BYTES), sha);
	assert_int_equal(assembly_unpack(slice_from(frame, n), slice_from(sha, 32), &out, &err), 0);
	buf_fini(&out);
	free(plain);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(parts_in_order_make_a_whole),
		TEST(an_agent_makes_room_for_itself_and_none_at_others_cost),
		TEST(all_together_hold_only_so_much),
		TEST(a_frame_comes_out_as_it_went_in),
		TEST(a_bomb_stops_at_the_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
