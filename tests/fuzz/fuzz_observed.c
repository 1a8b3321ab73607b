/* fuzz_observed.c - a record from an agent, whatever its bytes, asked for every field. FUZZ_LINK: collector_observed */
#include "collector/correlate/observed.h"

enum { FIELDS = 1000 };

static volatile uint64_t seen; /* so that every byte is really read */

static void look(const struct observed *o)
{
	struct detect_value v[DETECT_VALUES_MAX];
	struct slice texts[DETECT_TEXTS_MAX], text;
	char number[OBSERVED_NUMBER_MAX];

	for (unsigned f = 0; f < FIELDS; f++) {
		size_t n = o->ev.ops->get(&o->ev, f, v, DETECT_VALUES_MAX);

		if (n > DETECT_VALUES_MAX || (n != 0) != observed_text(o, f, number, &text))
			abort();
		/* What a kind of event has is what it is said to have. */
		if (n && observed_resolve(NULL, o->ev.source, slice_of(observed_field_name(f))) < 0)
			abort();
		for (size_t i = 0; i < n; i++)
			seen += v[i].kind == DETECT_TEXT ? slice_hash(v[i].text) : 0;
	}
	size_t n = o->ev.ops->texts(&o->ev, texts, DETECT_TEXTS_MAX);
	for (size_t i = 0; i < n; i++)
		seen += slice_hash(texts[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(LIMIT_ARENA_BYTES);
	CLEANUP(arena_freep) struct arena *made = arena_new(OBSERVED_ARENA_BYTES);
	Picket__Record *rec;
	struct observed o;

	if (!a || !made || msg_read_record(slice_from(data, size), a, &rec, NULL) < 0)
		return 0;
	for (size_t i = 0; i < observed_count(rec) && i < 8; i++) {
		observed_init(&o, "agent", "host", rec, i, made);
		look(&o);
		arena_reset(made);
	}
	return 0;
}
