/* The images of running containers: stock is taken by children (this program again, as main() below plays
 * them), the collector is played by the test. */
#include "agent/image/live/live.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "agent/image/live/summary.h"
#include "agent/image/owners.h"
#include "common/file.h"

#define HEX32 "0123456789abcdef0123456789abcdef"
#define IMAGE_A "sha256:" HEX32 HEX32
#define IMAGE_BAD "sha256:ff" "23456789abcdef0123456789abcdef" HEX32
#define BOX_A HEX32 HEX32

enum { PATIENCE_MS = 10000, PARTS_BYTES = LIMIT_PART_BYTES + 1000 };

static const uint8_t key_of_layer[LIMIT_KEY_BYTES] = { 7 };

/* ---- the children ---- */

static void put(const char *dir, const char *hex, const char *suffix, struct slice data)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s.%s", dir, hex, suffix);
	if (file_write_atomic(path, data, 0600, NULL) < 0)
		_exit(9);
}

static void play_stock(const char *dir, const char *hex)
{
	CLEANUP(buf_finip) struct buf out = { 0 };
	Picket__Inventory inv = PICKET__INVENTORY__INIT;
	Picket__Layer layer = PICKET__LAYER__INIT, *layers[] = { &layer };
	static char name[] = "registry.example.net/team/app:1", digest[] = "registry.example.net/team/app@sha256:11";
	char *names[] = { name }, *digests[] = { digest };
	struct owners_maker *m = NULL;
	struct owners *o = NULL;
	uint32_t perl;
	char path[512];

	if (!strncmp(hex, "ff", 2)) {
		fprintf(stderr, "first line\nthe layer is cut\n");
		_exit(3);
	}
	layer.key = (ProtobufCBinaryData){ LIMIT_KEY_BYTES, (uint8_t *)(uintptr_t)key_of_layer };
	inv.layers = layers;
	inv.n_layers = inv.n_names = inv.n_repo_digests = 1;
	inv.names = names;
	inv.repo_digests = digests;
	struct owners_package p = { SLICE_LIT("deb"), SLICE_LIT("perl-base"), SLICE_LIT("5.36") };
	snprintf(path, sizeof(path), "%s/%s.own", dir, hex);
	if (owners_maker_new(&m, NULL) < 0 || owners_add_package(m, &p, &perl, NULL) < 0 ||
	    owners_add_file(m, owners_hash(SLICE_LIT("usr/bin/perl")), false, perl, NULL) < 0 ||
	    owners_make(m, &o, NULL) < 0 || owners_save(o, path, NULL) < 0)
		_exit(8);
	owners_free(o);
	owners_maker_free(m);
	buf_init(&out, 0);
	summary_write(&inv, &out);
	put(dir, hex, "json", buf_slice(&out));
	if (write(1, out.p, out.n) < 0)
		_exit(7);
}

static void play_pack(const char *dir, const char *hex, const char *key)
{
	static char big[PARTS_BYTES];

	if (!key || strlen(key) != 64 || strncmp(key, "0700", 4) != 0)
		_exit(6);
	put(dir, hex, "zst", slice_from(big, sizeof(big)));
	printf("%s%s\n", HEX32, HEX32);
}

static int play(int argc, char **argv)
{
	const char *dir = NULL, *hex = NULL, *last = argv[argc - 1];

	for (int i = 2; i + 1 < argc; i++) {
		if (!strcmp(argv[i], "--dir"))
			dir = argv[i + 1];
		if (!strcmp(argv[i], "--image"))
			hex = strchr(argv[i + 1], ':') + 1;
	}
	if (!strcmp(argv[1], "image-stock"))
		play_stock(dir, hex);
	else if (!strcmp(argv[1], "image-pack"))
		play_pack(dir, hex, last);
	else
		printf("sha256:22\n");
	return 0;
}

/* ---- the collector ---- */

struct room {
	struct loop *loop;
	struct fetch_pool *fetch;
	struct live *live;
	char dir[64];
	bool is_down, is_broken, is_known, forgets;
	unsigned tries, asks, parts, states, unchanged, updates;
	char used[256], published[64], update[256];
	uint64_t last_state;
	size_t images, containers;
	/* the answer, given on the next turn */
	Picket__Reply reply;
	Picket__ImagesReply known;
	Picket__ImageKnown one, *ones[1];
	Picket__InventoryReply inventory;
	Picket__ImagesInUseReply in_use;
	Picket__BaseImagesReply base;
	ProtobufCBinaryData keys[1];
	char id[80];
	uint8_t sha[LIMIT_KEY_BYTES];
	bool has_reply;
};

static void answer_ask(struct room *r, const Picket__ImagesAsk *m)
{
	r->asks++;
	assert_int_equal(m->n_images, 1);
	assert_int_equal(m->images[0]->n_layer_keys, 1);
	assert_memory_equal(m->images[0]->layer_keys[0].data, key_of_layer, sizeof(key_of_layer));
	picket__images_reply__init(&r->known);
	picket__image_known__init(&r->one);
	snprintf(r->id, sizeof(r->id), "%s", m->images[0]->image_id);
	r->one.image_id = r->id;
	r->one.is_known = r->is_known;
	r->keys[0] = (ProtobufCBinaryData){ LIMIT_KEY_BYTES, (uint8_t *)(uintptr_t)key_of_layer };
	r->one.unknown_layer_keys = r->keys;
	r->one.n_unknown_layer_keys = !r->is_known;
	r->ones[0] = &r->one;
	r->known.images = r->ones;
	r->known.n_images = 1;
	r->reply.body_case = PICKET__REPLY__BODY_IMAGES;
	r->reply.images = &r->known;
}

static void answer_part(struct room *r, const Picket__InventoryPart *m)
{
	assert_int_equal(m->part, r->parts);
	assert_int_equal(m->parts, 2);
	assert_int_equal(m->data.len, m->part ? PARTS_BYTES - LIMIT_PART_BYTES : LIMIT_PART_BYTES);
	r->parts++;
	picket__inventory_reply__init(&r->inventory);
	snprintf(r->id, sizeof(r->id), "%s", m->image_id);
	memcpy(r->sha, m->inventory_sha256.data, sizeof(r->sha));
	r->inventory.image_id = r->id;
	r->inventory.inventory_sha256 = (ProtobufCBinaryData){ sizeof(r->sha), r->sha };
	r->inventory.next_part = m->part + 1;
	r->inventory.is_done = m->part == 1;
	r->reply.body_case = PICKET__REPLY__BODY_INVENTORY;
	r->reply.inventory = &r->inventory;
}

static void answer_state(struct room *r, const Picket__ImagesInUse *m)
{
	r->states += !m->is_unchanged;
	r->unchanged += m->is_unchanged;
	if (!m->is_unchanged) {
		assert_true(m->state > r->last_state);
		r->last_state = m->state;
		r->images = m->n_images;
		r->containers = m->n_images ? m->images[0]->n_containers : 0;
		r->used[0] = r->published[0] = 0;
		for (size_t i = 0; r->images && i < m->images[0]->n_packages; i++) {
			const Picket__PackageUse *u = m->images[0]->packages[i];
			snprintf(r->used + strlen(r->used), 128, "%s/%s@%s%s%s;", u->ecosystem, u->name, u->version,
				 u->is_executed ? " executed" : "", u->is_loaded ? " loaded" : "");
		}
		if (r->containers && m->images[0]->containers[0]->n_published_ports)
			snprintf(r->published, sizeof(r->published), "%s",
				 m->images[0]->containers[0]->published_ports[0]);
	}
	picket__images_in_use_reply__init(&r->in_use);
	r->in_use.state = m->state;
	r->in_use.is_wanted_whole = r->forgets && m->is_unchanged;
	r->reply.body_case = PICKET__REPLY__BODY_IMAGES_IN_USE;
	r->reply.images_in_use = &r->in_use;
}

static void answer_base(struct room *r, const Picket__BaseImages *m)
{
	const Picket__BaseImage *b = m->images[0];

	r->updates++;
	snprintf(r->update, sizeof(r->update), "%s %s %s%s", b->reference, b->running_digest, b->current_digest,
		 b->error);
	picket__base_images_reply__init(&r->base);
	r->reply.body_case = PICKET__REPLY__BODY_BASE_IMAGES;
	r->reply.base_images = &r->base;
}

static int on_ask(void *arg, Picket__Request *m, struct err *err)
{
	struct room *r = arg;
	CLEANUP(buf_finip) struct buf packed = { 0 };
	static char agent[] = "01234567-89ab-4def-8123-456789abcdef";

	if (r->is_down)
		return err_set(err, ENOTCONN, "down");
	r->tries++;
	if (r->is_broken)
		return err_set(err, ERR_CORRUPT, "out of its bounds");
	assert_false(r->has_reply);
	m->protocol = PROTO_VERSION;
	m->agent_id = agent;
	buf_init(&packed, 0);
	if (msg_pack_request(m, &packed, err) < 0) /* every bound is kept */
		fail_msg("%s", err->msg);
	picket__reply__init(&r->reply);
	switch (m->body_case) {
	case PICKET__REQUEST__BODY_IMAGES_ASK:
		answer_ask(r, m->images_ask);
		break;
	case PICKET__REQUEST__BODY_INVENTORY_PART:
		answer_part(r, m->inventory_part);
		break;
	case PICKET__REQUEST__BODY_IMAGES_IN_USE:
		answer_state(r, m->images_in_use);
		break;
	case PICKET__REQUEST__BODY_BASE_IMAGES:
		answer_base(r, m->base_images);
		break;
	default:
		fail_msg("asked %d", m->body_case);
	}
	r->has_reply = true;
	return 0;
}

static const struct live_ops ops = { .ask = on_ask };

/* ---- turning it ---- */

static struct room room;

static void turn(struct room *r)
{
	loop_step(r->loop, 20);
	if (r->has_reply) {
		r->has_reply = false;
		live_answer(r->live, &r->reply);
	}
}

#define UNTIL(cond)                                                                              \
	do {                                                                                     \
		uint64_t end_ = clock_boot_ns(clock_real()) + PATIENCE_MS * 1000000ull;          \
		while (!(cond) && clock_boot_ns(clock_real()) < end_)                            \
			turn(&room);                                                             \
		if (!(cond))                                                                     \
			fail_msg("never: %s", #cond);                                            \
	} while (0)

static void turn_for(unsigned ms)
{
	uint64_t end = clock_boot_ns(clock_real()) + ms * 1000000ull;

	while (clock_boot_ns(clock_real()) < end)
		turn(&room);
}

static void open_live(void)
{
	struct live_config cfg = { .state_dir = room.dir,
				   .docker_socket = "/nowhere.sock",
				   .proc_root = "/proc",
				   .update_every_ms = 3600000,
				   .cache_max_bytes = 1 << 20,
				   .registry_ca = "",
				   .docker_config = "" };
	assert_int_equal(live_new(room.loop, room.fetch, clock_real(), &cfg, &ops, &room, &room.live, NULL), 0);
}

static int setup(void **state)
{
	room = (struct room){ 0 };
	snprintf(room.dir, sizeof(room.dir), "/tmp/picket-live-XXXXXX");
	assert_non_null(mkdtemp(room.dir));
	assert_int_equal(loop_new(&room.loop, NULL), 0);
	assert_int_equal(fetch_pool_new(room.loop, 2, &room.fetch, NULL), 0);
	open_live();
	return 0;
}

static int teardown(void **state)
{
	char command[128];

	live_free(room.live);
	fetch_pool_free(room.fetch);
	loop_free(room.loop);
	snprintf(command, sizeof(command), "rm -rf %s", room.dir);
	return system(command);
}

static struct container box(const char *image)
{
	return (struct container){ .id = BOX_A,
				   .name = "web",
				   .image = "registry.example.net/team/app:1",
				   .image_id = image,
				   .image_digest = "",
				   .user = "",
				   .published = "80/tcp 443/tcp",
				   .engine = "docker",
				   .started_unix_ns = 1700000000000000000,
				   .is_running = true,
				   .is_named = true,
				   .is_inspected = true };
}

static void run_box(void)
{
	struct container c = box(IMAGE_A);

	live_container(room.live, &c);
}

/* ---- tests ---- */

static void a_new_image_is_sent_in_parts_and_once(void **state)
{
	run_box();
	UNTIL(room.parts == 2);
	UNTIL(room.states && room.images == 1);
	assert_string_equal(room.published, "80/tcp");
	turn_for(1500);
	assert_int_equal(room.asks, 1);
	assert_int_equal(room.parts, 2);
}

static void a_known_image_is_not_sent(void **state)
{
	room.is_known = true;
	run_box();
	UNTIL(room.asks == 1);
	turn_for(1500);
	assert_int_equal(room.parts, 0);
}

static void what_was_found_stays_for_the_next_start(void **state)
{
	struct stat st;
	char path[256];

	room.is_known = true;
	run_box();
	UNTIL(room.asks == 1);
	snprintf(path, sizeof(path), "%s/images/%s%s.json", room.dir, HEX32, HEX32);
	assert_int_equal(stat(path, &st), 0);
	struct timespec made = st.st_mtim;
	live_free(room.live);
	open_live();
	run_box();
	UNTIL(room.asks == 2);
	assert_int_equal(stat(path, &st), 0);
	assert_memory_equal(&st.st_mtim, &made, sizeof(made));
}

static void a_program_that_runs_makes_its_package_used(void **state)
{
	struct container c = box(IMAGE_A);

	room.is_known = true;
	live_container(room.live, &c);
	live_exec(room.live, &c, 1, SLICE_LIT("/usr/bin/perl"), false); /* before its stock is there */
	live_exec(room.live, &c, 1, SLICE_LIT("/usr/bin/unknown"), false);
	UNTIL(!strcmp(room.used, "deb/perl-base@5.36 executed;"));
}

static void a_file_of_the_containers_own_layer_is_no_packages(void **state)
{
	struct container c = box(IMAGE_A);

	room.is_known = true;
	live_container(room.live, &c);
	UNTIL(room.asks == 1 && room.states == 1);
	live_exec(room.live, &c, 1, SLICE_LIT("/usr/bin/perl"), true);
	turn_for(2500);
	assert_string_equal(room.used, "");
}

static void a_container_that_stops_leaves_the_state(void **state)
{
	struct container c = box(IMAGE_A);

	room.is_known = true;
	live_container(room.live, &c);
	UNTIL(room.images == 1);
	unsigned before = room.states;
	c.is_running = false;
	live_container(room.live, &c);
	UNTIL(room.states > before);
	assert_int_equal(room.images, 0);
}

static void an_image_that_cannot_be_read_says_why_and_waits(void **state)
{
	CLEANUP(buf_finip) struct buf out = { 0 };
	struct container c = box(IMAGE_BAD);
	struct json j;

	live_container(room.live, &c);
	turn_for(2500);
	assert_int_equal(room.asks, 0);
	buf_init(&out, 0);
	json_init(&j, &out);
	json_object_open(&j);
	live_write_status(room.live, &j);
	json_object_close(&j);
	assert_non_null(strstr(out.p, "\"why\":\"the layer is cut\""));
}

static void without_a_collector_nothing_is_lost(void **state)
{
	room.is_down = true;
	run_box();
	turn_for(2000);
	room.is_down = false;
	live_connected(room.live);
	UNTIL(room.parts == 2 && room.images == 1);
}

static void a_question_that_cannot_be_put_is_not_put_all_the_time(void **state)
{
	room.is_broken = true;
	run_box();
	turn_for(4000);
	assert_in_range(room.tries, 1, 2);
}

static void a_lost_connection_begins_the_inventory_again(void **state)
{
	run_box();
	UNTIL(room.has_reply && room.reply.body_case == PICKET__REPLY__BODY_INVENTORY);
	room.has_reply = false;
	room.parts = 0;
	live_answer(room.live, NULL);
	live_connected(room.live);
	UNTIL(room.parts == 2);
	assert_int_equal(room.asks, 2);
}

static void the_registrys_digest_is_told(void **state)
{
	room.is_known = true;
	run_box();
	UNTIL(room.updates == 1);
	assert_string_equal(room.update, "registry.example.net/team/app:1 sha256:11 sha256:22");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(a_new_image_is_sent_in_parts_and_once),
		T(a_known_image_is_not_sent),
		T(what_was_found_stays_for_the_next_start),
		T(a_program_that_runs_makes_its_package_used),
		T(a_file_of_the_containers_own_layer_is_no_packages),
		T(a_container_that_stops_leaves_the_state),
		T(an_image_that_cannot_be_read_says_why_and_waits),
		T(without_a_collector_nothing_is_lost),
		T(a_question_that_cannot_be_put_is_not_put_all_the_time),
		T(a_lost_connection_begins_the_inventory_again),
		T(the_registrys_digest_is_told),
	};

	if (argc > 1)
		return play(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
