/* owners: whose file is this, written down and read back, and tables of strangers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>

#include "agent/image/owners.h"

static void add(struct owners_maker *m, const char *path, bool is_prefix, uint32_t p)
{
	assert_int_equal(owners_add_file(m, owners_hash(slice_of(path)), is_prefix, p, NULL), 0);
}

static uint32_t package(struct owners_maker *m, const char *ecosystem, const char *name, const char *version)
{
	const struct owners_package p = { slice_of(ecosystem), slice_of(name), slice_of(version) };
	uint32_t n = UINT32_MAX;

	assert_int_equal(owners_add_package(m, &p, &n, NULL), 0);
	return n;
}

static struct owners *example(void)
{
	CLEANUP(owners_maker_freep) struct owners_maker *m = NULL;
	struct owners *o = NULL;

	assert_int_equal(owners_maker_new(&m, NULL), 0);
	uint32_t coreutils = package(m, "deb", "coreutils", "9.1-1");
	uint32_t python = package(m, "deb", "python3-yaml", "6.0");
	uint32_t yaml = package(m, "pypi", "PyYAML", "6.0");
	add(m, "/bin/ls", false, coreutils);
	add(m, "usr/lib/python3/yaml/__init__.py", false, python);
	add(m, "usr/lib/python3/yaml/__init__.py", false, yaml);
	add(m, "opt/app/", true, yaml);
	add(m, "opt/app/sub/", true, python);
	assert_int_equal(owners_add_alias(m, SLICE_LIT("bin"), SLICE_LIT("usr/bin"), NULL), 0);
	assert_int_equal(owners_add_alias(m, SLICE_LIT("srv"), SLICE_LIT("data"), NULL), 0);
	add(m, "srv/www", true, python);
	assert_int_equal(owners_make(m, &o, NULL), 0);
	return o;
}

static void check_example(const struct owners *o)
{
	static const struct {
		const char *path, *owner; /* NULL: nobody */
	} rows[] = {
		{ "/bin/ls", "coreutils" },
		{ "bin/ls", "coreutils" },
		{ "/usr/bin/ls", "coreutils" }, /* by the alias */
		{ "/usr/bin/cat", NULL },
		{ "/usr/binary/ls", NULL },
		{ "/usr/bin", NULL },
		{ "/bin", NULL },
		{ "", NULL },
		{ "/", NULL },
		{ "/usr/lib/python3/yaml/__init__.py", "python3-yaml" }, /* the first of two */
		{ "/opt/app/main.py", "PyYAML" },
		{ "/opt/app", "PyYAML" },
		{ "/opt/application", NULL },
		{ "/opt/app/sub/x/y", "python3-yaml" }, /* the nearest of two */
		{ "/data/www/index.html", "python3-yaml" },
		{ "/data/other", NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct owners_package p = { 0 };
		bool found = owners_find(o, slice_of(rows[i].path), &p);

		if (found != !!rows[i].owner || (found && !slice_is(p.name, rows[i].owner)))
			fail_msg("'%s' belongs to '%.*s', not '%s'", rows[i].path, SLICE_FMT(p.name), rows[i].owner);
	}
	assert_int_equal(owners_package_count(o), 3);
	assert_int_equal(owners_file_count(o), 5);
}

static void a_file_belongs_to_its_package(void **state)
{
	CLEANUP(owners_freep) struct owners *o = example();
	struct owners_package p;

	check_example(o);
	assert_true(owners_find(o, SLICE_LIT("/bin/ls"), &p));
	assert_true(slice_is(p.ecosystem, "deb") && slice_is(p.version, "9.1-1"));
}

static void what_is_written_can_be_read(void **state)
{
	CLEANUP(owners_freep) struct owners *o = example();
	CLEANUP(owners_freep) struct owners *again = NULL;
	CLEANUP(buf_finip) struct buf b = { 0 };

	buf_init(&b, 0);
	assert_int_equal(owners_write(o, &b, NULL), 0);
	assert_int_equal(owners_read(buf_slice(&b), &again, NULL), 0);
	check_example(again);
}

static void a_file_keeps_it(void **state)
{
	char dir[] = "/tmp/ownersXXXXXX", path[64];
	CLEANUP(owners_freep) struct owners *o = example();
	CLEANUP(owners_freep) struct owners *again = NULL;
	struct err err;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/owners", dir);
	assert_int_equal(owners_load(path, &again, &err), -ENOENT);
	assert_int_equal(owners_save(o, path, NULL), 0);
	assert_int_equal(owners_load(path, &again, NULL), 0);
	check_example(again);
	unlink(path);
	rmdir(dir);
}

static void nothing_is_a_table_too(void **state)
{
	CLEANUP(owners_maker_freep) struct owners_maker *m = NULL;
	CLEANUP(owners_freep) struct owners *o = NULL;
	CLEANUP(owners_freep) struct owners *again = NULL;
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct owners_package p;

	assert_int_equal(owners_maker_new(&m, NULL), 0);
	assert_int_equal(owners_make(m, &o, NULL), 0);
	buf_init(&b, 0);
	assert_int_equal(owners_write(o, &b, NULL), 0);
	assert_int_equal(owners_read(buf_slice(&b), &again, NULL), 0);
	assert_false(owners_find(again, SLICE_LIT("/bin/ls"), &p));
}

/* Every single byte changed, every length cut: an error or a table that answers, never a fault. */
static void a_spoilt_table_is_refused_or_harmless(void **state)
{
	CLEANUP(owners_freep) struct owners *o = example();
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct owners_package p;

	buf_init(&b, 0);
	assert_int_equal(owners_write(o, &b, NULL), 0);
	for (size_t i = 0; i < b.n; i++) {
		CLEANUP(owners_freep) struct owners *cut = NULL;
		CLEANUP(owners_freep) struct owners *spoilt = NULL;

		assert_true(owners_read(slice_sub(buf_slice(&b), 0, i), &cut, NULL) < 0);
		b.p[i] ^= 0x41;
		if (owners_read(buf_slice(&b), &spoilt, NULL) >= 0)
			(void)owners_find(spoilt, SLICE_LIT("/usr/bin/ls"), &p);
		b.p[i] ^= 0x41;
	}
}

static void absurd_sizes_allocate_nothing(void **state)
{
	char head[28] = "PKOWNERS";
	CLEANUP(owners_freep) struct owners *o = NULL;
	struct err err;

	head[8] = 1;
	memset(head + 12, 0xff, 16);
	assert_int_equal(owners_read(slice_from(head, sizeof(head)), &o, &err), -ERR_CORRUPT);
	head[8] = 2;
	assert_int_equal(owners_read(slice_from(head, sizeof(head)), &o, &err), -ERR_VERSION);
	assert_int_equal(owners_read(SLICE_LIT("PKOWNERS"), &o, &err), -ERR_CORRUPT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_belongs_to_its_package),
		cmocka_unit_test(what_is_written_can_be_read),
		cmocka_unit_test(a_file_keeps_it),
		cmocka_unit_test(nothing_is_a_table_too),
		cmocka_unit_test(a_spoilt_table_is_refused_or_harmless),
		cmocka_unit_test(absurd_sizes_allocate_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
