/* FUZZ_LINK: agent_audit_facts
 * fuzz_audit_proc.c - the kernel's texts of a process, and rules of its audit. */
#include <assert.h>

#include "agent/audit/facts_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice s = slice_from(data, size);
	struct arena *a = arena_new(16 << 20);
	struct facts_out o = { .a = a };
	struct facts_process p;
	struct facts_mount *m;
	struct facts_listener *l;
	struct facts_texts t;
	size_t n;
	uid_t root;

	if (!a)
		return 0;
	(void)!facts_parse_status(s, &p);
	if (facts_parse_mountinfo(s, a, &m, &n, NULL) == 0) {
		assert(n <= FACTS_MOUNTS_MAX);
		for (size_t i = 0; i < n; i++)
			assert(m[i].root && m[i].point && m[i].fs_type && m[i].host_path && m[i].api_socket);
	}
	if (facts_parse_sockets(s, "tcp6", a, &l, &n, NULL) == 0)
		for (size_t i = 0; i < n; i++)
			assert(l[i].address && l[i].port);
	(void)facts_parse_uid_map(s, &root);
	if (facts_texts_open(&o, &t, FACTS_LIST_MAX)) {
		facts_parse_audit_rules(s, &o, &t);
		facts_parse_audit_rule(s, &o, &t);
		for (size_t i = 0; i < t.count; i++)
			assert(t.v[i][0] == '/' || o.failed);
	}
	arena_free(a);
	return 0;
}
