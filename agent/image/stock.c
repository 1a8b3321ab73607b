/* stock.c - taking stock: a target to a source, a worker's answer to a checked inventory. See image.h. */
#include <errno.h>
#include <time.h>

#include "agent/image/image_limits.h"
#include "agent/image/stock_priv.h"
#include "common/text.h"

static const struct {
	const char *prefix;
	enum image_kind kind;
} prefixes[] = {
	{ "docker-archive:", IMAGE_DOCKER_ARCHIVE },
	{ "oci:", IMAGE_OCI },
	{ "oci-archive:", IMAGE_OCI_ARCHIVE },
	{ "dir:", IMAGE_DIR },
	{ "registry:", IMAGE_REGISTRY },
	{ "container:", IMAGE_CONTAINER },
};

int image_target_parse(const char *target, enum image_kind *ret, const char **ret_rest, struct err *err)
{
	*ret = IMAGE_ENGINE;
	*ret_rest = target;
	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
		if (slice_starts(slice_of(target), slice_of(prefixes[i].prefix))) {
			*ret = prefixes[i].kind;
			*ret_rest = target + strlen(prefixes[i].prefix);
		}
	if (!**ret_rest || strlen(target) > LIMIT_PATH_BYTES || !text_is_clean(slice_of(target)))
		return err_set(err, ERR_USAGE,
			       "'%.80s' is no target: NAME[:TAG], sha256:ID, docker-archive:FILE, oci:DIR, "
			       "oci-archive:FILE, dir:PATH, registry:REF, container:ID",
			       text_is_clean(slice_of(target)) ? target : "");
	return 0;
}

void image_worker_if_asked(int argc, char **argv)
{
	if (argc >= 2 && !strcmp(argv[1], IMAGE_WORKER_COMMAND))
		_exit(worker_main());
}

/* ---- what is asked for ---- */

static struct image_limits fill_limits(const struct image_limits *l)
{
	return (struct image_limits){
		.entries = l->entries ? l->entries : IMAGE_ENTRIES,
		.unpacked_bytes = l->unpacked_bytes ? l->unpacked_bytes : IMAGE_UNPACKED_BYTES,
		.ratio = l->ratio ? l->ratio : IMAGE_RATIO,
		.parse_bytes = l->parse_bytes ? l->parse_bytes : IMAGE_PARSE_BYTES,
		.spool_bytes = l->spool_bytes ? l->spool_bytes : IMAGE_SPOOL_BYTES,
		.packages = l->packages ? l->packages : IMAGE_PACKAGES,
		.time_ms = l->time_ms ? l->time_ms : IMAGE_TIME_MS,
	};
}

static int fill_job(struct stock *st, enum image_kind kind, struct err *err)
{
	struct job *j = &st->source.job;

	j->limits = st->limits;
	j->is_idle = st->o->is_idle;
	j->with_lockfiles = st->o->lockfiles == IMAGE_LOCKFILES_ALWAYS ||
			    (st->o->lockfiles == IMAGE_LOCKFILES_AUTO && kind == IMAGE_DIR);
	if (!slice_copy(slice_of(st->o->platform), j->platform, sizeof(j->platform)))
		return err_set(err, ERR_USAGE, "'%.80s' is no platform", st->o->platform);
	return 0;
}

/* ---- what came of it ---- */

static char **dup_texts(struct arena *a, char *const *list, size_t count)
{
	char **ret = arena_zalloc(a, count + 1, sizeof(*ret));

	for (size_t i = 0; ret && i < count; i++) {
		ret[i] = arena_dup(a, slice_of(list[i]));
		if (!ret[i])
			return NULL;
	}
	return ret;
}

/* What the worker may not be believed, or can't know. */
static int complete(const struct stock *st, const char *target, struct arena *a, Picket__Inventory *inv,
		    struct err *err)
{
	const struct source *s = &st->source;

	/* An engine on containerd's store calls an image by its manifest's digest. What it packed itself is the
	 * image that was asked for, whatever it calls it. */
	if (s->image_id && s->job.form == WORKER_ARCHIVE)
		inv->image_id = arena_dup(a, slice_of(s->image_id));
	else if (s->image_id && strcmp(s->image_id, inv->image_id) != 0)
		return err_set(err, ERR_CORRUPT, "the image's configuration is not that of %.80s", s->image_id);
	inv->kind = arena_dup(a, slice_of(s->job.kind));
	inv->target = arena_dup(a, slice_of(target));
	inv->taken_unix_s = (uint64_t)time(NULL);
	if (s->names) {
		inv->names = dup_texts(a, s->names, s->name_count);
		inv->n_names = s->name_count;
	}
	inv->repo_digests = dup_texts(a, s->repo_digests, s->repo_digest_count);
	inv->n_repo_digests = s->repo_digest_count;
	return inv->image_id && inv->kind && inv->target && (inv->names || !inv->n_names) && inv->repo_digests ?
		       0 :
		       err_set(err, ERR_LIMIT, "the inventory takes too much memory");
}

static int read_drift(struct slice text, struct arena *a, struct image_drift *ret, struct err *err)
{
	struct image_drift d = { 0 };
	struct slice rest = text, line = SLICE_NONE;

	d.files = arena_zalloc(a, IMAGE_DRIFT_MAX, sizeof(*d.files));
	if (!d.files)
		return err_set(err, ENOMEM, "keep the drift");
	(void)(slice_split(&rest, '\n', &line) && slice_to_u64(line, &d.total));
	/* Executables first, since there is a bound. */
	for (unsigned turn = 0; turn < 2; turn++) {
		struct slice again = rest;

		while (d.count < IMAGE_DRIFT_MAX && slice_split(&again, '\n', &line)) {
			if (line.n < 2 || (line.p[0] == 'x') != !turn)
				continue;
			char *path = arena_dup(a, slice_sub(line, 1, line.n));
			if (!path)
				return err_set(err, ENOMEM, "keep the drift");
			d.files[d.count++] = (struct image_drift_file){ slice_from(path, line.n - 1),
									line.p[0] == 'd', line.p[0] == 'x' };
		}
	}
	*ret = d;
	return 0;
}

static int read_result(struct stock *st, const char *target, struct arena *a, Picket__Inventory **ret,
		       struct owners **ret_owners, struct err *err)
{
	CLEANUP(owners_freep) struct owners *owners = NULL;
	Picket__Inventory *inv = NULL;

	int r = msg_read_inventory(buf_slice(&st->parts[CHAN_PART_INVENTORY]), a, &inv, err);
	if (r >= 0)
		r = owners_read(buf_slice(&st->parts[CHAN_PART_OWNERS]), &owners, err);
	if (r >= 0)
		r = complete(st, target, a, inv, err);
	if (r >= 0 && st->o->ret_drift)
		r = read_drift(buf_slice(&st->parts[CHAN_PART_DRIFT]), a, st->o->ret_drift, err);
	if (r < 0)
		return r;
	*ret = inv;
	if (ret_owners)
		*ret_owners = take_ptr(owners);
	return 0;
}

static bool may_cache(const struct stock *st, enum image_kind kind)
{
	/* What a container holds changes; everything else with a known id is what it is. */
	return st->o->cache_dir && st->source.image_id && kind != IMAGE_CONTAINER;
}

static int take_stock(struct stock *st, const char *target, struct arena *a, Picket__Inventory **ret,
		      struct owners **ret_owners, struct err *err)
{
	enum image_kind kind;
	const char *rest;

	int r = image_target_parse(target, &kind, &rest, err);
	if (r >= 0)
		r = source_open(kind, rest, st->o, &st->source, err);
	if (r >= 0)
		r = fill_job(st, kind, err);
	if (r >= 0 && may_cache(st, kind)) {
		int cached = cache_read(st, st->source.image_id, &st->parts[CHAN_PART_INVENTORY],
					&st->parts[CHAN_PART_OWNERS], NULL);
		if (cached > 0 && read_result(st, target, a, ret, ret_owners, NULL) >= 0)
			return 0;
		/* A spoilt file there is as good as none. What it took of the arena stays: the caller may hold
		 * more in it, the name of this folder for one. */
	}
	if (r >= 0)
		r = stock_serve(st, err);
	if (r >= 0)
		r = read_result(st, target, a, ret, ret_owners, err);
	if (r >= 0 && may_cache(st, kind))
		cache_write(st, st->source.image_id);
	return r;
}

int image_take_stock(const char *target, const struct image_options *o, struct arena *a, Picket__Inventory **ret,
		     struct owners **ret_owners, struct err *err)
{
	static const struct image_options none;
	struct stock st = { .o = o ? o : &none, .sock = -1 };

	st.limits = fill_limits(&st.o->limits);
	source_init(&st.source);
	int r = take_stock(&st, target, a, ret, ret_owners, err);
	for (size_t i = 0; i < CHAN_PART_COUNT; i++)
		buf_fini(&st.parts[i]);
	source_fini(&st.source);
	return r;
}
