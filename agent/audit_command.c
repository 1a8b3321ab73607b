/* audit_command.c - see audit_command.h. The audit and the images are rooms that don't know each other. */
#include "agent/audit_command.h"

#include <errno.h>

#include "agent/audit/audit_cli.h"
#include "agent/image/image.h"
#include "agent/image/live/summary.h"
#include "agent/status.h"
#include "common/json.h"
#include "proto/limits.h"

static int keep_texts(const char *const *from, size_t n, struct arena *a, struct facts_texts *ret, struct err *err)
{
	const char **v = arena_zalloc(a, n + 1, sizeof(*v));

	for (size_t i = 0; v && i < n; i++) {
		v[i] = arena_dup(a, slice_of(from[i]));
		if (!v[i])
			return err_set(err, ERR_LIMIT, "no room for the files of an image");
	}
	*ret = (struct facts_texts){ v, n };
	return v ? 0 : err_set(err, ERR_LIMIT, "no room for the files of an image");
}

static int keep(const Picket__Inventory *inv, struct arena *a, struct facts_stock *ret, struct err *err)
{
	const Picket__ImageConfig *c = inv->config;
	size_t n = c ? c->n_setid_files : 0;
	const char **paths = arena_zalloc(a, n + 1, sizeof(*paths));
	struct facts_stock s = { .has_passwd = c && c->has_passwd };

	if (!paths)
		return err_set(err, ERR_LIMIT, "no room for the files of an image");
	for (size_t i = 0; i < inv->n_layers; i++)
		s.package_count += inv->layers[i]->n_packages;
	for (size_t i = 0; i < n; i++) {
		paths[i] = arena_dup(a, msg_slice(c->setid_files[i]->path));
		if (!paths[i])
			return err_set(err, ERR_LIMIT, "no room for the files of an image");
	}
	s.setid_files = (struct facts_texts){ paths, n };
	int r = keep_texts(c ? (const char *const *)c->uid0_users : NULL, c ? c->n_uid0_users : 0, a, &s.roots, err);
	if (r >= 0)
		*ret = s;
	return r;
}

static int take_stock(const char *id, const char *docker_socket, struct arena *a, struct facts_stock *ret, struct err *err)
{
	CLEANUP(arena_freep) struct arena *arena = arena_new(LIMIT_INVENTORY_ARENA_BYTES);
	struct image_options options = { .engine_socket = docker_socket };
	Picket__Inventory *inv = NULL;

	if (!arena)
		return err_set(err, ENOMEM, "audit");
	int r = image_take_stock(id, &options, arena, &inv, NULL, err);
	return r < 0 ? r : keep(inv, a, ret, err);
}

int audit_known_stock(const char *id, const char *state_dir, struct arena *a, struct facts_stock *ret, struct err *err)
{
	struct summary_files f;

	int r = summary_load_files(state_dir, id, a, &f, err);
	if (r < 0)
		return r;
	*ret = (struct facts_stock){ .setid_files = { f.setids, f.setid_count },
				     .roots = { f.roots, f.root_count },
				     .package_count = f.packages,
				     .has_passwd = f.has_passwd };
	return 0;
}

int audit_watched(const char *run_dir, struct arena *a, struct facts_texts *ret, struct err *err)
{
	enum { PATIENCE_S = 1, DOCUMENT_BYTES = 1 << 20 };
	CLEANUP(cJSON_Deletep) cJSON *doc = NULL;
	CLEANUP(buf_finip) struct buf text = { 0 };
	const cJSON *all, *one;

	buf_init(&text, DOCUMENT_BYTES);
	int r = status_fetch(run_dir, "agent.sock", PATIENCE_S, &text, err);
	if (r >= 0)
		r = json_parse(buf_slice(&text), DOCUMENT_BYTES, &doc, err);
	if (r < 0)
		return r;
	all = cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(doc, "audit"), "watched");
	*ret = (struct facts_texts){ arena_zalloc(a, (size_t)cJSON_GetArraySize(all) + 1, sizeof(*ret->v)), 0 };
	cJSON_ArrayForEach(one, all)
	{
		const char *path = ret->v && cJSON_IsString(one) ? arena_dup(a, slice_of(one->valuestring)) : NULL;

		if (path)
			ret->v[ret->count++] = path;
	}
	return 0;
}

const struct audit_outside audit_outside = { audit_known_stock, audit_watched };

int audit_command(int argc, char **argv)
{
	static const struct audit_stocks stocks = { take_stock, audit_known_stock, "/var/lib/picket/agent", audit_watched, "/run/picket" };

	return audit_cli(argc, argv, &stocks);
}
