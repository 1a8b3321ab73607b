/* judge.c - see judge.h. */
#include "agent/audit/judge.h"

#include <ctype.h>
#include <stdarg.h>
#include <strings.h>

#include "common/show.h"

enum { EVIDENCE_MAX = 500 };

/* Everything that is said goes through here: what a container named can't speak to a terminal. */
static void say(struct judge *j, const char *fmt, va_list ap)
{
	CLEANUP(buf_finip) struct buf safe = { 0 };
	char text[2048];

	vsnprintf(text, sizeof(text), fmt, ap);
	buf_init(&safe, 16384);
	show_text(&safe, slice_of(text), EVIDENCE_MAX);
	char *copy = arena_dup(j->arena, buf_slice(&safe));
	j->failed |= !copy;
	j->result->evidence = copy ? copy : "";
}

#define SAY(j, fmt)                                                                                                    \
	do {                                                                                                           \
		va_list ap;                                                                                            \
		va_start(ap, fmt);                                                                                     \
		say(j, fmt, ap);                                                                                       \
		va_end(ap);                                                                                            \
	} while (0)

enum audit_status judge_pass(struct judge *j, const char *fmt, ...)
{
	SAY(j, fmt);
	return AUDIT_PASS;
}

enum audit_status judge_fail(struct judge *j, const char *fmt, ...)
{
	SAY(j, fmt);
	return AUDIT_FAIL;
}

enum audit_status judge_fail_as(struct judge *j, enum audit_severity s, const char *fmt, ...)
{
	SAY(j, fmt);
	j->result->severity = s;
	return AUDIT_FAIL;
}

enum audit_status judge_warn(struct judge *j, const char *fmt, ...)
{
	SAY(j, fmt);
	return AUDIT_WARN;
}

enum audit_status judge_warn_as(struct judge *j, enum audit_severity s, const char *fmt, ...)
{
	SAY(j, fmt);
	j->result->severity = s;
	return AUDIT_WARN;
}

enum audit_status judge_na(struct judge *j, const char *fmt, ...)
{
	SAY(j, fmt);
	return AUDIT_NA;
}

enum audit_status judge_unknown(struct judge *j, const char *fmt, ...)
{
	SAY(j, fmt);
	return AUDIT_ERROR;
}

void judge_differs(struct judge *j, bool is_weaker)
{
	j->result->differs = true;
	j->is_weaker |= is_weaker;
}

bool judge_is_running(const struct facts_container *c)
{
	return c->state == STATE_RUNNING || c->state == STATE_PAUSED || c->state == STATE_RESTARTING;
}

const char *judge_asked_only(const struct judge *j)
{
	if (j->real)
		return "";
	return judge_is_running(j->c) ? "; asked for, the kernel could not be asked" : "; asked for, container is not running";
}

/* ---- lists of names ---- */

void names_add(struct names *l, const char *fmt, ...)
{
	size_t most = l->most ? l->most : 8, room = sizeof(l->text) - l->n;

	if (++l->count > most || room < 80)
		return;
	if (l->n)
		l->n += (size_t)snprintf(l->text + l->n, room, ", ");
	room = sizeof(l->text) - l->n;
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(l->text + l->n, room, fmt, ap);
	va_end(ap);
	if (n > 0)
		l->n += (size_t)n < room ? (size_t)n : room - 1;
}

const char *names_text(struct names *l)
{
	size_t most = l->most ? l->most : 8;

	if (l->count > most && l->n + 32 < sizeof(l->text))
		l->n += (size_t)snprintf(l->text + l->n, sizeof(l->text) - l->n, " and %zu more", l->count - most);
	return l->text;
}

/* ---- facts that several checks look at ---- */

bool judge_text_in(const struct facts_texts *t, const char *what)
{
	for (size_t i = 0; i < t->count; i++) {
		if (!strcmp(t->v[i], what))
			return true;
	}
	return false;
}

const char *judge_option(const struct facts_texts *options, const char *key)
{
	size_t n = strlen(key);
	const char *found = NULL;

	for (size_t i = 0; i < options->count; i++) {
		const char *o = options->v[i];

		if (strncmp(o, key, n) != 0)
			continue;
		if (!o[n])
			found = "";
		else if (o[n] == '=' || o[n] == ':')
			found = o + n + 1;
	}
	return found;
}

bool judge_is_root_name(const char *user)
{
	size_t n = strcspn(user, ":");
	const char *p = user;

	if (!n || (n == 4 && !strncmp(user, "root", 4)))
		return true;
	while (*p == '+' || *p == '0')
		p++;
	return p > user && p[-1] == '0' && p == user + n;
}

static bool is_host_root(const struct facts_process *p)
{
	return !p->uid || !p->euid;
}

bool judge_is_root(const struct judge *j)
{
	if (!j->real)
		return judge_is_root_name(j->asked->user);
	if (is_host_root(&j->real->init))
		return true;
	for (size_t i = 0; i < j->real->process_count; i++) {
		if (is_host_root(&j->real->processes[i]))
			return true;
	}
	return false;
}

static bool asked_nnp(const struct judge *j)
{
	const char *v = judge_option(&j->asked->security_opt, "no-new-privileges");

	if (v)
		return !v[0] || !strcmp(v, "true") || !strcmp(v, "1");
	return j->daemon->no_new_privileges == FACTS_YES;
}

bool judge_has_nnp(const struct judge *j)
{
	return j->real ? j->real->init.no_new_privs : asked_nnp(j);
}

/* ---- capabilities ---- */

static const char *const cap_names[] = {
#define CAP(name) #name,
#include "agent/caps.def"
#undef CAP
};

int judge_cap(const char *name)
{
	if (!strncasecmp(name, "cap_", 4))
		name += 4;
	for (size_t i = 0; i < ARRAY_LEN(cap_names); i++) {
		if (!strcasecmp(cap_names[i], name))
			return (int)i;
	}
	return -1;
}

static uint64_t caps_of(const struct facts_texts *t)
{
	uint64_t caps = 0;

	for (size_t i = 0; i < t->count; i++) {
		int bit = judge_cap(t->v[i]);

		if (!strcasecmp(t->v[i], "all") || !strcasecmp(t->v[i], "cap_all"))
			return CAP_BIT(ARRAY_LEN(cap_names)) - 1;
		if (bit >= 0)
			caps |= CAP_BIT(bit);
	}
	return caps;
}

/* As the engine does it: "drop ALL, add X" is X, "add ALL, drop X" is all but X, and of both ALL the adding wins. */
uint64_t judge_asked_caps(const struct judge *j)
{
	uint64_t all = CAP_BIT(ARRAY_LEN(cap_names)) - 1, add = caps_of(&j->asked->cap_add), drop = caps_of(&j->asked->cap_drop);

	if (j->asked->is_privileged)
		return all;
	if (add == all)
		return drop == all ? all : all & ~drop;
	if (drop == all)
		return add;
	return (j->host->default_caps & ~drop) | add;
}

void judge_caps_names(uint64_t caps, struct names *ret)
{
	for (size_t i = 0; i < 64; i++) {
		if (!(caps >> i & 1))
			continue;
		if (i < ARRAY_LEN(cap_names))
			names_add(ret, "%s", cap_names[i]);
		else
			names_add(ret, "capability %zu", i);
	}
}
