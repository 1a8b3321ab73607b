/* What is sent: whatever a container chose for its names and arguments, the record must be packed. */
#include "agent/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { CHAIN = 12, NOW = 1795400000 };

static char long_text[20000];

struct desk {
	struct loop *loop;
	struct world *world;
	struct clock clk;
	struct arena *scratch, *read;
	struct buf out;
};

#define OK(call)                                                                                   \
	do {                                                                                       \
		struct err ok_err_ = { 0 };                                                        \
		struct err *err = &ok_err_;                                                        \
		if ((call) < 0)                                                                    \
			fail_msg("%s: %s", #call, ok_err_.msg);                                    \
	} while (0)

static void begin(struct desk *d)
{
	static const struct world_config cfg = { .docker_socket = "", .proc_root = "/nonexistent" };
	static const struct world_ops ops = { 0 };

	*d = (struct desk){ .clk = clock_fake(NOW * 1000000000ull) };
	d->scratch = arena_new(1 << 20);
	d->read = arena_new(LIMIT_ARENA_BYTES);
	buf_init(&d->out, LIMIT_RECORD_BYTES + 4096);
	OK(loop_new(&d->loop, err));
	OK(world_new(d->loop, NULL, &d->clk, &cfg, &ops, NULL, &d->world, err));
}

static void end(struct desk *d)
{
	world_free(d->world);
	loop_free(d->loop);
	arena_free(d->scratch);
	arena_free(d->read);
	buf_fini(&d->out);
}

static const Picket__Record *packed(struct desk *d)
{
	Picket__Record *rec;

	arena_reset(d->read);
	OK(msg_read_record(buf_slice(&d->out), d->read, &rec, err));
	assert_int_equal(rec->time_unix_ns, NOW * 1000000000ull);
	return rec;
}

static struct event exec_of(uint32_t pid, size_t text_bytes)
{
	struct event e = { .type = EV_EXEC, .unix_ns = NOW * 1000000000ull, .boot_ns = pid };
	struct event_process *p = &e.p;

	p->pid = p->tid = p->vpid = pid;
	p->ppid = pid - 1;
	p->start_ns = pid * 1000;
	p->parent_start_ns = (pid - 1) * 1000;
	p->name = SLICE_LIT("sh");
	p->parent_name = SLICE_LIT("parent");
	p->exe = slice_sub(slice_of(long_text), 0, text_bytes);
	p->argv0 = p->args = p->cwd = p->exe;
	p->cgroup = SLICE_LIT("/");
	p->euid = 1000;
	p->uid = 1001;
	return e;
}

static void an_event_says_what_the_kernel_said(void **state)
{
	struct desk d;
	struct event e = exec_of(77, 10);

	begin(&d);
	OK(record_event(d.world, &e, NULL, d.scratch, &d.out, err));
	const Picket__Process *p = packed(&d)->event->process;
	assert_int_equal(p->pid, 77);
	assert_int_equal(p->ppid, 76);
	assert_int_equal(p->uid, 1000);
	assert_int_equal(p->real_uid, 1001);
	assert_true(slice_is(msg_slice(p->name), "sh"));
	/* The tree knows no parent: the event itself does. */
	assert_int_equal(p->n_ancestors, 1);
	assert_int_equal(p->ancestors[0]->pid, 76);
	assert_true(slice_is(msg_slice(p->ancestors[0]->name), "parent"));
	end(&d);
}

static void texts_beyond_the_limits_are_cut(void **state)
{
	struct desk d;
	struct event e = exec_of(77, sizeof(long_text) - 1);

	begin(&d);
	OK(record_event(d.world, &e, NULL, d.scratch, &d.out, err));
	const Picket__Process *p = packed(&d)->event->process;
	assert_int_equal(p->exe.len, LIMIT_PATH_BYTES);
	assert_int_equal(p->args.len, LIMIT_ARGS_BYTES);
	end(&d);
}

static void an_exit_does_not_take_the_program_of_another_of_its_pid(void **state)
{
	struct desk d;
	struct event e = exec_of(77, 10);

	begin(&d);
	world_apply(d.world, &e);
	e.type = EV_EXIT;
	e.p.exe = e.p.argv0 = e.p.args = SLICE_NONE;
	OK(record_event(d.world, &e, NULL, d.scratch, &d.out, err));
	assert_int_equal(packed(&d)->event->process->exe.len, 10);
	/* The old one's exit was lost, and so was what the new one did before its own. */
	e.p.start_ns += 5000000000;
	buf_reset(&d.out);
	OK(record_event(d.world, &e, NULL, d.scratch, &d.out, err));
	assert_int_equal(packed(&d)->event->process->exe.len, 0);
	end(&d);
}

/* All that one process and its ancestors can choose, and a rule that prints it. */
static void no_arguments_make_an_alert_too_large_to_be_sent(void **state)
{
	struct desk d;
	struct event e;
	struct rules_output_field fields[LIMIT_FIELDS];
	const char *tags[100];

	begin(&d);
	for (uint32_t pid = 100; pid < 100 + CHAIN; pid++) {
		e = exec_of(pid, 8000);
		world_apply(d.world, &e);
	}
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		fields[i] = (struct rules_output_field){ "proc.cmdline", slice_of(long_text) };
	for (size_t i = 0; i < ARRAY_LEN(tags); i++)
		tags[i] = long_text + sizeof(long_text) - 100;
	const struct rules_match m = { .rule = long_text + sizeof(long_text) - 300,
				       .description = long_text,
				       .output = slice_of(long_text),
				       .tags = tags,
				       .tag_count = ARRAY_LEN(tags),
				       .fields = fields,
				       .field_count = ARRAY_LEN(fields) };
	OK(record_finding(d.world, &e, NULL, &m, 42, d.scratch, &d.out, err));
	const Picket__Finding *f = packed(&d)->finding;
	assert_int_equal(f->event_seq, 42);
	assert_int_equal(strlen(f->rule), LIMIT_NAME_BYTES);
	assert_int_equal(f->n_fields, LIMIT_FIELDS);
	assert_int_equal(f->n_tags, LIMIT_TAGS);
	assert_true(f->process->args_truncated);
	assert_true(f->process->args.len >= 64);
	assert_true(strlen(f->output) >= 64);
	end(&d);
}

static void an_ordinary_alert_is_sent_whole(void **state)
{
	struct desk d;
	struct event e;
	const struct rules_output_field fields[] = { { "proc.exepath", SLICE_LIT("/bin/sh") } };
	const struct rules_match m = { .rule = "A shell",
				       .priority = PRIORITY_WARNING,
				       .output = slice_sub(slice_of(long_text), 0, 1000),
				       .fields = fields,
				       .field_count = 1 };

	begin(&d);
	for (uint32_t pid = 100; pid < 100 + CHAIN; pid++) {
		e = exec_of(pid, 200);
		world_apply(d.world, &e);
	}
	OK(record_finding(d.world, &e, NULL, &m, 42, d.scratch, &d.out, err));
	const Picket__Finding *f = packed(&d)->finding;
	assert_string_equal(f->priority, "Warning");
	assert_string_equal(f->description, "");
	assert_int_equal(strlen(f->output), 1000);
	assert_int_equal(f->process->n_ancestors, LIMIT_ANCESTORS);
	assert_int_equal(f->process->ancestors[0]->pid, 100 + CHAIN - 2);
	assert_int_equal(f->process->args.len, 200);
	assert_false(f->process->args_truncated);
	end(&d);
}

static void no_labels_keep_a_container_nameless(void **state)
{
	struct desk d;
	struct container_label labels[100];
	struct container c = { .id = "0123456789ab", .name = "web", .image = "nginx:1.25",
			       .image_id = "", .image_digest = "", .user = "", .engine = "docker",
			       .labels = labels, .label_count = ARRAY_LEN(labels), .is_named = true };

	begin(&d);
	for (size_t i = 0; i < ARRAY_LEN(labels); i++)
		labels[i] = (struct container_label){ "key", long_text + sizeof(long_text) - 1024 };
	OK(record_container(&c, SLICE_NONE, NOW * 1000000000ull, d.scratch, &d.out, err));
	const Picket__Container *pc = packed(&d)->container;
	assert_true(slice_is(msg_slice(pc->name), "web"));
	assert_true(pc->n_labels >= 20 && pc->n_labels < 64);
	buf_reset(&d.out);
	labels[0].value = long_text; /* one label beyond every bound */
	c.label_count = 2;
	OK(record_container(&c, SLICE_NONE, NOW * 1000000000ull, d.scratch, &d.out, err));
	assert_int_equal(strlen(packed(&d)->container->labels[0]->value), LIMIT_TEXT_BYTES);
	end(&d);
}

static void a_gap_is_told(void **state)
{
	struct desk d;
	const uint64_t now = NOW * 1000000000ull;

	begin(&d);
	const struct loss l = { .class = EVC_PROCESS, .lost = 12, .from_unix_ns = now - 5, .to_unix_ns = now,
				.reason = "ring_full" };

	OK(record_gap(&l, long_text, now, &d.out, err));
	const Picket__Gap *g = packed(&d)->gap;
	assert_int_equal(g->lost, 12);
	assert_int_equal(g->to_unix_ns - g->from_unix_ns, 5);
	assert_string_equal(g->reason, "ring_full");
	assert_int_equal(g->loss_class, PICKET__LOSS_CLASS__LOSS_PROCESS);
	assert_int_equal(g->noisiest.len, LIMIT_NAME_BYTES);
	end(&d);
}

static struct event call_of(enum call call, enum call_family family)
{
	struct event e = exec_of(77, 10);

	e.type = EV_CALL;
	e.class = EVC_VOLUME;
	e.p.exe = e.p.argv0 = e.p.args = SLICE_NONE;
	e.call = (struct event_call){ .call = call, .family = family, .fd = -1 };
	return e;
}

static void calls_are_files_connections_or_calls(void **state)
{
	static const struct {
		enum call call;
		enum call_family family;
		int want;
	} cases[] = {
		{ CALL_OPENAT, FAMILY_OPEN, PICKET__EVENT_TYPE__EVENT_FILE },
		{ CALL_UNLINK, FAMILY_PATH, PICKET__EVENT_TYPE__EVENT_FILE },
		{ CALL_RENAME, FAMILY_PATHS, PICKET__EVENT_TYPE__EVENT_FILE },
		{ CALL_FCHMOD, FAMILY_FD, PICKET__EVENT_TYPE__EVENT_FILE },
		{ CALL_DUP2, FAMILY_FD, PICKET__EVENT_TYPE__EVENT_CALL },
		{ CALL_CONNECT, FAMILY_SOCK, PICKET__EVENT_TYPE__EVENT_NETWORK },
		{ CALL_PTRACE, FAMILY_PLAIN, PICKET__EVENT_TYPE__EVENT_CALL },
		{ CALL_EXECVE, FAMILY_EXEC, PICKET__EVENT_TYPE__EVENT_CALL },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct desk d;
		struct event e = call_of(cases[i].call, cases[i].family);

		begin(&d);
		e.call.ret = -13;
		OK(record_event(d.world, &e, NULL, d.scratch, &d.out, err));
		const Picket__Event *ev = packed(&d)->event;
		assert_int_equal(ev->type, cases[i].want);
		assert_int_equal(ev->result, -13);
		assert_true(ev->call[0]);
		end(&d);
	}
}

static void an_open_says_what_was_asked_for(void **state)
{
	struct desk d;
	struct event e = call_of(CALL_OPENAT, FAMILY_OPEN);

	begin(&d);
	e.call.ret = e.call.fd = 3;
	e.call.path = SLICE_LIT("/etc/cron.d/x");
	e.call.raw = SLICE_LIT("../etc/cron.d/x");
	e.call.arg[2] = 0101; /* O_WRONLY|O_CREAT: the open file forgets the second */
	e.call.arg[3] = 0644;
	e.call.file_flags = 01;
	e.call.file_mode = 0100644;
	OK(record_event(d.world, &e, NULL, d.scratch, &d.out, err));
	const Picket__File *f = packed(&d)->event->file;
	assert_true(slice_is(msg_slice(f->path), "/etc/cron.d/x"));
	assert_true(slice_is(msg_slice(f->raw), "../etc/cron.d/x"));
	assert_int_equal(f->open_flags, 0101);
	assert_int_equal(f->mode, 0644);
	assert_int_equal(f->file_mode, 0100644);
	buf_reset(&d.out);
	e.call.arg[2] = 0; /* without O_CREAT what stands where a mode would be is nothing */
	OK(record_event(d.world, &e, NULL, d.scratch, &d.out, err));
	assert_int_equal(packed(&d)->event->file->mode, 0);
	end(&d);
}

static void addresses_are_as_people_search_them(void **state)
{
	static const struct {
		uint16_t family, type, protocol;
		uint8_t remote[16];
		uint16_t port;
		const char *want_protocol;
		size_t want_bytes;
	} cases[] = {
		{ 2, 1, 6, { 1, 2, 3, 4 }, 443, "tcp", 4 },
		{ 10, 2, 17, { 0x20, 1, [15] = 1 }, 53, "udp", 16 },
		{ 10, 1, 6, { [10] = 0xff, 0xff, 1, 2, 3, 4 }, 443, "tcp", 4 },
		{ 2, 3, 1, { 1, 2, 3, 4 }, 0, "raw", 4 },
		{ 2, 1, 6, { 0 }, 0, "tcp", 0 },
		{ 1, 1, 0, { 0 }, 0, "unix", 0 },
		{ 17, 3, 0, { 0 }, 0, "packet", 0 },
		{ 40, 1, 0, { 0 }, 0, "40", 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct desk d;
		struct event e = call_of(CALL_CONNECT, FAMILY_SOCK);

		begin(&d);
		e.call.sock_family = cases[i].family;
		e.call.sock_type = cases[i].type;
		e.call.sock_protocol = cases[i].protocol;
		memcpy(e.call.remote.address, cases[i].remote, 16);
		e.call.remote.port = cases[i].port;
		e.call.path = SLICE_LIT("/run/x.sock");
		OK(record_event(d.world, &e, NULL, d.scratch, &d.out, err));
		const Picket__Network *n = packed(&d)->event->network;
		assert_string_equal(n->protocol, cases[i].want_protocol);
		assert_int_equal(n->remote_address.len, cases[i].want_bytes);
		assert_int_equal(n->remote_port, cases[i].port);
		bool is_unix = !strcmp(cases[i].want_protocol, "unix");
		assert_true(!is_unix || slice_is(msg_slice(n->path), "/run/x.sock"));
		end(&d);
	}
}

static void no_paths_make_an_event_too_large_to_be_sent(void **state)
{
	struct desk d;
	struct event e;

	begin(&d);
	e = exec_of(76, sizeof(long_text) - 1);
	world_apply(d.world, &e);
	e = exec_of(77, sizeof(long_text) - 1);
	world_apply(d.world, &e);
	e = call_of(CALL_RENAME, FAMILY_PATHS);
	e.call.path = e.call.path2 = e.call.raw = e.call.raw2 = slice_of(long_text);
	OK(record_event(d.world, &e, NULL, d.scratch, &d.out, err));
	const Picket__File *f = packed(&d)->event->file;
	assert_true(f->path.len >= 64 && f->target.len >= 64);
	end(&d);
}

static void what_was_folded_is_told_with_the_details_of_one(void **state)
{
	struct desk d;
	struct event e = exec_of(77, 100);
	const struct rules_match m = { .rule = "A shell", .priority = PRIORITY_WARNING, .output = SLICE_LIT("sh") };
	CLEANUP(buf_finip) struct buf sample = { 0 };
	struct folded f = { .rule = "A shell", .container_id = "web", .count = 9990, .first_unix_ns = 5,
			    .last_unix_ns = NOW * 1000000000ull };

	begin(&d);
	buf_init(&sample, LIMIT_RECORD_BYTES);
	OK(record_finding(d.world, &e, NULL, &m, 42, d.scratch, &sample, err));
	f.sample = buf_slice(&sample);
	OK(record_folded(&f, d.scratch, &d.out, err));
	const Picket__Finding *found = packed(&d)->finding;
	assert_int_equal(found->count, 9990);
	assert_int_equal(found->first_unix_ns, 5);
	assert_int_equal(found->process->pid, 77);
	assert_string_equal(found->priority, "Warning");
	assert_int_equal(found->event_seq, 0);
	buf_reset(&d.out);
	f.sample = SLICE_NONE; /* no memory for one */
	OK(record_folded(&f, d.scratch, &d.out, err));
	found = packed(&d)->finding;
	assert_string_equal(found->rule, "A shell");
	assert_string_equal(found->container->id, "web");
	assert_int_equal(found->count, 9990);
	end(&d);
}

static void an_action_says_to_whom_and_why_not(void **state)
{
	struct desk d;
	struct event e = exec_of(77, 10);
	struct guard_result r = { .rule = "A shell", .action = GUARD_PAUSE, .why = long_text, .is_dry_run = true,
				  .pid = 77, .start_ns = 77000, .container_id = "web", .finding_seq = 9,
				  .took_ns = 5, .unix_ns = NOW * 1000000000ull };

	begin(&d);
	world_apply(d.world, &e);
	OK(record_action(d.world, &r, NULL, d.scratch, &d.out, err));
	const Picket__Event *ev = packed(&d)->event;
	assert_int_equal(ev->type, PICKET__EVENT_TYPE__EVENT_ACTION);
	assert_string_equal(ev->action->kind, "pause");
	assert_true(ev->action->dry_run && !ev->action->done);
	assert_int_equal(strlen(ev->action->why), LIMIT_TEXT_BYTES);
	assert_int_equal(ev->action->finding_seq, 9);
	assert_string_equal(ev->container->id, "web");
	assert_true(slice_is(msg_slice(ev->process->name), "sh"));
	end(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_event_says_what_the_kernel_said),
		cmocka_unit_test(texts_beyond_the_limits_are_cut),
		cmocka_unit_test(an_exit_does_not_take_the_program_of_another_of_its_pid),
		cmocka_unit_test(no_arguments_make_an_alert_too_large_to_be_sent),
		cmocka_unit_test(an_ordinary_alert_is_sent_whole),
		cmocka_unit_test(no_labels_keep_a_container_nameless),
		cmocka_unit_test(a_gap_is_told),
		cmocka_unit_test(calls_are_files_connections_or_calls),
		cmocka_unit_test(an_open_says_what_was_asked_for),
		cmocka_unit_test(addresses_are_as_people_search_them),
		cmocka_unit_test(no_paths_make_an_event_too_large_to_be_sent),
		cmocka_unit_test(what_was_folded_is_told_with_the_details_of_one),
		cmocka_unit_test(an_action_says_to_whom_and_why_not),
	};

	memset(long_text, 'x', sizeof(long_text) - 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
