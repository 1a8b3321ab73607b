/* formats: each case of golden/ in each format. UPDATE_GOLDEN=1 rewrites what is wanted. */
#include <errno.h>
#include <fcntl.h>

#include "agent/scan/format.h"
#include "agent/scan/sbom.h"
#include "common/show.h"
#include "tests/agent/scan/cases.h"

static void compare(const char *name, const char *suffix, struct slice got)
{
	CLEANUP(buf_finip) struct buf want = { 0 };
	struct err err;
	char path[512];

	snprintf(path, sizeof(path), TEST_DATA "/golden/%s.%s.want", name, suffix);
	if (getenv("UPDATE_GOLDEN")) {
		if (file_write_atomic(path, got, 0644, &err) < 0)
			fail_msg("%s", err.msg);
		return;
	}
	if (file_read(path, 4 << 20, &want, &err) < 0)
		fail_msg("%s", err.msg);
	if (!slice_eq(got, buf_slice(&want))) {
		size_t i = 0;

		while (i < got.n && i < want.n && got.p[i] == want.p[i])
			i++;
		fail_msg("%s: differs at byte %zu: '%.80s' instead of '%.80s'", path, i, got.p + i, want.p + i);
	}
}

static void format_case(const struct test_case *c, const char *format, struct format_options opts, struct out *o)
{
	struct err err = { 0 };
	const struct format *f = format_find(format, &err);

	assert_non_null(f);
	assert_int_equal(out_init(o, -1, &err), 0);
	if (f->write(&c->result, &opts, o, &err) < 0)
		fail_msg("%s: %s", format, err.msg);
}

static void is_json(const char *what, struct slice text)
{
	CLEANUP(cJSON_Deletep) cJSON *doc = NULL;
	struct err err;

	if (json_parse(text, 16 << 20, &doc, &err) < 0)
		fail_msg("%s: %s", what, err.msg);
}

static const struct {
	const char *format, *suffix;
	struct format_options options;
} views[] = {
	{ "table", "table", { 0 } },
	{ "table", "table-80", { .columns = 80, .show_suppressed = true } },
	{ "table", "table-packages", { .columns = 100, .is_coloured = true, .list_packages = true } },
	{ "json", "json", { 0 } },
	{ "trivy-json", "trivy-json", { 0 } },
	{ "trivy-json", "trivy-json-packages", { .list_packages = true } },
	{ "sarif", "sarif", { 0 } },
	{ "cyclonedx", "cyclonedx", { 0 } },
	{ "spdx", "spdx", { 0 } },
};

static const char *const cases[] = { "image", "hostile", "directory", "bare" };

static void every_case_looks_as_wanted_in_every_format(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct test_case c;

		case_read(&c, cases[i]);
		for (size_t k = 0; k < ARRAY_LEN(views); k++) {
			struct out o;

			format_case(&c, views[k].format, views[k].options, &o);
			if (strcmp(views[k].format, "table") != 0)
				is_json(cases[i], buf_slice(&o.text));
			compare(cases[i], views[k].suffix, buf_slice(&o.text));
			out_fini(&o);
		}
		case_fini(&c);
	}
}

static void nothing_an_image_says_reaches_the_terminal_raw(void **state)
{
	struct test_case c;
	struct out o;

	case_read(&c, "hostile");
	format_case(&c, "table", (struct format_options){ .list_packages = true, .show_suppressed = true }, &o);
	for (size_t i = 0; i < o.text.n; i++) {
		if (o.text.p[i] != '\n' && (uint8_t)o.text.p[i] < 0x20)
			fail_msg("byte %zu is %02x", i, (unsigned)(uint8_t)o.text.p[i]);
	}
	struct slice rest = buf_slice(&o.text), line;
	while (slice_split(&rest, '\n', &line)) {
		if (!text_is_clean(line))
			fail_msg("'%.*s'", SLICE_FMT(line));
	}
	out_fini(&o);
	case_fini(&c);
}

static void lines_fit_the_terminal(void **state)
{
	for (unsigned columns = 60; columns < 200; columns += 20) {
		struct test_case c;
		struct out o;

		case_read(&c, "image");
		format_case(&c, "table",
			    (struct format_options){ .columns = columns, .list_packages = true, .show_suppressed = true },
			    &o);
		struct slice rest = buf_slice(&o.text), line;
		while (slice_split(&rest, '\n', &line)) {
			/* the total is a sentence, and the narrowest table has its columns' least widths */
			if (columns >= 120 && !slice_starts(line, SLICE_LIT("Total")) && show_width(line) > columns)
				fail_msg("%u columns: '%.*s'", columns, SLICE_FMT(line));
		}
		out_fini(&o);
		case_fini(&c);
	}
}

/* ---- the round trip ---- */

static const char *inventory_text(const Picket__Inventory *inv, struct buf *out)
{
	buf_reset(out);
	if (inv->os)
		buf_printf(out, "%s %s %s %s %s\n", inv->os->id, inv->os->version_id, inv->os->codename,
			   inv->os->id_like, inv->os->pretty_name);
	buf_printf(out, "%s\n", inv->image_id);
	for (size_t i = 0; i < inv->n_names; i++)
		buf_printf(out, "%s\n", inv->names[i]);
	for (size_t i = 0; i < inv->n_repo_digests; i++)
		buf_printf(out, "%s\n", inv->repo_digests[i]);
	for (size_t i = 0; i < inv->n_layers; i++) {
		const Picket__Layer *l = inv->layers[i];

		if (l->n_packages)
			buf_printf(out, "layer %s %s\n", l->diff_id, l->digest);
		for (size_t k = 0; k < l->n_packages; k++) {
			const Picket__Package *p = l->packages[k];

			buf_printf(out, "%s|%s|%s|%s|%s|%s|%.*s|%s|%d\n", p->ecosystem, p->name, p->version, p->arch,
				   p->source, p->source_version, (int)p->path.len,
				   p->path.len ? (char *)p->path.data : "", p->owner, p->is_dev);
		}
	}
	return out->n ? out->p : "";
}

static void our_own_documents_come_back_whole(void **state)
{
	static const char *const formats[] = { "cyclonedx", "spdx" };
	CLEANUP(buf_finip) struct buf before = { 0 };
	CLEANUP(buf_finip) struct buf after = { 0 };

	buf_init(&before, 0);
	buf_init(&after, 0);
	for (size_t i = 0; i < ARRAY_LEN(cases) * 2; i++) {
		CLEANUP(arena_freep) struct arena *a = arena_new(64 << 20);
		struct test_case c;
		struct out o;
		struct sbom s;
		struct err err;

		case_read(&c, cases[i / 2]);
		format_case(&c, formats[i % 2], (struct format_options){ 0 }, &o);
		if (sbom_read(buf_slice(&o.text), a, &s, &err) < 0)
			fail_msg("%s %s: %s", cases[i / 2], formats[i % 2], err.msg);
		inventory_text(c.inventory, &before);
		inventory_text(s.inventory, &after);
		if (!slice_eq(buf_slice(&before), buf_slice(&after)))
			fail_msg("%s %s:\n%s\nbecame\n%s", cases[i / 2], formats[i % 2], before.p, after.p);
		assert_int_equal(s.inventory->n_problems, 0);
		out_fini(&o);
		case_fini(&c);
	}
}

enum { MANY = 9000 }; /* their purls pass the scratch memory of one element */

static void make_many(struct test_case *c)
{
	CLEANUP(buf_finip) struct buf text = { 0 };

	buf_init(&text, 0);
	buf_add_str(&text, "{\"now\":\"2026-11-30T12:00:00Z\",\"database\":\"2026-11-29T03:00:00Z\",\"inventory\":{"
			   "\"kind\":\"image\",\"target\":\"web:1\",\"layers\":[{\"packages\":[");
	for (int i = 0; i < MANY; i++)
		buf_printf(&text, "%s{\"ecosystem\":\"npm\",\"name\":\"n\",\"version\":\"%d\",\"path\":\"a/%d/package.json\"}",
			   i ? "," : "", i, i);
	buf_add_str(&text, "]}]},\"findings\":[{\"package\":\"n\",\"id\":\"CVE-2024-1\",\"severity\":\"high\",\"status\":\"affected\"}]}");
	case_init(c, "many", buf_slice(&text));
}

/* Every package has its purl in it: nothing was left out for want of memory, and little was in use. */
static void long_reports_are_streamed(void **state)
{
	static const char *const formats[] = { "json", "trivy-json", "cyclonedx", "spdx", "sarif" };
	struct test_case c;

	make_many(&c);
	for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
		struct format_options opts = { .list_packages = true };
		CLEANUP(buf_finip) struct buf text = { 0 };
		char path[] = "/tmp/picket_formatXXXXXX";
		CLEANUP(fd_closep) int fd = mkstemp(path);
		struct err err = { 0 };
		size_t count = 0;
		struct out o;

		assert_true(fd >= 0);
		assert_int_equal(out_init(&o, fd, &err), 0);
		assert_int_equal(format_find(formats[i], &err)->write(&c.result, &opts, &o, &err), 0);
		assert_true(o.text.size <= 512 * 1024);
		assert_int_equal(file_read(path, 64 << 20, &text, &err), 0);
		is_json(formats[i], buf_slice(&text));
		/* not strstr: with ASan it measures the whole text each time */
		struct slice rest = buf_slice(&text);
		for (ptrdiff_t at; (at = slice_find(rest, SLICE_LIT("pkg:npm/n@"))) >= 0; count++)
			rest = slice_sub(rest, (size_t)at + 1, rest.n);
		if (count < MANY)
			fail_msg("%s: %zu package URLs", formats[i], count);
		out_fini(&o);
		unlink(path);
	}
	case_fini(&c);
}

static void a_full_disk_is_an_error(void **state)
{
	struct test_case c;
	struct err err = { 0 };
	struct out o;

	case_read(&c, "image");
	CLEANUP(fd_closep) int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(out_init(&o, fd, &err), 0);
	assert_int_equal(format_json(&c.result, &(struct format_options){ 0 }, &o, &err), -ENOSPC);
	out_fini(&o);
	case_fini(&c);
}

static void unknown_formats_are_named(void **state)
{
	struct err err;

	assert_null(format_find("xml", &err));
	assert_int_equal(err.code, ERR_USAGE);
	assert_non_null(strstr(err.msg, "'xml'"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_case_looks_as_wanted_in_every_format),
		cmocka_unit_test(nothing_an_image_says_reaches_the_terminal_raw),
		cmocka_unit_test(lines_fit_the_terminal),
		cmocka_unit_test(our_own_documents_come_back_whole),
		cmocka_unit_test(long_reports_are_streamed),
		cmocka_unit_test(a_full_disk_is_an_error),
		cmocka_unit_test(unknown_formats_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
