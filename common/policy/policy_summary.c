/* policy_summary.c - a policy as people check it: did it understand what I wrote? */
#include "common/policy/policy_priv.h"
#include "common/show.h"

enum { SHOWN_ENTRIES = 6, SHOWN_CHARS = 100 };

static void add_bits(struct buf *out, uint64_t bits, const char *const *names, size_t count)
{
	const char *between = "";

	for (size_t i = 0; i < count; i++) {
		if (!(bits >> i & 1))
			continue;
		buf_printf(out, "%s%s", between, names ? names[i] : policy_cap_name((unsigned)i));
		between = ", ";
	}
	if (!bits)
		buf_add_str(out, "nothing");
}

static void add_entries(struct buf *out, const struct policy_value *v)
{
	for (size_t i = 0; i < v->count && i < SHOWN_ENTRIES; i++) {
		buf_add_str(out, i ? ", " : "");
		show_text(out, slice_of(v->entries[i].text[0] ? v->entries[i].text : "*"), SHOWN_CHARS);
		buf_add_str(out, !v->entries[i].is_half ? "" : " (in part)");
	}
	if (v->count > SHOWN_ENTRIES)
		buf_printf(out, " and %zu more", v->count - SHOWN_ENTRIES);
	if (!v->count)
		buf_add_str(out, "nothing");
}

static void add_value(struct buf *out, const struct policy_value *v, enum policy_kind kind)
{
	switch (kind) {
	case POLICY_KIND_BOOL:
		buf_add_str(out, v->n ? "yes" : "no");
		return;
	case POLICY_KIND_SEVERITY:
		buf_add_str(out, policy_severity_names[v->n]);
		return;
	case POLICY_KIND_DURATION:
		buf_printf(out, "%.1f h", (double)v->n / 3600000);
		return;
	case POLICY_KIND_NAMESPACES:
		add_bits(out, v->n, policy_namespace_names, ARRAY_LEN(policy_namespace_names));
		return;
	case POLICY_KIND_LIMITS:
		add_bits(out, v->n, policy_limit_names, ARRAY_LEN(policy_limit_names));
		return;
	case POLICY_KIND_CAPABILITIES:
		if (v->n == policy_caps_all())
			buf_add_str(out, "ALL");
		else
			add_bits(out, v->n, NULL, CAPS_COUNT);
		return;
	case POLICY_KIND_REPOSITORIES:
	case POLICY_KIND_NAMES:
	case POLICY_KIND_PREFIXES:
	case POLICY_KIND_PORTS:
	case POLICY_KIND_MOUNTS:
		add_entries(out, v);
		return;
	}
}

static void add_layer(struct buf *out, const struct policy_layer *layer, const char *indent)
{
	for (size_t s = 0; s < POLICY_SECTION_COUNT; s++) {
		bool is_begun = false;

		for (size_t i = 0; i < KEY_COUNT; i++) {
			if (policy_keys[i].section != s || !layer->v[i].is_set)
				continue;
			if (!is_begun)
				buf_printf(out, "%s%s%s%s%s\n", indent, policy_section_names[s], layer->mode[s] < 0 ? "" : " (",
					   layer->mode[s] < 0 ? "" : policy_mode_names[layer->mode[s]], layer->mode[s] < 0 ? "" : ")");
			is_begun = true;
			buf_printf(out, "%s  %s: ", indent, policy_keys[i].name);
			add_value(out, &layer->v[i], policy_keys[i].kind);
			buf_add_char(out, '\n');
		}
		if (!is_begun && layer->mode[s] >= 0)
			buf_printf(out, "%s%s (%s): nothing said\n", indent, policy_section_names[s], policy_mode_names[layer->mode[s]]);
	}
}

static void add_match(struct buf *out, const struct policy_match *m)
{
	const struct policy_texts *all[] = { &m->name, &m->image, &m->label };
	static const char *const names[] = { "name", "image", "label" };
	const char *between = "";

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		for (size_t k = 0; k < all[i]->count && k < SHOWN_ENTRIES; k++) {
			buf_printf(out, "%s%s%s", k ? " or " : between, k ? "" : names[i], k ? "" : " ");
			show_text(out, slice_of(all[i]->v[k]), SHOWN_CHARS);
		}
		between = all[i]->count ? ", " : between;
	}
}

static void add_exception(struct buf *out, const struct policy_exception *x, uint64_t now_unix_s)
{
	buf_printf(out, "exception at line %u for ", x->line);
	add_match(out, &x->match);
	buf_add_str(out, ": ");
	for (size_t i = 0; i < x->allow_count && i < SHOWN_ENTRIES; i++)
		buf_printf(out, "%s%s", i ? ", " : "",
			   x->allow[i].rule >= 0 ? policy_rules[x->allow[i].rule].number : policy_words[x->allow[i].word].name);
	buf_add_str(out, " (");
	show_text(out, slice_of(x->reason), SHOWN_CHARS);
	if (x->until_unix_s)
		buf_printf(out, ", %s %s", policy_exception_holds(x, now_unix_s) ? "until" : "ENDED", x->until);
	buf_add_str(out, ")\n");
}

void policy_summary(const struct policy *p, uint64_t now_unix_s, struct buf *out)
{
	add_layer(out, &p->general, "");
	for (size_t i = 0; i < p->scope_count; i++) {
		buf_add_str(out, "scope ");
		show_text(out, slice_of(p->scopes[i].name), SHOWN_CHARS);
		buf_add_str(out, p->scopes[i].name[0] ? ": " : "");
		add_match(out, &p->scopes[i].match);
		buf_add_char(out, '\n');
		add_layer(out, &p->scopes[i], "  ");
	}
	for (size_t i = 0; i < p->exception_count; i++)
		add_exception(out, &p->exceptions[i], now_unix_s);
}
