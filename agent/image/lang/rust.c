/* rust.c - Cargo.lock. What cargo-auditable leaves in binaries is read in os/. */
#include "agent/image/lang/items.h"
#include "agent/image/lang/lang.h"

static const struct items_format lock = {
	.ecosystem = "cargo",
	.read = doc_toml,
	.shapes = { { "package/#", false } },
	.fields = { { "name", ITEM_NAME }, { "version", ITEM_VERSION } },
};

int lang_cargo_lock(struct slice path, struct slice text, const struct pkg_out *out, struct err *err)
{
	(void)path;
	return items_read(&lock, text, NULL, out, err);
}
