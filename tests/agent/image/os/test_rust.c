/* cargo auditable programs: what is in them, what only built them, and bombs. */
#include <zlib.h>

#include "elf_build.h"

static struct buf packed(struct slice text)
{
	uLongf n = compressBound(text.n);
	struct buf b;

	buf_init(&b, 0);
	char *p = buf_reserve(&b, n);
	assert_int_equal(compress2((Bytef *)p, &n, (const Bytef *)text.p, text.n, 9), Z_OK);
	buf_written(&b, n);
	return b;
}

static struct buf rust_program(struct slice json)
{
	struct buf section = packed(json), elf = elf_with(".dep-v0", buf_slice(&section));

	buf_fini(&section);
	return elf;
}

static const struct slice json = SLICE_LIT(
	"{\"packages\":[{\"name\":\"autocfg\",\"version\":\"1.1.0\",\"source\":\"crates.io\",\"kind\":\"build\"},"
	"{\"name\":\"libc\",\"version\":\"0.2.140\",\"source\":\"crates.io\"},"
	"{\"name\":\"app\",\"version\":\"0.1.0\",\"source\":\"local\",\"dependencies\":[0,1],\"root\":true},"
	"{\"name\":\"rand\",\"version\":\"0.8.5+x\",\"source\":{\"name\":\"other\",\"version\":\"no\"},"
	"\"kind\":\"runtime\",\"features\":[\"name\",{\"version\":\"no\"}]}],"
	"\"other\":[{\"name\":\"none\",\"version\":\"1\"}],\"format\":1}");

static void packages_are_told_from_what_built_them(void **state)
{
	(void)state;
	expect_elf(rust_program(json), 0,
		   "cargo autocfg 1.1.0 - - - dev\n"
		   "cargo libc 0.2.140 - - -\n"
		   "cargo app 0.1.0 - - -\n"
		   "cargo rand 0.8.5+x - - -\n",
		   NULL);
	expect_elf(rust_program(SLICE_LIT("{\"packages\":[]}")), 0, "", NULL);
	expect_elf(rust_program(SLICE_LIT("[]")), 0, "", NULL);
}

static void both_compilers_may_have_been_there(void **state)
{
	struct buf section = packed(json);
	struct elf_build e = { .sections = { { ".go.buildinfo",
					       SLICE_LIT("\xff Go buildinf:\x08\x02________________\x05go1.9\0") },
					     { ".dep-v0", buf_slice(&section) } },
			       .count = 2 };

	(void)state;
	expect_elf(elf_of(&e), 0,
		   "golang stdlib 1.9 - - -\n"
		   "cargo autocfg 1.1.0 - - - dev\n"
		   "cargo libc 0.2.140 - - -\n"
		   "cargo app 0.1.0 - - -\n"
		   "cargo rand 0.8.5+x - - -\n",
		   NULL);
	buf_fini(&section);
}

static void many_packages_are_read_in_pieces(void **state)
{
	enum { COUNT = 20000 };
	struct collect c;
	struct buf b;

	(void)state;
	buf_init(&b, 0);
	buf_add_str(&b, "{\"packages\":[");
	for (int i = 0; i < COUNT; i++)
		buf_printf(&b, "%s{\"name\":\"crate-%d\",\"version\":\"1.0.%d\"}", i ? "," : "", i, i);
	buf_add_str(&b, "]}");
	struct buf elf = rust_program(buf_slice(&b));
	collect_init(&c);
	assert_int_equal(collect_bytes(&c, "ELF", buf_slice(&elf)), 0);
	assert_int_equal(c.package_count, COUNT);
	assert_non_null(strstr(collect_packages(&c), "\ncargo crate-19999 1.0.19999 - - -\n"));
	collect_fini(&c);
	buf_fini(&elf);
	buf_fini(&b);
}

static void bombs_end(void **state)
{
	enum { MANY = 8 << 20 };
	char *p = malloc(MANY);

	(void)state;
	assert_non_null(p);
	memset(p, ' ', MANY);
	expect_elf(rust_program(slice_from(p, MANY)), -ERR_LIMIT, "", "more than");
	memset(p, '[', MANY);
	expect_elf(rust_program(slice_from(p, MANY)), -ERR_LIMIT, "", "nested");
	memset(p, 'a', MANY);
	p[0] = '"';
	expect_elf(rust_program(slice_from(p, MANY)), -ERR_LIMIT, "", "more than");
	const struct slice before = SLICE_LIT("{\"packages\":[{\"name\":\""),
			   after = SLICE_LIT("\",\"version\":\"1\"},{\"name\":\"b\",\"version\":\"2\"}]}");
	memcpy(p, before.p, before.n);
	memcpy(p + 2000000, after.p, after.n);
	expect_elf(rust_program(slice_from(p, 2000000 + after.n)), -ERR_SYNTAX, "cargo b 2 - - -\n", "too long");
	free(p);
}

static void damage_is_told(void **state)
{
	struct buf section = packed(json);

	(void)state;
	expect_elf(elf_with(".dep-v0", SLICE_LIT("not packed at all")), -ERR_CORRUPT, "", "not packed");
	expect_elf(rust_program(SLICE_LIT("{\"packages\":[{\"name\":\"a\",\"version\":\"1\"},oops")), -ERR_SYNTAX,
		   "cargo a 1 - - -\n", "not JSON");
	expect_elf(rust_program(SLICE_LIT("{\"packages\":[{\"name\":\"a\",\"version\":\"1\"}")), -ERR_SYNTAX,
		   "cargo a 1 - - -\n", "not JSON");
	expect_elf(elf_with(".dep-v0", slice_sub(buf_slice(&section), 0, 20)), -ERR_CORRUPT, "", "ends too early");
	buf_fini(&section);
}

static void cut_and_random_sections_do_no_harm(void **state)
{
	struct buf elf = rust_program(json);

	(void)state;
	expect_unharmed("ELF", buf_slice(&elf), 2);
	buf_fini(&elf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packages_are_told_from_what_built_them),
		cmocka_unit_test(both_compilers_may_have_been_there),
		cmocka_unit_test(many_packages_are_read_in_pieces),
		cmocka_unit_test(bombs_end),
		cmocka_unit_test(damage_is_told),
		cmocka_unit_test(cut_and_random_sections_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
