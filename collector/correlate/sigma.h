/* sigma.h - a Sigma file: YAML documents parted by `---`, each a detection rule or a correlation. Read here is
 * what both have in common; detect.h compiles `detection`, correlation.h `correlation`. Pure over bounded text.
 *
 * A key that neither Sigma's specification 2.1 nor this list knows is an error; what is ours stands under `x`.
 * Bounds: 1 MiB, 1,000 documents, 100,000 values, nesting 16. */
#pragma once
#include "common/conf_tree.h"

enum { SIGMA_FILE_BYTES = 1 << 20, SIGMA_DOCUMENTS_MAX = 1000, SIGMA_NODES_MAX = 100000, SIGMA_NOTES_MAX = 256 };
/* Enough for the largest file within the bounds, tree and rules: the cap for the arena given to sigma_parse. */
enum { SIGMA_ARENA_BYTES = 64 << 20 };

enum sigma_status {
	SIGMA_STATUS_NONE, /* not said */
	SIGMA_STATUS_STABLE,
	SIGMA_STATUS_TEST,
	SIGMA_STATUS_EXPERIMENTAL,
	SIGMA_STATUS_DEPRECATED,
	SIGMA_STATUS_UNSUPPORTED,
	SIGMA_STATUS_COUNT
};
enum sigma_level {
	SIGMA_LEVEL_NONE, /* not said */
	SIGMA_LEVEL_INFORMATIONAL,
	SIGMA_LEVEL_LOW,
	SIGMA_LEVEL_MEDIUM,
	SIGMA_LEVEL_HIGH,
	SIGMA_LEVEL_CRITICAL,
	SIGMA_LEVEL_COUNT
};
/* Sigma's words; "" for NONE. */
const char *sigma_status_name(enum sigma_status s);
const char *sigma_level_name(enum sigma_level l);

struct sigma_list {
	const char *const *items;
	size_t count;
};
struct sigma_related {
	const char *id, *type;
};
struct sigma_logsource {
	const char *category, *product, *service, *definition; /* "" where not said */
	const struct conf_node *node;			       /* nullable */
};

/* Texts are NUL-terminated and never NULL ("" = not said). All of it lives in the arena. */
struct sigma_rule {
	const char *file; /* the name given to sigma_parse */
	unsigned line, column;
	const char *title, *id, *name;
	const char *description, *author, *license, *taxonomy, *date, *modified;
	enum sigma_status status;
	enum sigma_level level;
	bool is_generate; /* of a correlation: the rules that it names speak for themselves, too */
	struct sigma_logsource logsource;
	struct sigma_list tags, references, falsepositives, fields, scope;
	const struct sigma_related *related;
	size_t related_count;
	/* Mappings; exactly one of the first two is there. x: nullable. */
	const struct conf_node *detection, *correlation, *x;
};

/* What is not wrong but odd, for `lint`: one line each, with its place. The first SIGMA_NOTES_MAX are kept. */
struct sigma_note {
	unsigned line, column;
	const char *file, *rule; /* rule: title, name or id; nullable */
	const char *what;
};
struct sigma_notes {
	struct arena *arena;
	struct sigma_note *items;
	size_t count, dropped;
};
/* notes: nullable, then nothing happens; rule, at: nullable. */
void sigma_note(struct sigma_notes *notes, const struct sigma_rule *rule, const struct conf_node *at, const char *fmt, ...)
	PRINTF_LIKE(4, 5);

struct sigma_file {
	const char *name;
	struct sigma_rule *rules;
	size_t count;
};
/* name (copied) is for messages. Everything goes into the arena; notes (nullable) live there, too.
 * Error: ERR_SYNTAX, "NAME:LINE:COL: what", also for an id or name that two documents of the file have;
 * ERR_LIMIT where the arena is full. */
int sigma_parse(const char *name, struct slice text, struct arena *a, struct sigma_file *ret, struct sigma_notes *notes,
		struct err *err) WARN_UNUSED;

/* How a rule is called where people read: its title, else its name, else its id. */
const char *sigma_rule_label(const struct sigma_rule *r);
/* Is r the rule that a correlation names by ref (id or name)? */
bool sigma_rule_is(const struct sigma_rule *r, struct slice ref);

/* ---- for those who read `detection`, `correlation`, `x` ---- */

/* ERR_SYNTAX, "NAME:LINE:COL: what" for at's place, the rule's where at is NULL. */
int sigma_fail(const struct sigma_rule *r, const struct conf_node *at, struct err *err, const char *fmt, ...)
	PRINTF_LIKE(4, 5);
/* The value under key, or NULL. map: nullable; anything but a mapping has no keys. */
const struct conf_node *sigma_get(const struct conf_node *map, const char *key);
/* Fails at the first key of map that is not among names, with the nearest that is. where: "'correlation'". */
int sigma_check_keys(const struct sigma_rule *r, const struct conf_node *map, const char *const *names, size_t count,
		     const char *where, struct err *err) WARN_UNUSED;
/* true, yes, on / false, no, off, without quotes; -ERR_SYNTAX otherwise. */
int sigma_bool(const struct sigma_rule *r, const struct conf_node *at, bool *ret, struct err *err) WARN_UNUSED;
/* A text, or a list of texts, as a list. */
int sigma_texts(const struct sigma_rule *r, const struct conf_node *at, struct arena *a, struct sigma_list *ret,
		struct err *err) WARN_UNUSED;
