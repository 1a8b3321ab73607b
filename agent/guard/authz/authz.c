/* authz.c - the plugin: dockerd's calls, the policy in force, and calls that wait for what the engine has to tell.
 *
 *   AuthZReq ──► judge ──► answered
 *                  └─ something not known ──► the engine is asked ──► judge again … 5 times, 2 s at most ──► refused */
#include <errno.h>
#include <sys/inotify.h>

#include "agent/guard/authz/authz_priv.h"
#include "common/json.h"
#include "common/log.h"

/* A call that waits. */
struct waiting {
	struct authz *z;
	struct waiting *next, **prev;
	struct server_call *call;
	struct arena *arena;
	struct authz_request rq;
	struct authz_asked *asked;
	struct loop_timer *late;
	unsigned rounds;
	uint64_t took_ns;
};

struct authz {
	struct loop *loop;
	const struct clock *clk;
	struct server *server;
	struct authz_host *host;
	struct policy *policy; /* NULL: none was ever read */
	struct err policy_err; /* of the last try; code 0: in force */
	char *policy_path;
	bool is_fail_open;
	authz_fn fn;
	void *fn_arg;
	struct waiting *waiting;
	int inotify;
	struct loop_fd *watch;
	struct loop_timer *quiet;
};

/* ---- one call ---- */

static void answer(struct server_call *c, enum authz_answer what, const char *message)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct json j;

	buf_init(&b, 65536);
	json_init(&j, &b);
	json_object_open(&j);
	json_kv_bool(&j, "Allow", what == AUTHZ_ALLOW);
	if (what == AUTHZ_DENY)
		json_kv_str(&j, "Msg", message);
	else if (what == AUTHZ_ERROR)
		json_kv_str(&j, "Err", message);
	json_object_close(&j);
	server_answer(c, 200, b.failed ? SLICE_LIT("{\"Allow\":false}") : buf_slice(&b));
}

static void waiting_free(struct waiting *w)
{
	*w->prev = w->next;
	if (w->next)
		w->next->prev = w->prev;
	authz_asked_free(w->asked);
	loop_timer_free(w->late);
	arena_free(w->arena);
	free(w);
}

static void tell(struct waiting *w, const struct authz_verdict *v)
{
	char user[256], method[16];
	struct authz_told t = {
		.user = user, .method = method, .path = v->path, .container = v->container, .image = v->image,
		.rule = v->rule, .message = v->message, .kind = v->kind, .is_allowed = v->answer == AUTHZ_ALLOW,
		.is_monitored = v->is_monitored, .took_ns = w->took_ns, .unix_ns = clock_unix_ns(w->z->clk),
	};

	(void)slice_copy(w->rq.user, user, sizeof(user));
	(void)slice_copy(w->rq.method, method, sizeof(method));
	if (*v->rule)
		LOG(WARN, "guard.denied", KV_STR("rule", v->rule), KV_BOOL("enforced", !t.is_allowed), KV_STR("method", method),
		    KV_STR("path", v->path), KV_STR("container", v->container), KV_STR("image", v->image),
		    KV_STR("user", user), KV_STR("why", v->message), KV_U64("took_ns", w->took_ns));
	if (w->z->fn)
		w->z->fn(w->z->fn_arg, &t);
}

static void finish(struct waiting *w, const struct authz_verdict *v)
{
	struct server_call *c = w->call;

	if (v->kind != AUTHZ_READ && v->kind != AUTHZ_HARMLESS)
		tell(w, v);
	waiting_free(w);
	answer(c, v->answer, v->message);
}

static void judge(struct waiting *w, struct authz_verdict *v)
{
	struct authz *z = w->z;
	const struct clock *clk = z->clk;
	uint64_t from = clock_boot_ns(clk);

	authz_judge(z->policy, &w->rq, &authz_host_ops, w->asked, clock_unix_ns(clk) / 1000000000u, v);
	/* Without any policy nothing was judged but the form. */
	if (!z->policy && z->is_fail_open && v->answer != AUTHZ_ALLOW) {
		v->answer = AUTHZ_ALLOW;
		v->is_monitored = true;
	}
	w->took_ns += clock_boot_ns(clk) - from;
}

static void go_on(void *arg)
{
	struct waiting *w = arg;
	struct authz_verdict v;

	judge(w, &v);
	if (w->rounds++ < AUTHZ_ROUNDS && authz_asked_put(w->asked, go_on, w))
		return;
	finish(w, &v);
}

/* As it stands without what did not come. */
static void on_late(void *arg)
{
	struct waiting *w = arg;
	struct authz_verdict v;

	judge(w, &v);
	finish(w, &v);
}

static void on_request(struct authz *z, struct server_call *c, struct slice body)
{
	struct waiting *w = calloc(1, sizeof(*w));
	struct err err = { 0 };

	authz_host_ask_version(z->host); /* an engine that asks can answer */
	if (!w) {
		answer(c, AUTHZ_ERROR, "out of memory");
		return;
	}
	w->z = z;
	w->call = c;
	w->next = z->waiting;
	w->prev = &z->waiting;
	z->waiting = w;
	if (w->next)
		w->next->prev = &w->next;
	w->arena = arena_new(AUTHZ_ARENA_BYTES);
	w->asked = authz_asked_new(z->host);
	w->late = loop_timer_new(z->loop, on_late, w);
	int r = w->arena && w->asked && w->late ? authz_envelope(body, w->arena, &w->rq, &err) :
						  err_set(&err, ENOMEM, "a request");
	if (r < 0) {
		LOG(ERROR, "guard.request", KV_STR("why", err.msg));
		waiting_free(w);
		answer(c, AUTHZ_ERROR, err.msg);
		return;
	}
	server_call_set(c, w);
	loop_timer_once(w->late, AUTHZ_WAIT_MS);
	go_on(w);
}

static void on_call(void *arg, struct server_call *c, struct slice path, struct slice body)
{
	struct authz *z = arg;

	if (slice_is(path, "/Plugin.Activate"))
		server_answer(c, 200, SLICE_LIT("{\"Implements\":[\"authz\"]}"));
	else if (slice_is(path, "/AuthZPlugin.AuthZReq"))
		on_request(z, c, body);
	else if (slice_is(path, "/AuthZPlugin.AuthZRes"))
		answer(c, AUTHZ_ALLOW, ""); /* it is done already */
	else
		server_answer(c, 404, SLICE_LIT("{\"Err\":\"no such call\"}"));
}

static void on_gone(void *arg, struct server_call *c)
{
	(void)arg;
	if (server_call_get(c))
		waiting_free(server_call_get(c));
}

/* ---- the policy ---- */

/* What goes wrong is told, and kept in policy_err. */
static int reload(struct authz *z)
{
	struct policy *p = NULL;
	struct err why = { 0 };
	int r = policy_load(z->policy_path, &p, &why);

	if (r < 0) {
		z->policy_err = why;
		LOG(ERROR, "guard.policy", KV_STR("why", why.msg),
		    KV_STR("in_force", z->policy ? policy_digest(z->policy) : z->is_fail_open ? "none: all is allowed" : "none: all that is guarded is refused"));
		return r;
	}
	policy_free(z->policy);
	z->policy = p;
	z->policy_err = (struct err){ 0 };
	LOG(INFO, "guard.policy", KV_STR("path", z->policy_path), KV_STR("digest", policy_digest(p)));
	return 0;
}

int authz_reload(struct authz *z, struct err *err)
{
	int r = reload(z);

	if (r < 0 && err)
		*err = z->policy_err;
	return r;
}

const char *authz_policy_error(const struct authz *z)
{
	return z->policy_err.code ? z->policy_err.msg : "";
}

static void on_quiet(void *arg)
{
	reload(arg);
}

static void on_inotify(void *arg, int fd, unsigned ready)
{
	char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	struct authz *z = arg;
	const char *slash = strrchr(z->policy_path, '/');
	const char *name = slash ? slash + 1 : z->policy_path;
	ssize_t n;

	(void)ready;
	while ((n = read(fd, events, sizeof(events))) > 0) {
		for (char *p = events; p < events + n;) {
			const struct inotify_event *e = (const void *)p;

			if ((e->mask & IN_Q_OVERFLOW) || (e->len && !strcmp(e->name, name)))
				loop_timer_once(z->quiet, AUTHZ_QUIET_MS);
			p += sizeof(*e) + e->len;
		}
	}
}

/* The folder, since editors and packages put a new file into the old one's place. */
static void watch(struct authz *z)
{
	const char *slash = strrchr(z->policy_path, '/');
	CLEANUP(freep) char *folder = slash ? strndup(z->policy_path, slash == z->policy_path ? 1 : (size_t)(slash - z->policy_path)) : strdup(".");

	z->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (z->inotify < 0 || !folder ||
	    inotify_add_watch(z->inotify, folder, IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_MOVED_FROM) < 0) {
		LOG(WARN, "guard.watch", KV_STR("folder", folder), KV_STR("why", strerror(errno)));
		return;
	}
	z->watch = loop_fd_new(z->loop, z->inotify, LOOP_READ, on_inotify, z);
}

/* ---- life ---- */

int authz_new(struct loop *l, const struct clock *clk, const struct authz_config *cfg, authz_fn fn, void *fn_arg,
	      struct authz **ret, struct err *err)
{
	CLEANUP(authz_freep) struct authz *z = calloc(1, sizeof(*z));

	if (!z)
		return err_set(err, ENOMEM, "admission");
	z->loop = l;
	z->clk = clk;
	z->inotify = -1;
	z->is_fail_open = cfg->is_fail_open;
	z->fn = fn;
	z->fn_arg = fn_arg;
	z->policy_path = strdup(cfg->policy_path);
	z->quiet = loop_timer_new(l, on_quiet, z);
	if (!z->policy_path || !z->quiet)
		return err_set(err, ENOMEM, "admission");
	int r = authz_host_new(l, cfg->docker_socket, cfg->scan_path, &z->host, err);
	if (r < 0)
		return r;
	watch(z); /* before it is read, so that no change is missed */
	reload(z);
	r = server_new(l, cfg->socket_path, cfg->inherited_fd, on_call, on_gone, z, &z->server, err);
	if (r >= 0)
		*ret = take_ptr(z);
	return r;
}

void authz_free(struct authz *z)
{
	if (!z)
		return;
	server_free(z->server);
	while (z->waiting)
		waiting_free(z->waiting);
	loop_fd_free(z->watch);
	if (z->inotify >= 0)
		close(z->inotify);
	loop_timer_free(z->quiet);
	authz_host_free(z->host);
	policy_free(z->policy);
	free(z->policy_path);
	free(z);
}
