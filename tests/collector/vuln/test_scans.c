/* test_scans.c - what agents' policies ask: the worst of an image that nobody accepts, and since when it is known. */
#include "tests/collector/vuln/advised.h"

#define GONE "sha256:cccccccccccc00000000000000000000000000000000000000000000000000cc"

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

static const Picket__ImageScansReply *ask(const char *const *images, size_t count)
{
	Picket__Request rq = PICKET__REQUEST__INIT;
	Picket__ImageScansAsk body = PICKET__IMAGE_SCANS_ASK__INIT;
	Picket__Reply reply, *back;
	struct buf packed;
	char *ids[4];

	for (size_t i = 0; i < count; i++)
		ids[i] = STOCK_TEXT(images[i]);
	body.image_ids = ids;
	body.n_image_ids = count;
	rq.body_case = PICKET__REQUEST__BODY_IMAGE_SCANS_ASK;
	rq.image_scans_ask = &body;
	arena_reset(answers);
	OK(store_begin(w.f.s, &err));
	OK(vuln_request(w.v, "agent-1", &rq, answers, &reply, &err));
	OK(store_commit(w.f.s, &err));
	buf_init(&packed, LIMIT_MESSAGE_BYTES);
	OK(msg_pack_reply(&reply, &packed, &err));
	OK(msg_read_reply(buf_slice(&packed), answers, &back, &err));
	buf_fini(&packed);
	return back->image_scans;
}

/* "none": not scanned. */
static const char *worst_of(const char *image)
{
	const Picket__ImageScansReply *m = ask(&image, 1);

	return m->n_images ? m->images[0]->worst : "none";
}

static const char *const base[] = { "deb openssl 3.0.11-1", "deb bash 5.2-1", NULL };
static const char *const clean[] = { "deb zlib1g 1.2-1", NULL };
static const char *const holes[] = { "openssl", "CVE-2026-0001", "high", "", "bash", "CVE-2026-0002", "low", "", NULL };

static void without_data_nothing_was_scanned(void **state)
{
	const char *const both[] = { WEB, GONE };

	(void)state;
	advised_image(WEB, "web:1", base);
	(void)advised_work();
	const Picket__ImageScansReply *m = ask(both, 2);
	assert_int_equal(m->n_images, 0);
	assert_int_equal(m->matched_unix_s, 0);
	assert_int_equal(m->n_unknown_images, 1);
	assert_string_equal(m->unknown_images[0], GONE);
	advised_debian(holes);
	(void)advised_work();
	assert_string_equal(worst_of(WEB), "high");
	assert_true(ask(NULL, 0)->matched_unix_s > 0);
	assert_int_equal(ask(NULL, 0)->n_images, 0);
}

static void the_worst_that_nobody_accepts_counts(void **state)
{
	struct store_acceptance x = { .vuln = "CVE-2026-0001", .image = "web", .package = "", .reason = "r", .who = "alice" };
	int64_t id;

	(void)state;
	x.until_unix_ns = clock_unix_ns(&w.f.clk) + 3600 * 1000000000ull;
	advised_image(WEB, "web:1", base);
	advised_image(DB, "db:1", base);
	advised_debian(holes);
	(void)advised_work();
	assert_string_equal(worst_of(WEB), "high");
	OK(store_acceptance_add(w.f.s, &x, &id, &err));
	(void)advised_work();
	assert_string_equal(worst_of(WEB), "low");
	assert_string_equal(worst_of(DB), "high"); /* another's name */
	OK(store_acceptance_end(w.f.s, id, "alice", &err));
	(void)advised_work();
	assert_string_equal(worst_of(WEB), "high");
	x.package = "openssl*";
	x.image = "";
	OK(store_acceptance_add(w.f.s, &x, &id, &err));
	(void)advised_work();
	assert_string_equal(worst_of(DB), "low");
	/* and when its time is over */
	clock_fake_advance(&w.f.clk, 3700 * 1000000000ull);
	OK(store_acceptances_expire(w.f.s, &err));
	(void)advised_work();
	assert_string_equal(worst_of(DB), "high");
}

static void an_advisory_changes_it_and_the_number(void **state)
{
	static const char *const worse[] = { "zlib", "CVE-2026-0009", "high", "", NULL };
	static const char *const mended[] = { "openssl", "CVE-2026-0001", "high", "3.0.11-1", NULL };

	(void)state;
	advised_image(WEB, "web:1", base);
	advised_image(DB, "db:1", clean);
	advised_debian(holes);
	(void)advised_work();
	assert_string_equal(worst_of(DB), "");
	uint64_t before = ask(NULL, 0)->generation;
	(void)advised_work();
	assert_int_equal(ask(NULL, 0)->generation, before);
	advised_debian(mended);
	(void)advised_work();
	assert_string_equal(worst_of(WEB), "");
	assert_true(ask(NULL, 0)->generation != before);
	before = ask(NULL, 0)->generation;
	advised_debian(worse);
	(void)advised_work();
	assert_string_equal(worst_of(DB), "");
	assert_int_equal(ask(NULL, 0)->generation, before); /* it has zlib1g of another source */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(without_data_nothing_was_scanned),
		TEST(the_worst_that_nobody_accepts_counts),
		TEST(an_advisory_changes_it_and_the_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
