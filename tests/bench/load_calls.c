/* load_calls.c - one kind of system call again and again, and what each costs.
 *
 * usage: load_calls sys|open|connect|build [-n COUNT] [-t SECONDS] [-j WORKERS]
 *
 *   sys      getppid: what an agent costs calls that it does not look at. ns: the best of batches of 200
 *   open     openat and close of 16 small files below /tmp
 *   connect  TCP connects to a listener on 127.0.0.1, reset by the client; one process more accepts
 *   build    compiles of a small C file by gcc: some 60 opens and three execs each
 *
 * Ends after COUNT (default by kind) or SECONDS (default 60). Prints one line:
 *
 *   KIND ops=N failed=F secs=S rate=R cpu_ns=C ns=L
 *
 * cpu_ns: user and system time of the workers and what they ran, per operation. ns: the time of one, median
 * of batches (sys: the best). */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WORKERS_MAX = 64, FILES = 16, BATCHES_MAX = 8192 };

struct load {
	const char *kind;
	long count;
	double seconds;
	unsigned workers;
	char dir[64];
	struct sockaddr_in addr;
};

struct tally {
	long ops, failed;
	double ns; /* see above */
};

struct batch {
	long size;
	double ns[BATCHES_MAX]; /* per operation */
	size_t count;
};

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int one_open(const struct load *l, long i)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/file%ld", l->dir, i % FILES);
	int fd = openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	return close(fd);
}

static int one_connect(const struct load *l)
{
	const struct linger reset = { 1, 0 };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	int r = connect(fd, (const struct sockaddr *)&l->addr, sizeof(l->addr));
	close(fd);
	return r;
}

static int one_build(const struct load *l, unsigned id)
{
	char source[96], object[96];
	int status = 1;

	snprintf(source, sizeof(source), "%s/w%u.c", l->dir, id);
	snprintf(object, sizeof(object), "%s/w%u.o", l->dir, id);
	FILE *f = fopen(source, "we");
	if (!f)
		return -1;
	fputs("#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n", f);
	for (int i = 0; i < 20; i++)
		fprintf(f, "int f%d(const char *s) { int n = %d; for (; *s; s++) n = n * 31 + *s; printf(\"%%d\\n\", n); return n; }\n",
			i, i);
	fclose(f);
	pid_t pid = vfork();
	if (pid == 0) {
		execlp("gcc", "gcc", "-O1", "-c", source, "-o", object, NULL);
		_exit(127);
	}
	int r = pid < 0 || waitpid(pid, &status, 0) != pid || status ? -1 : 0;
	unlink(source);
	unlink(object);
	return r;
}

static int one(const struct load *l, unsigned id, long i)
{
	switch (l->kind[0]) {
	case 's':
		syscall(SYS_getppid);
		return 0;
	case 'o':
		return one_open(l, i + id);
	case 'c':
		return one_connect(l);
	default:
		return one_build(l, id);
	}
}

static int ascending(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void work(const struct load *l, unsigned id, double end, struct tally *t)
{
	static struct batch b;
	long share = l->count / l->workers + (id < (unsigned)(l->count % l->workers));

	b.size = l->kind[0] == 's' ? 200 : l->kind[0] == 'b' ? 1 : 20;
	while (t->ops + t->failed < share) {
		double from = now();

		if (from >= end)
			break;
		for (long k = 0; k < b.size; k++) {
			if (one(l, id, t->ops) < 0)
				t->failed++;
			else
				t->ops++;
		}
		if (b.count < BATCHES_MAX)
			b.ns[b.count++] = (now() - from) * 1e9 / (double)b.size;
	}
	qsort(b.ns, b.count, sizeof(b.ns[0]), ascending);
	t->ns = b.count ? b.ns[l->kind[0] == 's' ? 0 : b.count / 2] : 0;
}

static int run(const struct load *l)
{
	struct tally *t = mmap(NULL, sizeof(*t) * l->workers, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct rusage r;
	double start = now(), ns = 0;
	long ops = 0, failed = 0;

	if (t == MAP_FAILED)
		return perror("mmap"), 1;
	for (unsigned i = 0; i < l->workers; i++) {
		pid_t pid = fork();

		if (pid < 0)
			return perror("fork"), 1;
		if (pid == 0) {
			work(l, i, start + l->seconds, &t[i]);
			_exit(0);
		}
	}
	while (wait(NULL) > 0 || errno == EINTR)
		;
	double secs = now() - start;
	for (unsigned i = 0; i < l->workers; i++) {
		ops += t[i].ops;
		failed += t[i].failed;
		ns = i && l->kind[0] == 's' ? (t[i].ns < ns ? t[i].ns : ns) : ns > t[i].ns ? ns : t[i].ns;
	}
	getrusage(RUSAGE_CHILDREN, &r);
	double cpu = (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1e9 +
		     (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) * 1e3;
	printf("%s ops=%ld failed=%ld secs=%.3f rate=%.0f cpu_ns=%.0f ns=%.1f\n", l->kind, ops, failed, secs,
	       (double)ops / secs, ops ? cpu / (double)ops : 0, ns);
	return ops ? 0 : 1;
}

/* Its own process outlives the workers, as run() waits for all children. */
static int run_connect(struct load *l)
{
	socklen_t n = sizeof(l->addr);
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), status = 1;

	l->addr = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	if (s < 0 || bind(s, (struct sockaddr *)&l->addr, n) < 0 || listen(s, 4096) < 0 ||
	    getsockname(s, (struct sockaddr *)&l->addr, &n) < 0)
		return perror("listen"), 1;
	pid_t acceptor = fork();
	if (acceptor == 0) {
		for (;;) {
			int fd = accept(s, NULL, NULL);

			if (fd >= 0)
				close(fd);
		}
	}
	close(s);
	pid_t runner = fork();
	if (runner == 0) {
		int r = run(l);

		fflush(stdout);
		_exit(r);
	}
	waitpid(runner, &status, 0);
	kill(acceptor, SIGKILL);
	waitpid(acceptor, NULL, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static void make_files(const struct load *l, int make)
{
	for (int i = 0; i < FILES; i++) {
		char path[96];

		snprintf(path, sizeof(path), "%s/file%d", l->dir, i);
		if (make)
			close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
		else
			unlink(path);
	}
}

int main(int argc, char **argv)
{
	static const struct { const char *kind; long count; } kinds[] = { { "sys", 4000000 }, { "open", 200000 },
									  { "connect", 30000 }, { "build", 40 } };
	struct load l = { .seconds = 60, .workers = 2, .dir = "/tmp/load.XXXXXX" };
	int c;

	for (size_t i = 0; argc > 1 && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(argv[1], kinds[i].kind))
			l.kind = kinds[i].kind, l.count = kinds[i].count;
	optind = 2;
	while (l.kind && (c = getopt(argc, argv, "n:t:j:")) != -1) {
		if (c == 'n')
			l.count = atol(optarg);
		else if (c == 't')
			l.seconds = atof(optarg);
		else
			l.workers = c == 'j' ? (unsigned)atoi(optarg) : 0;
	}
	if (!l.kind || l.workers < 1 || l.workers > WORKERS_MAX || l.count < 1 || l.seconds <= 0) {
		fprintf(stderr, "usage: load_calls sys|open|connect|build [-n COUNT] [-t SECONDS] [-j WORKERS]\n");
		return 2;
	}
	if (!mkdtemp(l.dir))
		return perror(l.dir), 1;
	make_files(&l, 1);
	int r = l.kind[0] == 'c' ? run_connect(&l) : run(&l);
	make_files(&l, 0);
	rmdir(l.dir);
	return r;
}
