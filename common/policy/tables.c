/* tables.c - the .def files as rows. */
#include "common/policy/policy_priv.h"

const struct policy_key_row policy_keys[KEY_COUNT] = {
#define POLICY_KEY(id, section, name, kind) { name, POLICY_##section, POLICY_KIND_##kind },
#include "common/policy/keys.def"
#undef POLICY_KEY
};

const struct policy_word_row policy_words[WORD_COUNT] = {
#define POLICY_WORD(id, name, kind) { name, POLICY_KIND_##kind },
#include "common/policy/words.def"
#undef POLICY_WORD
};

const struct policy_rule_row policy_rules[RULE_COUNT] = {
#define POLICY_RULE(id, number, section, word, reason, way_out)                                                     \
	{ number, POLICY_##section, WORD_##word, reason, way_out },
#include "common/policy/rules.def"
#undef POLICY_RULE
};

const char *const policy_section_names[POLICY_SECTION_COUNT] = { "image", "network", "port", "runtime" };
const char *const policy_mode_names[3] = { "off", "monitor", "enforce" };
const char *const policy_severity_names[7] = { "none", "unknown", "negligible", "low", "medium", "high", "critical" };
const char *const policy_namespace_names[6] = { "pid", "ipc", "network", "uts", "user", "cgroup" };
const char *const policy_limit_names[3] = { "memory", "pids", "cpu" };
