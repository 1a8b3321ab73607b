/* facts_proc.c - the kernel's texts about a process: status, mountinfo, uid_map, net tables. Pure. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/sysmacros.h>

#include "agent/audit/facts_priv.h"

/* ---- words ---- */

/* The next word of *rest, blanks and tabs before it skipped. */
static struct slice word(struct slice *rest)
{
	while (rest->n && (rest->p[0] == ' ' || rest->p[0] == '\t'))
		*rest = slice_sub(*rest, 1, rest->n);
	size_t n = 0;
	while (n < rest->n && rest->p[n] != ' ' && rest->p[n] != '\t')
		n++;
	struct slice w = slice_sub(*rest, 0, n);
	*rest = slice_sub(*rest, n, rest->n);
	return w;
}

static bool hex_u64(struct slice s, uint64_t *ret)
{
	uint64_t v = 0;

	if (!s.n || s.n > 16)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		unsigned d = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
			     : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
			     : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10
						    : 16;

		if (d > 15)
			return false;
		v = v << 4 | d;
	}
	*ret = v;
	return true;
}

static bool u32_of(struct slice s, uint32_t *ret)
{
	uint64_t v;

	if (!slice_to_u64(s, &v) || v > UINT32_MAX)
		return false;
	*ret = (uint32_t)v;
	return true;
}

/* ---- status ---- */

static void status_uid(struct facts_process *p, struct slice v)
{
	uint32_t real, effective;

	if (u32_of(word(&v), &real) && u32_of(word(&v), &effective)) {
		p->uid = real;
		p->euid = effective;
	}
}

static void status_number(struct facts_process *p, struct slice key, struct slice v)
{
	uint32_t n;

	if (!u32_of(v, &n))
		return;
	if (slice_is(key, "NoNewPrivs"))
		p->no_new_privs = n;
	else if (slice_is(key, "Seccomp") && n <= SECCOMP_FILTERED)
		p->seccomp = (enum facts_seccomp)n;
	else if (slice_is(key, "Seccomp_filters"))
		p->seccomp_filters = n;
}

int facts_parse_status(struct slice text, struct facts_process *ret)
{
	const struct {
		const char *key;
		uint64_t *to;
	} sets[] = {
		{ "CapInh", &ret->cap_inheritable }, { "CapPrm", &ret->cap_permitted },
		{ "CapEff", &ret->cap_effective },   { "CapBnd", &ret->cap_bounding },
		{ "CapAmb", &ret->cap_ambient },
	};
	struct slice line;
	bool has_uid = false;

	ret->seccomp = SECCOMP_UNKNOWN;
	while (slice_split(&text, '\n', &line)) {
		ptrdiff_t colon = slice_find_char(line, ':');

		if (colon < 0)
			continue;
		struct slice key = slice_sub(line, 0, (size_t)colon);
		struct slice v = slice_trim(slice_sub(line, (size_t)colon + 1, line.n));
		for (size_t i = 0; i < ARRAY_LEN(sets); i++)
			if (slice_is(key, sets[i].key))
				(void)hex_u64(v, sets[i].to);
		/* The name is the process's own choice, but a line end in it is written as \n: it can't make a line. */
		if (slice_is(key, "Uid") && !has_uid) {
			status_uid(ret, v);
			has_uid = true;
		} else {
			status_number(ret, key, v);
		}
	}
	return has_uid ? 0 : -ERR_CORRUPT;
}

/* ---- mountinfo ----
 * 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
 * id parent dev root point options optional… - type source super-options */

static const char *unescape(struct facts_out *o, struct slice s)
{
	char *d = arena_alloc(o->a, s.n + 1);
	size_t n = 0;

	if (!d) {
		o->failed = true;
		return "";
	}
	for (size_t i = 0; i < s.n; i++) {
		const char *p = s.p + i;

		if (*p == '\\' && s.n - i >= 4 && p[1] >= '0' && p[1] <= '3' && p[2] >= '0' && p[2] <= '7' &&
		    p[3] >= '0' && p[3] <= '7') {
			d[n++] = (char)((p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0'));
			i += 3;
		} else {
			d[n++] = *p;
		}
	}
	d[n] = 0;
	return d;
}

static bool has_option(struct slice options, const char *name)
{
	struct slice one;

	while (slice_split(&options, ',', &one))
		if (slice_is(one, name))
			return true;
	return false;
}

static bool parse_dev(struct slice s, dev_t *ret)
{
	ptrdiff_t colon = slice_find_char(s, ':');
	uint32_t major, minor;

	if (colon < 0 || !u32_of(slice_sub(s, 0, (size_t)colon), &major) ||
	    !u32_of(slice_sub(s, (size_t)colon + 1, s.n), &minor))
		return false;
	*ret = makedev(major, minor);
	return true;
}

static bool parse_mount(struct slice line, struct facts_out *o, struct facts_mount *m)
{
	uint32_t id;

	*m = (struct facts_mount){ .root = "",
				   .point = "",
				   .fs_type = "",
				   .source = "",
				   .super_options = "",
				   .host_path = "",
				   .host_other = "",
				   .api_socket = "" };
	if (!u32_of(word(&line), &id) || id > INT32_MAX || !word(&line).n || !parse_dev(word(&line), &m->dev))
		return false;
	struct slice root = word(&line), point = word(&line), options = word(&line), w;
	do {
		w = word(&line);
		m->is_shared |= slice_starts(w, SLICE_LIT("shared:"));
		m->is_slave |= slice_starts(w, SLICE_LIT("master:"));
	} while (w.n && !slice_is(w, "-"));
	struct slice type = word(&line), source = word(&line), super = word(&line);
	if (!type.n || !root.n || !point.n)
		return false;
	m->id = (int)id;
	m->root = unescape(o, root);
	m->point = unescape(o, point);
	m->fs_type = unescape(o, type);
	m->source = unescape(o, source);
	m->super_options = unescape(o, super);
	m->is_writable = !has_option(options, "ro") && !has_option(super, "ro");
	m->is_noexec = has_option(options, "noexec");
	m->is_nosuid = has_option(options, "nosuid");
	m->is_nodev = has_option(options, "nodev");
	return true;
}

int facts_parse_mounts(struct slice text, size_t max, struct facts_out *o, struct facts_mount **ret, size_t *ret_count)
{
	struct slice rest = text, line;
	size_t lines = 0, count = 0;

	*ret = NULL;
	*ret_count = 0;
	while (lines < max && slice_split(&rest, '\n', &line))
		lines += line.n > 0;
	struct facts_mount *v = facts_rows(o, lines, sizeof(*v));
	while (v && count < lines && slice_split(&text, '\n', &line))
		count += parse_mount(line, o, &v[count]);
	*ret = v;
	*ret_count = count;
	return o->failed ? -ERR_LIMIT : 0;
}

int facts_parse_mountinfo(struct slice text, struct arena *a, struct facts_mount **ret, size_t *ret_count,
			  struct err *err)
{
	struct facts_out o = { .a = a };

	(void)facts_parse_mounts(text, FACTS_MOUNTS_MAX, &o, ret, ret_count);
	return facts_done(&o, err);
}

/* ---- net/tcp and its like ----
 *   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
 *    0: 0100007F:1F90 00000000:0000 0A … */

/* The kernel prints the address as 32-bit words in its own byte order. */
static const char *address_text(struct facts_out *o, struct slice hex)
{
	unsigned char raw[16];
	char text[INET6_ADDRSTRLEN] = "";
	size_t words = hex.n / 8;

	for (size_t i = 0; i < words; i++) {
		uint64_t w;

		if (!hex_u64(slice_sub(hex, i * 8, 8), &w))
			return NULL;
		uint32_t w32 = (uint32_t)w;
		memcpy(raw + i * 4, &w32, sizeof(w32));
	}
	if (!inet_ntop(words == 1 ? AF_INET : AF_INET6, raw, text, sizeof(text)))
		return NULL;
	return facts_text(o, slice_of(text));
}

enum { TCP_IS_LISTENING = 0x0A, UDP_IS_UNCONNECTED = 0x07 };

static bool parse_socket(struct slice line, const char *protocol, struct facts_out *o, struct facts_listener *l)
{
	uint64_t port, state, remote;
	unsigned wanted = !strncmp(protocol, "udp", 3) ? UDP_IS_UNCONNECTED : TCP_IS_LISTENING;

	(void)word(&line);
	struct slice local = word(&line), peer = word(&line);
	ptrdiff_t colon = slice_find_char(local, ':'), peer_colon = slice_find_char(peer, ':');
	if ((colon != 8 && colon != 32) || peer_colon < 0 || !hex_u64(word(&line), &state) || state != wanted)
		return false;
	if (!hex_u64(slice_sub(local, (size_t)colon + 1, 16), &port) || port > UINT16_MAX || !port ||
	    !hex_u64(slice_sub(peer, (size_t)peer_colon + 1, 16), &remote) || remote)
		return false;
	l->address = address_text(o, slice_sub(local, 0, (size_t)colon));
	l->port = (uint16_t)port;
	l->protocol = protocol;
	return l->address;
}

int facts_parse_sockets(struct slice text, const char *protocol, struct arena *a, struct facts_listener **ret,
			size_t *ret_count, struct err *err)
{
	struct facts_out o = { .a = a };
	struct facts_listener found[FACTS_LISTENERS_MAX];
	struct slice line;
	size_t count = 0;

	*ret = NULL;
	*ret_count = 0;
	while (count < ARRAY_LEN(found) && !o.failed && slice_split(&text, '\n', &line))
		count += parse_socket(line, protocol, &o, &found[count]);
	struct facts_listener *v = facts_rows(&o, count, sizeof(*v));
	if (v) {
		memcpy(v, found, count * sizeof(*v));
		*ret = v;
		*ret_count = count;
	}
	return facts_done(&o, err);
}

/* ---- uid_map: "inside outside count", a line each ---- */

bool facts_parse_uid_map(struct slice text, uid_t *ret_root)
{
	struct slice line;
	bool is_identity = false;

	*ret_root = (uid_t)-1;
	while (slice_split(&text, '\n', &line)) {
		uint32_t inside, outside, count;

		if (!u32_of(word(&line), &inside) || !u32_of(word(&line), &outside) || !u32_of(word(&line), &count))
			continue;
		if (!inside && count)
			*ret_root = outside;
		is_identity |= !inside && !outside && count == UINT32_MAX;
	}
	return is_identity;
}
