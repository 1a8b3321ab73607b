/* test_facts_host.c - the engine's process and the host. The engine is this program, started again under another name
 * and with a name of its own for its command line: it is found by its socket alone. Needs root. */
#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <time.h>

#include "facts_test.h"
#include "child.h"

struct engine {
	char dir[32], sock[64], second[64], config[64];
	pid_t pid;
};

/* ---- the engine ---- */

static int listen_unix(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	return bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 8) < 0 ? -1 : fd;
}

static int be_engine(const char *sock)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int tcp = socket(AF_INET, SOCK_STREAM, 0);
	char second[128];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getenv("FACTS_APART") && unshare(CLONE_NEWNET) < 0)
		return 1;
	if (getenv("FACTS_APART")) { /* the socket above is of the old namespace */
		close(tcp);
		tcp = socket(AF_INET, SOCK_STREAM, 0);
		a.sin_addr.s_addr = htonl(INADDR_ANY);
		a.sin_port = htons(2375);
	}
	snprintf(second, sizeof(second), "%s2", sock);
	if (bind(tcp, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(tcp, 1) < 0 || listen_unix(second) < 0 ||
	    listen_unix(sock) < 0)
		return 1;
	chmod(second, 0666);
	chmod(sock, 0660);
	if (chown(sock, 0, 1) < 0)
		return 1;
	for (;;)
		pause();
}

static void write_config(const struct engine *e, const char *text)
{
	int fd = open(e->config, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
	const struct timespec old[2] = { { .tv_sec = 1000000000 }, { .tv_sec = 1000000000 } };
	assert_int_equal(utimensat(AT_FDCWD, e->config, old, 0), 0);
}

/* false: it can't be started so. */
static bool engine_start(struct engine *e, bool is_apart)
{
	struct stat st;

	*e = (struct engine){ .dir = "/tmp/engineXXXXXX" };
	assert_non_null(mkdtemp(e->dir));
	chmod(e->dir, 0755);
	snprintf(e->sock, sizeof(e->sock), "%s/e", e->dir);
	snprintf(e->second, sizeof(e->second), "%s/e2", e->dir);
	snprintf(e->config, sizeof(e->config), "%s/d.json", e->dir);
	write_config(
		e, "{\"icc\":false,\"log-level\":\"debug\",\"default-ulimits\":{\"nofile\":{\"Hard\":5,\"Soft\":4}}}");
	e->pid = fork();
	if (!e->pid) {
		setenv("FACTS_ENGINE", e->sock, 1);
		setenv("HTTPS_PROXY", "http://user:hunter2@proxy:3128", 1);
		setenv("DOCKER_CONTENT_TRUST", "1", 1);
		setenv("SECRET_OF_IT", "x", 1);
		if (is_apart)
			setenv("FACTS_APART", "1", 1);
		execl("/proc/self/exe", "not-a-dockerd", "--config-file", e->config, "--log-level=warn", "--tlsverify",
		      "-H", "fd://", NULL);
		_exit(1);
	}
	for (unsigned i = 0; i < 500; i++) {
		if (stat(e->sock, &st) == 0 && st.st_gid == 1)
			return true;
		if (waitpid(e->pid, NULL, WNOHANG) == e->pid) {
			e->pid = 0;
			return false;
		}
		usleep(10000);
	}
	return false;
}

static void engine_end(struct engine *e)
{
	if (e->pid > 0) {
		kill(e->pid, SIGKILL);
		waitpid(e->pid, NULL, 0);
	}
	unlink(e->sock);
	unlink(e->second);
	unlink(e->config);
	assert_int_equal(rmdir(e->dir), 0);
}

static void read_host(const struct engine *e, struct arena *a, struct facts_daemon *d, struct facts_host *h)
{
	struct err err = { 0 };

	facts_daemon_init(d);
	if (facts_read_host("/proc", e->sock, a, d, h, &err) < 0)
		fail_msg("%s", err.msg);
}

static const struct facts_listen *listen_at(const struct facts_daemon *d, const char *start)
{
	for (size_t i = 0; i < d->listen_count; i++)
		if (!strncmp(d->listens[i].address, start, strlen(start)))
			return &d->listens[i];
	fail_msg("does not listen on %s", start);
	return NULL;
}

static const struct facts_file *file_at(const struct facts_host *h, const char *what)
{
	for (size_t i = 0; i < h->file_count; i++)
		if (!strcmp(h->files[i].what, what))
			return &h->files[i];
	fail_msg("no row for %s", what);
	return NULL;
}

/* ---- tests ---- */

static void the_engine_is_who_listens(void **state)
{
	struct engine e;
	struct facts_daemon d;
	struct facts_host h;
	char unix_address[96];

	assert_true(engine_start(&e, false));
	read_host(&e, *state, &d, &h);
	assert_int_equal(d.pid, e.pid);
	assert_int_equal(d.uid, 0);
	assert_string_equal(d.argv.v[0], "not-a-dockerd");
	assert_int_equal(d.argv.count, 7);
	assert_true(has_text(&d.environment_names, "DOCKER_CONTENT_TRUST=1"));
	assert_true(has_text(&d.environment_names, "HTTPS_PROXY=http://proxy:3128"));
	for (size_t i = 0; i < d.environment_names.count; i++)
		assert_null(strstr(d.environment_names.v[i], "SECRET"));
	assert_true(d.started_unix_s + 120 > h.now_unix_s && d.started_unix_s <= h.now_unix_s + 2);
	snprintf(unix_address, sizeof(unix_address), "unix:%s2", e.sock);
	assert_int_equal(listen_at(&d, unix_address)->mode, 0666);
	assert_int_equal(listen_at(&d, unix_address)->gid, 0);
	const struct facts_listen *tcp = listen_at(&d, "tcp:127.0.0.1:");
	assert_true(tcp->is_tcp && tcp->is_loopback && tcp->has_tls == FACTS_YES);
	assert_int_equal(d.listen_count, 3);
	engine_end(&e);
	read_host(&e, *state, &d, &h);
	assert_int_equal(d.pid, 0);
	assert_int_equal(d.listen_count, 0);
}

static bool keep(void *arg)
{
	(void)arg;
	return true;
}

/* A service manager opens the socket and hands it on. */
static void who_was_handed_the_socket_is_the_engine(void **state)
{
	const char *sock = "/tmp/facts_host_handed";
	int fd = listen_unix(sock);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(facts_find_engine("/proc", sock), getpid());
	struct child c = child_start(keep, NULL);
	assert_true(c.pid > 0);
	close(fd);
	assert_int_equal(facts_find_engine("/proc", sock), c.pid);
	child_end(&c);
	unlink(sock);
}

static pid_t start_as(const char *path)
{
	pid_t pid = fork();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl(path, "any-name", "60", NULL);
		_exit(1);
	}
	return pid;
}

static size_t proxies_when_known(const char *sock, struct arena *a, size_t want)
{
	struct facts_daemon d;
	struct facts_host h;
	struct err err = { 0 };

	for (unsigned i = 0; i < 500; i++, usleep(10000)) { /* it has to get to its exec */
		facts_daemon_init(&d);
		assert_int_equal(facts_read_host("/proc", sock, a, &d, &h, &err), 0);
		assert_int_equal(d.pid, getpid());
		if (d.proxies == want)
			break;
	}
	return d.proxies;
}

static void its_children_that_forward_ports_are_counted(void **state)
{
	const char *sock = "/tmp/facts_host_forwards", *folder = "/tmp/facts_host_proxy";
	char proxy[64];
	int fd = listen_unix(sock);

	snprintf(proxy, sizeof(proxy), "%s/docker-proxy", folder);
	assert_true(fd >= 0 && mkdir(folder, 0700) == 0);
	assert_int_equal(proxies_when_known(sock, *state, 0), 0);
	assert_int_equal(system("cp /bin/sleep /tmp/facts_host_proxy/docker-proxy"), 0);
	pid_t one = start_as(proxy), two = start_as(proxy), other = start_as("/bin/sleep");
	assert_int_equal(proxies_when_known(sock, *state, 2), 2);
	const pid_t all[] = { one, two, other };
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		kill(all[i], SIGKILL);
		waitpid(all[i], NULL, 0);
	}
	assert_int_equal(proxies_when_known(sock, *state, 0), 0);
	close(fd);
	unlink(sock);
	unlink(proxy);
	rmdir(folder);
}

static void an_engine_in_another_network_namespace_is_found(void **state)
{
	struct engine e;
	struct facts_daemon d;
	struct facts_host h;

	if (!engine_start(&e, true)) {
		engine_end(&e);
		print_message("[  SKIPPED ] no network namespaces here\n");
		skip();
	}
	read_host(&e, *state, &d, &h);
	assert_int_equal(d.pid, e.pid);
	const struct facts_listen *tcp = listen_at(&d, "tcp:0.0.0.0:2375");
	assert_false(tcp->is_loopback);
	assert_int_equal(d.listen_count, 3);
	engine_end(&e);
}

static void its_configuration_is_what_it_was_started_with(void **state)
{
	struct engine e;
	struct facts_daemon d;
	struct facts_host h;

	assert_true(engine_start(&e, false));
	read_host(&e, *state, &d, &h);
	assert_string_equal(d.config_path, e.config);
	assert_true(d.has_config && !d.is_config_bad && !d.is_config_newer);
	assert_int_equal(d.icc, FACTS_NO);
	assert_string_equal(d.log_level, "warn"); /* the command line wins */
	assert_int_equal(d.tls_verify, FACTS_YES);
	assert_int_equal(d.ulimits[0].hard, 5);
	write_config(&e, "{\"icc\":tru");
	read_host(&e, *state, &d, &h);
	assert_true(d.has_config && d.is_config_bad);
	assert_string_not_equal(d.config_error, "");
	for (int late_s = 1; late_s <= 2; late_s++) { /* just before its start, as far as can be told; and not so */
		const struct timespec t = { .tv_sec = (time_t)d.started_unix_s + late_s };
		assert_int_equal(utimensat(AT_FDCWD, e.config, (const struct timespec[]){ t, t }, 0), 0);
		read_host(&e, *state, &d, &h);
		assert_int_equal(d.is_config_newer, late_s == 2);
	}
	unlink(e.config);
	read_host(&e, *state, &d, &h);
	assert_false(d.has_config || d.is_config_newer);
	engine_end(&e);
}

static void files_are_judged_with_the_folders_above(void **state)
{
	struct engine e;
	struct facts_daemon d;
	struct facts_host h;
	char real[64];

	assert_true(engine_start(&e, false));
	read_host(&e, *state, &d, &h);
	const struct facts_file *f = file_at(&h, "docker socket");
	assert_true(f->exists && f->is_socket && f->mode == 0660 && f->gid == 1);
	assert_string_equal(f->loose_parent, ""); /* /tmp has the sticky bit */
	f = file_at(&h, "daemon.json");
	assert_string_equal(f->path, e.config);
	assert_true(f->exists && !f->is_link && f->mode == 0644 && !f->is_directory);
	assert_false(file_at(&h, "/etc/sysconfig/docker")->is_directory);
	chmod(e.dir, 0777);
	read_host(&e, *state, &d, &h);
	assert_string_equal(file_at(&h, "daemon.json")->loose_parent, e.dir);
	chmod(e.dir, 0775); /* of the group 0: nobody but root */
	read_host(&e, *state, &d, &h);
	assert_string_equal(file_at(&h, "daemon.json")->loose_parent, "");
	assert_int_equal(chown(e.dir, 1234, 0), 0);
	read_host(&e, *state, &d, &h);
	assert_string_equal(file_at(&h, "daemon.json")->loose_parent, e.dir);
	/* A link from a safe place to a loose one. */
	snprintf(real, sizeof(real), "%s.real", e.dir);
	assert_int_equal(rename(e.config, real), 0);
	assert_int_equal(symlink(real, e.config), 0);
	assert_int_equal(chown(e.dir, 0, 0), 0);
	assert_int_equal(chown(real, 1234, 0), 0);
	read_host(&e, *state, &d, &h);
	f = file_at(&h, "daemon.json");
	assert_true(f->is_link && f->exists && f->uid == 1234);
	unlink(real);
	engine_end(&e);
}

static void who_is_in_the_sockets_group_is_told(void **state)
{
	struct engine e;
	struct facts_daemon d;
	struct facts_host h;
	bool found = false;

	assert_true(engine_start(&e, false));
	read_host(&e, *state, &d, &h);
	/* Group 1 is daemon's own on every Debian: a member by its primary group alone. */
	for (size_t i = 0; i < h.docker_user_count; i++) {
		found |= h.docker_users[i].uid == 1;
		assert_string_not_equal(h.docker_users[i].name, "root");
	}
	engine_end(&e);
	if (!found && access("/etc/debian_version", F_OK) < 0)
		skip();
	assert_true(found);
}

static void the_host_is_read(void **state)
{
	const struct engine none = { .sock = "/nowhere/docker.sock" };
	struct facts_daemon d;
	struct facts_host h;
	struct utsname u;
	struct stat st;

	read_host(&none, *state, &d, &h);
	assert_int_equal(uname(&u), 0);
	assert_string_equal(h.kernel, u.release);
	assert_true(h.pid_max > 0 && h.now_unix_s > 1700000000);
	/* Some hosts' process 1 may do more than we, and does not let us look. */
	assert_int_equal(stat("/proc/1/ns/pid", &st) < 0 ? stat("/proc/self/ns/pid", &st) : 0, 0);
	assert_int_equal(h.ns[NS_PID], st.st_ino);
	assert_true(h.default_caps == 0xa80425fb && h.default_filter.allowed > 250);
	assert_false(file_at(&h, "docker socket")->exists);
	assert_int_equal(d.pid, 0);
	struct arena *small = arena_new(2048);
	facts_daemon_init(&d);
	assert_int_equal(facts_read_host("/proc", "", small, &d, &h, NULL), -ERR_LIMIT);
	arena_free(small);
}

int main(void)
{
	if (getenv("FACTS_ENGINE"))
		return be_engine(getenv("FACTS_ENGINE"));
	if (geteuid()) {
		printf("skipped: needs root\n");
		return 77;
	}
	const struct CMUnitTest tests[] = {
		with_arena(the_engine_is_who_listens),
		with_arena(who_was_handed_the_socket_is_the_engine),
		with_arena(its_children_that_forward_ports_are_counted),
		with_arena(an_engine_in_another_network_namespace_is_found),
		with_arena(its_configuration_is_what_it_was_started_with),
		with_arena(files_are_judged_with_the_folders_above),
		with_arena(who_is_in_the_sockets_group_is_told),
		with_arena(the_host_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
