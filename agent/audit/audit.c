/* audit.c - the table of checks, and a run of those of one subject. */
#include "agent/audit/audit.h"

#include <strings.h>

#include "agent/audit/checks.h"
#include "common/show.h"

struct row {
	struct audit_check check;
	check_fn fn;
};

#define CHECK(f, i, s, sev, t, c, m, w, x)                                                                             \
	{ { .id = i, .title = t, .subject = SUBJECT_##s, .severity = AUDIT_##sev, .cis = c, .mitre = m, .why = w, .fix = x }, check_##f },
#define HOSTFILE(f, i, sev, what, most, t, c, w)                                                                           \
	{ { .id = i,                                                                                                    \
	    .title = t,                                                                                                 \
	    .subject = SUBJECT_HOST,                                                                                    \
	    .severity = AUDIT_##sev,                                                                                    \
	    .cis = c,                                                                                                   \
	    .mitre = "T1222.002",                                                                                       \
	    .why = w,                                                                                                   \
	    .fix = "chown root {path} && chmod " #most " {path}" },                                                     \
	  check_##f },
static const struct row rows[] = {
#include "agent/audit/checks_host.def"
#include "agent/audit/checks_daemon.def"
#include "agent/audit/checks_image.def"
#include "agent/audit/checks_container.def"
};
#undef CHECK
#undef HOSTFILE

size_t audit_check_count(void)
{
	return ARRAY_LEN(rows);
}

const struct audit_check *audit_check_at(size_t i)
{
	return i < ARRAY_LEN(rows) ? &rows[i].check : NULL;
}

/* ---- by name ---- */

/* "5.4" in "1.6: 5.4, 1.8: 5.5": any version's number will do. */
static bool has_number(const char *cis, struct slice number)
{
	struct slice rest = slice_of(cis), one;

	while (slice_split(&rest, ',', &one)) {
		ptrdiff_t colon = slice_find_char(one, ':');

		if (colon >= 0 && slice_eq(slice_trim(slice_sub(one, (size_t)colon + 1, one.n)), number))
			return true;
	}
	return false;
}

bool audit_check_is(const struct audit_check *c, const char *id)
{
	const char *number = id;

	if (!strcasecmp(c->id, id))
		return true;
	if (!strncasecmp(id, "cis", 3)) {
		number = id + 3;
		if (*number == '-' || *number == ' ' || *number == '_')
			number++;
	}
	return *number && has_number(c->cis, slice_of(number));
}

const struct audit_check *audit_check_find(const char *id)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (audit_check_is(&rows[i].check, id))
			return &rows[i].check;
	}
	return NULL;
}

/* ---- the fix, with this subject's names ---- */

enum { FIX_MAX = 1200 };

static bool is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("_./:@%+,=-", c);
}

/* People paste fixes into a root shell, and a path may hold anything: quoted unless it is plain. A word that
 * begins with a dash would be an option. */
static void add_quoted(struct buf *out, const char *word)
{
	bool plain = word[0] && word[0] != '-';

	for (const char *p = word; *p && plain; p++)
		plain = is_plain(*p);
	if (plain) {
		buf_add_str(out, word);
		return;
	}
	buf_add_char(out, '\'');
	for (const char *p = word; *p; p++) {
		if (*p == '\'')
			buf_add_str(out, "'\\''");
		else
			buf_add_char(out, *p);
	}
	buf_add_char(out, '\'');
}

struct word {
	const char *key, *value;
};

static const struct word *word_at(const struct word *words, size_t count, const char *p)
{
	for (size_t i = 0; i < count; i++) {
		if (!strncmp(p, words[i].key, strlen(words[i].key)))
			return &words[i];
	}
	return NULL;
}

static const char *image_name(const struct judge *j)
{
	if (j->c && j->c->image[0])
		return j->c->image;
	if (j->image && j->image->tags.count)
		return j->image->tags.v[0];
	return j->image ? j->image->id : "";
}

static const char *fill(struct judge *j)
{
	const char *id = j->c ? j->c->id : "";
	const struct word words[] = { { "{name}", j->c && j->c->name[0] ? j->c->name : id },
				      { "{id}", id },
				      { "{image}", image_name(j) },
				      { "{path}", j->path } };
	CLEANUP(buf_finip) struct buf text = { 0 };
	CLEANUP(buf_finip) struct buf safe = { 0 };

	buf_init(&text, 65536);
	buf_init(&safe, 65536);
	for (const char *p = j->check->fix; *p;) {
		const struct word *w = word_at(words, ARRAY_LEN(words), p);

		if (!w) {
			buf_add_char(&text, *p++);
			continue;
		}
		add_quoted(&text, w->value[0] ? w->value : w->key);
		p += strlen(w->key);
	}
	show_text(&safe, buf_slice(&text), FIX_MAX);
	return arena_dup(j->arena, buf_slice(&safe));
}

/* ---- a run ---- */

/* Its processes run on a kernel of their own; what ours shows is the sandbox. Which runtimes there are only the
 * engine's administrator says. */
static bool is_on_another_kernel(const char *runtime)
{
	static const char *const names[] = { "runsc", "io.containerd.runsc.v1", "kata", "kata-runtime", "io.containerd.kata.v2" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (!strcmp(runtime, names[i]))
			return true;
	}
	return false;
}

const struct facts_real *audit_real(const struct facts_container *c)
{
	return c->real.is_known && !is_on_another_kernel(c->asked.runtime) ? &c->real : NULL;
}

static struct judge judge_of(const struct audit_input *in, enum audit_subject subject, struct arena *a)
{
	struct judge j = { .host = in->host, .daemon = in->daemon, .arena = a };

	if (subject == SUBJECT_IMAGE || subject == SUBJECT_CONTAINER)
		j.image = in->image;
	if (subject == SUBJECT_CONTAINER) {
		j.c = in->container;
		j.asked = &in->container->asked;
		j.real = audit_real(in->container);
	}
	return j;
}

static void run_one(struct judge *j, const struct row *row, struct audit_result *ret, bool *ret_weaker)
{
	*ret = (struct audit_result){ .check = &row->check, .severity = row->check.severity, .evidence = "" };
	j->check = &row->check;
	j->result = ret;
	j->path = row->check.subject == SUBJECT_DAEMON && j->daemon->config_path[0] ? j->daemon->config_path : "";
	j->is_weaker = false;
	ret->status = row->fn(j);
	ret->fix = ret->status == AUDIT_PASS || ret->status == AUDIT_NA ? "" : fill(j);
	*ret_weaker = j->is_weaker;
	j->failed |= !ret->fix;
}

int audit_run(enum audit_subject subject, const struct audit_input *in, struct arena *a, struct audit_result **ret,
	      size_t *ret_count, struct err *err)
{
	struct judge j = judge_of(in, subject, a);
	struct audit_result *v = arena_zalloc(a, ARRAY_LEN(rows), sizeof(*v));
	bool weaker[ARRAY_LEN(rows)];
	size_t n = 0;

	if (!v)
		return err_set(err, ERR_LIMIT, "no room for the results of the audit");
	j.done = v;
	j.done_weaker = weaker;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (rows[i].check.subject != subject)
			continue;
		j.done_count = n;
		run_one(&j, &rows[i], &v[n], &weaker[n]);
		n++;
	}
	if (j.failed)
		return err_set(err, ERR_LIMIT, "no room for the results of the audit");
	*ret = v;
	*ret_count = n;
	return 0;
}

/* ---- names ---- */

const char *audit_status_name(enum audit_status s)
{
	static const char *const names[] = { "pass", "fail", "warn", "na", "error" };

	return names[s];
}

const char *audit_severity_name(enum audit_severity s)
{
	static const char *const names[] = { "info", "low", "medium", "high", "critical" };

	return names[s];
}

bool audit_severity_parse(struct slice s, enum audit_severity *ret)
{
	for (int i = 0; i < AUDIT_SEVERITY_COUNT; i++) {
		if (slice_is(s, audit_severity_name((enum audit_severity)i))) {
			*ret = (enum audit_severity)i;
			return true;
		}
	}
	return false;
}

const char *audit_subject_name(enum audit_subject s)
{
	static const char *const names[] = { "host", "daemon", "image", "container" };

	return names[s];
}
