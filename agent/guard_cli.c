/* guard_cli.c - see guard_cli.h. Each judgement is also told to the agent, a JSON line in a datagram: it is sent or
 * lost, never waited for. */
#include "agent/guard_cli.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "agent/guard/authz/authz.h"
#include "common/file.h"
#include "common/json.h"
#include "common/log.h"

enum { LINE_MAX_BYTES = 8192, LISTEN_FDS_START = 3 };

static const char usage_text[] =
	"usage: picket-agent guard [--policy FILE] [--docker-socket PATH] [--socket PATH] [--fail-open]\n"
	"                          [--scan-state FILE] [--tell PATH]\n"
	"\n"
	"  Docker's authorization plugin: refuses what the policy forbids. `dockerd --authorization-plugin picket`.\n"
	"\n"
	"  --policy FILE         default /etc/picket/policy.yaml; read again on change and on SIGHUP\n"
	"  --docker-socket PATH  where the engine is asked about images and containers, default /var/run/docker.sock\n"
	"  --socket PATH         where dockerd asks, default /run/docker/plugins/picket.sock; systemd's socket comes first\n"
	"  --fail-open           allow everything while there is no policy that could be loaded, instead of refusing\n"
	"  --scan-state FILE     what the agent knows of images, default /run/picket/scan-state.json\n"
	"  --tell PATH           the agent's datagram socket for verdicts, default /run/picket/guard.sock\n";

struct guarding {
	struct loop *loop;
	struct authz *authz;
	int tell_fd;
	struct sockaddr_un tell_to;
	uint64_t untold;
};

static void put_told(struct json *j, const struct authz_told *t)
{
	json_object_open(j);
	json_kv_time(j, "time", t->unix_ns);
	json_kv_str(j, "kind", authz_kind_name(t->kind));
	json_kv_bool(j, "allowed", t->is_allowed);
	json_kv_bool(j, "monitored", t->is_monitored);
	json_kv_str(j, "rule", t->rule);
	json_kv_str(j, "message", t->message);
	json_kv_str(j, "user", t->user);
	json_kv_str(j, "method", t->method);
	json_kv_str(j, "path", t->path);
	json_kv_str(j, "container", t->container);
	json_kv_str(j, "image", t->image);
	json_kv_u64(j, "took_ns", t->took_ns);
	json_object_close(j);
}

static void on_told(void *arg, const struct authz_told *t)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct guarding *g = arg;
	struct json j;

	if (g->tell_fd < 0)
		return;
	buf_init(&b, LINE_MAX_BYTES);
	json_init(&j, &b);
	put_told(&j, t);
	buf_add_char(&b, '\n');
	if (!b.failed && sendto(g->tell_fd, b.p, b.n, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)&g->tell_to,
				sizeof(g->tell_to)) == (ssize_t)b.n)
		return;
	/* No agent that listens is no error of ours; one that doesn't keep up is said. */
	if (errno != ENOENT && errno != ECONNREFUSED)
		LOG(WARN, "guard.tell", KV_STR("why", b.failed ? "too long" : strerror(errno)), KV_U64("untold", ++g->untold));
}

static int open_tell(const char *path, struct guarding *g, struct err *err)
{
	g->tell_fd = -1;
	if (!*path)
		return 0;
	g->tell_to.sun_family = AF_UNIX;
	if (!slice_copy(slice_of(path), g->tell_to.sun_path, sizeof(g->tell_to.sun_path)))
		return err_set(err, ERR_USAGE, "'%s' is too long for a socket's path", path);
	g->tell_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return g->tell_fd < 0 ? err_set(err, errno, "socket") : 0;
}

/* systemd's socket, if it gave one to this process. */
static int inherited_fd(void)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
	uint64_t of = 0, n = 0;
	struct stat st;
	int fd = -1;

	if (pid && count && slice_to_u64(slice_of(pid), &of) && slice_to_u64(slice_of(count), &n) &&
	    of == (uint64_t)getpid() && n == 1 && fstat(LISTEN_FDS_START, &st) == 0 && S_ISSOCK(st.st_mode))
		fd = LISTEN_FDS_START;
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	return fd;
}

static void on_stop(void *arg)
{
	LOG(INFO, "guard.stopping", KV_STR("why", "signal"));
	loop_stop(((struct guarding *)arg)->loop);
}

static void on_hangup(void *arg)
{
	struct err err;

	if (authz_reload(((struct guarding *)arg)->authz, &err) < 0) /* told there */
		return;
}

static int run(const struct authz_config *cfg, const char *tell, struct err *err)
{
	CLEANUP(loop_freep) struct loop *loop = NULL;
	CLEANUP(authz_freep) struct authz *authz = NULL;
	struct guarding g = { 0 };
	char folder[sizeof(g.tell_to.sun_path)];
	char *slash;
	int r = loop_new(&loop, err);

	if (r < 0 || (r = open_tell(tell, &g, err)) < 0)
		return r;
	g.loop = loop;
	/* dockerd makes the folder of plugins only once it has one. */
	if (cfg->inherited_fd < 0 && slice_copy(slice_of(cfg->socket_path), folder, sizeof(folder)) &&
	    (slash = strrchr(folder, '/')) && slash != folder) {
		*slash = 0;
		r = file_make_dirs(folder, 0755, err);
	}
	if (r >= 0)
		r = authz_new(loop, clock_real(), cfg, on_told, &g, &authz, err);
	g.authz = authz;
	if (r < 0 || (r = loop_signal(loop, SIGTERM, on_stop, &g, err)) < 0 ||
	    (r = loop_signal(loop, SIGINT, on_stop, &g, err)) < 0 || (r = loop_signal(loop, SIGHUP, on_hangup, &g, err)) < 0)
		return r;
	LOG(INFO, "guard.running", KV_STR("socket", cfg->inherited_fd >= 0 ? "inherited" : cfg->socket_path),
	    KV_STR("policy", cfg->policy_path), KV_BOOL("fail_open", cfg->is_fail_open));
	loop_run(loop);
	if (g.tell_fd >= 0)
		close(g.tell_fd);
	return 0;
}

int guard_cli(int argc, char **argv)
{
	static const struct option options[] = {
		{ "policy", required_argument, NULL, 'p' },	{ "docker-socket", required_argument, NULL, 'd' },
		{ "socket", required_argument, NULL, 's' },	{ "fail-open", no_argument, NULL, 'o' },
		{ "scan-state", required_argument, NULL, 'c' }, { "tell", required_argument, NULL, 't' },
		{ "help", no_argument, NULL, 'h' },		{ 0 },
	};
	struct authz_config cfg = {
		.socket_path = "/run/docker/plugins/picket.sock",
		.policy_path = "/etc/picket/policy.yaml",
		.docker_socket = "/var/run/docker.sock",
		.scan_path = "/run/picket/scan-state.json",
	};
	const char *tell = "/run/picket/guard.sock";
	struct err err = { 0 };

	optind = 0;
	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		switch (c) {
		case 'p':
			cfg.policy_path = optarg;
			break;
		case 'd':
			cfg.docker_socket = optarg;
			break;
		case 's':
			cfg.socket_path = optarg;
			break;
		case 'o':
			cfg.is_fail_open = true;
			break;
		case 'c':
			cfg.scan_path = optarg;
			break;
		case 't':
			tell = optarg;
			break;
		case 'h':
			fputs(usage_text, stdout);
			return 0;
		default:
			fputs(usage_text, stderr);
			return err_exit_code(ERR_USAGE);
		}
	}
	if (optind < argc) {
		fputs(usage_text, stderr);
		return err_exit_code(ERR_USAGE);
	}
	cfg.inherited_fd = inherited_fd();
	signal(SIGPIPE, SIG_IGN);
	int r = run(&cfg, tell, &err);
	if (r < 0) {
		fprintf(stderr, "picket-agent: guard: %s\n", err.msg);
		return err_exit_code(r);
	}
	return 0;
}
