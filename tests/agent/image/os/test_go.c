/* Go programs: both formats of the build information, what stands in it, and what pretends to be it. */
#include "elf_build.h"

#define EDGE "0123456789abcdef"
#define MARK "\xff Go buildinf:"
#define MODULES                                                                    \
	"path\texample.org/shop/cmd/shopd\n"                                       \
	"mod\texample.org/shop\tv1.4.0\th1:AAA=\n"                                 \
	"dep\tgithub.com/gin-gonic/gin\tv1.9.0\th1:BBB=\n"                         \
	"dep\tgolang.org/x/net\tv0.7.0\n"                                          \
	"=>\tgithub.com/fork/net\tv0.7.1\th1:CCC=\n"                               \
	"dep\tk8s.io/api\tv0.0.0\n"                                                \
	"=>\t./staging/api\t(devel)\t\n"                                           \
	"dep\tgopkg.in/yaml.v3\tv3.0.1\th1:DDD=\n"                                 \
	"build\t-compiler=gc\n"
#define PACKAGES                                                                   \
	"golang stdlib 1.20.3 - - -\n"                                             \
	"golang github.com/gin-gonic/gin v1.9.0 - - -\n"                           \
	"golang github.com/fork/net v0.7.1 - - -\n"                                \
	"golang k8s.io/api - - - -\n"                                              \
	"golang gopkg.in/yaml.v3 v3.0.1 - - -\n"                                   \
	"golang example.org/shop v1.4.0 - - -\n"

static void add_varint(struct buf *b, size_t n)
{
	for (; n >= 0x80; n >>= 7)
		buf_add_char(b, (char)(n | 0x80));
	buf_add_char(b, (char)n);
}

/* Since 1.18: the texts follow. */
static struct buf inline_info(const char *version, const char *modules)
{
	struct buf b;

	buf_init(&b, 0);
	buf_add(&b, MARK "\x08\x02", 16);
	buf_add(&b, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	add_varint(&b, strlen(version));
	buf_add_str(&b, version);
	add_varint(&b, strlen(modules) ? strlen(modules) + 32 : 0);
	if (strlen(modules)) {
		buf_add_str(&b, EDGE);
		buf_add_str(&b, modules);
		buf_add_str(&b, EDGE);
	}
	return b;
}

static struct buf go_program(const char *version, const char *modules)
{
	struct buf info = inline_info(version, modules), elf = elf_with(".go.buildinfo", buf_slice(&info));

	buf_fini(&info);
	return elf;
}

/* Before: addresses of strings, in a segment. The mark stands at its beginning. */
static struct buf pointer_data(const struct elf_build *e, const char *version, const char *modules)
{
	const unsigned width = e->is_32 ? 4 : 8;
	/* mark:16 two addresses, two strings' heads, texts */
	const uint64_t heads = ELF_DATA_ADDRESS + 16 + 2 * width, texts = heads + 4 * width;
	struct buf b;

	buf_init(&b, 0);
	buf_add(&b, MARK, 14);
	buf_add_char(&b, (char)width);
	buf_add_char(&b, e->is_big ? 1 : 0);
	elf_wide(e, &b, heads);
	elf_wide(e, &b, heads + 2 * width);
	elf_wide(e, &b, texts);
	elf_wide(e, &b, strlen(version));
	elf_wide(e, &b, texts + strlen(version));
	elf_wide(e, &b, strlen(modules) + 32);
	buf_add_str(&b, version);
	buf_add_str(&b, EDGE);
	buf_add_str(&b, modules);
	buf_add_str(&b, EDGE);
	return b;
}

static void texts_that_follow_are_read(void **state)
{
	(void)state;
	expect_elf(go_program("go1.20.3", MODULES), 0, PACKAGES, NULL);
}

static void texts_behind_addresses_are_read_in_every_class_and_order(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		struct elf_build e = { .is_32 = i & 1, .is_big = i & 2, .has_no_sections = i & 4 };
		struct buf data = pointer_data(&e, "go1.20.3", MODULES);

		e.data = buf_slice(&data);
		if (!e.has_no_sections) {
			e.sections[0].name = ".go.buildinfo";
			e.sections[0].bytes = slice_sub(e.data, 0, 64);
			e.count = 1;
		}
		expect_elf(elf_of(&e), 0, PACKAGES, NULL);
		buf_fini(&data);
	}
}

static void the_mark_is_found_without_sections(void **state)
{
	struct buf info = inline_info("go1.20.3", MODULES), data;

	(void)state;
	buf_init(&data, 0);
	for (int i = 0; i < 160 * 31; i++) /* somewhere behind much else */
		buf_add_char(&data, (char)0xff);
	buf_add_slice(&data, buf_slice(&info));
	const struct elf_build e = { .has_no_sections = true, .data = buf_slice(&data) };
	expect_elf(elf_of(&e), 0, PACKAGES, NULL);
	buf_fini(&data);
	buf_fini(&info);
}

/* Packers leave numbers of sections that are not there. */
static void the_mark_is_found_behind_a_broken_table_of_sections(void **state)
{
	static const struct {
		size_t at, n;
	} fields[] = { { 40, 8 }, { 58, 2 }, { 60, 2 }, { 62, 2 } }; /* place, bytes each, how many, which has names */
	struct buf info = inline_info("go1.20.3", MODULES);
	struct elf_build e = { .data = buf_slice(&info) };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		struct buf elf = elf_of(&e);

		memset(elf.p + fields[i].at, i ? 0xfe : 0x7f, fields[i].n);
		expect_elf(elf, 0, PACKAGES, NULL);
	}
	buf_fini(&info);
}

static void the_library_has_the_compilers_version(void **state)
{
	static const struct {
		const char *said, *want;
	} cases[] = {
		{ "go1.21", "1.21" },
		{ "go1.22rc1", "1.22rc1" },
		{ "go1.20.5 X:boringcrypto", "1.20.5" },
		{ "devel go1.22-3f2bf70 Mon Jan 1 00:00:00 2024 +0000", "1.22-3f2bf70" },
	};
	char want[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		(void)snprintf(want, sizeof(want), "golang stdlib %s - - -\n", cases[i].want);
		expect_elf(go_program(cases[i].said, ""), 0, want, NULL);
	}
	expect_elf(go_program("devel +abcdef Mon", ""), 0, "", NULL);
}

/* A program built in its repository is "(devel)"; what the linker was told is believed if it is one thing. */
static void a_main_module_without_version_is_guessed_from_the_linkers_flags(void **state)
{
	static const struct {
		const char *mod, *flags, *want;
	} cases[] = {
		{ "mod\texample.org/a\t(devel)\t\n", "\"-s -w -X main.version=1.2.3\"", "example.org/a v1.2.3" },
		{ "mod\texample.org/a\t(devel)\t\n", "\"-X 'example.org/a/internal.Version=v2.0.0-rc1'\"",
		  "example.org/a v2.0.0-rc1" },
		{ "mod\texample.org/a\t(devel)\t\n", "\"-X other.org/b.Version=9.9.9 -X=main.Version=1.0.0\"",
		  "example.org/a v1.0.0" },
		{ "mod\texample.org/a\t(devel)\t\n", "\"-X main.version=1.2.3 -X main.Version=1.2.4\"", "example.org/a -" },
		{ "mod\texample.org/a\t(devel)\t\n", "\"-X main.version=dev -X main.commit=1.2.3\"", "example.org/a -" },
		{ "mod\texample.org/a\tv1.0.0\t\n", "\"-X main.version=1.2.3\"", "example.org/a v1.0.0" },
		{ "path\tgithub.com/docker/cli/cmd/docker\n",
		  "\" -X \\\"github.com/docker/cli/cli/version.GitCommit=e6534b4\\\" -X "
		  "\\\"github.com/docker/cli/cli/version.Version=28.2.2\\\"\"",
		  "github.com/docker/cli v28.2.2" },
		{ "path\tcommand-line-arguments\n", "\"-X main.version=1.2.3\"", NULL },
		{ "path\tgithub.com/docker/cli\n", "-s", NULL },
	};
	char modules[512], want[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		(void)snprintf(modules, sizeof(modules), "%sbuild\t-ldflags=%s\n", cases[i].mod, cases[i].flags);
		(void)snprintf(want, sizeof(want), "golang stdlib 1.20.3 - - -\n%s%s%s", cases[i].want ? "golang " : "",
			       cases[i].want ? cases[i].want : "", cases[i].want ? " - - -\n" : "");
		expect_elf(go_program("go1.20.3", modules), 0, want, NULL);
	}
}

static void programs_of_others_have_nothing(void **state)
{
	(void)state;
	expect_elf(elf_with(".text", SLICE_LIT("code")), 0, "", NULL);
	/* The mark in a program with sections, but not in the right one: somebody's text. */
	expect_elf(elf_with(".rodata", SLICE_LIT(MARK "\x08\x02 and so on and so on and so on")), 0, "", NULL);
	struct elf_build bare = { .has_no_sections = true, .data = SLICE_LIT("nothing") };
	expect_elf(elf_of(&bare), 0, "", NULL);
}

static void expect_bytes(struct slice bytes, int want, const char *why)
{
	struct collect c;

	collect_init(&c);
	assert_int_equal(collect_bytes(&c, "ELF", bytes), want);
	assert_non_null(strstr(c.err.msg, why));
	collect_fini(&c);
}

static void what_is_no_elf_is_refused(void **state)
{
	static char text[128] = "#!/bin/sh";

	(void)state;
	expect_bytes(slice_from(text, sizeof(text)), -ERR_CORRUPT, "not an ELF");
	expect_bytes(SLICE_LIT("\177ELF\2\1"), -ERR_CORRUPT, "ends at");
	memcpy(text, "\177ELF\x09\x09", 6);
	expect_bytes(slice_from(text, sizeof(text)), -ERR_CORRUPT, "not an ELF");
}

static void information_that_lies_is_refused(void **state)
{
	static const struct {
		struct slice bytes;
		const char *why;
	} cases[] = {
		{ SLICE_LIT("not the mark, not it"), "no mark" },
		{ SLICE_LIT(MARK "\x07\x00________________"), "addresses of 7" },
		{ SLICE_LIT(MARK "\x08\x00________________"), "leads nowhere" },
		{ SLICE_LIT(MARK "\x08\x02________________\xff\xff\xff\xff\xff\xff"), "a text at" },
		{ SLICE_LIT(MARK "\x08\x02________________\xff\xff\x03 and too short"), "a text at" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		expect_elf(elf_with(".go.buildinfo", cases[i].bytes), -ERR_CORRUPT, "", cases[i].why);
}

static void numbers_of_the_head_are_not_believed(void **state)
{
	struct buf elf = go_program("go1.20.3", MODULES);
	static const struct {
		size_t at, n;
	} fields[] = { { 32, 8 }, { 40, 8 }, { 54, 2 }, { 56, 2 }, { 58, 2 }, { 60, 2 }, { 62, 2 } };
	struct collect c;

	(void)state;
	collect_init(&c);
	c.is_counting = true;
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		char kept[8];

		memcpy(kept, elf.p + fields[i].at, fields[i].n);
		memset(elf.p + fields[i].at, 0xff, fields[i].n);
		(void)collect_bytes(&c, "ELF", buf_slice(&elf));
		memset(elf.p + fields[i].at, 0, fields[i].n);
		(void)collect_bytes(&c, "ELF", buf_slice(&elf));
		memcpy(elf.p + fields[i].at, kept, fields[i].n);
	}
	/* Still whole. */
	c.package_count = 0;
	assert_int_equal(collect_bytes(&c, "ELF", buf_slice(&elf)), 0);
	assert_int_equal(c.package_count, 6);
	collect_fini(&c);
	buf_fini(&elf);
}

static void cut_and_random_programs_do_no_harm(void **state)
{
	struct elf_build e = { .has_no_sections = true };
	struct buf data = pointer_data(&e, "go1.2", "mod\ta\tv1\n"), elf;

	(void)state;
	e.data = buf_slice(&data);
	elf = elf_of(&e);
	expect_unharmed("ELF", buf_slice(&elf), 1);
	buf_fini(&elf);
	elf = go_program("go1.20.3", MODULES);
	expect_unharmed("ELF", buf_slice(&elf), 3);
	buf_fini(&elf);
	buf_fini(&data);
	expect_unharmed_by_noise("ELF", SLICE_LIT("\177ELF\2\1\1"));
	expect_unharmed_by_noise("ELF", SLICE_LIT("\177ELF\1\2\1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_that_follow_are_read),
		cmocka_unit_test(texts_behind_addresses_are_read_in_every_class_and_order),
		cmocka_unit_test(the_mark_is_found_without_sections),
		cmocka_unit_test(the_mark_is_found_behind_a_broken_table_of_sections),
		cmocka_unit_test(the_library_has_the_compilers_version),
		cmocka_unit_test(a_main_module_without_version_is_guessed_from_the_linkers_flags),
		cmocka_unit_test(programs_of_others_have_nothing),
		cmocka_unit_test(what_is_no_elf_is_refused),
		cmocka_unit_test(information_that_lies_is_refused),
		cmocka_unit_test(numbers_of_the_head_are_not_believed),
		cmocka_unit_test(cut_and_random_programs_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
