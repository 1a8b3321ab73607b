/* fuzz_except.c - an exception made of any names: it is a filter that parses, and the alert it was made from falls under
 * it; another rule's does not. Pieces end with a zero: rule, host, image, exe, parent, path.
 * FUZZ_LINK: collector_alert collector_store */
#include <assert.h>

#include "collector/alert/except.h"

enum { PIECES = 6, PIECE_BYTES = 600 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static char p[PIECES][PIECE_BYTES];
	CLEANUP(buf_finip) struct buf document = { 0 }, conditions = { 0 };
	struct json j;

	memset(p, 0, sizeof(p));
	for (size_t i = 0, piece = 0, at = 0; i < n && piece < PIECES; i++) {
		if (!data[i] || at == PIECE_BYTES - 1) {
			piece++;
			at = 0;
		} else {
			p[piece][at++] = (char)(data[i] & 0x7f ? data[i] & 0x7f : '*'); /* JSON changes what is no UTF-8 */
		}
	}
	json_init(&j, &document);
	json_object_open(&j);
	json_kv_object(&j, "container");
	json_kv_str(&j, "image", p[2]);
	json_object_close(&j);
	json_kv_object(&j, "process");
	json_kv_str(&j, "exe", p[3]);
	json_kv_object(&j, "parent");
	json_kv_str(&j, "name", p[4]);
	json_object_close(&j);
	json_object_close(&j);
	json_kv_object(&j, "file");
	json_kv_str(&j, "path", p[5]);
	json_object_close(&j);
	json_object_close(&j);
	struct store_alert al = { .rule = p[0], .host = p[1], .image = p[2], .container = "", .container_id = n % 2 ? "c" : "",
				  .document = document.p, .source = "runtime", .status = "new", .assignee = "", .agent = "a",
				  .priority = "", .title = "", .resolution = "" };
	assert(alert_except_propose(&al, "", &conditions, NULL) >= 0);
	CLEANUP(store_matcher_freep) struct store_matcher *m = NULL;
	if (store_matcher_new(buf_slice(&conditions), &m, NULL) < 0) {
		assert(conditions.n > 4096); /* longer than a filter may be: refused, not cut */
		return 0;
	}
	assert(store_matcher_matches(m, &al, 1));
	al.rule = p[0][0] ? "" : "x";
	assert(!store_matcher_matches(m, &al, 1));
	return 0;
}
