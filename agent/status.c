/* status.c - see status.h. The document is small enough for the socket's buffer: one write, no state. */
#include "agent/status.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "common/file.h"
#include "common/log.h"

enum { MAX_DOCUMENT = 64 * 1024, PATIENCE_S = 5 };

static const char socket_name[] = "agent.sock";

struct status_server {
	struct status_socket socket;
	struct loop_fd *watch;
	status_fn fn;
	void *arg;
};

static int socket_path(const char *run_dir, const char *name, struct sockaddr_un *ret, struct err *err)
{
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	int n = snprintf(ret->sun_path, sizeof(ret->sun_path), "%s/%s", run_dir, name);
	if (n < 0 || (size_t)n >= sizeof(ret->sun_path))
		return err_set(err, ENAMETOOLONG, "run_dir '%s'", run_dir);
	return 0;
}

static void on_connect(void *arg, int fd, unsigned ready)
{
	struct status_server *s = arg;
	CLEANUP(fd_closep) int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	CLEANUP(buf_finip) struct buf out = { 0 };
	struct json j;

	(void)ready;
	if (peer < 0)
		return;
	buf_init(&out, MAX_DOCUMENT);
	json_init(&j, &out);
	json_object_open(&j);
	s->fn(s->arg, &j);
	json_object_close(&j);
	buf_add_char(&out, '\n');
	if (!out.failed)
		(void)!send(peer, out.p, out.n, MSG_NOSIGNAL); /* a reader that went away is no error */
}

int status_listen(const char *run_dir, const char *name, struct status_socket *ret, struct err *err)
{
	struct sockaddr_un sa;
	CLEANUP(fd_closep) int fd = -1;
	int r = socket_path(run_dir, name, &sa, err);

	if (r >= 0)
		r = file_make_dirs(run_dir, 0755, err);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set(err, errno, "status socket");
	unlink(sa.sun_path);
	mode_t old = umask(0177);
	r = bind(fd, (struct sockaddr *)&sa, sizeof(sa));
	umask(old);
	if (r < 0 || listen(fd, 8) < 0)
		return err_set(err, errno, "status socket '%s'", sa.sun_path);
	memcpy(ret->path, sa.sun_path, sizeof(ret->path));
	ret->fd = take_fd(&fd);
	return 0;
}

void status_unlisten(struct status_socket *s)
{
	close(s->fd);
	unlink(s->path);
}

int status_server_new(struct loop *l, const char *run_dir, status_fn fn, void *arg,
		      struct status_server **ret, struct err *err)
{
	struct status_server *s = calloc(1, sizeof(*s));

	if (!s)
		return err_set(err, ENOMEM, "status socket");
	s->fn = fn;
	s->arg = arg;
	int r = status_listen(run_dir, socket_name, &s->socket, err);
	if (r < 0) {
		free(s);
		return r;
	}
	s->watch = loop_fd_new(l, s->socket.fd, LOOP_READ, on_connect, s);
	if (!s->watch) {
		status_server_free(s);
		return err_set(err, ENOMEM, "status socket");
	}
	*ret = s;
	return 0;
}

void status_server_free(struct status_server *s)
{
	if (!s)
		return;
	loop_fd_free(s->watch);
	status_unlisten(&s->socket);
	free(s);
}

/* ---- the reader ---- */

int status_fetch(const char *run_dir, const char *name, unsigned patience_s, struct buf *ret, struct err *err)
{
	struct sockaddr_un sa;
	CLEANUP(fd_closep) int fd = -1;
	char piece[4096];
	const struct timeval patience = { .tv_sec = patience_s };
	int r = socket_path(run_dir, name, &sa, err);

	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_set(err, errno, "status socket");
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		if (errno == EACCES)
			return err_set(err, EACCES, "'%s'", sa.sun_path);
		return err_set(err, ERR_PEER,
			       "no agent answers at '%s': is it running (picket-agent run), and as which run_dir?",
			       sa.sun_path);
	}
	for (;;) {
		ssize_t n = read(fd, piece, sizeof(piece));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(err, errno == EAGAIN ? ETIMEDOUT : errno, "the agent does not answer");
		if (!n)
			return 0;
		buf_add(ret, piece, (size_t)n);
	}
}

static void print_sensors(const cJSON *doc)
{
	const cJSON *s;

	puts("sensors");
	cJSON_ArrayForEach(s, cJSON_GetObjectItem(doc, "sensors"))
	{
		struct slice name = json_get_str(s, "name"), why = json_get_str(s, "why_not");

		if (json_get_bool(s, "attached", false))
			printf("  %-24.*s attached\n", SLICE_FMT(name));
		else
			printf("  %-24.*s NOT attached: %.*s\n", SLICE_FMT(name), SLICE_FMT(why));
	}
}

static void print_rules(const cJSON *doc)
{
	const cJSON *load = cJSON_GetObjectItem(doc, "rules_load"), *rsp = cJSON_GetObjectItem(doc, "response");
	struct slice error = json_get_str(load, "error");

	printf("rules       %" PRIu64 " (%.*s), loaded %.*s\n", json_get_u64(doc, "rules", 0),
	       SLICE_FMT(json_get_str(doc, "rules_version")), SLICE_FMT(json_get_str(load, "time")));
	if (error.n)
		printf("            NOT loaded again, the old ones stay: %.*s\n", SLICE_FMT(error));
	printf("responses   %.*s; %" PRIu64 " done, %" PRIu64 " not done\n", SLICE_FMT(json_get_str(rsp, "mode")),
	       json_get_u64(rsp, "done", 0), json_get_u64(rsp, "not_done", 0));
}

/* Of those the policy would refuse, and why they are not scanned. */
static void print_unscanned(const cJSON *images)
{
	const cJSON *all = cJSON_GetObjectItem(images, "unscanned"), *i;
	struct slice matched = json_get_str(images, "matched");

	printf("scans       %" PRIu64 " images scanned for the policy, %" PRIu64 " not; vulnerability data of %.*s\n",
	       json_get_u64(images, "scanned", 0), json_get_u64(images, "unscanned_count", 0),
	       SLICE_FMT(matched.n ? matched : SLICE_LIT("never")));
	cJSON_ArrayForEach(i, all)
	{
		struct slice name = json_get_str(i, "name");

		printf("            %.*s is not scanned: %.*s\n", SLICE_FMT(name.n ? name : json_get_str(i, "image")),
		       SLICE_FMT(json_get_str(i, "why")));
	}
}

static double ms(const cJSON *o, const char *key)
{
	return (double)json_get_u64(o, key, 0) / 1000;
}

static void print_audit(const cJSON *audit)
{
	if (!json_get_bool(audit, "enabled", false)) {
		printf("audit       off\n");
		return;
	}
	printf("audit       %" PRIu64 " reports, %" PRIu64 " failed; of %" PRIu64 " starts: mean %.1f ms, last %.1f ms, worst %.1f ms, %" PRIu64
	       " later than %.0f ms\n",
	       json_get_u64(audit, "reports", 0), json_get_u64(audit, "failed", 0), json_get_u64(audit, "starts", 0),
	       ms(audit, "mean_took_us"), ms(audit, "last_took_us"), ms(audit, "worst_took_us"), json_get_u64(audit, "late", 0),
	       ms(audit, "late_after_us"));
}

static void print_images(const cJSON *images)
{
	const cJSON *failed = cJSON_GetObjectItem(images, "failed"), *f;

	if (!json_get_bool(images, "enabled", false)) {
		printf("images      not looked at\n");
		return;
	}
	if (json_get_bool(images, "scans_wanted", false))
		print_unscanned(images);
	printf("images      %" PRIu64 " running, stock of %" PRIu64 " of %" PRIu64 " taken, %" PRIu64
	       " known to the collector; %" PRIu64 " packages in use\n",
	       json_get_u64(images, "running", 0), json_get_u64(images, "stock", 0),
	       json_get_u64(images, "images", 0), json_get_u64(images, "known", 0),
	       json_get_u64(images, "packages_used", 0));
	cJSON_ArrayForEach(f, failed) printf("            NOT read: %.*s %.*s: %.*s\n", SLICE_FMT(json_get_str(f, "name")),
					     SLICE_FMT(json_get_str(f, "image")), SLICE_FMT(json_get_str(f, "why")));
}

static void print_text(const cJSON *doc)
{
	const cJSON *up = cJSON_GetObjectItem(doc, "uplink"), *ev = cJSON_GetObjectItem(doc, "events");
	const cJSON *w = cJSON_GetObjectItem(doc, "world");
	bool healthy = json_get_bool(doc, "healthy", false);

	printf("picket-agent %.*s on %.*s: %s\n", SLICE_FMT(json_get_str(doc, "version")),
	       SLICE_FMT(json_get_str(doc, "host")), healthy ? "healthy" : "NOT healthy");
	printf("collector   %s: %.*s\n", json_get_bool(up, "connected", false) ? "connected" : "NOT connected",
	       SLICE_FMT(json_get_str(up, "why")));
	printf("events      %" PRIu64 " seen, %" PRIu64 " lost in the kernel, %" PRIu64 " rule matches, %" PRIu64
	       " of them folded\n",
	       json_get_u64(ev, "seen", 0), json_get_u64(ev, "lost", 0), json_get_u64(ev, "matches", 0),
	       json_get_u64(ev, "folded", 0));
	printf("spool       %" PRIu64 " records, %" PRIu64 " bytes waiting; %" PRIu64 " produced, %" PRIu64
	       " acknowledged, %" PRIu64 " lost\n",
	       json_get_u64(up, "spool_records", 0), json_get_u64(up, "spool_bytes", 0),
	       json_get_u64(up, "produced", 0), json_get_u64(up, "acked", 0),
	       json_get_u64(up, "lost", 0) + json_get_u64(ev, "unkept", 0));
	print_rules(doc);
	printf("engine      %s\n", json_get_bool(w, "engine_connected", false)	  ? "docker, connected"
				   : json_get_bool(w, "engine_configured", true) ? "docker NOT connected"
										 : "none configured");
	printf("world       %" PRIu64 " processes, %" PRIu64 " containers\n", json_get_u64(w, "processes", 0),
	       json_get_u64(w, "containers", 0));
	print_images(cJSON_GetObjectItem(doc, "images"));
	print_audit(cJSON_GetObjectItem(doc, "audit"));
	printf("memory      %" PRIu64 " KiB resident\n", json_get_u64(doc, "rss_bytes", 0) / 1024);
	print_sensors(doc);
}

int status_show(const char *run_dir, bool as_json)
{
	CLEANUP(buf_finip) struct buf text = { 0 };
	CLEANUP(cJSON_Deletep) cJSON *doc = NULL;
	struct err err;

	buf_init(&text, MAX_DOCUMENT);
	int r = status_fetch(run_dir, socket_name, PATIENCE_S, &text, &err);
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
	return json_get_bool(doc, "healthy", false) ? 0 : 1;
}
