/* test_calls.c - files, connections, calls and responses in the history: found again by each key. */
#include "tests/collector/store/fixture.h"

#include "collector/store/record.h"
#include "collector/store/record_json.h"

#define BYTES(lit) ((ProtobufCBinaryData){ sizeof(lit) - 1, (uint8_t *)(uintptr_t)(lit) })

#define HASH_REST "23456789abcdef0123456789abcdef"
#define HASH_HEX "323334353637383961626364656630313233343536373839616263646566"

struct call {
	int type;
	const char *name;
	int64_t result;
	const char *path, *raw, *target; /* of a file, where one is given */
	ProtobufCBinaryData local, remote;
	uint32_t local_port, remote_port;
	const char *unix_path, *args, *action_rule;
	ProtobufCBinaryData sha256;
};

static const struct call calls[] = {
	/* 1 */ { .type = PICKET__EVENT_TYPE__EVENT_FILE, .name = "openat", .path = "/etc/shadow", .raw = "shadow" },
	/* 2 */ { .type = PICKET__EVENT_TYPE__EVENT_FILE, .name = "open", .path = "/etc/ssh/sshd_config", .result = -13 },
	/* 3 */ { .type = PICKET__EVENT_TYPE__EVENT_FILE, .name = "rename", .path = "/tmp/x", .target = "/etc/passwd" },
	/* 4 */ { .type = PICKET__EVENT_TYPE__EVENT_FILE, .name = "unlinkat", .raw = "../relative/shadow", .result = -2 },
	/* 5 */ { .type = PICKET__EVENT_TYPE__EVENT_NETWORK, .name = "connect", .local = BYTES("\x0a\0\0\7"),
		  .local_port = 43210, .remote = BYTES("\xcb\0\x71\x09"), .remote_port = 443 },
	/* 6 */ { .type = PICKET__EVENT_TYPE__EVENT_NETWORK, .name = "connect",
		  .remote = BYTES("\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\x09"), .remote_port = 80 },
	/* 7 */ { .type = PICKET__EVENT_TYPE__EVENT_NETWORK, .name = "accept4",
		  .local = BYTES("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"), .local_port = 22,
		  .remote = BYTES("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2"), .remote_port = 50000 },
	/* 8 */ { .type = PICKET__EVENT_TYPE__EVENT_NETWORK, .name = "connect", .unix_path = "/run/docker.sock" },
	/* 9 */ { .type = PICKET__EVENT_TYPE__EVENT_CALL, .name = "setns", .args = "fd=3 nstype=CLONE_NEWNS" },
	/* 10 */ { .type = PICKET__EVENT_TYPE__EVENT_ACTION, .name = "", .action_rule = "Shell" },
	/* 11 */ { .type = PICKET__EVENT_TYPE__EVENT_FILE, .name = "openat", .path = "/tmp/\033[2J\nevil" },
	/* 12 */ { .type = PICKET__EVENT_TYPE__EVENT_EXEC, .name = "", .sha256 = BYTES("\xab\xcd" HASH_REST) },
};

static ProtobufCBinaryData text(const char *s)
{
	return msg_bytes(slice_of(s));
}

static int pack(const struct call *c, struct buf *out, struct err *err)
{
	static char kill_word[] = "kill", tcp[] = "tcp";
	Picket__Record rec = PICKET__RECORD__INIT;
	Picket__Event ev = PICKET__EVENT__INIT;
	Picket__Process p = PICKET__PROCESS__INIT;
	Picket__File file = PICKET__FILE__INIT;
	Picket__Network net = PICKET__NETWORK__INIT;
	Picket__Action action = PICKET__ACTION__INIT;

	rec.time_unix_ns = T0;
	rec.body_case = PICKET__RECORD__BODY_EVENT;
	rec.event = &ev;
	ev.type = (Picket__EventType)c->type;
	ev.process = &p;
	p.name = text("sh");
	p.exe_sha256 = c->sha256;
	ev.call = (char *)(uintptr_t)c->name;
	ev.result = c->result;
	ev.args = text(c->args);
	file.path = text(c->path);
	file.raw = text(c->raw);
	file.target = text(c->target);
	if (c->type == PICKET__EVENT_TYPE__EVENT_FILE)
		ev.file = &file;
	net.protocol = tcp;
	net.local_address = c->local;
	net.local_port = c->local_port;
	net.remote_address = c->remote;
	net.remote_port = c->remote_port;
	net.path = text(c->unix_path);
	if (c->type == PICKET__EVENT_TYPE__EVENT_NETWORK)
		ev.network = &net;
	action.kind = kill_word;
	action.rule = (char *)(uintptr_t)(c->action_rule ? c->action_rule : "");
	if (c->action_rule)
		ev.action = &action;
	buf_reset(out);
	return msg_pack_record(&rec, out, err);
}

static int take(void *arg, const struct store_event *e)
{
	*(unsigned *)arg |= 1u << e->seq;
	return 0;
}

static unsigned ask(struct store *s, const char *filter)
{
	char cursor[64] = "", before[64];
	unsigned found = 0;
	struct err err;

	do {
		memcpy(before, cursor, sizeof(before));
		const struct store_query q = { .filter = slice_of(filter), .limit = 100, .cursor = before };
		OK(store_history_query(s, &q, take, &found, cursor, sizeof(cursor), &err));
	} while (cursor[0]);
	return found;
}

#define B(n) (1u << (n))
enum { ALL = 0x1ffe };

static const struct {
	const char *filter;
	unsigned want;
} cases[] = {
	{ "hash=abcd" HASH_HEX, B(12) },
	{ "hash=SHA256:ABCD" HASH_HEX, B(12) },
	{ "hash=sha256=abcd" HASH_HEX " type=exec", B(12) },
	{ "hash=abce" HASH_HEX, 0 },
	{ "hash=abcd", 0 },
	{ "hash=abcd*", B(12) },
	{ "hash~ABCD3233", B(12) },
	{ "abcd32333435", B(12) },
	{ "hash!=abcd" HASH_HEX, ALL & ~B(12) },
	{ "-hash:abcd" HASH_HEX, ALL & ~B(12) },
	{ "type=file", B(1) | B(2) | B(3) | B(4) | B(11) },
	{ "type=network", B(5) | B(6) | B(7) | B(8) },
	{ "type=call", B(9) },
	{ "type=action", B(10) },
	{ "type=openat", B(1) | B(11) },
	{ "type=open", B(2) },
	{ "type=open*", B(1) | B(2) | B(11) },
	{ "type=connect", B(5) | B(6) | B(8) },
	{ "-type=file", ALL & ~(B(1) | B(2) | B(3) | B(4) | B(11)) },
	{ "type!=connect", ALL & ~(B(5) | B(6) | B(8)) },
	{ "call=setns", B(9) },
	{ "call=file", 0 },
	{ "path=/etc/shadow", B(1) },
	{ "path=shadow", B(1) | B(4) },
	{ "path=/etc/", B(1) | B(3) },
	{ "path=/etc", 0 },
	{ "path=/etc/*", B(1) | B(2) | B(3) },
	{ "path=/etc/passwd", B(3) },
	{ "path=../relative/", B(4) },
	{ "path~SSHD", B(2) },
	{ "path~evil", B(11) },
	{ "path=\"\"", ALL & ~(B(1) | B(2) | B(3) | B(4) | B(8) | B(11)) },
	{ "path!=/etc/shadow type=file", B(2) | B(3) | B(4) | B(11) },
	{ "-path~etc type=file", B(4) | B(11) },
	{ "path=/run/docker.sock", B(8) },
	{ "path=docker.sock", B(8) },
	{ "address=203.0.113.9", B(5) },
	{ "address=10.0.0.9", B(6) },
	{ "address=::ffff:10.0.0.9", B(6) },
	{ "address=10.0.0.0/8", B(5) | B(6) },
	{ "address=10.0.0.8/31", B(6) },
	{ "address=2001:DB8:0::1", B(7) },
	{ "address=2001:db8::/32", B(7) },
	{ "address=0.0.0.0/0", B(5) | B(6) },
	{ "address=10.0.0.0/33", 0 },
	{ "address=10.0.0.0/x", 0 },
	{ "address=10.0.*", B(5) | B(6) },
	{ "type=connect -address=203.0.113.9", B(6) | B(8) },
	{ "port=443", B(5) },
	{ "port=22", B(7) },
	{ "port=43210", B(5) },
	{ "port=50000", B(7) },
	{ "port>=1024", B(5) | B(7) },
	{ "port<100", B(6) | B(7) },
	{ "type=network port!=80", B(5) | B(7) | B(8) },
	{ "rule=Shell", B(10) },
	{ "CLONE_NEWNS", B(9) },
	{ "203.0.113", B(5) },
	{ "docker.sock", B(8) },
};

static void ask_all(struct store *s)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		unsigned found = ask(s, cases[i].filter);

		if (found != cases[i].want)
			fail_msg("%s: %x, not %x", cases[i].filter, found, cases[i].want);
	}
}

static void count_fault(void *arg, const char *fault)
{
	print_error("%s\n", fault);
	++*(int *)arg;
}

static void calls_are_found_by_each_key_sealed_or_not(void **state)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct fixture f;
	struct err err;
	uint64_t records;
	int faults = 0;

	(void)state;
	fixture_init(&f);
	fixture_enrol(f.s, "agent-1", "host-1");
	OK(store_begin(f.s, &err));
	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		OK(pack(&calls[i], &b, &err));
		OK(put_packed(f.s, "agent-1", 1, i + 1, buf_slice(&b), &err));
	}
	OK(store_seq_set(f.s, "agent-1", 1, ARRAY_LEN(calls), ARRAY_LEN(calls), 0, &err));
	OK(store_commit(f.s, &err));
	ask_all(f.s);
	clock_fake_advance(&f.clk, 11 * 60 * SECOND_NS);
	OK(store_history_tidy(f.s, &err));
	ask_all(f.s);
	OK(store_verify(f.s, count_fault, &faults, &records, &err));
	assert_int_equal(faults, 0);
	fixture_fini(&f);
}

static void a_port_must_be_a_number(void **state)
{
	const struct store_query q = { .filter = SLICE_LIT("port=http"), .limit = 1 };
	struct fixture f;
	unsigned found;
	char cursor[64];
	struct err err;

	(void)state;
	fixture_init(&f);
	assert_int_equal(store_history_query(f.s, &q, take, &found, cursor, sizeof(cursor), &err), -ERR_SYNTAX);
	assert_non_null(strstr(err.msg, "not a number"));
	fixture_fini(&f);
}

static void an_end_that_is_none_never_reaches_the_history(void **state)
{
	static const struct call bad[] = {
		{ .type = PICKET__EVENT_TYPE__EVENT_NETWORK, .name = "connect", .remote = BYTES("1234567") },
		{ .type = PICKET__EVENT_TYPE__EVENT_NETWORK, .name = "connect", .remote_port = 70000 },
		{ .type = PICKET__EVENT_TYPE__EVENT_NETWORK, .name = "connect", .local = BYTES("12345678901234567") },
	};
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_true(pack(&bad[i], &b, &err) < 0);
}

static void count_term(void *arg, uint64_t term)
{
	(void)term;
	++*(size_t *)arg;
}

/* What the tables of a block are made for. */
static void no_record_has_more_terms_than_there_is_room_for(void **state)
{
	static char call[] = "c", id[] = "0123456789abcdef", rule[] = "r";
	Picket__Record rec = PICKET__RECORD__INIT;
	Picket__Event ev = PICKET__EVENT__INIT;
	Picket__Process p = PICKET__PROCESS__INIT;
	Picket__Ancestor parent = PICKET__ANCESTOR__INIT, *parents[] = { &parent };
	Picket__Container c = PICKET__CONTAINER__INIT;
	Picket__File file = PICKET__FILE__INIT;
	Picket__Network net = PICKET__NETWORK__INIT;
	Picket__Action action = PICKET__ACTION__INIT;

	(void)state;
	rec.body_case = PICKET__RECORD__BODY_EVENT;
	rec.event = &ev;
	ev.process = &p;
	ev.container = &c;
	ev.action = &action;
	ev.network = &net;
	ev.call = call;
	action.rule = rule;
	p.name = p.exe = p.user = c.name = c.image = parent.name = text("n");
	c.id = id;
	p.n_ancestors = 1;
	p.ancestors = parents;
	p.exe_sha256 = (ProtobufCBinaryData){ 32, (uint8_t *)(uintptr_t)"0123456789abcdef0123456789abcdef" };
	file.path = file.raw = file.target = net.path = text("/a/b");
	net.local_address = net.remote_address = BYTES("\x0a\0\0\7");
	net.local_port = net.remote_port = 80;
	for (int with_file = 0; with_file < 2; with_file++) {
		size_t count = 0;

		ev.file = with_file ? &file : NULL;
		record_terms("agent", &rec, count_term, &count);
		assert_true(count <= RECORD_TERMS_MAX);
		assert_int_equal(count, with_file ? 19 : RECORD_TERMS_MAX);
	}
}

static void flags_and_results_are_said_as_programmers_do(void **state)
{
	static const struct {
		const char *call;
		uint32_t flags;
		int64_t result;
		const char *json;
	} texts[] = {
		{ "openat", 0, 3, "\"result\":3,\"file\":{\"path\":\"/x\",\"raw\":\"\",\"flags\":\"O_RDONLY\"}" },
		{ "openat", 02000002 | 0100, -2, "\"result\":\"ENOENT\"" },
		{ "openat", 02000002 | 0100, -2, "\"flags\":\"O_RDWR|O_CREAT|O_CLOEXEC\"" },
		{ "openat", 020200001, 3, "\"flags\":\"O_WRONLY|O_TMPFILE\"" },
		{ "openat", 0x80000000, 3, "\"flags\":\"O_RDONLY|0x80000000\"" },
		{ "openat", 3, 3, "\"flags\":\"O_ACCMODE\"" },
		{ "openat", 0, -100000, "\"result\":-100000" },
		{ "openat", 0, INT64_MIN, "\"result\":-9223372036854775808" },
		{ "unlink", 0, 0, "\"file\":{\"path\":\"/x\",\"raw\":\"\"}" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		CLEANUP(buf_finip) struct buf out = { 0 };
		Picket__File file = PICKET__FILE__INIT;
		const struct record_json_deed deed = { .call = texts[i].call, .result = texts[i].result, .file = &file };
		struct json j;

		file.path = text("/x");
		file.open_flags = texts[i].flags;
		buf_init(&out, 0);
		json_init(&j, &out);
		json_object_open(&j);
		record_json_deed(&j, &deed);
		json_object_close(&j);
		if (!strstr(out.p, texts[i].json))
			fail_msg("%s: no %s", out.p, texts[i].json);
	}
}

static void put_gap(struct store *s, const char *agent, uint64_t seq, int class, uint64_t lost, uint64_t at)
{
	static char reason[] = "ring_full";
	CLEANUP(buf_finip) struct buf b = { 0 };
	Picket__Record rec = PICKET__RECORD__INIT;
	Picket__Gap gap = PICKET__GAP__INIT;
	struct err err;

	gap.loss_class = (Picket__LossClass)class;
	gap.lost = lost;
	gap.from_unix_ns = gap.to_unix_ns = rec.time_unix_ns = at;
	gap.reason = reason;
	rec.body_case = PICKET__RECORD__BODY_GAP;
	rec.gap = &gap;
	buf_init(&b, 0);
	OK(msg_pack_record(&rec, &b, &err));
	OK(put_packed(s, agent, 1, seq, buf_slice(&b), &err));
}

static void what_was_lost_is_told_whatever_else_is_asked(void **state)
{
	static const struct {
		const char *filter;
		uint64_t process, volume;
	} asked[] = {
		{ "", 5, 1007 },
		{ "path=/etc/shadow type=openat \"words\"", 5, 1007 },
		{ "host=host-1 container=web", 5, 7 },
		{ "host=host-2", 0, 1000 },
		{ "-host=host-2", 5, 7 },
		{ "host=nobody", 0, 0 },
		{ "since=2026-11-23T02:13:25Z", 0, 1000 },
		{ "host=host-1 until=2026-11-23T02:13:21Z process=sh", 5, 0 },
	};
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct store_lost lost;
	struct fixture f;
	struct err err;

	(void)state;
	fixture_init(&f);
	fixture_enrol(f.s, "agent-1", "host-1");
	fixture_enrol(f.s, "agent-2", "host-2");
	OK(store_begin(f.s, &err));
	put_gap(f.s, "agent-1", 1, PICKET__LOSS_CLASS__LOSS_PROCESS, 5, T0);
	OK(pack(&calls[0], &b, &err));
	OK(put_packed(f.s, "agent-1", 1, 2, buf_slice(&b), &err));
	put_gap(f.s, "agent-1", 3, PICKET__LOSS_CLASS__LOSS_VOLUME, 7, T0 + 2 * SECOND_NS);
	put_gap(f.s, "agent-2", 1, PICKET__LOSS_CLASS__LOSS_VOLUME, 1000, T0 + 60 * SECOND_NS);
	OK(store_commit(f.s, &err));
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
			const struct store_query q = { .filter = slice_of(asked[i].filter), .limit = 1 };

			OK(store_history_lost(f.s, &q, &lost, &err));
			if (lost.process != asked[i].process || lost.volume != asked[i].volume || lost.is_partial)
				fail_msg("%s: %llu process, %llu volume", asked[i].filter,
					 (unsigned long long)lost.process, (unsigned long long)lost.volume);
		}
		clock_fake_advance(&f.clk, 11 * 60 * SECOND_NS);
		OK(store_history_tidy(f.s, &err));
	}
	fixture_fini(&f);
}

enum { CHANCE_RECORDS = 1500 };

static int take_one(void *arg, const struct store_event *e)
{
	((uint8_t *)arg)[e->seq]++;
	return 0;
}

static void mark(struct store *s, const char *filter, uint8_t seen[CHANCE_RECORDS + 1])
{
	char cursor[64] = "", before[64];
	struct err err;

	memset(seen, 0, CHANCE_RECORDS + 1);
	do {
		memcpy(before, cursor, sizeof(before));
		const struct store_query q = { .filter = slice_of(filter), .limit = 1000, .cursor = before };
		OK(store_history_query(s, &q, take_one, seen, cursor, sizeof(cursor), &err));
	} while (cursor[0]);
}

static const char *pick(const char *const *list, size_t count, unsigned *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return list[(*seed >> 16) % count];
}
#define PICK(list, seed) pick(list, ARRAY_LEN(list), seed)

static const char *const chance_paths[] = { "", "/", "//", "/a", "/a/", "/a/b", "a", "a b", "/a/ b", "/A/B", "/a/b*", "./a",
					    "/a/b/c.so", "/a/\xff\xfe", "/a//b", "/etc/shadow" };
static const char *const chance_addresses[] = { "", "\x0a\1\1\1", "\x0a\1\1\2", "\x7f\1\1\1" };
static const char *const chance_calls[] = { "openat", "open", "connect", "rename", "" };
static const uint32_t chance_ports[] = { 0, 1, 80, 32767, 32768, 65535 };

static void put_by_chance(struct store *s)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	unsigned seed = 7;
	struct err err;

	for (unsigned i = 1; i <= CHANCE_RECORDS; i++) {
		/* Most alike, so that blocks differ. */
		bool is_rare = i % 97 == 0;
		struct call c = { .type = PICKET__EVENT_TYPE__EVENT_FILE, .name = "stat", .path = "/same/path" };

		if (is_rare) {
			c.name = PICK(chance_calls, &seed);
			c.type = seed >> 20 & 1 ? PICKET__EVENT_TYPE__EVENT_FILE : PICKET__EVENT_TYPE__EVENT_NETWORK;
			c.path = PICK(chance_paths, &seed);
			c.raw = PICK(chance_paths, &seed);
			c.target = PICK(chance_paths, &seed);
			c.unix_path = PICK(chance_paths, &seed);
			c.local = text(PICK(chance_addresses, &seed));
			c.remote = text(PICK(chance_addresses, &seed));
			c.local_port = chance_ports[(seed >> 8) % ARRAY_LEN(chance_ports)];
			c.remote_port = chance_ports[(seed >> 12) % ARRAY_LEN(chance_ports)];
		}
		if (i % 50 == 1)
			OK(store_begin(s, &err));
		OK(pack(&c, &b, &err));
		OK(put_packed(s, "agent-1", 1, i, buf_slice(&b), &err));
		if (i % 50 == 0) {
			OK(store_seq_set(s, "agent-1", 1, i, 50, 0, &err));
			OK(store_commit(s, &err));
		}
	}
}

/* Where a term is negated, neither the index nor the look at the packed bytes is used: each record is
 * judged. So what a filter finds must be what its negation does not. */
static void expect_complement(struct store *s, const char *filter)
{
	static uint8_t found[CHANCE_RECORDS + 1], rest[CHANCE_RECORDS + 1];
	char negated[128];

	snprintf(negated, sizeof(negated), "-%s", filter);
	mark(s, filter, found);
	mark(s, negated, rest);
	for (unsigned i = 1; i <= CHANCE_RECORDS; i++)
		if (found[i] + rest[i] != 1)
			fail_msg("%s: record %u is found %u times, by its negation %u times", filter, i, found[i], rest[i]);
}

static void the_index_finds_what_looking_at_each_record_finds(void **state)
{
	static const char *const keys[] = { "path=", "path:", "path~", "path!=", "" };
	static const char *const others[] = { "address=10.1.1.1", "address=::ffff:10.1.1.1", "address=10.1.1.0/31",
					      "address=\"\"", "address=10.1.*", "address~1.1", "port=0", "port=80", "port=080",
					      "port=32767", "port=32768", "port=65535", "port>=80", "type=file",
					      "type=openat", "type=\"open*\"", "type=network", "call=open", "call~OPEN",
					      "call=\"\"", "process=sh", "rule=x" };
	struct fixture f;
	char filter[96];
	struct err err;

	(void)state;
	fixture_init(&f);
	fixture_enrol(f.s, "agent-1", "host-1");
	put_by_chance(f.s);
	for (unsigned round = 0; round < 2; round++) {
		for (size_t i = 0; i < ARRAY_LEN(chance_paths); i++)
			for (size_t k = 0; k < ARRAY_LEN(keys); k++) {
				/* the filter language has no words for other bytes */
				if (strchr(chance_paths[i], (char)0xff))
					continue;
				snprintf(filter, sizeof(filter), "%s\"%s\"", keys[k], chance_paths[i]);
				if (chance_paths[i][0] || strchr(keys[k], '='))
					expect_complement(f.s, filter);
			}
		for (size_t i = 0; i < ARRAY_LEN(others); i++)
			expect_complement(f.s, others[i]);
		clock_fake_advance(&f.clk, 11 * 60 * SECOND_NS);
		OK(store_history_tidy(f.s, &err));
	}
	fixture_fini(&f);
}

/* A record with two bodies is the last one; its first bytes look like a gap's. */
static void a_call_named_gap_is_no_loss(void **state)
{
	static char gap_word[] = "gap";
	CLEANUP(buf_finip) struct buf b = { 0 }, packed = { 0 };
	Picket__Record rec = PICKET__RECORD__INIT;
	Picket__Event ev = PICKET__EVENT__INIT;
	Picket__Process p = PICKET__PROCESS__INIT;
	const struct store_query q = { .limit = 1 };
	struct store_lost lost;
	struct fixture f;
	struct err err;

	(void)state;
	fixture_init(&f);
	fixture_enrol(f.s, "agent-1", "host-1");
	rec.time_unix_ns = T0;
	rec.body_case = PICKET__RECORD__BODY_EVENT;
	rec.event = &ev;
	ev.type = PICKET__EVENT_TYPE__EVENT_CALL;
	ev.call = gap_word;
	ev.process = &p;
	buf_init(&packed, 0);
	buf_init(&b, 0);
	OK(msg_pack_record(&rec, &packed, &err));
	buf_add(&b, packed.p, 9);
	buf_add(&b, "\x22\x00", 2); /* an empty gap */
	buf_add(&b, packed.p + 9, packed.n - 9);
	OK(store_begin(f.s, &err));
	OK(put_packed(f.s, "agent-1", 1, 1, buf_slice(&b), &err));
	OK(store_commit(f.s, &err));
	OK(store_history_lost(f.s, &q, &lost, &err));
	assert_int_equal(lost.process + lost.rare + lost.volume + lost.other, 0);
	fixture_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_are_found_by_each_key_sealed_or_not),
		cmocka_unit_test(what_was_lost_is_told_whatever_else_is_asked),
		cmocka_unit_test(the_index_finds_what_looking_at_each_record_finds),
		cmocka_unit_test(a_call_named_gap_is_no_loss),
		cmocka_unit_test(a_port_must_be_a_number),
		cmocka_unit_test(an_end_that_is_none_never_reaches_the_history),
		cmocka_unit_test(no_record_has_more_terms_than_there_is_room_for),
		cmocka_unit_test(flags_and_results_are_said_as_programmers_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
