/* ruleset.h - every rule that is in force, of several files: detections compiled into one set, correlations linked to
 * them, and of each whether it speaks for itself. Built once, then only asked; a change is a new ruleset. One thread. */
#pragma once
#include "collector/correlate/correlation.h"
#include "collector/correlate/engine.h"
#include "collector/correlate/observed.h"

enum { RULESET_FILES_MAX = 10000, RULESET_DOCUMENTS_MAX = 20000, RULESET_ERRORS_MAX = 64, RULESET_NAME_MAX = 256 };
/* Of all files together. */
enum { RULESET_BYTES_MAX = 64 << 20 };

struct ruleset_rule {
	const struct sigma_rule *rule;
	struct correlation *correlation; /* NULL: a detection */
	const char *name;		 /* by which it is told from others: its id, else its name, else its title */
	bool is_told;			 /* it raises alerts: nobody names it, or one who does says `generate` */
	bool is_named;			 /* a correlation looks at it */
	bool can_match;			 /* of a detection: it asks for nothing that is never there */
	enum detect_source source;	 /* of a detection */
	unsigned index;			 /* of a detection: in the set */
	uint16_t *fields;		 /* of a detection: what correlations want to know of its events */
	size_t field_count;
};

struct ruleset {
	struct arena *arena;
	struct detect_set *set;
	struct ruleset_rule *rules; /* by document */
	struct correlation_document *documents;
	size_t count, detections, correlations;
	uint32_t *documents_of; /* by the detection's number in the set */
	uint32_t wants;		/* bit detect_source: some rule looks at such events */
	struct sigma_notes notes;
	/* What was left out, "FILE:LINE:COL: what", where a lenient load leaves out. */
	char errors[RULESET_ERRORS_MAX][sizeof(((struct err *)0)->msg)];
	size_t error_count; /* all of them, not only those kept */
	size_t text_bytes;
	struct ruleset_part *parts, **next_part; /* files, until ruleset_link */
	size_t file_count;
};

/* NULL: out of memory. *caller frees* with ruleset_free. */
struct ruleset *ruleset_new(void) WARN_UNUSED;
/* Reads one file's text (copied). name is for messages. Error: as sigma_parse; the ruleset is as before. */
int ruleset_add(struct ruleset *rs, const char *name, struct slice text, struct err *err) WARN_UNUSED;
/* Every *.yml and *.yaml of a folder, in the order of names, and of the folders within (8 deep). A folder that is not
 * there has no files. is_lenient: a file that is wrong is left out and stands in errors; else it is the error. */
int ruleset_add_folder(struct ruleset *rs, const char *path, bool is_lenient, struct err *err) WARN_UNUSED;
/* The files that come with the program (shipped/). */
int ruleset_add_shipped(struct ruleset *rs, struct err *err) WARN_UNUSED;
/* Compiles and links what was added; afterwards nothing can be added. is_lenient: rules that are wrong, and those that
 * name them, are left out. */
int ruleset_link(struct ruleset *rs, bool is_lenient, struct err *err) WARN_UNUSED;
/* Rules that stand on their own, to be looked at or tried. Where they name what only the shipped files have, those are
 * there, too, and raise nothing (ruleset_is_shipped). is_lenient: as above. *ret: caller frees with ruleset_free. */
struct ruleset_text {
	const char *name;
	struct slice text;
};
int ruleset_of_texts(const struct ruleset_text *texts, size_t count, bool is_lenient, struct ruleset **ret,
		     struct err *err) WARN_UNUSED;
bool ruleset_is_shipped(const struct ruleset_rule *x);
/* By id, name or title; a number of `rules`, or -1. */
ptrdiff_t ruleset_find(const struct ruleset *rs, struct slice name);
/* NULL is allowed and does nothing. */
void ruleset_free(struct ruleset *rs);
DEFINE_CLEANUP(struct ruleset, ruleset_free)

/* One event, asked: which documents match; room for detect_set_count(rs->set). Ascending. */
size_t ruleset_match(struct ruleset *rs, const struct observed *o, unsigned *ret);
/* One value of a field, as correlations count it; dst is for addresses and the like. */
void ruleset_value(const struct observed *o, unsigned field, struct engine_value *ret);
