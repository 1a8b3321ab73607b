/* facts_known.c - a filter that was read, as a word: "PID-START-FILTERS-INSTRUCTIONS-ABI-ALLOWS-ALWAYS". Pure. */
#include "agent/audit/facts_priv.h"
#include "common/text.h"

enum { WORDS = FACTS_SYSCALLS / 64, NUMBERS = 5 };

static void write_bits(const uint64_t v[WORDS], struct buf *out)
{
	for (size_t i = 0; i < WORDS; i++)
		buf_printf(out, "%016llx", (unsigned long long)v[i]);
}

void facts_known_write(const struct facts_real *r, struct buf *out)
{
	const struct facts_filter *f = &r->filter;

	if (!r->is_known || !f->is_read || r->init.seccomp != SECCOMP_FILTERED || !r->init.seccomp_filters || !r->init_start_ticks)
		return;
	buf_printf(out, "%d-%llu-%u-%u-%u-", (int)r->init.pid, (unsigned long long)r->init_start_ticks, r->init.seccomp_filters,
		   f->instructions, (unsigned)f->allows_other_abi);
	write_bits(f->allows, out);
	buf_add_char(out, '-');
	write_bits(f->always, out);
}

static bool read_bits(struct slice s, uint64_t ret[WORDS])
{
	uint8_t bytes[WORDS * 8];

	if (s.n != 2 * sizeof(bytes) || text_unhex(s, bytes, sizeof(bytes)) != sizeof(bytes))
		return false;
	for (size_t i = 0; i < WORDS; i++)
		for (size_t k = 0; k < 8; k++)
			ret[i] = ret[i] << 8 | bytes[i * 8 + k];
	return true;
}

static unsigned count(const uint64_t v[WORDS])
{
	unsigned n = 0;

	for (size_t i = 0; i < WORDS; i++)
		n += (unsigned)__builtin_popcountll(v[i]);
	return n;
}

int facts_known_read(struct slice word, struct facts_known *ret, struct err *err)
{
	static const uint64_t most[NUMBERS] = { INT32_MAX, UINT64_MAX, UINT32_MAX, UINT32_MAX, 1 };
	uint64_t n[NUMBERS], beyond = 0;
	struct facts_known k = { 0 };
	struct slice rest = word, part;

	for (size_t i = 0; i < NUMBERS; i++)
		if (!slice_split(&rest, '-', &part) || !slice_to_u64(part, &n[i]) || n[i] > most[i])
			return err_set(err, ERR_SYNTAX, "what is known of a filter: number %zu", i + 1);
	facts_filter_init(&k.filter);
	if (!slice_split(&rest, '-', &part) || !read_bits(part, k.filter.allows) || !read_bits(rest, k.filter.always))
		return err_set(err, ERR_SYNTAX, "what is known of a filter: no calls");
	for (size_t i = 0; i < WORDS; i++)
		beyond |= k.filter.always[i] & ~k.filter.allows[i];
	if (beyond)
		return err_set(err, ERR_SYNTAX, "what is known of a filter: lets through more than it lets through");
	k.pid = (pid_t)n[0];
	k.start_ticks = n[1];
	k.seccomp_filters = k.filter.filters = (unsigned)n[2];
	k.filter.instructions = (unsigned)n[3];
	k.filter.allows_other_abi = n[4];
	k.filter.allowed = count(k.filter.allows);
	k.filter.is_read = true;
	*ret = k;
	return 0;
}
