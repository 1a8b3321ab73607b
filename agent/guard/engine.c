/* engine.c - what is asked of the Docker Engine about one container.
 *
 *   GET  /containers/ID/json        is it there, is it one of ours, what is there to do
 *   POST /containers/ID/stop|pause  or /networks/N/disconnect, and from the top: until it is in none
 *
 * A dry run ends after the first. A container that is only being started when a rule matches in it is
 * looked at again until the engine has started it: asked earlier it would say that nothing runs. */
#include <errno.h>

#include "agent/guard/guard_priv.h"

enum { URL_BYTES = 256, BODY_BYTES = 160, MESSAGE_BYTES = 140 };

struct job {
	struct engine *e;
	struct fetch *fetch; /* nullable */
	struct loop_timer *again;
	struct guard_act act; /* rule NULL: free */
	unsigned looks, left; /* left: networks */
	bool is_counted;      /* the rate has let it through */
};

struct engine {
	struct guard *guard;
	struct fetch_pool *fetch;
	const struct guard_family *family;
	char *socket_path;
	struct job jobs[GUARD_JOBS];
};

static void look(struct job *j);

static void end(struct job *j, enum guard_outcome what, const char *why)
{
	struct guard_act act = j->act;
	char text[GUARD_WHY_BYTES];

	if (what != GUARD_DONE && j->left)
		snprintf(text, sizeof(text), "left %u networks, then: %.200s", j->left, why);
	else
		snprintf(text, sizeof(text), "%s", why);
	loop_timer_stop(j->again);
	j->act.rule = NULL;
	j->fetch = NULL;
	guard_tell(j->e->guard, &act, what, text);
}

static void ask(struct job *j, const char *method, const char *url, const char *body,
		void (*on_done)(void *arg, const struct fetch_result *r))
{
	static const char *const headers[] = { "Content-Type: application/json", NULL };
	struct fetch_request rq = {
		.url = url,
		.unix_socket = j->e->socket_path,
		.method = method,
		.headers = body ? headers : NULL,
		.body = slice_of(body),
		.timeout_ms = GUARD_ENGINE_TIMEOUT_MS,
		.max_body_bytes = GUARD_ENGINE_BYTES,
		.on_done = on_done,
		.arg = j,
	};
	struct err err = { 0 };

	if (fetch_start(j->e->fetch, &rq, &j->fetch, &err) < 0)
		end(j, GUARD_REFUSED, err.msg);
}

/* What neither succeeded nor is one of the answers that mean something. */
static void end_refused(struct job *j, const struct fetch_result *r)
{
	char why[GUARD_WHY_BYTES], message[MESSAGE_BYTES];

	if (r->code == ETIMEDOUT)
		snprintf(why, sizeof(why), "the engine did not answer within %d s",
			 GUARD_ENGINE_TIMEOUT_MS / 1000);
	else if (r->code)
		snprintf(why, sizeof(why), "the engine did not answer: %.180s", r->message);
	else if (r->status == 404)
		snprintf(why, sizeof(why), "already gone");
	else {
		inspect_message(r->body, message, sizeof(message));
		snprintf(why, sizeof(why), "the engine answered %ld%s%s", r->status, *message ? ": " : "", message);
	}
	end(j, GUARD_REFUSED, why);
}

static void on_done(void *arg, const struct fetch_result *r)
{
	struct job *j = arg;

	j->fetch = NULL;
	if (!r->code && r->status == 304)
		end(j, GUARD_REFUSED, "already stopped");
	else if (r->code || r->status / 100 != 2)
		end_refused(j, r);
	else if (j->act.action != GUARD_DISCONNECT)
		end(j, GUARD_DONE, "");
	else if (++j->left >= GUARD_NETWORKS_MAX)
		end(j, GUARD_REFUSED, "still in a network");
	else
		look(j);
}

static void post(struct job *j, const struct inspect *in)
{
	char url[URL_BYTES], body[BODY_BYTES];

	switch (j->act.action) {
	case GUARD_STOP: /* SIGKILL from the first: SIGTERM would let what is stopped have a last word */
		snprintf(url, sizeof(url), "http://docker/containers/%s/stop?signal=SIGKILL&t=0", j->act.id);
		ask(j, "POST", url, NULL, on_done);
		return;
	case GUARD_PAUSE:
		snprintf(url, sizeof(url), "http://docker/containers/%s/pause", j->act.id);
		ask(j, "POST", url, NULL, on_done);
		return;
	case GUARD_DISCONNECT:
		snprintf(url, sizeof(url), "http://docker/networks/%s/disconnect", in->network);
		snprintf(body, sizeof(body), "{\"Container\":\"%s\",\"Force\":true}", j->act.id);
		ask(j, "POST", url, body, on_done);
		return;
	case GUARD_KILL:
	case GUARD_ACTION_COUNT:
		break;
	}
	end(j, GUARD_REFUSED, "no such action");
}

static const char *network_why(const struct inspect *in)
{
	switch (in->net) {
	case NET_OWN:
		return NULL;
	case NET_HOST:
		return "it is in the host's network: can't be disconnected";
	case NET_SHARED:
		return "it shares another container's network: disconnect that one";
	case NET_NONE:
		break;
	}
	return "it is in no network";
}

/* NULL: go on. */
static const char *why_not(const struct job *j, const struct inspect *in)
{
	const struct guard_family *f = j->e->family;

	if (!strcmp(f->container_id, j->act.id) || (in->pid && family_has(f, in->pid, 0)))
		return "protected: the agent runs in it";
	if (in->role)
		return *in->role == 'a' ? "protected: labelled picket.role=agent"
					: "protected: labelled picket.role=collector";
	if (!in->is_running)
		return "already stopped";
	if (j->act.action == GUARD_DISCONNECT)
		return network_why(in);
	return j->act.action == GUARD_PAUSE && in->is_paused ? "already paused" : NULL;
}

static void on_look(void *arg, const struct fetch_result *r)
{
	struct job *j = arg;
	struct inspect in;
	struct err err = { 0 };
	char text[GUARD_WHY_BYTES];
	const char *why;

	j->fetch = NULL;
	if (r->code || r->status != 200) {
		end_refused(j, r);
		return;
	}
	if (inspect_parse(r->body, j->act.id, &in, &err) < 0) {
		snprintf(text, sizeof(text), "the engine's answer: %.200s", err.msg);
		end(j, GUARD_REFUSED, text);
		return;
	}
	if (in.is_created && j->looks < GUARD_STARTING_TRIES) {
		loop_timer_once(j->again, GUARD_STARTING_MS);
		return;
	}
	why = why_not(j, &in);
	if (j->left && in.is_running && in.net == NET_NONE)
		end(j, GUARD_DONE, "");
	else if (why)
		end(j, GUARD_REFUSED, why);
	else if (!j->is_counted && !(j->is_counted = guard_rate_take(j->e->guard)))
		end(j, GUARD_TOO_MANY, "");
	else if (guard_is_dry(j->e->guard))
		end(j, GUARD_DRY, "");
	else
		post(j, &in);
}

static void look(struct job *j)
{
	char url[URL_BYTES];

	j->looks++;
	snprintf(url, sizeof(url), "http://docker/containers/%s/json", j->act.id);
	ask(j, "GET", url, NULL, on_look);
}

static void on_again(void *arg)
{
	look(arg);
}

int engine_new(struct loop *l, struct fetch_pool *fetch, const char *socket_path, const struct guard_family *f,
	       struct guard *g, struct engine **ret, struct err *err)
{
	struct engine *e = calloc(1, sizeof(*e));
	bool ok = e && (e->socket_path = strdup(socket_path));

	for (unsigned i = 0; ok && i < GUARD_JOBS; i++) {
		e->jobs[i].e = e;
		e->jobs[i].again = loop_timer_new(l, on_again, &e->jobs[i]);
		ok = e->jobs[i].again;
	}
	if (!ok) {
		engine_free(e);
		return err_set(err, ENOMEM, "responses through the engine");
	}
	e->guard = g;
	e->fetch = fetch;
	e->family = f;
	*ret = e;
	return 0;
}

bool engine_is_busy(const struct engine *e, const struct guard_act *a)
{
	for (unsigned i = 0; i < GUARD_JOBS; i++)
		if (e->jobs[i].act.rule && e->jobs[i].act.action == a->action &&
		    !strcmp(e->jobs[i].act.id, a->id))
			return true;
	return false;
}

void engine_act(struct engine *e, const struct guard_act *a)
{
	for (unsigned i = 0; i < GUARD_JOBS; i++) {
		struct job *j = &e->jobs[i];

		if (j->act.rule)
			continue;
		j->act = *a;
		j->looks = j->left = 0;
		j->is_counted = false;
		look(j);
		return;
	}
	guard_tell(e->guard, a, GUARD_REFUSED, "too many actions under way");
}

void engine_free(struct engine *e)
{
	if (!e)
		return;
	for (unsigned i = 0; i < GUARD_JOBS; i++) {
		fetch_cancel(e->jobs[i].fetch);
		loop_timer_free(e->jobs[i].again);
	}
	free(e->socket_path);
	free(e);
}
