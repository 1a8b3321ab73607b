/* live_priv.h - what live_*.c share: getters of fields from one live event. */
#pragma once
#include "agent/rules/live_names.h"
#include "agent/rules/rules_fields.h"
#include "agent/world/world.h"

struct live_query {
	const struct rules_live *live;
	const struct rules_field *field;
	int index;
	struct slice arg;
	struct arena *scratch;
};
/* false: no value. */
typedef bool (*live_getter)(const struct live_query *q, struct rules_value *ret);

/* By field id; NULL: nobody's. */
live_getter live_event_getter(unsigned id);
live_getter live_fd_getter(unsigned id);
live_getter live_file_getter(unsigned id);
live_getter live_process_getter(unsigned id);
live_getter live_thread_getter(unsigned id);
live_getter live_status_getter(unsigned id);
live_getter live_container_getter(unsigned id);

static inline const struct event_process *live_process(const struct live_query *q)
{
	return &q->live->event->p;
}

/* NULL: the event is no system call. */
static inline const struct event_call *live_call(const struct live_query *q)
{
	return q->live->event->type == EV_CALL ? &q->live->event->call : NULL;
}

static inline bool live_num(struct rules_value *ret, int64_t v)
{
	ret->num = v;
	return true;
}

/* Borrowed text; empty is no value. */
static inline bool live_str(struct rules_value *ret, struct slice s)
{
	ret->str = s;
	return s.n > 0;
}

/* Copied: what world gives is gone at its next call. */
bool live_copy(const struct live_query *q, struct slice s, struct rules_value *ret);
/* NUL-ended pieces with blanks between, in the scratch; empty when there are none. */
struct slice live_joined(struct arena *scratch, struct slice pieces);

/* ---- live_process.c ---- */
/* The process of the event in the tree; NULL: not known, or another of its pid. */
const struct proc *live_self(const struct live_query *q);
/* argv[0], arguments, path of the program, working directory: of the event, or else of the tree. */
struct slice live_argv0(const struct live_query *q);
struct slice live_arguments(const struct live_query *q);
struct slice live_exe(const struct live_query *q);
struct slice live_cwd(const struct live_query *q);
/* "EXE_WRITABLE|EXE_UPPER_LAYER" and so on, as the flags of an execve event. */
struct slice live_exec_flags(struct arena *scratch, const struct event_process *p);

/* ---- live_fd.c ---- */
/* Kinds of descriptors, with the letter Falco shows each by. */
enum live_fd_kind { LIVE_FD_NONE, LIVE_FD_FILE, LIVE_FD_DIRECTORY, LIVE_FD_IPV4, LIVE_FD_IPV6, LIVE_FD_UNIX,
	LIVE_FD_NETLINK, LIVE_FD_OTHER_SOCK, LIVE_FD_PIPE, LIVE_FD_EVENT, LIVE_FD_SIGNAL, LIVE_FD_EVENTPOLL,
	LIVE_FD_INOTIFY, LIVE_FD_TIMER, LIVE_FD_BPF, LIVE_FD_USERFAULT, LIVE_FD_URING, LIVE_FD_MEMFD,
	LIVE_FD_PIDFD, LIVE_FD_OTHER, LIVE_FD_KIND_COUNT };
struct live_fd_word {
	const char *letter, *word;
};
const struct live_fd_word *live_fd_word(enum live_fd_kind kind);
/* The calls that make a descriptor. */
bool live_makes_fd(enum call c);
/* LIVE_FD_NONE: the event is about no descriptor, or none came of it. */
enum live_fd_kind live_fd_kind(const struct event *e);
/* The descriptor; -1: none came of it. false: it is about none. */
bool live_fd_number(const struct event *e, int64_t *ret);
/* Path, or both ends as "a:p->b:p", or one as "a:p"; empty: none. */
struct slice live_fd_name(const struct live_query *q);
/* "pipe:[1]" or "/etc/passwd", as links in /proc/PID/fd read. */
enum live_fd_kind live_link_kind(struct slice link);

/* ---- live_socket.c ---- */
/* Who this process is in the connection. */
enum live_role { LIVE_ROLE_NONE, LIVE_ROLE_CLIENT, LIVE_ROLE_SERVER, LIVE_ROLE_LISTENER };
enum live_side { LIVE_LOCAL, LIVE_REMOTE, LIVE_CLIENT, LIVE_SERVER };
/* LIVE_ROLE_NONE also where it is no socket of the internet. */
enum live_role live_socket_role(const struct event_call *c);
/* AF_INET6 with an address that stands for one of IPv4 is AF_INET. 0: none of the internet. */
int live_socket_family(const struct event_call *c);
/* NULL: the socket has no such end. */
const struct event_end *live_socket_end(const struct event_call *c, enum live_side side);
/* 4 or 16 bytes of it. */
struct slice live_address_bytes(const struct event_call *c, const struct event_end *end);
struct slice live_address_text(struct arena *scratch, const struct event_call *c, const struct event_end *end);
/* "a:p->b:p", the client first. Empty: it has not both ends. */
struct slice live_tuple_text(struct arena *scratch, const struct event_call *c);
struct slice live_end_text(struct arena *scratch, const struct event_call *c, const struct event_end *end);
live_getter live_socket_getter(unsigned id);

/* ---- live_args.c ---- */
/* One argument of the event, under the name Falco's event has. */
struct live_arg {
	const char *name;
	struct slice text;     /* as it is */
	struct slice resolved; /* what it stands for: names of flags, the name of a descriptor; may be empty */
	int64_t num;
};
/* false: no such argument, or it is not known. */
bool live_arg_named(const struct live_query *q, struct slice name, struct live_arg *ret);
bool live_arg_at(const struct live_query *q, size_t index, struct live_arg *ret);
size_t live_arg_count(const struct live_query *q);
/* Flags and mode of an open as they were asked for. has_mode false: not known. */
uint32_t live_open_flags(const struct event_call *c);
bool live_open_mode(const struct event_call *c, uint32_t *ret);
