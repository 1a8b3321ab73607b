/* emit.c - giving out what was found; see os_priv.h. */
#include "agent/image/os/os_priv.h"

#include <stdarg.h>

#include "common/text.h"

void os_emit_failed(struct emit *e, int r, const struct err *err)
{
	if (e->wrong)
		return;
	e->wrong = r;
	e->first = *err;
}

void os_emit_wrong(struct emit *e, int code, const char *fmt, ...)
{
	char msg[sizeof(e->first.msg)];
	va_list args;

	if (e->wrong)
		return;
	va_start(args, fmt);
	(void)vsnprintf(msg, sizeof(msg), fmt, args);
	va_end(args);
	e->wrong = err_set(&e->first, code, "%s", msg);
}

static bool is_text(struct slice s)
{
	return s.n <= OS_TEXT_MAX && text_is_clean(s);
}

bool os_emit_package(struct emit *e, struct pkg *p)
{
	p->ecosystem = e->ecosystem;
	if (!p->name.n) {
		os_emit_wrong(e, ERR_SYNTAX, "a package without a name");
		return true;
	}
	if (!is_text(p->name) || !is_text(p->version) || !is_text(p->arch) || !is_text(p->source) ||
	    !is_text(p->source_version)) {
		os_emit_wrong(e, ERR_SYNTAX, "a package whose name or version is no text, or too long");
		return true;
	}
	e->given++;
	e->stop = e->out->package(e->out->arg, p);
	return !e->stop;
}

bool os_emit_owned(struct emit *e, struct slice key, struct slice path)
{
	if (!e->out->owned)
		return true;
	if (slice_starts(path, SLICE_LIT("./")))
		path = slice_sub(path, 1, path.n);
	while (path.n && path.p[0] == '/')
		path = slice_sub(path, 1, path.n);
	while (path.n && path.p[path.n - 1] == '/') /* would mean all below it */
		path.n--;
	if (!path.n || slice_is(path, "."))
		return true;
	const struct pkg_owned o = { .ecosystem = e->ecosystem, .key = key, .path = path };
	e->stop = e->out->owned(e->out->arg, &o);
	return !e->stop;
}

int os_emit_end(const struct emit *e, struct err *err)
{
	if (e->stop)
		return e->stop;
	if (e->wrong && err)
		*err = e->first;
	return e->wrong;
}

void kept_set(struct kept *k, struct slice s)
{
	k->is_cut = s.n > sizeof(k->p);
	k->n = (uint16_t)(k->is_cut ? sizeof(k->p) : s.n);
	if (k->n)
		memcpy(k->p, s.p, k->n);
}

bool field_is(struct slice line, const char *name, char sep, struct slice *ret)
{
	size_t n = strlen(name);

	if (line.n <= n || line.p[n] != sep || strncasecmp(line.p, name, n) != 0)
		return false;
	*ret = slice_trim(slice_sub(line, n + 1, line.n));
	return true;
}

struct slice base_name(struct slice path)
{
	for (size_t i = path.n; i; i--)
		if (path.p[i - 1] == '/')
			return slice_sub(path, i, path.n);
	return path;
}
