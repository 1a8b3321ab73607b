/* inventory: the message and the table of owners that come of joined layers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "agent/image/inventory.h"
#include "layers.h"

struct made {
	struct bench b;
	Picket__Inventory *inv;
	struct owners *owners;
};

static void make(struct made *m, const char *kind)
{
	struct meta meta;
	struct inventory_input in = { &m->b.merged, &meta, kind };
	struct err err;

	assert_int_equal(meta_empty(m->b.arena, m->b.merged.layer_count, &meta, NULL), 0);
	if (inventory_make(&in, m->b.arena, &m->inv, &m->owners, &err) < 0)
		fail_msg("%s", err.msg);
}

static void fini(struct made *m)
{
	owners_free(m->owners);
	bench_fini(&m->b);
}

static const char *owner_of(const struct made *m, const char *path)
{
	struct owners_package p;

	return owners_find(m->owners, slice_of(path), &p) ?
		       arena_printf(m->b.arena, "%.*s:%.*s", SLICE_FMT(p.ecosystem), SLICE_FMT(p.name)) :
		       "";
}

static void packages_come_sorted_and_once(void **state)
{
	struct made m;

	bench_init(&m.b);
	LAYER(&m.b, { "var/lib/toy/db", "b 2\na 1\nb 2\nb 10\n" }, { "x/toy.lang", "b 2\n" }, { "y/toy.lang", "b 2\n" });
	make(&m, "image");
	const Picket__Layer *l = m.inv->layers[0];
	assert_int_equal(l->n_packages, 5);
	assert_string_equal(l->packages[0]->name, "a");
	assert_string_equal(l->packages[1]->version, "10");
	assert_string_equal(l->packages[2]->version, "2");
	assert_true(slice_is(msg_slice(l->packages[3]->path), "x/toy.lang"));
	assert_true(slice_is(msg_slice(l->packages[4]->path), "y/toy.lang"));
	fini(&m);
}

static void a_layers_key_is_of_its_packages(void **state)
{
	struct made a, b, c;

	bench_init(&a.b);
	LAYER(&a.b, { "var/lib/toy/db", "a 1\nb 2\n" });
	make(&a, "image");
	bench_init(&b.b);
	LAYER(&b.b, { "var/lib/toy/db", "b 2\na 1\n" }, { "other", "file" });
	make(&b, "image");
	bench_init(&c.b);
	LAYER(&c.b, { "var/lib/toy/db", "b 2\na 2\n" });
	make(&c, "image");
	assert_memory_equal(a.inv->layers[0]->key.data, b.inv->layers[0]->key.data, LIMIT_KEY_BYTES);
	assert_memory_not_equal(a.inv->layers[0]->key.data, c.inv->layers[0]->key.data, LIMIT_KEY_BYTES);
	/* and so is the id of what has no configuration */
	assert_string_equal(a.inv->image_id, b.inv->image_id);
	assert_string_not_equal(a.inv->image_id, c.inv->image_id);
	fini(&a);
	fini(&b);
	fini(&c);
}

static void the_distribution_owns_a_file_before_a_language(void **state)
{
	struct made m;

	bench_init(&m.b);
	LAYER(&m.b, { "app/toy.lang", "x 1\nowns x /usr/lib/x/toy.lang\nowns x /usr/lib/x/own\n" },
	      { "usr/lib/x/toy.lang", "inner 1\n" }, { "var/lib/toy/db", "deb-x 2\n" },
	      { "var/lib/toy/info/x.list", "owns deb-x /usr/lib/x/toy.lang\nowns gone /usr/lib/x/own\n" });
	make(&m, "image");
	assert_string_equal(owner_of(&m, "/usr/lib/x/toy.lang"), "deb:deb-x");
	assert_string_equal(owner_of(&m, "/usr/lib/x/own"), "npm:x"); /* its other owner is not installed */
	const Picket__Layer *l = m.inv->layers[0];
	assert_int_equal(l->n_packages, 3);
	assert_string_equal(l->packages[1]->name, "inner");
	assert_string_equal(l->packages[1]->owner, "deb-x");
	assert_string_equal(l->packages[2]->owner, "");
	fini(&m);
}

static void setid_files_name_their_package(void **state)
{
	struct made m;

	bench_init(&m.b);
	LAYER(&m.b, { "usr/bin/su", "x", .mode = 04755 }, { "opt/own", "x", .mode = 02755 }, { "bin", .soft = "usr/bin" },
	      { "var/lib/toy/db", "login 1\n" }, { "var/lib/toy/info/l.list", "owns login /bin/su\n" });
	make(&m, "image");
	assert_int_equal(m.inv->config->n_setid_files, 2);
	assert_string_equal(m.inv->config->setid_files[0]->package, "login");
	assert_int_equal(m.inv->config->setid_files[0]->mode, 04755);
	assert_string_equal(m.inv->config->setid_files[1]->package, "");
	fini(&m);
}

static void who_is_root_is_told(void **state)
{
	struct made m, none;

	bench_init(&m.b);
	LAYER(&m.b, { "etc/passwd", "root:x:0:0::/:\napp:x:0:0::/:\nother:x:7:0::/:\n" });
	make(&m, "image");
	assert_true(m.inv->config->has_passwd);
	assert_int_equal(m.inv->config->n_uid0_users, 2);
	assert_string_equal(m.inv->config->uid0_users[1], "app");
	bench_init(&none.b);
	LAYER(&none.b, { "etc/other", "" });
	make(&none, "image");
	assert_false(none.inv->config->has_passwd);
	assert_int_equal(none.inv->config->n_uid0_users, 0);
	fini(&m);
	fini(&none);
}

static void what_is_made_can_travel(void **state)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(1 << 20);
	CLEANUP(buf_finip) struct buf b = { 0 };
	Picket__Inventory *again = NULL;
	struct made m;

	bench_init(&m.b);
	LAYER(&m.b, { "var/lib/toy/db", "a 1\nbroken\n" }, { "etc/os-release", "ID=debian\nVERSION_ID=12\n" });
	LAYER(&m.b, { "nothing", "" });
	make(&m, "directory");
	buf_init(&b, 0);
	assert_int_equal(msg_pack_inventory(m.inv, &b, NULL), 0);
	assert_int_equal(msg_read_inventory(buf_slice(&b), a, &again, NULL), 0);
	assert_string_equal(again->kind, "directory");
	assert_string_equal(again->os->version_id, "12");
	assert_int_equal(again->n_layers, 2);
	assert_int_equal(again->n_problems, 1);
	assert_string_equal(again->problems[0], "var/lib/toy/db: toy: broken");
	fini(&m);
}

static void no_room_is_an_error(void **state)
{
	CLEANUP(arena_freep) struct arena *small = arena_new(1500);
	struct meta meta;
	struct made m;
	struct err err;

	bench_init(&m.b);
	LAYER(&m.b, { "var/lib/toy/db", "a 1\nb 1\nc 1\nd 1\ne 1\nf 1\ng 1\nh 1\ni 1\nj 1\nk 1\nl 1\nm 1\nn 1\no 1\n" });
	assert_int_equal(meta_empty(m.b.arena, 1, &meta, NULL), 0);
	m.owners = NULL;
	assert_int_equal(inventory_make(&(struct inventory_input){ &m.b.merged, &meta, "image" }, small, &m.inv, &m.owners,
					&err),
			 -ERR_LIMIT);
	fini(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packages_come_sorted_and_once),
		cmocka_unit_test(a_layers_key_is_of_its_packages),
		cmocka_unit_test(the_distribution_owns_a_file_before_a_language),
		cmocka_unit_test(setid_files_name_their_package),
		cmocka_unit_test(who_is_root_is_told),
		cmocka_unit_test(what_is_made_can_travel),
		cmocka_unit_test(no_room_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
