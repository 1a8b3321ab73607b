/* Types: which operators and values a field accepts, and what is bounded. */
#include "agent/rules/rules.h"
#include "agent/rules/rules_fields.h"
#include "vectors.h"

static const struct {
	const char *text, *error; /* error: NULL when it compiles */
} cases[] = {
	{ "proc.name = x", NULL },
	{ "proc.name < x1", "expected a number value" },
	{ "fd.name <= 1", NULL },
	{ "proc.pid = 1 and proc.pid in (1, 0x10, -1)", NULL },
	{ "proc.pid = x", "expected a number" },
	{ "proc.pid contains 1", "operator not supported for INT64" },
	{ "fd.port = 65536", "expected a port number" },
	{ "evt.is_open_read = true", NULL },
	{ "evt.is_open_read = maybe", "unrecognized boolean value" },
	{ "evt.is_open_read > 1", "operator not supported for BOOL" },
	{ "fd.ip = 10.0.0.1 and fd.net = 10.0.0.0/8 and fd.sip = ::1", NULL },
	{ "fd.net = 10.0.0.0/33", "unrecognized IP address" },
	{ "fd.ip startswith 10.", "operator not supported for IPADDR" },
	{ "fd.types in (file)", NULL },
	{ "fd.types = file", "operator not supported for CHARBUF list" },
	{ "evt.buffer bcontains 6a6B", NULL },
	{ "evt.buffer bcontains 6a6", "pairs of hexadecimal digits" },
	{ "evt.buffer icontains x", "operator not supported for BYTEBUF" },
	{ "proc.name = \"\\x00\"", "NUL" },
	{ "proc.name regex '['", "invalid regex" },
	{ "nothing.here = x", "nonexistent field nothing.here" },
	{ "proc.name[1] = x", "does not support an argument" },
	{ "proc.aname[x] = y", "takes a number" },
	{ "proc.aname[99999] = y", "takes a number" },
	{ "proc.env[PATH] contains x", NULL },
	{ "evt.arg = x", "requires an argument" },
	{ "evt.arg.flags contains x and evt.arg[1] = y", NULL },
	{ "container.mount.dest[/proc*] exists", NULL },
	{ "container.label.app = x", NULL },
	{ "tolower(proc.pid) = 1", "takes a string" },
	{ "len(proc.name) > 3 and len(fd.types) = 2", NULL },
	{ "len(proc.pid) > 3", "takes a string" },
	{ "join('-', 'a') = x", "must be a list" },
	{ "concat('a') = x", "two or more" },
	{ "getopt(('-n'), 'n')[nn] = x", "one option letter" },
	{ "proc.name = val(proc.pname)", NULL },
	{ "proc.name = val(proc.pid)", "type mismatch" },
	{ "proc.name regex val(proc.pname)", "does not support a field" },
	{ "some_macro", "Undefined macro 'some_macro' used in filter." },
};

static void types_decide_what_compiles(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = { 0 };
		int r = rules_compile_condition(slice_of(cases[i].text), &err);

		if (!cases[i].error ? r < 0 : r >= 0 || !strstr(err.msg, cases[i].error))
			fail_msg("%s: got '%s', want '%s'", cases[i].text, err.msg,
				 cases[i].error ? cases[i].error : "(valid)");
	}
}

static void every_field_is_found_by_its_name(void **state)
{
	(void)state;
	static const char *const names[] = {
#define FIELD(id, name, type, flags, doc) name,
#include "agent/rules/fields.def"
#undef FIELD
	};

	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		const struct rules_field *f = rules_field_find(slice_of(names[i]));

		if (!f || rules_field_id(f) != i)
			fail_msg("fields.def is not sorted at %s", names[i]);
	}
	assert_null(rules_field_find(SLICE_LIT("proc")));
	assert_null(rules_field_find(SLICE_LIT("")));
}

static void a_list_of_more_values_than_the_bound_is_refused(void **state)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct err err;

	(void)state;
	buf_init(&b, 0);
	buf_add_str(&b, "proc.pid in (1");
	for (int i = 0; i < 66000; i++)
		buf_add_str(&b, ",1");
	buf_add_char(&b, ')');
	assert_int_equal(rules_compile_condition(buf_slice(&b), &err), -ERR_LIMIT);
}

static void the_shared_compile_vectors_pass(void **state)
{
	CLEANUP(buf_finip) struct buf text = { 0 };
	char *cells[3];
	size_t count = 0;

	(void)state;
	vectors_read("falco-conditions.tsv", &text);
	char *at = text.p;
	(void)vectors_row(&at, cells, 3);
	while (vectors_row(&at, cells, 3)) {
		struct err err = { 0 };

		if (!strstr(cells[2], "[compile") || strstr(cells[2], "mock"))
			continue;
		vectors_unescape(cells[0]);
		bool is_valid = rules_compile_condition(slice_of(cells[0]), &err) >= 0;
		if (is_valid != !strcmp(cells[1], "valid"))
			fail_msg("%s should be %s: %s", cells[0], cells[1], err.msg);
		count++;
	}
	print_message("%zu conditions\n", count);
	assert_true(count >= 397);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(types_decide_what_compiles),
		cmocka_unit_test(every_field_is_found_by_its_name),
		cmocka_unit_test(a_list_of_more_values_than_the_bound_is_refused),
		cmocka_unit_test(the_shared_compile_vectors_pass),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
