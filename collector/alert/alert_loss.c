/* alert_loss.c - see alert_loss.h. */
#include "collector/alert/alert_loss.h"

#include <inttypes.h>

#include "collector/store/record_json.h"
#include "common/show.h"
#include "common/text.h"

enum { TALLY_MAX = 8, NAME_CHARS = 64, NAME_BYTES = NAME_CHARS * 4 + 1, OLD_BYTES = 128 * 1024 };

/* Names with how much was lost of each; the smallest makes place for a new one. */
struct tally {
	struct {
		char name[NAME_BYTES];
		uint64_t lost;
	} rows[TALLY_MAX];
	size_t count;
};

struct sums {
	uint64_t lost, gaps, from_unix_ns, to_unix_ns;
	struct tally reasons, sources;
};

/* Sums stay exact in every JSON reader. */
static uint64_t sum(uint64_t a, uint64_t b)
{
	const uint64_t most = 1ull << 53;

	a = a < most ? a : most;
	b = b < most ? b : most;
	return a + b < most ? a + b : most;
}

static void count(struct tally *t, const char *name, uint64_t lost)
{
	size_t least = 0;

	if (!name[0])
		return;
	for (size_t i = 0; i < t->count; i++) {
		if (!strcmp(t->rows[i].name, name)) {
			t->rows[i].lost = sum(t->rows[i].lost, lost);
			return;
		}
		if (t->rows[i].lost < t->rows[least].lost)
			least = i;
	}
	if (t->count < TALLY_MAX)
		least = t->count++;
	slice_copy(slice_of(name), t->rows[least].name, NAME_BYTES);
	t->rows[least].lost = lost;
}

static const char *largest(const struct tally *t)
{
	size_t most = 0;

	for (size_t i = 1; i < t->count; i++)
		if (t->rows[i].lost > t->rows[most].lost)
			most = i;
	return t->count ? t->rows[most].name : "";
}

/* A name from outside, as it may stand in a title. */
static void clean_name(struct slice s, char dst[NAME_BYTES])
{
	CLEANUP(buf_finip) struct buf shown = { 0 };

	buf_init(&shown, 4096);
	show_text(&shown, s, NAME_CHARS);
	slice_copy(buf_slice(&shown), dst, NAME_BYTES);
	for (size_t i = 0; dst[i]; i++)
		if (dst[i] == '`')
			dst[i] = '\'';
}

static void read_tally(const cJSON *o, struct tally *ret)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, o)
	{
		if (item->string && cJSON_IsNumber(item))
			count(ret, item->string, json_get_u64(o, item->string, 0));
	}
}

static uint64_t read_time(const cJSON *o, const char *key)
{
	uint64_t ns;

	return text_time_parse(json_get_str(o, key), &ns) ? ns : 0;
}

static void read_old(const char *document, struct sums *ret)
{
	CLEANUP(cJSON_Deletep) cJSON *doc = NULL;

	/* Ignored: what can't be read is counted anew. */
	if (!document || json_parse(slice_of(document), OLD_BYTES, &doc, NULL) < 0)
		return;
	const cJSON *gap = cJSON_GetObjectItemCaseSensitive(doc, "gap");
	ret->lost = json_get_u64(gap, "lost", 0);
	ret->gaps = json_get_u64(gap, "gaps", 0);
	ret->from_unix_ns = read_time(gap, "from");
	ret->to_unix_ns = read_time(gap, "to");
	read_tally(cJSON_GetObjectItemCaseSensitive(gap, "reasons"), &ret->reasons);
	read_tally(cJSON_GetObjectItemCaseSensitive(gap, "sources"), &ret->sources);
}

static void add_gap(struct sums *s, const Picket__Gap *gap)
{
	char name[NAME_BYTES];

	s->lost = sum(s->lost, gap->lost);
	s->gaps = sum(s->gaps, 1);
	if (!s->from_unix_ns || gap->from_unix_ns < s->from_unix_ns)
		s->from_unix_ns = gap->from_unix_ns;
	if (gap->to_unix_ns > s->to_unix_ns)
		s->to_unix_ns = gap->to_unix_ns;
	clean_name(slice_of(gap->reason), name);
	count(&s->reasons, name, gap->lost);
	clean_name(msg_slice(gap->noisiest), name);
	count(&s->sources, name, gap->lost);
}

void alert_loss_fold_key(struct buf *out, const char *host, const Picket__Gap *gap)
{
	struct json j;

	json_init(&j, out);
	json_array_open(&j);
	json_str(&j, SLICE_LIT(ALERT_LOSS_RULE));
	json_str(&j, slice_of(host));
	json_str(&j, SLICE_LIT(""));
	json_str(&j, slice_of(msg_loss_class_name((int)gap->loss_class)));
	json_array_close(&j);
}

static void add_tally(struct json *j, const char *key, const struct tally *t)
{
	json_kv_object(j, key);
	for (size_t i = 0; i < t->count; i++)
		json_kv_u64(j, t->rows[i].name, t->rows[i].lost);
	json_object_close(j);
}

static void write_sums(struct json *j, const char *class, const struct sums *s)
{
	json_kv_object(j, "gap");
	json_kv_str(j, "class", class);
	json_kv_u64(j, "lost", s->lost);
	json_kv_u64(j, "gaps", s->gaps);
	json_kv_time(j, "from", s->from_unix_ns);
	json_kv_time(j, "to", s->to_unix_ns);
	json_kv_str(j, "reason", largest(&s->reasons));
	add_tally(j, "reasons", &s->reasons);
	json_kv_str(j, "noisiest", largest(&s->sources));
	add_tally(j, "sources", &s->sources);
	json_object_close(j);
}

static void write_words(struct buf *out, const char *class, const struct sums *s)
{
	char from[TEXT_TIME_MAX], to[TEXT_TIME_MAX];

	buf_printf(out, "%" PRIu64 " %s records lost in %" PRIu64 " %s from %s to %s", s->lost, class, s->gaps,
		   s->gaps == 1 ? "gap" : "gaps", text_time(s->from_unix_ns, from, sizeof(from)),
		   text_time(s->to_unix_ns, to, sizeof(to)));
	for (size_t i = 0; i < s->reasons.count; i++)
		buf_printf(out, "%s%s: %" PRIu64, i ? ", " : "; reasons: ", s->reasons.rows[i].name,
			   s->reasons.rows[i].lost);
	for (size_t i = 0; i < s->sources.count; i++)
		buf_printf(out, "%s%s: %" PRIu64, i ? ", " : "; noisiest: ", s->sources.rows[i].name,
			   s->sources.rows[i].lost);
}

static void write_document(struct buf *out, const char *class, const struct sums *s)
{
	CLEANUP(buf_finip) struct buf words = { 0 };
	struct json j;

	buf_init(&words, 16 * 1024);
	write_words(&words, class, s);
	json_init(&j, out);
	json_object_open(&j);
	json_key(&j, "container");
	json_null(&j);
	json_key(&j, "process");
	json_null(&j);
	write_sums(&j, class, s);
	json_kv_object(&j, "fields");
	json_object_close(&j);
	json_kv_array(&j, "tags");
	json_array_close(&j);
	json_kv_slice(&j, "output", buf_slice(&words));
	json_kv_str(&j, "description",
		    "What happened in this time may be missing from the history and from alerts: a rule"
		    " that did not fire proves nothing. Find who makes so many events, or give the agent more room.");
	json_kv_str(&j, "event_type", "gap");
	json_object_close(&j);
}

void alert_loss_write(const Picket__Gap *gap, const char *host, const char *old_document,
		      struct buf *title, struct buf *document)
{
	const char *class = msg_loss_class_name((int)gap->loss_class);
	struct sums s = { 0 };

	read_old(old_document, &s);
	add_gap(&s, gap);
	buf_add_str(title, ALERT_LOSS_RULE " on ");
	show_text(title, slice_of(host), NAME_CHARS);
	buf_printf(title, ": %" PRIu64 " %s records", s.lost, class);
	if (s.reasons.count)
		buf_printf(title, " (%s)", largest(&s.reasons));
	if (s.sources.count)
		buf_printf(title, ", noisiest `%s`", largest(&s.sources));
	write_document(document, class, &s);
}
