/* bench_detect [FILE...] - what one exec costs Sigma's detections: those of the files, else 300 of the shapes that
 * public rules have, no two alike. Events are records as agents send them, through observed.h.
 *
 *	bench_detect rules=300 ns_per_event=N events_per_s=N matches=N */
#include <time.h>

#include "collector/correlate/observed.h"
#include "common/file.h"

enum { RULES = 300, EVENTS = 400000 };

static double cpu_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static void must(int r, const struct err *err)
{
	if (r >= 0)
		return;
	fprintf(stderr, "bench_detect: %s\n", err->msg);
	exit(1);
}

/* ---- rules ---- */

static void write_rule(struct buf *b, unsigned i)
{
	buf_printf(b, "---\ntitle: r%u\nlevel: low\nlogsource: {product: linux, category: process_creation}\ndetection:\n", i);
	switch (i % 6) {
	case 0:
		buf_printf(b, "  s: {Image|endswith: [/tool%u, /other%u], CommandLine|contains: [' -a%u', ' --flag%u']}\n"
			      "  condition: s\n",
			   i, i, i, i);
		break;
	case 1:
		buf_printf(b, "  a: {ParentImage|endswith: [/nginx%u, /httpd%u]}\n  b: {Image|endswith: [/sh, /bash, /dash]}\n"
			      "  condition: all of them\n",
			   i, i);
		break;
	case 2:
		buf_printf(b, "  s: {CommandLine|contains|all: ['of=%u', /proc/, /mem]}\n  condition: s\n", i);
		break;
	case 3:
		buf_printf(b, "  s:\n    CommandLine|contains: [xmrig%u, 'stratum%u+tcp://', ' --algo%u=rx', 'pool%u.', ' -o %u.']\n"
			      "  f: {ParentImage|startswith: /opt/%u/}\n  condition: s and not f\n",
			   i, i, i, i, i, i);
		break;
	case 4:
		buf_printf(b, "  s: {Image|endswith: /prog%u, User: root, CurrentDirectory: /srv/%u}\n  condition: s\n", i, i);
		break;
	default:
		buf_printf(b, "  a: {Image|endswith: /truncate%u, CommandLine|re: '(-s|--size[=\\s])\\s*%u'}\n"
			      "  b: {CommandLine|contains: history%u}\n  condition: 1 of them\n",
			   i, i, i);
	}
}

static void add_rules(struct detect_set *set, const char *name, struct slice text)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(SIGMA_ARENA_BYTES);
	struct sigma_file f = { 0 };
	struct err err = { 0 };
	unsigned index;

	must(sigma_parse(name, text, a, &f, NULL, &err), &err);
	for (size_t i = 0; i < f.count; i++)
		if (f.rules[i].detection)
			must(detect_set_add(set, &f.rules[i], &index, NULL, &err), &err);
}

/* ---- events ---- */

static const struct {
	const char *name, *exe, *argv0, *args, *parent, *parent_line;
	size_t bytes;
} programs[] = {
#define ROW(name, exe, argv0, args, parent, line) { name, exe, argv0, args, parent, line, sizeof(args) - 1 }
	ROW("sed", "/usr/bin/sed", "sed", "-e\0s/foo/bar/g\0-n\0/etc/service/config.d/main.conf\0", "/usr/bin/bash",
	    "bash /usr/local/bin/build.sh --release"),
	ROW("bash", "/usr/bin/bash", "/bin/bash", "-c\0if [ -f /etc/profile ]; then . /etc/profile; fi; exec make -j4 all\0",
	    "/usr/bin/make", "make -j4 all"),
	ROW("cc1", "/usr/lib/gcc/x86_64-linux-gnu/12/cc1", "/usr/lib/gcc/x86_64-linux-gnu/12/cc1",
	    "-quiet\0-imultiarch\0x86_64-linux-gnu\0main.c\0-dumpbase\0main.c\0-mtune=generic\0-O2\0-o\0/tmp/ccXY.s\0",
	    "/usr/bin/x86_64-linux-gnu-gcc-12", "gcc -g -O2 -c main.c"),
	ROW("python3", "/usr/bin/python3.11", "python3", "manage.py\0runserver\00.0.0.0:8000\0--settings=app.settings\0",
	    "/usr/bin/tini", "tini -- python3 manage.py"),
#undef ROW
};

static struct program {
	Picket__Ancestor parent, *ancestors[1];
	Picket__Process process;
	Picket__Event event;
	Picket__Record record;
} made[ARRAY_LEN(programs)];

static void make_events(void)
{
	for (size_t i = 0; i < ARRAY_LEN(programs); i++) {
		struct program *p = &made[i];

		p->parent = (Picket__Ancestor)PICKET__ANCESTOR__INIT;
		p->parent.exe = msg_bytes(slice_of(programs[i].parent));
		p->parent.cmdline = msg_bytes(slice_of(programs[i].parent_line));
		p->ancestors[0] = &p->parent;
		p->process = (Picket__Process)PICKET__PROCESS__INIT;
		p->process.name = msg_bytes(slice_of(programs[i].name));
		p->process.exe = msg_bytes(slice_of(programs[i].exe));
		p->process.argv0 = msg_bytes(slice_of(programs[i].argv0));
		p->process.args = msg_bytes(slice_from(programs[i].args, programs[i].bytes));
		p->process.user = msg_bytes(SLICE_LIT("root"));
		p->process.cwd = msg_bytes(SLICE_LIT("/build/src"));
		p->process.ancestors = p->ancestors;
		p->process.n_ancestors = 1;
		p->event = (Picket__Event)PICKET__EVENT__INIT;
		p->event.type = PICKET__EVENT_TYPE__EVENT_EXEC;
		p->event.process = &p->process;
		p->record = (Picket__Record)PICKET__RECORD__INIT;
		p->record.body_case = PICKET__RECORD__BODY_EVENT;
		p->record.event = &p->event;
	}
}

int main(int argc, char **argv)
{
	struct detect_fields names = { observed_resolve, NULL };
	CLEANUP(detect_set_freep) struct detect_set *set = detect_set_new(&names);
	CLEANUP(arena_freep) struct arena *a = arena_new(OBSERVED_ARENA_BYTES);
	CLEANUP(buf_finip) struct buf text = { 0 };
	struct err err = { 0 };
	size_t matches = 0;

	for (int i = 1; i < argc; i++) {
		buf_reset(&text);
		must(file_read(argv[i], SIGMA_FILE_BYTES, &text, &err), &err);
		add_rules(set, argv[i], buf_slice(&text));
	}
	for (unsigned i = 0; argc == 1 && i < RULES; i++)
		write_rule(&text, i);
	if (argc == 1)
		add_rules(set, "rules", buf_slice(&text));
	CLEANUP(freep) unsigned *ret = calloc(detect_set_count(set) + 1, sizeof(*ret));
	if (!ret || !a)
		return 1;
	make_events();
	double from = cpu_s();
	for (unsigned i = 0; i < EVENTS; i++) {
		struct observed o;

		observed_init(&o, "agent", "host", &made[i % ARRAY_LEN(made)].record, 0, a);
		matches += detect_match(set, &o.ev, ret);
		arena_reset(a);
	}
	double ns = (cpu_s() - from) * 1e9 / EVENTS;
	printf("bench_detect rules=%zu ns_per_event=%.0f events_per_s=%.0f matches=%zu\n", detect_set_count(set), ns, 1e9 / ns,
	       matches);
	return 0;
}
