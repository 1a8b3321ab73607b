/* evade.c - ways to open a file or a connection that a watcher of system calls' arguments would miss. */
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "act.h"
#include "compat.h"

static int opened(int fd, const char *what)
{
	if (fd < 0)
		return cannot(what);
	close(fd);
	return 0;
}

static const char *base_of(const char *path)
{
	return strrchr(path, '/') + 1;
}

static int by_symlink(char **a)
{
	char link[64];

	snprintf(link, sizeof(link), "/tmp/link.%d", getpid());
	if (symlink(a[0], link) < 0)
		return cannot(link);
	int r = opened(open(link, O_RDONLY), link);
	unlink(link);
	return r;
}

static int by_text(char **a)
{
	return opened(open(a[0], O_RDONLY), a[0]);
}

/* a[0]: the folder, a[1]: the name in it. */
static int by_folder(char **a)
{
	int dir = open(a[0], O_PATH | O_DIRECTORY);

	return opened(openat(dir, a[1], O_RDONLY), a[1]);
}

static int by_cwd(char **a)
{
	return chdir(a[0]) < 0 ? cannot(a[0]) : opened(open(a[1], O_RDONLY), a[1]);
}

static int by_openat2(char **a)
{
	struct open_how how = { .flags = O_RDONLY };

	return opened((int)syscall(SYS_openat2, AT_FDCWD, a[0], &how, sizeof(how)), "openat2");
}

static int by_name(char **a)
{
	prctl(PR_SET_NAME, a[0]);
	return opened(open(a[1], O_RDONLY), a[1]);
}

static void *in_thread(void *arg)
{
	char **a = arg;

	pthread_setname_np(pthread_self(), a[0]);
	int fd = open(a[1], O_RDONLY);
	if (fd >= 0)
		close(fd);
	return NULL;
}

static int by_thread(char **a)
{
	pthread_t t;

	return pthread_create(&t, NULL, in_thread, a) || pthread_join(t, NULL);
}

/* Writes another program's words over its own, in the memory that /proc/PID/cmdline shows. */
static int by_argv(char **a)
{
	char path[256];

	snprintf(path, sizeof(path), "%s", a[0]);
	for (char *p = a[0]; *p; p++)
		*p = 'x';
	return opened(open(path, O_RDONLY), path);
}

#ifdef __x86_64__
static long compat(long nr, uintptr_t b, uintptr_t c, uintptr_t d)
{
	long r;

	__asm__ volatile("int $0x80" : "=a"(r) : "a"(nr), "b"(b), "c"(c), "d"(d) : "memory", "r8", "r9", "r10", "r11");
	if ((int)r < 0)
		errno = -(int)r;
	return (int)r < 0 ? -1 : (int)r;
}

static void *low(const void *bytes, size_t n)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	return p == MAP_FAILED ? NULL : memcpy(p, bytes, n);
}

static int no_32_bits(void)
{
	errno = ENOSYS;
	return cannot("32 bits");
}

static int by_32_bits(char **a)
{
	if (!has_32_bit_calls())
		return no_32_bits();
	return opened((int)compat(5, (uintptr_t)low(a[0], strlen(a[0]) + 1), O_RDONLY, 0), "open of 32 bits");
}

static int connect_by_32_bits(char **a)
{
	struct sockaddr_in to = address_of(a);

	if (!has_32_bit_calls())
		return no_32_bits();
	uint32_t words[3] = { (uint32_t)compat(359, AF_INET, SOCK_STREAM, 0), 0, sizeof(to) };

	words[1] = (uint32_t)(uintptr_t)low(&to, sizeof(to));
	/* socketcall(SYS_CONNECT, words) */
	return compat(102, 3, (uintptr_t)low(words, sizeof(words)), 0) < 0 ? cannot("connect of 32 bits") : 0;
}
#else
static int by_32_bits(char **a)
{
	(void)a;
	errno = ENOSYS;
	return cannot("32 bits");
}
#define connect_by_32_bits by_32_bits
#endif

/* ---- io_uring, without its library ---- */

static int submit(struct io_uring_sqe *sqe)
{
	struct io_uring_params p = { 0 };
	int ring = (int)syscall(SYS_io_uring_setup, 4, &p);

	if (ring < 0)
		return cannot("io_uring_setup") * -1;
	size_t sq_bytes = p.sq_off.array + p.sq_entries * sizeof(uint32_t);
	size_t cq_bytes = p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe);
	char *sq = mmap(NULL, sq_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
	char *cq = mmap(NULL, cq_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_CQ_RING);
	struct io_uring_sqe *sqes = mmap(NULL, p.sq_entries * sizeof(*sqes), PROT_READ | PROT_WRITE, MAP_SHARED, ring,
					 IORING_OFF_SQES);

	if (sq == MAP_FAILED || cq == MAP_FAILED || sqes == MAP_FAILED)
		return cannot("map the ring") * -1;
	sqes[0] = *sqe;
	*(uint32_t *)(sq + p.sq_off.array) = 0;
	__atomic_store_n((uint32_t *)(sq + p.sq_off.tail), 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
		return cannot("io_uring_enter") * -1;
	return ((struct io_uring_cqe *)(cq + p.cq_off.cqes))->res;
}

static int by_uring(char **a)
{
	struct io_uring_sqe sqe = { .opcode = IORING_OP_OPENAT, .fd = AT_FDCWD, .addr = (uintptr_t)a[0] };

	return opened(submit(&sqe), "open by io_uring");
}

static int connect_by_uring(char **a)
{
	struct sockaddr_in to = address_of(a);
	struct io_uring_sqe sqe = { .opcode = IORING_OP_CONNECT, .fd = socket(AF_INET, SOCK_STREAM, 0),
				    .addr = (uintptr_t)&to, .off = sizeof(to) };
	int r = submit(&sqe);

	errno = r < 0 ? -r : 0;
	return r < 0 ? cannot("connect by io_uring") : 0;
}

/* ---- the same file under another name ---- */

static int by_hard_link(char **a)
{
	char name[64];

	snprintf(name, sizeof(name), "/etc/.link.%d", getpid());
	if (link(a[0], name) < 0)
		return cannot(name);
	int r = opened(open(name, O_RDONLY), name);
	unlink(name);
	return r;
}

static int by_mount(char **a)
{
	char name[64];

	snprintf(name, sizeof(name), "/tmp/bound.%d", getpid());
	close(open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	if (mount(a[0], name, NULL, MS_BIND, NULL) < 0)
		return cannot("mount");
	int r = opened(open(name, O_RDONLY), name);
	umount(name);
	unlink(name);
	return r;
}

static int by_handle(char **a)
{
	union {
		struct file_handle h;
		char bytes[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} u = { .h.handle_bytes = MAX_HANDLE_SZ };
	int mount_id, dir = open("/etc", O_RDONLY | O_DIRECTORY);

	if (name_to_handle_at(AT_FDCWD, a[0], &u.h, &mount_id, 0) < 0)
		return cannot("name_to_handle_at");
	return opened(open_by_handle_at(dir, &u.h, O_RDONLY), "open_by_handle_at");
}

static int by_chroot(char **a)
{
	char name[64];

	snprintf(name, sizeof(name), "/%s", base_of(a[0]));
	if (chroot("/etc") < 0)
		return cannot("chroot");
	return opened(open(name, O_RDONLY), name);
}

const struct act evasions[] = {
	{ "by-symlink", 1, by_symlink }, { "by-text", 1, by_text }, { "by-folder", 2, by_folder },
	{ "by-cwd", 2, by_cwd }, { "by-openat2", 1, by_openat2 }, { "by-name", 2, by_name },
	{ "by-thread", 2, by_thread }, { "by-argv", 1, by_argv }, { "by-32-bits", 1, by_32_bits },
	{ "connect-by-32-bits", 2, connect_by_32_bits }, { "by-uring", 1, by_uring },
	{ "connect-by-uring", 2, connect_by_uring }, { "by-hard-link", 1, by_hard_link }, { "by-mount", 1, by_mount },
	{ "by-handle", 1, by_handle }, { "by-chroot", 1, by_chroot }, { NULL, 0, NULL },
};
