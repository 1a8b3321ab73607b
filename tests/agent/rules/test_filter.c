/* The kernel's filter: what a rule matches passes a row of it, and rows of real rules let little through. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "agent/world/world.h"
#include "filter_model.h"
#include "vectors.h"

#define RULE(name, condition)                                                                      \
	"- rule: " name "\n  desc: d\n  condition: " condition "\n  output: o\n  priority: INFO\n"  \
	"  warn_evttypes: false\n"

static struct rules *load(const char *text)
{
	struct rules *r = NULL;
	struct err err = { 0 };

	if (rules_load_text("f.yaml", slice_of(text), &r, NULL, &err) < 0)
		fail_msg("%s: %s", text, err.msg);
	return r;
}

/* More than one rule, so that rows are merged across them. */
static void random_rules(struct dice *d, unsigned count, struct buf *text)
{
	for (unsigned i = 0; i < count; i++) {
		buf_printf(text, "- rule: r%u\n  desc: d\n  condition: >\n    ", i);
		model_condition(d, 3, text);
		buf_add_str(text, "\n  output: o\n  priority: INFO\n  warn_evttypes: false\n");
	}
}

static void check_event(struct rules *r, const struct filter *f, const struct model *m, const char *text)
{
	CLEANUP(buf_finip) struct buf json = { 0 };
	CLEANUP(cJSON_Deletep) cJSON *event = NULL;

	buf_init(&json, 0);
	model_json(m, &json);
	assert_int_equal(json_parse(buf_slice(&json), 1 << 20, &event, NULL), 0);
	struct rules_source src = rules_json_source(event);
	if (rules_eval(r, call_name(m->call), &src, NULL, NULL) && !model_passes(f, m))
		fail_msg("%s\nmatches %s, but no row does", text, json.p);
}

static void what_a_rule_matches_passes_a_row(void **state)
{
	struct dice d = { .state = 42 };
	size_t narrow = 0;

	(void)state;
	for (int round = 0; round < 1500; round++) {
		CLEANUP(buf_finip) struct buf text = { 0 };
		struct filter f;

		buf_init(&text, 0);
		random_rules(&d, round % 50 ? 1 + dice_roll(&d, 3) : 60, &text);
		CLEANUP(rules_freep) struct rules *r = load(text.p);
		assert_int_equal(rules_filter(r, &f, NULL), 0);
		assert_true(f.row_count <= FILTER_ROWS_MAX);
		for (int k = 0; k < 60; k++) {
			struct model m = model_roll(&d);

			check_event(r, &f, &m, text.p);
			narrow += !model_passes(&f, &m);
		}
		filter_fini(&f);
	}
	print_message("%zu of 90000 events pass no row\n", narrow);
	assert_true(narrow > 8000);
}

/* ---- the same with live events, whose fields the agent's own getters give ---- */

static const struct container box = { .id = "0123456789abcdef", .name = "x", .image = "y", .image_id = "", .image_digest = "",
				      .user = "", .engine = "docker" };

static struct event live_event(const struct model *m)
{
	static const int modes[] = { O_RDONLY, O_WRONLY, O_RDWR, O_ACCMODE };
	struct event e = { .type = EV_CALL, .p = { .pid = 7, .tid = 7, .name = slice_of(m->comm) } };
	struct event_call *c = &e.call;
	uint64_t flags = (uint64_t)modes[m->mode] | O_CLOEXEC;

	c->call = m->call;
	c->family = call_family(m->call);
	c->ret = m->failed ? -ENOENT : c->family == FAMILY_OPEN ? 3 : 0;
	c->fd = c->family == FAMILY_OPEN && m->failed ? -1 : 3;
	c->sock_family = m->sock == 4 ? AF_INET : m->sock == 6 ? AF_INET6 : m->sock == 1 ? AF_UNIX :
			 m->sock == 17 ? AF_PACKET : 0;
	c->sock_type = SOCK_STREAM;
	c->sock_protocol = IPPROTO_TCP;
	c->local = (struct event_end){ { 10, 0, 0, 2 }, m->cport };
	c->remote = (struct event_end){ { 10, 0, 0, 1 }, m->sport };
	c->arg[0] = m->call == CALL_SOCKET ? c->sock_family : 3;
	if (c->family == FAMILY_OPEN) {
		c->arg[m->call == CALL_OPENAT ? 2 : 1] = flags;
		c->file_flags = (uint32_t)flags;
		c->raw = slice_of(m->raw);
		c->path = m->has_path ? slice_of(m->path) : SLICE_NONE;
		c->base = SLICE_LIT("/base");
		c->file_mode = m->failed ? 0 : m->is_directory ? S_IFDIR | 0755 : S_IFREG | 0644;
	} else if (!m->sock) {
		c->path = c->raw = slice_of(m->path);
		c->file_mode = S_IFREG;
	}
	return e;
}

static void what_a_rule_matches_in_a_live_event_passes_a_row(void **state)
{
	static const struct world_config cfg = { .max_processes = 1024, .proc_root = "/nowhere" };
	static const struct world_ops ops = { 0 };
	CLEANUP(loop_freep) struct loop *l = NULL;
	CLEANUP(world_freep) struct world *w = NULL;
	struct dice d = { .state = 4711 };
	size_t matches = 0;

	(void)state;
	assert_int_equal(loop_new(&l, NULL), 0);
	assert_int_equal(world_new(l, NULL, clock_real(), &cfg, &ops, NULL, &w, NULL), 0);
	for (int round = 0; round < 1500; round++) {
		CLEANUP(buf_finip) struct buf text = { 0 };
		struct filter f;

		buf_init(&text, 0);
		random_rules(&d, 1 + dice_roll(&d, 3), &text);
		CLEANUP(rules_freep) struct rules *r = load(text.p);
		assert_int_equal(rules_filter(r, &f, NULL), 0);
		for (int k = 0; k < 60; k++) {
			struct model m = model_roll(&d);
			if (m.call == CALL_CREAT)
				m.mode = 1;
			const struct event e = live_event(&m);
			struct rules_live live = { w, &e, m.in_container ? &box : NULL, 7 };
			struct rules_source src = rules_live_source(&live);
			bool is_match = rules_eval(r, rules_live_type(&e), &src, NULL, NULL);

			matches += is_match;
			if (is_match && !model_passes(&f, &m))
				fail_msg("%s\nmatches %s of %s, raw %s, mode %u, sock %d, failed %d, but no row does", text.p,
					 call_name(m.call), m.path, m.raw, m.mode, m.sock, m.failed);
		}
		filter_fini(&f);
	}
	print_message("%zu of 90000 live events match\n", matches);
	assert_true(matches > 10000);
}

static void print_texts(const char *what, const struct filter_text *all, size_t n)
{
	static const char *const kinds[] = { "=", "^", "$", "~" };

	for (size_t i = 0; i < n && i < 6; i++)
		print_message("%s%s%.*s", i ? " " : what, kinds[all[i].kind], SLICE_FMT(all[i].text));
	if (n)
		print_message("%s]", n > 6 ? " ..." : "");
}

static void print_row(const struct filter_row *row)
{
	for (unsigned c = 0; c < CALL_COUNT; c++)
		if (filter_row_has_call(row, (enum call)c))
			print_message("%s ", call_name((enum call)c));
	print_message("| outcome %u access %u where %u sock %u comms %zu ports %zu", row->outcome, row->access,
		      row->where, row->sock, row->comm_count, row->port_count);
	print_texts(" paths[", row->paths, row->path_count);
	print_texts(" raws[", row->raws, row->raw_count);
	print_message("\n");
}

static void upstream_rules_let_no_read_of_any_path_through(void **state)
{
	static const struct {
		const char *file;
		bool may_open_any; /* incubating and sandbox have rules that ask for any file under a condition */
	} files[] = { { "../falco/falco_rules.yaml", false },
		      { "../falco/falco-incubating_rules.yaml", true },
		      { "../falco/falco-sandbox_rules.yaml", true } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		CLEANUP(buf_finip) struct buf text = { 0 };
		CLEANUP(rules_freep) struct rules *r = NULL;
		struct filter f;

		vectors_read(files[i].file, &text);
		assert_int_equal(rules_load_text("f.yaml", buf_slice(&text), &r, NULL, NULL), 0);
		assert_int_equal(rules_filter(r, &f, NULL), 0);
		print_message("%s: %zu rows\n", files[i].file, f.row_count);
		for (size_t k = 0; k < f.row_count; k++) {
			const struct filter_row *row = &f.rows[k];
			bool has_open = filter_row_has_call(row, CALL_OPENAT);

			print_row(row);
			if (has_open && row->access & FILTER_READ && !files[i].may_open_any)
				assert_true((!(row->outcome & FILTER_OK) || row->path_count) &&
					    (!(row->outcome & FILTER_FAILED) || row->raw_count));
		}
		filter_fini(&f);
	}
}

static void a_rule_that_the_kernel_can_decide_gives_a_kill_row(void **state)
{
	static const struct {
		const char *condition;
		int want;
	} cases[] = {
		{ "evt.type = execve and proc.name in (xmrig, kinsing)", 1 },
		{ "evt.type in (execve, execveat) and container.id != host and proc.is_exe_from_memfd = true", 1 },
		{ "evt.type = execve and proc.exepath startswith /dev/shm/", 1 },
		{ "evt.type = execve and proc.exepath in (/tmp/a, /tmp/b) and proc.is_exe_upper_layer = true", 1 },
		{ "evt.type = execveat and proc.name = x", 0 },
		{ "proc.name = x", 0 },
		{ "evt.type = execve", 0 },
		{ "evt.type = execve and container.id = host and proc.name = x", 0 },
		{ "evt.type = execve and proc.name = x and not proc.pname = y", 0 },
		{ "evt.type = execve and (proc.name = x or proc.exepath = /y)", 0 },
		{ "evt.type = execve and proc.name != x", 0 },
		{ "evt.type = execve and proc.name = x and proc.name = y", 0 },
		{ "evt.type = execve and proc.name = longer-than-any-comm-is", 0 },
		{ "evt.type = execve and proc.name = x and user.uid = 0", 0 },
		{ "evt.type = execve and proc.is_exe_from_memfd = false", 0 },
		{ "evt.type = execve and evt.num = 0 and proc.name = x", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(buf_finip) struct buf text = { 0 };
		struct filter f;

		buf_init(&text, 0);
		buf_printf(&text, RULE("r", "%s"), cases[i].condition);
		CLEANUP(rules_freep) struct rules *r = load(text.p);
		assert_int_equal(rules_filter(r, &f, NULL), 0);
		if (rules_filter_kill(r, "r", &f, NULL) != cases[i].want || (int)f.kill_count != cases[i].want)
			fail_msg("%s should be %d", cases[i].condition, cases[i].want);
		assert_int_equal(rules_filter_kill(r, "none such", &f, NULL), 0);
		filter_fini(&f);
	}
}

static void data_is_wanted_only_by_rules_that_read_it(void **state)
{
	static const struct {
		const char *text;
		bool want;
	} cases[] = { { RULE("r", "evt.type = sendto and evt.buffer contains x"), true },
		      { RULE("r", "evt.type = sendto") "  enabled: true\n", false },
		      { RULE("r", "evt.type = sendto and evt.buffer contains x") "  enabled: false\n", false },
		      { "- rule: r\n  desc: d\n  condition: evt.type = sendto\n  output: a %evt.buffer\n"
			"  priority: INFO\n",
			true } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(rules_freep) struct rules *r = load(cases[i].text);
		struct filter f;

		assert_int_equal(rules_filter(r, &f, NULL), 0);
		assert_int_equal(f.wants_data, cases[i].want);
		filter_fini(&f);
	}
}

static void count_info(void *arg, const struct rules_info *i)
{
	size_t *sum = arg;

	sum[0]++;
	sum[1] += i->enabled;
	sum[2] += i->type_count;
	sum[3] += i->line;
	assert_string_equal(i->file, "f.yaml");
}

static void count_name(void *arg, const char *name)
{
	(*(size_t *)arg)++;
	assert_true(strlen(name) > 2);
}

static void count_match(void *arg, const struct rules_match *m)
{
	(*(size_t *)arg)++;
	(void)m;
}

static void rules_tell_what_they_are(void **state)
{
	CLEANUP(rules_freep) struct rules *r =
		load(RULE("a", "evt.type = connect and fd.sip.name in (one.example, two.example)")
			     RULE("b", "evt.type = connect and not fd.sip.name = one.example")
				     RULE("c", "fd.sip.name = three.example") "  enabled: false\n");
	size_t sum[4] = { 0 }, names = 0, matches = 0;
	CLEANUP(cJSON_Deletep) cJSON *event = NULL;

	(void)state;
	rules_each(r, count_info, sum);
	assert_true(sum[0] == 3 && sum[1] == 2 && sum[2] == 2 && sum[3] == 1 + 7 + 13);
	rules_each_host_name(r, count_name, &names);
	assert_int_equal(names, 2);
	assert_true(rules_has(r, "b") && rules_has(r, "c") && !rules_has(r, "d"));
	assert_int_equal(json_parse(SLICE_LIT("{\"fd.sip.name\":\"two.example\",\"evt.type\":\"connect\"}"), 1 << 10, &event,
				    NULL),
			 0);
	struct rules_source src = rules_json_source(event);
	assert_int_equal(rules_eval(r, "connect", &src, count_match, &matches), 2);
	rules_set_matching(r, RULES_MATCH_FIRST);
	assert_int_equal(rules_eval(r, "connect", &src, count_match, &matches), 1);
	assert_int_equal(matches, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_rule_matches_passes_a_row),
		cmocka_unit_test(what_a_rule_matches_in_a_live_event_passes_a_row),
		cmocka_unit_test(upstream_rules_let_no_read_of_any_path_through),
		cmocka_unit_test(a_rule_that_the_kernel_can_decide_gives_a_kill_row),
		cmocka_unit_test(data_is_wanted_only_by_rules_that_read_it),
		cmocka_unit_test(rules_tell_what_they_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
