/* entry_folder: folders read without leaving them, and layers as overlayfs keeps them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>

#include "agent/image/entry.h"
#include "images.h"

struct log {
	char *lines[64];
	size_t count;
	const char *sibling;
};

static char dir[64];

static int on_entry(void *arg, const struct entry *e, struct err *err)
{
	static const char kinds[] = "fdlhwo?";
	struct slice head = SLICE_NONE, text = SLICE_NONE, other = SLICE_NONE;
	struct log *l = arg;
	char *line = NULL;

	if (e->kind == ENTRY_FILE && e->size < 100) {
		assert_int_equal(e->head(e->arg, &head, NULL), 0);
		assert_int_equal(e->text(e->arg, 100, &text, NULL), 0);
	}
	struct slice target = SLICE_NONE;
	if (e->kind == ENTRY_SYMLINK)
		assert_true(e->link(e->arg, &target));
	if (l->sibling && e->kind == ENTRY_FILE)
		other = e->sibling(e->arg, l->sibling, 100);
	assert_true(asprintf(&line, "%c %.*s %s%.*s%.*s%s%.*s", kinds[e->kind], SLICE_FMT(e->path), target.n ? "-> " : "",
			     SLICE_FMT(target), SLICE_FMT(text), other.n ? "+" : "", SLICE_FMT(other)) > 0);
	assert_true(l->count < ARRAY_LEN(l->lines));
	l->lines[l->count++] = line;
	return 0;
}

static void on_problem(void *arg, struct slice path, const char *why)
{
	struct log *l = arg;

	assert_true(asprintf(&l->lines[l->count++], "! %.*s", SLICE_FMT(path)) > 0);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int walk(struct log *l, unsigned flags, struct budget *b, struct err *err)
{
	const struct entry_ops ops = { on_entry, on_problem, l };
	int fd = open(dir, O_PATH | O_DIRECTORY);

	int r = entry_read_folder(fd, flags, b, &ops, err);
	close(fd);
	qsort(l->lines, l->count, sizeof(*l->lines), by_text);
	return r;
}

static void check(struct log l, unsigned flags, const char *const *want, size_t n)
{
	struct budget b = { 1 << 20, 1000, 100, 0, NULL };

	assert_int_equal(walk(&l, flags, &b, NULL), 0);
	for (size_t i = 0; i < l.count; i++) {
		assert_true(i < n);
		assert_string_equal(l.lines[i], want[i]);
		free(l.lines[i]);
	}
	assert_int_equal(l.count, n);
}

static int set_up(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/image-testXXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
	remove_tree(dir);
	return 0;
}

static const char *at(const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void files_and_links_come_with_their_content(void **state)
{
	static const char *const want[] = { "d a ", "f a/one 1", "f a/two 22", "l a/up -> ../../..", "l loop -> loop" };

	put_file(dir, "a/one", SLICE_LIT("1"));
	put_file(dir, "a/two", SLICE_LIT("22"));
	assert_int_equal(symlink("../../..", at("a/up")), 0);
	assert_int_equal(symlink("loop", at("loop")), 0);
	check((struct log){ 0 }, 0, want, ARRAY_LEN(want));
}

static void a_file_has_its_neighbours(void **state)
{
	static const char *const want[] = { "d a ", "f a/go.mod x+sums", "f a/go.sum sums+sums" };

	put_file(dir, "a/go.mod", SLICE_LIT("x"));
	put_file(dir, "a/go.sum", SLICE_LIT("sums"));
	check((struct log){ .sibling = "go.sum" }, 0, want, ARRAY_LEN(want));
}

static void a_neighbour_is_never_elsewhere(void **state)
{
	static const char *const want[] = { "d a ", "f a/go.mod x", "f secret s", "l a/go.sum -> ../secret" };

	put_file(dir, "secret", SLICE_LIT("s"));
	put_file(dir, "a/go.mod", SLICE_LIT("x"));
	assert_int_equal(symlink("../secret", at("a/go.sum")), 0);
	check((struct log){ .sibling = "go.sum" }, 0, want, ARRAY_LEN(want));
	check((struct log){ .sibling = "../secret" }, 0, want, ARRAY_LEN(want));
}

static void pipes_and_devices_are_not_opened(void **state)
{
	static const char *const want[] = { "? pipe " };

	assert_int_equal(mkfifo(at("pipe"), 0644), 0);
	check((struct log){ 0 }, 0, want, 1);
}

static void overlayfs_says_by_a_device_what_is_gone(void **state)
{
	static const char *const overlay[] = { "w gone " }, *const plain[] = { "? gone " };

	if (mknod(at("gone"), S_IFCHR | 0600, makedev(0, 0)) < 0)
		skip(); /* not root */
	check((struct log){ 0 }, ENTRY_OVERLAY, overlay, 1);
	check((struct log){ 0 }, 0, plain, 1);
}

static void other_file_systems_are_left_out(void **state)
{
	static const char *const want[] = { "d proc ", "f one 1" };

	put_file(dir, "one", SLICE_LIT("1"));
	put_file(dir, "proc/below", SLICE_LIT("2"));
	if (mount("none", at("proc"), "tmpfs", 0, NULL) < 0)
		skip(); /* not root */
	put_file(dir, "proc/mounted", SLICE_LIT("3"));
	check((struct log){ 0 }, 0, want, ARRAY_LEN(want));
	assert_int_equal(umount(at("proc")), 0);
}

static void too_many_files_are_refused(void **state)
{
	struct budget b = { 1 << 20, 3, 100, 0, NULL };
	struct log l = { 0 };
	struct err err;

	for (unsigned i = 0; i < 5; i++) {
		char name[16];

		snprintf(name, sizeof(name), "f%u", i);
		put_file(dir, name, SLICE_NONE);
	}
	assert_int_equal(walk(&l, 0, &b, &err), -ERR_LIMIT);
	for (size_t i = 0; i < l.count; i++)
		free(l.lines[i]);
}

struct count {
	unsigned entries, problems;
};

static int count_entry(void *arg, const struct entry *e, struct err *err)
{
	struct count *c = arg;

	c->entries++;
	return 0;
}

static void count_problem(void *arg, struct slice path, const char *why)
{
	struct count *c = arg;

	c->problems++;
}

/* A tree deeper than a path may be long, as only relative steps can make it. */
static void a_bottomless_tree_has_a_bottom(void **state)
{
	enum { DEPTH = 600 };
	struct budget b = { 1 << 20, 10000, 100, 0, NULL };
	struct count c = { 0, 0 };
	const struct entry_ops ops = { count_entry, count_problem, &c };
	int top = open(dir, O_RDONLY | O_DIRECTORY), below = dup(top);

	for (unsigned i = 0; i < DEPTH; i++) {
		assert_int_equal(mkdirat(below, "dddddddddd", 0755), 0);
		int next = openat(below, "dddddddddd", O_RDONLY | O_DIRECTORY);
		close(below);
		below = next;
	}
	assert_int_equal(entry_read_folder(top, 0, &b, &ops, NULL), 0);
	assert_int_equal(c.entries, IMAGE_PATH_DEPTH + 1);
	assert_int_equal(c.problems, 1);
	/* nftw can't remove it: from the bottom up */
	close(below);
	for (unsigned depth = DEPTH; depth-- > 0;) {
		below = dup(top);
		for (unsigned i = 0; i < depth; i++) {
			int next = openat(below, "dddddddddd", O_RDONLY | O_DIRECTORY);
			close(below);
			below = next;
		}
		assert_int_equal(unlinkat(below, "dddddddddd", AT_REMOVEDIR), 0);
		close(below);
	}
	close(top);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		T(files_and_links_come_with_their_content),
		T(a_file_has_its_neighbours),
		T(a_neighbour_is_never_elsewhere),
		T(pipes_and_devices_are_not_opened),
		T(overlayfs_says_by_a_device_what_is_gone),
		T(other_file_systems_are_left_out),
		T(too_many_files_are_refused),
		T(a_bottomless_tree_has_a_bottom),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
