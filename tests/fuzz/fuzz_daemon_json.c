/* FUZZ_LINK: agent_audit_facts
 * fuzz_daemon_json.c - the engine's file, its command line (words with NUL bytes between) and its answers about itself. */
#include <assert.h>

#include "agent/audit/facts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_words(struct slice rest, struct arena *a, struct facts_daemon *d)
{
	const char *words[64];
	struct facts_texts argv = { words, 0 };
	struct slice w;

	while (argv.count < 64 && slice_split(&rest, 0, &w)) {
		words[argv.count] = arena_dup(a, w);
		if (!words[argv.count++])
			return;
	}
	facts_read_argv(&argv, a, d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice s = slice_from(data, size);
	struct arena *a = arena_new(16 << 20);
	struct facts_daemon d;

	if (!a)
		return 0;
	facts_daemon_init(&d);
	if (facts_read_config(s, a, &d, NULL) == 0)
		assert(d.has_config && !d.is_config_bad);
	read_words(s, a, &d);
	assert(d.log_level && d.tls_ca && d.hosts.count <= FACTS_LIST_MAX && d.ulimit_count <= FACTS_LIST_MAX);
	facts_daemon_init(&d);
	(void)!facts_read_info(s, a, &d, NULL);
	(void)!facts_read_version(s, a, &d, NULL);
	(void)!facts_read_networks(s, a, &d, NULL);
	(void)!facts_read_swarm(s, a, &d, NULL);
	assert(d.version && d.root_dir && d.swarm && d.seccomp_profile);
	arena_free(a);
	return 0;
}
