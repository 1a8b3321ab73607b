/* conf_tree: YAML as a tree, each node with its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/buf.h"
#include "common/conf_tree.h"

static void nodes_have_their_kind_text_and_place(void **state)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(1 << 20);
	struct conf_node *n = NULL;
	struct err err = { 0 };
	int r = conf_tree_parse("t.yaml", SLICE_LIT("# first\na: [x, 'y z', ~]\nb:\n  c: \"1\"\n  d: {}\n"), 100, a, &n, &err);

	if (r < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(n->kind, CONF_NODE_MAP);
	assert_int_equal(n->count, 2);
	const struct conf_node *list = n->items->next;
	assert_true(slice_is(n->items->text, "a"));
	assert_int_equal(list->kind, CONF_NODE_LIST);
	assert_int_equal(list->count, 3);
	assert_int_equal(list->line, 2);
	assert_int_equal(list->column, 4);
	assert_true(list->items->is_plain);
	assert_string_equal(list->items->next->text.p, "y z");
	assert_false(list->items->next->is_plain);
	assert_int_equal(list->items->next->column, 8);
	assert_int_equal(list->items->next->next->kind, CONF_NODE_NULL);
	assert_null(list->items->next->next->next);
	const struct conf_node *b = list->next->next;
	assert_int_equal(b->kind, CONF_NODE_MAP);
	assert_int_equal(b->items->next->kind, CONF_NODE_SCALAR);
	assert_int_equal(b->items->next->line, 4);
	assert_int_equal(b->items->next->next->next->kind, CONF_NODE_MAP);
	assert_int_equal(b->items->next->next->next->count, 0);
}

static void comments_alone_are_no_tree(void **state)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(1 << 20);
	struct conf_node *n = NULL;

	assert_int_equal(conf_tree_parse("t.yaml", SLICE_LIT("# nothing\n"), 100, a, &n, NULL), 0);
	assert_null(n);
}

static void what_is_wrong_is_refused_with_its_place(void **state)
{
	static const struct {
		const char *text, *message;
	} rows[] = {
		{ "a: 1\nb: 2\na: 3", "t.yaml:3:1: duplicate key 'a'" },
		{ "{a: 1, a: 1}", "t.yaml:1:8: duplicate key 'a'" },
		{ "? [a]\n: b", "t.yaml:1:3: a key must be text" },
		{ "a: &x b", "t.yaml:1:4: anchors are not allowed here" },
		{ "a: *x", "t.yaml:1:4: aliases are not allowed here" },
		{ "a: !x b", "t.yaml:1:4: tags are not allowed here" },
		{ "a: \"\\0\"", "t.yaml:1:4: a text contains a NUL" },
		{ "[a,b,c,d,e,f,g,h,i,j]", "t.yaml:1:20: more than 10 values" },
		{ "[[[[[[[[[[[[[[[[[", "t.yaml:1:11: more than 10 values" },
		{ "a\n---\nb", "t.yaml:2:1: more than one document" },
		{ "a: b: c", "t.yaml:1:5: mapping values are not allowed in this context" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(arena_freep) struct arena *a = arena_new(1 << 20);
		struct conf_node *n = NULL;
		struct err err = { 0 };

		assert_int_equal(conf_tree_parse("t.yaml", slice_of(rows[i].text), 10, a, &n, &err), -ERR_SYNTAX);
		assert_string_equal(err.msg, rows[i].message);
		assert_null(n);
	}
}

static void an_arena_that_is_too_small_is_an_error(void **state)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(300);
	struct conf_node *n = NULL;
	struct err err = { 0 };

	assert_int_equal(conf_tree_parse("t.yaml", SLICE_LIT("[a, b, c, d, e, f]"), 100, a, &n, &err), -ERR_SYNTAX);
	assert_non_null(strstr(err.msg, "too large"));
}

/* Many keys in one mapping cost no more than each by itself. */
static void a_mapping_of_many_keys_is_read(void **state)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(64 << 20);
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct conf_node *n = NULL;
	struct err err = { 0 };

	for (unsigned i = 0; i < 50000; i++)
		buf_printf(&b, "k%u: 1\n", i);
	assert_int_equal(conf_tree_parse("t.yaml", buf_slice(&b), 200000, a, &n, &err), 0);
	assert_int_equal(n->count, 50000);
	buf_add_str(&b, "k7: 1\n");
	assert_int_equal(conf_tree_parse("t.yaml", buf_slice(&b), 200000, a, &n, &err), -ERR_SYNTAX);
	assert_string_equal(err.msg, "t.yaml:50001:1: duplicate key 'k7'");
}

static struct conf_node *parse_all(struct arena *a, const char *text, unsigned nodes, unsigned documents, struct err *err)
{
	struct conf_node *n = NULL;
	int r = conf_tree_parse_all("t.yaml", slice_of(text), nodes, documents, a, &n, err);

	assert_int_equal(r, err->code ? -ERR_SYNTAX : 0);
	return n;
}

static void several_documents_have_the_places_of_their_file(void **state)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(1 << 20);
	struct err err = { 0 };
	const struct conf_node *n = parse_all(a, "# x\n---\na: |\n  --- text\n--- # second\n---\nb\n...\n---\n  [c]\n", 100, 9, &err);

	assert_string_equal(err.msg, "");
	assert_int_equal(n->kind, CONF_NODE_MAP);
	assert_int_equal(n->line, 3);
	assert_string_equal(n->items->next->text.p, "--- text\n");
	n = n->next;
	assert_string_equal(n->text.p, "b");
	assert_int_equal(n->line, 7);
	n = n->next;
	assert_int_equal(n->kind, CONF_NODE_LIST);
	assert_int_equal(n->line, 10);
	assert_int_equal(n->column, 3);
	assert_null(n->next);
	assert_null(parse_all(a, "# nothing\n---\n---\n", 100, 9, &err));
	assert_string_equal(err.msg, "");
}

static void bounds_are_those_of_all_documents_together(void **state)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(1 << 20);
	struct err err = { 0 };

	assert_non_null(parse_all(a, "a\n---\nb\n---\nc\n", 3, 3, &err));
	assert_null(parse_all(a, "a\n---\nb\n---\nc\n", 3, 2, &err));
	assert_string_equal(err.msg, "t.yaml:4:1: more than 2 documents");
	assert_null(parse_all(a, "a\n---\nb\n---\nc\n", 2, 3, &err));
	assert_string_equal(err.msg, "t.yaml:5:1: more than 2 values");
	assert_null(parse_all(a, "a: 1\n---\nb: {c: 1, c: 2}\n", 99, 3, &err));
	assert_string_equal(err.msg, "t.yaml:3:11: duplicate key 'c'");
	assert_null(parse_all(a, "a: 1\n---\nb: [\n---\n", 99, 3, &err));
	assert_true(!strncmp(err.msg, "t.yaml:4:1: ", 12));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nodes_have_their_kind_text_and_place),
		cmocka_unit_test(comments_alone_are_no_tree),
		cmocka_unit_test(what_is_wrong_is_refused_with_its_place),
		cmocka_unit_test(an_arena_that_is_too_small_is_an_error),
		cmocka_unit_test(a_mapping_of_many_keys_is_read),
		cmocka_unit_test(several_documents_have_the_places_of_their_file),
		cmocka_unit_test(bounds_are_those_of_all_documents_together),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
