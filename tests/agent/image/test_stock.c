/* stock: whole images through a real worker, with the real parsers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <sys/resource.h>
#include <time.h>

#include "agent/image/image.h"
#include "images.h"

#define STATUS "var/lib/dpkg/status"
#define DEB(name, version) "Package: " name "\nStatus: install ok installed\nArchitecture: amd64\nVersion: " version "\n\n"

static char dir[64];
static struct arena *arena;

static int set_up(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/image-testXXXXXX");
	arena = arena_new(LIMIT_INVENTORY_ARENA_BYTES);
	return mkdtemp(dir) && arena ? 0 : -1;
}

static int tear_down(void **state)
{
	arena_free(arena);
	remove_tree(dir);
	return 0;
}

static const char *in_dir(const char *prefix, const char *name)
{
	return arena_printf(arena, "%s%s/%s", prefix, dir, name);
}

static Picket__Inventory *take(const char *target, const struct image_options *o, struct owners **owners)
{
	Picket__Inventory *inv = NULL;
	struct err err = { 0 };

	if (image_take_stock(target, o, arena, &inv, owners, &err) < 0)
		fail_msg("%s: %s", target, err.msg);
	return inv;
}

static int take_error(const char *target, const struct image_options *o, struct err *err)
{
	Picket__Inventory *inv = NULL;

	return image_take_stock(target, o, arena, &inv, NULL, err);
}

/* "name version@layer, …" */
static const char *packages_of(const Picket__Inventory *inv)
{
	const char *text = "";

	for (size_t i = 0; i < inv->n_layers; i++)
		for (size_t k = 0; k < inv->layers[i]->n_packages; k++)
			text = arena_printf(arena, "%s%s%s %s@%zu", text, *text ? ", " : "",
					    inv->layers[i]->packages[k]->name, inv->layers[i]->packages[k]->version, i);
	return text;
}

/* Two layers of Debian, one of an application. */
static struct test_image example(int filter)
{
	struct test_image im = { .config = "\"User\":\"app\",\"Env\":[\"TOKEN=x\"]" };

	IMAGE_LAYER(&im, filter, { STATUS, DEB("libc6", "2.36-9") DEB("python3-yaml", "6.0-3") },
		    { "var/lib/dpkg/info/python3-yaml.list",
		      "/.\n/usr\n/usr/lib/python3/dist-packages/PyYAML-6.0.egg-info/PKG-INFO\n/bin/su\n" },
		    { "usr/lib/python3/dist-packages/PyYAML-6.0.egg-info/PKG-INFO",
		      "Metadata-Version: 2.1\nName: PyYAML\nVersion: 6.0\n\n" },
		    { "usr/bin/su", "x", .mode = 04755 }, { "bin", .soft = "usr/bin" },
		    { "usr/lib/os-release", "ID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n" },
		    { "etc/os-release", .soft = "../usr/lib/os-release" });
	IMAGE_LAYER(&im, filter,
		    { STATUS, DEB("libc6", "2.36-9+deb12u1") DEB("python3-yaml", "6.0-3") DEB("curl", "7.88") });
	IMAGE_LAYER(&im, filter, { "app/package-lock.json", "{\"lockfileVersion\":2,\"packages\":{}}" },
		    { "app/node_modules/left-pad/package.json", "{\"name\":\"left-pad\",\"version\":\"1.3.0\"}" });
	image_finish(&im);
	return im;
}

static void check_example(const Picket__Inventory *inv, const struct test_image *im, const struct owners *owners)
{
	struct owners_package p;

	assert_string_equal(packages_of(inv), "python3-yaml 6.0-3@0, PyYAML 6.0@0, curl 7.88@1, libc6 2.36-9+deb12u1@1, "
					      "left-pad 1.3.0@2");
	assert_string_equal(inv->image_id, im->config_digest);
	assert_string_equal(inv->kind, "image");
	assert_string_equal(inv->arch, "amd64");
	assert_int_equal(inv->n_layers, 3);
	assert_string_equal(inv->layers[1]->diff_id, im->diff_ids[1]);
	assert_string_equal(inv->layers[1]->created_by, "step 1");
	assert_int_equal(inv->layers[1]->key.len, 32);
	assert_string_equal(inv->os->id, "debian");
	assert_string_equal(inv->os->codename, "bookworm");
	assert_string_equal(inv->config->user, "app");
	assert_string_equal(inv->config->secret_env[0], "TOKEN");
	assert_int_equal(inv->config->n_setid_files, 1);
	assert_string_equal(inv->config->setid_files[0]->package, "python3-yaml"); /* by the link bin -> usr/bin */
	assert_string_equal(inv->layers[0]->packages[1]->owner, "python3-yaml");
	assert_int_equal(inv->n_problems, 0);
	assert_true(owners_find(owners, SLICE_LIT("/usr/bin/su"), &p) && slice_is(p.name, "python3-yaml"));
	assert_false(owners_find(owners, SLICE_LIT("/usr/bin/other"), &p));
}

static void a_docker_archive_is_read(void **state)
{
	static const int filters[] = { ARCHIVE_FILTER_NONE, ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_ZSTD };
	struct test_image im = example(ARCHIVE_FILTER_NONE);

	for (size_t i = 0; i < ARRAY_LEN(filters); i++) {
		CLEANUP(owners_freep) struct owners *owners = NULL;

		image_write_docker(&im, in_dir("", "image.tar"), filters[i]);
		const Picket__Inventory *inv = take(in_dir("docker-archive:", "image.tar"), NULL, &owners);
		check_example(inv, &im, owners);
		assert_string_equal(inv->names[0], "test/image:1");
	}
	image_fini(&im);
}

static void an_oci_layout_is_read(void **state)
{
	static const int filters[] = { ARCHIVE_FILTER_NONE, ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_ZSTD };

	for (size_t i = 0; i < ARRAY_LEN(filters); i++) {
		CLEANUP(owners_freep) struct owners *owners = NULL;
		struct test_image im = example(filters[i]);

		image_write_oci(&im, in_dir("", "oci"));
		const Picket__Inventory *inv = take(in_dir("oci:", "oci"), NULL, &owners);
		check_example(inv, &im, owners);
		assert_string_equal(inv->layers[1]->digest, im.digests[1]);
		image_fini(&im);
		remove_tree(in_dir("", "oci"));
	}
}

static void add_layout(struct archive *a, const char *folder, const char *name)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	assert_int_equal(file_read(path, 1 << 20, &b, NULL), 0);
	archive_add(a, name, NULL, buf_slice(&b));
}

static void an_oci_archive_is_read_packed_or_not(void **state)
{
	static const int filters[] = { ARCHIVE_FILTER_NONE, ARCHIVE_FILTER_GZIP };
	struct test_image im = example(ARCHIVE_FILTER_GZIP);

	image_write_oci(&im, in_dir("", "oci"));
	for (size_t i = 0; i < ARRAY_LEN(filters); i++) {
		CLEANUP(owners_freep) struct owners *owners = NULL;
		struct archive *a = archive_begin(in_dir("", "oci.tar"), filters[i]);
		char name[128];

		add_layout(a, in_dir("", "oci"), "index.json");
		for (size_t k = 0; k < im.count + 2; k++) {
			const char *digest = k < im.count ? im.digests[k] : k == im.count ? im.config_digest : im.manifest_digest;
			snprintf(name, sizeof(name), "blobs/sha256/%.64s", digest + 7);
			add_layout(a, in_dir("", "oci"), name);
		}
		archive_end(a);
		const Picket__Inventory *inv = take(in_dir("oci-archive:", "oci.tar"), NULL, &owners);
		check_example(inv, &im, owners);
	}
	image_fini(&im);
}

static void a_folder_is_read_with_its_lock_files(void **state)
{
	const struct image_options never = { .lockfiles = IMAGE_LOCKFILES_NEVER };

	put_file(dir, "d/" STATUS, SLICE_LIT(DEB("libc6", "2.36-9")));
	put_file(dir, "d/app/requirements.txt", SLICE_LIT("flask==2.0.1\n"));
	const Picket__Inventory *inv = take(in_dir("dir:", "d"), NULL, NULL);
	assert_string_equal(packages_of(inv), "libc6 2.36-9@0, flask 2.0.1@0");
	assert_string_equal(inv->kind, "directory");
	assert_true(slice_starts(slice_of(inv->image_id), SLICE_LIT("sha256:")));
	assert_true(slice_is(msg_slice(inv->layers[0]->packages[1]->path), "app/requirements.txt"));
	inv = take(in_dir("dir:", "d"), &never, NULL);
	assert_string_equal(packages_of(inv), "libc6 2.36-9@0");
}

static void a_folder_is_never_left(void **state)
{
	char path[256];

	put_file(dir, "outside/" STATUS, SLICE_LIT(DEB("secret", "1")));
	put_file(dir, "d/app/x", SLICE_LIT("y"));
	snprintf(path, sizeof(path), "%s/d/var", dir);
	assert_int_equal(symlink("../outside/var", path), 0); /* seen from the image's root: nowhere */
	snprintf(path, sizeof(path), "%s/d/app/up", dir);
	assert_int_equal(symlink("../../outside", path), 0);
	snprintf(path, sizeof(path), "%s/d/loop", dir);
	assert_int_equal(symlink("loop", path), 0);
	assert_string_equal(packages_of(take(in_dir("dir:", "d"), NULL, NULL)), "");
}

static void an_oci_layout_is_never_left(void **state)
{
	struct test_image im = example(ARCHIVE_FILTER_GZIP);
	char path[256];
	struct err err;

	image_write_oci(&im, in_dir("", "oci"));
	put_file(dir, "outside", buf_slice(&im.packed[1]));
	snprintf(path, sizeof(path), "%s/oci/blobs/sha256/%.64s", dir, im.digests[1] + 7);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("../../../outside", path), 0);
	assert_true(take_error(in_dir("oci:", "oci"), NULL, &err) < 0);
	image_fini(&im);
}

static void a_layer_twice_in_an_image_is_read_twice(void **state)
{
	struct test_image im = { 0 };

	IMAGE_LAYER(&im, ARCHIVE_FILTER_NONE, { STATUS, DEB("a", "1") });
	IMAGE_LAYER(&im, ARCHIVE_FILTER_NONE, { "var/lib/dpkg/.wh.status", "" });
	IMAGE_LAYER(&im, ARCHIVE_FILTER_NONE, { STATUS, DEB("a", "1") });
	image_finish(&im);
	for (unsigned packed = 0; packed < 2; packed++) {
		image_write_docker(&im, in_dir("", "t.tar"), packed ? ARCHIVE_FILTER_GZIP : ARCHIVE_FILTER_NONE);
		assert_string_equal(packages_of(take(in_dir("docker-archive:", "t.tar"), NULL, NULL)), "a 1@2");
	}
	image_fini(&im);
}

static void content_that_is_not_what_it_is_called_is_refused(void **state)
{
	struct test_image im = example(ARCHIVE_FILTER_NONE);
	struct err err;

	/* a layer that the configuration does not name */
	im.plain[1].p[700] ^= 1;
	image_write_docker(&im, in_dir("", "bad.tar"), ARCHIVE_FILTER_NONE);
	assert_int_equal(take_error(in_dir("docker-archive:", "bad.tar"), NULL, &err), -ERR_CORRUPT);
	assert_non_null(strstr(err.msg, "layer 2 of 3"));
	image_write_docker(&im, in_dir("", "bad.tar"), ARCHIVE_FILTER_GZIP);
	assert_int_equal(take_error(in_dir("docker-archive:", "bad.tar"), NULL, &err), -ERR_CORRUPT);
	image_write_oci(&im, in_dir("", "bad"));
	assert_int_equal(take_error(in_dir("oci:", "bad"), NULL, &err), -ERR_CORRUPT);
	im.plain[1].p[700] ^= 1;
	/* a configuration, a manifest */
	put_blob(in_dir("", "bad"), im.digests[1], buf_slice(&im.packed[1]));
	buf_add_char(&im.config_json, ' ');
	put_blob(in_dir("", "bad"), im.config_digest, buf_slice(&im.config_json));
	assert_int_equal(take_error(in_dir("oci:", "bad"), NULL, &err), -ERR_CORRUPT);
	assert_non_null(strstr(err.msg, "digest"));
	im.config_json.n--;
	put_blob(in_dir("", "bad"), im.config_digest, buf_slice(&im.config_json));
	(void)take(in_dir("oci:", "bad"), NULL, NULL);
	buf_add_char(&im.manifest_json, ' ');
	put_blob(in_dir("", "bad"), im.manifest_digest, buf_slice(&im.manifest_json));
	assert_int_equal(take_error(in_dir("oci:", "bad"), NULL, &err), -ERR_CORRUPT);
	assert_non_null(strstr(err.msg, "digest"));
	image_fini(&im);
}

static void wrong_targets_are_told_apart(void **state)
{
	struct err err;
	enum image_kind kind;
	const char *rest;

	assert_int_equal(take_error("dir:/nonexistent", NULL, &err), -ENOENT);
	assert_int_equal(take_error("docker-archive:/nonexistent", NULL, &err), -ENOENT);
	assert_int_equal(take_error("oci:/nonexistent", NULL, &err), -ENOENT);
	assert_int_equal(take_error("docker-archive:/tmp", NULL, &err), -EISDIR);
	assert_int_equal(take_error("dir:/etc/passwd", NULL, &err), -ENOTDIR);
	assert_int_equal(take_error("", NULL, &err), -ERR_USAGE);
	assert_int_equal(take_error("dir:", NULL, &err), -ERR_USAGE);
	assert_int_equal(take_error("a\nb", NULL, &err), -ERR_USAGE);
	assert_int_equal(image_target_parse("debian:12", &kind, &rest, NULL), 0);
	assert_int_equal(kind, IMAGE_ENGINE);
	assert_string_equal(rest, "debian:12");
	assert_int_equal(image_target_parse("oci-archive:x", &kind, &rest, NULL), 0);
	assert_int_equal(kind, IMAGE_OCI_ARCHIVE);
	put_file(dir, "empty.tar", SLICE_NONE);
	assert_int_equal(take_error(in_dir("docker-archive:", "empty.tar"), NULL, &err), -ERR_CORRUPT);
	put_file(dir, "rubbish.tar", SLICE_LIT("rubbish"));
	assert_int_equal(take_error(in_dir("docker-archive:", "rubbish.tar"), NULL, &err), -ERR_CORRUPT);
}

static void limits_end_a_scan_with_a_clear_word(void **state)
{
	const struct image_options entries = { .limits.entries = 5 }, bytes = { .limits.unpacked_bytes = 2000 },
				   packages = { .limits.packages = 1 };
	struct test_image im = example(ARCHIVE_FILTER_NONE);
	struct err err;

	image_write_docker(&im, in_dir("", "image.tar"), ARCHIVE_FILTER_NONE);
	assert_int_equal(take_error(in_dir("docker-archive:", "image.tar"), &entries, &err), -ERR_LIMIT);
	assert_non_null(strstr(err.msg, "files"));
	assert_int_equal(take_error(in_dir("docker-archive:", "image.tar"), &bytes, &err), -ERR_LIMIT);
	assert_non_null(strstr(err.msg, "unpacks"));
	assert_int_equal(take_error(in_dir("docker-archive:", "image.tar"), &packages, &err), -ERR_LIMIT);
	assert_non_null(strstr(err.msg, "packages"));
	image_fini(&im);
}

static void a_database_of_random_bytes_is_a_problem(void **state)
{
	static char random[20000];
	uint64_t x = 88172645463325252ULL;
	const Picket__Inventory *inv;

	for (size_t i = 0; i < sizeof(random); i++) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		random[i] = (char)x;
	}
	struct slice bytes = slice_from(random, sizeof(random));
	put_file(dir, "d/" STATUS, bytes);
	put_file(dir, "d/lib/apk/db/installed", bytes);
	put_file(dir, "d/var/lib/rpm/Packages", bytes);
	put_file(dir, "d/var/lib/rpm/Packages.db", bytes);
	put_file(dir, "d/var/lib/rpm/rpmdb.sqlite", bytes);
	put_file(dir, "d/app/package-lock.json", bytes);
	put_file(dir, "d/app/x.jar", bytes);
	inv = take(in_dir("dir:", "d"), NULL, NULL);
	assert_string_equal(packages_of(inv), "");
	assert_true(inv->n_problems >= 5);
}

static unsigned progress_calls;
static void on_progress(void *arg, const struct image_progress *p)
{
	assert_true(p->layer <= p->layers || !p->layers);
	progress_calls++;
}

static void a_folder_of_many_files_is_bounded_in_memory_and_time(void **state)
{
	enum { FILES = 5000 };
	const struct image_options o = { .progress = on_progress };
	char path[512];

	put_file(dir, "d/" STATUS, SLICE_LIT(DEB("libc6", "2.36-9")));
	for (unsigned i = 0; i < FILES; i++) {
		if (i % 1000 == 0) {
			snprintf(path, sizeof(path), "%s/d/f%u", dir, i / 1000);
			assert_int_equal(mkdir(path, 0755), 0);
		}
		snprintf(path, sizeof(path), "%s/d/f%u/%u", dir, i / 1000, i);
		int fd = open(path, O_CREAT | O_WRONLY, 0644);
		assert_true(fd >= 0);
		close(fd);
	}
	assert_string_equal(packages_of(take(in_dir("dir:", "d"), &o, NULL)), "libc6 2.36-9@0");
	assert_true(progress_calls > 0);
}

static void the_time_limit_ends_a_scan(void **state)
{
	const struct image_options o = { .limits.time_ms = 1 };
	struct err err;

	put_file(dir, "d/" STATUS, SLICE_LIT(DEB("libc6", "2.36-9")));
	assert_int_equal(take_error(in_dir("dir:", "d"), &o, &err), -ETIMEDOUT);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		T(a_docker_archive_is_read),
		T(an_oci_layout_is_read),
		T(an_oci_archive_is_read_packed_or_not),
		T(a_folder_is_read_with_its_lock_files),
		T(a_folder_is_never_left),
		T(an_oci_layout_is_never_left),
		T(a_layer_twice_in_an_image_is_read_twice),
		T(content_that_is_not_what_it_is_called_is_refused),
		T(wrong_targets_are_told_apart),
		T(limits_end_a_scan_with_a_clear_word),
		T(a_database_of_random_bytes_is_a_problem),
		T(a_folder_of_many_files_is_bounded_in_memory_and_time),
		T(the_time_limit_ends_a_scan),
#undef T
	};

	image_worker_if_asked(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
