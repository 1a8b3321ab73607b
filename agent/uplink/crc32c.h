/* crc32c.h - Castagnoli's checksum, with the processor's instruction where it has one. */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* seed: 0, or what an earlier call returned for the bytes before. */
uint32_t crc32c(uint32_t seed, const void *p, size_t n);
