/* users.c - names of uids and gids, out of files that a container's owner wrote.
 *
 * One table per mount namespace. Whose files are read, and why they can't hang or mislead us:
 * - a process of the host's mount or user namespace: those of pid 1's root (of our own, where pid 1
 *   does not let itself be looked at). The uid in an event is
 *   of the initial user namespace; in another one the container's own list would not fit it, and
 *   whoever can make a user namespace could put a FUSE file system below it that never answers.
 * - any other: through /proc/PID/root, resolved beneath it (a symbolic link can't lead to the
 *   host's file), on one mount (nothing was mounted over /etc), of a file system that answers by
 *   itself, a regular file, opened without blocking, at most 1 MiB. */
#include "agent/world/world_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "common/file.h"

struct name_list {
	struct name {
		uint32_t id, at; /* NUL-terminated in text */
	} * names;
	char *text;
	size_t count, text_bytes, names_size, text_size;
	struct timespec mtime;
	uint64_t inode, size;
	bool is_read;
};

enum { PASSWD, GROUP, LIST_COUNT };

static const char *const files[LIST_COUNT] = {"etc/passwd", "etc/group"};

struct table {
	uint32_t ns_mnt;
	uint64_t checked_ns; /* boot; when the files were looked at; 0 = never */
	struct name_list lists[LIST_COUNT];
	TAILQ_ENTRY(table) of_lru;
};
TAILQ_HEAD(table_list, table);

struct users {
	const struct clock *clk;
	char *proc_root;
	const char *host_pid; /* "1" or "self" */
	uint32_t host_mnt, host_user;
	struct buf passwd;     /* users_account's last */
	struct table_list lru; /* oldest use first */
	size_t count, bytes;
};

static uint32_t ns_inode(const struct users *u, const char *name)
{
	char path[4200];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s/ns/%s", u->proc_root, u->host_pid, name);
	return stat(path, &st) ? 0 : (uint32_t)st.st_ino;
}

struct users *users_new(const struct clock *clk, const char *proc_root)
{
	struct users *u = calloc(1, sizeof(*u));

	if (!u)
		return NULL;
	TAILQ_INIT(&u->lru);
	u->clk = clk;
	u->proc_root = strdup(proc_root);
	if (!u->proc_root) {
		users_free(u);
		return NULL;
	}
	u->host_pid = "1";
	if (!ns_inode(u, "mnt"))
		u->host_pid = "self";
	u->host_mnt = ns_inode(u, "mnt");
	u->host_user = ns_inode(u, "user");
	return u;
}

static size_t list_bytes(const struct name_list *l)
{
	return l->names_size * sizeof(*l->names) + l->text_size;
}

static void list_fini(struct name_list *l)
{
	free(l->names);
	free(l->text);
	*l = (struct name_list){0};
}

static void table_drop(struct users *u, struct table *t)
{
	TAILQ_REMOVE(&u->lru, t, of_lru);
	u->count--;
	for (unsigned i = 0; i < LIST_COUNT; i++) {
		u->bytes -= list_bytes(&t->lists[i]);
		list_fini(&t->lists[i]);
	}
	free(t);
}

void users_parse(struct slice text, void (*fn)(void *arg, uint32_t id, struct slice name),
		 void *arg)
{
	struct slice line;
	unsigned count = 0;

	while (count < WORLD_USER_TABLE_NAMES && slice_split(&text, '\n', &line)) {
		struct slice name, password, number;
		uint64_t id;

		if (!slice_split(&line, ':', &name) || !slice_split(&line, ':', &password) ||
		    !slice_split(&line, ':', &number))
			continue;
		if (!name.n || name.n > WORLD_USER_NAME_BYTES || memchr(name.p, 0, name.n) ||
		    !slice_to_u64(number, &id) || id >= UINT32_MAX)
			continue;
		fn(arg, (uint32_t)id, name);
		count++;
	}
}

static struct slice list_find(const struct name_list *l, uint32_t id)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->names[i].id == id)
			return slice_of(l->text + l->names[i].at);
	return SLICE_NONE;
}

static void list_add(void *arg, uint32_t id, struct slice name)
{
	struct name_list *l = arg;

	if (l->count == l->names_size) {
		size_t size = l->names_size ? l->names_size * 2 : 32;
		struct name *grown = reallocarray(l->names, size, sizeof(*grown));
		if (!grown)
			return;
		l->names = grown;
		l->names_size = size;
	}
	if (l->text_bytes + name.n + 1 > l->text_size) {
		size_t size = (l->text_size ? l->text_size * 2 : 512) + name.n + 1;
		char *grown = realloc(l->text, size);
		if (!grown)
			return;
		l->text = grown;
		l->text_size = size;
	}
	l->names[l->count++] = (struct name){id, (uint32_t)l->text_bytes};
	(void)slice_copy(name, l->text + l->text_bytes, name.n + 1);
	l->text_bytes += name.n + 1;
}

/* Is the root of this process on a file system that the kernel serves by itself? mountinfo says so
 * without touching the file system: "36 35 98:0 / / rw - overlay ...". */
static bool root_answers(const char *proc_root, uint32_t pid, bool *ret_is_gone)
{
	static const char *const waits_for_others[] = {"fuse", "nfs",	 "cifs",  "smb3",
						       "9p",   "ceph",	 "afs",	  "ncpfs",
						       "coda", "lustre", "autofs"};
	CLEANUP(buf_finip) struct buf text = {0};
	char path[4200];
	struct slice rest, line;
	bool answers = false;

	snprintf(path, sizeof(path), "%s/%u/mountinfo", proc_root, pid);
	int r = file_read(path, WORLD_USER_FILE_BYTES, &text, NULL);
	*ret_is_gone = r < 0 && r != -ERR_LIMIT;
	if (r < 0)
		return false;
	rest = buf_slice(&text);
	while (slice_split(&rest, '\n', &line)) {
		struct slice field, point = SLICE_NONE, type = SLICE_NONE;

		for (unsigned i = 0; i < 5 && slice_split(&line, ' ', &field); i++)
			point = field;
		if (!slice_is(point, "/"))
			continue;
		while (slice_split(&line, ' ', &field) && !slice_is(field, "-"))
			;
		(void)slice_split(&line, ' ', &type);
		answers = type.n > 0; /* the last one listed lies on top */
		for (size_t i = 0; i < ARRAY_LEN(waits_for_others); i++)
			answers &= !slice_starts(type, slice_of(waits_for_others[i]));
	}
	return answers;
}

/* Opens a file beneath root as far as it is safe to; -1 if not. */
static int open_beneath(int root, const char *name, bool is_host)
{
	struct open_how how = {
		.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
		.resolve =
			RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | (is_host ? 0 : RESOLVE_NO_XDEV),
	};

	return (int)syscall(SYS_openat2, root, name, &how, sizeof(how));
}

static void read_all(int fd, struct buf *text)
{
	buf_init(text, WORLD_USER_FILE_BYTES);
	for (;;) {
		char *at = buf_reserve(text, 4096);
		ssize_t n = at ? read(fd, at, 4096) : 0;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		buf_written(text, (size_t)n);
	}
}

static void list_read(struct users *u, int root, const char *name, bool is_host,
		      struct name_list *l)
{
	CLEANUP(fd_closep) int fd = open_beneath(root, name, is_host);
	CLEANUP(buf_finip) struct buf text = {0};
	struct stat st;

	if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode) ||
	    st.st_size > WORLD_USER_FILE_BYTES) {
		u->bytes -= list_bytes(l);
		list_fini(l);
		return;
	}
	if (l->is_read && l->inode == st.st_ino && l->size == (uint64_t)st.st_size &&
	    l->mtime.tv_sec == st.st_mtim.tv_sec && l->mtime.tv_nsec == st.st_mtim.tv_nsec)
		return;
	u->bytes -= list_bytes(l);
	list_fini(l);
	read_all(fd, &text);
	users_parse(buf_slice(&text), list_add, l);
	l->inode = st.st_ino;
	l->size = (uint64_t)st.st_size;
	l->mtime = st.st_mtim;
	l->is_read = true;
	u->bytes += list_bytes(l);
}

/* The root whose files are this process's; -1: none, with whether it is worth asking again. */
static int open_root(const struct users *u, uint32_t ns_mnt, uint32_t pid, bool is_host, bool *ret_is_gone)
{
	char path[4200];

	*ret_is_gone = true;
	if (is_host)
		snprintf(path, sizeof(path), "%s/%s/root", u->proc_root, u->host_pid);
	else
		snprintf(path, sizeof(path), "%s/%u/root", u->proc_root, pid);
	if (!is_host && !root_answers(u->proc_root, pid, ret_is_gone))
		return -1;
	*ret_is_gone = true;
	CLEANUP(fd_closep) int root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return -1; /* it has exited: what an earlier one of its namespace showed is still right */
	/* The pid may be another process's by now. */
	struct stat st;
	snprintf(path, sizeof(path), "%s/%u/ns/mnt", u->proc_root, pid);
	if (!is_host && (stat(path, &st) || (uint32_t)st.st_ino != ns_mnt))
		return -1;
	return take_fd(&root);
}

static void table_read(struct users *u, struct table *t, uint32_t pid, bool is_host)
{
	bool is_gone;
	CLEANUP(fd_closep) int root = open_root(u, t->ns_mnt, pid, is_host, &is_gone);

	if (root >= 0)
		for (unsigned i = 0; i < LIST_COUNT; i++)
			list_read(u, root, files[i], is_host, &t->lists[i]);
	/* Not to be asked again with every event: its mounts may be many. */
	if (root >= 0 || !is_gone)
		t->checked_ns = clock_boot_ns(u->clk);
}

static struct table *table_get(struct users *u, uint32_t ns_mnt)
{
	struct table *t;

	TAILQ_FOREACH_REVERSE(t, &u->lru, table_list, of_lru)
	if (t->ns_mnt == ns_mnt) {
		TAILQ_REMOVE(&u->lru, t, of_lru);
		TAILQ_INSERT_TAIL(&u->lru, t, of_lru);
		return t;
	}
	if (u->count >= WORLD_USER_TABLES)
		table_drop(u, TAILQ_FIRST(&u->lru));
	t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	t->ns_mnt = ns_mnt;
	TAILQ_INSERT_TAIL(&u->lru, t, of_lru);
	u->count++;
	return t;
}

static bool is_named_by_host(const struct users *u, const struct event_process *p)
{
	return !p->ns_mnt || p->ns_mnt == u->host_mnt || (p->ns_user && p->ns_user != u->host_user);
}

static struct slice find(struct users *u, const struct event_process *p, unsigned which,
			 uint32_t id)
{
	bool is_host = is_named_by_host(u, p);
	struct table *t = table_get(u, is_host ? u->host_mnt : p->ns_mnt);
	uint64_t now = clock_boot_ns(u->clk);

	if (!t)
		return SLICE_NONE;
	if (!t->checked_ns || now - t->checked_ns > (uint64_t)WORLD_USER_TTL_MS * 1000000)
		table_read(u, t, p->pid, is_host);
	struct slice name = list_find(&t->lists[which], id);
	while (u->bytes > WORLD_USER_CACHE_BYTES && TAILQ_FIRST(&u->lru) != t)
		table_drop(u, TAILQ_FIRST(&u->lru));
	if (!name.n && !id)
		return SLICE_LIT("root"); /* of the kernel's making, whatever the image says */
	return name;
}

struct slice users_name(struct users *u, const struct event_process *p, uint32_t uid)
{
	return find(u, p, PASSWD, uid);
}

struct slice users_group(struct users *u, const struct event_process *p, uint32_t gid)
{
	return find(u, p, GROUP, gid);
}

bool users_account(struct users *u, const struct event_process *p, uint32_t uid, struct slice *ret_home,
		   struct slice *ret_shell)
{
	bool is_host = is_named_by_host(u, p), is_gone;
	CLEANUP(fd_closep) int root = open_root(u, p->ns_mnt, p->pid, is_host, &is_gone);
	CLEANUP(fd_closep) int fd = root < 0 ? -1 : open_beneath(root, files[PASSWD], is_host);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size > WORLD_USER_FILE_BYTES)
		return false;
	buf_fini(&u->passwd);
	read_all(fd, &u->passwd);
	struct slice rest = buf_slice(&u->passwd), line, field[7];
	while (slice_split(&rest, '\n', &line)) {
		uint64_t id;
		size_t n = 0;

		while (n < ARRAY_LEN(field) && slice_split(&line, ':', &field[n]))
			n++;
		if (n < 6 || !slice_to_u64(field[2], &id) || id != uid)
			continue;
		*ret_home = field[5];
		*ret_shell = n > 6 ? field[6] : SLICE_NONE;
		return true;
	}
	return false;
}

uint32_t users_host_mnt(const struct users *u)
{
	return u->host_mnt;
}

void users_free(struct users *u)
{
	if (!u)
		return;
	while (!TAILQ_EMPTY(&u->lru))
		table_drop(u, TAILQ_FIRST(&u->lru));
	buf_fini(&u->passwd);
	free(u->proc_root);
	free(u);
}
