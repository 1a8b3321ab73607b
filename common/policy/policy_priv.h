/* policy_priv.h - between the files of this folder.
 *
 *   text -> conf_tree -> policy_parse.c (shape) -> policy_value.c (one key's value) -> struct policy
 *   workload -> policy_match.c (origin of the image; scopes, exceptions) -> struct view: of each key the value that
 *   holds -> judge_*.c -> verdict */
#pragma once
#include "common/conf_tree.h"
#include "common/policy/policy.h"

enum {
	POLICY_TEXT_MAX = 1 << 20,
	POLICY_NODES_MAX = 200000,
	POLICY_LONG_MAX = 50000, /* entries of a list that is looked up: repositories, prefixes */
	POLICY_LIST_MAX = 1000,	 /* of any other */
	POLICY_SCOPES_MAX = 256,
	POLICY_EXCEPTIONS_MAX = 1000,
	POLICY_DENIALS_MAX = 256, /* of one verdict; what is beyond is denied, not told */
	POLICY_SOURCES_MAX = 256, /* repositories an image came from */
};

enum policy_kind {
	POLICY_KIND_BOOL, POLICY_KIND_SEVERITY, POLICY_KIND_DURATION, POLICY_KIND_REPOSITORIES, POLICY_KIND_NAMES,
	POLICY_KIND_PREFIXES, POLICY_KIND_PORTS, POLICY_KIND_CAPABILITIES, POLICY_KIND_MOUNTS, POLICY_KIND_NAMESPACES,
	POLICY_KIND_LIMITS,
};

enum policy_key {
#define POLICY_KEY(id, section, name, kind) KEY_##id,
#include "common/policy/keys.def"
#undef POLICY_KEY
	KEY_COUNT,
	KEY_NONE = KEY_COUNT,
};
enum policy_word {
#define POLICY_WORD(id, name, kind) WORD_##id,
#include "common/policy/words.def"
#undef POLICY_WORD
	WORD_COUNT
};
enum policy_rule {
#define POLICY_RULE(id, number, section, word, reason, way_out) RULE_##id,
#include "common/policy/rules.def"
#undef POLICY_RULE
	RULE_COUNT
};
struct policy_key_row {
	const char *name;
	enum policy_section section;
	enum policy_kind kind;
};
extern const struct policy_key_row policy_keys[KEY_COUNT];
struct policy_word_row {
	const char *name;
	enum policy_kind kind; /* BOOL: takes no list */
};
extern const struct policy_word_row policy_words[WORD_COUNT];
struct policy_rule_row {
	const char *number;
	enum policy_section section;
	enum policy_word word;
	const char *reason, *way_out;
};
extern const struct policy_rule_row policy_rules[RULE_COUNT];
extern const char *const policy_section_names[POLICY_SECTION_COUNT]; /* "image" */
extern const char *const policy_mode_names[3];
extern const char *const policy_severity_names[7]; /* none first */
enum { SEVERITY_CRITICAL = 6 };
extern const char *const policy_namespace_names[6]; /* by bit */
enum { NAMESPACE_PID, NAMESPACE_IPC, NAMESPACE_NETWORK, NAMESPACE_UTS, NAMESPACE_USER, NAMESPACE_CGROUP };
extern const char *const policy_limit_names[3];
enum { LIMIT_MEMORY, LIMIT_PIDS, LIMIT_CPU };

/* ---- what the file says ---- */

struct policy_address {
	uint8_t bytes[16]; /* IPv4: the first four; bits beyond are 0 */
	uint8_t bits;
	bool is_v6;
};
struct policy_entry {
	const char *text; /* normalized */
	unsigned line, column;
	bool is_half; /* of mounts: denied only writable, allowed only read-only */
	bool is_name; /* of prefixes: a host name */
	union {
		struct policy_address prefix;
		struct {
			uint16_t from, to;
		} port;
	};
};
struct policy_value {
	bool is_set;
	unsigned line, column; /* of the value */
	uint64_t n; /* of a bool, rank, ms; bits of capabilities, namespaces, limits */
	struct policy_entry *entries;
	size_t count;
	/* of repositories and prefixes: entry + 1 by hash, 0 free; size a power of two */
	uint32_t *slots;
	size_t slot_count;
	uint64_t lengths4, lengths6[3]; /* bit n: there is a prefix of n bits */
};
struct policy_match {
	struct policy_texts name, image, label; /* globs; what is given must match, one of each */
};
struct policy_layer { /* an access_control; of a scope, or the general one */
	const char *name;
	struct policy_match match;
	struct policy_value v[KEY_COUNT];
	int mode[POLICY_SECTION_COUNT]; /* -1: not said */
};
struct policy_allow {
	int rule, word;		  /* one of them; the other -1 */
	struct policy_value only; /* is_set: only what the list names */
};
struct policy_exception {
	struct policy_match match;
	struct policy_allow *allow;
	size_t allow_count;
	const char *reason, *who, *until; /* until: as written; "" none */
	uint64_t until_unix_s;		  /* the first second it no longer holds; 0 none */
	unsigned line, column;
};
struct policy {
	struct arena *arena; /* all of it */
	const char *name;
	char digest[65];
	struct policy_layer general;
	struct policy_layer *scopes;
	size_t scope_count;
	struct policy_exception *exceptions;
	size_t exception_count;
};

/* ---- policy_value.c ---- */

struct policy_reader {
	struct policy *p;
	const char *name;
	struct err *err;
};
/* ERR_SYNTAX, "NAME:LINE:COL: what". */
int policy_fail(const struct policy_reader *r, const struct conf_node *at, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* "…, did you mean 'x'?" */
int policy_fail_unknown(const struct policy_reader *r, const struct conf_node *at, const char *what,
			const char *const *names, size_t count);
int policy_fail_kind(const struct policy_reader *r, const struct conf_node *at, const char *key, const char *expected);
/* key: for messages. */
int policy_value_read(const struct policy_reader *r, const struct conf_node *n, const char *key, enum policy_kind kind,
		      struct policy_value *ret) WARN_UNUSED;
/* A text, or a list of texts. */
int policy_texts_read(const struct policy_reader *r, const struct conf_node *n, const char *key,
		      struct policy_texts *ret) WARN_UNUSED;
/* Makes entries quick to look up; of equal ones the first is found: its place is told. false: out of memory. */
bool policy_value_index(struct policy_value *v, struct arena *a, bool is_prefix) WARN_UNUSED;
/* The entry that is the longest prefix (whole path components) of the canonical repository; NULL: none. */
const struct policy_entry *policy_value_repository(const struct policy_value *v, struct slice repository);
/* The longest prefix that holds the address; NULL: none. Names are passed by. */
const struct policy_entry *policy_value_address(const struct policy_value *v, const struct policy_address *a);
/* The very prefix; NULL: not in the list. */
const struct policy_entry *policy_value_prefix(const struct policy_value *v, const struct policy_address *a);
/* The glob with the most literal characters that matches; NULL: none. */
const struct policy_entry *policy_value_name(const struct policy_value *v, const char *name);
/* The narrowest range; NULL: none. */
const struct policy_entry *policy_value_port(const struct policy_value *v, uint16_t port);

/* ---- reference.c, path.c, caps.c: texts ---- */

/* The repository as its registry is really reached: host in lower case, without :443, Docker Hub under one name. */
const char *policy_canonical(struct slice repository, struct arena *a);
/* Lexically clean, "/var/run" as "/run", "/proc/N/root" taken off. dst gets at least "/"; false: not absolute, or longer
 * than size. ret_is_hidden: it leads through /proc/N/cwd or fd, and so anywhere. */
bool policy_path_clean(const char *path, char *dst, size_t size, bool *ret_is_hidden);
/* Is path (clean) dir, or below it? */
bool policy_path_is_under(const char *path, const char *dir);
size_t policy_path_depth(const char *path); /* bytes, "/" counts 0 */

enum { CAP_ALL = 64, CAP_UNKNOWN = 65, CAPS_COUNT = 41 };
/* As the engine reads it: any case, CAP_ or not. Bit, CAP_ALL or CAP_UNKNOWN. */
unsigned policy_cap_find(struct slice name);
const char *policy_cap_name(unsigned bit);
uint64_t policy_caps_all(void);
/* What the engine gives for cap_add and cap_drop; *ret_unknown: the first unknown one added, else NULL. */
uint64_t policy_caps_effective(const struct policy_workload *w, bool *ret_has_all, const char **ret_unknown);

/* ---- policy_match.c: which of it holds for a workload ---- */

struct policy_source { /* a repository that an image came from */
	const char *repository, *digest; /* canonical; "" */
};
struct view {
	const struct policy *p;
	const struct policy_workload *w;
	uint64_t now_unix_s;
	struct arena *arena;
	const struct policy_value *v[KEY_COUNT + 1]; /* never NULL; the last is unset: KEY_NONE */
	enum policy_mode mode[POLICY_SECTION_COUNT];
	/* the image: where it came from, else what it is called */
	struct policy_source *sources;
	size_t source_count;
	bool has_more_sources; /* than POLICY_SOURCES_MAX */
	const char *named, *tag, *digest; /* of the reference, the repository canonical; "" none */
	bool is_reference; /* not an id */
	bool is_local;	   /* here, and no digest vouches for it */
};
int view_init(struct view *v, const struct policy *p, const struct policy_workload *w, uint64_t now_unix_s,
	      struct arena *a, struct err *err) WARN_UNUSED;
bool view_is_on(const struct view *v, enum policy_key k);
bool view_matches(const struct view *v, const struct policy_match *m, unsigned *ret_score);
bool policy_exception_holds(const struct policy_exception *x, uint64_t now_unix_s);

/* ---- judging ---- */

struct judge {
	struct view v;
	struct policy_denial *denials;
	size_t count, size;
	uint8_t *matches; /* of each exception: 0 not asked, 1 it does not match the workload, 2 it does */
	bool is_denied; /* an enforced denial without exception */
	bool is_failed; /* out of memory: the verdict is none */
};
struct policy_told {
	enum policy_rule rule;
	const struct policy_value *value; /* what says so */
	const struct policy_entry *entry; /* the very line; nullable */
	const char *a, *b;		  /* $1 and $2 */
	uint64_t n;			  /* a port, a capability's bit: for exceptions with a list */
};
void judge_deny(struct judge *j, const struct policy_told *t);
/* A pair of lists of globs: tells the denial, if it is one. *ret_is_named: a list names it. */
void judge_name(struct judge *j, const char *name, enum policy_key allowed, enum policy_key denied,
		enum policy_rule rule_denied, enum policy_rule rule_other, bool *ret_is_named);
void judge_image(struct judge *j);
void judge_ports(struct judge *j);
void judge_networks(struct judge *j);
void judge_runtime(struct judge *j);
void judge_mounts(struct judge *j);
void judge_devices(struct judge *j);
/* One that the workload would have: of devices, or under a volume. */
void judge_device(struct judge *j, const char *path);

static inline const char *policy_text(const char *s)
{
	return s ? s : "";
}
