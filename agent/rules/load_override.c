/* load_override.c - `override: {key: append | replace}` and the older `append: true`. */
#include "agent/rules/load.h"

static bool read_entry(struct loader *l, const struct ynode *item, const struct override_keys *keys,
		       const struct ynode *key, const struct ynode *how, struct overrides *ret)
{
	bool is_append = how->kind == YNODE_SCALAR && slice_is(how->text, "append");
	size_t i = 0;

	if (!is_append && (how->kind != YNODE_SCALAR || !slice_is(how->text, "replace"))) {
		load_error(l, place_of(l, how),
			   "Invalid override operation for key '%.*s': '%.*s'. Allowed values are 'append' or "
			   "'replace'",
			   SLICE_FMT(slice_sub(key->text, 0, 80)), SLICE_FMT(slice_sub(how->text, 0, 80)));
		return false;
	}
	while (i < keys->count && !slice_is(key->text, keys->names[i]))
		i++;
	uint32_t bit = i < keys->count ? 1U << i : 0;
	if (!(bit & (is_append ? keys->may_append : keys->may_replace))) {
		load_error(l, place_of(l, key),
			   is_append ? "Key '%.*s' cannot be appended to, use 'replace' instead" :
				       "Key '%.*s' cannot be overridden via 'replace'",
			   SLICE_FMT(slice_sub(key->text, 0, 80)));
		return false;
	}
	if (!ynode_get(item, keys->names[i])) {
		load_error(l, place_of(l, key),
			   is_append ? "An append override for '%s' was specified but '%s' is not defined" :
				       "A replace override for '%s' was specified but '%s' is not defined",
			   keys->names[i], keys->names[i]);
		return false;
	}
	if (is_append)
		ret->append |= bit;
	else
		ret->replace |= bit;
	return true;
}

bool load_overrides(struct loader *l, const struct ynode *item, const struct override_keys *keys,
		    struct overrides *ret)
{
	const struct ynode *o = ynode_get(item, "override"), *append = ynode_get(item, "append");

	if (!load_bool(l, item, "append", &ret->append_key))
		return false;
	if (ret->append_key)
		load_warn(l, place_of(l, append),
			  "'append' key is deprecated. Add an 'append' entry (e.g. 'condition: append') under "
			  "'override' instead.");
	if (!o || o->kind == YNODE_NULL)
		return true;
	if (o->kind != YNODE_MAP) {
		load_error(l, place_of(l, o), "Value of 'override' must be a map from key to 'append' or 'replace'");
		return false;
	}
	for (size_t i = 0; i + 1 < o->count; i += 2)
		if (!read_entry(l, item, keys, o->items[i], o->items[i + 1], ret))
			return false;
	if (ret->append_key && (ret->append || ret->replace)) {
		load_error(l, place_of(l, append),
			   "Keys 'override' and 'append: true' cannot be used together. Add an 'append' entry (e.g. "
			   "'condition: append') under 'override' instead.");
		return false;
	}
	return true;
}
