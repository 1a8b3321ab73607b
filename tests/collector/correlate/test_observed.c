/* observed: records of agents as events that Sigma rules judge. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>

#include "collector/correlate/observed.h"

#define BYTES(s) { sizeof(s) - 1, (uint8_t *)(uintptr_t)(s) }

/* A shell of nginx in a container, and what one of its events is made of. */
struct stage {
	Picket__Ancestor parent, grandparent, *ancestors[2];
	Picket__Process process;
	Picket__Container container;
	Picket__File file;
	Picket__Network network;
	Picket__Event event;
	Picket__Record record;
	struct arena *arena;
	struct observed o;
};

static struct stage *stage_new(Picket__EventType type, const char *call)
{
	struct stage *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	s->arena = arena_new(OBSERVED_ARENA_BYTES);
	s->parent = (Picket__Ancestor)PICKET__ANCESTOR__INIT;
	s->parent.pid = 40;
	s->parent.name = (ProtobufCBinaryData)BYTES("nginx");
	s->parent.exe = (ProtobufCBinaryData)BYTES("/usr/sbin/nginx");
	s->parent.cmdline = (ProtobufCBinaryData)BYTES("nginx -g daemon off;");
	s->grandparent = (Picket__Ancestor)PICKET__ANCESTOR__INIT;
	s->grandparent.exe = (ProtobufCBinaryData)BYTES("/usr/bin/tini");
	s->ancestors[0] = &s->parent;
	s->ancestors[1] = &s->grandparent;
	s->process = (Picket__Process)PICKET__PROCESS__INIT;
	s->process.pid = 42;
	s->process.ppid = 40;
	s->process.name = (ProtobufCBinaryData)BYTES("sh");
	s->process.exe = (ProtobufCBinaryData)BYTES("/usr/bin/dash");
	s->process.argv0 = (ProtobufCBinaryData)BYTES("/bin/sh");
	s->process.args = (ProtobufCBinaryData)BYTES("-c\0id; cat /etc/shadow\0");
	s->process.uid = 33;
	s->process.login_uid = UINT32_MAX;
	s->process.cap_effective = 0x3f;
	s->process.ancestors = s->ancestors;
	s->process.n_ancestors = 2;
	s->container = (Picket__Container)PICKET__CONTAINER__INIT;
	s->container.id = (char *)(uintptr_t)"0123456789ab";
	s->container.image = (ProtobufCBinaryData)BYTES("nginx:1.27");
	s->file = (Picket__File)PICKET__FILE__INIT;
	s->file.path = (ProtobufCBinaryData)BYTES("/etc/cron.d/x");
	s->network = (Picket__Network)PICKET__NETWORK__INIT;
	s->network.protocol = (char *)(uintptr_t)"tcp";
	s->network.local_address = (ProtobufCBinaryData)BYTES("\x0a\0\0\x01");
	s->network.local_port = 40000;
	s->network.remote_address = (ProtobufCBinaryData)BYTES("\0\0\0\0\0\0\0\0\0\0\xff\xff\xcb\0\x71\x09");
	s->network.remote_port = 4444;
	s->event = (Picket__Event)PICKET__EVENT__INIT;
	s->event.type = type;
	s->event.call = (char *)(uintptr_t)call;
	s->event.process = &s->process;
	s->event.container = &s->container;
	if (type == PICKET__EVENT_TYPE__EVENT_FILE)
		s->event.file = &s->file;
	if (type == PICKET__EVENT_TYPE__EVENT_NETWORK)
		s->event.network = &s->network;
	s->record = (Picket__Record)PICKET__RECORD__INIT;
	s->record.time_unix_ns = 1800000000000000000;
	s->record.body_case = PICKET__RECORD__BODY_EVENT;
	s->record.event = &s->event;
	return s;
}

static void stage_free(struct stage *s)
{
	arena_free(s->arena);
	free(s);
}
DEFINE_CLEANUP(struct stage, stage_free)

static void stage_look(struct stage *s)
{
	observed_init(&s->o, "agent-1", "web-1", &s->record, 0, s->arena);
}

/* The field's values, joined by commas; "-" where there are none. */
static const char *value(struct stage *s, const char *name)
{
	static char out[512];
	struct detect_value v[DETECT_VALUES_MAX];
	int field = observed_resolve(NULL, DETECT_SOURCE_ANY, slice_of(name));
	size_t at = 0;

	assert_true(field >= 0);
	assert_string_equal(observed_field_name((unsigned)field), name);
	size_t n = s->o.ev.ops->get(&s->o.ev, (unsigned)field, v, DETECT_VALUES_MAX);
	snprintf(out, sizeof(out), "%s", n ? "" : "-");
	for (size_t i = 0; i < n; i++)
		at += (size_t)(v[i].kind == DETECT_TEXT ?
				       snprintf(out + at, sizeof(out) - at, "%s%.*s", i ? "," : "", SLICE_FMT(v[i].text)) :
				       snprintf(out + at, sizeof(out) - at, "%s%lld", i ? "," : "", (long long)v[i].number));
	return out;
}

static void records_are_of_a_kind(void **state)
{
	static const struct {
		Picket__EventType type;
		const char *call;
		int64_t result;
		uint32_t flags;
		enum detect_source source;
	} rows[] = {
		{ PICKET__EVENT_TYPE__EVENT_EXEC, "", 0, 0, DETECT_SOURCE_PROCESS },
		{ PICKET__EVENT_TYPE__EVENT_EXIT, "", 0, 0, DETECT_SOURCE_EXIT },
		{ PICKET__EVENT_TYPE__EVENT_FORK, "clone", 0, 0, DETECT_SOURCE_CALL },
		{ PICKET__EVENT_TYPE__EVENT_FILE, "openat", 3, O_RDONLY | O_CLOEXEC, DETECT_SOURCE_FILE_ACCESS },
		{ PICKET__EVENT_TYPE__EVENT_FILE, "openat", 3, O_WRONLY, DETECT_SOURCE_FILE },
		{ PICKET__EVENT_TYPE__EVENT_FILE, "open", 3, O_RDWR, DETECT_SOURCE_FILE },
		{ PICKET__EVENT_TYPE__EVENT_FILE, "openat", 3, O_RDONLY | O_CREAT, DETECT_SOURCE_FILE },
		{ PICKET__EVENT_TYPE__EVENT_FILE, "openat", -EACCES, O_WRONLY, DETECT_SOURCE_CALL },
		{ PICKET__EVENT_TYPE__EVENT_FILE, "renameat2", 0, 0, DETECT_SOURCE_FILE },
		{ PICKET__EVENT_TYPE__EVENT_FILE, "unlinkat", 0, 0, DETECT_SOURCE_FILE_DELETE },
		{ PICKET__EVENT_TYPE__EVENT_FILE, "unlinkat", -ENOENT, 0, DETECT_SOURCE_CALL },
		{ PICKET__EVENT_TYPE__EVENT_FILE, "fchmodat", 0, 0, DETECT_SOURCE_CALL },
		{ PICKET__EVENT_TYPE__EVENT_NETWORK, "connect", 0, 0, DETECT_SOURCE_NETWORK },
		{ PICKET__EVENT_TYPE__EVENT_NETWORK, "connect", -ECONNREFUSED, 0, DETECT_SOURCE_NETWORK },
		{ PICKET__EVENT_TYPE__EVENT_NETWORK, "accept4", 5, 0, DETECT_SOURCE_NETWORK },
		{ PICKET__EVENT_TYPE__EVENT_NETWORK, "accept4", -EAGAIN, 0, DETECT_SOURCE_CALL },
		{ PICKET__EVENT_TYPE__EVENT_NETWORK, "bind", 0, 0, DETECT_SOURCE_CALL },
		{ PICKET__EVENT_TYPE__EVENT_NETWORK, "sendto", 9, 0, DETECT_SOURCE_CALL }, /* tcp */
		{ PICKET__EVENT_TYPE__EVENT_CALL, "ptrace", 0, 0, DETECT_SOURCE_CALL },
		{ PICKET__EVENT_TYPE__EVENT_ACTION, "", 0, 0, DETECT_SOURCE_ACTION },
		{ PICKET__EVENT_TYPE__EVENT_ADMISSION, "", 0, 0, DETECT_SOURCE_ADMISSION },
		{ PICKET__EVENT_TYPE__EVENT_TRAFFIC, "", 0, 0, DETECT_SOURCE_TRAFFIC },
		{ PICKET__EVENT_TYPE__EVENT_CONTAINER_START, "", 0, 0, DETECT_SOURCE_CONTAINER },
		{ (Picket__EventType)4711, "", 0, 0, DETECT_SOURCE_ANY },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(stage_freep) struct stage *s = stage_new(rows[i].type, rows[i].call);

		s->event.result = rows[i].result;
		s->file.open_flags = rows[i].flags;
		stage_look(s);
		if (s->o.ev.source != rows[i].source)
			fail_msg("%zu %s: %s", i, rows[i].call, detect_source_name(s->o.ev.source));
	}
	CLEANUP(stage_freep) struct stage *s = stage_new(PICKET__EVENT_TYPE__EVENT_NETWORK, "sendto");
	s->network.protocol = (char *)(uintptr_t)"udp";
	stage_look(s);
	assert_int_equal(s->o.ev.source, DETECT_SOURCE_NETWORK);
	s->record.body_case = PICKET__RECORD__BODY__NOT_SET;
	s->record.event = NULL;
	stage_look(s);
	assert_int_equal(s->o.ev.source, DETECT_SOURCE_ANY);
	assert_int_equal(observed_count(&s->record), 1);
	assert_string_equal(value(s, "host"), "web-1");
	assert_string_equal(value(s, "process.exe"), "-");
}

static void a_process_has_its_fields(void **state)
{
	CLEANUP(stage_freep) struct stage *s = stage_new(PICKET__EVENT_TYPE__EVENT_EXEC, "");

	stage_look(s);
	assert_string_equal(value(s, "type"), "exec");
	assert_string_equal(value(s, "agent"), "agent-1");
	assert_string_equal(value(s, "time"), "1800000000000000000");
	assert_string_equal(value(s, "process.pid"), "42");
	assert_string_equal(value(s, "process.cmdline"), "sh -c id; cat /etc/shadow");
	assert_string_equal(value(s, "process.command_line"), "/bin/sh -c id; cat /etc/shadow");
	assert_string_equal(value(s, "process.user"), "33");
	assert_string_equal(value(s, "process.login_uid"), "-");
	assert_string_equal(value(s, "process.cwd"), "-");
	assert_string_equal(value(s, "process.cap_effective"), "0x3f");
	assert_string_equal(value(s, "process.exe_writable"), "false");
	assert_string_equal(value(s, "process.parent.exe"), "/usr/sbin/nginx");
	assert_string_equal(value(s, "process.grandparent.exe"), "/usr/bin/tini");
	assert_string_equal(value(s, "process.ancestors.exe"), "/usr/sbin/nginx,/usr/bin/tini");
	assert_string_equal(value(s, "process.ancestors.name"), "nginx");
	assert_string_equal(value(s, "container.id"), "0123456789ab");
	assert_string_equal(value(s, "container.privileged"), "-");
	assert_string_equal(value(s, "file.path"), "-");
	assert_string_equal(value(s, "call"), "-");
	s->process.user = (ProtobufCBinaryData)BYTES("www-data");
	s->process.argv0 = (ProtobufCBinaryData){ 0 };
	s->process.args = (ProtobufCBinaryData){ 0 };
	s->process.n_ancestors = 0;
	s->container.id = (char *)(uintptr_t)"";
	stage_look(s);
	assert_string_equal(value(s, "process.user"), "www-data");
	assert_string_equal(value(s, "process.command_line"), "sh");
	assert_string_equal(value(s, "process.parent.exe"), "-");
	assert_string_equal(value(s, "process.ancestors.exe"), "-");
	assert_string_equal(value(s, "container.id"), "-");
	assert_string_equal(value(s, "container.image"), "-");
}

static void both_ends_are_told_apart(void **state)
{
	CLEANUP(stage_freep) struct stage *s = stage_new(PICKET__EVENT_TYPE__EVENT_NETWORK, "connect");

	s->event.result = -EINPROGRESS;
	stage_look(s);
	assert_string_equal(value(s, "network.destination_address"), "203.0.113.9");
	assert_string_equal(value(s, "network.destination_port"), "4444");
	assert_string_equal(value(s, "network.destination_is_ipv6"), "false");
	assert_string_equal(value(s, "network.source_address"), "10.0.0.1");
	assert_string_equal(value(s, "network.source_port"), "40000");
	assert_string_equal(value(s, "network.initiated"), "true");
	assert_string_equal(value(s, "network.remote_address"), "203.0.113.9");
	assert_string_equal(value(s, "result"), "-115");
	s->event.call = (char *)(uintptr_t)"accept";
	s->event.result = 7;
	stage_look(s);
	assert_string_equal(value(s, "network.source_address"), "203.0.113.9");
	assert_string_equal(value(s, "network.destination_port"), "40000");
	assert_string_equal(value(s, "network.initiated"), "false");
	s->network.remote_address = (ProtobufCBinaryData)BYTES("\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\x01");
	s->network.local_address = (ProtobufCBinaryData){ 0 };
	stage_look(s);
	assert_string_equal(value(s, "network.source_address"), "fe80::1");
	assert_string_equal(value(s, "network.source_is_ipv6"), "true");
	assert_string_equal(value(s, "network.destination_address"), "-");
	assert_string_equal(value(s, "network.destination_port"), "-");
	assert_string_equal(value(s, "network.destination_is_ipv6"), "-");
}

static void a_file_is_where_the_call_left_it(void **state)
{
	CLEANUP(stage_freep) struct stage *s = stage_new(PICKET__EVENT_TYPE__EVENT_FILE, "rename");

	stage_look(s);
	assert_string_equal(value(s, "file.final_path"), "/etc/cron.d/x");
	s->file.target = (ProtobufCBinaryData)BYTES("/etc/cron.d/y");
	stage_look(s);
	assert_string_equal(value(s, "file.final_path"), "/etc/cron.d/y");
	s->file.target = s->file.path = (ProtobufCBinaryData){ 0 };
	s->file.raw = (ProtobufCBinaryData)BYTES("../x");
	stage_look(s);
	assert_string_equal(value(s, "file.final_path"), "../x");
}

static void reports_are_an_event_a_result(void **state)
{
	Picket__AuditResult one = PICKET__AUDIT_RESULT__INIT, two = PICKET__AUDIT_RESULT__INIT, *results[] = { &one, &two };
	Picket__AuditReport report = PICKET__AUDIT_REPORT__INIT;
	CLEANUP(stage_freep) struct stage *s = stage_new(PICKET__EVENT_TYPE__EVENT_NONE, "");

	one.check_id = (char *)(uintptr_t)"PKT-C-005";
	two.check_id = (char *)(uintptr_t)"PKT-C-006";
	two.status = (char *)(uintptr_t)"fail";
	report.subject = (char *)(uintptr_t)"container";
	report.results = results;
	report.n_results = 2;
	s->record.body_case = PICKET__RECORD__BODY_AUDIT;
	s->record.audit = &report;
	assert_int_equal(observed_count(&s->record), 2);
	observed_init(&s->o, "a", "h", &s->record, 1, s->arena);
	assert_int_equal(s->o.ev.source, DETECT_SOURCE_AUDIT);
	assert_string_equal(value(s, "type"), "audit");
	assert_string_equal(value(s, "audit.check"), "PKT-C-006");
	assert_string_equal(value(s, "audit.status"), "fail");
	assert_string_equal(value(s, "audit.subject"), "container");
	observed_init(&s->o, "a", "h", &s->record, 2, s->arena);
	assert_string_equal(value(s, "audit.check"), "-");
}

static void findings_gaps_and_containers(void **state)
{
	char *tags[] = { (char *)(uintptr_t)"T1059", (char *)(uintptr_t)"shell" };
	Picket__Finding finding = PICKET__FINDING__INIT;
	Picket__Gap gap = PICKET__GAP__INIT;
	CLEANUP(stage_freep) struct stage *s = stage_new(PICKET__EVENT_TYPE__EVENT_NONE, "");
	char number[OBSERVED_NUMBER_MAX];
	struct slice text;

	finding.rule = (char *)(uintptr_t)"Shell in a container";
	finding.priority = (char *)(uintptr_t)"Warning";
	finding.tags = tags;
	finding.n_tags = 2;
	finding.process = &s->process;
	s->record.body_case = PICKET__RECORD__BODY_FINDING;
	s->record.finding = &finding;
	stage_look(s);
	assert_int_equal(s->o.ev.source, DETECT_SOURCE_FINDING);
	assert_string_equal(value(s, "finding.rule"), "Shell in a container");
	assert_string_equal(value(s, "finding.severity"), "medium");
	assert_string_equal(value(s, "finding.tags"), "T1059,shell");
	assert_string_equal(value(s, "finding.count"), "1");
	assert_string_equal(value(s, "process.exe"), "/usr/bin/dash");
	/* as a correlation's group sees it */
	unsigned field = (unsigned)observed_resolve(NULL, DETECT_SOURCE_FINDING, SLICE_LIT("process.pid"));
	assert_true(observed_text(&s->o, field, number, &text));
	assert_true(slice_is(text, "42"));
	field = (unsigned)observed_resolve(NULL, DETECT_SOURCE_FINDING, SLICE_LIT("container.id"));
	assert_false(observed_text(&s->o, field, number, &text));
	gap.lost = 5;
	gap.reason = (char *)(uintptr_t)"ring_full";
	s->record.body_case = PICKET__RECORD__BODY_GAP;
	s->record.gap = &gap;
	stage_look(s);
	assert_int_equal(s->o.ev.source, DETECT_SOURCE_HEALTH);
	assert_string_equal(value(s, "type"), "gap");
	assert_string_equal(value(s, "gap.lost"), "5");
	s->record.body_case = PICKET__RECORD__BODY_CONTAINER;
	s->record.container = &s->container;
	stage_look(s);
	assert_int_equal(s->o.ev.source, DETECT_SOURCE_CONTAINER);
	assert_string_equal(value(s, "container.privileged"), "false");
	assert_string_equal(value(s, "type"), "container");
}

static void a_kind_has_only_its_own_fields(void **state)
{
	assert_true(observed_resolve(NULL, DETECT_SOURCE_PROCESS, SLICE_LIT("process.exe")) >= 0);
	assert_int_equal(observed_resolve(NULL, DETECT_SOURCE_PROCESS, SLICE_LIT("file.path")), DETECT_FIELD_NONE);
	assert_int_equal(observed_resolve(NULL, DETECT_SOURCE_PROCESS, SLICE_LIT("network.initiated")), DETECT_FIELD_NONE);
	assert_int_equal(observed_resolve(NULL, DETECT_SOURCE_AUDIT, SLICE_LIT("process.exe")), DETECT_FIELD_NONE);
	assert_int_equal(observed_resolve(NULL, DETECT_SOURCE_ANY, SLICE_LIT("nothing")), DETECT_FIELD_NONE);
	for (unsigned s = 0; s <= DETECT_SOURCE_ANY; s++)
		assert_true(observed_resolve(NULL, s, SLICE_LIT("host")) >= 0);
}

/* A sender may put anything beside: a program's start with a file has none. */
static void what_a_kind_can_not_have_is_not_there(void **state)
{
	CLEANUP(stage_freep) struct stage *s = stage_new(PICKET__EVENT_TYPE__EVENT_EXEC, "execve");

	s->event.file = &s->file;
	stage_look(s);
	assert_string_equal(value(s, "file.path"), "-");
	assert_string_equal(value(s, "call"), "-");
}

/* Each name of ours in Sigma's table is a field that events of that kind have. */
static void what_sigma_means_is_there(void **state)
{
	static const struct {
		enum detect_source source;
		const char *ours;
	} rows[] = {
#define NONE NULL
#define FIELD(source, sigma, ours, why) { DETECT_SOURCE_##source, ours },
#include "collector/correlate/sigma_fields.def"
#undef FIELD
#undef NONE
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].ours && observed_resolve(NULL, rows[i].source, slice_of(rows[i].ours)) < 0)
			fail_msg("%s", rows[i].ours);
}

static void a_rule_finds_a_record(void **state)
{
	static const char text[] = "title: a\nlogsource: {product: linux, category: process_creation}\nlevel: high\n"
				   "detection:\n"
				   "  parent: {ParentImage|endswith: /nginx}\n"
				   "  shell: {CommandLine|contains: '/bin/sh -c', User: 33, LogonId: ~}\n"
				   "  condition: all of them\n"
				   "---\n"
				   "title: b\nlogsource: {product: linux, category: network_connection}\nlevel: high\n"
				   "detection:\n"
				   "  s: {Initiated: 'true', DestinationPort: [4444, 1337]}\n"
				   "  f: {DestinationIp|cidr: [10.0.0.0/8, '::1/128']}\n"
				   "  condition: s and not f\n"
				   "---\n"
				   "title: c\nlogsource: {product: linux, category: file_event}\nlevel: high\n"
				   "detection: {s: {TargetFilename|startswith: /etc/cron.d/}, condition: s}\n"
				   "---\n"
				   "title: d\nlogsource: {product: linux}\nlevel: low\n"
				   "detection: {s: [cron.d, 203.0.113.9], t: {container.image|contains: nginx}, condition: s and t}\n";
	CLEANUP(arena_freep) struct arena *a = arena_new(SIGMA_ARENA_BYTES);
	struct detect_fields names = { observed_resolve, NULL };
	CLEANUP(detect_set_freep) struct detect_set *set = detect_set_new(&names);
	struct sigma_notes notes = { .arena = a };
	struct err err = { 0 };
	struct sigma_file f;
	unsigned index, ret[4];

	assert_int_equal(sigma_parse("r.yml", slice_of(text), a, &f, &notes, &err), 0);
	for (size_t i = 0; i < f.count; i++)
		if (detect_set_add(set, &f.rules[i], &index, &notes, &err) < 0)
			fail_msg("%s", err.msg);
	assert_int_equal(notes.count, 0);
	CLEANUP(stage_freep) struct stage *exec = stage_new(PICKET__EVENT_TYPE__EVENT_EXEC, "");
	stage_look(exec);
	assert_int_equal(detect_match(set, &exec->o.ev, ret), 1);
	assert_int_equal(ret[0], 0);
	CLEANUP(stage_freep) struct stage *net = stage_new(PICKET__EVENT_TYPE__EVENT_NETWORK, "connect");
	stage_look(net);
	assert_int_equal(detect_match(set, &net->o.ev, ret), 2);
	assert_int_equal(ret[0], 1);
	assert_int_equal(ret[1], 3);
	CLEANUP(stage_freep) struct stage *file = stage_new(PICKET__EVENT_TYPE__EVENT_FILE, "openat");
	file->file.open_flags = O_WRONLY | O_CREAT;
	stage_look(file);
	assert_int_equal(detect_match(set, &file->o.ev, ret), 2);
	assert_int_equal(ret[0], 2);
	file->file.open_flags = O_RDONLY;
	stage_look(file);
	assert_int_equal(detect_match(set, &file->o.ev, ret), 1);
	assert_int_equal(ret[0], 3);
}

static size_t matches_of(struct stage *s, const char *detection)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(1 << 20);
	CLEANUP(detect_set_freep) struct detect_set *set = detect_set_new(&(struct detect_fields){ observed_resolve, NULL });
	struct sigma_file file;
	struct err err = { 0 };
	char text[512];
	unsigned index, matched;

	snprintf(text, sizeof(text), "title: t\nlogsource: {product: linux, category: process_creation}\ndetection:\n  s:\n    %s\n"
				     "  condition: s\n", detection);
	if (sigma_parse("t.yaml", slice_of(text), a, &file, NULL, &err) < 0 ||
	    detect_set_add(set, &file.rules[0], &index, NULL, &err) < 0)
		fail_msg("%s", err.msg);
	return detect_match(set, &s->o.ev, &matched);
}

/* The hash may come behind its exec: rules that ask for it see it once, the others see the exec once. */
static void a_hash_is_for_those_who_ask_for_it(void **state)
{
	static const uint8_t sum[32] = { 0xab, 0xcd, [31] = 0x09 };
	CLEANUP(stage_freep) struct stage *s = stage_new(PICKET__EVENT_TYPE__EVENT_EXEC, "");
	const char *by_hash = "Hashes|contains: 'SHA256=ABCD00'", *by_sum = "sha256|endswith: '09'", *by_path = "Image|endswith: dash";

	(void)state;
	stage_look(s);
	assert_string_equal(value(s, "process.sha256"), "-");
	assert_int_equal(matches_of(s, by_hash) + matches_of(s, by_sum), 0);
	assert_int_equal(matches_of(s, by_path), 1);
	s->process.exe_sha256 = (ProtobufCBinaryData){ 31, (uint8_t *)(uintptr_t)sum };
	stage_look(s);
	assert_string_equal(value(s, "process.sha256"), "-");
	s->process.exe_sha256.len = 32;
	stage_look(s);
	assert_string_equal(value(s, "process.sha256"), "abcd000000000000000000000000000000000000000000000000000000000009");
	assert_int_equal(matches_of(s, by_hash) + matches_of(s, by_sum) + matches_of(s, by_path), 3);
	s->event.type = PICKET__EVENT_TYPE__EVENT_HASH;
	stage_look(s);
	assert_string_equal(value(s, "type"), "hash");
	assert_int_equal(matches_of(s, by_hash) + matches_of(s, by_sum), 2);
	assert_int_equal(matches_of(s, by_path), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hash_is_for_those_who_ask_for_it),
		cmocka_unit_test(records_are_of_a_kind),
		cmocka_unit_test(a_process_has_its_fields),
		cmocka_unit_test(both_ends_are_told_apart),
		cmocka_unit_test(a_file_is_where_the_call_left_it),
		cmocka_unit_test(reports_are_an_event_a_result),
		cmocka_unit_test(findings_gaps_and_containers),
		cmocka_unit_test(a_kind_has_only_its_own_fields),
		cmocka_unit_test(what_a_kind_can_not_have_is_not_there),
		cmocka_unit_test(what_sigma_means_is_there),
		cmocka_unit_test(a_rule_finds_a_record),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
