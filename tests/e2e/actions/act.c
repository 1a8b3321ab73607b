/* act.c - what intruders do, one act a run, under any name: `act ACT ARGUMENTS`. Static, for any container.
 *
 * A copy under another name with words that are no act (nmap -sn ...) does nothing and succeeds: being
 * started is the act. Exit 0: done or at least tried; 1: it could not be played here, and says why. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "act.h"

int cannot(const char *what)
{
	fprintf(stderr, "act: %s: %s\n", what, strerror(errno));
	return 1;
}

static int act_open(char **a)
{
	static const struct { const char *word; int flags; } modes[] = {
		{ "r", O_RDONLY }, { "w", O_WRONLY }, { "rw", O_RDWR | O_CREAT }, { "c", O_WRONLY | O_CREAT },
		{ "t", O_WRONLY | O_CREAT | O_TRUNC },
	};

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (strcmp(modes[i].word, a[1]))
			continue;
		int fd = open(a[0], modes[i].flags, a[2] ? (mode_t)strtoul(a[2], NULL, 8) : 0644);
		if (fd < 0)
			return cannot(a[0]);
		close(fd);
	}
	return 0;
}

static int act_sleep_open(char **a)
{
	usleep((useconds_t)(atof(a[0]) * 1e6));
	return act_open(a + 1);
}

static int act_run(char **a)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		execvp(a[0], a);
		_exit(0); /* the attempt is enough */
	}
	waitpid(child, &status, 0);
	return 0;
}

struct sockaddr_in address_of(char **a)
{
	struct sockaddr_in s = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(a[1])) };

	inet_pton(AF_INET, a[0], &s.sin_addr);
	return s;
}

static int connect_to(char **a, int type)
{
	struct sockaddr_in to = address_of(a);
	int s = socket(AF_INET, type | SOCK_NONBLOCK, 0);

	if (connect(s, (struct sockaddr *)&to, sizeof(to)) < 0 && errno != EINPROGRESS) {
		close(s);
		return cannot("connect") * -1;
	}
	struct pollfd p = { .fd = s, .events = POLLOUT };
	poll(&p, 1, 300);
	return s;
}

static int act_connect(char **a)
{
	int s = connect_to(a, a[2] && !strcmp(a[2], "udp") ? SOCK_DGRAM : SOCK_STREAM);

	if (s >= 0 && a[2] && send(s, "x", 1, MSG_NOSIGNAL) < 0)
		return cannot("send");
	return s < 0;
}

static int act_shell_socket(char **a)
{
	int s = connect_to(a, SOCK_STREAM);

	for (int i = 0; i < 3 && s >= 0; i++)
		dup2(s, i);
	return s < 0;
}

/* Takes connections on each port of the address for a while. */
static int act_listen(char **a)
{
	struct pollfd p[16];
	nfds_t n = 0;
	int on = 1;

	for (int i = 1; a[i] && n < 16; i++) {
		char *one[] = { a[0], a[i], NULL };
		struct sockaddr_in at = address_of(one);

		p[n] = (struct pollfd){ .fd = socket(AF_INET, SOCK_STREAM, 0), .events = POLLIN };
		setsockopt(p[n].fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
		if (bind(p[n].fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(p[n].fd, 16) < 0)
			return cannot("listen");
		n++;
	}
	printf("listening\n");
	fflush(stdout);
	for (alarm(600);;) {
		poll(p, n, -1);
		for (nfds_t i = 0; i < n; i++)
			if (p[i].revents)
				close(accept(p[i].fd, NULL, NULL));
	}
}

static int act_serve_self(char **a)
{
	struct sockaddr_in at = address_of(a);
	int on = 1, l = socket(AF_INET, SOCK_STREAM, 0);

	setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(l, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(l, 1) < 0)
		return cannot("listen");
	if (fork() == 0) {
		connect_to(a, SOCK_STREAM);
		_exit(0);
	}
	int s = accept(l, NULL, NULL);
	wait(NULL);
	return s < 0;
}

static int act_datagram_self(char **a)
{
	static const unsigned char class_file[] = { 0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 52 };
	struct sockaddr_in at = address_of(a);
	char got[64];
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	if (bind(s, (struct sockaddr *)&at, sizeof(at)) < 0)
		return cannot("bind");
	sendto(s, class_file, sizeof(class_file), 0, (struct sockaddr *)&at, sizeof(at));
	return recvfrom(s, got, sizeof(got), 0, NULL, NULL) < 0;
}

static int act_unix(char **a)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(to.sun_path, sizeof(to.sun_path), "%s", a[0]);
	if (a[1]) { /* serve it */
		if (bind(s, (struct sockaddr *)&to, sizeof(to)) < 0 || listen(s, 8) < 0)
			return cannot(a[0]);
		return (int)sleep(300);
	}
	return connect(s, (struct sockaddr *)&to, sizeof(to)) < 0 ? cannot(a[0]) : 0;
}

static int act_bpf(char **a)
{
	char attributes[128] = { 0 };

	(void)a;
	syscall(SYS_bpf, 5, attributes, sizeof(attributes)); /* the attempt is enough */
	return 0;
}

static int act_chroot(char **a)
{
	(void)!chroot(a[0]);
	return 0;
}

static int act_write_memory(char **a)
{
	char byte = 0;
	struct iovec from = { &byte, 1 }, to = { &byte, 1 };

	(void)a;
	return syscall(SYS_process_vm_writev, getpid(), &from, 1, &to, 1, 0) < 0 ? cannot("process_vm_writev") : 0;
}

static int act_wait(char **a)
{
	return (int)sleep((unsigned)atoi(a[0]));
}

static int act_packet(char **a)
{
	(void)a;
	return socket(AF_PACKET, SOCK_RAW, htons(3)) < 0 ? cannot("packet socket") : 0;
}

static int act_module(char **a)
{
	(void)a;
	syscall(SYS_init_module, "x", 1, ""); /* the attempt is enough */
	return 0;
}

static int act_attach(char **a)
{
	pid_t child = fork();

	(void)a;
	if (child == 0) {
		pause();
		_exit(0);
	}
	long r = ptrace(PTRACE_ATTACH, child, 0, 0);
	waitpid(child, NULL, 0);
	ptrace(PTRACE_DETACH, child, 0, 0);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	return r < 0 ? cannot("ptrace") : 0;
}

static int act_traceme(char **a)
{
	(void)a;
	return ptrace(PTRACE_TRACEME, 0, 0, 0) < 0 ? cannot("ptrace") : 0;
}

/* Copies a program into memory and runs it from there: by execveat with an empty path, or by /proc/self/fd. */
static int act_memfd(char **a)
{
	static char bytes[65536];
	char path[64];
	char *const arguments[] = { "harmless", a[1], NULL };
	char *const environment[] = { NULL };
	int from = open(a[0], O_RDONLY), to = (int)syscall(SYS_memfd_create, "x", 0);

	for (ssize_t n; (n = read(from, bytes, sizeof(bytes))) > 0;)
		if (write(to, bytes, (size_t)n) != n)
			return cannot("memfd");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", to);
	if (a[1] && !strcmp(a[1], "at"))
		syscall(SYS_execveat, to, "", arguments, environment, AT_EMPTY_PATH);
	else
		execve(path, arguments, environment);
	return cannot("execute");
}

static int act_unshare(char **a)
{
	(void)a;
	(void)unshare(CLONE_NEWUTS);
	return 0;
}

static int act_setns(char **a)
{
	(void)a;
	(void)setns(0, 0);
	return 0;
}

static int act_setuid(char **a)
{
	if (setuid((uid_t)atoi(a[0])) < 0)
		return cannot("setuid");
	(void)!setuid(0);
	return 0;
}

static int act_userfaultfd(char **a)
{
	(void)a;
	(void)syscall(SYS_userfaultfd, 1);
	return 0;
}

static const struct act acts[] = {
	{ "open", 2, act_open },	  { "sleep-open", 3, act_sleep_open }, { "run", 1, act_run },
	{ "connect", 2, act_connect },	  { "shell-socket", 2, act_shell_socket }, { "listen", 2, act_listen },
	{ "serve-self", 2, act_serve_self }, { "datagram-self", 2, act_datagram_self }, { "packet", 0, act_packet },
	{ "module", 0, act_module },	  { "attach", 0, act_attach },	       { "traceme", 0, act_traceme },
	{ "memfd", 1, act_memfd },	  { "unshare", 0, act_unshare },       { "setns", 0, act_setns },
	{ "setuid", 1, act_setuid },	  { "userfaultfd", 0, act_userfaultfd },
	{ "unix", 1, act_unix },	  { "bpf", 0, act_bpf },	       { "chroot", 1, act_chroot },
	{ "write-memory", 0, act_write_memory }, { "wait", 1, act_wait },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof(acts) / sizeof(acts[0]); i++)
		if (!strcmp(argv[1], acts[i].name) && argc >= 2 + acts[i].arguments)
			return acts[i].run(argv + 2);
	for (const struct act *e = evasions; argc > 1 && e->name; e++)
		if (!strcmp(argv[1], e->name) && argc >= 2 + e->arguments)
			return e->run(argv + 2);
	return 0;
}
