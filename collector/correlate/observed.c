/* observed.c - see observed.h. */
#include "collector/correlate/observed_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>

/* ---- of which kind ---- */

static bool is_among(const char *call, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(call, names[i]))
			return true;
	return false;
}

/* What failed made no file and removed none: it is a call. */
static enum detect_source file_source(const Picket__Event *ev)
{
	static const char *const opens[] = { "open", "openat", "openat2", "open_by_handle_at" };
	static const char *const makes[] = { "creat",	"mkdir", "mkdirat", "mknod",  "mknodat",   "rename",   "renameat",
					     "renameat2", "link",  "linkat",  "symlink", "symlinkat", "truncate", "ftruncate" };
	static const char *const removes[] = { "unlink", "unlinkat", "rmdir" };

	if (ev->result < 0 || !ev->file)
		return DETECT_SOURCE_CALL;
	if (is_among(ev->call, opens, ARRAY_LEN(opens)))
		return (ev->file->open_flags & O_ACCMODE) == O_RDONLY && !(ev->file->open_flags & (O_CREAT | O_TRUNC)) ?
			       DETECT_SOURCE_FILE_ACCESS :
			       DETECT_SOURCE_FILE;
	return is_among(ev->call, makes, ARRAY_LEN(makes))     ? DETECT_SOURCE_FILE :
	       is_among(ev->call, removes, ARRAY_LEN(removes)) ? DETECT_SOURCE_FILE_DELETE :
								  DETECT_SOURCE_CALL;
}

/* A connection, one that was tried, or a datagram to somebody. */
static enum detect_source network_source(const Picket__Event *ev)
{
	static const char *const sends[] = { "sendto", "sendmsg", "sendmmsg" };

	if (!ev->network)
		return DETECT_SOURCE_CALL;
	if (!strcmp(ev->call, "connect") || (is_accept(ev->call) && ev->result >= 0))
		return DETECT_SOURCE_NETWORK;
	return is_among(ev->call, sends, ARRAY_LEN(sends)) && ev->network->remote_address.len &&
			       !strcmp(ev->network->protocol, "udp") ?
		       DETECT_SOURCE_NETWORK :
		       DETECT_SOURCE_CALL;
}

static enum detect_source event_source(const Picket__Event *ev)
{
	switch (ev->type) {
	case PICKET__EVENT_TYPE__EVENT_EXEC:
		return DETECT_SOURCE_PROCESS;
	case PICKET__EVENT_TYPE__EVENT_HASH:
		return DETECT_SOURCE_HASH;
	case PICKET__EVENT_TYPE__EVENT_EXIT:
		return DETECT_SOURCE_EXIT;
	case PICKET__EVENT_TYPE__EVENT_CONTAINER_CREATE:
	case PICKET__EVENT_TYPE__EVENT_CONTAINER_START:
	case PICKET__EVENT_TYPE__EVENT_CONTAINER_STOP:
	case PICKET__EVENT_TYPE__EVENT_CONTAINER_UPDATE:
		return DETECT_SOURCE_CONTAINER;
	case PICKET__EVENT_TYPE__EVENT_FILE:
		return file_source(ev);
	case PICKET__EVENT_TYPE__EVENT_NETWORK:
		return network_source(ev);
	case PICKET__EVENT_TYPE__EVENT_ACTION:
		return DETECT_SOURCE_ACTION;
	case PICKET__EVENT_TYPE__EVENT_ADMISSION:
		return DETECT_SOURCE_ADMISSION;
	case PICKET__EVENT_TYPE__EVENT_TRAFFIC:
		return DETECT_SOURCE_TRAFFIC;
	case PICKET__EVENT_TYPE__EVENT_FORK:
	case PICKET__EVENT_TYPE__EVENT_CALL:
		return DETECT_SOURCE_CALL;
	default: /* from a newer agent */
		return DETECT_SOURCE_ANY;
	}
}

/* ---- the parts of a record, and which kinds of events have them ---- */

enum part {
	PART_RECORD,
	PART_EVENT,
	PART_CALL,
	PART_PROCESS,
	PART_PARENT,
	PART_GRANDPARENT,
	PART_CONTAINER,
	PART_FILE,
	PART_NETWORK,
	PART_EXIT,
	PART_FINDING,
	PART_ACTION,
	PART_ADMISSION,
	PART_TRAFFIC,
	PART_GAP,
	PART_REPORT,
	PART_RESULT,
	PART_SCAN,
	PART_HEALTH
};

#define P(part) (1U << PART_##part)
#define ACTED (P(PROCESS) | P(PARENT) | P(GRANDPARENT) | P(CONTAINER))
static const uint32_t parts_of[DETECT_SOURCE_COUNT] = {
	[DETECT_SOURCE_PROCESS] = P(EVENT) | ACTED,
	[DETECT_SOURCE_HASH] = P(EVENT) | ACTED,
	[DETECT_SOURCE_NETWORK] = P(EVENT) | P(CALL) | ACTED | P(NETWORK),
	[DETECT_SOURCE_FILE] = P(EVENT) | P(CALL) | ACTED | P(FILE),
	[DETECT_SOURCE_FILE_ACCESS] = P(EVENT) | P(CALL) | ACTED | P(FILE),
	[DETECT_SOURCE_FILE_DELETE] = P(EVENT) | P(CALL) | ACTED | P(FILE),
	[DETECT_SOURCE_CALL] = P(EVENT) | P(CALL) | ACTED | P(FILE) | P(NETWORK),
	[DETECT_SOURCE_EXIT] = P(EVENT) | ACTED | P(EXIT),
	[DETECT_SOURCE_FINDING] = P(CALL) | ACTED | P(FILE) | P(NETWORK) | P(FINDING),
	[DETECT_SOURCE_ADMISSION] = P(EVENT) | P(CALL) | ACTED | P(NETWORK) | P(ADMISSION),
	[DETECT_SOURCE_ACTION] = P(EVENT) | P(CALL) | ACTED | P(ACTION),
	[DETECT_SOURCE_CONTAINER] = P(EVENT) | P(CALL) | ACTED,
	[DETECT_SOURCE_TRAFFIC] = P(EVENT) | P(CONTAINER) | P(TRAFFIC),
	[DETECT_SOURCE_AUDIT] = P(REPORT) | P(RESULT),
	[DETECT_SOURCE_SCAN] = P(CONTAINER) | P(SCAN),
	[DETECT_SOURCE_HEALTH] = P(GAP) | P(HEALTH),
};

static bool may_have(enum detect_source source, enum part part)
{
	return source >= DETECT_SOURCE_COUNT || part == PART_RECORD || parts_of[source] >> part & 1;
}

/* The message of a part, or NULL. */
static const void *part_get(const struct observed *o, enum part part)
{
	const Picket__Process *p = o->process;

	switch (part) {
	case PART_RECORD:
		return o->record;
	case PART_EVENT:
		return o->event;
	case PART_CALL:
		return o->call[0] ? o->call : NULL;
	case PART_PROCESS:
		return p;
	case PART_PARENT:
		return p && p->n_ancestors > 0 ? p->ancestors[0] : NULL;
	case PART_GRANDPARENT:
		return p && p->n_ancestors > 1 ? p->ancestors[1] : NULL;
	case PART_CONTAINER: /* on the host itself it is there and empty */
		return o->container && o->container->id[0] ? o->container : NULL;
	case PART_FILE:
		return o->file;
	case PART_NETWORK:
		return o->network;
	case PART_EXIT:
		return o->event ? o->event->exit : NULL;
	case PART_FINDING:
		return o->finding;
	case PART_ACTION:
		return o->event ? o->event->action : NULL;
	case PART_ADMISSION:
		return o->event ? o->event->admission : NULL;
	case PART_TRAFFIC:
		return o->event ? o->event->traffic : NULL;
	case PART_GAP:
		return o->record->body_case == PICKET__RECORD__BODY_GAP ? o->record->gap : NULL;
	case PART_REPORT:
		return o->report;
	case PART_RESULT:
		return o->result;
	case PART_SCAN:
	case PART_HEALTH:
		return o->made;
	}
	return NULL;
}

/* ---- the table ---- */

enum kind { KIND_BYTES, KIND_STR, KIND_U32, KIND_I32, KIND_U64, KIND_BOOL, KIND_MADE };
typedef Picket__Record part_RECORD;
typedef Picket__Event part_EVENT;
typedef Picket__Process part_PROCESS;
typedef Picket__Ancestor part_PARENT;
typedef Picket__Ancestor part_GRANDPARENT;
typedef Picket__Container part_CONTAINER;
typedef Picket__File part_FILE;
typedef Picket__Network part_NETWORK;
typedef Picket__Exit part_EXIT;
typedef Picket__Finding part_FINDING;
typedef Picket__Action part_ACTION;
typedef Picket__Admission part_ADMISSION;
typedef Picket__Traffic part_TRAFFIC;
typedef Picket__Gap part_GAP;
typedef Picket__AuditReport part_REPORT;
typedef Picket__AuditResult part_RESULT;
typedef struct observed_made part_SCAN;
typedef struct observed_made part_HEALTH;

typedef size_t (*made_fn)(struct observed *o, struct detect_value *ret, size_t max);
static const struct field {
	const char *name;
	enum part part;
	enum kind kind;
	size_t offset;
	made_fn made;
} fields[] = {
#define PLACE_BYTES(part, member) offsetof(part_##part, member), NULL
#define PLACE_STR(part, member) offsetof(part_##part, member), NULL
#define PLACE_U32(part, member) offsetof(part_##part, member), NULL
#define PLACE_I32(part, member) offsetof(part_##part, member), NULL
#define PLACE_U64(part, member) offsetof(part_##part, member), NULL
#define PLACE_BOOL(part, member) offsetof(part_##part, member), NULL
#define PLACE_MADE(part, member) 0, observed_get_##member
#define FIELD(name, part, kind, member) { name, PART_##part, KIND_##kind, PLACE_##kind(part, member) },
#include "collector/correlate/observed_fields.def"
#undef FIELD
};

/* The table's kinds are the members' own. */
#define TYPE_BYTES ProtobufCBinaryData
#define TYPE_STR char *
#define TYPE_U32 uint32_t
#define TYPE_I32 int32_t
#define TYPE_U64 uint64_t
#define TYPE_BOOL protobuf_c_boolean
#define SAME_BYTES(part, member) SAME(BYTES, part, member)
#define SAME_STR(part, member) SAME(STR, part, member)
#define SAME_U32(part, member) SAME(U32, part, member)
#define SAME_I32(part, member) SAME(I32, part, member)
#define SAME_U64(part, member) SAME(U64, part, member)
#define SAME_BOOL(part, member) SAME(BOOL, part, member)
#define SAME_MADE(part, member) 1
#define SAME(kind, part, member) __builtin_types_compatible_p(TYPE_##kind, __typeof__(((part_##part *)0)->member))
#define FIELD(name, part, kind, member) _Static_assert(SAME_##kind(part, member), name);
#include "collector/correlate/observed_fields.def"
#undef FIELD

static size_t read_member(const struct field *f, const void *message, struct detect_value *ret)
{
	const char *at = (const char *)message + f->offset;
	ProtobufCBinaryData bytes;
	char *str;
	uint32_t u32;
	int32_t i32;
	uint64_t u64;
	protobuf_c_boolean b;

	switch (f->kind) {
	case KIND_BYTES:
		memcpy(&bytes, at, sizeof(bytes));
		return give_text(ret, msg_slice(bytes));
	case KIND_STR:
		memcpy(&str, at, sizeof(str));
		return give_str(ret, str);
	case KIND_U32:
		memcpy(&u32, at, sizeof(u32));
		return give_number(ret, u32);
	case KIND_I32:
		memcpy(&i32, at, sizeof(i32));
		*ret = (struct detect_value){ .kind = DETECT_NUMBER, .number = i32 };
		return 1;
	case KIND_U64:
		memcpy(&u64, at, sizeof(u64));
		return give_number(ret, u64);
	case KIND_BOOL:
		memcpy(&b, at, sizeof(b));
		return give_bool(ret, b);
	case KIND_MADE:
		break;
	}
	return 0;
}

static size_t get(const struct detect_event *ev, unsigned field, struct detect_value *ret, size_t max)
{
	/* What is made of an event is kept in it. */
	struct observed *o = (struct observed *)(uintptr_t)ev;
	const struct field *f = field < ARRAY_LEN(fields) ? &fields[field] : NULL;
	const void *message = f && max && may_have(ev->source, f->part) ? part_get(o, f->part) : NULL;

	if (!message)
		return 0;
	return f->kind == KIND_MADE ? f->made(o, ret, max) : read_member(f, message, ret);
}

static size_t texts(const struct detect_event *ev, struct slice *ret, size_t max)
{
	struct detect_value v[DETECT_VALUES_MAX];
	size_t n = 0;

	for (unsigned i = 0; i < ARRAY_LEN(fields); i++) {
		size_t count = get(ev, i, v, DETECT_VALUES_MAX);

		for (size_t k = 0; k < count && n < max; k++)
			if (v[k].kind == DETECT_TEXT && fields[i].kind != KIND_BOOL)
				ret[n++] = v[k].text;
	}
	return n;
}

static const struct detect_ops ops = { get, texts };

/* ---- for others ---- */

size_t observed_count(const Picket__Record *r)
{
	return r->body_case == PICKET__RECORD__BODY_AUDIT ? r->audit->n_results : 1;
}

static void init_event(struct observed *o, const Picket__Event *ev)
{
	o->event = ev;
	o->process = ev->process;
	o->container = ev->container;
	o->file = ev->file;
	o->network = ev->network;
	o->call = ev->call;
	o->call_result = ev->result;
	o->ev.source = event_source(ev);
}

static void init_finding(struct observed *o, const Picket__Finding *f)
{
	o->finding = f;
	o->process = f->process;
	o->container = f->container;
	o->file = f->file;
	o->network = f->network;
	o->call = f->call;
	o->call_result = f->result;
	o->ev.source = DETECT_SOURCE_FINDING;
}

void observed_init(struct observed *ret, const char *agent, const char *host, const Picket__Record *record, size_t i,
		   struct arena *a)
{
	*ret = (struct observed){ .ev = { &ops, DETECT_SOURCE_ANY },
				  .agent = agent,
				  .host = host,
				  .record = record,
				  .call = "",
				  .arena = a };
	switch ((int)record->body_case) {
	case PICKET__RECORD__BODY_EVENT:
		init_event(ret, record->event);
		break;
	case PICKET__RECORD__BODY_FINDING:
		init_finding(ret, record->finding);
		break;
	case PICKET__RECORD__BODY_GAP:
		ret->ev.source = DETECT_SOURCE_HEALTH;
		break;
	case PICKET__RECORD__BODY_CONTAINER:
		ret->container = record->container;
		ret->ev.source = DETECT_SOURCE_CONTAINER;
		break;
	case PICKET__RECORD__BODY_AUDIT:
		ret->report = record->audit;
		ret->result = i < record->audit->n_results ? record->audit->results[i] : NULL;
		ret->ev.source = DETECT_SOURCE_AUDIT;
		break;
	default: /* from a newer agent */
		break;
	}
}

void observed_init_made(struct observed *ret, const char *agent, const char *host, const struct observed_made *made,
			struct arena *a)
{
	*ret = (struct observed){ .ev = { &ops, made->source },
				  .agent = agent,
				  .host = host,
				  .made = made,
				  .container = made->container,
				  .call = "",
				  .arena = a };
	picket__record__init(&ret->made_record);
	ret->made_record.time_unix_ns = made->time_unix_ns;
	ret->record = &ret->made_record;
}

int observed_resolve(void *arg, enum detect_source source, struct slice name)
{
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		if (slice_is(name, fields[i].name))
			return may_have(source, fields[i].part) ? (int)i : DETECT_FIELD_NONE;
	}
	return DETECT_FIELD_NONE;
}

const char *observed_field_name(unsigned field)
{
	return field < ARRAY_LEN(fields) ? fields[field].name : "";
}

bool observed_text(const struct observed *o, unsigned field, char dst[OBSERVED_NUMBER_MAX], struct slice *ret)
{
	struct detect_value v;

	if (!get(&o->ev, field, &v, 1))
		return false;
	if (v.kind != DETECT_TEXT)
		snprintf(dst, OBSERVED_NUMBER_MAX, "%" PRId64, v.number);
	*ret = v.kind == DETECT_TEXT ? v.text : slice_of(dst);
	return true;
}
