/* caps.c - capabilities as the engine reads and adds them up. */
#include "common/policy/policy_priv.h"

static const struct {
	const char *name;
	bool is_default;
} caps[] = {
#define POLICY_CAP(name, is_default) { #name, is_default },
#include "common/policy/caps.def"
#undef POLICY_CAP
};
_Static_assert(ARRAY_LEN(caps) == CAPS_COUNT, "CAPS_COUNT");

const char *policy_cap_name(unsigned bit)
{
	return bit < CAPS_COUNT ? caps[bit].name : bit == CAP_ALL ? "ALL" : "?";
}

uint64_t policy_caps_all(void)
{
	return (1ULL << CAPS_COUNT) - 1;
}

/* Upper case as Go has it: U+017F is an S and U+0131 an I there. The length, or 0: too long. */
static size_t upper(struct slice s, char *dst, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (n + 1 >= size)
			return 0;
		if (i + 1 < s.n && c == '\xc5' && s.p[i + 1] == '\xbf') {
			c = 'S';
			i++;
		} else if (i + 1 < s.n && c == '\xc4' && s.p[i + 1] == '\xb1') {
			c = 'I';
			i++;
		} else if (c >= 'a' && c <= 'z') {
			c = (char)(c - 'a' + 'A');
		}
		dst[n++] = c;
	}
	return n;
}

unsigned policy_cap_find(struct slice name)
{
	char text[64];
	struct slice s = slice_from(text, upper(slice_trim(name), text, sizeof(text)));

	if (slice_starts(s, SLICE_LIT("CAP_")))
		s = slice_sub(s, 4, s.n);
	if (slice_is(s, "ALL"))
		return CAP_ALL;
	for (unsigned i = 0; i < CAPS_COUNT; i++)
		if (slice_is(s, caps[i].name))
			return i;
	return CAP_UNKNOWN;
}

static uint64_t sum(const struct policy_texts *t, bool *ret_has_all, const char **ret_unknown)
{
	uint64_t bits = 0;

	for (size_t i = 0; i < t->count; i++) {
		unsigned bit = policy_cap_find(slice_of(policy_text(t->v[i])));

		if (bit == CAP_ALL)
			*ret_has_all = true;
		else if (bit == CAP_UNKNOWN)
			*ret_unknown = *ret_unknown ? *ret_unknown : policy_text(t->v[i]);
		else
			bits |= 1ULL << bit;
	}
	return bits;
}

uint64_t policy_caps_effective(const struct policy_workload *w, bool *ret_has_all, const char **ret_unknown)
{
	const char *ignored = NULL;
	bool drops_all = false;
	uint64_t bits = 0;

	*ret_has_all = false;
	*ret_unknown = NULL;
	uint64_t add = sum(&w->cap_add, ret_has_all, ret_unknown);
	uint64_t drop = sum(&w->cap_drop, &drops_all, &ignored);
	if (w->is_privileged)
		return policy_caps_all();
	/* In the engine's order: ALL added leaves what is not dropped by name, ALL dropped leaves what is added. */
	if (*ret_has_all)
		return policy_caps_all() & ~drop;
	if (drops_all)
		return add;
	for (unsigned i = 0; i < CAPS_COUNT; i++)
		bits |= (uint64_t)caps[i].is_default << i;
	return (bits & ~drop) | add;
}
