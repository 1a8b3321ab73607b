/* mounts.c - every way a container gets files that are not its image's: Binds, Mounts, Tmpfs, Volumes. */
#include "agent/guard/authz/authz_priv.h"

struct mounts {
	struct arena *a;
	struct policy_mount *v;
	size_t n;
	struct err *err;
};

static const struct policy_mount none = { .type = "", .source = "", .real = "", .device = "", .driver = "", .dest = "", .protects = "" };

static bool has_word(const char *list, const char *word)
{
	struct slice rest = slice_of(list), s;

	while (slice_split(&rest, ',', &s))
		if (slice_is(slice_trim(s), word))
			return true;
	return false;
}

/* Words of a mode, by which the engine tells "/a:ro" from "/a:/b". */
static bool is_mode(struct slice s)
{
	static const char *const words[] = { "ro",	"rw",	  "z",	     "Z",     "nocopy",	    "private", "rprivate", "shared",
					     "rshared", "slave", "rslave", "cached", "consistent", "delegated" };
	struct slice word;
	bool is_all = s.n;

	while (slice_split(&s, ',', &word)) {
		bool is_one = false;

		for (size_t i = 0; i < ARRAY_LEN(words); i++)
			is_one |= slice_is(word, words[i]);
		is_all &= is_one;
	}
	return is_all;
}

/* SRC:DST[:MODE], NAME:DST[:MODE], DST[:MODE]. */
static int add_bind(struct mounts *o, const char *text, const char *volume_driver)
{
	struct slice rest = slice_of(text), part[3] = { 0 };
	struct policy_mount *m = &o->v[o->n];
	size_t n = 0;

	while (n < 3 && slice_split(&rest, ':', &part[n]))
		n++;
	if (rest.n || !n || !*text)
		return err_set(o->err, ERR_SYNTAX, "a bind that is none");
	*m = none;
	struct slice source = part[0], dest = part[1], mode = part[2];
	if (n == 1 || (n == 2 && is_mode(part[1]))) {
		source = SLICE_NONE;
		dest = part[0];
		mode = part[1];
	}
	m->type = source.n && *source.p == '/' ? "bind" : "volume";
	m->source = arena_dup(o->a, source);
	m->dest = arena_dup(o->a, dest);
	const char *words = arena_dup(o->a, mode);
	if (!m->source || !m->dest || !words)
		return err_set(o->err, ERR_LIMIT, "Binds is too long");
	m->is_writable = !has_word(words, "ro");
	if (*m->type == 'v')
		m->driver = volume_driver;
	o->n++;
	return 0;
}

/* A file system of the engine's own choosing: whatever it mounts is somewhere on this host, or far away. */
static bool is_harmless_fs(const char *type)
{
	static const char *const types[] = { "tmpfs", "nfs", "nfs4", "cifs", "smb3" };

	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (!strcmp(type, types[i]))
			return true;
	return false;
}

int authz_volume_options(const char *driver, const struct authz_body *options, struct arena *a, struct policy_mount *m,
			 struct err *err)
{
	const char *type, *o, *device;
	int r;

	(void)a;
	m->driver = driver;
	if (!options)
		return 0;
	if ((r = authz_text(options, "type", &type, err)) < 0 || (r = authz_text(options, "o", &o, err)) < 0 ||
	    (r = authz_text(options, "device", &device, err)) < 0)
		return r;
	if (*driver && strcmp(driver, "local") != 0)
		return 0; /* the driver's own words */
	/* A bind whatever the type says; overlay over folders of the host, or a disk, may show the whole host. */
	if (has_word(o, "bind") || has_word(o, "rbind"))
		m->device = *device ? device : "/";
	else if ((*device || *o || *type) && (!is_harmless_fs(type) || has_word(o, "remount") || has_word(o, "move")))
		m->device = "/";
	return 0;
}

static int add_mount(struct mounts *o, const struct authz_body *e)
{
	const struct authz_body *volume, *config, *options = NULL;
	struct policy_mount *m = &o->v[o->n];
	const char *driver;
	bool is_readonly;
	int r;

	*m = none;
	if (e->type != AUTHZ_OBJECT)
		return err_set(o->err, ERR_SYNTAX, "a mount that is no object");
	if ((r = authz_text(e, "Type", &m->type, o->err)) < 0 || (r = authz_text(e, "Source", &m->source, o->err)) < 0 ||
	    (r = authz_text(e, "Target", &m->dest, o->err)) < 0 || (r = authz_bool(e, "ReadOnly", &is_readonly, o->err)) < 0 ||
	    (r = authz_object(e, "VolumeOptions", &volume, o->err)) < 0 ||
	    (r = authz_object(volume, "DriverConfig", &config, o->err)) < 0 ||
	    (r = authz_object(config, "Options", &options, o->err)) < 0 || (r = authz_text(config, "Name", &driver, o->err)) < 0)
		return r;
	m->is_writable = !is_readonly;
	if (!strcmp(m->type, "volume"))
		r = authz_volume_options(driver, options, o->a, m, o->err);
	o->n++;
	return r;
}

/* The members' names are the destinations. */
static void add_dests(struct mounts *o, const struct authz_body *map, const char *type, const char *driver)
{
	for (const struct authz_body *e = map ? map->first : NULL; e; e = e->next) {
		struct policy_mount m = none;

		m.type = type;
		m.dest = e->name.p;
		m.driver = driver;
		m.is_writable = true;
		o->v[o->n++] = m;
	}
}

static size_t count_of(const struct authz_body *b)
{
	return b ? b->count : 0;
}

int authz_mounts(const struct authz_body *config, const struct authz_body *host, struct arena *a,
		 struct policy_workload *w, struct err *err)
{
	const struct authz_body *list, *tmpfs, *volumes;
	struct mounts o = { .a = a, .err = err };
	struct policy_texts binds;
	const char *driver;
	int r;

	if ((r = authz_texts(host, "Binds", a, &binds, err)) < 0 || (r = authz_list(host, "Mounts", &list, err)) < 0 ||
	    (r = authz_object(host, "Tmpfs", &tmpfs, err)) < 0 || (r = authz_text(host, "VolumeDriver", &driver, err)) < 0 ||
	    (r = authz_object(config, "Volumes", &volumes, err)) < 0)
		return r;
	o.v = arena_zalloc(a, binds.count + count_of(list) + count_of(tmpfs) + count_of(volumes) + 1, sizeof(*o.v));
	if (!o.v)
		return err_set(err, ERR_LIMIT, "too many mounts");
	for (size_t i = 0; i < binds.count && r >= 0; i++)
		r = add_bind(&o, binds.v[i], driver);
	for (const struct authz_body *e = list ? list->first : NULL; e && r >= 0; e = e->next)
		r = add_mount(&o, e);
	add_dests(&o, tmpfs, "tmpfs", "");
	add_dests(&o, volumes, "volume", driver);
	w->mounts = o.v;
	w->mount_count = o.n;
	return r;
}
