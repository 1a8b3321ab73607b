/* test_images.c - inventories, uses and registries as the store keeps them. */
#include "tests/collector/store/fixture.h"

#include "tests/collector/stock.h"

#define WEB "sha256:aaaaaaaaaaaa00000000000000000000000000000000000000000000000000aa"
#define DB  "sha256:bbbbbbbbbbbb00000000000000000000000000000000000000000000000000bb"

static const char *const base[] = { "deb libc6 2.36-9 glibc", "deb openssl 3.0.11-1", "deb bash 5.2-1", NULL };
static const char *const app[] = { "npm lodash 4.17.20", "pypi flask 2.0.0", NULL };

struct world {
	struct fixture f;
	struct arena *a;
	struct err err;
};
static struct world w;

static int setup(void **state)
{
	struct err err;

	w = (struct world){ .a = arena_new(64 << 20) };
	fixture_init(&w.f);
	fixture_enrol(w.f.s, "agent-1", "host-1");
	fixture_enrol(w.f.s, "agent-2", "host-2");
	(void)err;
	*state = &w;
	return 0;
}

static int teardown(void **state)
{
	fixture_fini(&w.f);
	arena_free(w.a);
	return 0;
}

#undef OK
#define OK(call)                                                                                           \
	do {                                                                                               \
		if ((call) < 0)                                                                            \
			fail_msg("%s: %s", #call, w.err.msg);                                              \
	} while (0)

static Picket__Inventory *web(void)
{
	Picket__Inventory *m = stock_inventory(w.a, WEB, "nginx:1.25");

	stock_add(m, stock_layer(w.a, base));
	stock_add(m, stock_layer(w.a, app));
	return m;
}

static bool ask(const char *image)
{
	Picket__ImageAsk q = PICKET__IMAGE_ASK__INIT;
	bool known;

	q.image_id = STOCK_TEXT(image);
	OK(store_image_ask(w.f.s, &q, &known, &w.err));
	return known;
}

static struct store_image get(const char *name)
{
	struct store_image im;

	OK(store_image_get(w.f.s, name, w.a, &im, &w.err));
	return im;
}

static int64_t rows(const char *table)
{
	struct store_vuln_status st;

	OK(store_vuln_status(w.f.s, &st, &w.err));
	return (int64_t)(!strcmp(table, "layer") ? st.layers : !strcmp(table, "package") ? st.packages : st.packages_due);
}

static void an_inventory_is_stored_once_and_its_layers_are_shared(void **state)
{
	struct slice key = msg_slice(stock_layer(w.a, base)->key);
	Picket__Inventory *second;
	bool known;

	assert_false(ask(WEB));
	OK(store_layer_is_known(w.f.s, key, &known, &w.err));
	assert_false(known);
	OK(stock_put(w.f.s, "agent-1", web(), &w.err));
	assert_true(ask(WEB));
	OK(store_layer_is_known(w.f.s, key, &known, &w.err));
	assert_true(known);
	assert_int_equal(rows("package"), 5);
	assert_int_equal(rows("due"), 5);
	/* again: nothing more */
	OK(stock_put(w.f.s, "agent-1", web(), &w.err));
	assert_int_equal(rows("layer"), 2);
	/* another image on the same base, whose packages aren't said again */
	second = stock_inventory(w.a, DB, "db:1");
	stock_add(second, stock_layer(w.a, base));
	second->layers[0]->n_packages = 0;
	OK(stock_put(w.f.s, "agent-2", second, &w.err));
	assert_int_equal(rows("layer"), 2);
	assert_int_equal(rows("package"), 5);
	assert_int_equal(get(DB).packages, 3);
	assert_int_equal(get("nginx:1.25").packages, 5);
	assert_string_equal(get("sha256:aaaaaaaaaaaa").os_codename, "bookworm");
	assert_string_equal(get("aaaaaaaaaaaa").image_id, WEB);
}

static void a_layer_that_is_not_here_must_be_sent(void **state)
{
	Picket__Inventory *m = web();
	struct store_image im;

	m->layers[1]->n_packages = 0;
	assert_int_equal(stock_put(w.f.s, "agent-1", m, &w.err), -ERR_NOT_FOUND);
	assert_int_equal(store_image_get(w.f.s, WEB, w.a, &im, &w.err), -ERR_NOT_FOUND);
	assert_int_equal(rows("layer"), 0);
	/* one that brings nothing is known to everybody */
	m = stock_inventory(w.a, WEB, NULL);
	stock_add(m, stock_layer(w.a, NULL));
	OK(stock_put(w.f.s, "agent-1", m, &w.err));
}

static void too_many_packages_are_refused_whole(void **state)
{
	static const char *one[] = { "deb x 1", NULL };
	Picket__Inventory *m = stock_inventory(w.a, WEB, NULL);
	Picket__Layer *l = stock_layer(w.a, one);
	Picket__Package **many = arena_zalloc(w.a, STORE_IMAGE_PACKAGES_MAX + 1, sizeof(*many));

	for (size_t i = 0; i <= STORE_IMAGE_PACKAGES_MAX; i++)
		many[i] = l->packages[0];
	l->packages = many;
	l->n_packages = STORE_IMAGE_PACKAGES_MAX + 1;
	stock_add(m, l);
	assert_int_equal(stock_put(w.f.s, "agent-1", m, &w.err), -ERR_LIMIT);
	assert_int_equal(rows("layer"), 0);
}

static void another_agent_does_not_replace_an_inventory_unless_its_sender_is_revoked(void **state)
{
	Picket__Inventory *lie = stock_inventory(w.a, WEB, "nginx:1.25");

	OK(stock_put(w.f.s, "agent-1", web(), &w.err));
	OK(stock_put(w.f.s, "agent-2", lie, &w.err));
	assert_int_equal(get(WEB).packages, 5);
	OK(store_agent_revoke(w.f.s, "agent-1", &w.err));
	assert_false(ask(WEB));
	OK(stock_put(w.f.s, "agent-2", web(), &w.err));
	assert_true(ask(WEB));
	assert_string_equal(get(WEB).agent, "agent-2");
	/* its own it may */
	OK(stock_put(w.f.s, "agent-2", lie, &w.err));
	assert_int_equal(get(WEB).packages, 0);
}

static void names_that_come_later_are_taken_over_and_nothing_else_than_text(void **state)
{
	Picket__ImageAsk q = PICKET__IMAGE_ASK__INIT;
	char *names[] = { STOCK_TEXT("mirror.example/nginx:stable"), STOCK_TEXT("bad\033[2J:1") };
	char *digests[] = { STOCK_TEXT("mirror.example/nginx@sha256:d1") };
	bool known;

	OK(stock_put(w.f.s, "agent-1", web(), &w.err));
	q.image_id = STOCK_TEXT(WEB);
	q.names = names;
	q.n_names = 2;
	q.repo_digests = digests;
	q.n_repo_digests = 1;
	OK(store_image_ask(w.f.s, &q, &known, &w.err));
	assert_string_equal(get(WEB).names, "[\"mirror.example/nginx:stable\",\"nginx:1.25\"]");
	assert_string_equal(get("sha256:d1").image_id, WEB);
}

/* ---- in use ---- */

static int count_unknown(void *arg, const char *image_id)
{
	++*(int *)arg;
	return 0;
}

static void a_state_says_what_runs_and_ends_what_it_does_not_name(void **state)
{
	const struct store_images_tidy how = { .gone_ns = 600 * SECOND_NS, .quiet_ns = DAY_NS, .keep_ns = 30 * DAY_NS };
	struct stock_use u;
	bool whole;
	uint64_t dropped;
	int unknown = 0;

	stock_use(&u, 1, WEB, "web-1");
	OK(store_images_in_use(w.f.s, "agent-1", &u.state, &whole, count_unknown, &unknown, &w.err));
	assert_false(whole);
	assert_int_equal(unknown, 1);
	OK(stock_put(w.f.s, "agent-1", web(), &w.err));
	OK(store_images_in_use(w.f.s, "agent-1", &u.state, &whole, count_unknown, &unknown, &w.err));
	assert_int_equal(unknown, 1);
	struct store_image im = get(WEB);
	assert_int_equal(im.hosts, 1);
	assert_int_equal(im.containers, 1);
	assert_true(im.is_exposed);
	/* a second host, then the first stops it */
	stock_use(&u, 5, WEB, "web-2");
	u.container.n_published_ports = 0;
	OK(stock_tell(w.f.s, "agent-2", &u.state, &w.err));
	assert_int_equal(get(WEB).hosts, 2);
	stock_use(&u, 2, NULL, NULL);
	OK(stock_tell(w.f.s, "agent-1", &u.state, &w.err));
	im = get(WEB);
	assert_int_equal(im.containers, 1);
	assert_int_equal(im.hosts, 2); /* a restart is no news */
	clock_fake_advance(&w.f.clk, 601 * SECOND_NS);
	OK(store_images_tidy(w.f.s, &how, &dropped, &w.err));
	im = get(WEB);
	assert_int_equal(im.hosts, 1);
	assert_false(im.is_exposed);
}

static void parts_of_a_state_come_in_order_or_all_again(void **state)
{
	struct stock_use first, second;
	bool whole;

	stock_use(&first, 7, WEB, "web-1");
	first.state.parts = 2;
	stock_use(&second, 7, DB, "db-1");
	second.state.part = 1;
	second.state.parts = 2;
	/* the second alone */
	OK(store_images_in_use(w.f.s, "agent-1", &second.state, &whole, NULL, NULL, &w.err));
	assert_true(whole);
	OK(store_images_in_use(w.f.s, "agent-1", &first.state, &whole, NULL, NULL, &w.err));
	assert_false(whole);
	/* "unchanged" of a state that isn't whole here */
	Picket__ImagesInUse half = PICKET__IMAGES_IN_USE__INIT;
	half.state = 7;
	half.is_unchanged = true;
	OK(store_images_in_use(w.f.s, "agent-1", &half, &whole, NULL, NULL, &w.err));
	assert_true(whole);
	OK(store_images_in_use(w.f.s, "agent-1", &second.state, &whole, NULL, NULL, &w.err));
	assert_false(whole);
	assert_int_equal(get(WEB).hosts, 1);
	assert_int_equal(get(DB).hosts, 1);
	/* a replay of the last one changes nothing */
	OK(store_images_in_use(w.f.s, "agent-1", &second.state, &whole, NULL, NULL, &w.err));
	assert_false(whole);
	/* unchanged: of this state only */
	Picket__ImagesInUse same = PICKET__IMAGES_IN_USE__INIT;
	same.state = 7;
	same.is_unchanged = true;
	OK(store_images_in_use(w.f.s, "agent-1", &same, &whole, NULL, NULL, &w.err));
	assert_false(whole);
	same.state = 8;
	OK(store_images_in_use(w.f.s, "agent-1", &same, &whole, NULL, NULL, &w.err));
	assert_true(whole);
	assert_int_equal(get(WEB).hosts, 1);
}

static void a_silent_or_revoked_agent_runs_nothing(void **state)
{
	const struct store_images_tidy how = { .gone_ns = 0, .quiet_ns = DAY_NS, .keep_ns = 30 * DAY_NS };
	struct stock_use u;
	uint64_t dropped;

	stock_use(&u, 1, WEB, "web-1");
	OK(stock_tell(w.f.s, "agent-1", &u.state, &w.err));
	OK(stock_tell(w.f.s, "agent-2", &u.state, &w.err));
	OK(store_agent_revoke(w.f.s, "agent-2", &w.err));
	OK(store_images_tidy(w.f.s, &how, &dropped, &w.err));
	assert_int_equal(get(WEB).hosts, 1);
	clock_fake_advance(&w.f.clk, DAY_NS + SECOND_NS);
	OK(store_images_tidy(w.f.s, &how, &dropped, &w.err));
	assert_int_equal(get(WEB).hosts, 0);
	assert_int_equal(get(WEB).containers, 0);
}

static void one_agent_takes_only_so_much_room(void **state)
{
	struct stock_use u;
	Picket__ContainerUse many[400], *all[400];
	char ids[400][16];
	bool whole;

	stock_use(&u, 1, WEB, NULL);
	u.image.containers = all;
	u.image.n_containers = 400;
	for (unsigned part = 0; part < STORE_CONTAINERS_MAX / 400 + 2; part++) {
		u.state.part = part;
		u.state.parts = part + 2;
		for (size_t i = 0; i < 400; i++) {
			many[i] = (Picket__ContainerUse)PICKET__CONTAINER_USE__INIT;
			snprintf(ids[i], sizeof(ids[i]), "%u-%zu", part, i);
			many[i].id = ids[i];
			all[i] = &many[i];
		}
		OK(store_images_in_use(w.f.s, "agent-1", &u.state, &whole, NULL, NULL, &w.err));
		assert_false(whole);
	}
	assert_int_equal(get(WEB).containers, STORE_CONTAINERS_MAX);
}

static void an_image_nobody_runs_or_sees_is_dropped_with_what_only_it_had(void **state)
{
	const struct store_images_tidy how = { .gone_ns = 0, .quiet_ns = 1000 * DAY_NS, .keep_ns = 30 * DAY_NS };
	Picket__Inventory *second = stock_inventory(w.a, DB, "db:1");
	struct stock_use u;
	struct store_image im;
	uint64_t dropped;

	OK(stock_put(w.f.s, "agent-1", web(), &w.err));
	stock_add(second, stock_layer(w.a, base));
	OK(stock_put(w.f.s, "agent-1", second, &w.err));
	stock_use(&u, 1, DB, "db-1");
	OK(stock_tell(w.f.s, "agent-1", &u.state, &w.err));
	clock_fake_advance(&w.f.clk, 29 * DAY_NS);
	OK(store_images_tidy(w.f.s, &how, &dropped, &w.err));
	assert_int_equal(dropped, 0);
	clock_fake_advance(&w.f.clk, 2 * DAY_NS);
	OK(store_images_tidy(w.f.s, &how, &dropped, &w.err));
	assert_int_equal(dropped, 1);
	assert_int_equal(store_image_get(w.f.s, WEB, w.a, &im, &w.err), -ERR_NOT_FOUND);
	assert_int_equal(get(DB).packages, 3);
	assert_int_equal(rows("package"), 3);
	assert_int_equal(rows("layer"), 1);
	struct store_vuln_status st;
	OK(store_vuln_status(w.f.s, &st, &w.err));
	assert_int_equal(st.images_dropped, 1);
}

/* ---- lists ---- */

static int take_name(void *arg, const struct store_image *im)
{
	char name[256];

	store_image_name(w.f.s, im, name, sizeof(name));
	buf_printf(arg, "%s ", name);
	return 0;
}

static const char *list(const char *filter)
{
	static struct buf out;
	char cursor[64];
	const struct store_query q = { .filter = slice_of(filter), .limit = 10 };

	buf_reset(&out);
	buf_add_str(&out, "");
	OK(store_image_query(w.f.s, &q, take_name, &out, cursor, sizeof(cursor), &w.err));
	return out.n ? out.p : "";
}

static void lists_are_filtered_by_where_and_what(void **state)
{
	static const struct {
		const char *filter, *want;
	} cases[] = {
		{ "", "nginx:1.25 db:1 " },
		{ "image~nginx", "nginx:1.25 " },
		{ "image=db:1", "db:1 " },
		{ "image=aaaaaaaaaaaa", "nginx:1.25 " },
		{ "image!=db:1", "nginx:1.25 " },
		{ "running:yes", "nginx:1.25 " },
		{ "running:no", "db:1 " },
		{ "host=host-1", "nginx:1.25 " },
		{ "host=host-2", "" },
		{ "-host=host-2", "nginx:1.25 db:1 " },
		{ "container=web-1 exposed:yes", "nginx:1.25 " },
		{ "package=lodash", "nginx:1.25 " },
		{ "package=lod*", "nginx:1.25 " },
		{ "package=bash", "nginx:1.25 db:1 " },
		{ "os=debian", "nginx:1.25 db:1 " },
		{ "\"DEBIAN\"", "nginx:1.25 db:1 " },
		{ "severity>=high", "" },
		{ "newer:yes", "db:1 " },
	};
	Picket__Inventory *second = stock_inventory(w.a, DB, "db:1");
	Picket__BaseImage b = PICKET__BASE_IMAGE__INIT;
	struct stock_use u;

	OK(stock_put(w.f.s, "agent-1", web(), &w.err));
	stock_add(second, stock_layer(w.a, base));
	OK(stock_put(w.f.s, "agent-1", second, &w.err));
	stock_use(&u, 1, WEB, "web-1");
	OK(stock_tell(w.f.s, "agent-1", &u.state, &w.err));
	b.image_id = STOCK_TEXT(DB);
	b.reference = STOCK_TEXT("db:1");
	b.running_digest = STOCK_TEXT("sha256:old");
	b.current_digest = STOCK_TEXT("sha256:new");
	b.checked_unix_s = 5;
	OK(store_base_image_put(w.f.s, "agent-1", &b, &w.err));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (strcmp(list(cases[i].filter), cases[i].want) != 0)
			fail_msg("%s: %s", cases[i].filter, list(cases[i].filter));
	char cursor[64];
	const struct store_query wrong = { .filter = SLICE_LIT("imgae=x"), .limit = 1 };
	assert_int_equal(store_image_query(w.f.s, &wrong, take_name, NULL, cursor, sizeof(cursor), &w.err), -ERR_SYNTAX);
	assert_non_null(strstr(w.err.msg, "image"));
}

static void a_page_goes_on_where_the_one_before_ended(void **state)
{
	char cursor[64] = "", id[80];
	struct buf out = { 0 };
	unsigned pages = 0;

	for (unsigned i = 0; i < 25; i++) {
		snprintf(id, sizeof(id), "sha256:%064u", i);
		OK(stock_put(w.f.s, "agent-1", stock_inventory(w.a, id, id + 60), &w.err));
		clock_fake_advance(&w.f.clk, i % 3 ? SECOND_NS : 0);
	}
	do {
		const struct store_query q = { .limit = 4, .cursor = cursor };
		char next[64];

		OK(store_image_query(w.f.s, &q, take_name, &out, next, sizeof(next), &w.err));
		snprintf(cursor, sizeof(cursor), "%s", next);
		pages++;
	} while (cursor[0]);
	assert_in_range(pages, 7, 8);
	for (unsigned i = 0; i < 25; i++) {
		snprintf(id, sizeof(id), "sha256:%064u", i);
		const char *at = strstr(out.p, id + 60);
		assert_non_null(at);
	}
	assert_int_equal(out.n, 25 * strlen("00000000000 ") + 0);
	buf_fini(&out);
}

static int take_base(void *arg, const struct store_base *b)
{
	*(struct store_base *)arg = *b;
	((struct store_base *)arg)->image_id = b->image_id[0] ? "some" : "";
	((struct store_base *)arg)->error = b->error[0] ? "some" : "";
	return 0;
}

static void what_a_registry_says_is_kept_over_its_failures(void **state)
{
	Picket__BaseImage b = PICKET__BASE_IMAGE__INIT;
	struct store_base got = { 0 };

	OK(stock_put(w.f.s, "agent-1", web(), &w.err));
	b.image_id = STOCK_TEXT(WEB);
	b.reference = STOCK_TEXT("nginx:1.25");
	b.running_digest = STOCK_TEXT("sha256:old");
	b.current_digest = STOCK_TEXT("sha256:old");
	b.checked_unix_s = 100;
	OK(store_base_image_put(w.f.s, "agent-1", &b, &w.err));
	assert_false(get(WEB).is_newer);
	b.current_digest = STOCK_TEXT("sha256:new");
	b.checked_unix_s = 200;
	OK(store_base_image_put(w.f.s, "agent-1", &b, &w.err));
	assert_true(get(WEB).is_newer);
	b.current_digest = STOCK_TEXT("");
	b.error = STOCK_TEXT("503 from the registry");
	b.checked_unix_s = 300;
	OK(store_base_image_put(w.f.s, "agent-1", &b, &w.err));
	OK(store_image_bases(w.f.s, get(WEB).row, take_base, &got, &w.err));
	assert_true(got.is_newer);
	assert_string_equal(got.error, "some");
	assert_string_equal(got.image_id, "");
	/* of an image that isn't known there is nothing to say */
	b.image_id = STOCK_TEXT(DB);
	OK(store_base_image_put(w.f.s, "agent-1", &b, &w.err));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(an_inventory_is_stored_once_and_its_layers_are_shared),
		TEST(a_layer_that_is_not_here_must_be_sent),
		TEST(too_many_packages_are_refused_whole),
		TEST(another_agent_does_not_replace_an_inventory_unless_its_sender_is_revoked),
		TEST(names_that_come_later_are_taken_over_and_nothing_else_than_text),
		TEST(a_state_says_what_runs_and_ends_what_it_does_not_name),
		TEST(parts_of_a_state_come_in_order_or_all_again),
		TEST(a_silent_or_revoked_agent_runs_nothing),
		TEST(one_agent_takes_only_so_much_room),
		TEST(an_image_nobody_runs_or_sees_is_dropped_with_what_only_it_had),
		TEST(lists_are_filtered_by_where_and_what),
		TEST(a_page_goes_on_where_the_one_before_ended),
		TEST(what_a_registry_says_is_kept_over_its_failures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
