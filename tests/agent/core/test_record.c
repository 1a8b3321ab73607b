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
	OK(record_container(&c, NOW * 1000000000ull, d.scratch, &d.out, err));
	const Picket__Container *pc = packed(&d)->container;
	assert_true(slice_is(msg_slice(pc->name), "web"));
	assert_true(pc->n_labels >= 20 && pc->n_labels < 64);
	buf_reset(&d.out);
	labels[0].value = long_text; /* one label beyond every bound */
	c.label_count = 2;
	OK(record_container(&c, NOW * 1000000000ull, d.scratch, &d.out, err));
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
	};

	memset(long_text, 'x', sizeof(long_text) - 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
