/* engine: images and containers of an engine that a thread of this test plays, its storage in a folder of ours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>

#include "agent/image/image.h"
#include "images.h"

#define STATUS "var/lib/dpkg/status"
#define DEB(name, version) "Package: " name "\nStatus: install ok installed\nVersion: " version "\n\n"

static struct {
	char dir[64], socket[96];
	int listener;
	pthread_t thread;
	struct test_image image;
	const char *driver;	 /* what the engine says of its storage */
	const char *lower_extra; /* before the image's layers */
	const char *id; /* NULL: the configuration's digest */
	unsigned saves;
	bool cuts;
} eng;
static struct arena *arena;

/* ---- the engine ---- */

static void say(int fd, struct slice s)
{
	while (s.n) {
		ssize_t n = send(fd, s.p, s.n, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		s = slice_sub(s, (size_t)n, s.n);
	}
}

static void say_body(int fd, const char *status, struct slice body)
{
	char head[256];

	snprintf(head, sizeof(head), "HTTP/1.1 %s\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n", status, body.n);
	say(fd, slice_of(head));
	say(fd, eng.cuts ? slice_sub(body, 0, body.n / 2) : body);
}

/* The driver's folders: upper, and the lower ones, the topmost first. */
static void put_driver(struct buf *b, const char *upper, int lower)
{
	buf_printf(b, "\"GraphDriver\":{\"Name\":\"%s\",\"Data\":{\"UpperDir\":\"%s/overlay2/%s/diff\",\"LowerDir\":\"",
		   eng.driver, eng.dir, upper);
	if (eng.lower_extra)
		buf_printf(b, "%s/overlay2/%s/diff%s", eng.dir, eng.lower_extra, lower ? ":" : "");
	for (int i = lower - 1; i >= 0; i--)
		buf_printf(b, "%s/overlay2/l%d/diff%s", eng.dir, i, i ? ":" : "");
	buf_add_str(b, "\"}}");
}

static void answer(int fd, const char *request)
{
	struct test_image *im = &eng.image;
	int n = (int)im->count;
	struct buf b;

	buf_init(&b, 1 << 20);
	if (!strncmp(request, "GET /images/test:1/json ", 24) || strstr(request, im->config_digest + 7) ||
	    (eng.id && strstr(request, eng.id))) {
		if (strstr(request, "/get ")) {
			struct buf tar;
			char path[128];

			eng.saves++;
			snprintf(path, sizeof(path), "%s/save.tar", eng.dir);
			image_write_docker(im, path, ARCHIVE_FILTER_NONE);
			assert_int_equal(file_read(path, 1 << 24, &tar, NULL), 0);
			say_body(fd, "200 OK", buf_slice(&tar));
			buf_fini(&tar);
			buf_fini(&b);
			return;
		}
		buf_printf(&b, "{\"Id\":\"%.71s\",\"RepoTags\":[\"test:1\",\"other:2\"],\"RepoDigests\":[\"test@sha256:ab\"],"
			       "\"RootFS\":{\"Layers\":[",
			   eng.id ? eng.id : im->config_digest);
		for (int i = 0; i < n; i++)
			buf_printf(&b, "%s\"%.71s\"", i ? "," : "", im->diff_ids[i]);
		buf_add_str(&b, "]},");
		char upper[16];
		snprintf(upper, sizeof(upper), "l%d", n - 1);
		const char *extra = eng.lower_extra;
		eng.lower_extra = NULL;
		put_driver(&b, upper, n - 1);
		eng.lower_extra = extra;
		buf_add_str(&b, "}");
		say_body(fd, "200 OK", buf_slice(&b));
	} else if (!strncmp(request, "GET /containers/box/json ", 25)) {
		buf_printf(&b, "{\"Id\":\"c0\",\"Image\":\"%.71s\",", im->config_digest);
		put_driver(&b, "own", n);
		buf_add_str(&b, "}");
		say_body(fd, "200 OK", buf_slice(&b));
	} else {
		say_body(fd, "404 Not Found", SLICE_LIT("{\"message\":\"no such image\"}"));
	}
	buf_fini(&b);
}

static void *serve(void *arg)
{
	for (int fd; (fd = accept(eng.listener, NULL, NULL)) >= 0; close(fd)) {
		char request[4096] = "";
		size_t n = 0;

		for (ssize_t got; n < sizeof(request) - 1 && (got = recv(fd, request + n, sizeof(request) - 1 - n, 0)) > 0;) {
			n += (size_t)got;
			request[n] = 0;
			if (strstr(request, "\r\n\r\n"))
				break;
		}
		answer(fd, request);
	}
	return NULL;
}

/* ---- its storage ---- */

static void put(const char *layer, const char *name, const char *content)
{
	char path[512];

	snprintf(path, sizeof(path), "overlay2/%s/diff/%s", layer, name);
	put_file(eng.dir, path, slice_of(content));
}

static const char *at(const char *layer, const char *name)
{
	return arena_printf(arena, "%s/overlay2/%s/diff/%s", eng.dir, layer, name);
}

static int set_up(void **state)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	char config[128];

	memset(&eng, 0, sizeof(eng));
	arena = arena_new(LIMIT_INVENTORY_ARENA_BYTES);
	snprintf(eng.dir, sizeof(eng.dir), "/tmp/image-testXXXXXX");
	assert_non_null(mkdtemp(eng.dir));
	eng.driver = "overlay2";
	IMAGE_LAYER(&eng.image, ARCHIVE_FILTER_NONE, { STATUS, DEB("a", "1") DEB("b", "1") },
		    { "app/node_modules/x/package.json", "{\"name\":\"x\",\"version\":\"1.0.0\"}" });
	IMAGE_LAYER(&eng.image, ARCHIVE_FILTER_NONE, { STATUS, DEB("a", "2") DEB("b", "1") });
	image_finish(&eng.image);
	put("l0", STATUS, DEB("a", "1") DEB("b", "1"));
	put("l0", "app/node_modules/x/package.json", "{\"name\":\"x\",\"version\":\"1.0.0\"}");
	put("l1", STATUS, DEB("a", "2") DEB("b", "1"));
	put("init", "etc/hosts", "");
	put("own", "tmp/x", "");
	snprintf(config, sizeof(config), "image/overlay2/imagedb/content/sha256/%.64s", eng.image.config_digest + 7);
	put_file(eng.dir, config, buf_slice(&eng.image.config_json));
	snprintf(eng.socket, sizeof(eng.socket), "%s/d.sock", eng.dir);
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", eng.socket);
	eng.listener = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(eng.listener, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(eng.listener, 8), 0);
	return pthread_create(&eng.thread, NULL, serve, NULL);
}

static int tear_down(void **state)
{
	shutdown(eng.listener, SHUT_RDWR);
	pthread_join(eng.thread, NULL);
	close(eng.listener);
	image_fini(&eng.image);
	remove_tree(eng.dir);
	arena_free(arena);
	return 0;
}

static struct image_options options(void)
{
	return (struct image_options){ .engine_socket = eng.socket };
}

static Picket__Inventory *take(const char *target, const struct image_options *o)
{
	Picket__Inventory *inv = NULL;
	struct err err = { 0 };

	if (image_take_stock(target, o, arena, &inv, NULL, &err) < 0)
		fail_msg("%s: %s", target, err.msg);
	return inv;
}

static void check(const Picket__Inventory *inv, const char *want)
{
	const char *text = "";

	for (size_t i = 0; i < inv->n_layers; i++)
		for (size_t k = 0; k < inv->layers[i]->n_packages; k++)
			text = arena_printf(arena, "%s%s%s %s@%zu", text, *text ? ", " : "",
					    inv->layers[i]->packages[k]->name, inv->layers[i]->packages[k]->version, i);
	assert_string_equal(text, want);
}

/* ---- tests ---- */

static void an_image_is_read_from_the_engines_storage(void **state)
{
	const struct image_options o = options();
	const Picket__Inventory *inv = take("test:1", &o);

	check(inv, "b 1@0, x 1.0.0@0, a 2@1");
	assert_int_equal(eng.saves, 0);
	assert_string_equal(inv->image_id, eng.image.config_digest);
	assert_string_equal(inv->layers[1]->diff_id, eng.image.diff_ids[1]);
	assert_int_equal(inv->n_names, 2);
	assert_string_equal(inv->names[1], "other:2");
	assert_string_equal(inv->repo_digests[0], "test@sha256:ab");
	check(take(arena_printf(arena, "%.71s", eng.image.config_digest), &o), "b 1@0, x 1.0.0@0, a 2@1");
}

static void another_driver_has_to_pack_the_image(void **state)
{
	const struct image_options o = options();

	eng.driver = "btrfs";
	const Picket__Inventory *inv = take("test:1", &o);
	check(inv, "b 1@0, x 1.0.0@0, a 2@1");
	assert_int_equal(eng.saves, 1);
	assert_string_equal(inv->names[1], "other:2");
}

static void an_image_is_called_what_the_engine_calls_it(void **state)
{
	const struct image_options o = options();

	eng.driver = "overlayfs"; /* containerd's store: the id is the manifest's digest */
	eng.id = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	const Picket__Inventory *inv = take("test:1", &o);
	check(inv, "b 1@0, x 1.0.0@0, a 2@1");
	assert_string_equal(inv->image_id, eng.id);
}

static void storage_that_is_not_there_is_packed_too(void **state)
{
	const struct image_options o = options();

	remove_tree(at("l0", ""));
	check(take("test:1", &o), "b 1@0, x 1.0.0@0, a 2@1");
	assert_int_equal(eng.saves, 1);
}

/* Its reader is gone while the engine still sends: no signal, the reader's own error. */
static void a_worker_that_has_seen_enough_ends_the_packing(void **state)
{
	enum { BYTES = 6 << 20 };
	CLEANUP(freep) char *text = malloc(BYTES + 1);
	struct image_options o = options();
	Picket__Inventory *inv;
	struct err err;

	memset(text, 'x', BYTES);
	text[BYTES] = 0;
	image_fini(&eng.image);
	memset(&eng.image, 0, sizeof(eng.image));
	IMAGE_LAYER(&eng.image, ARCHIVE_FILTER_NONE, { "a", "" }, { "b", "" }, { "large", text });
	image_finish(&eng.image);
	eng.driver = "btrfs";
	o.limits.entries = 1;
	assert_int_equal(image_take_stock("test:1", &o, arena, &inv, NULL, &err), -ERR_LIMIT);
	assert_non_null(strstr(err.msg, "more files"));
}

static void a_configuration_of_another_image_is_refused(void **state)
{
	const struct image_options o = options();
	Picket__Inventory *inv;
	struct err err;
	char config[128];

	snprintf(config, sizeof(config), "image/overlay2/imagedb/content/sha256/%.64s", eng.image.config_digest + 7);
	put_file(eng.dir, config, SLICE_LIT("{\"rootfs\":{\"diff_ids\":[]}}"));
	assert_int_equal(image_take_stock("test:1", &o, arena, &inv, NULL, &err), -ERR_CORRUPT);
}

static void whiteouts_and_opaque_folders_of_overlayfs_count(void **state)
{
	const struct image_options o = options();

	if (mknod(at("l1", "gone"), S_IFCHR, makedev(0, 0)) < 0)
		skip(); /* not root */
	put("l1", "app/node_modules/y/package.json", "{\"name\":\"y\",\"version\":\"2.0.0\"}");
	check(take("test:1", &o), "b 1@0, x 1.0.0@0, a 2@1, y 2.0.0@1");
	if (setxattr(at("l1", "app/node_modules"), "trusted.overlay.opaque", "y", 1, 0) < 0)
		skip(); /* a file system without such attributes */
	check(take("test:1", &o), "b 1@0, a 2@1, y 2.0.0@1");
	assert_int_equal(mknod(at("l1", "var/lib/dpkg/info"), S_IFCHR, makedev(0, 0)), 0);
	remove_tree(at("l1", STATUS));
	assert_int_equal(mknod(at("l1", STATUS), S_IFCHR, makedev(0, 0)), 0);
	check(take("test:1", &o), "y 2.0.0@1");
}

static void a_container_is_its_image_and_what_it_changed(void **state)
{
	struct image_drift drift = { 0 };
	struct image_options o = options();

	o.ret_drift = &drift;
	eng.lower_extra = "init";
	put("own", STATUS, DEB("a", "2") DEB("b", "1") DEB("new", "7"));
	put("own", "usr/bin/tool", "\177ELF....");
	const Picket__Inventory *inv = take("container:box", &o);
	check(inv, "b 1@0, x 1.0.0@0, a 2@1, new 7@2");
	assert_string_equal(inv->kind, "container");
	assert_int_equal(drift.total, 3);
	assert_int_equal(drift.count, 3);
	assert_true(slice_is(drift.files[0].path, "usr/bin/tool") && drift.files[0].is_executable);
	assert_false(drift.files[1].is_executable || drift.files[1].is_removed);
	eng.driver = "btrfs";
	struct err err;
	Picket__Inventory *none;
	assert_int_equal(image_take_stock("container:box", &o, arena, &none, NULL, &err), -ENOTSUP);
}

static void what_the_engine_has_not_is_told(void **state)
{
	struct image_options o = options();
	Picket__Inventory *inv;
	struct err err;

	assert_int_equal(image_take_stock("none:1", &o, arena, &inv, NULL, &err), -ERR_NOT_FOUND);
	assert_int_equal(image_take_stock("container:none", &o, arena, &inv, NULL, &err), -ERR_NOT_FOUND);
	assert_int_equal(image_take_stock("a/../../containers/x", &o, arena, &inv, NULL, &err), -ERR_USAGE);
	assert_int_equal(image_take_stock("a?b=c", &o, arena, &inv, NULL, &err), -ERR_USAGE);
	eng.driver = "btrfs";
	eng.cuts = true;
	assert_int_equal(image_take_stock("test:1", &o, arena, &inv, NULL, &err), -ERR_PEER);
	o.engine_socket = "/nonexistent/d.sock";
	assert_int_equal(image_take_stock("test:1", &o, arena, &inv, NULL, &err), -ENOENT);
}

static void a_second_look_reads_nothing(void **state)
{
	struct image_options o = options();
	CLEANUP(owners_freep) struct owners *owners = NULL;
	Picket__Inventory *inv = NULL;
	struct err err;

	o.cache_dir = arena_printf(arena, "%s/cache", eng.dir);
	check(take("test:1", &o), "b 1@0, x 1.0.0@0, a 2@1");
	/* nothing is left to be read; the names are new */
	remove_tree(at("l0", STATUS));
	assert_int_equal(image_take_stock("test:1", &o, arena, &inv, &owners, &err), 0);
	check(inv, "b 1@0, x 1.0.0@0, a 2@1");
	assert_string_equal(inv->names[0], "test:1");
	assert_non_null(owners);
	/* what counts otherwise is another look */
	o.lockfiles = IMAGE_LOCKFILES_ALWAYS;
	check(take("test:1", &o), "x 1.0.0@0, a 2@1, b 1@1");
}

static void a_spoilt_result_is_none(void **state)
{
	struct image_options o = options();
	char name[128];

	o.cache_dir = arena_printf(arena, "%s/cache", eng.dir);
	check(take("test:1", &o), "b 1@0, x 1.0.0@0, a 2@1");
	snprintf(name, sizeof(name), "cache/%.64s.stock", eng.image.config_digest + 7);
	put_file(eng.dir, name, SLICE_LIT("PKSTOCK1 rubbish that is longer than a head"));
	check(take("test:1", &o), "b 1@0, x 1.0.0@0, a 2@1");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		T(an_image_is_read_from_the_engines_storage),
		T(another_driver_has_to_pack_the_image),
		T(an_image_is_called_what_the_engine_calls_it),
		T(storage_that_is_not_there_is_packed_too),
		T(a_worker_that_has_seen_enough_ends_the_packing),
		T(a_configuration_of_another_image_is_refused),
		T(whiteouts_and_opaque_folders_of_overlayfs_count),
		T(a_container_is_its_image_and_what_it_changed),
		T(what_the_engine_has_not_is_told),
		T(a_second_look_reads_nothing),
		T(a_spoilt_result_is_none),
#undef T
	};

	image_worker_if_asked(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
