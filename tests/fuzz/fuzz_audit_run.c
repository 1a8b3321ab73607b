/* FUZZ_LINK: agent_audit
 * fuzz_audit_run.c - a container as the engine tells it (the first byte: does the kernel know it, too), judged, and
 * written: what is said is clean, what is JSON can be read back. */
#include <assert.h>
#include <stdint.h>

#include "agent/audit/report.h"
#include "common/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_both(struct report *r)
{
	struct report_options opts = { .columns = 80, .show_all = true, .show_fixes = true };
	struct out json, table;
	cJSON *o = NULL;
	struct err err;

	assert(out_init(&json, -1, &err) == 0 && out_init(&table, -1, &err) == 0);
	assert(report_json(r, &json, &err) == 0 && report_table(r, &opts, &table, &err) == 0);
	assert(json_parse(buf_slice(&json.text), 64 << 20, &o, &err) == 0);
	cJSON_Delete(o);
	for (struct slice rest = buf_slice(&table.text), line; slice_split(&rest, '\n', &line);)
		assert(text_is_clean(line));
	out_fini(&json);
	out_fini(&table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(64 << 20);
	struct facts_host host;
	struct facts_daemon daemon;
	struct facts_container c;
	struct report_subject s = { .subject = SUBJECT_CONTAINER, .id = "", .image = "" };
	struct report r = { .host = "h", .engine = "", .subjects = &s, .subject_count = 1 };
	struct err err;

	if (!a || !size)
		return 0;
	facts_host_init(&host);
	facts_daemon_init(&daemon);
	facts_container_init(&c);
	if (facts_read_container(slice_from(data + 1, size - 1), a, &c, &err) < 0)
		return 0;
	c.real.is_known = data[0] & 1;
	host.has_apparmor = data[0] & 2;
	struct audit_input in = { .host = &host, .daemon = &daemon, .container = &c };
	if (audit_run(SUBJECT_CONTAINER, &in, a, &s.results, &s.count, &err) < 0)
		return 0;
	s.name = c.name;
	s.image = c.image;
	write_both(&r);
	return 0;
}
