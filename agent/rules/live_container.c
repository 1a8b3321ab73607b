/* live_container.c - container.* and k8s.*: null but for id, name and type on the host. */
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "agent/rules/live_priv.h"
#include "common/text.h"

enum { SHORT_ID = 12 };

static const struct container *container(const struct live_query *q)
{
	return q->live->container;
}

static bool text(struct rules_value *ret, const char *s)
{
	return live_str(ret, slice_of(s));
}

static bool id(const struct live_query *q, struct rules_value *ret)
{
	const struct container *c = container(q);

	return c ? live_str(ret, slice_sub(slice_of(c->id), 0, SHORT_ID)) : text(ret, "host");
}

static bool full_id(const struct live_query *q, struct rules_value *ret)
{
	return text(ret, container(q) ? container(q)->id : "host");
}

static bool name(const struct live_query *q, struct rules_value *ret)
{
	return text(ret, container(q) ? container(q)->name : "host");
}

static bool type(const struct live_query *q, struct rules_value *ret)
{
	return text(ret, container(q) ? container(q)->engine : "host");
}

static bool user(const struct live_query *q, struct rules_value *ret)
{
	const struct container *c = container(q);

	return c && c->is_inspected && text(ret, c->user);
}

/* ---- the image: "registry:5000/team/app:1.2@sha256:..." ---- */

static struct slice reference(const struct container *c)
{
	struct slice s = slice_of(c ? c->image : "");

	/* An image that was started by its id has no reference. */
	return slice_starts(s, SLICE_LIT("sha256:")) ? SLICE_NONE : s;
}

/* The colon before the tag, or the length: one before a slash is of a port. */
static size_t tag_at(struct slice s)
{
	for (size_t i = s.n; i-- > 0 && s.p[i] != '/';)
		if (s.p[i] == ':')
			return i;
	return s.n;
}

static struct slice without_digest(struct slice s, struct slice *ret_digest)
{
	ptrdiff_t at = slice_find_char(s, '@');

	*ret_digest = at < 0 ? SLICE_NONE : slice_sub(s, (size_t)at + 1, s.n);
	return at < 0 ? s : slice_sub(s, 0, (size_t)at);
}

static bool image(const struct live_query *q, struct rules_value *ret)
{
	return text(ret, container(q) ? container(q)->image : "");
}

static bool image_repository(const struct live_query *q, struct rules_value *ret)
{
	struct slice digest, s = without_digest(reference(container(q)), &digest);

	return live_str(ret, slice_sub(s, 0, tag_at(s)));
}

static bool image_tag(const struct live_query *q, struct rules_value *ret)
{
	struct slice digest, s = without_digest(reference(container(q)), &digest);
	size_t at = tag_at(s);

	if (!s.n)
		return false;
	/* The engine's default, unless a digest says which image it is. */
	return at < s.n ? live_str(ret, slice_sub(s, at + 1, s.n)) : !digest.n && text(ret, "latest");
}

static bool image_digest(const struct live_query *q, struct rules_value *ret)
{
	const struct container *c = container(q);
	struct slice digest;

	if (!c)
		return false;
	(void)without_digest(slice_of(c->image), &digest);
	return c->image_digest && *c->image_digest ? text(ret, c->image_digest) : live_str(ret, digest);
}

static bool image_id(const struct live_query *q, struct rules_value *ret)
{
	struct slice s = slice_of(container(q) ? container(q)->image_id : "");

	if (slice_starts(s, SLICE_LIT("sha256:")))
		s = slice_sub(s, 7, s.n);
	return live_str(ret, slice_sub(s, 0, SHORT_ID));
}

/* ---- what an inspect tells ---- */

static bool privileged(const struct live_query *q, struct rules_value *ret)
{
	const struct container *c = container(q);

	return c && c->is_inspected && live_num(ret, c->privileged);
}

static bool start_ts(const struct live_query *q, struct rules_value *ret)
{
	const struct container *c = container(q);

	return c && c->started_unix_ns && live_num(ret, (int64_t)c->started_unix_ns);
}

static bool duration(const struct live_query *q, struct rules_value *ret)
{
	const struct container *c = container(q);

	return c && c->started_unix_ns &&
	       live_num(ret, (int64_t)(q->live->event->unix_ns - c->started_unix_ns));
}

static struct slice mount_text(struct arena *scratch, const struct container_mount *m)
{
	return slice_of(arena_printf(scratch, "%s:%s:%s:%s:%s", m->source ? m->source : "",
				     m->dest ? m->dest : "", m->mode ? m->mode : "", m->rw ? "true" : "false",
				     m->propagation ? m->propagation : ""));
}

static bool mounts(const struct live_query *q, struct rules_value *ret)
{
	const struct container *c = container(q);
	struct slice all = SLICE_LIT("");

	if (!c || !c->is_inspected)
		return false;
	for (size_t i = 0; i < c->mount_count; i++) {
		struct slice m = mount_text(q->scratch, &c->mounts[i]);

		all = i ? slice_of(arena_printf(q->scratch, "%.*s,%.*s", SLICE_FMT(all), SLICE_FMT(m))) : m;
	}
	ret->str = all;
	return all.p;
}

/* By number, or by a glob over the source; mount.source is asked by its destination. */
static const struct container_mount *find_mount(const struct live_query *q)
{
	const struct container *c = container(q);
	bool by_dest = rules_field_id(q->field) == FIELD_CONTAINER_MOUNT_SOURCE;

	if (!c)
		return NULL;
	if (q->index >= 0)
		return (size_t)q->index < c->mount_count ? &c->mounts[q->index] : NULL;
	for (size_t i = 0; i < c->mount_count; i++)
		if (text_glob(q->arg, slice_of(by_dest ? c->mounts[i].dest : c->mounts[i].source)))
			return &c->mounts[i];
	return NULL;
}

static bool mount_part(const struct live_query *q, struct rules_value *ret)
{
	const struct container_mount *m = find_mount(q);

	if (!m)
		return false;
	switch (rules_field_id(q->field)) {
	case FIELD_CONTAINER_MOUNT_SOURCE:
		return text(ret, m->source);
	case FIELD_CONTAINER_MOUNT_DEST:
		return text(ret, m->dest);
	case FIELD_CONTAINER_MOUNT_MODE:
		return text(ret, m->mode);
	case FIELD_CONTAINER_MOUNT_RDWR:
		return text(ret, m->rw ? "true" : "false");
	case FIELD_CONTAINER_MOUNT_PROPAGATION:
		return text(ret, m->propagation);
	default:
		return live_str(ret, mount_text(q->scratch, m));
	}
}

/* ---- labels ---- */

static bool label_named(const struct live_query *q, struct slice key, struct rules_value *ret)
{
	const struct container *c = container(q);

	for (size_t i = 0; c && i < c->label_count; i++)
		if (slice_is(key, c->labels[i].key))
			return text(ret, c->labels[i].value);
	return false;
}

static bool label(const struct live_query *q, struct rules_value *ret)
{
	return label_named(q, q->arg, ret);
}

static bool labels(const struct live_query *q, struct rules_value *ret)
{
	const struct container *c = container(q);
	struct slice all = SLICE_NONE;

	for (size_t i = 0; c && i < c->label_count; i++)
		all = slice_of(arena_printf(q->scratch, "%.*s%s%s:%s", SLICE_FMT(all), i ? ", " : "",
					    c->labels[i].key, c->labels[i].value));
	return live_str(ret, all);
}

static bool pod_namespace(const struct live_query *q, struct rules_value *ret)
{
	return label_named(q, SLICE_LIT("io.kubernetes.pod.namespace"), ret);
}

static bool pod_name(const struct live_query *q, struct rules_value *ret)
{
	return label_named(q, SLICE_LIT("io.kubernetes.pod.name"), ret);
}

static bool pod_uid(const struct live_query *q, struct rules_value *ret)
{
	return label_named(q, SLICE_LIT("io.kubernetes.pod.uid"), ret);
}

static bool sandbox(const struct live_query *q, struct rules_value *ret)
{
	return label_named(q, SLICE_LIT("io.kubernetes.sandbox.id"), ret);
}

static bool short_sandbox(const struct live_query *q, struct rules_value *ret)
{
	return sandbox(q, ret) && live_str(ret, slice_sub(ret->str, 0, SHORT_ID));
}

/* Does it share the host's namespace of that name? */
static bool shares(const struct live_query *q, const char *name, uint32_t inode, struct rules_value *ret)
{
	char path[PATH_MAX];
	struct stat st;

	if (!container(q) || !inode)
		return false;
	snprintf(path, sizeof(path), "%s/1/ns/%s", world_proc_root(q->live->world), name);
	return !stat(path, &st) && live_num(ret, (uint32_t)st.st_ino == inode);
}

static bool host_ipc(const struct live_query *q, struct rules_value *ret)
{
	return shares(q, "ipc", live_process(q)->ns_ipc, ret);
}

static bool host_network(const struct live_query *q, struct rules_value *ret)
{
	return shares(q, "net", live_process(q)->ns_net, ret);
}

static bool host_pid(const struct live_query *q, struct rules_value *ret)
{
	return shares(q, "pid", live_process(q)->ns_pid, ret);
}

static bool info(const struct live_query *q, struct rules_value *ret)
{
	struct rules_value i = { 0 }, n = { 0 };

	(void)id(q, &i);
	if (!name(q, &n))
		n.str = SLICE_LIT("<NA>");
	return live_str(ret, slice_of(arena_printf(q->scratch, "container_id=%.*s container_name=%.*s",
						   SLICE_FMT(i.str), SLICE_FMT(n.str))));
}

/* ---- container_stats ---- */

static bool is_stats(const struct live_query *q)
{
	return q->live->event->type == EV_STATS;
}

static bool process_count(const struct live_query *q, struct rules_value *ret)
{
	return is_stats(q) && live_num(ret, (int64_t)q->live->event->stats.process_count);
}

static bool process_names(const struct live_query *q, struct rules_value *ret)
{
	if (!is_stats(q))
		return false;
	ret->list = q->live->event->stats.names;
	ret->list_count = q->live->event->stats.name_count;
	ret->is_list = true;
	return ret->list_count;
}

static bool has_net(const struct live_query *q)
{
	return is_stats(q) && q->live->event->stats.has_net;
}

static bool net_per_minute(const struct live_query *q, struct rules_value *ret)
{
	return has_net(q) && live_num(ret, (int64_t)q->live->event->stats.net_per_minute);
}

static bool net_learned(const struct live_query *q, struct rules_value *ret)
{
	return has_net(q) && live_num(ret, (int64_t)q->live->event->stats.net_learned);
}

static bool net_above(const struct live_query *q, struct rules_value *ret)
{
	return has_net(q) && live_num(ret, (int64_t)q->live->event->stats.net_above);
}

static bool has_image_net(const struct live_query *q)
{
	return is_stats(q) && q->live->event->stats.has_image_net;
}

static bool image_net_per_minute(const struct live_query *q, struct rules_value *ret)
{
	return has_image_net(q) && live_num(ret, (int64_t)q->live->event->stats.image_net_per_minute);
}

static bool image_net_learned(const struct live_query *q, struct rules_value *ret)
{
	return has_image_net(q) && live_num(ret, (int64_t)q->live->event->stats.image_net_learned);
}

static bool image_net_above(const struct live_query *q, struct rules_value *ret)
{
	return has_image_net(q) && live_num(ret, (int64_t)q->live->event->stats.image_net_above);
}

live_getter live_container_getter(unsigned field)
{
	static const live_getter getters[FIELD_COUNT] = {
		[FIELD_CONTAINER_ID] = id,
		[FIELD_CONTAINER_FULL_ID] = full_id,
		[FIELD_CONTAINER_NAME] = name,
		[FIELD_CONTAINER_TYPE] = type,
		[FIELD_CONTAINER_USER] = user,
		[FIELD_CONTAINER_PROCESS_COUNT] = process_count,
		[FIELD_CONTAINER_PROCESS_NAMES] = process_names,
		[FIELD_CONTAINER_NET_PER_MINUTE] = net_per_minute,
		[FIELD_CONTAINER_NET_LEARNED] = net_learned,
		[FIELD_CONTAINER_NET_ABOVE] = net_above,
		[FIELD_CONTAINER_IMAGE_NET_PER_MINUTE] = image_net_per_minute,
		[FIELD_CONTAINER_IMAGE_NET_LEARNED] = image_net_learned,
		[FIELD_CONTAINER_IMAGE_NET_ABOVE] = image_net_above,
		[FIELD_CONTAINER_IMAGE] = image,
		[FIELD_CONTAINER_IMAGE_REPOSITORY] = image_repository,
		[FIELD_CONTAINER_IMAGE_TAG] = image_tag,
		[FIELD_CONTAINER_IMAGE_DIGEST] = image_digest,
		[FIELD_CONTAINER_IMAGE_ID] = image_id,
		[FIELD_CONTAINER_PRIVILEGED] = privileged,
		[FIELD_CONTAINER_START_TS] = start_ts,
		[FIELD_CONTAINER_DURATION] = duration,
		[FIELD_CONTAINER_MOUNTS] = mounts,
		[FIELD_CONTAINER_MOUNT] = mount_part,
		[FIELD_CONTAINER_MOUNT_SOURCE] = mount_part,
		[FIELD_CONTAINER_MOUNT_DEST] = mount_part,
		[FIELD_CONTAINER_MOUNT_MODE] = mount_part,
		[FIELD_CONTAINER_MOUNT_RDWR] = mount_part,
		[FIELD_CONTAINER_MOUNT_PROPAGATION] = mount_part,
		[FIELD_CONTAINER_LABEL] = label,
		[FIELD_CONTAINER_LABELS] = labels,
		[FIELD_CONTAINER_INFO] = info,
		[FIELD_K8S_NS_NAME] = pod_namespace,
		[FIELD_K8S_POD_NAME] = pod_name,
		[FIELD_K8S_POD_UID] = pod_uid,
		[FIELD_K8S_POD_ID] = pod_uid,
		[FIELD_K8S_POD_SANDBOX_ID] = short_sandbox,
		[FIELD_K8S_POD_FULL_SANDBOX_ID] = sandbox,
		[FIELD_CONTAINER_HOST_IPC] = host_ipc,
		[FIELD_CONTAINER_HOST_NETWORK] = host_network,
		[FIELD_CONTAINER_HOST_PID] = host_pid,
	};

	return field < ARRAY_LEN(getters) ? getters[field] : NULL;
}
