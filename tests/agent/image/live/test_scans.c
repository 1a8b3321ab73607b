/* test_scans.c - the file for the guard: every image that lies on the host, by what the collector says of it. The engine
 * and the collector are played by the test, the children by this program. */
#include "agent/image/live/live.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <cmocka.h>

#include "agent/image/live/summary.h"
#include "common/file.h"

#define HEX30 "23456789abcdef0123456789abcdef" "0123456789abcdef0123456789abcdef"
#define IMAGE_A "sha256:aa" HEX30
#define IMAGE_B "sha256:bb" HEX30

enum { PATIENCE_MS = 15000 };
static const uint8_t key_of_layer[LIMIT_KEY_BYTES] = { 7 };

static struct {
	struct loop *loop;
	struct fetch_pool *fetch;
	struct live *live;
	struct evhttp *engine;
	char dir[64], socket[96], file[96];
	const char *listed; /* by the engine */
	bool is_down, is_old, is_matched;
	const char *worst;
	uint64_t generation, matched;
	unsigned lists, asks, scans, ids;
	/* the answer, given on the next turn */
	Picket__Reply reply;
	Picket__ImagesReply known;
	Picket__ImageKnown rows[4], *row_list[4];
	Picket__ImagesInUseReply in_use;
	Picket__ImageScansReply answer;
	Picket__ImageScan one[4], *all[4];
	Picket__Refusal refusal;
	char names[4][80];
	bool has_reply;
} t;

static int play(int argc, char **argv)
{
	CLEANUP(buf_finip) struct buf out = { 0 };
	Picket__Inventory inv = PICKET__INVENTORY__INIT;
	Picket__Layer layer = PICKET__LAYER__INIT, *layers[] = { &layer };

	(void)argc, (void)argv;
	layer.key = (ProtobufCBinaryData){ LIMIT_KEY_BYTES, (uint8_t *)(uintptr_t)key_of_layer };
	inv.layers = layers;
	inv.n_layers = 1;
	buf_init(&out, 0);
	summary_write(&inv, &out);
	return write(1, out.p, out.n) < 0;
}

static void on_engine(struct evhttp_request *rq, void *arg)
{
	struct evbuffer *b = evbuffer_new();

	(void)arg;
	t.lists++;
	evbuffer_add_printf(b, "%s", t.listed);
	evhttp_send_reply(rq, 200, "OK", b);
	evbuffer_free(b);
}

static void answer_scans(const Picket__ImageScansAsk *m)
{
	t.scans++;
	t.ids += (unsigned)m->n_image_ids;
	picket__image_scans_reply__init(&t.answer);
	t.answer.generation = t.generation;
	t.answer.matched_unix_s = t.matched;
	for (size_t i = 0; i < m->n_image_ids && t.is_matched; i++) {
		snprintf(t.names[i], sizeof(t.names[i]), "%s", m->image_ids[i]);
		picket__image_scan__init(&t.one[i]);
		t.one[i].image_id = t.names[i];
		t.one[i].scanned_unix_s = 1000;
		t.one[i].worst = (char *)(uintptr_t)t.worst;
		t.all[i] = &t.one[i];
		t.answer.n_images = i + 1;
	}
	t.answer.images = t.all;
	t.reply.body_case = PICKET__REPLY__BODY_IMAGE_SCANS;
	t.reply.image_scans = &t.answer;
}

static void refuse(void)
{
	static char why[] = "a body that is not known here";

	picket__refusal__init(&t.refusal);
	t.refusal.reason = PICKET__REFUSAL__REASON__REASON_MALFORMED;
	t.refusal.message = why;
	t.reply.body_case = PICKET__REPLY__BODY_REFUSAL;
	t.reply.refusal = &t.refusal;
}

static int on_ask(void *arg, Picket__Request *m, struct err *err)
{
	(void)arg;
	if (t.is_down)
		return err_set(err, ENOTCONN, "down");
	picket__reply__init(&t.reply);
	switch (m->body_case) {
	case PICKET__REQUEST__BODY_IMAGES_ASK:
		t.asks++;
		picket__images_reply__init(&t.known);
		for (size_t i = 0; i < m->images_ask->n_images; i++) {
			picket__image_known__init(&t.rows[i]);
			snprintf(t.names[i], sizeof(t.names[i]), "%s", m->images_ask->images[i]->image_id);
			t.rows[i].image_id = t.names[i];
			t.rows[i].is_known = true;
			t.row_list[i] = &t.rows[i];
		}
		t.known.images = t.row_list;
		t.known.n_images = m->images_ask->n_images;
		t.reply.body_case = PICKET__REPLY__BODY_IMAGES;
		t.reply.images = &t.known;
		break;
	case PICKET__REQUEST__BODY_IMAGES_IN_USE:
		picket__images_in_use_reply__init(&t.in_use);
		t.reply.body_case = PICKET__REPLY__BODY_IMAGES_IN_USE;
		t.reply.images_in_use = &t.in_use;
		break;
	case PICKET__REQUEST__BODY_IMAGE_SCANS_ASK:
		if (t.is_old) {
			t.scans++;
			refuse();
		} else {
			answer_scans(m->image_scans_ask);
		}
		break;
	default:
		fail_msg("asked %d", m->body_case);
	}
	t.has_reply = true;
	return 0;
}

static const struct live_ops ops = { .ask = on_ask };

static void turn(void)
{
	loop_step(t.loop, 20);
	if (t.has_reply) {
		t.has_reply = false;
		live_answer(t.live, &t.reply);
	}
}

static void turn_for(unsigned ms)
{
	uint64_t end = clock_boot_ns(clock_real()) + ms * 1000000ull;

	while (clock_boot_ns(clock_real()) < end)
		turn();
}

#define UNTIL(cond)                                                                              \
	do {                                                                                     \
		uint64_t end_ = clock_boot_ns(clock_real()) + PATIENCE_MS * 1000000ull;          \
		while (!(cond) && clock_boot_ns(clock_real()) < end_)                            \
			turn();                                                                  \
		if (!(cond))                                                                     \
			fail_msg("never: %s", #cond);                                            \
	} while (0)

static void open_live(void)
{
	struct live_config cfg = { .state_dir = t.dir, .docker_socket = t.socket, .proc_root = "/proc", .cache_max_bytes = 1 << 20,
				   .registry_ca = "", .docker_config = "" };

	assert_int_equal(live_new(t.loop, t.fetch, clock_real(), &cfg, &ops, NULL, &t.live, NULL), 0);
}

static int setup(void **state)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	(void)state;
	memset(&t, 0, sizeof(t));
	t.listed = "[{\"Id\":\"" IMAGE_A "\",\"RepoTags\":[\"a:1\"]}]";
	t.worst = "high";
	t.generation = 5;
	snprintf(t.dir, sizeof(t.dir), "/tmp/picket-scans-XXXXXX");
	assert_non_null(mkdtemp(t.dir));
	snprintf(t.socket, sizeof(t.socket), "%s/d.sock", t.dir);
	snprintf(t.file, sizeof(t.file), "%s/run.json", t.dir);
	(void)slice_copy(slice_of(t.socket), at.sun_path, sizeof(at.sun_path));
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(loop_new(&t.loop, NULL), 0);
	assert_int_equal(fetch_pool_new(t.loop, 2, &t.fetch, NULL), 0);
	t.engine = evhttp_new(loop_base(t.loop));
	evhttp_set_gencb(t.engine, on_engine, NULL);
	evhttp_accept_socket(t.engine, fd);
	open_live();
	return 0;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	live_free(t.live);
	fetch_pool_free(t.fetch);
	evhttp_free(t.engine);
	loop_step(t.loop, 10);
	loop_free(t.loop);
	snprintf(command, sizeof(command), "rm -rf %s", t.dir);
	return system(command);
}

static bool file_has(const char *text)
{
	CLEANUP(buf_finip) struct buf b = { 0 };

	return file_read(t.file, 1 << 20, &b, NULL) >= 0 && slice_find(buf_slice(&b), slice_of(text)) >= 0;
}

#define ENTRY_A(at, worst) "{\"images\":{\"" IMAGE_A "\":{\"scanned\":" at ",\"worst\":\"" worst "\"}"

static void an_image_that_never_ran_is_in_the_file_once_matched(void **state)
{
	struct stat st;

	(void)state;
	turn_for(1500);
	assert_int_equal(t.lists + t.scans, 0); /* nobody asks for it */
	live_want_scans(t.live, t.file);
	UNTIL(t.asks == 1);
	turn_for(1500);
	assert_true(file_has("{\"images\":{}}"));
	t.is_matched = true;
	t.generation++;
	UNTIL(file_has(ENTRY_A("1000", "high")));
	assert_int_equal(stat(t.file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	/* data that are newer, and a change of one image */
	t.matched = 2000;
	UNTIL(file_has(ENTRY_A("2000", "high")));
	unsigned before = t.ids;
	t.worst = "";
	t.generation++;
	UNTIL(file_has(ENTRY_A("2000", "")));
	assert_int_equal(t.ids, before + 1);
	turn_for(4000);
	assert_int_equal(t.ids, before + 1); /* while nothing changes: a number only */
	/* it comes, it goes */
	t.listed = "[{\"Id\":\"" IMAGE_A "\"},{\"Id\":\"" IMAGE_B "\"}]";
	live_images_changed(t.live);
	UNTIL(file_has(IMAGE_B));
	t.listed = "[{\"Id\":\"" IMAGE_B "\"}]";
	live_images_changed(t.live);
	UNTIL(!file_has(IMAGE_A));
}

static void without_a_collector_the_file_stays(void **state)
{
	(void)state;
	t.is_matched = true;
	live_want_scans(t.live, t.file);
	UNTIL(file_has(ENTRY_A("1000", "high")));
	t.is_down = true;
	t.matched = 9000;
	live_connected(t.live);
	turn_for(2000);
	assert_true(file_has(ENTRY_A("1000", "high")));
	/* a boot later */
	live_free(t.live);
	assert_int_equal(unlink(t.file), 0);
	open_live();
	live_want_scans(t.live, t.file);
	assert_true(file_has(ENTRY_A("1000", "high")));
	turn_for(1500);
	assert_true(file_has(ENTRY_A("1000", "high")));
	t.is_down = false;
	live_connected(t.live);
	UNTIL(file_has(ENTRY_A("9000", "high")));
}

static void an_older_collector_is_not_asked_all_the_time(void **state)
{
	(void)state;
	t.is_old = true;
	live_want_scans(t.live, t.file);
	UNTIL(t.scans == 1);
	turn_for(4000);
	assert_int_equal(t.scans, 1);
	assert_false(file_has("images"));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(an_image_that_never_ran_is_in_the_file_once_matched),
		T(without_a_collector_the_file_stays),
		T(an_older_collector_is_not_asked_all_the_time),
	};

	if (argc > 1)
		return play(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
