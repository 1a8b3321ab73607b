/* except.c - see except.h. */
#include "collector/alert/except.h"

#include <ctype.h>
#include <errno.h>

#include "collector/alert/alert_text.h"

enum { DOCUMENT_BYTES = 1024 * 1024, FIELDS_MAX = 16, VALUE_BYTES = 8192 };

/* What may be asked of an alert, where its value is, and what Falco calls it. */
static const struct field {
	const char *name, *path[3], *falco; /* falco NULL: the agent can't tell */
	bool is_proposed;
} fields_known[] = {
	{ "image", { "container", "image" }, "container.image.repository", true },
	{ "container", { "container", "name" }, "container.name", false },
	{ "host", { NULL }, NULL, false },
	{ "exe", { "process", "exe" }, "proc.exepath", true },
	{ "process", { "process", "name" }, "proc.name", false },
	{ "parent", { "process", "parent", "name" }, "proc.pname", true },
	{ "path", { "file", "path" }, "fd.name", true },
	{ "user", { "process", "user" }, "user.name", false },
	{ "cmdline", { "process", "cmdline" }, "proc.cmdline", false },
	{ "address", { "network", "remote_address" }, "fd.rip", false },
};

struct choice {
	const struct field *field;
	struct slice value; /* of the document, or the row */
};
struct choices {
	cJSON *document; /* owned */
	struct choice rows[FIELDS_MAX];
	size_t count;
};

static void choices_finip(struct choices *c)
{
	cJSON_Delete(c->document);
}

static struct slice value_of(const struct choices *c, const struct store_alert *al, const struct field *f)
{
	const cJSON *at = c->document;
	size_t i = 0;

	if (!f->path[0])
		return slice_of(al->host);
	for (; i + 1 < ARRAY_LEN(f->path) && f->path[i + 1]; i++)
		at = cJSON_GetObjectItemCaseSensitive(at, f->path[i]);
	struct slice v = json_get_str(at, f->path[i]);
	return v.n < VALUE_BYTES ? v : SLICE_NONE;
}

static bool has(const struct choices *c, const char *name)
{
	for (size_t i = 0; i < c->count; i++)
		if (!strcmp(c->rows[i].field->name, name))
			return true;
	return false;
}

static void choose(struct choices *c, const struct field *f, struct slice value)
{
	if (value.n && c->count < FIELDS_MAX && !has(c, f->name))
		c->rows[c->count++] = (struct choice){ f, value };
}

/* Of a finding all that is as good for the next of its kind; of what the collector says itself, which host. */
static void choose_all(struct choices *c, const struct store_alert *al)
{
	bool is_runtime = !strcmp(al->source, "runtime");

	for (size_t i = 0; i < ARRAY_LEN(fields_known); i++) {
		const struct field *f = &fields_known[i];
		bool is_wanted = f->is_proposed || (!strcmp(f->name, "process") && !has(c, "exe")) ||
				 (!strcmp(f->name, "host") && (!al->container_id[0] || !is_runtime));

		if (is_wanted)
			choose(c, f, value_of(c, al, f));
	}
	/* A finding that says nothing of itself is no reason to hide its rule on all hosts. */
	for (size_t i = 0; i < ARRAY_LEN(fields_known) && !c->count; i++)
		if (!strcmp(fields_known[i].name, "host"))
			choose(c, &fields_known[i], value_of(c, al, &fields_known[i]));
}

static int choose_named(struct choices *c, const struct store_alert *al, const char *fields, struct err *err)
{
	struct slice rest = slice_of(fields), name;

	while (slice_split(&rest, ',', &name)) {
		const struct field *f = NULL;

		for (size_t i = 0; i < ARRAY_LEN(fields_known); i++)
			if (slice_is(name, fields_known[i].name))
				f = &fields_known[i];
		if (!f)
			return err_set(err, ERR_SYNTAX,
				       "field '%.*s' is none of image, container, host, exe, process, parent, path, user, cmdline,"
				       " address", SLICE_FMT(slice_sub(name, 0, 40)));
		struct slice value = value_of(c, al, f);
		if (!value.n)
			return err_set(err, ERR_SYNTAX, "the alert has no %s", f->name);
		choose(c, f, value);
	}
	return 0;
}

static int read_choices(const struct store_alert *al, const char *fields, struct choices *c, struct err *err)
{
	*c = (struct choices){ 0 };
	if (!strcmp(al->source, "scan"))
		return err_set(err, ERR_DENIED, "a vulnerability is accepted, not excepted: picketctl vuln accept");
	if (!strcmp(al->source, "audit") || (!strcmp(al->source, "policy") && !strncmp(al->rule, "PKT-", 4)))
		return err_set(err, ERR_DENIED, "a check is waived, not excepted: picketctl finding waive");
	int r = json_parse(slice_of(al->document), DOCUMENT_BYTES, &c->document, err);
	if (r < 0)
		return r;
	if (fields[0])
		return choose_named(c, al, fields, err);
	choose_all(c, al);
	return 0;
}

/* "registry:5000/nginx:1.25@sha256:…" -> "registry:5000/nginx"; all of it where it is not such a name. */
static struct slice repository(struct slice image)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/:@";
	size_t end = image.n, slash = 0;

	for (size_t i = 0; i < image.n; i++) {
		if (!memchr(plain, image.p[i], sizeof(plain) - 1))
			return image;
		if (image.p[i] == '@' && end == image.n)
			end = i;
		if (image.p[i] == '/' && i < end)
			slash = i;
	}
	for (size_t i = slash; i < end; i++)
		if (image.p[i] == ':')
			end = i;
	return slice_sub(image, 0, end);
}

/* In quotes, so that nothing in it is a pattern: names are what a container chose. */
static void add_quoted(struct buf *out, struct slice value)
{
	buf_add_char(out, '"');
	for (size_t i = 0; i < value.n; i++) {
		if (iscntrl((unsigned char)value.p[i])) {
			buf_printf(out, "\\x%02x", (unsigned char)value.p[i]);
			continue;
		}
		if (value.p[i] == '"' || value.p[i] == '\\')
			buf_add_char(out, '\\');
		buf_add_char(out, value.p[i]);
	}
	buf_add_char(out, '"');
}

int alert_except_propose(const struct store_alert *al, const char *fields, struct buf *ret, struct err *err)
{
	CLEANUP(choices_finip) struct choices c = { 0 };
	int r = read_choices(al, fields, &c, err);

	if (r < 0)
		return r;
	buf_add_str(ret, "rule=");
	add_quoted(ret, slice_of(al->rule));
	/* Rules of that name elsewhere are others: a rules file must not hide what the collector says itself. */
	buf_printf(ret, " source=%s", al->source);
	for (size_t i = 0; i < c.count; i++) {
		const struct choice *x = &c.rows[i];
		struct slice repo = repository(x->value);

		buf_printf(ret, " %s=", x->field->name);
		if (strcmp(x->field->name, "image") || repo.n == x->value.n)
			add_quoted(ret, x->value);
		else
			buf_printf(ret, "%.*s%c*", SLICE_FMT(repo), x->value.p[repo.n]);
	}
	return ret->failed ? err_set(err, ERR_LIMIT, "the exception is too large") : 0;
}

/* A JSON string is one of YAML's. */
static void add_yaml(struct buf *out, struct slice value)
{
	struct json j;

	json_init(&j, out);
	json_str(&j, value);
}

static struct slice falco_value(const struct choice *x)
{
	return strcmp(x->field->name, "image") ? x->value : repository(x->value);
}

void alert_except_falco(const struct store_alert *al, const char *fields, int64_t id, struct buf *out)
{
	CLEANUP(choices_finip) struct choices c = { 0 };

	if (strcmp(al->source, "runtime") != 0 || read_choices(al, fields, &c, NULL) < 0 || !c.count)
		return;
	for (size_t i = 0; i < c.count; i++)
		if (!c.rows[i].field->falco)
			return;
	buf_add_str(out, "- rule: ");
	add_yaml(out, slice_of(al->rule));
	buf_printf(out, "\n  exceptions:\n    - name: picket_alert_%lld\n      fields: [", (long long)id);
	for (size_t i = 0; i < c.count; i++)
		buf_printf(out, "%s%s", i ? ", " : "", c.rows[i].field->falco);
	buf_add_str(out, "]\n      comps: [");
	for (size_t i = 0; i < c.count; i++)
		buf_add_str(out, i ? ", =" : "=");
	buf_add_str(out, "]\n      values:\n        - [");
	for (size_t i = 0; i < c.count; i++) {
		buf_add_str(out, i ? ", " : "");
		add_yaml(out, falco_value(&c.rows[i]));
	}
	buf_add_str(out, "]\n  override:\n    exceptions: append\n# or in its condition: and not (");
	for (size_t i = 0; i < c.count; i++) {
		buf_printf(out, "%s%s = ", i ? " and " : "", c.rows[i].field->falco);
		add_yaml(out, falco_value(&c.rows[i]));
	}
	buf_add_str(out, ")\n");
}

int alert_except_matches(const struct store_matcher *m, const char *agent, const char *host, const Picket__Record *rec,
			 uint64_t now_unix_ns, struct err *err)
{
	CLEANUP(buf_finip) struct buf document = { 0 }, name = { 0 }, image = { 0 };
	const Picket__Finding *f = rec->body_case == PICKET__RECORD__BODY_FINDING ? rec->finding : NULL;

	if (!f)
		return 0;
	buf_init(&document, DOCUMENT_BYTES);
	buf_init(&name, 8192);
	buf_init(&image, 8192);
	alert_text_document(&document, f, 128 * 1024);
	if (f->container) {
		buf_add_slice(&name, msg_slice(f->container->name));
		buf_add_slice(&image, msg_slice(f->container->image));
	}
	if (document.failed || name.failed || image.failed)
		return err_set(err, ERR_LIMIT, "finding");
	const struct store_alert al = { .rule = f->rule,
					.host = host,
					.agent = agent,
					.source = "runtime",
					.severity = msg_severity(slice_of(f->priority)),
					.priority = f->priority,
					.status = "new",
					.assignee = "",
					.title = "",
					.container_id = f->container ? f->container->id : "",
					.container = name.n ? name.p : "",
					.image = image.n ? image.p : "",
					.document = document.p,
					.resolution = "" };
	return store_matcher_matches(m, &al, now_unix_ns);
}

bool alert_except_needs_force(const struct store_alert *al)
{
	return !strcmp(al->source, "system");
}
