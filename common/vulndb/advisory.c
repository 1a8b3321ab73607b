/* advisory.c - see advisory.h. */
#include "common/vulndb/advisory.h"

#include "common/text.h"
#include "common/vulndb/cvss.h"
#include "common/vulndb/limits.h"

static const int64_t CVE_YEAR = 10000000000;

/* Not in the middle of a character. */
static struct slice cut(struct slice s, size_t max)
{
	if (s.n <= max)
		return s;
	while (max > 0 && ((unsigned char)s.p[max] & 0xc0) == 0x80)
		max--;
	return slice_sub(s, 0, max);
}

int advisory_text(struct arena *a, struct slice s, size_t max, struct slice *ret, struct err *err)
{
	struct slice text = cut(slice_trim(s), max);
	char *p = arena_dup(a, text);

	if (!p)
		return err_set(err, ERR_LIMIT, "a record needs over %d MiB of memory", VULNDB_RECORD_ARENA >> 20);
	*ret = slice_from(p, text.n);
	return 0;
}

int advisory_grow(struct arena *a, void **items, size_t count, size_t size, struct err *err)
{
	if (count & (count - 1) || count == 1) /* grows at 0, 2, 4, 8 … */
		return 0;
	void *p = arena_zalloc(a, count ? count * 2 : 2, size);
	if (!p)
		return err_set(err, ERR_LIMIT, "a record needs over %d MiB of memory", VULNDB_RECORD_ARENA >> 20);
	if (count)
		memcpy(p, *items, count * size);
	*items = p;
	return 0;
}

int64_t advisory_cve(struct slice id)
{
	uint64_t year, number;
	struct slice digits = slice_sub(id, 9, SIZE_MAX);

	if (id.n < 13 || !slice_starts(id, SLICE_LIT("CVE-")) || id.p[8] != '-' || digits.n > 10)
		return 0;
	if (digits.n > 4 && digits.p[0] == '0')
		return 0;
	if (!slice_to_u64(slice_sub(id, 4, 4), &year) || !slice_to_u64(digits, &number))
		return 0;
	return (int64_t)year * CVE_YEAR + (int64_t)number;
}

struct slice advisory_plain_id(struct slice id)
{
	ptrdiff_t at = slice_find(id, SLICE_LIT("-CVE-"));
	struct slice cve = at > 0 ? slice_sub(id, (size_t)at + 1, SIZE_MAX) : SLICE_NONE;

	return advisory_cve(cve) ? cve : id;
}

bool advisory_is_id(struct slice id)
{
	if (!id.n || id.n > VULNDB_ID_MAX)
		return false;
	for (size_t i = 0; i < id.n; i++)
		if (id.p[i] <= ' ' || id.p[i] > '~' || id.p[i] == '"' || id.p[i] == '\\')
			return false;
	return true;
}

bool advisory_is_line(struct slice s, size_t max)
{
	if (!s.n || s.n > max)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 127)
			return false;
	return true;
}

bool advisory_is_rejected(struct slice text)
{
	static const char *const words[] = { "** REJECT", "Rejected reason:", "REJECTED: " };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (slice_starts(text, slice_of(words[i])))
			return true;
	return false;
}

static const struct {
	const char *word;
	enum vuln_severity severity;
} severity_words[] = {
	{ "critical", VULN_CRITICAL }, { "high", VULN_HIGH },	     { "important", VULN_HIGH },
	{ "medium", VULN_MEDIUM },     { "moderate", VULN_MEDIUM },  { "low", VULN_LOW },
	{ "unimportant", VULN_LOW },   { "negligible", VULN_LOW },   { "minor", VULN_LOW },
	{ "none", VULN_NONE },
};

bool advisory_severity(struct slice word, enum vuln_severity *ret)
{
	while (word.n && word.p[word.n - 1] == '*') /* Debian: "high**", as NVD had it */
		word.n--;
	for (size_t i = 0; i < ARRAY_LEN(severity_words); i++) {
		const char *w = severity_words[i].word;

		if (word.n != strlen(w) || strncasecmp(word.p, w, word.n))
			continue;
		*ret = severity_words[i].severity;
		return true;
	}
	return false;
}

int advisory_take_vector(struct arena *a, struct slice vector, struct slice *best, double *score,
			 enum vuln_severity *severity, struct err *err)
{
	enum vuln_severity s;
	double new_score;
	struct err ignored;

	if (cvss_score(vector, &new_score, &s, &ignored) < 0)
		return 0;
	unsigned had = cvss_version(*best), have = cvss_version(vector);
	if (best->n && (have < had || (have == had && new_score <= *score)))
		return 0;
	int r = advisory_text(a, vector, CVSS_VECTOR_MAX, best, err);
	if (r < 0)
		return r;
	*score = new_score;
	*severity = s;
	return 1;
}
