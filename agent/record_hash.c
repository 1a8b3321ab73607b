/* record_hash.c - see record_hash.h. */
#include "agent/record_hash.h"

#include <errno.h>

/* What the hash added is taken from the arguments, which the exec has in full. */
enum { ARGS_BYTES = 4096 };

int record_hash(struct slice exec_record, const uint8_t sha256[32], struct arena *scratch, struct buf *out,
		uint64_t *ret_unix_ns, struct err *err)
{
	Picket__Record *rec;
	int r = msg_read_record(exec_record, scratch, &rec, err);

	if (r < 0)
		return r;
	if (rec->body_case != PICKET__RECORD__BODY_EVENT || !rec->event->process)
		return err_set(err, EINVAL, "not the record of an exec");
	Picket__Process *p = rec->event->process;
	rec->event->type = PICKET__EVENT_TYPE__EVENT_HASH;
	p->exe_sha256 = (ProtobufCBinaryData){ 32, (uint8_t *)(uintptr_t)sha256 };
	r = msg_pack_record(rec, out, err);
	if (r == -ERR_LIMIT && p->args.len > ARGS_BYTES) {
		p->args.len = ARGS_BYTES;
		p->args_truncated = true;
		r = msg_pack_record(rec, out, err);
	}
	if (r >= 0)
		*ret_unix_ns = rec->time_unix_ns;
	return r;
}
