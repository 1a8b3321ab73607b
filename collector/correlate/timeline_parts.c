/* timeline_parts.c - processes, containers, files and connections from an event's JSON. */
#include <arpa/inet.h>
#include <fcntl.h>

#include "collector/correlate/timeline_priv.h"

enum { ANCESTORS_MAX = 8 };

/* ---- a process ---- */

static Picket__Ancestor *read_ancestor(struct reader *r, const cJSON *o)
{
	Picket__Ancestor *a = NEW(r, Picket__Ancestor);

	if (!a)
		return NULL;
	picket__ancestor__init(a);
	a->pid = number(o, "pid");
	a->name = bytes(r, o, "name");
	a->exe = bytes(r, o, "exe");
	a->cmdline = bytes(r, o, "cmdline");
	return a;
}

static void read_ancestors(struct reader *r, const cJSON *o, Picket__Process *p)
{
	const cJSON *more;

	p->ancestors = arena_zalloc(r->a, ANCESTORS_MAX, sizeof(*p->ancestors));
	r->is_full |= !p->ancestors;
	if (!p->ancestors || !cJSON_IsObject(at(o, "parent")))
		return;
	p->ancestors[p->n_ancestors++] = read_ancestor(r, at(o, "parent"));
	cJSON_ArrayForEach(more, at(o, "ancestors"))
	{
		if (p->n_ancestors < ANCESTORS_MAX)
			p->ancestors[p->n_ancestors++] = read_ancestor(r, more);
	}
}

/* "sh -c id": the first word is the name, or argv[0] where that is another. */
static void read_cmdline(struct reader *r, const cJSON *o, Picket__Process *p)
{
	struct slice line = json_get_str(o, "cmdline");
	ptrdiff_t blank = slice_find_char(line, ' ');
	struct slice first = blank < 0 ? line : slice_sub(line, 0, (size_t)blank);
	char *args = arena_dup(r->a, blank < 0 ? SLICE_NONE : slice_sub(line, (size_t)blank + 1, line.n));

	r->is_full |= !args;
	for (char *c = args; c && *c; c++)
		if (*c == ' ')
			*c = '\0';
	if (args && blank >= 0)
		p->args = msg_bytes(slice_from(args, line.n - (size_t)blank)); /* with the NUL that ends the last */
	p->argv0 = bytes(r, o, "argv0");
	if (!p->argv0.len && first.n && !slice_eq(first, msg_slice(p->name))) {
		const char *s = arena_dup(r->a, first);

		r->is_full |= !s;
		p->argv0 = msg_bytes(slice_of(s));
	}
}

/* 64 hex digits; anything else is none. */
static ProtobufCBinaryData sha256(struct reader *r, const cJSON *o)
{
	const char *s = text(r, o, "sha256");
	uint8_t *out = arena_alloc(r->a, 32);
	char digits[3] = "";

	r->is_full |= !out;
	if (!out || strlen(s) != 64 || strspn(s, "0123456789abcdefABCDEF") != 64)
		return msg_bytes(SLICE_NONE);
	for (size_t i = 0; i < 32; i++) {
		memcpy(digits, s + 2 * i, 2);
		out[i] = (uint8_t)strtoul(digits, NULL, 16);
	}
	return msg_bytes(slice_from(out, 32));
}

Picket__Process *timeline_process(struct reader *r, const cJSON *o)
{
	Picket__Process *p = cJSON_IsObject(o) ? NEW(r, Picket__Process) : NULL;

	if (!p)
		return NULL;
	picket__process__init(p);
	p->pid = number(o, "pid");
	p->ppid = number(o, "ppid");
	p->vpid = number(o, "vpid");
	p->name = bytes(r, o, "name");
	p->exe = bytes(r, o, "exe");
	p->exe_sha256 = sha256(r, o);
	p->cwd = bytes(r, o, "cwd");
	p->user = bytes(r, o, "user");
	p->group = bytes(r, o, "group");
	p->uid = number(o, "uid");
	p->gid = number(o, "gid");
	p->login_uid = cJSON_IsNumber(at(o, "login_uid")) ? number(o, "login_uid") : UINT32_MAX;
	p->tty = number(o, "tty");
	p->session_id = number(o, "session_id");
	p->start_ns = json_get_u64(o, "start_ns", 0);
	p->cap_effective = strtoull(text(r, o, "cap_effective"), NULL, 16);
	p->exe_upper_layer = flag(o, "exe_upper_layer");
	p->exe_from_memfd = flag(o, "exe_from_memfd");
	p->exe_writable = flag(o, "exe_writable");
	if (!p->name.len && p->exe.len) {
		struct slice exe = msg_slice(p->exe), part, last = exe;

		while (slice_split(&exe, '/', &part))
			last = part;
		p->name = msg_bytes(last);
	}
	read_cmdline(r, o, p);
	read_ancestors(r, o, p);
	return p;
}

/* ---- the others ---- */

Picket__Container *timeline_container(struct reader *r, const cJSON *o)
{
	Picket__Container *c = cJSON_IsObject(o) ? NEW(r, Picket__Container) : NULL;

	if (!c)
		return NULL;
	picket__container__init(c);
	c->id = text(r, o, "id");
	c->name = bytes(r, o, "name");
	c->image = bytes(r, o, "image");
	c->image_id = text(r, o, "image_id");
	c->image_digest = text(r, o, "image_digest");
	c->user = bytes(r, o, "user");
	c->engine = text(r, o, "engine");
	c->privileged = flag(o, "privileged");
	return c;
}

static uint32_t read_flags(struct slice s)
{
	static const struct {
		const char *name;
		uint32_t bits;
	} names[] = { { "O_WRONLY", O_WRONLY }, { "O_RDWR", O_RDWR },	{ "O_CREAT", O_CREAT },	    { "O_TRUNC", O_TRUNC },
		      { "O_APPEND", O_APPEND }, { "O_EXCL", O_EXCL },	{ "O_CLOEXEC", O_CLOEXEC }, { "O_NOFOLLOW", O_NOFOLLOW },
		      { "O_DIRECTORY", O_DIRECTORY } };
	struct slice one;
	uint32_t bits = 0;

	while (slice_split(&s, '|', &one))
		for (size_t i = 0; i < ARRAY_LEN(names); i++)
			bits |= slice_is(one, names[i].name) ? names[i].bits : 0;
	return bits;
}

Picket__File *timeline_file(struct reader *r, const cJSON *o)
{
	Picket__File *f = cJSON_IsObject(o) ? NEW(r, Picket__File) : NULL;

	if (!f)
		return NULL;
	picket__file__init(f);
	f->path = bytes(r, o, "path");
	f->raw = bytes(r, o, "raw");
	f->target = bytes(r, o, "target");
	f->open_flags = read_flags(json_get_str(o, "flags"));
	f->mode = (uint32_t)strtoul(text(r, o, "mode"), NULL, 8);
	f->file_mode = (uint32_t)strtoul(text(r, o, "file_mode"), NULL, 8);
	f->inode = json_get_u64(o, "inode", 0);
	f->dev = number(o, "dev");
	f->upper_layer = flag(o, "upper_layer");
	return f;
}

ProtobufCBinaryData timeline_address(struct reader *r, const cJSON *o, const char *key)
{
	const char *s = text(r, o, key);
	uint8_t *out = arena_alloc(r->a, 16);

	r->is_full |= !out;
	if (out && inet_pton(strchr(s, ':') ? AF_INET6 : AF_INET, s, out) == 1)
		return msg_bytes(slice_from(out, strchr(s, ':') ? 16 : 4));
	return msg_bytes(SLICE_NONE);
}

Picket__Network *timeline_network(struct reader *r, const cJSON *o)
{
	Picket__Network *n = cJSON_IsObject(o) ? NEW(r, Picket__Network) : NULL;

	if (!n)
		return NULL;
	picket__network__init(n);
	n->protocol = text(r, o, "protocol");
	n->local_address = timeline_address(r, o, "local_address");
	n->local_port = number(o, "local_port");
	n->remote_address = timeline_address(r, o, "remote_address");
	n->remote_port = number(o, "remote_port");
	n->path = bytes(r, o, "path");
	return n;
}
