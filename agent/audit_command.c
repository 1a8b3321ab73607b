/* audit_command.c - see audit_command.h. The audit and the images are rooms that don't know each other. */
#include "agent/audit_command.h"

#include <errno.h>

#include "agent/audit/audit_cli.h"
#include "agent/image/image.h"
#include "proto/limits.h"

static int keep(const Picket__Inventory *inv, struct arena *a, struct facts_image *ret, struct err *err)
{
	size_t packages = 0, n = inv->config ? inv->config->n_setid_files : 0;
	const char **paths = arena_zalloc(a, n + 1, sizeof(*paths));

	if (!paths)
		return err_set(err, ERR_LIMIT, "no room for the files of an image");
	for (size_t i = 0; i < inv->n_layers; i++)
		packages += inv->layers[i]->n_packages;
	for (size_t i = 0; i < n; i++) {
		const Picket__SetidFile *f = inv->config->setid_files[i];

		paths[i] = arena_dup(a, slice_from(f->path.data, f->path.len));
		if (!paths[i])
			return err_set(err, ERR_LIMIT, "no room for the files of an image");
	}
	ret->setid_files = (struct facts_texts){ paths, n };
	ret->package_count = packages;
	ret->has_stock = true;
	return 0;
}

static int take_stock(const char *id, const char *docker_socket, struct arena *a, struct facts_image *ret, struct err *err)
{
	CLEANUP(arena_freep) struct arena *arena = arena_new(LIMIT_INVENTORY_ARENA_BYTES);
	struct image_options options = { .engine_socket = docker_socket };
	Picket__Inventory *inv = NULL;

	if (!arena)
		return err_set(err, ENOMEM, "audit");
	int r = image_take_stock(id, &options, arena, &inv, NULL, err);
	return r < 0 ? r : keep(inv, a, ret, err);
}

int audit_command(int argc, char **argv)
{
	return audit_cli(argc, argv, take_stock);
}
