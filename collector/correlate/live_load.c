/* live_load.c - rules that are read again: a thread makes a ruleset of the files and hands it over whole, as thousands of
 * them take longer than the loop may stand still. The thread owns the ruleset until it is joined, and reads the
 * configuration; nothing else is shared. */
#include "collector/correlate/live_priv.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "common/log.h"

struct live_loading {
	pthread_t thread;
	atomic_bool is_done;
	const struct live_config *cfg;
	struct ruleset *rules;
	int result;
	struct err why;
};

static void *load(void *arg)
{
	struct live_loading *x = arg;

	x->result = live_load(x->cfg, false, &x->rules, &x->why);
	atomic_store_explicit(&x->is_done, true, memory_order_release);
	return NULL;
}

/* Signals are the loop's. */
static int start(struct live_loading *x)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int r = pthread_create(&x->thread, NULL, load, x);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r;
}

static void end(struct live *l, struct ruleset *rules, int r, struct err *why)
{
	if (r >= 0)
		r = live_switch(l, rules, why);
	if (r < 0) {
		ruleset_free(rules);
		l->stats.error_count = 1;
		(void)slice_copy(slice_of(why->msg), l->stats.error, sizeof(l->stats.error));
		l->stats.failed_unix_ns = clock_unix_ns(l->clk);
		LOG(ERROR, "correlate.reload", KV_STR("why", why->msg));
		return;
	}
	l->stats.error_count = 0;
	l->stats.error[0] = '\0';
	l->stats.reloaded_unix_ns = clock_unix_ns(l->clk);
	LOG(INFO, "correlate.reloaded", KV_U64("rules", l->rules->detections), KV_U64("correlations", l->rules->correlations));
}

void live_read(struct live *l, uint64_t signature)
{
	struct live_loading *x;

	l->signature = signature;
	l->must_reload = l->loading != NULL; /* what is being read may be the files from before */
	if (l->must_reload)
		return;
	x = calloc(1, sizeof(*x));
	if (x)
		x->cfg = &l->cfg;
	if (!x || start(x) != 0) {
		free(x);
		end(l, NULL, -ENOMEM, &(struct err){ ENOMEM, "no room for a thread that reads rules" });
		l->signature = 0; /* the next look tries again */
		return;
	}
	l->loading = x;
}

void live_reload(struct live *l)
{
	live_read(l, live_signature(l));
}

bool live_take(struct live *l)
{
	struct live_loading *x = l->loading;

	if (!x)
		return false;
	if (!atomic_load_explicit(&x->is_done, memory_order_acquire))
		return true;
	pthread_join(x->thread, NULL);
	l->loading = NULL;
	if (l->must_reload)
		ruleset_free(x->rules);
	else
		end(l, x->rules, x->result, &x->why);
	free(x);
	if (l->must_reload)
		live_reload(l);
	return l->loading != NULL;
}

void live_loading_end(struct live *l)
{
	struct live_loading *x = l->loading;

	if (!x)
		return;
	pthread_join(x->thread, NULL);
	ruleset_free(x->rules);
	free(x);
	l->loading = NULL;
}
