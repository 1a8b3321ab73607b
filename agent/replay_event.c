/* replay_event.c - see replay_event.h. */
#include "agent/replay_event.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "agent/call_names.h"
#include "common/text.h"

enum { NAME_MAX_BYTES = 64, ERRNO_MAX = 133 };

/* ---- small verbs over the flat object ---- */

static void put(cJSON *flat, const char *key, struct slice s)
{
	CLEANUP(freep) char *copy = s.n && !cJSON_HasObjectItem(flat, key) ? slice_dup(s) : NULL;

	if (copy)
		cJSON_AddStringToObject(flat, key, copy);
}

static void put_number(cJSON *flat, const char *key, double v)
{
	if (!cJSON_HasObjectItem(flat, key))
		cJSON_AddNumberToObject(flat, key, v);
}

static void put_bool(cJSON *flat, const char *key, bool v)
{
	if (!cJSON_HasObjectItem(flat, key))
		cJSON_AddBoolToObject(flat, key, v);
}

/* Takes over what is there, whatever its type. */
static void move(cJSON *flat, const char *to, const cJSON *from, const char *key)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(from, key);

	if (cJSON_IsString(v))
		put(flat, to, slice_of(v->valuestring));
	else if (cJSON_IsNumber(v))
		put_number(flat, to, v->valuedouble);
	else if (cJSON_IsBool(v))
		put_bool(flat, to, cJSON_IsTrue(v));
}

struct renaming {
	const char *from, *to;
};

static void move_all(cJSON *flat, const cJSON *from, const struct renaming *rows, size_t count)
{
	for (size_t i = 0; from && i < count; i++)
		move(flat, rows[i].to, from, rows[i].from);
}

/* ---- the process ---- */

static void add_list(cJSON *flat, const char *to, const cJSON *parent, const cJSON *others, const char *key)
{
	cJSON *all = cJSON_AddArrayToObject(flat, to);
	const cJSON *x;

	if (!all || !cJSON_IsObject(parent))
		return;
	cJSON_AddItemToArray(all, cJSON_Duplicate(cJSON_GetObjectItemCaseSensitive(parent, key), true));
	cJSON_ArrayForEach(x, others)
	{
		cJSON_AddItemToArray(all, cJSON_Duplicate(cJSON_GetObjectItemCaseSensitive(x, key), true));
	}
}

/* "0x200000" -> "CAP_SYS_ADMIN", as rules compare them. */
static void add_capabilities(cJSON *flat, const char *to, struct slice hex)
{
	static const char *const names[] = {
#define CAP(name) "CAP_" #name,
#include "agent/caps.def"
#undef CAP
	};
	CLEANUP(buf_finip) struct buf b = { 0 };
	char text[24];

	if (!hex.n || !slice_copy(hex, text, sizeof(text)) || cJSON_HasObjectItem(flat, to))
		return;
	uint64_t set = strtoull(text, NULL, 16);
	buf_init(&b, 4096);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (set >> i & 1)
			buf_printf(&b, "%s%s", b.n ? " " : "", names[i]);
	/* None is a value, too. */
	cJSON_AddStringToObject(flat, to, b.n ? b.p : "");
}

static void add_process(cJSON *flat, const cJSON *p, bool is_exec)
{
	static const struct renaming rows[] = {
		{ "pid", "proc.pid" },	   { "ppid", "proc.ppid" },	  { "name", "proc.name" },
		{ "exe", "proc.exepath" }, { "exe", "proc.exe" },	  { "cmdline", "proc.cmdline" },
		{ "vpid", "proc.vpid" },   { "tty", "proc.tty" },	  { "session_id", "proc.sid" },
		{ "user", "user.name" },   { "uid", "user.uid" },	  { "gid", "group.gid" },
		{ "pid", "thread.tid" },   { "login_uid", "user.loginuid" },
		{ "exe_upper_layer", "proc.is_exe_upper_layer" },
		{ "exe_from_memfd", "proc.is_exe_from_memfd" },
		{ "exe_writable", "proc.is_exe_writable" },
	};
	static const struct renaming of_parent[] = {
		{ "name", "proc.pname" }, { "exe", "proc.pexepath" }, { "exe", "proc.pexe" },
		{ "cmdline", "proc.pcmdline" },
	};
	const cJSON *parent = cJSON_GetObjectItemCaseSensitive(p, "parent"),
		    *others = cJSON_GetObjectItemCaseSensitive(p, "ancestors");
	struct slice name = json_get_str(p, "name"), line = json_get_str(p, "cmdline"),
		     cwd = json_get_str(p, "cwd");

	move_all(flat, p, rows, ARRAY_LEN(rows));
	move_all(flat, parent, of_parent, ARRAY_LEN(of_parent));
	add_capabilities(flat, "thread.cap_effective", json_get_str(p, "cap_effective"));
	if (slice_starts(line, name) && line.n > name.n)
		put(flat, "proc.args", slice_sub(line, name.n + 1, line.n));
	else if (name.n && slice_eq(line, name) && !cJSON_HasObjectItem(flat, "proc.args"))
		cJSON_AddStringToObject(flat, "proc.args", "");
	if (slice_ends(cwd, SLICE_LIT("/"))) {
		put(flat, "proc.cwd", cwd);
	} else if (cwd.n) {
		CLEANUP(buf_finip) struct buf b = { 0 };

		buf_init(&b, REPLAY_LINE_MAX);
		buf_add_slice(&b, cwd);
		buf_add_char(&b, '/');
		put(flat, "proc.cwd", buf_slice(&b));
	}
	if (!cJSON_HasObjectItem(flat, "user.loginuid"))
		put_number(flat, "user.loginuid", -1);
	if (is_exec) { /* what is false is left out there */
		put_bool(flat, "proc.is_exe_upper_layer", false);
		put_bool(flat, "proc.is_exe_from_memfd", false);
		put_bool(flat, "proc.is_exe_writable", false);
	}
	add_list(flat, "proc.aname", parent, others, "name");
	add_list(flat, "proc.aexepath", parent, others, "exe");
	add_list(flat, "proc.acmdline", parent, others, "cmdline");
	add_list(flat, "proc.apid", parent, others, "pid");
}

/* ---- the container ---- */

/* "registry:5000/app:1.2@sha256:..." */
static void add_image(cJSON *flat, struct slice image)
{
	ptrdiff_t at = slice_find_char(image, '@');
	struct slice name = at < 0 ? image : slice_sub(image, 0, (size_t)at);
	size_t colon = 0;

	for (size_t i = 0; i < name.n; i++)
		colon = name.p[i] == '/' ? 0 : name.p[i] == ':' ? i : colon;
	put(flat, "container.image", image);
	put(flat, "container.image.repository", colon ? slice_sub(name, 0, colon) : name);
	if (colon)
		put(flat, "container.image.tag", slice_sub(name, colon + 1, name.n));
}

static void add_container(cJSON *flat, const cJSON *c)
{
	static const struct renaming rows[] = {
		{ "id", "container.full_id" },		   { "name", "container.name" },
		{ "image_digest", "container.image.digest" }, { "privileged", "container.privileged" },
		{ "user", "container.user" },		   { "engine", "container.type" },
	};

	if (!cJSON_IsObject(c)) {
		put(flat, "container.id", SLICE_LIT("host"));
		put(flat, "container.name", SLICE_LIT("host"));
		return;
	}
	move_all(flat, c, rows, ARRAY_LEN(rows));
	put(flat, "container.id", slice_sub(json_get_str(c, "id"), 0, 12));
	add_image(flat, json_get_str(c, "image"));
}

/* ---- files and connections ---- */

static bool find_call(struct slice name, enum call *ret)
{
	for (unsigned c = 0; c < CALL_COUNT; c++) {
		if (!slice_is(name, call_name((enum call)c)))
			continue;
		*ret = (enum call)c;
		return true;
	}
	return false;
}

static bool has_flag(struct slice flags, const char *flag)
{
	struct slice one;

	while (slice_split(&flags, '|', &one))
		if (slice_is(one, flag))
			return true;
	return false;
}

static unsigned long from_octal(struct slice s)
{
	char text[16];

	return slice_copy(s, text, sizeof(text)) ? strtoul(text, NULL, 8) : 0;
}

static void add_file_type(cJSON *flat, struct slice mode)
{
	if (!mode.n)
		return;
	bool is_dir = S_ISDIR(from_octal(mode));
	put(flat, "fd.type", is_dir ? SLICE_LIT("directory") : SLICE_LIT("file"));
	put(flat, "fd.typechar", is_dir ? SLICE_LIT("d") : SLICE_LIT("f"));
}

static void add_path(cJSON *flat, struct slice path)
{
	size_t at = path.n;

	while (at && path.p[at - 1] != '/')
		at--;
	put(flat, "fd.name", path);
	put(flat, "fd.filename", slice_sub(path, at, path.n));
	put(flat, "fd.directory", at > 1 ? slice_sub(path, 0, at - 1) : slice_sub(path, 0, at));
}

static void add_open(cJSON *flat, const cJSON *file, enum call call, bool has_failed)
{
	struct slice flags = json_get_str(file, "flags");
	bool both = has_flag(flags, "O_RDWR"), creates = has_flag(flags, "O_CREAT") || has_flag(flags, "O_TMPFILE");
	/* openat2's is in the caller's memory: what the file got. */
	unsigned long mode = from_octal(json_get_str(file, call == CALL_OPENAT2 ? "file_mode" : "mode"));

	put_bool(flat, "evt.is_open_read", both || has_flag(flags, "O_RDONLY"));
	put_bool(flat, "evt.is_open_write", both || has_flag(flags, "O_WRONLY"));
	put_bool(flat, "evt.is_open_create", creates && !has_failed);
	put_bool(flat, "evt.is_open_exec", creates && mode & (S_IXUSR | S_IXGRP | S_IXOTH));
}

static void add_file(cJSON *flat, const cJSON *file, enum call call, bool has_failed)
{
	enum call_family family = call_family(call);
	struct slice path = json_get_str(file, "path"), target = json_get_str(file, "target"),
		     raw = json_get_str(file, "raw");
	/* In Falco the source of a link is the new name and its target what it leads to. */
	bool is_link = call == CALL_LINK || call == CALL_LINKAT || call == CALL_SYMLINK || call == CALL_SYMLINKAT;

	if (!path.n)
		path = raw;
	put(flat, "evt.abspath", path);
	if (family == FAMILY_PATHS) {
		put(flat, "evt.abspath.src", path);
		put(flat, "evt.abspath.dst", target);
		if (!has_failed) {
			put(flat, "fs.path.source", is_link ? target : path);
			put(flat, "fs.path.target", is_link ? path : target);
		}
		return;
	}
	if (!has_failed && (family == FAMILY_OPEN || family == FAMILY_PATH)) {
		put(flat, "fs.path.name", path);
		put(flat, "fs.path.nameraw", raw);
	}
	if (family != FAMILY_OPEN && family != FAMILY_FD)
		return;
	add_path(flat, path);
	put(flat, "fd.nameraw", raw);
	move(flat, "fd.ino", file, "inode");
	move(flat, "fd.dev", file, "dev");
	move(flat, "fd.is_upper_layer", file, "upper_layer");
	add_file_type(flat, json_get_str(file, "file_mode"));
	if (family == FAMILY_OPEN)
		add_open(flat, file, call, has_failed);
}

struct end {
	struct slice ip;
	double port;
};

static void add_end(cJSON *flat, const struct end *e, const char *ip_key, const char *port_key)
{
	if (!e->ip.n)
		return;
	put(flat, ip_key, e->ip);
	put_number(flat, port_key, e->port);
}

static void add_network(cJSON *flat, const cJSON *n, enum call call)
{
	struct end local = { json_get_str(n, "local_address"), (double)json_get_u64(n, "local_port", 0) },
		   remote = { json_get_str(n, "remote_address"), (double)json_get_u64(n, "remote_port", 0) };
	bool is_server = call == CALL_ACCEPT || call == CALL_ACCEPT4 || call == CALL_BIND || call == CALL_LISTEN ||
			 call == CALL_RECVFROM || call == CALL_RECVMSG;
	const struct end *client = is_server ? &remote : &local, *server = is_server ? &local : &remote;
	struct slice protocol = json_get_str(n, "protocol"), ip = local.ip.n ? local.ip : remote.ip;
	char tuple[256];

	if (slice_is(protocol, "unix")) {
		put(flat, "fd.type", SLICE_LIT("unix"));
		put(flat, "fd.typechar", SLICE_LIT("u"));
		put(flat, "fd.sockfamily", SLICE_LIT("unix"));
		add_path(flat, json_get_str(n, "path"));
		return;
	}
	if (!ip.n)
		return;
	bool is_v6 = slice_find_char(ip, ':') >= 0;
	put(flat, "fd.type", is_v6 ? SLICE_LIT("ipv6") : SLICE_LIT("ipv4"));
	put(flat, "fd.typechar", is_v6 ? SLICE_LIT("6") : SLICE_LIT("4"));
	put(flat, "fd.sockfamily", SLICE_LIT("ip"));
	put(flat, "fd.l4proto", protocol);
	add_end(flat, &local, "fd.lip", "fd.lport");
	add_end(flat, &remote, "fd.rip", "fd.rport");
	add_end(flat, client, "fd.cip", "fd.cport");
	add_end(flat, server, "fd.sip", "fd.sport");
	put_bool(flat, "fd.is_server", is_server);
	if (client->ip.n && server->ip.n) {
		snprintf(tuple, sizeof(tuple), "%.*s:%.0f->%.*s:%.0f", SLICE_FMT(client->ip), client->port,
			 SLICE_FMT(server->ip), server->port);
		put(flat, "fd.name", slice_of(tuple));
	}
}

/* ---- the event itself ---- */

/* "fd=3 name=/etc/shadow flags=1(O_RDONLY)": a value ends where a blank, a word and "=" follow. What a
 * process put into its own arguments to look like another one is told apart no better by Falco's line. */
static size_t next_argument(struct slice s, size_t from)
{
	for (size_t i = from; i < s.n; i++) {
		if (s.p[i] != ' ')
			continue;
		size_t end = i + 1;
		while (end < s.n && (islower((unsigned char)s.p[end]) || s.p[end] == '_'))
			end++;
		if (end > i + 1 && end < s.n && s.p[end] == '=')
			return i;
	}
	return s.n;
}

/* "5(BPF_PROG_LOAD)", "-100(AT_FDCWD)", "7f20(<f>/x)": a number and what it means, which is what rules compare. */
static size_t number_before_meaning(struct slice s)
{
	size_t n = s.n && s.p[0] == '-';

	while (n < s.n && isxdigit((unsigned char)s.p[n]))
		n++;
	return n && n + 1 < s.n && s.p[n] == '(' && s.p[s.n - 1] == ')' ? n : 0;
}

static void add_argument(cJSON *flat, struct slice name, struct slice value)
{
	size_t n = number_before_meaning(value);
	char key[NAME_MAX_BYTES];

	snprintf(key, sizeof(key), "evt.arg.%.*s", SLICE_FMT(name));
	put(flat, key, n ? slice_sub(value, n + 1, value.n - n - 2) : value);
	snprintf(key, sizeof(key), "evt.rawarg.%.*s", SLICE_FMT(name));
	put(flat, key, n ? slice_sub(value, 0, n) : value);
}

static void add_arguments(cJSON *flat, struct slice args)
{
	put(flat, "evt.args", args);
	for (size_t at = 0; at < args.n;) {
		size_t end = next_argument(args, at);
		struct slice one = slice_sub(args, at, end - at);
		ptrdiff_t eq = slice_find_char(one, '=');

		if (eq > 0 && eq < 32)
			add_argument(flat, slice_sub(one, 0, (size_t)eq), slice_sub(one, (size_t)eq + 1, one.n));
		at = end + 1;
	}
}

static bool add_result(cJSON *flat, const cJSON *v)
{
	bool has_failed = false;

	if (cJSON_IsString(v)) {
		has_failed = true;
		put(flat, "evt.res", slice_of(v->valuestring));
		for (int e = 1; e <= ERRNO_MAX; e++)
			if (strerrorname_np(e) && !strcmp(strerrorname_np(e), v->valuestring))
				put_number(flat, "evt.rawres", -e);
	} else {
		has_failed = cJSON_IsNumber(v) && v->valuedouble < 0;
		put(flat, "evt.res", has_failed ? SLICE_LIT("FAILED") : SLICE_LIT("SUCCESS"));
		put_number(flat, "evt.rawres", cJSON_IsNumber(v) ? v->valuedouble : 0);
	}
	put_bool(flat, "evt.failed", has_failed);
	return has_failed;
}

static void add_time(cJSON *flat, struct slice time)
{
	uint64_t unix_ns;
	char text[64];
	struct tm tm;

	if (!text_time_parse(time, &unix_ns))
		return;
	time_t seconds = (time_t)(unix_ns / 1000000000);
	put(flat, "evt.time.iso8601", time);
	/* Past what a double holds exactly: as text. */
	snprintf(text, sizeof(text), "%" PRIu64, unix_ns);
	put(flat, "evt.rawtime", slice_of(text));
	if (!localtime_r(&seconds, &tm))
		return;
	size_t n = strftime(text, sizeof(text), "%H:%M:%S", &tm);
	snprintf(text + n, sizeof(text) - n, ".%09" PRIu64, unix_ns % 1000000000);
	put(flat, "evt.time", slice_of(text));
}

/* The type as rules know it; NULL: nothing they judge. */
static const char *type_of(const cJSON *ev, enum call *ret_call)
{
	struct slice type = json_get_str(ev, "type");

	if (slice_is(type, "exec"))
		return "execve";
	if (slice_is(type, "exit"))
		return "procexit";
	if (slice_is(type, "fork"))
		return "clone";
	if (slice_is(type, "finding") || !find_call(json_get_str(ev, "call"), ret_call))
		return NULL;
	return call_name(*ret_call);
}

static cJSON *flatten(const cJSON *ev, const char *type, enum call call)
{
	cJSON *flat = cJSON_CreateObject();
	const cJSON *file = cJSON_GetObjectItemCaseSensitive(ev, "file"),
		    *network = cJSON_GetObjectItemCaseSensitive(ev, "network"),
		    *result = cJSON_GetObjectItemCaseSensitive(ev, "result");

	if (!flat)
		return NULL;
	put(flat, "evt.type", slice_of(type));
	put(flat, "evt.source", SLICE_LIT("syscall"));
	put(flat, "evt.dir", SLICE_LIT("<"));
	move(flat, "evt.hostname", ev, "host");
	add_time(flat, json_get_str(ev, "time"));
	bool has_failed = add_result(flat, result);
	add_process(flat, cJSON_GetObjectItemCaseSensitive(ev, "process"), !strcmp(type, "execve") && call == CALL_NONE);
	add_container(flat, cJSON_GetObjectItemCaseSensitive(ev, "container"));
	if (call == CALL_NONE)
		return flat;
	if (call_family(call) == FAMILY_OPEN)
		put_number(flat, "fd.num", has_failed || !cJSON_IsNumber(result) ? -1 : result->valuedouble);
	add_arguments(flat, json_get_str(ev, "args"));
	if (cJSON_IsObject(file))
		add_file(flat, file, call, has_failed);
	if (cJSON_IsObject(network))
		add_network(flat, network, call);
	return flat;
}

int replay_event(struct slice line, cJSON **ret, struct err *err)
{
	CLEANUP(cJSON_Deletep) cJSON *doc = NULL;
	enum call call = CALL_NONE;

	line = slice_trim(line);
	if (!line.n)
		return 0;
	int r = json_parse(line, REPLAY_LINE_MAX, &doc, err);
	if (r < 0) {
		/* "1:COLUMN: what", of one line */
		if (r == -ERR_SYNTAX && err && !strncmp(err->msg, "1:", 2))
			memmove(err->msg, err->msg + 2, strlen(err->msg + 2) + 1);
		return r;
	}
	if (!cJSON_IsObject(doc))
		return err_set(err, ERR_SYNTAX, "1: an event is a JSON object");
	if (cJSON_IsString(cJSON_GetObjectItemCaseSensitive(doc, "evt.type"))) {
		*ret = take_ptr(doc);
		return 1;
	}
	if (!json_get_str(doc, "type").n)
		return err_set(err, ERR_SYNTAX, "1: no event: it has neither 'evt.type' nor 'type'");
	const char *type = type_of(doc, &call);
	if (!type)
		return 0;
	*ret = flatten(doc, type, call);
	return *ret ? 1 : err_set(err, ENOMEM, "event");
}
