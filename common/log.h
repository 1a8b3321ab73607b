/* log.h - one line an event: a constant dotted name and typed pairs, logfmt, to standard error.
 *
 * Values are escaped, so nothing a container can name breaks a line or a terminal. Each event name
 * may write at most 20 lines in 10 s (log_open); what was held back is counted and said later.
 * ERROR and lines of an event that was quiet are never held back. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "common/slice.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_LEVEL_COUNT };

struct log_pair {
	const char *key;
	enum { LOG_STR, LOG_SLICE, LOG_U64, LOG_I64, LOG_BOOL } kind;
	union {
		const char *str; /* nullable */
		struct slice slice;
		uint64_t u64;
		int64_t i64;
	};
};

#define KV_STR(k, v) ((struct log_pair){ .key = (k), .kind = LOG_STR, .str = (v) })
#define KV_SLICE(k, v) ((struct log_pair){ .key = (k), .kind = LOG_SLICE, .slice = (v) })
#define KV_U64(k, v) ((struct log_pair){ .key = (k), .kind = LOG_U64, .u64 = (v) })
#define KV_I64(k, v) ((struct log_pair){ .key = (k), .kind = LOG_I64, .i64 = (v) })
#define KV_BOOL(k, v) ((struct log_pair){ .key = (k), .kind = LOG_BOOL, .u64 = (v) })

/* LOG(WARN, "uplink.send", KV_STR("why", err.msg)); at least one pair. */
#define LOG(level, event, ...)                                                                     \
	do {                                                                                       \
		const struct log_pair log_pairs_[] = { __VA_ARGS__ };                              \
		log_write(LOG_##level, event, log_pairs_, ARRAY_LEN(log_pairs_));                  \
	} while (0)

/* Thread-safe. Events below `min` are not written. fd: borrowed; standard error by default. */
void log_open(enum log_level min, int fd);
void log_write(enum log_level level, const char *event, const struct log_pair *pairs, size_t count);
/* Writes a slice with control characters, invalid UTF-8 and bidirectional overrides shown as
 * \xHH or \u{H}, quotes and backslashes escaped. Returns bytes written, always terminated. */
size_t log_escape(struct slice s, char *dst, size_t size);
