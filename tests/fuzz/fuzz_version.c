/* FUZZ_LINK: picket_version
 * First byte: the scheme; the rest: three texts, a line each. Order is reflexive, antisymmetric and (but for
 * Maven's own) transitive; ranges get an answer or an error of one line. */
#include <assert.h>

#include "common/version/version.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	enum version_scheme s = (enum version_scheme)(n ? data[0] % VERSION_SCHEME_COUNT : 0);
	bool goes_round = s == VERSION_MAVEN;
	struct slice rest = slice_from(data + (n > 0), n - (n > 0)), text[3] = { { 0 } };
	struct version v[3];
	bool is_in, are_all = true;
	struct err err;

	for (int i = 0; i < 3; i++) {
		if (!slice_split(&rest, '\n', &text[i]) || version_parse(s, text[i], &v[i], &err) < 0)
			are_all = false;
		else
			assert(!version_order(&v[i], &v[i]));
	}
	if (version_match(s, text[0], text[1], &is_in, &err) < 0)
		assert(err.code == ERR_SYNTAX && !strchr(err.msg, '\n'));
	for (int i = 0; are_all && i < 27; i++) {
		const struct version *a = &v[i % 3], *b = &v[i / 3 % 3], *c = &v[i / 9];
		int ab = version_order(a, b), bc = version_order(b, c);

		assert(ab >= -1 && ab <= 1 && ab == -version_order(b, a));
		assert(goes_round || ab > 0 || bc > 0 || version_order(a, c) <= ((ab || bc) ? -1 : 0));
	}
	return 0;
}
