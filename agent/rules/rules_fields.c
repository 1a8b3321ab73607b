/* rules_fields.c - see rules_fields.h. */
#include "agent/rules/rules_fields.h"

#include "common/text.h"

static const struct rules_field fields[FIELD_COUNT] = {
#define FIELD(id, name, type, flags, doc) { name, RT_##type, flags, doc },
#include "agent/rules/fields.def"
#undef FIELD
};

const struct rules_field *rules_field_find(struct slice name)
{
	size_t low = 0, high = ARRAY_LEN(fields);

	while (low < high) {
		size_t mid = (low + high) / 2, n = strlen(fields[mid].name);
		int d = memcmp(name.p ? name.p : "", fields[mid].name, name.n < n ? name.n : n);

		if (!d && name.n == n)
			return &fields[mid];
		if (d > 0 || (!d && name.n > n))
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

const char *rules_field_name(const struct rules_field *f)
{
	return f->name;
}

enum rules_type rules_field_type(const struct rules_field *f)
{
	return f->type;
}

unsigned rules_field_id(const struct rules_field *f)
{
	return (unsigned)(f - fields);
}

/* Arguments of events that are numbers in the raw form; the others are text there too. */
static enum rules_type raw_arg_type(struct slice name)
{
	static const char *const numbers[] = { "res", "fd", "ret", "pid", "ptid", "tid", "vtid", "vpid",
					       "pgid", "size", "flags", "uid", "gid", "euid", "egid", "mode",
					       "dirfd", "ino", "dev", "tty", "loginuid", "addr", "length",
					       "offset", "reaper_tid", "domain", "type", "proto", "backlog",
					       "fd_in", "fd_out", "request", "cmd", "prot", "pos", "whence" };

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		if (slice_is(name, numbers[i]))
			return RT_INT;
	return RT_STRING;
}

/* "evt.arg.flags" -> evt.arg and "flags": the longest family that name begins with. */
static const struct rules_field *find_family(struct slice name, struct slice *ret_arg)
{
	for (size_t n = name.n; n-- > 1;) {
		const struct rules_field *f =
			name.p[n] == '.' ? rules_field_find(slice_sub(name, 0, n)) : NULL;

		if (!f || !(f->flags & FIELD_IS_FAMILY))
			continue;
		*ret_arg = slice_sub(name, n + 1, name.n);
		return f;
	}
	return NULL;
}

static enum field_problem unknown(struct slice name, struct err *err)
{
	const char *names[FIELD_COUNT], *near;

	if (!err)
		return FIELD_UNKNOWN;
	for (size_t i = 0; i < FIELD_COUNT; i++)
		names[i] = fields[i].name;
	near = name.n <= 64 ? text_nearest(name, names, FIELD_COUNT) : NULL;
	(void)err_set(err, ERR_SYNTAX, "filter_check called with nonexistent field %.*s%s%s%s", SLICE_FMT(name),
		      near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
	return FIELD_UNKNOWN;
}

enum field_problem rules_field_resolve(struct slice name, bool has_arg, struct slice arg,
				       struct rules_field_ref *ret, struct err *err)
{
	struct rules_field_ref r = { .index = -1, .arg = has_arg ? arg : SLICE_NONE };
	uint64_t index = 0;

	r.field = rules_field_find(name);
	if (!r.field) {
		struct slice rest;

		r.field = find_family(name, &rest);
		if (!r.field || has_arg)
			return unknown(name, err);
		r.arg = rest;
		r.is_family_arg = true;
	}
	r.type = r.field->flags & FIELD_IS_DYNAMIC ? raw_arg_type(r.arg) : r.field->type;
	if (has_arg) {
		bool is_number = slice_to_u64(arg, &index) && index <= INT16_MAX;

		if (is_number && r.field->flags & FIELD_IS_INDEX)
			r.index = (int)index;
		else if (!(r.field->flags & FIELD_IS_KEY)) {
			(void)err_set(err, ERR_SYNTAX,
				      r.field->flags & FIELD_IS_INDEX ?
					      "filter error: field '%s' takes a number in brackets, not '%.*s'" :
					      "filter error: field '%s' does not support an argument ('%.*s')",
				      r.field->name, SLICE_FMT(arg));
			return FIELD_WRONG_ARG;
		}
	} else if (!r.arg.n && r.field->flags & FIELD_IS_ARG_REQUIRED) {
		(void)err_set(err, ERR_SYNTAX, "filter error: field '%s' requires an argument",
			      r.field->name);
		return FIELD_WRONG_ARG;
	}
	*ret = r;
	return FIELD_OK;
}
