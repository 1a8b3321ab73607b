/* complete.c - what a request refers to, looked up: its image, the containers whose namespaces and volumes it joins, its
 * networks' names, its volumes' options, its devices and mounts as they are on this host. */
#include <stdio.h>

#include "agent/guard/authz/judge_priv.h"

const char *az_or_empty(const char *s)
{
	return s ? s : "";
}

bool az_know_image(struct judge *j, struct policy_workload *w, const char *reference)
{
	const char *repository = NULL, *tag = NULL, *digest = NULL;

	if (policy_reference(w->image, j->a, &repository, &tag, &digest)) {
		w->repository = az_or_empty(repository);
		w->tag = az_or_empty(tag);
	}
	if (!*reference)
		return true;
	enum authz_known known = j->ops->image(j->arg, reference, j->a, w);
	if (known == AUTHZ_ABSENT) {
		/* The engine will say so itself. Should it come between, the start is judged with it. */
		w->is_scan_known = false;
		if (!*w->user) {
			w->user = "of an image that is not here";
			w->is_user_root = false;
		}
	}
	if (!az_is_told(j, known, "image", reference))
		return false;
	j->about = w;
	return true;
}

/* "container:X" -> X; else NULL. */
static const char *other_container(const char *mode)
{
	return !strncmp(mode, "container:", 10) ? mode + 10 : NULL;
}

static const char *mode_of(const struct policy_workload *w, enum az_space s)
{
	return s == SPACE_PID ? w->pid_mode : s == SPACE_IPC ? w->ipc_mode : w->network_mode;
}

bool az_follow(struct judge *j, enum az_space s, const char *mode, const char **ret)
{
	for (unsigned i = 0;; i++) {
		const char *other = other_container(mode);
		struct policy_workload w;

		*ret = mode;
		if (!other)
			return true;
		if (i == AUTHZ_FOLLOW_MAX)
			return az_is_told(j, AUTHZ_NOT_KNOWN, "container", other);
		enum authz_known known = j->ops->container(j->arg, other, j->a, &w);
		if (!az_is_told(j, known, "container", other))
			return false;
		if (known == AUTHZ_ABSENT)
			return true; /* the engine refuses it */
		mode = mode_of(&w, s);
	}
}

static bool follow_namespaces(struct judge *j, struct policy_workload *w)
{
	const char *network = w->real_network_mode; /* may be the host's by way of an endpoint */

	if (!az_follow(j, SPACE_PID, w->pid_mode, &w->real_pid_mode) || !az_follow(j, SPACE_IPC, w->ipc_mode, &w->real_ipc_mode))
		return false;
	if (!strcmp(network, "host"))
		return true;
	return az_follow(j, SPACE_NETWORK, w->network_mode, &w->real_network_mode);
}

/* Room for more mounts after those of w, all in the arena. */
static struct policy_mount *more_mounts(struct judge *j, const struct policy_workload *w, size_t more)
{
	struct policy_mount *v = arena_zalloc(j->a, w->mount_count + more + 1, sizeof(*v));

	if (!v)
		az_is_told(j, AUTHZ_NOT_KNOWN, "volumes of", w->name);
	else if (w->mount_count)
		memcpy(v, w->mounts, w->mount_count * sizeof(*v));
	return v;
}

/* "X", "X:ro", "X:ro,z": all mounts of X. */
static bool add_volumes_from(struct judge *j, struct policy_workload *w, const char *text)
{
	size_t n = strcspn(text, ":");
	const char *name = arena_dup(j->a, (struct slice){ text, n });
	bool is_readonly = text[n] && strstr(text + n, "ro");
	struct policy_workload other;
	enum authz_known known = name ? j->ops->container(j->arg, name, j->a, &other) : AUTHZ_NOT_KNOWN;

	if (known == AUTHZ_NOT_KNOWN)
		w->has_unseen_volumes = true;
	if (known != AUTHZ_KNOWN)
		return az_is_told(j, known, "container", text);
	struct policy_mount *v = more_mounts(j, w, other.mount_count);
	if (!v)
		return false;
	for (size_t i = 0; i < other.mount_count; i++) {
		v[w->mount_count + i] = other.mounts[i];
		v[w->mount_count + i].is_writable &= !is_readonly;
	}
	w->mounts = v;
	w->mount_count += other.mount_count;
	return true;
}

/* A volume that is there already is what it is, whatever the request says of its driver and options: the engine takes
 * it and leaves them. What the request says stays beside it: the volume may be gone by then. */
static bool see_through_volumes(struct judge *j, struct policy_workload *w)
{
	size_t count = w->mount_count, n = count;
	struct policy_mount *v = more_mounts(j, w, count);

	if (!v)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (strcmp(v[i].type, "volume") != 0 || !*v[i].source)
			continue;
		struct policy_mount there = v[i];
		there.device = there.driver = there.protects = "";
		enum authz_known known = j->ops->volume(j->arg, v[i].source, j->a, &there);
		if (!az_is_told(j, known, "volume", v[i].source))
			return false;
		if (known == AUTHZ_KNOWN && (*v[i].device || *v[i].driver))
			v[n++] = there;
		else if (known == AUTHZ_KNOWN)
			v[i] = there;
	}
	w->mounts = v;
	w->mount_count = n;
	return true;
}

static bool is_built_in(const char *mode)
{
	static const char *const words[] = { "", "default", "bridge", "none", "host", "private" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (!strcmp(mode, words[i]))
			return true;
	return other_container(mode) != NULL;
}

bool az_name_networks(struct judge *j, struct policy_workload *w)
{
	const char **v = arena_zalloc(j->a, w->networks.count + 1, sizeof(*v));

	for (size_t i = 0; v && i < w->networks.count; i++) {
		v[i] = w->networks.v[i];
		if (is_built_in(v[i]))
			continue;
		if (!az_is_told(j, j->ops->network(j->arg, w->networks.v[i], j->a, &v[i]), "network", v[i]))
			return false;
	}
	if (!v)
		return az_is_told(j, AUTHZ_NOT_KNOWN, "networks of", w->name);
	w->networks.v = v;
	const char *mode = w->network_mode;
	if (!is_built_in(mode) && !az_is_told(j, j->ops->network(j->arg, mode, j->a, &w->network_mode), "network", mode))
		return false;
	for (size_t i = 0; i < w->networks.count; i++)
		if (!strcmp(v[i], "host"))
			w->real_network_mode = "host";
	if (!strcmp(w->network_mode, "host"))
		w->real_network_mode = "host";
	return true;
}

/* More than is judged in the time there is; few containers come near. */
static bool is_too_much(struct judge *j, const struct policy_workload *w)
{
	char why[80];

	if (w->mount_count <= AUTHZ_MOUNTS_MAX)
		return false;
	snprintf(why, sizeof(why), "%zu mounts, volumes of others among them; at most %d", w->mount_count, AUTHZ_MOUNTS_MAX);
	az_refuse_form(j, AZ_TOO_MUCH, why);
	return true;
}

bool az_complete(struct judge *j, struct policy_workload *w)
{
	const struct policy_texts from = w->volumes_from;
	bool is_complete;

	/* Each is asked about, so that what isn't known is asked for in one go; `and` would take a round each. */
	is_complete = az_know_image(j, w, *w->image_id ? w->image_id : w->image);
	is_complete &= follow_namespaces(j, w);
	is_complete &= az_name_networks(j, w);
	for (size_t i = 0; i < from.count; i++)
		is_complete &= add_volumes_from(j, w, from.v[i]);
	if (is_too_much(j, w))
		return false;
	is_complete &= see_through_volumes(j, w);
	if (!is_complete)
		return false;
	authz_resolve(j->p, w, j->a);
	authz_resolve_devices(w, j->a);
	return true;
}

bool az_find_container(struct judge *j, const char *id, struct policy_workload *w)
{
	enum authz_known known = j->ops->container(j->arg, id, j->a, w);

	(void)slice_copy(slice_of(id), j->v->container, sizeof(j->v->container));
	return az_is_told(j, known, "container", id) && known == AUTHZ_KNOWN;
}
