/* typed.h - picketctl as a person types it, against the real API. UPDATE_GOLDEN=1 rewrites golden/. */
#pragma once
#include "tests/collector/served.h"

#include <sys/wait.h>

static struct served srv;

/* Once srv runs: where picketctl finds it, and nothing else. Ages are as of now, however long the test takes. */
static inline void typed_settings(void)
{
	char now[24];

	snprintf(now, sizeof(now), "%lld", (long long)time(NULL));
	setenv("SOURCE_DATE_EPOCH", now, 1);
	setenv("PICKET_SERVER", srv.url, 1);
	setenv("PICKET_CA", srv.ca, 1);
	setenv("PICKET_TOKEN_FILE", srv.token, 1);
	setenv("HOME", srv.p.dir, 1);
	unsetenv("XDG_CONFIG_HOME");
	unsetenv("COLUMNS");
}

static inline int typed_stop(void **state)
{
	served_stop(&srv);
	return 0;
}

/* Runs a shell line in which $ctl is the program; standard error comes after standard output. */
static inline int run(const char *line, struct buf *out)
{
	char command[2048], piece[4096];
	size_t n;

	buf_init(out, 0);
	snprintf(command, sizeof(command), "ctl='%s'; { %s; } 2>&1 </dev/null", PICKETCTL, line);
	FILE *f = popen(command, "r");
	assert_non_null(f);
	while ((n = fread(piece, 1, sizeof(piece), f)) > 0)
		buf_add(out, piece, n);
	int status = pclose(f);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static inline void golden(const char *name, const char *line)
{
	CLEANUP(buf_finip) struct buf have = { 0 }, want = { 0 };
	char path[256];

	assert_int_equal(run(line, &have), 0);
	snprintf(path, sizeof(path), TEST_DATA "/golden/%s", name);
	if (getenv("UPDATE_GOLDEN"))
		MUST(file_write_atomic(path, buf_slice(&have), 0644, &must_err));
	MUST(file_read(path, 1 << 20, &want, &must_err));
	if (!slice_eq(buf_slice(&have), buf_slice(&want)))
		fail_msg("%s differs:\n%s\n--- wanted\n%s", name, have.p ? have.p : "", want.p ? want.p : "");
}

/* A line, its exit code, and what is among the words that come with it. */
struct typed {
	const char *line;
	int code;
	const char *says;
};
static inline void typed_all(const struct typed *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		CLEANUP(buf_finip) struct buf out = { 0 };
		int code = run(cases[i].line, &out);

		if (code != cases[i].code || slice_find(buf_slice(&out), slice_of(cases[i].says)) < 0)
			fail_msg("%s: exit %d (not %d): %s", cases[i].line, code, cases[i].code, out.p ? out.p : "");
	}
}

/* What hosts and containers chose: no line gives out what a terminal obeys. */
static inline void typed_harmless(const char *const *lines, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		CLEANUP(buf_finip) struct buf out = { 0 };

		if (run(lines[i], &out) != 0)
			fail_msg("%s: %s", lines[i], out.p);
		if (memchr(out.p, '\033', out.n) || memchr(out.p, '\007', out.n) ||
		    slice_find(buf_slice(&out), SLICE_LIT("\xe2\x80\xae")) >= 0)
			fail_msg("%s: it got through", lines[i]);
	}
}
