/* live_fd.c - fd.*: the descriptor that a call makes or is about, but for its ends (live_socket.c). */
#include <dirent.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/rules/live_priv.h"

static const struct live_fd_word words[LIVE_FD_KIND_COUNT] = {
	[LIVE_FD_NONE] = { "o", "" },
	[LIVE_FD_FILE] = { "f", "file" },
	[LIVE_FD_DIRECTORY] = { "d", "directory" },
	[LIVE_FD_IPV4] = { "4", "ipv4" },
	[LIVE_FD_IPV6] = { "6", "ipv6" },
	[LIVE_FD_UNIX] = { "u", "unix" },
	[LIVE_FD_NETLINK] = { "n", "netlink" },
	[LIVE_FD_OTHER_SOCK] = { "o", "other" },
	[LIVE_FD_PIPE] = { "p", "pipe" },
	[LIVE_FD_EVENT] = { "e", "event" },
	[LIVE_FD_SIGNAL] = { "s", "signalfd" },
	[LIVE_FD_EVENTPOLL] = { "l", "eventpoll" },
	[LIVE_FD_INOTIFY] = { "i", "inotify" },
	[LIVE_FD_TIMER] = { "t", "timerfd" },
	[LIVE_FD_BPF] = { "b", "bpf" },
	[LIVE_FD_USERFAULT] = { "u", "userfaultfd" },
	[LIVE_FD_URING] = { "r", "io_uring" },
	[LIVE_FD_MEMFD] = { "m", "memfd" },
	[LIVE_FD_PIDFD] = { "P", "pidfd" },
	[LIVE_FD_OTHER] = { "o", "other" },
};

const struct live_fd_word *live_fd_word(enum live_fd_kind kind)
{
	return &words[kind];
}

bool live_makes_fd(enum call c)
{
	switch (c) {
	case CALL_OPEN:
	case CALL_OPENAT:
	case CALL_OPENAT2:
	case CALL_CREAT:
	case CALL_OPEN_BY_HANDLE_AT:
	case CALL_SOCKET:
	case CALL_SOCKETPAIR:
	case CALL_ACCEPT:
	case CALL_ACCEPT4:
	case CALL_DUP:
	case CALL_DUP2:
	case CALL_DUP3:
	case CALL_BPF:
	case CALL_USERFAULTFD:
	case CALL_MEMFD_CREATE:
	case CALL_IO_URING_SETUP:
		return true;
	default:
		return false;
	}
}

static bool is_about_fd(const struct event *e)
{
	enum call_family f = e->call.family;

	return e->type == EV_CALL && (f == FAMILY_OPEN || f == FAMILY_SOCK || f == FAMILY_FD ||
				      live_makes_fd(e->call.call));
}

static bool is_nothing(const struct event *e)
{
	return !is_about_fd(e) || (live_makes_fd(e->call.call) && e->call.ret < 0);
}

static enum live_fd_kind socket_kind(const struct event_call *c)
{
	int family = live_socket_family(c);

	if (family)
		return family == AF_INET ? LIVE_FD_IPV4 : LIVE_FD_IPV6;
	return c->sock_family == AF_UNIX    ? LIVE_FD_UNIX :
	       c->sock_family == AF_NETLINK ? LIVE_FD_NETLINK :
					      LIVE_FD_OTHER_SOCK;
}

/* Of files that have no place in a file system: "anon_inode:[eventpoll]" of a link, the kernel's own
 * "[eventpoll]" and "/memfd:x" of a walk through names. */
enum live_fd_kind live_link_kind(struct slice link)
{
	static const struct {
		const char *text;
		enum live_fd_kind kind;
	} kinds[] = {
		{ "socket:[", LIVE_FD_OTHER_SOCK },  { "pipe:[", LIVE_FD_PIPE },
		{ "memfd:", LIVE_FD_MEMFD },	     { "[eventfd", LIVE_FD_EVENT },
		{ "[signalfd", LIVE_FD_SIGNAL },     { "[eventpoll", LIVE_FD_EVENTPOLL },
		{ "inotify", LIVE_FD_INOTIFY },	     { "[timerfd", LIVE_FD_TIMER },
		{ "bpf-", LIVE_FD_BPF },	     { "bpf_", LIVE_FD_BPF },
		{ "[userfaultfd", LIVE_FD_USERFAULT }, { "[io_uring", LIVE_FD_URING },
		{ "[pidfd", LIVE_FD_PIDFD },
	};
	bool is_anonymous = slice_starts(link, SLICE_LIT("anon_inode:"));

	if (is_anonymous)
		link = slice_sub(link, sizeof("anon_inode:") - 1, link.n);
	else if (slice_starts(link, SLICE_LIT("/memfd:")))
		link = slice_sub(link, 1, link.n);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (slice_starts(link, slice_of(kinds[i].text)))
			return kinds[i].kind;
	if (is_anonymous)
		return LIVE_FD_OTHER;
	return slice_starts(link, SLICE_LIT("/")) ? LIVE_FD_FILE : LIVE_FD_OTHER;
}

static enum live_fd_kind file_kind(const struct event_call *c)
{
	switch (c->file_mode & S_IFMT) {
	case S_IFDIR:
		return LIVE_FD_DIRECTORY;
	case S_IFIFO:
		return LIVE_FD_PIPE;
	case S_IFSOCK:
		return LIVE_FD_OTHER_SOCK;
	case S_IFREG:
		return slice_starts(c->path, SLICE_LIT("/memfd:")) || slice_starts(c->path, SLICE_LIT("memfd:")) ?
			       LIVE_FD_MEMFD :
			       LIVE_FD_FILE;
	case S_IFCHR:
	case S_IFBLK:
		return LIVE_FD_FILE;
	default: /* anonymous inodes had no type until 6.17 */
		return c->path.n ? live_link_kind(c->path) : LIVE_FD_OTHER;
	}
}

enum live_fd_kind live_fd_kind(const struct event *e)
{
	const struct event_call *c = &e->call;

	if (is_nothing(e))
		return LIVE_FD_NONE;
	switch (c->call) {
	case CALL_BPF:
		return LIVE_FD_BPF;
	case CALL_USERFAULTFD:
		return LIVE_FD_USERFAULT;
	case CALL_IO_URING_SETUP:
		return LIVE_FD_URING;
	case CALL_MEMFD_CREATE:
		return LIVE_FD_MEMFD;
	default:
		break;
	}
	if (c->sock_family)
		return socket_kind(c);
	if (c->family == FAMILY_SOCK)
		return LIVE_FD_OTHER;
	/* Whatever is opened by a path is a file to Falco's rules, a pipe or a device, too. */
	if (c->family == FAMILY_OPEN)
		return S_ISDIR(c->file_mode) || (!c->file_mode && live_open_flags(c) & O_DIRECTORY) ?
			       LIVE_FD_DIRECTORY :
			       LIVE_FD_FILE;
	return file_kind(c);
}

bool live_fd_number(const struct event *e, int64_t *ret)
{
	const struct event_call *c = &e->call;

	if (!is_about_fd(e))
		return false;
	if (is_nothing(e))
		*ret = -1;
	else if (c->fd >= 0 && (c->fd || c->family == FAMILY_OPEN || c->family == FAMILY_FD || c->family == FAMILY_SOCK))
		*ret = c->fd;
	else
		*ret = live_makes_fd(c->call) && c->call != CALL_SOCKETPAIR ? c->ret : c->fd;
	return true;
}

/* "base/raw", where nothing better is known. */
static struct slice joined_path(const struct live_query *q, const struct event_call *c)
{
	if (!c->base.n || !c->raw.n || c->raw.p[0] == '/')
		return c->raw;
	return slice_of(arena_printf(q->scratch, "%.*s%s%.*s", SLICE_FMT(c->base),
				     slice_ends(c->base, SLICE_LIT("/")) ? "" : "/", SLICE_FMT(c->raw)));
}

struct slice live_fd_name(const struct live_query *q)
{
	const struct event *e = q->live->event;
	const struct event_call *c = &e->call;

	if (!is_about_fd(e))
		return SLICE_NONE;
	if (c->sock_family && !live_socket_family(c))
		return c->path;
	if (c->sock_family) {
		enum live_role role = live_socket_role(c);

		if (role == LIVE_ROLE_NONE)
			return SLICE_NONE;
		return role == LIVE_ROLE_LISTENER ? live_end_text(q->scratch, c, &c->local) :
						    live_tuple_text(q->scratch, c);
	}
	if (c->call == CALL_MEMFD_CREATE)
		return c->raw;
	return c->path.n || c->family != FAMILY_OPEN ? c->path : joined_path(q, c);
}

/* ---- fields ---- */

static bool fd_num(const struct live_query *q, struct rules_value *ret)
{
	return live_fd_number(q->live->event, &ret->num);
}

static bool fd_name(const struct live_query *q, struct rules_value *ret)
{
	return live_str(ret, live_fd_name(q));
}

/* A failed call has no descriptor, but a kind all the same: open_file_failed asks for f. */
static enum live_fd_kind kind_wanted(const struct event *e)
{
	if (!is_about_fd(e) || !is_nothing(e))
		return live_fd_kind(e);
	switch (e->call.family) {
	case FAMILY_OPEN:
		return LIVE_FD_FILE;
	case FAMILY_SOCK:
		return e->call.sock_family ? socket_kind(&e->call) : LIVE_FD_IPV4;
	default:
		return LIVE_FD_OTHER;
	}
}

static bool fd_typechar(const struct live_query *q, struct rules_value *ret)
{
	enum live_fd_kind kind = kind_wanted(q->live->event);

	return kind != LIVE_FD_NONE && live_str(ret, slice_of(words[kind].letter));
}

static bool fd_type(const struct live_query *q, struct rules_value *ret)
{
	enum live_fd_kind kind = live_fd_kind(q->live->event);

	return kind != LIVE_FD_NONE && live_str(ret, slice_of(words[kind].word));
}

static ptrdiff_t last_slash(struct slice s)
{
	const char *at = s.n ? memrchr(s.p, '/', s.n) : NULL;

	return at ? at - s.p : -1;
}

/* Of a file: its directory; of a directory: itself. Of a call that made nothing: as of a file. */
static struct slice directory_of(const struct live_query *q)
{
	enum live_fd_kind kind = live_fd_kind(q->live->event);
	struct slice name = live_fd_name(q);
	ptrdiff_t at = last_slash(name);

	if (kind == LIVE_FD_DIRECTORY)
		return name;
	if (kind != LIVE_FD_FILE && !(kind == LIVE_FD_NONE && live_call(q) && live_call(q)->family == FAMILY_OPEN))
		return SLICE_NONE;
	if (at <= 0)
		return SLICE_LIT("/");
	return (size_t)at < name.n - 1 ? slice_sub(name, 0, (size_t)at) : name;
}

static bool fd_directory(const struct live_query *q, struct rules_value *ret)
{
	return live_str(ret, directory_of(q));
}

static bool fd_filename(const struct live_query *q, struct rules_value *ret)
{
	struct slice name = live_fd_name(q);
	ptrdiff_t at = last_slash(name);

	if (live_fd_kind(q->live->event) != LIVE_FD_FILE)
		return false;
	if (at < 0)
		return live_str(ret, SLICE_LIT("/"));
	return live_str(ret, (size_t)at < name.n - 1 ? slice_sub(name, (size_t)at + 1, name.n) : name);
}

/* As it was given, but for slashes in a row. */
static bool fd_nameraw(const struct live_query *q, struct rules_value *ret)
{
	const struct event_call *c = live_call(q);

	if (!c || c->family != FAMILY_OPEN)
		return c && !c->sock_family && live_str(ret, live_fd_name(q));
	char *text = c->raw.n ? arena_alloc(q->scratch, c->raw.n) : NULL;
	size_t n = 0;
	for (size_t i = 0; text && i < c->raw.n; i++)
		if (c->raw.p[i] != '/' || !n || text[n - 1] != '/')
			text[n++] = c->raw.p[i];
	return live_str(ret, slice_from(text, n));
}

/* The container's id before a text. */
static bool in_container(const struct live_query *q, struct slice s, struct rules_value *ret)
{
	struct rules_value id = { 0 };

	return s.n && live_container_getter(FIELD_CONTAINER_ID)(q, &id) &&
	       live_str(ret, slice_of(arena_printf(q->scratch, "%.*s:%.*s", SLICE_FMT(id.str), SLICE_FMT(s))));
}

static bool fd_containername(const struct live_query *q, struct rules_value *ret)
{
	return in_container(q, live_fd_name(q), ret);
}

static bool fd_containerdirectory(const struct live_query *q, struct rules_value *ret)
{
	return in_container(q, directory_of(q), ret);
}

static bool fd_uid(const struct live_query *q, struct rules_value *ret)
{
	int64_t fd;

	return live_fd_number(q->live->event, &fd) &&
	       live_str(ret, slice_of(arena_printf(q->scratch, "%u%d", live_process(q)->tid, (int)fd)));
}

/* NULL: no file of a file system. */
static const struct event_call *file_call(const struct live_query *q)
{
	const struct event_call *c = live_call(q);

	return c && c->file_inode && live_fd_kind(q->live->event) != LIVE_FD_NONE ? c : NULL;
}

static bool fd_dev(const struct live_query *q, struct rules_value *ret)
{
	const struct event_call *c = file_call(q);

	return c && live_num(ret, c->file_dev);
}

static bool fd_dev_major(const struct live_query *q, struct rules_value *ret)
{
	const struct event_call *c = file_call(q);

	return c && live_num(ret, c->file_dev >> 8 & 0xfff);
}

static bool fd_dev_minor(const struct live_query *q, struct rules_value *ret)
{
	const struct event_call *c = file_call(q);

	return c && live_num(ret, (c->file_dev & 0xff) | (c->file_dev >> 12 & 0xfff00));
}

static bool fd_ino(const struct live_query *q, struct rules_value *ret)
{
	const struct event_call *c = file_call(q);

	return c && live_num(ret, (int64_t)c->file_inode);
}

static bool fd_is_upper_layer(const struct live_query *q, struct rules_value *ret)
{
	return live_fd_kind(q->live->event) != LIVE_FD_NONE && live_num(ret, live_call(q)->file_upper_layer);
}

static bool fd_is_lower_layer(const struct live_query *q, struct rules_value *ret)
{
	return live_fd_kind(q->live->event) != LIVE_FD_NONE && live_num(ret, live_call(q)->file_lower_layer);
}

live_getter live_fd_getter(unsigned id)
{
	static const live_getter getters[FIELD_COUNT] = {
		[FIELD_FD_NUM] = fd_num,
		[FIELD_FD_NAME] = fd_name,
		[FIELD_FD_NAMERAW] = fd_nameraw,
		[FIELD_FD_TYPE] = fd_type,
		[FIELD_FD_TYPECHAR] = fd_typechar,
		[FIELD_FD_DIRECTORY] = fd_directory,
		[FIELD_FD_FILENAME] = fd_filename,
		[FIELD_FD_CONTAINERNAME] = fd_containername,
		[FIELD_FD_CONTAINERDIRECTORY] = fd_containerdirectory,
		[FIELD_FD_UID] = fd_uid,
		[FIELD_FD_DEV] = fd_dev,
		[FIELD_FD_DEV_MAJOR] = fd_dev_major,
		[FIELD_FD_DEV_MINOR] = fd_dev_minor,
		[FIELD_FD_INO] = fd_ino,
		[FIELD_FD_IS_UPPER_LAYER] = fd_is_upper_layer,
		[FIELD_FD_IS_LOWER_LAYER] = fd_is_lower_layer,
	};

	return getters[id];
}
