/* record_json_deed.c - what a system call did, and what was done about it: see record_json.h. */
#include <arpa/inet.h>
#include <inttypes.h>

#include "collector/store/record_json.h"

/* O_* of the generic ABI, as x86-64 has them: an agent may run on another machine than we do. */
enum { OPEN_ACCESS = 3, OPEN_CREAT = 0100 };
static const struct {
	uint32_t bits;
	const char *name;
} open_flags[] = {
	/* those of several bits first */
	{ 020200000, "O_TMPFILE" }, { 04010000, "O_SYNC" },	{ 0100, "O_CREAT" },
	{ 0200, "O_EXCL" },	    { 0400, "O_NOCTTY" },	{ 01000, "O_TRUNC" },
	{ 02000, "O_APPEND" },	    { 04000, "O_NONBLOCK" },	{ 010000, "O_DSYNC" },
	{ 020000, "O_ASYNC" },	    { 040000, "O_DIRECT" },	{ 0100000, "O_LARGEFILE" },
	{ 0200000, "O_DIRECTORY" }, { 0400000, "O_NOFOLLOW" },	{ 01000000, "O_NOATIME" },
	{ 02000000, "O_CLOEXEC" },  { 010000000, "O_PATH" },
};

bool record_json_address(struct slice address, char dst[RECORD_ADDRESS_MAX])
{
	static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

	dst[0] = 0;
	if (address.n == 16 && !memcmp(address.p, mapped, sizeof(mapped)))
		address = slice_sub(address, 12, 4);
	if (address.n != 4 && address.n != 16)
		return false;
	return inet_ntop(address.n == 4 ? AF_INET : AF_INET6, address.p, dst, RECORD_ADDRESS_MAX) != NULL;
}

/* Does the call itself open? Others know the flags of a file that is open. */
static bool is_open(const struct record_json_deed *d)
{
	const char *call = d->call ? d->call : "";

	return !strncmp(call, "open", 4) || !strcmp(call, "creat");
}

static void add_flags(struct buf *out, uint32_t flags)
{
	static const char *const access[] = { "O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE" };

	buf_add_str(out, access[flags & OPEN_ACCESS]);
	flags &= ~(uint32_t)OPEN_ACCESS;
	for (size_t i = 0; i < ARRAY_LEN(open_flags); i++)
		if ((flags & open_flags[i].bits) == open_flags[i].bits) {
			buf_printf(out, "|%s", open_flags[i].name);
			flags &= ~open_flags[i].bits;
		}
	if (flags)
		buf_printf(out, "|0x%" PRIx32, flags);
}

static void add_octal(struct json *j, const char *key, uint32_t mode)
{
	char text[16];

	if (!mode)
		return;
	snprintf(text, sizeof(text), "0%" PRIo32, mode);
	json_kv_str(j, key, text);
}

static void add_file(struct json *j, const struct record_json_deed *d)
{
	const Picket__File *f = d->file;

	json_kv_object(j, "file");
	record_json_text(j, "path", msg_slice(f->path), LIMIT_PATH_BYTES);
	record_json_text(j, "raw", msg_slice(f->raw), LIMIT_PATH_BYTES);
	if (f->target.len)
		record_json_text(j, "target", msg_slice(f->target), LIMIT_PATH_BYTES);
	if (is_open(d) || f->open_flags) {
		CLEANUP(buf_finip) struct buf flags = { 0 };

		buf_init(&flags, 1024);
		add_flags(&flags, f->open_flags);
		json_kv_slice(j, "flags", buf_slice(&flags));
	}
	add_octal(j, "mode", f->mode);
	add_octal(j, "file_mode", f->file_mode);
	if (f->inode) {
		json_kv_u64(j, "inode", f->inode);
		json_kv_u64(j, "dev", f->dev);
	}
	if (f->upper_layer)
		json_kv_bool(j, "upper_layer", true);
	json_object_close(j);
}

static void add_end(struct json *j, const char *address_key, const char *port_key,
		    ProtobufCBinaryData address, uint32_t port)
{
	char text[RECORD_ADDRESS_MAX];

	bool is_known = record_json_address(msg_slice(address), text);

	if (is_known)
		json_kv_str(j, address_key, text);
	if (is_known || port)
		json_kv_u64(j, port_key, port);
}

void record_json_network(struct json *j, const char *key, const Picket__Network *n)
{
	json_kv_object(j, key);
	record_json_text(j, "protocol", slice_of(n->protocol), LIMIT_NAME_BYTES);
	add_end(j, "local_address", "local_port", n->local_address, n->local_port);
	add_end(j, "remote_address", "remote_port", n->remote_address, n->remote_port);
	if (n->path.len)
		record_json_text(j, "path", msg_slice(n->path), LIMIT_PATH_BYTES);
	json_object_close(j);
}

static const char *error_name(int64_t result)
{
	const char *name = result < 0 && result >= -4095 ? strerrorname_np((int)-result) : NULL;

	return name;
}

void record_json_deed(struct json *j, const struct record_json_deed *d)
{
	CLEANUP(buf_finip) struct buf summary = { 0 };

	if (!d->file && !d->network && (!d->call || !d->call[0]))
		return;
	if (d->call && d->call[0]) {
		const char *name = error_name(d->result);

		record_json_text(j, "call", slice_of(d->call), LIMIT_NAME_BYTES);
		if (name)
			json_kv_str(j, "result", name);
		else
			json_kv_i64(j, "result", d->result);
	}
	if (d->args.n)
		record_json_text(j, "args", d->args, LIMIT_ARGS_BYTES);
	if (d->file)
		add_file(j, d);
	if (d->network)
		record_json_network(j, "network", d->network);
	if (!d->file && !d->network && !d->args.n && d->result >= 0)
		return; /* nothing that the call's name does not say */
	buf_init(&summary, LIMIT_RECORD_BYTES);
	record_json_summary(&summary, d);
	record_json_text(j, "summary", buf_slice(&summary), LIMIT_RECORD_BYTES);
}

/* ---- for people ---- */

static const char *access_words(uint32_t flags)
{
	static const char *const words[] = { "read", "write", "read, write", "ioctl" };
	static const char *const creating[] = { "read, create", "write, create", "read, write, create", "create" };

	return flags & OPEN_CREAT ? creating[flags & OPEN_ACCESS] : words[flags & OPEN_ACCESS];
}

static void file_words(struct buf *out, const struct record_json_deed *d)
{
	const Picket__File *f = d->file;

	buf_add_char(out, ' ');
	buf_add_slice(out, msg_slice(f->path.len ? f->path : f->raw));
	if (f->target.len) {
		buf_add_str(out, " -> ");
		buf_add_slice(out, msg_slice(f->target));
	}
	if (is_open(d))
		buf_printf(out, " (%s)", access_words(f->open_flags));
	else if (f->mode)
		buf_printf(out, " (0%" PRIo32 ")", f->mode);
}

/* false: there is no such end. */
static bool end_words(struct buf *out, const char *before, ProtobufCBinaryData address, uint32_t port)
{
	char text[RECORD_ADDRESS_MAX];

	if (!record_json_address(msg_slice(address), text))
		return false;
	buf_printf(out, strchr(text, ':') ? "%s[%s]:%" PRIu32 : "%s%s:%" PRIu32, before, text, port);
	return true;
}

static void network_words(struct buf *out, const Picket__Network *n)
{
	if (n->protocol[0])
		buf_printf(out, " %s", n->protocol);
	bool has_local = end_words(out, " ", n->local_address, n->local_port);
	end_words(out, has_local ? " -> " : " ", n->remote_address, n->remote_port);
	if (n->path.len) {
		buf_add_char(out, ' ');
		buf_add_slice(out, msg_slice(n->path));
	}
}

void record_json_summary(struct buf *out, const struct record_json_deed *d)
{
	const char *name = error_name(d->result);

	buf_add_str(out, d->call && d->call[0] ? d->call : d->file ? "file" : d->network ? "network" : "");
	if (d->file) {
		file_words(out, d);
	} else if (d->network) {
		network_words(out, d->network);
	} else if (d->args.n) {
		buf_add_char(out, ' ');
		buf_add_slice(out, d->args);
	}
	if (name)
		buf_printf(out, " = %s", name);
	else if (d->result < 0)
		buf_printf(out, " = %" PRId64, d->result);
}

/* ---- responses ---- */

void record_json_action(struct json *j, const Picket__Action *a)
{
	record_json_text(j, "kind", slice_of(a->kind), LIMIT_NAME_BYTES);
	record_json_text(j, "rule", slice_of(a->rule), LIMIT_NAME_BYTES);
	json_kv_bool(j, "dry_run", a->dry_run);
	json_kv_bool(j, "done", a->done);
	record_json_text(j, "why", slice_of(a->why), LIMIT_TEXT_BYTES);
	json_kv_bool(j, "by_kernel", a->by_kernel);
	json_kv_u64(j, "finding_seq", a->finding_seq);
	json_kv_u64(j, "took_ns", a->took_ns);
}

void record_json_action_text(struct buf *out, const Picket__Action *a, const Picket__Process *p,
			     const Picket__Container *c)
{
	/* What stands in the way of an action does so in a dry run, too: "protected: init". */
	bool is_refused = a->dry_run && a->why[0] && strcmp(a->why, "dry run") != 0;

	buf_add_str(out, is_refused ? "dry run: would not " :
			 a->dry_run ? "dry run: would " :
			 a->done    ? "done: " :
				      "failed: ");
	buf_add_str(out, a->kind);
	if (strcmp(a->kind, "kill") != 0 && c && c->id && c->id[0]) {
		buf_add_str(out, " container ");
		buf_add_slice(out, c->name.len ? msg_slice(c->name) : slice_sub(slice_of(c->id), 0, 12));
	} else if (p) {
		buf_add_char(out, ' ');
		buf_add_slice(out, msg_slice(p->name));
		buf_printf(out, " (pid %" PRIu32 ")", p->pid);
	}
	if (a->dry_run && !is_refused)
		return;
	if (is_refused || !a->done)
		buf_printf(out, ": %s", a->why);
	else if (a->by_kernel)
		buf_add_str(out, " before its first instruction");
	else if (a->took_ns)
		buf_printf(out, " after %" PRIu64 " us", a->took_ns / 1000);
}
