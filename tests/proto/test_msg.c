/* test_msg.c - what is packed reads back; every limit one below, at and above; hostile bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "common/text.h"
#include "proto/bounds_priv.h"
#include "proto/msg.h"

#define AGENT "11111111-2222-4333-8444-555555555555"
#define NOW   1795463975000000000ULL

static struct arena *arena;

static int setup(void **state)
{
	arena = arena_new(LIMIT_ARENA_BYTES);
	return arena ? 0 : -1;
}

static int teardown(void **state)
{
	arena_free(arena);
	return 0;
}

/* The address of the text `n` long, in the arena. */
static char *text(size_t n)
{
	char *p = arena_alloc(arena, n + 1);

	assert_non_null(p);
	memset(p, 'x', n);
	p[n] = 0;
	return p;
}

static ProtobufCBinaryData bytes(size_t n)
{
	return (ProtobufCBinaryData){n, (uint8_t *)text(n)};
}

static void *element(const ProtobufCMessageDescriptor *d)
{
	void *m = arena_alloc(arena, d->sizeof_message);

	assert_non_null(m);
	protobuf_c_message_init(d, m);
	return m;
}

static void exec_record(Picket__Record *m)
{
	picket__record__init(m);
	m->time_unix_ns = NOW;
	m->body_case = PICKET__RECORD__BODY_EVENT;
	m->event = element(&picket__event__descriptor);
	m->event->type = PICKET__EVENT_TYPE__EVENT_EXEC;
	m->event->process = element(&picket__process__descriptor);
	m->event->process->pid = 4711;
	m->event->process->exe = msg_bytes(SLICE_LIT("/usr/bin/wget"));
	m->event->process->args = msg_bytes(SLICE_LIT("-q\0http://192.0.2.1/\xff\0"));
	m->event->container = element(&picket__container__descriptor);
	m->event->container->id = text(64);
}

static void a_record_comes_back_as_it_was(void **state)
{
	struct buf out;
	struct err err;
	Picket__Record m, *back;

	buf_init(&out, 0);
	exec_record(&m);
	assert_int_equal(msg_pack_record(&m, &out, &err), 0);
	assert_int_equal(msg_read_record(buf_slice(&out), arena, &back, &err), 0);
	assert_int_equal(back->event->process->pid, 4711);
	assert_true(slice_eq(msg_slice(back->event->process->args),
			     SLICE_LIT("-q\0http://192.0.2.1/\xff\0")));
	assert_int_equal(strlen(back->event->container->id), 64);
	buf_fini(&out);
}

/* ---- limits ---- */

/* Sets one field of m to n bytes or elements, whichever it is measured in. */
static void fill(ProtobufCMessage *m, const ProtobufCFieldDescriptor *f, size_t n,
		 size_t bytes_each)
{
	void *at = (char *)m + f->offset;

	if (f->label == PROTOBUF_C_LABEL_REPEATED) {
		size_t *count = (size_t *)(void *)((char *)m + f->quantifier_offset);
		*count = n;
		if (f->type == PROTOBUF_C_TYPE_BYTES) {
			ProtobufCBinaryData *all = arena_zalloc(arena, n + 1, sizeof(*all));
			for (size_t i = 0; i < n; i++)
				all[i] = bytes(bytes_each);
			*(void **)at = all;
			return;
		}
		void **all = arena_zalloc(arena, n + 1, sizeof(*all));
		for (size_t i = 0; i < n; i++)
			all[i] = f->type == PROTOBUF_C_TYPE_STRING ? (void *)text(bytes_each)
								   : element(f->descriptor);
		*(void **)at = all;
	} else if (f->type == PROTOBUF_C_TYPE_STRING) {
		*(char **)at = text(n);
	} else {
		*(ProtobufCBinaryData *)at = bytes(n);
	}
}

static int check(const ProtobufCMessage *m, struct err *err)
{
	size_t n = protobuf_c_message_get_packed_size(m);
	uint8_t *p = malloc(n + 1);

	assert_non_null(p);
	protobuf_c_message_pack(m, p);
	int r = bounds_check(m->descriptor, slice_from(p, n), ERR_CORRUPT, err);
	free(p);
	return r;
}

static void try_field(const ProtobufCMessageDescriptor *d, const ProtobufCFieldDescriptor *f,
		      const struct bound *b)
{
	bool repeated = f->label == PROTOBUF_C_LABEL_REPEATED;
	size_t max = repeated ? b->max_count : b->max_bytes;

	for (size_t n = max - 1; n <= max + 1; n++) {
		struct err err;

		arena_reset(arena);
		ProtobufCMessage *m = element(d);
		fill(m, f, n, 1);
		int want = n > max ? -ERR_CORRUPT : 0;
		if (check(m, &err) != want)
			fail_msg("%s.%s with %zu is not %d", d->short_name, f->name, n, want);
	}
	if (repeated && b->max_bytes) {
		arena_reset(arena);
		ProtobufCMessage *m = element(d);
		fill(m, f, 1, b->max_bytes);
		assert_int_equal(check(m, NULL), 0);
		fill(m, f, 1, b->max_bytes + 1);
		assert_int_equal(check(m, NULL), -ERR_CORRUPT);
	}
}

static unsigned try_message(const ProtobufCMessageDescriptor *d)
{
	unsigned tried = 0;

	for (unsigned i = 0; i < d->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &d->fields[i];
		bool sized = f->type == PROTOBUF_C_TYPE_STRING ||
			     f->type == PROTOBUF_C_TYPE_BYTES ||
			     f->label == PROTOBUF_C_LABEL_REPEATED;

		if (sized) {
			const struct bound *b = bounds_find(d, f);
			if (!b)
				fail_msg("%s.%s has no row in bounds.c", d->short_name, f->name);
			try_field(d, f, b);
			tried++;
		}
		if (f->type == PROTOBUF_C_TYPE_MESSAGE)
			tried += try_message(f->descriptor);
	}
	return tried;
}

static void every_sized_field_has_a_bound_and_keeps_it(void **state)
{
	unsigned tried = try_message(&picket__request__descriptor);

	tried += try_message(&picket__reply__descriptor);
	tried += try_message(&picket__record__descriptor);
	tried += try_message(&picket__token__descriptor);
	tried += try_message(&picket__inventory__descriptor);
	assert_in_range(tried, 50, 400);
}

/* A finding with five fields; the last value is `last` bytes. */
static void large_record(Picket__Record *m, size_t last)
{
	enum { FIELDS = 5, FULL = 16000 };
	Picket__Finding *f = element(&picket__finding__descriptor);

	picket__record__init(m);
	m->time_unix_ns = NOW;
	m->body_case = PICKET__RECORD__BODY_FINDING;
	m->finding = f;
	f->rule = text(4);
	f->priority = text(8);
	f->n_fields = FIELDS;
	f->fields = arena_zalloc(arena, FIELDS, sizeof(*f->fields));
	for (unsigned i = 0; i < FIELDS; i++) {
		f->fields[i] = element(&picket__finding__fields_entry__descriptor);
		f->fields[i]->key = text(i + 1);
		f->fields[i]->value = bytes(i + 1 < FIELDS ? FULL : last);
	}
}

static void a_record_is_at_most_64_kib(void **state)
{
	struct buf out;
	Picket__Record m, *back;
	size_t last = 1000;

	buf_init(&out, 0);
	large_record(&m, last);
	last += LIMIT_RECORD_BYTES - picket__record__get_packed_size(&m);
	large_record(&m, last);
	assert_int_equal(msg_pack_record(&m, &out, NULL), 0);
	assert_int_equal(out.n, LIMIT_RECORD_BYTES);
	assert_int_equal(msg_read_record(buf_slice(&out), arena, &back, NULL), 0);
	buf_reset(&out);
	large_record(&m, last + 1);
	assert_int_equal(msg_pack_record(&m, &out, NULL), -ERR_LIMIT);
	assert_int_equal(out.n, 0);
	buf_fini(&out);
}

/* ---- meaning ---- */

static void wrong_records_are_refused_by_name(void **state)
{
	static const struct {
		uint64_t time, from, to;
		int type;
		const char *want; /* NULL: accepted */
	} cases[] = {
		{NOW, 0, 0, 1, NULL},
		{1, 0, 0, 1, NULL},
		{0, 0, 0, 1, "Record.time_unix_ns"},
		{LIMIT_UNIX_NS, 0, 0, 1, NULL},
		{LIMIT_UNIX_NS + 1, 0, 0, 1, "Record.time_unix_ns"},
		{NOW, 0, 0, -1, "Event.type"},
		{NOW, 0, 0, 255, NULL},
		{NOW, 0, 0, 256, "Event.type"},
		{NOW, 5, 6, 1, NULL},
		{NOW, 6, 6, 1, NULL},
		{NOW, 7, 6, 1, "Gap: ends before"},
		{NOW, 7, LIMIT_UNIX_NS + 1, 1, "Gap.to_unix_ns"},
		{NOW, 1, 2, 300, "Gap.loss_class"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t packed[4096];
		struct err err = {0};
		Picket__Record m, *back;

		arena_reset(arena);
		exec_record(&m);
		m.time_unix_ns = cases[i].time;
		m.event->type = (Picket__EventType)cases[i].type;
		if (cases[i].to) {
			m.body_case = PICKET__RECORD__BODY_GAP;
			m.gap = element(&picket__gap__descriptor);
			m.gap->from_unix_ns = cases[i].from;
			m.gap->to_unix_ns = cases[i].to;
			m.gap->loss_class = (Picket__LossClass)cases[i].type;
		}
		size_t n = picket__record__pack(&m, packed);
		int r = msg_read_record(slice_from(packed, n), arena, &back, &err);
		if ((r == 0) != !cases[i].want ||
		    (cases[i].want && !strstr(err.msg, cases[i].want)))
			fail_msg("case %zu: %d %s", i, r, err.msg);
	}
}

/* An address has 4 or 16 bytes, a port 16 bits, and no finding stands for more than can be summed. */
static void wrong_calls_are_refused_by_name(void **state)
{
	static const struct {
		size_t local, remote;
		uint32_t port;
		uint64_t count, first;
		const char *want;
	} cases[] = {
		{0, 0, 0, 0, 0, NULL},
		{4, 16, UINT16_MAX, 1, NOW, NULL},
		{5, 0, 0, 0, 0, "Network.local_address"},
		{0, 15, 0, 0, 0, "Network.remote_address"},
		{4, 4, UINT16_MAX + 1, 0, 0, "no port"},
		{0, 0, 0, LIMIT_FINDING_COUNT, 0, NULL},
		{0, 0, 0, LIMIT_FINDING_COUNT + 1, 0, "Finding.count"},
		{0, 0, 0, 2, LIMIT_UNIX_NS + 1, "Finding.first_unix_ns"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t packed[4096];
		struct err err = {0};
		Picket__Record m, *back;

		arena_reset(arena);
		picket__record__init(&m);
		m.time_unix_ns = NOW;
		m.body_case = PICKET__RECORD__BODY_FINDING;
		m.finding = element(&picket__finding__descriptor);
		m.finding->rule = text(3);
		m.finding->count = cases[i].count;
		m.finding->first_unix_ns = cases[i].first;
		m.finding->network = element(&picket__network__descriptor);
		m.finding->network->local_address = bytes(cases[i].local);
		m.finding->network->remote_address = bytes(cases[i].remote);
		m.finding->network->remote_port = cases[i].port;
		size_t n = picket__record__pack(&m, packed);
		int r = msg_read_record(slice_from(packed, n), arena, &back, &err);
		if ((r == 0) != !cases[i].want ||
		    (cases[i].want && !strstr(err.msg, cases[i].want)))
			fail_msg("case %zu: %d %s", i, r, err.msg);
	}
}

static void an_enum_of_a_newer_agent_reads_as_none(void **state)
{
	struct buf out;
	Picket__Record m, *back;

	buf_init(&out, 0);
	exec_record(&m);
	m.event->type = (Picket__EventType)77;
	assert_int_equal(msg_pack_record(&m, &out, NULL), 0);
	assert_int_equal(msg_read_record(buf_slice(&out), arena, &back, NULL), 0);
	assert_int_equal(back->event->type, PICKET__EVENT_TYPE__EVENT_NONE);
	buf_fini(&out);
}

static void a_batch_packs_as_protobuf_would(void **state)
{
	static const struct slice records[] = {{"one", 3}, {"two\0x", 5}};
	struct buf out;
	struct err err;
	Picket__Request *m;

	buf_init(&out, 0);
	assert_int_equal(msg_pack_batch(AGENT, 7, 1ULL << 40, 300, records, 2, &out, &err), 0);
	assert_int_equal(msg_read_request(buf_slice(&out), arena, &m, &err), 0);
	assert_string_equal(m->agent_id, AGENT);
	assert_int_equal(m->protocol, PROTO_VERSION);
	assert_int_equal(m->batch->epoch, 7);
	assert_int_equal(m->batch->first_seq, 1ULL << 40);
	assert_int_equal(m->batch->lost_before, 300);
	assert_int_equal(m->batch->n_records, 2);
	assert_true(slice_eq(msg_slice(m->batch->records[1]), records[1]));
	buf_fini(&out);
}

static void wrong_batches_are_refused(void **state)
{
	static const struct {
		uint64_t epoch, first, lost;
		size_t count, each;
		int want;
	} cases[] = {
		{1, 1, 0, 1, 1, 0},
		{0, 1, 0, 1, 1, -1},
		{1, 0, 0, 1, 1, -1},
		{1, 5, 4, 1, 1, 0},
		{1, 5, 5, 1, 1, -1},
		{1, 1, 0, 0, 1, -1},
		{1, 1, 0, 1, 0, -1},
		{1, UINT64_MAX - 1, 0, 1, 1, 0},
		{1, UINT64_MAX, 0, 1, 1, -1},
		{1, 1, 0, LIMIT_BATCH_RECORDS, 1, 0},
		{1, 1, 0, LIMIT_BATCH_RECORDS + 1, 1, -1},
		{1, 1, 0, 1, LIMIT_RECORD_BYTES, 0},
		{1, 1, 0, 1, LIMIT_RECORD_BYTES + 1, -1},
		{1, 1, 0, 63, LIMIT_RECORD_BYTES, 0},
		{1, 1, 0, 64, LIMIT_RECORD_BYTES, -1}, /* above 4 MiB */
	};
	static uint8_t packed[8 * 1024 * 1024];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		Picket__Request m = PICKET__REQUEST__INIT, *back;
		Picket__Batch b = PICKET__BATCH__INIT;
		struct slice slices[LIMIT_BATCH_RECORDS + 1];
		struct buf out;

		arena_reset(arena);
		m.protocol = PROTO_VERSION;
		m.agent_id = (char *)(uintptr_t)AGENT;
		m.body_case = PICKET__REQUEST__BODY_BATCH;
		m.batch = &b;
		b.epoch = cases[i].epoch;
		b.first_seq = cases[i].first;
		b.lost_before = cases[i].lost;
		b.n_records = cases[i].count;
		b.records = arena_zalloc(arena, cases[i].count + 1, sizeof(*b.records));
		ProtobufCBinaryData one = bytes(cases[i].each);
		for (size_t j = 0; j < cases[i].count; j++) {
			b.records[j] = one;
			slices[j] = msg_slice(one);
		}
		size_t n = picket__request__pack(&m, packed);
		int r = msg_read_request(slice_from(packed, n), arena, &back, NULL);
		buf_init(&out, 0);
		int p = msg_pack_batch(AGENT, b.epoch, b.first_seq, b.lost_before, slices,
				       b.n_records, &out, NULL);
		buf_fini(&out);
		if ((r == 0) != (cases[i].want == 0) || (p == 0) != (cases[i].want == 0))
			fail_msg("case %zu: read %d pack %d", i, r, p);
	}
}

static void only_an_enrolment_may_be_nobodys(void **state)
{
	static const struct {
		bool enrol;
		const char *id;
		int want;
	} cases[] = {
		{true, "", 0},
		{true, AGENT, 0},
		{true, "me", -ERR_CORRUPT},
		{false, AGENT, 0},
		{false, "", -ERR_CORRUPT},
		{false, "11111111-2222-4333-8444-55555555555/", -ERR_CORRUPT},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		Picket__Request m = PICKET__REQUEST__INIT;
		Picket__Enrol e = PICKET__ENROL__INIT;
		Picket__Heartbeat h = PICKET__HEARTBEAT__INIT;
		struct buf out;

		m.protocol = PROTO_VERSION;
		m.agent_id = (char *)(uintptr_t)cases[i].id;
		m.body_case = PICKET__REQUEST__BODY_HEARTBEAT;
		m.heartbeat = &h;
		h.time_unix_ns = NOW;
		if (cases[i].enrol) {
			m.body_case = PICKET__REQUEST__BODY_ENROL;
			m.enrol = &e;
			e.secret = bytes(32);
			e.csr_pem = text(100);
		}
		buf_init(&out, 0);
		assert_int_equal(msg_pack_request(&m, &out, NULL), cases[i].want);
		buf_fini(&out);
	}
}

/* ---- versions ---- */

static struct slice unhex(const char *hex)
{
	static char raw[1024];
	ptrdiff_t n = text_unhex(slice_of(hex), raw, sizeof(raw));

	assert_true(n > 0);
	return slice_from(raw, (size_t)n);
}

/* protocol, then the agent's id, then a heartbeat that holds time 1 */
#define ID_HEX "122431313131313131312d323232322d343333332d383434342d353535353535353535353535"

static void older_and_newer_protocols(void **state)
{
	Picket__Request *m;
	struct err err;

	/* protocol 0 = a field that is missing: older than anything */
	assert_int_equal(msg_read_request(unhex(ID_HEX "2a020801"), arena, &m, &err), -ERR_VERSION);
	assert_int_equal(msg_read_request(unhex("0801" ID_HEX "2a020801"), arena, &m, &err), 0);
	/* protocol 9 with unknown fields 99 (varint) and 100 (bytes) outside and inside */
	assert_int_equal(msg_read_request(unhex("0809" ID_HEX "980605a20603616263"
						"2a08080198060ba20600"),
					  arena, &m, &err),
			 0);
	assert_int_equal(m->protocol, 9);
	assert_int_equal(m->heartbeat->time_unix_ns, 1);
	/* a request body that is not known here */
	assert_int_equal(msg_read_request(unhex("0809" ID_HEX "a2060161"), arena, &m, &err),
			 -ERR_CORRUPT);
	assert_non_null(strstr(err.msg, "body"));
}

static void a_record_with_an_unknown_body_is_fine(void **state)
{
	Picket__Record *m;

	assert_int_equal(msg_read_record(unhex("0901000000000000009a0603616263"), arena, &m, NULL),
			 0);
	assert_int_equal(m->body_case, 0);
	assert_int_equal(m->time_unix_ns, 1);
}

/* ---- hostile bytes ---- */

static void hostile_bytes_are_refused(void **state)
{
	static const struct {
		const char *hex, *why;
	} cases[] = {
		{"09010000000000000012ffffffff0f", "cut short"}, /* 4 GiB of event */
		{"09010000000000000012ffffffffffffffffff01", "cut short"},
		{"090100000000000000120b", "cut short"},
		{"0901000000000000001b1c", "cut short"},   /* a group */
		{"0901000000000000000000", "not a field"}, /* field 0 */
		{"090100000000000000ffffffffffffffffffff01", "not a field"},
		{"0801", "wrong type"}, /* time as varint */
		{"090100000000000000090200000000000000", "more than 1"},
		{"09010000000000000012001200", "more than 1"},
		{"0901000000000000002a030a016100", "not a field"},
		{"0901000000000000002a040a026100", "NUL"},
		{"0901000000000000001a00", "Finding.rule"},
		{"0901000000000000002a00", "Container.id"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		Picket__Record *m;
		struct err err = {0};
		int r = msg_read_record(unhex(cases[i].hex), arena, &m, &err);
		if (r != -ERR_CORRUPT || !strstr(err.msg, cases[i].why))
			fail_msg("case %zu: %d %s", i, r, err.msg);
	}
}

static void a_message_cut_anywhere_never_passes_for_more(void **state)
{
	struct buf out;
	Picket__Record m, *back;

	buf_init(&out, 0);
	exec_record(&m);
	assert_int_equal(msg_pack_record(&m, &out, NULL), 0);
	for (size_t n = 0; n < out.n; n++) {
		/* Its own block, so that the sanitizer sees a read past the end. */
		char *cut = malloc(n ? n : 1);

		assert_non_null(cut);
		memcpy(cut, out.p, n);
		arena_reset(arena);
		int r = msg_read_record(slice_from(cut, n), arena, &back, NULL);
		/* 9 bytes are a record that has a time and no body */
		assert_int_equal(r, n == 9 ? 0 : -ERR_CORRUPT);
		free(cut);
	}
	buf_fini(&out);
}

static void unpacking_stops_at_the_arenas_cap(void **state)
{
	static char packed[64 * 1024];
	struct arena *small = arena_new(64 * 1024);
	Picket__Record *m;

	assert_non_null(small);
	/* unknown fields of two bytes: each costs protobuf-c many times its size */
	for (size_t i = 0; i + 2 < sizeof(packed); i += 3)
		memcpy(packed + i, "\x98\x06\x01", 3);
	assert_int_equal(msg_read_record(slice_from(packed, 21 * 3000), small, &m, NULL),
			 -ERR_LIMIT);
	arena_free(small);
	static char big[LIMIT_MESSAGE_BYTES + 1];
	Picket__Reply *r;
	assert_int_equal(msg_read_reply(slice_from(big, sizeof(big)), arena, &r, NULL), -ERR_LIMIT);
}

/* ---- tokens ---- */

static void a_token_survives_a_person(void **state)
{
	char *url = (char *)(uintptr_t) "tls+tcp://collector.example:7444";
	Picket__Token t = PICKET__TOKEN__INIT, *back;
	struct buf out;
	struct err err;
	char damaged[1024];

	t.enrol_urls = &url;
	t.n_enrol_urls = 1;
	t.ca_sha256 = bytes(32);
	t.secret = bytes(32);
	t.server_name = (char *)(uintptr_t) "collector.example";
	buf_init(&out, 0);
	assert_int_equal(msg_pack_token(&t, &out, &err), 0);
	snprintf(damaged, sizeof(damaged), "  %s\r\n", out.p);
	assert_int_equal(msg_read_token(slice_of(damaged), arena, &back, &err), 0);
	assert_string_equal(back->enrol_urls[0], url);
	/* cut anywhere, it is one clear line */
	for (size_t n = 0; n < out.n; n++)
		assert_int_equal(msg_read_token(slice_from(out.p, n), arena, &back, &err),
				 -ERR_SYNTAX);
	assert_int_equal(msg_read_token(SLICE_LIT("pkt1.$$$"), arena, &back, &err), -ERR_SYNTAX);
	assert_non_null(strstr(err.msg, "character"));
	assert_int_equal(msg_read_token(SLICE_LIT("hello"), arena, &back, &err), -ERR_SYNTAX);
	t.ca_sha256 = bytes(31);
	assert_int_equal(msg_pack_token(&t, &out, &err), -ERR_SYNTAX);
	buf_fini(&out);
}

static void falcos_priorities_map_to_severities(void **state)
{
	assert_string_equal(msg_severity_name(msg_severity(SLICE_LIT("Emergency"))), "critical");
	assert_string_equal(msg_severity_name(msg_severity(SLICE_LIT("ERROR"))), "high");
	assert_string_equal(msg_severity_name(msg_severity(SLICE_LIT("warning"))), "medium");
	assert_string_equal(msg_severity_name(msg_severity(SLICE_LIT("Notice"))), "low");
	assert_string_equal(msg_severity_name(msg_severity(SLICE_LIT("Informational"))), "info");
	assert_string_equal(msg_severity_name(msg_severity(SLICE_LIT("bogus"))), "info");
	assert_string_equal(msg_severity_name((enum msg_severity)99), "unknown");
	assert_string_equal(msg_event_type_name(-3), "unknown");
	assert_int_equal(msg_event_type_parse(SLICE_LIT("container.start")),
			 PICKET__EVENT_TYPE__EVENT_CONTAINER_START);
	assert_int_equal(msg_event_type_parse(SLICE_LIT("unknown")), 0);
	assert_string_equal(msg_loss_class_name(PICKET__LOSS_CLASS__LOSS_VOLUME), "volume");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_record_comes_back_as_it_was),
		TEST(every_sized_field_has_a_bound_and_keeps_it),
		TEST(wrong_calls_are_refused_by_name),
		TEST(a_record_is_at_most_64_kib),
		TEST(wrong_records_are_refused_by_name),
		TEST(an_enum_of_a_newer_agent_reads_as_none),
		TEST(a_batch_packs_as_protobuf_would),
		TEST(wrong_batches_are_refused),
		TEST(only_an_enrolment_may_be_nobodys),
		TEST(older_and_newer_protocols),
		TEST(a_record_with_an_unknown_body_is_fine),
		TEST(hostile_bytes_are_refused),
		TEST(a_message_cut_anywhere_never_passes_for_more),
		TEST(unpacking_stops_at_the_arenas_cap),
		TEST(a_token_survives_a_person),
		TEST(falcos_priorities_map_to_severities),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
