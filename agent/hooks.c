/* hooks.c - see hooks.h. */
#include "agent/hooks.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/socket.h>

#include "agent/status.h"

enum { PEERS_MAX = 8, MEASURE_MS = 1000, MAX_DOCUMENT = 128 * 1024, ANSWER_S = 8, CALLS_WIDTH = 40 };

static const char socket_name[] = "hooks.sock";

struct hooks_server {
	struct status_socket socket;
	struct loop_fd *watch;
	struct loop_timer *timer;
	int peers[PEERS_MAX];
	size_t peer_count;
	const struct hooks_ops *ops;
	void *arg;
};

static void on_connect(void *arg, int fd, unsigned ready)
{
	struct hooks_server *s = arg;
	CLEANUP(fd_closep) int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)ready;
	if (peer < 0 || s->peer_count == PEERS_MAX)
		return;
	if (!s->peer_count) {
		s->ops->begin(s->arg);
		loop_timer_once(s->timer, MEASURE_MS);
	}
	s->peers[s->peer_count++] = take_fd(&peer);
}

static void close_peers(struct hooks_server *s)
{
	while (s->peer_count)
		close(s->peers[--s->peer_count]);
}

static void on_measured(void *arg)
{
	struct hooks_server *s = arg;
	CLEANUP(buf_finip) struct buf out = { 0 };
	struct json j;

	buf_init(&out, MAX_DOCUMENT);
	json_init(&j, &out);
	json_object_open(&j);
	s->ops->write(s->arg, &j);
	json_object_close(&j);
	buf_add_char(&out, '\n');
	for (size_t i = 0; i < s->peer_count && !out.failed; i++)
		(void)!send(s->peers[i], out.p, out.n, MSG_NOSIGNAL); /* one that went away is no error */
	close_peers(s);
}

int hooks_server_new(struct loop *l, const char *run_dir, const struct hooks_ops *ops, void *arg,
		     struct hooks_server **ret, struct err *err)
{
	struct hooks_server *s = calloc(1, sizeof(*s));

	if (!s)
		return err_set(err, ENOMEM, "hooks socket");
	s->ops = ops;
	s->arg = arg;
	int r = status_listen(run_dir, socket_name, &s->socket, err);
	if (r < 0) {
		free(s);
		return r;
	}
	s->timer = loop_timer_new(l, on_measured, s);
	s->watch = loop_fd_new(l, s->socket.fd, LOOP_READ, on_connect, s);
	if (!s->timer || !s->watch) {
		hooks_server_free(s);
		return err_set(err, ENOMEM, "hooks socket");
	}
	*ret = s;
	return 0;
}

void hooks_server_free(struct hooks_server *s)
{
	if (!s)
		return;
	close_peers(s);
	loop_fd_free(s->watch);
	loop_timer_free(s->timer);
	status_unlisten(&s->socket);
	free(s);
}

/* ---- the reader ---- */

static void print_hook(const cJSON *h)
{
	struct slice name = json_get_str(h, "name"), calls = json_get_str(h, "calls"),
		     why = json_get_str(h, "why_not");
	uint64_t seen = json_get_u64(h, "seen", 0), passed = json_get_u64(h, "passed", 0);

	if (!json_get_bool(h, "attached", false)) {
		printf("%-24.*s %-10s %.*s: %.*s\n", SLICE_FMT(name), "-", SLICE_FMT(calls), SLICE_FMT(why));
		return;
	}
	printf("%-24.*s %10" PRIu64 " %8" PRIu64 " %12" PRIu64 " %12" PRIu64 " %7.3f%% ", SLICE_FMT(name),
	       json_get_u64(h, "runs_per_second", 0), json_get_u64(h, "ns_per_run", 0), seen, passed,
	       seen ? 100.0 * (double)passed / (double)seen : 0.0);
	if (calls.n > CALLS_WIDTH)
		printf("%.*s...\n", CALLS_WIDTH, calls.p);
	else
		printf("%.*s\n", SLICE_FMT(calls));
}

static void print_text(const cJSON *doc)
{
	const cJSON *h, *hooks = cJSON_GetObjectItem(doc, "hooks");
	unsigned attached = 0, wanted = 0;

	cJSON_ArrayForEach(h, hooks)
	{
		wanted++;
		attached += json_get_bool(h, "attached", false);
	}
	printf("system calls by %.*s; %u of %u hooks attached; %.3f%% of one CPU\n",
	       SLICE_FMT(json_get_str(doc, "mode")), attached, wanted,
	       (double)json_get_u64(doc, "cpu_ppm", 0) / 10000.0);
	printf("%-24s %10s %8s %12s %12s %8s %s\n", "HOOK", "RUNS/S", "NS/RUN", "SEEN", "PASSED", "PASSED", "CALLS");
	cJSON_ArrayForEach(h, hooks)
	{
		print_hook(h);
	}
}

int hooks_show(const char *run_dir, bool as_json)
{
	CLEANUP(buf_finip) struct buf text = { 0 };
	CLEANUP(cJSON_Deletep) cJSON *doc = NULL;
	struct err err;

	buf_init(&text, MAX_DOCUMENT);
	int r = status_fetch(run_dir, socket_name, ANSWER_S, &text, &err);
	if (r >= 0)
		r = json_parse(buf_slice(&text), MAX_DOCUMENT, &doc, &err);
	if (r < 0) {
		fprintf(stderr, "picket-agent: %s\n", err.msg);
		return err_exit_code(r);
	}
	if (as_json)
		fputs(text.p, stdout);
	else
		print_text(doc);
	return 0;
}
