/* fuzz_notify_template.c - the first line is a template, the rest the JSON it is written from.
 * FUZZ_LINK: collector_notify collector_store picket_proto picket_common */
#include "collector/notify/notify_template.h"
#include "common/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice json = slice_from(data, size), text;
	struct notify_template *t = NULL;
	struct buf out;
	cJSON *doc = NULL;

	slice_split(&json, '\n', &text);
	if (size && notify_template_parse(text, &t, NULL) >= 0 && json_parse(json, 65536, &doc, NULL) >= 0) {
		for (int escape = NOTIFY_ESCAPE_JSON; escape <= NOTIFY_ESCAPE_LINE; escape++) {
			buf_init(&out, 1 << 20);
			(void)!notify_template_write(t, doc, (enum notify_escape)escape, &out, NULL);
			buf_fini(&out);
		}
	}
	cJSON_Delete(doc);
	notify_template_free(t);
	return 0;
}
