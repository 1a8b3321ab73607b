/* noisy.c - see noisy.h. */
#include "agent/noisy.h"

static void decay(struct noisy *n, uint64_t now_ns)
{
	const uint64_t half_ns = NOISY_DECAY_MS * 1000000ull;
	uint64_t steps = (now_ns - n->decayed_ns) / half_ns;

	n->decayed_ns += steps * half_ns;
	for (size_t i = 0; i < NOISY_ROWS; i++)
		n->rows[i].count = steps < 64 ? n->rows[i].count >> steps : 0;
}

char *noisy_add(struct noisy *n, uint64_t key, uint64_t now_ns)
{
	struct noisy_row *least = &n->rows[0];

	if (now_ns >= n->decayed_ns + NOISY_DECAY_MS * 1000000ull)
		decay(n, now_ns);
	for (size_t i = 0; i < NOISY_ROWS; i++) {
		struct noisy_row *row = &n->rows[i];

		if (row->count && row->key == key) {
			row->count++;
			return NULL;
		}
		if (row->count < least->count)
			least = row;
	}
	least->key = key;
	least->count++;
	least->label[0] = 0;
	return least->label;
}

const char *noisy_most(const struct noisy *n)
{
	const struct noisy_row *most = &n->rows[0];

	for (size_t i = 1; i < NOISY_ROWS; i++)
		if (n->rows[i].count > most->count)
			most = &n->rows[i];
	return most->count ? most->label : "";
}
