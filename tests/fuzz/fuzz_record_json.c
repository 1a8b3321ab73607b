/* fuzz_record_json.c - a record from an agent, whatever its bytes: as the API writes it, as an alert and its title.
 * FUZZ_LINK: collector_api collector_alert collector_store */
#include <assert.h>

#include "collector/alert/alert_loss.h"
#include "collector/alert/alert_policy.h"
#include "collector/alert/alert_text.h"
#include "collector/api/event_json.h"
#include "collector/store/record.h"
#include "common/show.h"
#include "common/text.h"

enum { JSON_BYTES = 2 * 1024 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect_json(const struct buf *b)
{
	CLEANUP(cJSON_Deletep) cJSON *doc = NULL;

	assert(!b->failed && json_parse(buf_slice(b), JSON_BYTES, &doc, NULL) >= 0);
}

/* What goes into mails and chats: one line, nothing that moves a cursor or turns the writing around. */
static void expect_line(const struct buf *b)
{
	struct slice s = buf_slice(b);

	while (s.n) {
		uint32_t c;
		size_t n = text_utf8(s, &c);

		assert(n && !text_is_control(c));
		s = slice_sub(s, n, s.n);
	}
}

static void count_term(void *arg, uint64_t term)
{
	assert(term);
	++*(size_t *)arg;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(LIMIT_ARENA_BYTES);
	CLEANUP(buf_finip) struct buf event = { 0 }, title = { 0 }, document = { 0 };
	Picket__Record *rec;
	size_t terms = 0;
	struct json j;

	if (!a || msg_read_record(slice_from(data, size), a, &rec, NULL) < 0)
		return 0;
	const struct store_event e = { .agent = "a", .host = "h", .epoch = 1, .seq = 1, .record = rec };
	buf_init(&event, JSON_BYTES);
	buf_init(&title, 4096);
	buf_init(&document, 128 * 1024);
	json_init(&j, &event);
	event_json(&j, &e);
	expect_json(&event);
	record_terms("a", rec, count_term, &terms);
	assert(terms <= RECORD_TERMS_MAX);
	if (rec->body_case == PICKET__RECORD__BODY_FINDING) {
		alert_text_title(&title, "h", rec->finding);
		alert_text_document(&document, rec->finding, 128 * 1024);
	} else if (rec->body_case == PICKET__RECORD__BODY_GAP) {
		alert_loss_write(rec->gap, "h", NULL, &title, &document);
	} else if (rec->body_case == PICKET__RECORD__BODY_EVENT && rec->event->admission) {
		alert_policy_title(&title, "h", rec->event);
		alert_policy_document(&document, rec->event, buf_slice(&title));
	} else {
		return 0;
	}
	assert(!title.failed);
	expect_line(&title);
	expect_json(&document);
	return 0;
}
