/* load_version.c - see load_version.h. The engine version is the one of Falco whose language this is. */
#include "agent/rules/load_version.h"

static const unsigned engine_version[3] = { 0, 63, 0 };

/* "0.57.0" or "26", which is 0.26.0. */
static bool parse_version(struct slice s, unsigned ret[3])
{
	struct slice rest = s, part;
	unsigned n = 0;
	uint64_t v[3] = { 0 };

	while (slice_split(&rest, '.', &part))
		if (n == 3 || !slice_to_u64(part, &v[n]) || v[n++] > 1000000)
			return false;
	if (n != 1 && n != 3)
		return false;
	if (n == 1) {
		v[1] = v[0];
		v[0] = 0;
	}
	for (int i = 0; i < 3; i++)
		ret[i] = (unsigned)v[i];
	return true;
}

void load_engine_version(struct loader *l, const struct ynode *item)
{
	const unsigned *e = engine_version;
	const struct ynode *n = ynode_get(item, "required_engine_version");
	unsigned v[3];

	if (n->kind != YNODE_SCALAR || !parse_version(n->text, v))
		return load_error(l, place_of(l, n),
				  "Unable to parse engine version '%.*s'. Expected a numeric value or semver string.",
				  SLICE_FMT(slice_sub(n->text, 0, 80)));
	bool is_newer = v[1] > e[1] || (v[1] == e[1] && v[2] > e[2]);
	if (v[0] != e[0] || is_newer)
		load_error(l, place_of(l, n),
			   "Rules require engine version %u.%u.%u, but engine version is %u.%u.%u", v[0], v[1],
			   v[2], e[0], e[1], e[2]);
}

static bool check_plugin(struct loader *l, const struct ynode *n, struct slice *ret_name)
{
	struct slice version;
	unsigned v[3];

	if (n->kind != YNODE_MAP) {
		load_error(l, place_of(l, n), "Plugin version must be a yaml map object");
		return false;
	}
	if (!load_text(l, n, "name", ret_name) || !load_text(l, n, "version", &version))
		return false;
	if (parse_version(version, v))
		return true;
	load_error(l, place_of(l, n), "Invalid required version '%.*s' for plugin '%.*s'",
		   SLICE_FMT(slice_sub(version, 0, 80)), SLICE_FMT(slice_sub(*ret_name, 0, 80)));
	return false;
}

void load_plugin_versions(struct loader *l, const struct ynode *item)
{
	const struct ynode *all = ynode_get(item, "required_plugin_versions");

	if (all->kind != YNODE_SEQUENCE)
		return load_error(l, place_of(l, all), "Value of required_plugin_versions must be a sequence");
	for (size_t i = 0; i < all->count; i++) {
		struct slice name, other;

		if (!check_plugin(l, all->items[i], &name))
			return;
		bool is_ours = slice_is(name, "container");
		const struct ynode *alternatives = ynode_get(all->items[i], "alternatives");
		for (size_t k = 0; alternatives && k < alternatives->count; k++) {
			if (!check_plugin(l, alternatives->items[k], &other))
				return;
			is_ours |= slice_is(other, "container");
			if (slice_eq(name, other))
				load_error(l, place_of(l, alternatives),
					   "Defined multiple alternative version requirements for plugin '%.*s'",
					   SLICE_FMT(slice_sub(name, 0, 80)));
		}
		if (!is_ours)
			load_warn(l, place_of(l, all->items[i]),
				  "Plugin '%.*s' is not part of picket: rules of its source are skipped",
				  SLICE_FMT(slice_sub(name, 0, 80)));
	}
}
