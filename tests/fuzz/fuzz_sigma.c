/* fuzz_sigma.c - hostile rules over hostile events. The text up to a line "===" is the file; what follows are the
 * values of the events' fields, one a line. FUZZ_LINK: collector_sigma */
#include "collector/correlate/detect.h"

enum { FIELDS = 64, RULES = 64, REGEX_LINE = 12 };

struct event {
	struct detect_event ev;
	struct slice lines[FIELDS];
	size_t count;
};

static char names[FIELDS][32];
static size_t name_count;

static int resolve(void *arg, enum detect_source source, struct slice name)
{
	for (size_t i = 0; i < name_count; i++)
		if (slice_is(name, names[i]))
			return (int)i;
	if (name_count == FIELDS || !slice_copy(name, names[name_count], sizeof(names[0])))
		return DETECT_FIELD_NONE;
	return (int)name_count++;
}

/* A line that begins with # is a number, with @ a time, with ~ null; of many lines a field has several. */
static size_t get(const struct detect_event *e, unsigned field, struct detect_value *ret, size_t max)
{
	const struct event *ev = (const struct event *)e;
	size_t n = 0;

	for (size_t i = field % 7; i < ev->count && n < max; i += 7) {
		struct slice s = ev->lines[i];
		char first = s.n ? s.p[0] : 'x';

		ret[n++] = (struct detect_value){ .kind = first == '#' ? DETECT_NUMBER : first == '@' ? DETECT_TIME :
							  first == '~' ? DETECT_NULL : DETECT_TEXT,
						  .text = s,
						  .number = (int64_t)slice_hash(s) };
	}
	return n;
}

static size_t texts(const struct detect_event *e, struct slice *ret, size_t max)
{
	const struct event *ev = (const struct event *)e;
	size_t n = 0;

	for (; n < ev->count && n < max; n++)
		ret[n] = ev->lines[n];
	return n;
}

static const struct detect_ops ops = { get, texts };

static void judge(struct detect_set *s, struct event *ev)
{
	unsigned matches[RULES], count;

	static const enum detect_source sources[] = { DETECT_SOURCE_PROCESS, DETECT_SOURCE_NETWORK, DETECT_SOURCE_FINDING,
						      DETECT_SOURCE_ANY };

	for (size_t k = 0; k < ARRAY_LEN(sources); k++) {
		size_t at = 0;

		ev->ev = (struct detect_event){ &ops, sources[k] };
		count = (unsigned)detect_match(s, &ev->ev, matches);
		/* One by one the same, and in order. */
		for (unsigned i = 0; i < detect_set_count(s); i++) {
			bool is_there = at < count && matches[at] == i;

			at += is_there;
			if (detect_match_one(s, i, &ev->ev) != is_there || (is_there && !detect_set_can_match(s, i)))
				abort();
		}
		if (at != count)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = slice_from(data, size), rest = SLICE_NONE;
	ptrdiff_t end = slice_find(text, SLICE_LIT("\n===\n"));
	struct arena *a = arena_new(SIGMA_ARENA_BYTES);
	struct sigma_notes notes = { .arena = a };
	struct detect_fields fields = { resolve, NULL };
	struct event ev = { .count = 0 };
	struct sigma_file f = { 0 };
	struct err err = { 0 };

	if (end >= 0) {
		rest = slice_sub(text, (size_t)end + 5, text.n);
		text.n = (size_t)end;
	}
	/* A few hundred expressions that each use up their steps are slow, and no fault. */
	bool has_regex = slice_find(text, SLICE_LIT("|re")) >= 0;
	while (ev.count < FIELDS && slice_split(&rest, '\n', &ev.lines[ev.count])) {
		if (has_regex)
			ev.lines[ev.count] = slice_sub(ev.lines[ev.count], 0, REGEX_LINE);
		ev.count++;
	}
	name_count = 0;
	struct detect_set *s = detect_set_new(&fields);
	if (!a || !s)
		abort();
	int r = sigma_parse("fuzz.yml", text, a, &f, &notes, &err);
	if (r < 0 && strncmp(err.msg, "fuzz.yml:", 9) != 0)
		abort();
	for (size_t i = 0; i < f.count && i < RULES; i++) {
		unsigned index;

		if (!f.rules[i].detection)
			continue;
		r = detect_set_add(s, &f.rules[i], &index, &notes, &err);
		if (r < 0 ? strncmp(err.msg, "fuzz.yml:", 9) != 0 : index + 1 != detect_set_count(s))
			abort();
	}
	judge(s, &ev);
	detect_set_free(s);
	arena_free(a);
	return 0;
}
