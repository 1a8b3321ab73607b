/* audit_cli.c - see audit_cli.h. Data to standard output, all else to standard error. */
#include "agent/audit/audit_cli.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "agent/audit/audit_options.h"
#include "agent/audit/report.h"
#include "common/show.h"

enum {
	RESULT_ARENA_BYTES = 512 << 20, /* of 10,000 containers with 60 results each: grows with them, up to this */
	FACTS_ARENA_BYTES = 32 << 20,	/* of one subject */
	HOST_NAME_MAX_BYTES = 256,
};

/* ---- the audit ---- */

/* What was found in an image's files. */
struct stocked {
	const char *id;
	struct facts_stock stock;
	bool has_stock;
};

struct audit {
	const struct audit_options *o;
	struct gather *gather;
	struct arena *arena, *facts; /* results; facts of one subject */
	const struct facts_host *host;
	const struct facts_daemon *daemon;
	struct report report;
	struct stocked *stocked;
	size_t stocked_count, stocked_size;
	char host_name[HOST_NAME_MAX_BYTES];
};

static void say(const char *text)
{
	CLEANUP(buf_finip) struct buf safe = { 0 };

	buf_init(&safe, 4096);
	show_text(&safe, slice_of(text), 500);
	fprintf(stderr, "picket-agent: %s\n", safe.n ? safe.p : "");
}

static bool is_wanted(const struct audit_options *o, const struct audit_check *c)
{
	for (size_t i = 0; i < o->check_count; i++) {
		if (audit_check_is(c, o->checks[i]))
			return true;
	}
	return !o->check_count;
}

static int keep(struct audit *a, const char **text, struct err *err)
{
	*text = arena_dup(a->arena, slice_of(*text));
	return *text ? 0 : err_set(err, ERR_LIMIT, "no room for the results of the audit");
}

/* Runs them all, as some sum up others; keeps what was asked for. */
static int judge(struct audit *a, struct report_subject s, const struct facts_image *image, const struct facts_container *c,
		 struct err *err)
{
	struct audit_input in = { .host = a->host, .daemon = a->daemon, .image = image, .container = c };
	size_t n = 0;

	int r = audit_run(s.subject, &in, a->arena, &s.results, &s.count, err);
	if (r >= 0)
		r = keep(a, &s.name, err);
	if (r >= 0)
		r = keep(a, &s.id, err);
	if (r >= 0)
		r = keep(a, &s.image, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < s.count; i++) {
		if (is_wanted(a->o, s.results[i].check))
			s.results[n++] = s.results[i];
	}
	s.count = n;
	if (n)
		a->report.subjects[a->report.subject_count++] = s;
	return 0;
}

/* ---- files of images ---- */

static void use(const struct stocked *s, struct facts_image *image)
{
	if (s->has_stock)
		facts_image_stock(image, &s->stock);
}

/* Each image once, for all its containers. One that can't be read is told, and is no end of the audit. */
static int look_into(struct audit *a, struct facts_image *image, struct err *err)
{
	char text[400];
	struct err why = { 0 };

	if (!audit_options_files(a->o) || !image->id[0] || image->has_stock)
		return 0;
	for (size_t i = 0; i < a->stocked_count; i++) {
		if (!strcmp(a->stocked[i].id, image->id)) {
			use(&a->stocked[i], image);
			return 0;
		}
	}
	if (a->stocked_count == a->stocked_size) {
		size_t size = a->stocked_size ? a->stocked_size * 2 : 64;
		struct stocked *v = realloc(a->stocked, size * sizeof(*v));

		if (!v)
			return err_set(err, ENOMEM, "audit");
		a->stocked = v;
		a->stocked_size = size;
	}
	struct stocked s = { .id = image->id };
	s.has_stock = a->o->stocks->take(image->id, a->o->socket, a->arena, &s.stock, &why) >= 0;
	if (!s.has_stock) {
		snprintf(text, sizeof(text), "%.80s: its files can't be read: %s",
			 image->tags.count ? image->tags.v[0] : image->id, why.msg);
		say(text);
	}
	int r = keep(a, &s.id, err);
	if (r < 0)
		return r;
	a->stocked[a->stocked_count++] = s;
	use(&s, image);
	return 0;
}

static int judge_container(struct audit *a, const char *id, struct err *err)
{
	struct facts_container *c = arena_zalloc(a->facts, 1, sizeof(*c));
	struct facts_image *image = arena_zalloc(a->facts, 1, sizeof(*image));

	if (!c || !image)
		return err_set(err, ENOMEM, "audit");
	int r = gather_container(a->gather, id, NULL, a->facts, c, image, err);
	if (r >= 0)
		r = look_into(a, image, err);
	if (r < 0)
		return r;
	struct report_subject s = { .subject = SUBJECT_CONTAINER, .name = c->name[0] ? c->name : c->id, .id = c->id, .image = c->image };
	return judge(a, s, image->id[0] ? image : NULL, c, err);
}

static int judge_image(struct audit *a, const char *id, struct err *err)
{
	struct facts_image *image = arena_zalloc(a->facts, 1, sizeof(*image));

	if (!image)
		return err_set(err, ENOMEM, "audit");
	int r = gather_image(a->gather, id, a->facts, image, err);
	if (r >= 0)
		r = look_into(a, image, err);
	if (r < 0)
		return r;
	gather_base(a->gather, image);
	struct report_subject s = { .subject = SUBJECT_IMAGE, .id = image->id, .image = "" };
	char short_id[20];
	slice_copy(slice_sub(slice_of(image->id), 0, 19), short_id, sizeof(short_id));
	s.name = image->tags.count ? image->tags.v[0] : image->digests.count ? image->digests.v[0] : short_id;
	return judge(a, s, image, NULL, err);
}

typedef int (*judge_fn)(struct audit *a, const char *id, struct err *err);

/* asked: what is not there is the user's mistake. Else it went away in between: nothing to say. */
static int judge_all(struct audit *a, const char *const *ids, size_t count, judge_fn one, bool asked, struct err *err)
{
	for (size_t i = 0; i < count; i++) {
		arena_reset(a->facts);
		int r = one(a, ids[i], err);
		if (r == -ENOENT && asked)
			return err_set(err, ERR_NOT_FOUND, "there is no %s '%.100s' in this engine",
				       one == judge_container ? "container" : "image", ids[i]);
		if (r < 0 && r != -ENOENT)
			return r;
	}
	return 0;
}

/* Both lists before the first facts: these have their arena to themselves. */
static int judge_engine(struct audit *a, struct arena *lists, struct err *err)
{
	struct facts_texts containers = { 0 }, images = { 0 };
	const struct audit_options *o = a->o;
	bool everything = !o->container_count && !o->image_count;

	if (!a->daemon->is_known && !everything)
		return err_set(err, ERR_PEER, "%.200s", a->daemon->why);
	if (everything && a->daemon->is_known) {
		int r = gather_containers(a->gather, lists, &containers, err);
		if (r >= 0)
			r = gather_images(a->gather, lists, &images, err);
		if (r < 0)
			return r;
	}
	size_t most = 2 + o->container_count + o->image_count + containers.count + images.count;
	a->report.subjects = arena_zalloc(a->arena, most, sizeof(*a->report.subjects));
	if (!a->report.subjects)
		return err_set(err, ENOMEM, "audit");
	int r = 0;
	if (everything) {
		struct report_subject host = { .subject = SUBJECT_HOST, .name = a->host_name, .id = "", .image = "" };
		struct report_subject engine = { .subject = SUBJECT_DAEMON, .name = o->socket, .id = "", .image = "" };

		r = judge(a, host, NULL, NULL, err);
		if (r >= 0)
			r = judge(a, engine, NULL, NULL, err);
	}
	if (r >= 0)
		r = judge_all(a, o->images, o->image_count, judge_image, true, err);
	if (r >= 0)
		r = judge_all(a, images.v, images.count, judge_image, false, err);
	if (r >= 0)
		r = judge_all(a, o->containers, o->container_count, judge_container, true, err);
	if (r >= 0) {
		gather_ahead(a->gather, containers.v, containers.count);
		r = judge_all(a, containers.v, containers.count, judge_container, false, err);
	}
	return r;
}

/* ---- the output ---- */

static struct report_options report_options(const struct audit_options *o)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM"), *columns = getenv("COLUMNS");
	bool terminal = isatty(STDOUT_FILENO), is_narrow = o->container_count || o->image_count || o->check_count;
	struct report_options r = { .show_all = o->all, .show_fixes = o->fixes || is_narrow };
	struct winsize size = { 0 };
	uint64_t n = 0;

	r.hint = r.show_fixes ? "" : "--fixes says why and how to mend it; --container NAME for one container.";
	r.is_coloured = terminal && !(no_color && no_color[0]) && term && strcmp(term, "dumb") != 0;
	if (columns && slice_to_u64(slice_of(columns), &n) && n < 100000)
		r.columns = (unsigned)n;
	else if (terminal && !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size))
		r.columns = size.ws_col;
	return r;
}

static int write_report(const struct audit_options *o, const struct report *report, struct err *err)
{
	struct report_options opts = report_options(o);
	struct out out;

	int r = out_init(&out, STDOUT_FILENO, err);
	if (r >= 0 && o->list)
		r = report_checks(&opts, &out, err);
	else if (r >= 0 && o->format == FORMAT_JSON)
		r = report_json(report, &out, err);
	else if (r >= 0 && o->format == FORMAT_SARIF)
		r = report_sarif(report, &out, err);
	else if (r >= 0)
		r = report_table(report, &opts, &out, err);
	out_fini(&out);
	return r;
}

static int audit(struct audit *a, struct err *err)
{
	CLEANUP(arena_freep) struct arena *lists = arena_new(FACTS_ARENA_BYTES);
	const struct audit_options *o = a->o;

	a->arena = arena_new(RESULT_ARENA_BYTES);
	a->facts = arena_new(FACTS_ARENA_BYTES);
	if (!lists || !a->arena || !a->facts)
		return err_set(err, ENOMEM, "audit");
	/* said at once, and with the reason: who may not ask the engine learns nothing from what follows */
	if (access(o->socket, R_OK | W_OK) < 0 && errno == EACCES)
		return err_set(err, ERR_DENIED, "'%.200s' may be used by root and its group only", o->socket);
	int r = gather_new(o->socket, "/proc", &a->gather, err);
	if (r >= 0)
		gather_use_stock(a->gather, o->stocks->known, o->state_dir);
	if (r >= 0)
		r = gather_host(a->gather, &a->host, &a->daemon, err);
	if (r < 0)
		return r;
	gather_use_watched(a->gather, o->stocks->watched, o->run_dir);
	gather_watched(a->gather);
	if (gethostname(a->host_name, sizeof(a->host_name) - 1) < 0)
		a->host_name[0] = 0;
	a->report.host = a->host_name;
	a->report.engine = a->daemon->version;
	a->report.now_unix_s = (uint64_t)time(NULL);
	r = judge_engine(a, lists, err);
	return r < 0 ? r : write_report(o, &a->report, err);
}

static int run(const struct audit_options *o)
{
	struct audit a = { .o = o };
	struct err err = { 0 };
	int code = 0;

	if (geteuid())
		say("not root: the kernel shows other users' containers in part only, so that more rests on what was asked for");
	int r = audit(&a, &err);
	if (r < 0) {
		say(err.msg);
		code = err_exit_code(r);
	} else if (!a.daemon->is_known) {
		say(a.daemon->why);
		code = err_exit_code(ERR_PEER);
	} else if (o->has_gate && report_is_bad(&a.report, o->gate)) {
		code = 1;
	}
	gather_free(a.gather);
	free(a.stocked);
	arena_free(a.facts);
	arena_free(a.arena);
	return code;
}

int audit_cli(int argc, char **argv, const struct audit_stocks *stocks)
{
	struct audit_options *o = calloc(1, sizeof(*o));
	struct err err = { 0 };
	int r = o ? 0 : err_set(&err, ENOMEM, "audit");

	if (r >= 0) {
		o->stocks = stocks;
		o->state_dir = stocks->state_dir;
		o->run_dir = stocks->run_dir;
		r = audit_options_parse(argc, argv, o, &err);
	}
	if (r > 0) {
		fputs(audit_usage, stdout);
		r = 0;
	} else if (r < 0) {
		/* getopt has said what is wrong with an option itself */
		say(err.msg);
		r = err_exit_code(r);
	} else if (o->list) {
		r = write_report(o, NULL, &err);
		if (r < 0)
			say(err.msg);
		r = r < 0 ? err_exit_code(r) : 0;
	} else {
		r = run(o);
	}
	free(o);
	return r;
}
