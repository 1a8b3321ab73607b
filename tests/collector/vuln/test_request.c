/* test_request.c - agents' requests about images, as they come off the wire. */
#include "tests/collector/vuln/advised.h"

#include <zstd.h>

static const char *const base[] = { "deb openssl 3.0.11-1", "deb bash 5.2-1", NULL };
static const char *const app[] = { "npm lodash 4.17.20", NULL };

static struct arena *answers;

static int setup(void **state)
{
	answers = arena_new(LIMIT_ARENA_BYTES);
	return advised_setup(state);
}

static int teardown(void **state)
{
	arena_free(answers);
	return advised_teardown(state);
}

/* Through packing and reading both ways, so that what is answered may be sent. */
static Picket__Reply *request(const char *agent, Picket__Request *rq)
{
	struct buf packed = { 0 };
	Picket__Request *read;
	Picket__Reply reply, *back;

	rq->protocol = PROTO_VERSION;
	rq->agent_id = STOCK_TEXT("11111111-2222-4333-8444-555555555555");
	arena_reset(answers);
	buf_init(&packed, LIMIT_MESSAGE_BYTES);
	OK(msg_pack_request(rq, &packed, &err));
	OK(msg_read_request(buf_slice(&packed), answers, &read, &err));
	OK(store_begin(w.f.s, &err));
	OK(vuln_request(w.v, agent, read, answers, &reply, &err));
	OK(store_commit(w.f.s, &err));
	buf_reset(&packed);
	OK(msg_pack_reply(&reply, &packed, &err));
	OK(msg_read_reply(buf_slice(&packed), answers, &back, &err));
	buf_fini(&packed);
	return back;
}

static const Picket__ImageKnown *ask(const char *image, Picket__Layer *const *layers, size_t count)
{
	Picket__Request rq = PICKET__REQUEST__INIT;
	Picket__ImagesAsk body = PICKET__IMAGES_ASK__INIT;
	Picket__ImageAsk one = PICKET__IMAGE_ASK__INIT, *all = &one;
	ProtobufCBinaryData keys[8];

	one.image_id = STOCK_TEXT(image);
	for (size_t i = 0; i < count; i++)
		keys[i] = layers[i]->key;
	one.layer_keys = keys;
	one.n_layer_keys = count;
	body.images = &all;
	body.n_images = 1;
	rq.body_case = PICKET__REQUEST__BODY_IMAGES_ASK;
	rq.images_ask = &body;
	Picket__Reply *r = request("agent-1", &rq);
	assert_int_equal(r->body_case, PICKET__REPLY__BODY_IMAGES);
	assert_int_equal(r->images->n_images, 1);
	return r->images->images[0];
}

/* A frame of the inventory, and its digest. */
struct frame {
	struct buf bytes;
	uint8_t sha[32];
};

static void frame_make(struct frame *f, const Picket__Inventory *m)
{
	struct buf plain = { 0 };

	stock_pack(m, &plain, f->sha);
	buf_init(&f->bytes, 0);
	size_t room = ZSTD_compressBound(plain.n);
	char *at = buf_reserve(&f->bytes, room);
	assert_non_null(at);
	buf_written(&f->bytes, ZSTD_compress(at, room, plain.p, plain.n, 3));
	buf_fini(&plain);
}

static Picket__Reply *send_part(const char *agent, const char *image, const struct frame *f, uint32_t part,
				uint32_t parts)
{
	Picket__Request rq = PICKET__REQUEST__INIT;
	Picket__InventoryPart p = PICKET__INVENTORY_PART__INIT;
	size_t each = f->bytes.n / parts, from = part * each;

	p.image_id = STOCK_TEXT(image);
	p.inventory_sha256 = (ProtobufCBinaryData){ 32, (uint8_t *)(uintptr_t)f->sha };
	p.part = part;
	p.parts = parts;
	p.data = msg_bytes(slice_sub(buf_slice(&f->bytes), from, part + 1 == parts ? f->bytes.n : each));
	rq.body_case = PICKET__REQUEST__BODY_INVENTORY_PART;
	rq.inventory_part = &p;
	return request(agent, &rq);
}

static Picket__Inventory *web(void)
{
	Picket__Inventory *m = stock_inventory(w.a, WEB, "web:1");

	stock_add(m, stock_layer(w.a, base));
	stock_add(m, stock_layer(w.a, app));
	return m;
}

static void asking_sending_and_asking_again(void **state)
{
	Picket__Inventory *m = web();
	const Picket__ImageKnown *k = ask(WEB, m->layers, 2);
	struct frame f;

	assert_false(k->is_known);
	assert_int_equal(k->n_unknown_layer_keys, 2);
	frame_make(&f, m);
	for (uint32_t i = 0; i < 3; i++) {
		Picket__Reply *r = send_part("agent-1", WEB, &f, i, 3);

		assert_int_equal(r->body_case, PICKET__REPLY__BODY_INVENTORY);
		assert_int_equal(r->inventory->is_done, i == 2);
		assert_int_equal(r->inventory->next_part, i == 2 ? 0 : i + 1);
	}
	k = ask(WEB, m->layers, 2);
	assert_true(k->is_known);
	assert_int_equal(k->n_unknown_layer_keys, 0);
	buf_fini(&f.bytes);
}

static void a_replay_of_any_part_changes_nothing(void **state)
{
	static const char *const feed[] = { "openssl", "CVE-2026-0001", "high", "", NULL };
	struct store_vuln_status before, after;
	struct frame f;

	frame_make(&f, web());
	assert_true(send_part("agent-1", WEB, &f, 0, 1)->inventory->is_done);
	advised_debian(feed);
	advised_work();
	OK(store_vuln_status(w.f.s, &before, &err));
	for (uint32_t i = 0; i < 3; i++) {
		Picket__Reply *r = send_part(i ? "agent-2" : "agent-1", WEB, &f, i, 3);
		assert_true(r->inventory->is_done);
	}
	OK(store_vuln_status(w.f.s, &after, &err));
	assert_memory_equal(&before, &after, sizeof(before));
	assert_int_equal(after.packages_due + after.vulns_due, 0);
	buf_fini(&f.bytes);
}

static void layers_that_are_known_come_without_packages_and_others_are_asked_for(void **state)
{
	Picket__Inventory *first = stock_inventory(w.a, DB, "db:1"), *second = web();
	struct frame f, g, h;

	stock_add(first, stock_layer(w.a, base));
	frame_make(&f, first);
	assert_true(send_part("agent-1", DB, &f, 0, 1)->inventory->is_done);
	/* the base is known; of the other the packages are forgotten */
	second->layers[0]->n_packages = second->layers[1]->n_packages = 0;
	frame_make(&g, second);
	Picket__InventoryReply *r = send_part("agent-1", WEB, &g, 0, 1)->inventory;
	assert_false(r->is_done);
	assert_int_equal(r->next_part, 0);
	assert_int_equal(r->n_missing_layer_keys, 1);
	assert_true(slice_eq(msg_slice(r->missing_layer_keys[0]), msg_slice(second->layers[1]->key)));
	second->layers[1]->n_packages = 1;
	frame_make(&h, second);
	assert_true(send_part("agent-1", WEB, &h, 0, 1)->inventory->is_done);
	struct store_image im;
	OK(store_image_get(w.f.s, WEB, w.a, &im, &err));
	assert_int_equal(im.packages, 3);
	buf_fini(&f.bytes);
	buf_fini(&g.bytes);
	buf_fini(&h.bytes);
}

static void wrong_inventories_are_refused_and_nothing_is_kept_of_them(void **state)
{
	struct store_vuln_status st;
	struct frame f;
	Picket__Reply *r;
	static const char *const names[] = { "key", "image", "digest", "garbage", "name" };

	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		Picket__Inventory *m = web();
		uint8_t wrong[32] = { 9 };

		if (i == 0) /* a key that is another's: it would poison the fleet's */
			m->layers[1]->key = (ProtobufCBinaryData){ 32, wrong };
		if (i == 4)
			m->layers[1]->packages[0]->name = STOCK_TEXT("");
		frame_make(&f, m);
		if (i == 2)
			f.sha[0] ^= 1;
		if (i == 3)
			memset(f.bytes.p, 'x', f.bytes.n);
		r = send_part("agent-1", i == 1 ? DB : WEB, &f, 0, 1);
		if (r->body_case != PICKET__REPLY__BODY_REFUSAL ||
		    r->refusal->reason != PICKET__REFUSAL__REASON__REASON_MALFORMED)
			fail_msg("%s", names[i]);
		buf_fini(&f.bytes);
	}
	OK(store_vuln_status(w.f.s, &st, &err));
	assert_int_equal(st.images + st.layers + st.packages, 0);
}

static void a_layer_without_a_key_gets_its_right_one(void **state)
{
	Picket__Inventory *m = web();
	struct frame f;
	bool known;

	struct slice key = msg_slice(m->layers[0]->key);
	m->layers[0]->key = (ProtobufCBinaryData){ 0, NULL };
	frame_make(&f, m);
	assert_true(send_part("agent-1", WEB, &f, 0, 1)->inventory->is_done);
	OK(store_layer_is_known(w.f.s, key, &known, &err));
	assert_true(known);
	buf_fini(&f.bytes);
}

static void what_runs_is_told_and_what_is_unknown_named(void **state)
{
	Picket__Request rq = PICKET__REQUEST__INIT;
	struct stock_use u;

	stock_use(&u, 1, WEB, "web-1");
	rq.body_case = PICKET__REQUEST__BODY_IMAGES_IN_USE;
	rq.images_in_use = &u.state;
	Picket__Reply *r = request("agent-1", &rq);
	assert_int_equal(r->body_case, PICKET__REPLY__BODY_IMAGES_IN_USE);
	assert_false(r->images_in_use->is_wanted_whole);
	assert_int_equal(r->images_in_use->n_unknown_images, 1);
	assert_string_equal(r->images_in_use->unknown_images[0], WEB);
	Picket__ImagesInUse same = PICKET__IMAGES_IN_USE__INIT;
	same.state = 1;
	same.is_unchanged = true;
	rq.images_in_use = &same;
	assert_int_equal(request("agent-1", &rq)->images_in_use->n_unknown_images, 1);
	assert_true(request("agent-2", &rq)->images_in_use->is_wanted_whole);
}

static void what_registries_say_is_taken(void **state)
{
	Picket__Request rq = PICKET__REQUEST__INIT;
	Picket__BaseImages body = PICKET__BASE_IMAGES__INIT;
	Picket__BaseImage b = PICKET__BASE_IMAGE__INIT, *all = &b;
	struct store_image im;

	advised_image(WEB, "web:1", base);
	b.image_id = STOCK_TEXT(WEB);
	b.reference = STOCK_TEXT("web:1");
	b.running_digest = STOCK_TEXT("sha256:old");
	b.current_digest = STOCK_TEXT("sha256:new");
	b.checked_unix_s = 7;
	body.images = &all;
	body.n_images = 1;
	rq.body_case = PICKET__REQUEST__BODY_BASE_IMAGES;
	rq.base_images = &body;
	assert_int_equal(request("agent-1", &rq)->body_case, PICKET__REPLY__BODY_BASE_IMAGES);
	OK(store_image_get(w.f.s, WEB, w.a, &im, &err));
	assert_true(im.is_newer);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(asking_sending_and_asking_again),
		TEST(a_replay_of_any_part_changes_nothing),
		TEST(layers_that_are_known_come_without_packages_and_others_are_asked_for),
		TEST(wrong_inventories_are_refused_and_nothing_is_kept_of_them),
		TEST(a_layer_without_a_key_gets_its_right_one),
		TEST(what_runs_is_told_and_what_is_unknown_named),
		TEST(what_registries_say_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
