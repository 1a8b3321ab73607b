/* filter_model.h - the kernel's filter as filter.h describes it, over a call made up from a few bytes, and
 * the same call as fields of a flat JSON object. For the tests that a rule's match implies a row. */
#pragma once
#include "agent/call_names.h"
#include "agent/rules/rules.h"
#include "agent/rules/rules_json.h"

/* Bytes that decide; the last one goes on when they are used up. */
struct dice {
	const uint8_t *p;
	size_t n, at;
	uint64_t state; /* used where p is NULL */
};

static inline unsigned dice_roll(struct dice *d, unsigned sides)
{
	if (d->p)
		return d->n ? d->p[d->at + 1 < d->n ? d->at++ : d->at] % sides : 0;
	d->state = d->state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (unsigned)(d->state >> 33) % sides;
}

static const char *const model_calls[] = { "open", "openat", "creat", "connect", "sendto", "socket", "dup2",
					   "unlink", "symlink", "ptrace", "execve", "setns" };
static const char *const model_comms[] = { "cat", "sh", "docker-entrypoi", "nginx" };
static const char *const model_paths[] = { "/etc/shadow", "/etc/pam.d/sshd", "/root/.ssh/id_rsa", "/usr/lib/libc.so",
					   "/a", "/etc/pam.d", "/home/x/.ssh/known_hosts", "/var/log/auth.log" };
static const char *const model_raws[] = { "/etc/shadow", "../../etc/shadow", "id_rsa", "./../a/../b",
					  "..//..///etc//shadow", "/etc//shadow" };
/* As the field has them. */
static const char *const model_nameraws[] = { "/etc/shadow", "../../etc/shadow", "id_rsa", "./../a/../b",
					      "../../etc/shadow", "/etc/shadow" };
static const uint16_t model_ports[] = { 22, 80, 443, 51000 };

struct model {
	enum call call;
	bool failed, in_container, has_path, is_directory;
	unsigned mode; /* O_ACCMODE */
	int sock;      /* 0 none, 4, 6, 1 unix, 17 packet */
	const char *comm, *path, *raw, *nameraw;
	uint16_t sport, cport;
};

static inline struct model model_roll(struct dice *d)
{
	struct model m = { .call = CALL_NONE };
	static const int socks[] = { 4, 6, 1, 17, 0 };
	const char *name = model_calls[dice_roll(d, ARRAY_LEN(model_calls))];

	for (unsigned c = 0; c < CALL_COUNT; c++)
		if (!strcmp(call_name((enum call)c), name))
			m.call = (enum call)c;
	enum call_family f = call_family(m.call);
	m.failed = f == FAMILY_EXEC || dice_roll(d, 3) == 0;
	m.in_container = dice_roll(d, 2);
	m.mode = dice_roll(d, 4);
	m.comm = model_comms[dice_roll(d, ARRAY_LEN(model_comms))];
	m.path = model_paths[dice_roll(d, ARRAY_LEN(model_paths))];
	unsigned raw = dice_roll(d, ARRAY_LEN(model_raws));
	m.raw = model_raws[raw];
	m.nameraw = model_nameraws[raw];
	m.is_directory = f == FAMILY_OPEN && dice_roll(d, 4) == 0;
	m.has_path = !m.failed || dice_roll(d, 2);
	m.sport = model_ports[dice_roll(d, ARRAY_LEN(model_ports))];
	m.cport = model_ports[dice_roll(d, ARRAY_LEN(model_ports))];
	if (f == FAMILY_SOCK)
		m.sock = socks[dice_roll(d, 4)];
	else if (f == FAMILY_FD)
		m.sock = socks[dice_roll(d, 5)];
	return m;
}

static inline void model_json(const struct model *m, struct buf *out)
{
	enum call_family f = call_family(m->call);
	bool is_inet = m->sock == 4 || m->sock == 6;
	const char *slash = strrchr(m->path, '/');

	buf_printf(out, "{\"evt.type\":\"%s\",\"evt.num\":7,\"evt.res\":\"%s\",\"evt.rawres\":%d,\"evt.failed\":%s,"
		   "\"container.id\":\"%s\",\"proc.name\":\"%s\"",
		   call_name(m->call), m->failed ? "ENOENT" : "SUCCESS", m->failed ? -2 : 3,
		   m->failed ? "true" : "false", m->in_container ? "0123456789ab" : "host", m->comm);
	if (f == FAMILY_OPEN) {
		buf_printf(out, ",\"fd.num\":%d,\"evt.is_open_read\":%s,\"evt.is_open_write\":%s,\"fd.nameraw\":\"%s\"",
			   m->failed ? -1 : 3, m->mode == 0 || m->mode == 2 ? "true" : "false",
			   m->mode == 1 || m->mode == 2 ? "true" : "false", m->nameraw);
		if (m->has_path && m->is_directory)
			buf_printf(out,
				   ",\"fd.name\":\"%s\",\"fd.directory\":\"%s\",\"fd.typechar\":\"d\",\"fd.type\":\"directory\"",
				   m->path, m->path);
		else if (m->has_path)
			buf_printf(out,
				   ",\"fd.name\":\"%s\",\"fd.directory\":\"%.*s\",\"fd.filename\":\"%s\","
				   "\"fd.typechar\":\"f\",\"fd.type\":\"file\"",
				   m->path, slash == m->path ? 1 : (int)(slash - m->path), m->path, slash + 1);
	}
	if (f == FAMILY_SOCK || f == FAMILY_FD)
		buf_printf(out, ",\"fd.num\":5");
	if (is_inet)
		buf_printf(out,
			   ",\"fd.typechar\":\"%d\",\"fd.type\":\"ipv%d\",\"fd.sockfamily\":\"ip\",\"fd.l4proto\":\"tcp\","
			   "\"fd.sip\":\"10.0.0.1\",\"fd.cip\":\"10.0.0.2\",\"fd.sport\":%u,\"fd.cport\":%u",
			   m->sock, m->sock, m->sport, m->cport);
	if (m->sock == 1)
		buf_printf(out, ",\"fd.typechar\":\"u\",\"fd.type\":\"unix\",\"fd.sockfamily\":\"unix\"");
	if (f == FAMILY_FD && !m->sock)
		buf_printf(out, ",\"fd.typechar\":\"f\",\"fd.type\":\"file\",\"fd.name\":\"%s\"", m->path);
	if (m->call == CALL_SOCKET)
		buf_printf(out, ",\"evt.arg.domain\":\"%s\"",
			   m->sock == 4 ? "AF_INET" : m->sock == 6 ? "AF_INET6" : m->sock == 1 ? "AF_UNIX" : "AF_PACKET");
	buf_add_char(out, '}');
}

static inline bool model_text(const struct filter_text *all, size_t n, const char *text)
{
	struct slice s = slice_of(text);

	for (size_t i = 0; i < n; i++) {
		struct slice t = all[i].text;

		if (all[i].kind == FILTER_EXACT	   ? slice_eq(s, t) :
		    all[i].kind == FILTER_PREFIX   ? slice_starts(s, t) :
		    all[i].kind == FILTER_SUFFIX   ? slice_ends(s, t) :
						     slice_find(s, t) >= 0)
			return true;
	}
	return !n;
}

/* As strict as a kernel may be. */
static inline bool model_accepted(const struct filter_row *row, const struct model *m)
{
	enum call_family f = call_family(m->call);
	unsigned access = m->mode == 0 ? FILTER_READ : m->mode == 1 ? FILTER_WRITE : m->mode == 2 ? FILTER_ANY_ACCESS : 0;
	unsigned sock = m->sock == 4 || m->sock == 6 ? FILTER_INET : m->sock == 1 ? FILTER_UNIX :
			m->sock ? FILTER_OTHER_SOCK : 0;
	bool found = !row->comm_count, has_port = !row->port_count;

	if (!filter_row_has_call(row, m->call) || !(row->outcome & (m->failed ? FILTER_FAILED : FILTER_OK)) ||
	    !(row->where & (m->in_container ? FILTER_CONTAINER : FILTER_HOST)))
		return false;
	for (size_t i = 0; i < row->comm_count && !found; i++)
		found = !strcmp(row->comms[i], m->comm);
	if (!found)
		return false;
	if (f == FAMILY_OPEN)
		return (row->access == FILTER_ANY_ACCESS || row->access & access) &&
		       (m->failed || model_text(row->paths, row->path_count, m->path)) &&
		       ((!m->failed && !row->raws_bind_success) || model_text(row->raws, row->raw_count, m->raw));
	if (f != FAMILY_SOCK && f != FAMILY_FD)
		return true;
	for (size_t i = 0; i < row->port_count && !has_port; i++)
		has_port = sock == FILTER_INET && (row->ports[i] == m->sport || row->ports[i] == m->cport);
	return (row->sock == FILTER_ANY_SOCK || row->sock & sock) && has_port;
}

static inline bool model_passes(const struct filter *f, const struct model *m)
{
	for (size_t i = 0; i < f->row_count; i++)
		if (model_accepted(&f->rows[i], m))
			return true;
	return false;
}

/* A condition from dice, at most depth operators deep. */
static inline void model_condition(struct dice *d, unsigned depth, struct buf *out)
{
	static const char *const checks[] = {
		"evt.type = open", "evt.type in (open, openat, creat)", "evt.type in (connect, sendto)",
		"evt.type != open", "evt.type = execve", "evt.type in (socket, dup2, unlink)", "evt.type = oneof (open, open)",
		"evt.num = 0", "evt.res = SUCCESS", "evt.res != SUCCESS", "evt.res startswith E", "evt.res in (ENOENT, SUCCESS)",
		"evt.rawres >= 0", "evt.rawres < 0", "evt.rawres in (3, -2)", "evt.rawres <= -1", "evt.failed = true",
		"evt.failed != true", "fd.num >= 0", "fd.num = -1", "fd.num > -1", "evt.is_open_read = true",
		"evt.is_open_read = false", "evt.is_open_write = true", "evt.is_open_write != true",
		"container.id != host", "container.id = host", "container.id in (host, x)", "container.id = 0123456789ab",
		"proc.name = cat", "proc.name in (sh, nginx)", "proc.name != sh", "proc.name = docker-entrypoint.sh",
		"proc.name startswith doc", "fd.sport = 22", "fd.sport = http", "fd.port in (443, 80)", "fd.cport > 1000",
		"fd.port != 22", "fd.typechar = 4", "fd.typechar in (4, 6)", "fd.typechar = f", "fd.typechar != u",
		"fd.type in (ipv4, unix)", "fd.sockfamily = unix", "fd.l4proto != udp", "fd.sip = 10.0.0.1",
		"fd.net != 127.0.0.0/8", "evt.arg.domain contains AF_PACKET", "evt.arg.domain contains AF_IN",
		"fd.name = /etc/shadow", "fd.name in (/etc/shadow, /var/log/auth.log)", "fd.name startswith /etc/",
		"fd.name endswith .log", "fd.name contains ssh", "fd.name icontains SSH", "fd.name glob '/home/*/.ssh/*'",
		"fd.name glob '*[hx]adow'", "fd.name pmatch (/etc, /root/.ssh)", "fd.name pmatch (/home/*/.ssh)",
		"fd.name contains allof (ssh, known)", "fd.name startswith anyof (/etc, /a)", "fd.name exists",
		"fd.directory = /etc", "fd.directory = /", "fd.directory endswith .ssh", "fd.directory in (/etc/pam.d, /var/log)",
		"fd.directory startswith /etc", "fd.filename = id_rsa", "fd.filename startswith id", "fd.filename in (shadow, a)",
		"fd.nameraw in (/etc/shadow, x)", "fd.nameraw startswith /etc/sh", "fd.nameraw endswith ./etc/shadow",
		"fd.nameraw contains '../'", "fd.nameraw glob '*../*../*'", "fd.nameraw = id_rsa", "proc.pname = x",
		"fd.name != /etc/shadow", "fd.name = val(fd.nameraw)", "tolower(fd.name) = /a",
	};
	unsigned kind = depth ? dice_roll(d, 5) : 0;

	if (kind == 0 || kind == 4) {
		buf_add_str(out, checks[dice_roll(d, ARRAY_LEN(checks))]);
		return;
	}
	if (kind == 3) {
		buf_add_str(out, "not (");
		model_condition(d, depth - 1, out);
		buf_add_char(out, ')');
		return;
	}
	unsigned count = 2 + dice_roll(d, 3);
	buf_add_char(out, '(');
	for (unsigned i = 0; i < count; i++) {
		if (i)
			buf_add_str(out, kind == 1 ? " and " : " or ");
		model_condition(d, depth - 1, out);
	}
	buf_add_char(out, ')');
}
