/* log.c - see log.h. One line is built on the stack and leaves in one write(2). */
#include "common/log.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/text.h"

enum {
	LINE_MAX_BYTES = 4096,	/* PIPE_BUF: lines of several processes into one pipe stay whole */
	VALUE_MAX_BYTES = 1024, /* escaped; so that one hostile value can't push out the others */
	EVENTS_MAX = 256,
	BURST_LINES = 20,
};
static const uint64_t burst_ns = 10000000000;

/* One per event name; the last one is shared by all names that came too late. */
struct meter {
	const char *event; /* borrowed for ever: names are constants */
	uint64_t since_ns; /* when the present window of burst_ns began */
	uint32_t lines, suppressed;
};

static atomic_int min_level = LOG_INFO;
static atomic_int out_fd = STDERR_FILENO;
static pthread_mutex_t meters_lock = PTHREAD_MUTEX_INITIALIZER;
static struct meter meters[EVENTS_MAX + 1];
static size_t meter_count;

void log_open(enum log_level min, int fd)
{
	atomic_store(&min_level, (int)min);
	atomic_store(&out_fd, fd);
}

/* Writes one character, escaped if it must be; returns bytes taken off s, 0 when it does not fit. */
static size_t escape_one(struct slice s, char *dst, size_t room, size_t *ret_written)
{
	uint32_t c = 0;
	size_t n = text_utf8(s, &c);
	char out[16];
	int len;

	if (!n)
		len = snprintf(out, sizeof(out), "\\x%02x", (unsigned)(uint8_t)s.p[0]);
	else if (c == '"' || c == '\\')
		len = snprintf(out, sizeof(out), "\\%c", (char)c);
	else if (text_is_control(c))
		len = snprintf(out, sizeof(out), c < 0x80 ? "\\x%02x" : "\\u{%x}", (unsigned)c);
	else
		len = snprintf(out, sizeof(out), "%.*s", (int)n, s.p);
	if ((size_t)len > room)
		return 0;
	memcpy(dst, out, (size_t)len);
	*ret_written = (size_t)len;
	return n ? n : 1;
}

/* As log_escape; *s is what did not fit. */
static size_t escape(struct slice *s, char *dst, size_t size)
{
	size_t at = 0;

	while (s->n) {
		size_t written = 0, taken = escape_one(*s, dst + at, size - 1 - at, &written);

		if (!taken)
			break;
		at += written;
		*s = slice_sub(*s, taken, s->n);
	}
	dst[at] = 0;
	return at;
}

size_t log_escape(struct slice s, char *dst, size_t size)
{
	return size ? escape(&s, dst, size) : 0;
}

struct line {
	char p[LINE_MAX_BYTES];
	size_t n; /* the last byte is kept for the line end */
};

static size_t line_room(const struct line *l)
{
	return sizeof(l->p) - 1 - l->n;
}

/* All or nothing: half a pair would be a wrong value. */
static void add_text(struct line *l, const char *key, const char *value)
{
	size_t need = strlen(key) + strlen(value) + 2;

	if (need >= line_room(l))
		return;
	l->n += (size_t)snprintf(l->p + l->n, line_room(l), "%s%s=%s", l->n ? " " : "", key, value);
}

static void add_quoted(struct line *l, const char *key, struct slice value)
{
	char text[VALUE_MAX_BYTES + 8];
	size_t n = 1;

	text[0] = '"';
	n += escape(&value, text + n, VALUE_MAX_BYTES);
	snprintf(text + n, sizeof(text) - n, "%s\"", value.n ? "…" : "");
	add_text(l, key, text);
}

static void add_pair(struct line *l, const struct log_pair *kv)
{
	char number[24];

	switch (kv->kind) {
	case LOG_STR:
		if (kv->str)
			add_quoted(l, kv->key, slice_of(kv->str));
		else
			add_text(l, kv->key, "null");
		return;
	case LOG_SLICE:
		add_quoted(l, kv->key, kv->slice);
		return;
	case LOG_U64:
		snprintf(number, sizeof(number), "%" PRIu64, kv->u64);
		add_text(l, kv->key, number);
		return;
	case LOG_I64:
		snprintf(number, sizeof(number), "%" PRId64, kv->i64);
		add_text(l, kv->key, number);
		return;
	case LOG_BOOL:
		add_text(l, kv->key, kv->u64 ? "true" : "false");
		return;
	}
}

static struct meter *find_meter(const char *event)
{
	for (size_t i = 0; i < meter_count; i++)
		if (meters[i].event == event || !strcmp(meters[i].event, event))
			return &meters[i];
	if (meter_count == EVENTS_MAX)
		return &meters[EVENTS_MAX];
	meters[meter_count].event = event;
	return &meters[meter_count++];
}

/* May the line go out? Then *ret_suppressed lines of the event were held back before it. */
static bool meter_pass(enum log_level level, const char *event, uint64_t now_ns,
		       uint32_t *ret_suppressed)
{
	pthread_mutex_lock(&meters_lock);
	struct meter *m = find_meter(event);
	if (now_ns - m->since_ns >= burst_ns || !m->lines) {
		m->since_ns = now_ns;
		m->lines = 0;
	}
	bool pass = level >= LOG_ERROR || m->lines < BURST_LINES;
	if (pass) {
		*ret_suppressed = m->suppressed;
		m->suppressed = 0;
		m->lines += m->lines < BURST_LINES;
	} else {
		m->suppressed += m->suppressed < UINT32_MAX;
	}
	pthread_mutex_unlock(&meters_lock);
	return pass;
}

void log_write(enum log_level level, const char *event, const struct log_pair *pairs, size_t count)
{
	static const char *const names[] = { "debug", "info", "warn", "error" };
	const struct clock *clk = clock_real();
	uint32_t suppressed = 0;

	if ((int)level < atomic_load(&min_level) ||
	    !meter_pass(level, event, clock_boot_ns(clk), &suppressed))
		return;
	int saved = errno; /* a caller that logs before it looks at errno is not surprised */
	struct line l;
	char when[TEXT_TIME_MAX];
	l.n = 0;
	add_text(&l, "time", text_time(clock_unix_ns(clk), when, sizeof(when)));
	add_text(&l, "level", names[level]);
	add_text(&l, "event", event);
	if (suppressed)
		add_pair(&l, &KV_U64("suppressed", suppressed));
	for (size_t i = 0; i < count; i++)
		add_pair(&l, &pairs[i]);
	l.p[l.n++] = '\n';
	while (write(atomic_load(&out_fd), l.p, l.n) < 0 && errno == EINTR)
		;
	errno = saved;
}
