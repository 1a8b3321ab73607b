/* test_msg_images.c - requests about images: what is refused, by which name, and a layer's key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "proto/msg.h"

#define AGENT "11111111-2222-4333-8444-555555555555"
#define IMAGE "sha256:abc"

static struct arena *arena;
static uint8_t key[LIMIT_KEY_BYTES] = {1, 2, 3};

static int setup(void **state)
{
	arena = arena_new(LIMIT_INVENTORY_ARENA_BYTES);
	return arena ? 0 : -1;
}

static int teardown(void **state)
{
	arena_free(arena);
	return 0;
}

static char *str(const char *s)
{
	return (char *)(uintptr_t)s;
}

static ProtobufCBinaryData a_key(size_t n)
{
	return (ProtobufCBinaryData){n, key};
}

/* Packs without our checks and reads with them: what the collector says to it. */
static int read_request(Picket__Request *m, struct err *err)
{
	Picket__Request *back;

	m->protocol = PROTO_VERSION;
	m->agent_id = str(AGENT);
	size_t n = picket__request__get_packed_size(m);
	uint8_t *packed = malloc(n + 1);
	assert_non_null(packed);
	picket__request__pack(m, packed);
	arena_reset(arena);
	int r = msg_read_request(slice_from(packed, n), arena, &back, err);
	free(packed);
	struct buf out;
	buf_init(&out, 0);
	assert_int_equal(msg_pack_request(m, &out, NULL) == 0, r == 0);
	buf_fini(&out);
	return r;
}

static void expect(Picket__Request *m, const char *want)
{
	struct err err = {0};
	int r = read_request(m, &err);

	if ((r == 0) != !want || (want && !strstr(err.msg, want)))
		fail_msg("%d %s, want %s", r, err.msg, want ? want : "nothing wrong");
}

static void asks_are_by_image_and_whole_keys(void **state)
{
	static const struct {
		const char *image;
		size_t key_bytes, count;
		const char *want;
	} cases[] = {
		{IMAGE, 32, 1, NULL},
		{"", 32, 1, "ImageAsk.image_id"},
		{"sha256:\033[2J", 32, 1, "ImageAsk.image_id"},
		{IMAGE, 31, 1, "a key of 31 bytes"},
		{IMAGE, 0, 1, "a key of 0 bytes"},
		{IMAGE, 32, 0, "ImagesAsk.images: none"},
		{IMAGE, 32, LIMIT_IMAGES_ASKED, NULL},
		{IMAGE, 32, LIMIT_IMAGES_ASKED + 1, "more than 128"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		Picket__Request m = PICKET__REQUEST__INIT;
		Picket__ImagesAsk ask = PICKET__IMAGES_ASK__INIT;
		Picket__ImageAsk one = PICKET__IMAGE_ASK__INIT, *all[LIMIT_IMAGES_ASKED + 1];
		ProtobufCBinaryData k = a_key(cases[i].key_bytes);

		one.image_id = str(cases[i].image);
		one.layer_keys = &k;
		one.n_layer_keys = 1;
		for (size_t j = 0; j < cases[i].count; j++)
			all[j] = &one;
		ask.images = all;
		ask.n_images = cases[i].count;
		m.body_case = PICKET__REQUEST__BODY_IMAGES_ASK;
		m.images_ask = &ask;
		expect(&m, cases[i].want);
	}
}

static void parts_are_counted_and_have_content(void **state)
{
	static uint8_t data[LIMIT_PART_BYTES + 1];
	static const struct {
		uint32_t part, parts;
		size_t bytes, sha;
		const char *want;
	} cases[] = {
		{0, 1, 1, 32, NULL},
		{0, 1, LIMIT_PART_BYTES, 32, NULL},
		{0, 1, LIMIT_PART_BYTES + 1, 32, "InventoryPart.data"},
		{0, 1, 0, 32, "InventoryPart.data"},
		{0, 0, 1, 32, "part 0 of 0"},
		{1, 1, 1, 32, "part 1 of 1"},
		{LIMIT_PARTS - 1, LIMIT_PARTS, 1, 32, NULL},
		{0, LIMIT_PARTS + 1, 1, 32, "at most 17"},
		{0, 1, 1, 20, "a key of 20 bytes"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		Picket__Request m = PICKET__REQUEST__INIT;
		Picket__InventoryPart p = PICKET__INVENTORY_PART__INIT;

		p.image_id = str(IMAGE);
		p.inventory_sha256 = a_key(cases[i].sha);
		p.part = cases[i].part;
		p.parts = cases[i].parts;
		p.data = (ProtobufCBinaryData){cases[i].bytes, data};
		m.body_case = PICKET__REQUEST__BODY_INVENTORY_PART;
		m.inventory_part = &p;
		expect(&m, cases[i].want);
	}
}

static void what_is_in_use_has_a_state_and_names(void **state)
{
	static const struct {
		uint64_t state;
		uint32_t part, parts;
		bool is_unchanged;
		const char *container, *package; /* NULL: no image at all */
		uint64_t last;
		const char *want;
	} cases[] = {
		{1, 0, 1, false, "c0ffee", "openssl", 1, NULL},
		{1, 0, 1, false, NULL, NULL, 0, NULL},
		{0, 0, 1, false, "c0ffee", "openssl", 1, "ImagesInUse.state"},
		{1ULL << 63, 0, 1, false, "c0ffee", "openssl", 1, "ImagesInUse.state"},
		{1, 1, 1, false, "c0ffee", "openssl", 1, "part 1 of 1"},
		{1, 0, 0, false, NULL, NULL, 0, "part 0 of 0"},
		{1, 0, 0, true, NULL, NULL, 0, NULL},
		{1, 0, 1, true, "c0ffee", "openssl", 1, "unchanged, with images"},
		{1, 0, 1, false, "", "openssl", 1, "ContainerUse.id"},
		{1, 0, 1, false, "c0ffee", "", 1, "PackageUse.name"},
		{1, 0, 1, false, "c0ffee", "openssl", 1ULL << 40, "PackageUse.last_unix_s"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		Picket__Request m = PICKET__REQUEST__INIT;
		Picket__ImagesInUse s = PICKET__IMAGES_IN_USE__INIT;
		Picket__ImageUse use = PICKET__IMAGE_USE__INIT, *uses = &use;
		Picket__ContainerUse c = PICKET__CONTAINER_USE__INIT, *cs = &c;
		Picket__PackageUse p = PICKET__PACKAGE_USE__INIT, *ps = &p;

		s.state = cases[i].state;
		s.part = cases[i].part;
		s.parts = cases[i].parts;
		s.is_unchanged = cases[i].is_unchanged;
		if (cases[i].container) {
			s.images = &uses;
			s.n_images = 1;
			use.image_id = str(IMAGE);
			use.containers = &cs;
			use.n_containers = 1;
			c.id = str(cases[i].container);
			use.packages = &ps;
			use.n_packages = 1;
			p.name = str(cases[i].package);
			p.last_unix_s = cases[i].last;
		}
		m.body_case = PICKET__REQUEST__BODY_IMAGES_IN_USE;
		m.images_in_use = &s;
		expect(&m, cases[i].want);
	}
}

static void scans_are_asked_of_named_images(void **state)
{
	static char good[] = IMAGE, empty[] = "", odd[] = "sha256:\x1b[31m";
	static const struct {
		char *image;
		const char *want;
	} cases[] = { { good, NULL }, { empty, "ImageScansAsk.image_id" }, { odd, "ImageScansAsk.image_id" }, { NULL, NULL } };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		Picket__Request m = PICKET__REQUEST__INIT;
		Picket__ImageScansAsk q = PICKET__IMAGE_SCANS_ASK__INIT;
		char *ids[] = { cases[i].image };

		q.image_ids = ids;
		q.n_image_ids = cases[i].image != NULL;
		m.body_case = PICKET__REQUEST__BODY_IMAGE_SCANS_ASK;
		m.image_scans_ask = &q;
		expect(&m, cases[i].want);
	}
}

static void a_scan_says_when_and_what_in_plain_words(void **state)
{
	static const struct {
		const char *image, *worst;
		uint64_t scanned, matched;
		bool is_good;
	} cases[] = {
		{ IMAGE, "high", 1, 1, true },	    { IMAGE, "", 1, 0, true },		   { IMAGE, "high", 0, 1, false },
		{ "", "high", 1, 1, false },	    { IMAGE, "hi\ngh", 1, 1, false },	   { IMAGE, "high", 1ULL << 40, 1, false },
		{ IMAGE, "high", 1, UINT64_MAX, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(buf_finip) struct buf out = { 0 };
		Picket__Reply m = PICKET__REPLY__INIT;
		Picket__ImageScansReply r = PICKET__IMAGE_SCANS_REPLY__INIT;
		Picket__ImageScan s = PICKET__IMAGE_SCAN__INIT, *all = &s;

		s.image_id = str(cases[i].image);
		s.worst = str(cases[i].worst);
		s.scanned_unix_s = cases[i].scanned;
		r.matched_unix_s = cases[i].matched;
		r.images = &all;
		r.n_images = 1;
		m.protocol = PROTO_VERSION;
		m.body_case = PICKET__REPLY__BODY_IMAGE_SCANS;
		m.image_scans = &r;
		buf_init(&out, LIMIT_MESSAGE_BYTES);
		assert_int_equal(msg_pack_reply(&m, &out, NULL) >= 0, cases[i].is_good);
	}
}

static void base_images_say_which_and_when(void **state)
{
	static const struct {
		const char *image, *reference;
		uint64_t checked;
		const char *want;
	} cases[] = {
		{IMAGE, "registry.example/app:1", 1, NULL},
		{"", "registry.example/app:1", 1, "BaseImage.image_id"},
		{IMAGE, "", 1, "BaseImage: reference"},
		{IMAGE, "registry.example/app:1", 0, "BaseImage: reference"},
		{IMAGE, "registry.example/app:1", UINT64_MAX, "BaseImage.checked_unix_s"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		Picket__Request m = PICKET__REQUEST__INIT;
		Picket__BaseImages all = PICKET__BASE_IMAGES__INIT;
		Picket__BaseImage b = PICKET__BASE_IMAGE__INIT, *bs = &b;

		b.image_id = str(cases[i].image);
		b.reference = str(cases[i].reference);
		b.checked_unix_s = cases[i].checked;
		all.images = &bs;
		all.n_images = 1;
		m.body_case = PICKET__REQUEST__BODY_BASE_IMAGES;
		m.base_images = &all;
		expect(&m, cases[i].want);
	}
}

static void replies_keep_the_same_rules(void **state)
{
	Picket__Reply m = PICKET__REPLY__INIT, *back;
	Picket__InventoryReply inv = PICKET__INVENTORY_REPLY__INIT;
	Picket__ImagesReply images = PICKET__IMAGES_REPLY__INIT;
	Picket__ImageKnown known = PICKET__IMAGE_KNOWN__INIT, *knowns = &known;
	ProtobufCBinaryData short_key = a_key(5), right_key = a_key(32);
	struct buf out;
	struct err err;

	buf_init(&out, 0);
	m.protocol = PROTO_VERSION;
	m.body_case = PICKET__REPLY__BODY_INVENTORY;
	m.inventory = &inv;
	inv.image_id = str(IMAGE);
	inv.inventory_sha256 = a_key(32);
	inv.missing_layer_keys = &right_key;
	inv.n_missing_layer_keys = 1;
	assert_int_equal(msg_pack_reply(&m, &out, &err), 0);
	assert_int_equal(msg_read_reply(buf_slice(&out), arena, &back, &err), 0);
	assert_int_equal(back->inventory->n_missing_layer_keys, 1);
	inv.missing_layer_keys = &short_key;
	assert_int_equal(msg_pack_reply(&m, &out, &err), -ERR_CORRUPT);
	inv.n_missing_layer_keys = 0;
	inv.next_part = LIMIT_PARTS + 1;
	assert_int_equal(msg_pack_reply(&m, &out, &err), -ERR_CORRUPT);
	m.body_case = PICKET__REPLY__BODY_IMAGES;
	m.images = &images;
	images.images = &knowns;
	images.n_images = 1;
	known.image_id = str(IMAGE);
	known.unknown_layer_keys = &short_key;
	known.n_unknown_layer_keys = 1;
	assert_int_equal(msg_pack_reply(&m, &out, &err), -ERR_CORRUPT);
	known.unknown_layer_keys = &right_key;
	assert_int_equal(msg_pack_reply(&m, &out, &err), 0);
	buf_fini(&out);
}

static void an_inventory_names_its_image(void **state)
{
	static const struct {
		const char *image;
		size_t key_bytes;
		uint64_t taken;
		const char *want;
	} cases[] = {
		{IMAGE, 32, 1795463975, NULL},
		{IMAGE, 0, 0, NULL},
		{"", 32, 0, "Inventory.image_id"},
		{IMAGE, 7, 0, "Layer.key"},
		{IMAGE, 32, UINT64_MAX, "Inventory.taken_unix_s"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		Picket__Inventory m = PICKET__INVENTORY__INIT, *back;
		Picket__Layer l = PICKET__LAYER__INIT, *ls = &l;
		uint8_t packed[256];
		struct err err = {0};
		struct buf out;

		m.image_id = str(cases[i].image);
		m.taken_unix_s = cases[i].taken;
		m.layers = &ls;
		m.n_layers = 1;
		l.key = a_key(cases[i].key_bytes);
		size_t n = picket__inventory__pack(&m, packed);
		int r = msg_read_inventory(slice_from(packed, n), arena, &back, &err);
		if ((r == 0) != !cases[i].want || (cases[i].want && !strstr(err.msg, cases[i].want)))
			fail_msg("case %zu: %d %s", i, r, err.msg);
		buf_init(&out, 0);
		assert_int_equal(msg_pack_inventory(&m, &out, NULL), r);
		buf_fini(&out);
	}
}

static void a_layers_key_is_of_its_packages_in_order(void **state)
{
	/* sha256sum of nothing, and of the bytes below */
	static const char empty[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
	static const char two[] = "e958a1b5d7150e99f92809e34af7b4bf13fe42afcbf34821c94ebda3be2ae9b5";
	Picket__Package a = PICKET__PACKAGE__INIT, b = PICKET__PACKAGE__INIT;
	Picket__Package *ab[] = {&a, &b}, *ba[] = {&b, &a};
	uint8_t k[LIMIT_KEY_BYTES];
	char hex[2 * LIMIT_KEY_BYTES + 1];

	a.ecosystem = str("deb"); /* 0a 03 "deb" 12 01 "a" 1a 01 "1" */
	a.name = str("a");
	a.version = str("1");
	b.name = str("b"); /* 12 01 "b" */
	assert_int_equal(msg_layer_key(NULL, 0, k, NULL), 0);
	assert_string_equal(text_hex(k, sizeof(k), hex), empty);
	assert_int_equal(msg_layer_key(ab, 2, k, NULL), 0);
	assert_string_equal(text_hex(k, sizeof(k), hex), two);
	assert_int_equal(msg_layer_key(ba, 2, k, NULL), 0);
	assert_string_not_equal(text_hex(k, sizeof(k), hex), two);
	char *huge = malloc(20000);
	assert_non_null(huge);
	memset(huge, 'x', 19999);
	huge[19999] = 0;
	a.name = huge;
	assert_int_equal(msg_layer_key(ab, 2, k, NULL), -ERR_LIMIT);
	free(huge);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(asks_are_by_image_and_whole_keys),
		TEST(parts_are_counted_and_have_content),
		TEST(what_is_in_use_has_a_state_and_names),
		TEST(scans_are_asked_of_named_images),
		TEST(a_scan_says_when_and_what_in_plain_words),
		TEST(base_images_say_which_and_when),
		TEST(replies_keep_the_same_rules),
		TEST(an_inventory_names_its_image),
		TEST(a_layers_key_is_of_its_packages_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
