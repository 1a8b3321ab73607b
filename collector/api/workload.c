/* workload.c - see workload.h. */
#include "collector/api/workload.h"

#include <errno.h>

#include "common/json.h"

enum { LABELS_BYTES = 1024 * 1024 };

static bool texts_of(char *const *list, size_t n, struct policy_texts *ret)
{
	*ret = (struct policy_texts){ (const char *const *)list, n };
	return true;
}

static bool bytes_of(const ProtobufCBinaryData *list, size_t n, struct arena *a, struct policy_texts *ret)
{
	const char **v = arena_zalloc(a, n + 1, sizeof(*v));

	for (size_t i = 0; v && i < n; i++) {
		v[i] = arena_dup(a, msg_slice(list[i]));
		if (!v[i])
			return false;
	}
	*ret = (struct policy_texts){ v, n };
	return v != NULL;
}

static bool labels_of(const char *json, struct arena *a, struct policy_texts *ret)
{
	CLEANUP(cJSON_Deletep) cJSON *all = NULL;
	const cJSON *item;
	size_t n = 0;

	*ret = (struct policy_texts){ 0 };
	if (json_parse(slice_of(json), LABELS_BYTES, &all, NULL) < 0)
		return true;
	const char **v = arena_zalloc(a, (size_t)cJSON_GetArraySize(all) + 1, sizeof(*v));
	cJSON_ArrayForEach(item, all)
	{
		if (!v || !(v[n++] = arena_printf(a, "%s=%s", item->string, cJSON_IsString(item) ? item->valuestring : "")))
			return false;
	}
	*ret = (struct policy_texts){ v, n };
	return true;
}

static bool mounts_of(const Picket__ContainerConfig *k, struct arena *a, struct policy_workload *w)
{
	struct policy_mount *m = arena_zalloc(a, k->n_mounts + 1, sizeof(*m));

	for (size_t i = 0; m && i < k->n_mounts; i++) {
		const Picket__Mount *x = k->mounts[i];

		m[i] = (struct policy_mount){ .type = x->type,
					      .source = arena_dup(a, msg_slice(x->source)),
					      .real = "",
					      .device = arena_dup(a, msg_slice(x->device)),
					      .driver = x->driver,
					      .dest = arena_dup(a, msg_slice(x->target)),
					      .is_writable = x->writable,
					      .protects = "" };
		if (!m[i].source || !m[i].device || !m[i].dest)
			return false;
	}
	w->mounts = m;
	w->mount_count = k->n_mounts;
	return m != NULL;
}

static bool ports_of(const Picket__ContainerConfig *k, struct arena *a, struct policy_workload *w)
{
	struct policy_port *p = arena_zalloc(a, k->n_ports + 1, sizeof(*p));

	for (size_t i = 0; p && i < k->n_ports; i++)
		p[i] = (struct policy_port){ .host_ip = k->ports[i]->host_ip,
					     .host_port = (uint16_t)k->ports[i]->host_port,
					     .port = (uint16_t)k->ports[i]->port,
					     .protocol = k->ports[i]->protocol,
					     .is_published = k->ports[i]->host_port != 0 };
	w->ports = p;
	w->port_count = k->n_ports;
	return p != NULL;
}

static bool is_switched_off(const Picket__ContainerConfig *k, const char *what)
{
	for (size_t i = 0; i < k->n_security_opt; i++) {
		struct slice rest = msg_slice(k->security_opt[i]), name;
		ptrdiff_t at = slice_find_char(rest, '=');

		if (at < 0)
			at = slice_find_char(rest, ':'); /* the older way to write it */
		name = slice_sub(rest, 0, at < 0 ? rest.n : (size_t)at);
		if (at >= 0 && slice_is(name, what) && slice_is(slice_sub(rest, (size_t)at + 1, rest.n), "unconfined"))
			return true;
	}
	return false;
}

static const char *worst_of(const struct store_image *im)
{
	return im->critical ? "critical" : im->high ? "high" : im->medium ? "medium" : im->low ? "low" : "";
}

static bool image_of(const struct store_container *c, const struct store_image *image, struct arena *a,
		     struct policy_workload *w)
{
	const char *digest;

	w->image = arena_dup(a, c->image);
	w->image_id = c->image_id;
	if (!w->image)
		return false;
	if (!policy_reference(w->image, a, &w->repository, &w->tag, &digest))
		w->repository = w->tag = "";
	w->is_scan_known = image != NULL;
	if (image && image->is_known) {
		w->is_scanned = true;
		w->worst_severity = worst_of(image);
		w->scanned_unix_s = image->taken_unix_s;
	}
	return true;
}

int workload_from(const struct store_container *c, const struct store_image *image, struct arena *a,
		  struct policy_workload *ret, struct err *err)
{
	const Picket__ContainerConfig *k = c->config;

	if (!k)
		return err_set(err, ERR_NOT_FOUND, "nobody has told how container '%.64s' was made", c->id);
	*ret = (struct policy_workload){
		.subject = POLICY_CONTAINER,
		.name = arena_dup(a, c->name),
		.user = arena_dup(a, c->user),
		.is_user_root = k->user_is_root,
		.is_privileged = c->is_privileged,
		.pid_mode = k->pid_mode,
		.ipc_mode = k->ipc_mode,
		.network_mode = k->network_mode,
		.uts_mode = k->uts_mode,
		.userns_mode = k->userns_mode,
		.cgroupns_mode = k->cgroupns_mode,
		.runtime = k->runtime,
		.real_pid_mode = k->pid_mode,
		.real_ipc_mode = k->ipc_mode,
		.real_network_mode = k->network_mode,
		.has_unmasked_paths = k->unmasked_paths,
		.is_publish_all = k->publish_all,
		.is_root_readonly = k->readonly_root,
		.memory_bytes = k->memory_bytes,
		.nano_cpus = k->nano_cpus,
		.pids_limit = k->pids_limit,
		.has_weaker_seccomp = is_switched_off(k, "seccomp") || c->is_privileged,
		.has_weaker_apparmor = is_switched_off(k, "apparmor"),
	};
	bool ok = ret->name && ret->user && image_of(c, image, a, ret) && labels_of(c->labels, a, &ret->labels) &&
		  texts_of(k->cap_add, k->n_cap_add, &ret->cap_add) && texts_of(k->cap_drop, k->n_cap_drop, &ret->cap_drop) &&
		  texts_of(k->image_digests, k->n_image_digests, &ret->digests) &&
		  bytes_of(k->security_opt, k->n_security_opt, a, &ret->security_opt) &&
		  bytes_of(k->devices, k->n_devices, a, &ret->devices) &&
		  bytes_of(k->sysctls, k->n_sysctls, a, &ret->sysctls) &&
		  bytes_of(k->networks, k->n_networks, a, &ret->networks) && mounts_of(k, a, ret) && ports_of(k, a, ret);
	return ok ? 0 : err_set(err, ERR_LIMIT, "container '%.64s' is too large to be judged", c->id);
}
