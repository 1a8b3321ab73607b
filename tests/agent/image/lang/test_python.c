/* Python: metadata of what is installed, and its files. */
#include "tests/agent/image/lang/lang_test.h"

#include <zlib.h>

#define SITE "usr/lib/python3/dist-packages"

static const char metadata[] = "Metadata-Version: 2.1\r\nName: Py.Thing\r\nversion: 1.0rc1\r\nVersion: 2\r\n"
			       "Summary: x\r\n\r\nName: other\r\n";

static void the_info_folder_stands_for_the_package(void **state)
{
	assert_file(SITE "/py_thing-1.0.dist-info/METADATA", metadata, "Py.Thing 1.0rc1\n", "");
	assert_file(SITE "/py_thing.egg-info/PKG-INFO", metadata, "Py.Thing 1.0rc1\n", "");
	assert_file(SITE "/py_thing-1.0.egg-info", metadata, "Py.Thing 1.0rc1\n", "");
	assert_file(SITE "/py_thing-1.0-py3.9.egg/EGG-INFO/PKG-INFO", metadata, "Py.Thing 1.0rc1\n",
		    SITE "/py_thing-1.0-py3.9.egg " SITE "/py_thing-1.0-py3.9.egg/\n");
}

static void record_names_the_files(void **state)
{
	assert_file(SITE "/x-1.0.dist-info/RECORD",
		    "x/__init__.py,sha256=47DEQ,0\r\n\"x/a,b.py\",sha256=1,1\n../../../bin/x,sha256=2,3\n"
		    "/usr/share/x,,\n../../../../../etc/passwd,,\nx-1.0.dist-info/RECORD,,\nno comma\n,,\n\"open\n",
		    "",
		    SITE "/x-1.0.dist-info " SITE "/x/__init__.py\n"
		    SITE "/x-1.0.dist-info " SITE "/x/a,b.py\n"
		    SITE "/x-1.0.dist-info usr/bin/x\n"
		    SITE "/x-1.0.dist-info usr/share/x\n"
		    SITE "/x-1.0.dist-info " SITE "/x-1.0.dist-info/RECORD\n");
	assert_file(SITE "/x.egg-info/installed-files.txt", "../x/y.py\n./PKG-INFO\n\n", "",
		    SITE "/x.egg-info " SITE "/x/y.py\n" SITE "/x.egg-info " SITE "/x.egg-info/PKG-INFO\n");
	assert_file("x.dist-info/RECORD", "x.py,,\n", "", "x.dist-info x.py\n");
	struct got g;
	got_init(&g);
	get(&g, "x.dist-info/RECORD", SLICE_LIT("\0x,,\nx\0y,,\n"));
	assert_int_equal(g.owned.n, 0);
	got_fini(&g);
}

static void metadata_without_a_name_or_version_is_an_error(void **state)
{
	static const char path[] = "x.dist-info/METADATA";

	assert_wrong(path, "Name: x\n\nVersion: 1\n", "", ERR_SYNTAX, "no version");
	assert_wrong(path, "Version: 1\n", "", ERR_SYNTAX, "no name");
	assert_wrong(path, "", "", ERR_SYNTAX, "no name");
	assert_wrong(path, "Name: \xff\nVersion: 1\n", "", ERR_SYNTAX, "no text");
}

/* A zip of one stored file, as zip writes it. */
static void put_zip(struct buf *b, const char *name, const char *text, uint32_t size)
{
	uint32_t crc = 0xffffffff;
	uint16_t n = (uint16_t)strlen(name);
	uint8_t head[30] = { 'P', 'K', 3, 4, 20 };

	for (const char *p = text; *p; p++) {
		crc ^= (uint8_t)*p;
		for (int i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	crc = ~crc;
	memcpy(head + 14, &crc, 4);
	memcpy(head + 18, &size, 4);
	memcpy(head + 22, &size, 4);
	memcpy(head + 26, &n, 2);
	buf_add(b, head, sizeof(head));
	buf_add_str(b, name);
	buf_add_str(b, text);
}

static void get_zip(const char *path, struct buf *b, const char *want, int code)
{
	struct got g;

	got_init(&g);
	get(&g, path, buf_slice(b));
	if (g.result != -code)
		fail_msg("%s: %d %s", path, g.result, g.err.msg);
	assert_string_equal(g.packages.n ? g.packages.p : "", want);
	got_fini(&g);
}

static void eggs_and_wheels_are_looked_into(void **state)
{
	CLEANUP(buf_finip) struct buf b = { 0 };

	buf_init(&b, 1 << 20);
	put_zip(&b, "x/EGG-INFO/PKG-INFO", "Name: no\nVersion: 0\n", 20);
	put_zip(&b, "EGG-INFO/PKG-INFO", metadata, sizeof(metadata) - 1);
	get_zip("site/x.egg", &b, "Py.Thing 1.0rc1\n", 0);
	get_zip("x.whl", &b, "Py.Thing 1.0rc1\n", 0);
	buf_reset(&b);
	put_zip(&b, "x-1.0.dist-info/METADATA", metadata, sizeof(metadata) - 1);
	get_zip("x.whl", &b, "Py.Thing 1.0rc1\n", 0);
	for (size_t n = b.n; n-- > 0;) { /* cut at each byte: an error or nothing, never another package */
		struct buf cut = { .p = b.p, .n = n };
		struct slice s = buf_slice(&cut);
		struct got g;

		got_init(&g);
		get(&g, "x.whl", s);
		assert_int_equal(g.count, 0);
		got_fini(&g);
	}
	buf_reset(&b);
	put_zip(&b, "a.py", "x", 1);
	get_zip("x.egg", &b, "", ERR_CORRUPT); /* ends where a directory should be */
	buf_reset(&b);
	buf_add_str(&b, "no zip at all");
	get_zip("x.egg", &b, "", ERR_CORRUPT);
}

/* 130 MiB of nothing in some 600 KiB, its length behind it. */
static void a_bomb_ends_at_its_bound(void **state)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	static const uint8_t head[30] = { 'P', 'K', 3, 4, 20, 0, 8, 0, 8, [26] = 1 };
	static Bytef nothing[1 << 20];
	z_stream z = { 0 };

	buf_init(&b, 4 << 20);
	buf_add(&b, head, sizeof(head));
	buf_add_str(&b, "a");
	assert_int_equal(deflateInit2(&z, 1, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
	for (int i = 0; i < 130; i++) {
		z.next_in = nothing;
		z.avail_in = sizeof(nothing);
		z.next_out = (Bytef *)buf_reserve(&b, 64 << 10);
		z.avail_out = 64 << 10;
		assert_int_equal(deflate(&z, i == 129 ? Z_FINISH : Z_NO_FLUSH), i == 129 ? Z_STREAM_END : Z_OK);
		buf_written(&b, (64 << 10) - z.avail_out);
	}
	(void)deflateEnd(&z);
	get_zip("x.egg", &b, "", ERR_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_info_folder_stands_for_the_package),
		cmocka_unit_test(record_names_the_files),
		cmocka_unit_test(metadata_without_a_name_or_version_is_an_error),
		cmocka_unit_test(eggs_and_wheels_are_looked_into),
		cmocka_unit_test(a_bomb_ends_at_its_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
