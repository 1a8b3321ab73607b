/* api_audit.c - the audit log: who changed what. */
#include <inttypes.h>

#include "collector/api/api_priv.h"

static int on_row(void *arg, const struct store_audit *row)
{
	struct api_page *p = arg;
	char id[24];

	snprintf(id, sizeof(id), "%" PRId64, row->id);
	json_object_open(&p->j);
	json_kv_str(&p->j, "id", id);
	json_kv_time(&p->j, "time", row->time_unix_ns);
	json_kv_str(&p->j, "who", row->who);
	json_kv_str(&p->j, "what", row->what);
	json_kv_str(&p->j, "subject", row->subject);
	json_object_close(&p->j);
	return api_page_row_done(p);
}

static int run(struct api *a, const struct store_query *q, struct api_page *p, char *ret_cursor,
	       size_t cursor_size, struct err *err)
{
	return store_audit_query(a->store, q, on_row, p, ret_cursor, cursor_size, err);
}

int api_audit_list(struct api_call *c, struct err *err)
{
	struct store_query q;
	int r = api_page_query(c, &q, err);

	return r < 0 ? r : api_page_write(c, &q, run, err);
}
