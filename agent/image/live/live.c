/* live.c - see live.h. The timer turns everything: half a second is soon enough for images. */
#include "agent/image/live/live_priv.h"

#include <errno.h>
#include <stdio.h>

#include "common/file.h"

enum { FAILED_SHOWN = 16 };

static void on_tick(void *arg)
{
	struct live *v = arg;

	live_use_step(v);
	live_sweep_step(v);
	live_updates_step(v);
	live_scans_step(v);
	live_stock_step(v);
	live_tell_step(v);
	live_images_forget(v);
	live_stock_clean(v);
}

int live_new(struct loop *l, struct fetch_pool *fetch, const struct clock *clk, const struct live_config *cfg,
	     const struct live_ops *ops, void *arg, struct live **ret, struct err *err)
{
	CLEANUP(live_freep) struct live *v = calloc(1, sizeof(*v));

	if (!v)
		return err_set(err, ENOMEM, "images");
	v->loop = l;
	v->fetch = fetch;
	v->clk = clk;
	v->cfg = *cfg;
	v->ops = ops;
	v->arg = arg;
	TAILQ_INIT(&v->images);
	v->is_changed = true;
	v->sweep_due_ns = clock_boot_ns(clk) + 5000000000ull;
	if (asprintf(&v->dir, "%s/images", cfg->state_dir) < 0) {
		v->dir = NULL;
		return err_set(err, ENOMEM, "images");
	}
	int r = file_make_dirs(v->dir, 0700, err);
	if (r < 0)
		return err_wrap(err, r, "images");
	if (!(v->tick = loop_timer_new(l, on_tick, v)))
		return err_set(err, ENOMEM, "images");
	loop_timer_every(v->tick, LIVE_TICK_MS);
	*ret = take_ptr(v);
	return 0;
}

void live_exec(struct live *v, const struct container *c, uint32_t pid, struct slice path, bool is_own)
{
	struct limage *i = live_image_of(v, c->id, NULL);

	if (!i && c->is_inspected && c->image_id[0])
		i = live_image_get(v, slice_of(c->image_id)); /* its start is on the way */
	if (!i)
		return;
	if (!is_own)
		live_use_add(v, i, c->id, path, USE_EXECUTED);
	live_look_add(v, i, pid, path);
}

/* Another collector may answer from now on: it says itself what it does not know. */
void live_connected(struct live *v)
{
	v->is_state_known = false;
	v->pause_ns = 0;
	v->scan_due_ns = 0;
	live_set_changed(v);
}

static void write_image(const struct limage *i, struct json *j)
{
	json_object_open(j);
	json_kv_str(j, "image", i->id);
	json_kv_str(j, "name", i->reference);
	json_kv_str(j, "why", i->why);
	json_object_close(j);
}

void live_write_status(const struct live *v, struct json *j)
{
	uint64_t running = 0, stocked = 0, known = 0, used = 0, failed = 0;
	const struct limage *i;

	TAILQ_FOREACH(i, &v->images, link)
	{
		running += !TAILQ_EMPTY(&i->containers);
		stocked += i->stock == STOCK_THERE;
		known += i->told == TOLD_KNOWN;
		used += i->used_count;
	}
	json_kv_u64(j, "running", running);
	json_kv_u64(j, "images", v->image_count);
	json_kv_u64(j, "stock", stocked);
	json_kv_u64(j, "known", known);
	json_kv_u64(j, "packages_used", used);
	json_kv_u64(j, "taken", v->stock_taken);
	json_kv_u64(j, "sent", v->told);
	json_kv_u64(j, "dropped", v->dropped);
	json_key(j, "failed");
	json_array_open(j);
	TAILQ_FOREACH(i, &v->images, link)
	if ((i->stock == STOCK_FAILED || i->told == TOLD_REFUSED) && failed++ < FAILED_SHOWN)
		write_image(i, j);
	json_array_close(j);
	json_kv_u64(j, "failed_count", failed);
	live_scans_write_status(v, j);
}

void live_free(struct live *v)
{
	if (!v)
		return;
	loop_timer_free(v->tick);
	fetch_cancel(v->listing);
	fetch_cancel(v->naming);
	child_free(v->child);
	live_images_free(v);
	free(v->sweep_pids);
	free(v->scan_path);
	free(v->dir);
	free(v);
}
