/* dpkg and opkg: what counts as installed, sources, keys, files; broken and hostile databases. */
#include "collect.h"

#define STATUS "var/lib/dpkg/status"

static void a_package_has_name_version_architecture_and_source(void **state)
{
	(void)state;
	expect_packages(STATUS, SLICE_LIT("Package: libgcc-s1\n"
					  "Status: install ok installed\n"
					  "Architecture: amd64\n"
					  "Multi-Arch: same\n"
					  "Source: gcc-12 (12.2.0-14)\n"
					  "Version: 12.2.0-14+deb12u1\n"
					  "Description: of a library\n"
					  " Package: not a field, it goes on\n"
					  "\n"
					  "Package: bash\n"
					  "Status: install ok installed\n"
					  "Architecture: amd64\n"
					  "Version: 5.2.15-2+b7\n"
					  "\n"
					  "Package: tzdata\r\n"
					  "Status: install ok installed\r\n"
					  "Source: tz\r\n"
					  "version: 1:2024a-0\r\n"),
			"deb libgcc-s1 12.2.0-14+deb12u1 amd64 gcc-12 12.2.0-14\n"
			"deb bash 5.2.15-2+b7 amd64 - -\n"
			"deb tzdata 1:2024a-0 - tz -\n");
}

static void what_has_its_files_on_disk_counts(void **state)
{
	static const struct {
		const char *status;
		bool counts;
	} cases[] = {
		{ "install ok installed", true },	 { "deinstall ok installed", true },
		{ "hold reinstreq installed", true },	 { "install ok unpacked", true },
		{ "install ok half-configured", true },	 { "install ok triggers-awaited", true },
		{ "install ok triggers-pending", true }, { "deinstall ok config-files", false },
		{ "install reinstreq half-installed", false }, { "purge ok not-installed", false },
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int n = snprintf(text, sizeof(text), "Package: a\nStatus: %s\nVersion: 1\n", cases[i].status);

		expect_packages(STATUS, slice_from(text, (size_t)n), cases[i].counts ? "deb a 1 - - -\n" : "");
	}
	expect_packages(STATUS, SLICE_LIT("Package: a\nVersion: 1\n"), "");
	expect_packages("var/lib/dpkg/status.d/a", SLICE_LIT("Package: a\nVersion: 1\n"), "deb a 1 - - -\n");
}

/* Keys join packages with their lists of files. */
static int keep_key(void *arg, const struct pkg *p)
{
	buf_add_slice(arg, p->key);
	buf_add_char(arg, '\n');
	return 0;
}

static void keys_of(const char *path, struct slice bytes, const char *want)
{
	struct buf keys;

	buf_init(&keys, 0);
	const struct pkg_out out = { keep_key, NULL, &keys };
	const struct blob b = blob_from_slice(&bytes);
	assert_int_equal(collect_parser(path)->read(slice_of(path), &b, &out, NULL), 0);
	assert_string_equal(keys.p, want);
	buf_fini(&keys);
}

static void a_packages_key_is_the_name_of_its_list(void **state)
{
	(void)state;
	keys_of(STATUS, SLICE_LIT("Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n"
				  "Multi-Arch: same\n\n"
				  "Package: libc6\nStatus: install ok installed\nArchitecture: i386\nVersion: 1\n"
				  "Multi-Arch: same\n\n"
				  "Package: bash\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n"
				  "Multi-Arch: foreign\n"),
		"libc6:amd64\nlibc6:i386\nbash\n");
	keys_of("var/lib/dpkg/status.d/base-files", SLICE_LIT("Package: base-files\nVersion: 1\n"), "base-files\n");
	/* Bazel's rules name the file by something else than the package. */
	keys_of("var/lib/dpkg/status.d/YmFzZQ", SLICE_LIT("Package: base\nVersion: 1\n\nPackage: more\nVersion: 1\n"),
		"YmFzZQ\nmore\n");
}

static void expect_files(const char *path, struct slice bytes, const char *want)
{
	struct collect c;

	collect_init(&c);
	int r = collect_bytes(&c, path, bytes);
	if (r)
		fail_msg("%s: %d %s", path, r, c.err.msg);
	assert_int_equal(c.package_count, 0);
	assert_string_equal(collect_files(&c), want);
	collect_fini(&c);
}

static void files_are_owned_and_folders_are_not(void **state)
{
	(void)state;
	expect_files("var/lib/dpkg/info/libc6:amd64.list",
		     SLICE_LIT("/.\n/usr\n/usr/lib\n/usr/lib/libc.so.6\n/usr/lib/libc.so.6.1\n/usr/share\n"
			       "/usr/share/doc\n/usr/share/doc/libc6\n/usr/share/doc/libc6/copyright\n/lib64\n"
			       "/lib64/ld.so\n"),
		     "libc6:amd64 usr/lib/libc.so.6\nlibc6:amd64 usr/lib/libc.so.6.1\n"
		     "libc6:amd64 usr/share/doc/libc6/copyright\nlibc6:amd64 lib64/ld.so\n");
	expect_files("var/lib/dpkg/info/bash.md5sums",
		     SLICE_LIT("c80c4b1ed9fa4a1b0d2e9b3d0a0d0a0d  bin/bash\n"
			       "07d31e7e63800ab1b7966980709c51eb  usr/share/doc/with  two blanks\n"),
		     "bash bin/bash\nbash usr/share/doc/with  two blanks\n");
	expect_files("var/lib/dpkg/status.d/base.md5sums", SLICE_LIT("07d31e7e63800ab1b7966980709c51eb  ./etc/x"),
		     "base etc/x\n");
	expect_files("usr/lib/opkg/info/busybox.list", SLICE_LIT("/bin/busybox\t0755\n/bin/ash\t0777\tbusybox\n"),
		     "busybox bin/busybox\nbusybox bin/ash\n");
	expect_files("var/lib/dpkg/info/empty.list", SLICE_NONE, "");
}

static void opkg_is_read_like_dpkg(void **state)
{
	(void)state;
	expect_packages("usr/lib/opkg/status",
			SLICE_LIT("Package: ubus\nVersion: 2024.10.20~252a9b0c-r1\nDepends: libc\nStatus: install user "
				  "installed\nArchitecture: x86_64\n"),
			"opkg ubus 2024.10.20~252a9b0c-r1 x86_64 - -\n");
}

static void a_bad_entry_is_named_and_hides_no_other(void **state)
{
	static const struct slice text =
		SLICE_LIT("Package: a\nStatus: install ok installed\nVersion: 1\n\n"
			  "Status: install ok installed\nVersion: 2\n\n\n"
			  "Package: b\nStatus: install ok installed\n\n"
			  "Package: c\nStatus: install ok installed\nVersion: 3\nArchitecture: \x01\n\n"
			  "Package: d\nStatus: install ok installed\nVersion: 4\n");
	struct collect c;

	(void)state;
	collect_init(&c);
	assert_int_equal(collect_bytes(&c, STATUS, text), -ERR_SYNTAX);
	assert_string_equal(c.err.msg, "line 5: a package without a name");
	assert_string_equal(collect_packages(&c), "deb a 1 - - -\ndeb d 4 - - -\n");
	collect_fini(&c);
}

static void the_taker_may_end_it(void **state)
{
	struct collect c;

	(void)state;
	collect_init(&c);
	c.stop_after = 1;
	assert_int_equal(collect_bytes(&c, "var/lib/dpkg/status.d/x",
				       SLICE_LIT("Package: a\nVersion: 1\n\nPackage: b\nVersion: 1\n")),
			 STOPPED);
	assert_int_equal(c.package_count, 1);
	collect_fini(&c);
}

/* Lines of any length and files of any size cost what is read of them. */
static int read_endless(void *arg, uint64_t off, void *buf, size_t n, size_t *ret_n, struct err *err)
{
	(void)off;
	(void)err;
	memset(buf, *(const char *)arg, n);
	*ret_n = n;
	return 0;
}

static void absurd_files_end_in_an_error(void **state)
{
	const char letter = 'P';
	const struct blob endless = { .size = 10ULL << 30, .read_at = read_endless, .arg = (void *)&letter };
	struct buf b;
	struct collect c;

	(void)state;
	collect_init(&c);
	assert_int_equal(collect_blob(&c, STATUS, &endless), -ERR_LIMIT);
	buf_init(&b, 0);
	buf_add_str(&b, "Package: ");
	for (int i = 0; i < 3000000; i++)
		buf_add_char(&b, 'a');
	buf_add_str(&b, "\nStatus: install ok installed\nVersion: 1\n\nPackage: z\nStatus: install ok installed\nVersion: 1\n");
	assert_int_equal(collect_bytes(&c, STATUS, buf_slice(&b)), -ERR_SYNTAX);
	assert_string_equal(collect_packages(&c), "deb z 1 - - -\n");
	buf_fini(&b);
	collect_fini(&c);
}

static void cut_and_random_files_do_no_harm(void **state)
{
	static const struct slice status = SLICE_LIT("Package: a\nStatus: install ok installed\nVersion: 1\n"
						     "Source: b (2)\nMulti-Arch: same\nArchitecture: x\n\nPackage: c\n");

	(void)state;
	expect_unharmed(STATUS, status, 1);
	expect_unharmed("var/lib/dpkg/info/a.md5sums", SLICE_LIT("07d31e7e63800ab1b7966980709c51eb  etc/x\n"), 1);
	expect_unharmed("var/lib/dpkg/info/a.list", SLICE_LIT("/.\n/etc\n/etc/x\n"), 1);
	expect_unharmed_by_noise(STATUS, SLICE_NONE);
	expect_unharmed_by_noise("var/lib/dpkg/info/a.list", SLICE_NONE);
	expect_unharmed_by_noise("var/lib/dpkg/info/a.md5sums", SLICE_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_package_has_name_version_architecture_and_source),
		cmocka_unit_test(what_has_its_files_on_disk_counts),
		cmocka_unit_test(a_packages_key_is_the_name_of_its_list),
		cmocka_unit_test(files_are_owned_and_folders_are_not),
		cmocka_unit_test(opkg_is_read_like_dpkg),
		cmocka_unit_test(a_bad_entry_is_named_and_hides_no_other),
		cmocka_unit_test(the_taker_may_end_it),
		cmocka_unit_test(absurd_files_end_in_an_error),
		cmocka_unit_test(cut_and_random_files_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
