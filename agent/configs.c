/* configs.c - see configs.h. */
#include "agent/configs.h"

#include <errno.h>
#include <stdio.h>
#include <sys/queue.h>
#include <uthash.h>

#include "common/tls.h"

enum { ARENA_BYTES = 8 * 1024 * 1024, TEXT_BYTES = 1024, SHORT_BYTES = 256, SHORT_LIST = 16 };

struct kept {
	char id[65];
	UT_hash_handle hh;
	TAILQ_ENTRY(kept) entry;
	size_t n;
	char packed[];
};

struct configs {
	struct kept *by_id; /* uthash */
	TAILQ_HEAD(, kept) oldest;
	struct arena *arena; /* of one answer; nullable until the first */
};

/* ---- from facts; pure ---- */

struct making {
	struct arena *a;
	size_t text_bytes, list;
	bool failed;
};

static void *rows(struct making *m, size_t *count, size_t size)
{
	if (*count > m->list)
		*count = m->list;
	void *p = arena_zalloc(m->a, *count + 1, size);
	if (!p) {
		m->failed = true;
		*count = 0;
	}
	return p;
}

static ProtobufCBinaryData bytes_of(const struct making *m, const char *s)
{
	struct slice t = slice_of(s ? s : "");

	if (t.n > m->text_bytes)
		t.n = m->text_bytes;
	return msg_bytes(t);
}

/* Words: names of capabilities, modes. Cut like the rest; what is no plain text is left out by who reads it. */
static char *word_of(struct making *m, const char *s)
{
	struct slice t = slice_of(s ? s : "");

	if (t.n > SHORT_BYTES)
		t.n = SHORT_BYTES;
	char *copy = arena_dup(m->a, t);
	m->failed |= !copy;
	return copy ? copy : (char *)(uintptr_t)"";
}

static void words(struct making *m, const struct facts_texts *t, size_t *ret_n, char ***ret)
{
	*ret_n = t->count;
	*ret = rows(m, ret_n, sizeof(**ret));
	for (size_t i = 0; i < *ret_n; i++)
		(*ret)[i] = word_of(m, t->v[i]);
}

static void texts(struct making *m, const struct facts_texts *t, size_t *ret_n, ProtobufCBinaryData **ret)
{
	*ret_n = t->count;
	*ret = rows(m, ret_n, sizeof(**ret));
	for (size_t i = 0; i < *ret_n; i++)
		(*ret)[i] = bytes_of(m, t->v[i]);
}

/* A profile given inline is a file of its own: its digest says whether it is another one. */
static void options(struct making *m, const struct facts_texts *t, Picket__ContainerConfig *ret)
{
	texts(m, t, &ret->n_security_opt, &ret->security_opt);
	for (size_t i = 0; i < ret->n_security_opt; i++) {
		uint8_t digest[32];
		char text[80] = "seccomp=sha256:";

		if (strncmp(t->v[i], "seccomp", 7) || !strchr(t->v[i], '{'))
			continue;
		tls_sha256(slice_of(t->v[i]), digest);
		for (size_t k = 0; k < sizeof(digest); k++)
			snprintf(text + 15 + 2 * k, 3, "%02x", digest[k]);
		ret->security_opt[i] = bytes_of(m, word_of(m, text));
	}
}

static void mounts(struct making *m, const struct facts_asked *f, Picket__ContainerConfig *ret)
{
	ret->n_mounts = f->mount_count;
	ret->mounts = rows(m, &ret->n_mounts, sizeof(*ret->mounts));
	Picket__Mount *to = rows(m, &ret->n_mounts, sizeof(*to));
	for (size_t i = 0; i < ret->n_mounts; i++) {
		const struct facts_asked_mount *from = &f->mounts[i];

		picket__mount__init(&to[i]);
		to[i].type = word_of(m, from->type);
		to[i].source = bytes_of(m, from->name && *from->name ? from->name : from->source);
		to[i].target = bytes_of(m, from->dest);
		to[i].writable = from->is_writable;
		to[i].propagation = word_of(m, from->propagation);
		to[i].driver = word_of(m, from->driver);
		to[i].device = bytes_of(m, from->device);
		ret->mounts[i] = &to[i];
	}
}

static void ports(struct making *m, const struct facts_asked *f, Picket__ContainerConfig *ret)
{
	ret->n_ports = f->port_count;
	ret->ports = rows(m, &ret->n_ports, sizeof(*ret->ports));
	Picket__Port *to = rows(m, &ret->n_ports, sizeof(*to));
	for (size_t i = 0; i < ret->n_ports; i++) {
		picket__port__init(&to[i]);
		to[i].host_ip = word_of(m, f->ports[i].host_ip);
		to[i].host_port = f->ports[i].host_port;
		to[i].port = f->ports[i].port;
		to[i].protocol = word_of(m, f->ports[i].protocol);
		ret->ports[i] = &to[i];
	}
}

static void networks(struct making *m, const struct facts_asked *f, Picket__ContainerConfig *ret)
{
	ret->n_networks = f->network_count;
	ret->networks = rows(m, &ret->n_networks, sizeof(*ret->networks));
	for (size_t i = 0; i < ret->n_networks; i++)
		ret->networks[i] = bytes_of(m, f->networks[i].name);
}

static char *restart_of(struct making *m, const struct facts_asked *f)
{
	static const char *const names[] = { [RESTART_NO] = "no",
					     [RESTART_ALWAYS] = "always",
					     [RESTART_UNLESS_STOPPED] = "unless-stopped",
					     [RESTART_ON_FAILURE] = "on-failure" };
	char text[64];

	if (f->restart != RESTART_ON_FAILURE || !f->restart_max)
		return word_of(m, names[f->restart]);
	snprintf(text, sizeof(text), "on-failure:%lld", (long long)f->restart_max);
	return word_of(m, text);
}

/* As far as the words say: the uid behind a name is found by the audit. */
static bool is_root(const char *user)
{
	return !*user || !strcmp(user, "root") || !strcmp(user, "0") || !strncmp(user, "root:", 5) || !strncmp(user, "0:", 2);
}

static void make(struct making *m, const struct facts_container *c, Picket__ContainerConfig *ret)
{
	const struct facts_asked *f = &c->asked;

	picket__container_config__init(ret);
	mounts(m, f, ret);
	ports(m, f, ret);
	networks(m, f, ret);
	words(m, &f->cap_add, &ret->n_cap_add, &ret->cap_add);
	words(m, &f->cap_drop, &ret->n_cap_drop, &ret->cap_drop);
	options(m, &f->security_opt, ret);
	texts(m, &f->devices, &ret->n_devices, &ret->devices);
	texts(m, &f->sysctls, &ret->n_sysctls, &ret->sysctls);
	ret->pid_mode = word_of(m, f->pid_mode);
	ret->ipc_mode = word_of(m, f->ipc_mode);
	ret->network_mode = word_of(m, f->network_mode);
	ret->uts_mode = word_of(m, f->uts_mode);
	ret->userns_mode = word_of(m, f->userns_mode);
	ret->cgroupns_mode = word_of(m, f->cgroupns_mode);
	ret->readonly_root = f->is_root_readonly;
	ret->memory_bytes = f->memory_bytes;
	ret->nano_cpus = f->nano_cpus;
	ret->pids_limit = f->pids_limit;
	ret->restart = restart_of(m, f);
	ret->runtime = word_of(m, f->runtime);
	ret->publish_all = f->is_publish_all;
	ret->unmasked_paths = f->masks_proc == FACTS_NO;
	ret->user_is_root = is_root(f->user ? f->user : "");
}

static int make_within(const struct facts_container *f, struct arena *a, size_t text_bytes, size_t list,
		       Picket__ContainerConfig *ret, struct err *err)
{
	struct making m = { .a = a, .text_bytes = text_bytes, .list = list };

	make(&m, f, ret);
	return m.failed ? err_set(err, ENOMEM, "configuration of a container") : 0;
}

int configs_make(const struct facts_container *f, struct arena *a, Picket__ContainerConfig *ret, struct err *err)
{
	static const struct {
		size_t text_bytes, list;
	} tries[] = { { TEXT_BYTES, LIMIT_CONTAINER_LIST }, { SHORT_BYTES, LIMIT_CONTAINER_LIST }, { SHORT_BYTES, SHORT_LIST } };
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(tries); i++) {
		r = make_within(f, a, tries[i].text_bytes, tries[i].list, ret, err);
		if (r < 0 || picket__container_config__get_packed_size(ret) <= CONFIGS_ONE_BYTES)
			return r;
	}
	return err_set(err, ERR_LIMIT, "configuration of a container: more than %d bytes", CONFIGS_ONE_BYTES);
}

/* ---- kept ---- */

struct configs *configs_new(void)
{
	struct configs *c = calloc(1, sizeof(*c));

	if (c)
		TAILQ_INIT(&c->oldest);
	return c;
}

static struct kept *find(const struct configs *c, const char *id)
{
	struct kept *k;

	HASH_FIND_STR(c->by_id, id, k);
	return k;
}

static void drop(struct configs *c, struct kept *k)
{
	if (!k)
		return;
	HASH_DEL(c->by_id, k);
	TAILQ_REMOVE(&c->oldest, k, entry);
	free(k);
}

void configs_drop(struct configs *c, const char *id)
{
	drop(c, find(c, id));
}

struct slice configs_get(const struct configs *c, const char *id)
{
	const struct kept *k = find(c, id);

	return k ? slice_from(k->packed, k->n) : SLICE_NONE;
}

static int keep(struct configs *c, const char *id, const Picket__ContainerConfig *m, struct err *err)
{
	size_t n = picket__container_config__get_packed_size(m);
	struct kept *k = calloc(1, sizeof(*k) + n);

	if (!k || !slice_copy(slice_of(id), k->id, sizeof(k->id))) {
		free(k);
		return err_set(err, ENOMEM, "configuration of a container");
	}
	k->n = picket__container_config__pack(m, (uint8_t *)k->packed);
	configs_drop(c, id);
	if (HASH_COUNT(c->by_id) >= CONFIGS_MAX)
		drop(c, TAILQ_FIRST(&c->oldest));
	HASH_ADD_STR(c->by_id, id, k);
	TAILQ_INSERT_TAIL(&c->oldest, k, entry);
	return 0;
}

int configs_put(struct configs *c, const char *id, struct slice inspect, struct err *err)
{
	struct facts_container f;
	Picket__ContainerConfig m;

	if (!c->arena)
		c->arena = arena_new(ARENA_BYTES);
	if (!c->arena)
		return err_set(err, ENOMEM, "configuration of a container");
	arena_reset(c->arena);
	int r = facts_read_container(inspect, c->arena, &f, err);
	if (r >= 0)
		r = configs_make(&f, c->arena, &m, err);
	return r < 0 ? r : keep(c, id, &m, err);
}

void configs_free(struct configs *c)
{
	if (!c)
		return;
	while (!TAILQ_EMPTY(&c->oldest))
		drop(c, TAILQ_FIRST(&c->oldest));
	arena_free(c->arena);
	free(c);
}
