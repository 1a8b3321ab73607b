/* crc32c.c - see crc32c.h. Bytewise by table: 0.4 GB/s; by instruction: above 5 GB/s. */
#include "agent/uplink/crc32c.h"

#include <stdbool.h>
#include <string.h>

static uint32_t by_table(uint32_t c, const uint8_t *p, size_t n)
{
	static uint32_t table[256];

	if (!table[1])
		for (uint32_t i = 0; i < 256; i++) {
			uint32_t v = i;

			for (int bit = 0; bit < 8; bit++)
				v = v & 1 ? v >> 1 ^ 0x82f63b78u : v >> 1;
			table[i] = v;
		}
	while (n--)
		c = table[(c ^ *p++) & 0xff] ^ c >> 8;
	return c;
}

#ifdef __x86_64__
__attribute__((target("sse4.2"))) static uint32_t by_instruction(uint32_t c, const uint8_t *p,
								 size_t n)
{
	uint64_t wide = c;

	for (; n >= 8; p += 8, n -= 8) {
		uint64_t word;

		memcpy(&word, p, 8);
		wide = __builtin_ia32_crc32di(wide, word);
	}
	c = (uint32_t)wide;
	while (n--)
		c = __builtin_ia32_crc32qi(c, *p++);
	return c;
}
#endif

uint32_t crc32c(uint32_t seed, const void *p, size_t n)
{
#ifdef __x86_64__
	static int has_instruction = -1;

	if (has_instruction < 0)
		has_instruction = __builtin_cpu_supports("sse4.2") ? 1 : 0;
	if (has_instruction)
		return ~by_instruction(~seed, p, n);
#endif
	return ~by_table(~seed, p, n);
}
