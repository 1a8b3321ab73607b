/* The summary of an inventory comes back as it was, and a wrong one is refused. */
#include "agent/image/live/summary.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/file.h"

#define HEX64 "1111111111111111111111111111111111111111111111111111111111111111"

static void it_comes_back_as_it_was(void **state)
{
	CLEANUP(buf_finip) struct buf out = { 0 };
	Picket__Inventory inv = PICKET__INVENTORY__INIT;
	Picket__Layer layer[2] = { PICKET__LAYER__INIT, PICKET__LAYER__INIT }, *layers[] = { &layer[0], &layer[1] };
	Picket__Package package = PICKET__PACKAGE__INIT, *packages[] = { &package, &package };
	uint8_t keys[2][LIMIT_KEY_BYTES] = { { 1, 2, 3 }, { 0xff } };
	static char a[] = "a:1", b[] = "b \"x\":2", problem[] = "etc/x: cut";
	char *names[] = { a, b }, *problems[] = { problem };
	struct summary s;

	buf_init(&out, 0);
	for (int i = 0; i < 2; i++)
		layer[i].key = (ProtobufCBinaryData){ LIMIT_KEY_BYTES, keys[i] };
	layer[1].packages = packages;
	layer[1].n_packages = 2;
	inv.layers = layers;
	inv.n_layers = 2;
	inv.names = names;
	inv.n_names = 2;
	inv.problems = problems;
	inv.n_problems = 1;
	summary_write(&inv, &out);
	assert_int_equal(summary_read(buf_slice(&out), &s, NULL), 0);
	assert_int_equal(s.key_count, 2);
	assert_memory_equal(s.keys, keys, sizeof(keys));
	assert_int_equal(s.name_count, 2);
	assert_string_equal(s.names[1], "b \"x\":2");
	assert_int_equal(s.repo_digest_count, 0);
	assert_int_equal(s.packages, 2);
	assert_int_equal(s.problems, 1);
	assert_string_equal(s.first_problem, "etc/x: cut");
	summary_fini(&s);
}

/* A folder of state with the summary of one image. */
static void what_the_audit_wants_is_in_it(void **state)
{
	enum { MANY = SUMMARY_SETIDS + 10 };
	CLEANUP(arena_freep) struct arena *a = arena_new(1 << 20);
	CLEANUP(buf_finip) struct buf out = { 0 };
	char dir[] = "/tmp/picket-summary-XXXXXX", path[200];
	const char *id = "sha256:" HEX64;
	Picket__Inventory inv = PICKET__INVENTORY__INIT;
	Picket__ImageConfig config = PICKET__IMAGE_CONFIG__INIT;
	static Picket__SetidFile files[MANY], *list[MANY];
	static char root[] = "root", app[] = "app", su[] = "bin/s\"u\xff";
	char *roots[] = { root, app };
	struct summary_files f;

	for (size_t i = 0; i < MANY; i++) {
		picket__setid_file__init(&files[i]);
		files[i].path = (ProtobufCBinaryData){ strlen(su), (uint8_t *)su };
		list[i] = &files[i];
	}
	config.setid_files = list;
	config.n_setid_files = MANY;
	config.has_passwd = true;
	config.uid0_users = roots;
	config.n_uid0_users = 2;
	inv.config = &config;
	buf_init(&out, SUMMARY_BYTES);
	summary_write(&inv, &out);
	assert_false(out.failed);
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/images", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/images/" HEX64 ".json", dir);
	assert_int_equal(summary_load_files(dir, id, a, &f, NULL), -ENOENT);
	assert_int_equal(file_write_atomic(path, buf_slice(&out), 0600, NULL), 0);
	assert_int_equal(summary_load_files(dir, id, a, &f, NULL), 0);
	assert_int_equal(f.setid_count, SUMMARY_SETIDS);
	assert_int_equal(f.setids_total, MANY);
	assert_int_equal(strncmp(f.setids[0], "bin/s\"u", 7), 0);
	assert_true(f.has_passwd);
	assert_int_equal(f.root_count, 2);
	assert_string_equal(f.roots[1], "app");
	/* what is no id is no path */
	assert_int_equal(summary_load_files(dir, "sha256:../../../etc/passwd", a, &f, NULL), -ENOENT);
	assert_int_equal(summary_load_files(dir, "nginx", a, &f, NULL), -ENOENT);
	unlink(path);
	snprintf(path, sizeof(path), "%s/images", dir);
	rmdir(path);
	rmdir(dir);
}

/* Paths may be long, and many: the summary is not. */
static void long_paths_do_not_make_it_too_long(void **state)
{
	CLEANUP(buf_finip) struct buf out = { 0 };
	Picket__Inventory inv = PICKET__INVENTORY__INIT;
	Picket__ImageConfig config = PICKET__IMAGE_CONFIG__INIT;
	static Picket__SetidFile files[SUMMARY_SETIDS], *list[SUMMARY_SETIDS];
	static char path[4096];
	struct summary s;

	memset(path, 'x', sizeof(path));
	for (size_t i = 0; i < SUMMARY_SETIDS; i++) {
		picket__setid_file__init(&files[i]);
		files[i].path = (ProtobufCBinaryData){ sizeof(path), (uint8_t *)path };
		list[i] = &files[i];
	}
	config.setid_files = list;
	config.n_setid_files = SUMMARY_SETIDS;
	inv.config = &config;
	buf_init(&out, SUMMARY_BYTES);
	summary_write(&inv, &out);
	assert_false(out.failed);
	assert_int_equal(summary_read(buf_slice(&out), &s, NULL), 0);
	summary_fini(&s);
}

static void a_wrong_one_is_refused(void **state)
{
	static const char *const wrong[] = {
		"",
		"{",
		"[]",
		"{}",
		"{\"layer_keys\":7}",
		"{\"layer_keys\":[\"ab\"]}",
		"{\"layer_keys\":[7]}",
		"{\"layer_keys\":[\"zz02030000000000000000000000000000000000000000000000000000000000\"]}",
		"{\"layer_keys\":[],\"names\":[1]}",
	};
	struct summary s;
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		if (summary_read(slice_of(wrong[i]), &s, &err) >= 0)
			fail_msg("accepted: %s", wrong[i]);
	/* one of an earlier release does not say what the audit asks for */
	assert_int_equal(summary_read(SLICE_LIT("{\"layer_keys\":[]}"), &s, &err), -ERR_SYNTAX);
	assert_int_equal(summary_read(SLICE_LIT("{\"layer_keys\":[],\"setid_files\":[]}"), &s, &err), 0);
	summary_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_comes_back_as_it_was),
		cmocka_unit_test(what_the_audit_wants_is_in_it),
		cmocka_unit_test(long_paths_do_not_make_it_too_long),
		cmocka_unit_test(a_wrong_one_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
