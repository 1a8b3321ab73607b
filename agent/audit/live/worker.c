/* worker.c - `picket-agent audit-worker`: answers the agent's questions (frame.h) until it is asked no more. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "agent/audit/gather.h"
#include "agent/audit/live/frame.h"
#include "agent/audit/live/live.h"
#include "agent/audit/live/report.h"
#include "agent/audit/live/workload.h"
#include "common/clock.h"

enum {
	IDLE_MS = 60000,
	ARENA_BYTES = 64 * 1024 * 1024,
	POLICY_ARENA_BYTES = 4 * 1024 * 1024,
	NICE = 5,
};
#define HOST_AGE_NS (60 * 1000000000ull) /* what is known of host and engine, when containers are judged */

struct audit_worker {
	const char *docker_socket, *policy_path, *proc_root, *state_dir, *run_dir;
	struct gather *gather;
	const struct facts_host *host;
	const struct facts_daemon *daemon;
	uint64_t host_ns; /* when they were read; 0: never */
	struct arena *arena;
	struct buf out;
	char catalogue[MSG_CATALOGUE_KEY_MAX];
	struct policy *policy; /* nullable */
	struct timespec policy_mtime;
	off_t policy_size;
};

static int read_args(int argc, char **argv, struct audit_worker *w)
{
	w->docker_socket = "/var/run/docker.sock";
	w->policy_path = w->state_dir = w->run_dir = "";
	w->proc_root = "/proc";
	for (int i = 2; i + 1 < argc; i += 2) {
		if (!strcmp(argv[i], "--docker-socket"))
			w->docker_socket = argv[i + 1];
		else if (!strcmp(argv[i], "--policy"))
			w->policy_path = argv[i + 1];
		else if (!strcmp(argv[i], "--state-dir"))
			w->state_dir = argv[i + 1];
		else if (!strcmp(argv[i], "--run-dir"))
			w->run_dir = argv[i + 1];
		else if (!strcmp(argv[i], "--proc-root"))
			w->proc_root = argv[i + 1];
		else
			return 2;
	}
	return argc % 2 ? 2 : 0;
}

static int write_all(struct buf *out)
{
	for (size_t at = 0; at < out->n;) {
		ssize_t n = write(STDOUT_FILENO, out->p + at, out->n - at);

		if (n < 0 && errno != EINTR)
			return -errno;
		at += n > 0 ? (size_t)n : 0;
	}
	buf_reset(out);
	return 0;
}

/* One that does not load leaves the one that did; the agent tells of it. */
static void load_policy(struct audit_worker *w)
{
	struct stat st;
	struct policy *p;

	if (!*w->policy_path)
		return;
	if (stat(w->policy_path, &st) < 0) {
		if (errno == ENOENT) {
			policy_free(take_ptr(w->policy));
			w->policy_size = 0;
		}
		return;
	}
	if (w->policy && st.st_size == w->policy_size && st.st_mtim.tv_sec == w->policy_mtime.tv_sec &&
	    st.st_mtim.tv_nsec == w->policy_mtime.tv_nsec)
		return;
	if (policy_load(w->policy_path, &p, NULL) < 0)
		return;
	policy_free(w->policy);
	w->policy = p;
	w->policy_size = st.st_size;
	w->policy_mtime = st.st_mtim;
}

static int know_host(struct audit_worker *w, bool is_fresh, struct err *err)
{
	uint64_t now = clock_boot_ns(clock_real());

	if (!is_fresh && w->host_ns && now - w->host_ns < HOST_AGE_NS && w->daemon->is_known)
		return 0;
	w->host_ns = 0;
	int r = gather_host(w->gather, &w->host, &w->daemon, err);
	if (r >= 0)
		w->host_ns = now;
	return r;
}

/* ---- the questions ---- */

static int tell(struct audit_worker *w, const struct report_subject *s, const struct audit_input *in,
		const struct policy_verdict *verdict, struct err *err)
{
	CLEANUP(buf_finip) struct buf report = { 0 };
	struct audit_result *results;
	size_t count;

	int r = audit_run(s->kind, in, w->arena, &results, &count, err);
	if (r >= 0)
		r = report_pack(s, results, count, verdict, w->arena, &report, err);
	if (r >= 0)
		frame_add(&w->out, FRAME_REPORT, buf_slice(&report));
	return r;
}

static int answer_host(struct audit_worker *w, const char *trigger, struct err *err)
{
	struct report_subject s = { SUBJECT_HOST, "", "", "", "", trigger, w->catalogue };

	int r = know_host(w, true, err);
	if (r < 0)
		return r;
	gather_watched(w->gather);
	struct audit_input in = { .host = w->host, .daemon = w->daemon };
	return tell(w, &s, &in, NULL, err);
}

static int answer_daemon(struct audit_worker *w, const char *trigger, struct err *err)
{
	struct report_subject s = { SUBJECT_DAEMON, w->docker_socket, "docker", "", "", trigger, w->catalogue };

	int r = know_host(w, true, err);
	if (r < 0)
		return r;
	if (!w->daemon->is_known)
		return err_set(err, ENOTCONN, "%s", w->daemon->why);
	struct audit_input in = { .host = w->host, .daemon = w->daemon };
	return tell(w, &s, &in, NULL, err);
}

static void tell_rights(struct audit_worker *w, const struct facts_container *c)
{
	char text[100];

	if (!c->real.is_known)
		return;
	int n = snprintf(text, sizeof(text), "%s %" PRIx64, c->id, c->real.init.cap_bounding);
	frame_add(&w->out, FRAME_RIGHTS, slice_from(text, (size_t)n));
}

static int judge_policy(struct audit_worker *w, const struct facts_container *c, const struct facts_image *image,
			struct policy_verdict *ret, struct err *err)
{
	struct policy_workload load;

	int r = workload_of(c, image, w->host, w->daemon, w->arena, &load, err);
	return r < 0 ? r : policy_judge(w->policy, &load, (uint64_t)time(NULL), w->arena, ret, err);
}

static void tell_known(struct audit_worker *w, const struct facts_container *c)
{
	CLEANUP(buf_finip) struct buf text = { 0 };

	buf_init(&text, FACTS_KNOWN_BYTES + 80);
	buf_printf(&text, "%s ", c->id);
	facts_known_write(&c->real, &text);
	if (!text.failed)
		frame_add(&w->out, FRAME_KNOWN, buf_slice(&text));
}

/* word: what tell_known told of it earlier; nonsense is as good as nothing. */
static int answer_container(struct audit_worker *w, const char *id, const char *trigger, struct slice word, struct err *err)
{
	struct facts_known known = { 0 };
	struct facts_container c;
	struct facts_image image;
	struct policy_verdict verdict = { 0 };

	int r = know_host(w, false, err);
	if (r >= 0)
		r = gather_container(w->gather, id, facts_known_read(word, &known, NULL) < 0 ? NULL : &known, w->arena, &c, &image, err);
	if (r == -ENOENT)
		return 0; /* it is gone already: there is nothing to judge */
	load_policy(w);
	if (r >= 0 && w->policy)
		r = judge_policy(w, &c, &image, &verdict, err);
	if (r < 0)
		return r;
	struct report_subject s = { SUBJECT_CONTAINER, c.id, c.name, c.image, c.image_id, trigger, w->catalogue };
	struct audit_input in = { .host = w->host, .daemon = w->daemon, .image = &image, .container = &c };
	r = tell(w, &s, &in, w->policy ? &verdict : NULL, err);
	if (r >= 0) {
		tell_rights(w, &c);
		tell_known(w, &c);
	}
	return r;
}

static int answer_image(struct audit_worker *w, const char *id, const char *trigger, struct err *err)
{
	struct facts_image image;

	int r = know_host(w, false, err);
	if (r >= 0)
		r = gather_image(w->gather, id, w->arena, &image, err);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	gather_base(w->gather, &image);
	const char *name = image.tags.count ? image.tags.v[0] : image.id;
	struct report_subject s = { SUBJECT_IMAGE, image.id, name, name, image.id, trigger, w->catalogue };
	struct audit_input in = { .host = w->host, .daemon = w->daemon, .image = &image };
	return tell(w, &s, &in, NULL, err);
}

static int answer_images(struct audit_worker *w, struct err *err)
{
	CLEANUP(buf_finip) struct buf text = { 0 };
	struct facts_texts ids = { 0 };

	int r = gather_images(w->gather, w->arena, &ids, err);
	if (r < 0)
		return r;
	buf_init(&text, FRAME_BYTES_MAX);
	for (size_t i = 0; i < ids.count && text.n + strlen(ids.v[i]) + 1 < FRAME_BYTES_MAX; i++)
		buf_printf(&text, "%s%s", text.n ? " " : "", ids.v[i]);
	if (text.failed)
		return err_set(err, ENOMEM, "list of images");
	frame_add(&w->out, FRAME_IMAGES, buf_slice(&text));
	return 0;
}

static int answer(struct audit_worker *w, const struct question *q, struct err *err)
{
	char id[80], trigger[20];

	if (!slice_copy(q->id, id, sizeof(id)) || !slice_copy(q->trigger, trigger, sizeof(trigger)))
		return err_set(err, ERR_SYNTAX, "audit worker: no question");
	if (slice_is(q->subject, "container"))
		return answer_container(w, id, trigger, q->known, err);
	if (slice_is(q->subject, "image"))
		return answer_image(w, id, trigger, err);
	if (slice_is(q->subject, "daemon"))
		return answer_daemon(w, trigger, err);
	if (slice_is(q->subject, "images"))
		return answer_images(w, err);
	if (slice_is(q->subject, "ready"))
		return know_host(w, false, err);
	if (slice_is(q->subject, "host"))
		return answer_host(w, trigger, err);
	return err_set(err, ERR_SYNTAX, "audit worker: no question");
}

static int answer_line(struct audit_worker *w, struct slice line)
{
	struct question q;
	struct err err = { 0 };
	size_t before = w->out.n;

	arena_reset(w->arena);
	int r = question_read(line, &q, &err);
	if (r >= 0)
		r = answer(w, &q, &err);
	if (r >= 0 && w->out.failed)
		r = err_set(&err, ENOMEM, "report of an audit");
	if (r < 0) {
		bool was_full = w->out.failed;
		w->out.n = was_full ? 0 : before;
		w->out.failed = false;
		frame_add(&w->out, FRAME_ERROR, slice_of(err.msg));
	}
	frame_add(&w->out, FRAME_DONE, SLICE_NONE);
	return write_all(&w->out);
}

/* ---- */

static int open_worker(struct audit_worker *w, const struct audit_outside *outside, struct err *err)
{
	CLEANUP(buf_finip) struct buf catalogue = { 0 };

	buf_init(&w->out, 4 * FRAME_BYTES_MAX);
	w->arena = arena_new(ARENA_BYTES);
	if (!w->arena)
		return err_set(err, ENOMEM, "audit worker");
	int r = gather_new(w->docker_socket, w->proc_root, &w->gather, err);
	if (r >= 0 && *w->state_dir)
		gather_use_stock(w->gather, outside->stock, w->state_dir);
	if (r >= 0 && *w->run_dir)
		gather_use_watched(w->gather, outside->watched, w->run_dir);
	if (r >= 0)
		r = report_catalogue(w->arena, &catalogue, w->catalogue, err);
	if (r >= 0)
		frame_add(&w->out, FRAME_CATALOGUE, buf_slice(&catalogue));
	return r;
}

/* Lines as they come; ends when the agent does, or has asked nothing for a while. */
static int serve(struct audit_worker *w)
{
	char text[QUESTION_BYTES_MAX * 2];
	size_t n = 0;

	for (;;) {
		struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };
		int ready = poll(&p, 1, IDLE_MS);

		if (ready < 0 && errno == EINTR)
			continue;
		if (ready <= 0)
			return 0;
		ssize_t got = read(STDIN_FILENO, text + n, sizeof(text) - n);
		if (got <= 0)
			return 0;
		n += (size_t)got;
		for (char *end; (end = memchr(text, '\n', n));) {
			size_t line = (size_t)(end - text);

			if (answer_line(w, slice_from(text, line)) < 0)
				return 1;
			n -= line + 1;
			memmove(text, end + 1, n);
		}
		if (n == sizeof(text))
			return 2;
	}
}

static void close_worker(struct audit_worker *w)
{
	policy_free(w->policy);
	gather_free(w->gather);
	arena_free(w->arena);
	buf_fini(&w->out);
}

int audit_worker_main(int argc, char **argv, const struct audit_outside *outside)
{
	struct audit_worker w = { 0 };
	struct err err = { 0 };

	if (argc < 2 || strcmp(argv[1], "audit-worker") != 0)
		return -1;
	int r = read_args(argc, argv, &w);
	if (r)
		return r;
	/* The agent goes first when both want the processor, and must not be outlived. */
	(void)setpriority(PRIO_PROCESS, 0, NICE);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	r = open_worker(&w, outside, &err) < 0 ? 1 : serve(&w);
	if (*err.msg)
		fprintf(stderr, "picket-agent: audit-worker: %s\n", err.msg);
	close_worker(&w);
	return r;
}
