/* running.h - the whole collector as a process, picketctl beside it, and an agent of one fleet at its real door. One of
 * each: $c, $ctl and $d in a line are the programs and their folder. */
#pragma once
#include "tests/collector/caller.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "agent/uplink/uplink.h"
#include "common/file.h"

static char dir[64];
static struct err why;

static inline int run(const char *line, struct buf *out)
{
	char text[1000];
	size_t n;

	snprintf(text, sizeof(text), "exec 2>&1; %s", line);
	FILE *p = popen(text, "r");
	assert_non_null(p);
	buf_reset(out);
	buf_add_str(out, "");
	while ((n = fread(text, 1, sizeof(text), p)) > 0)
		buf_add(out, text, n);
	int status = pclose(p);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

/* Runs it until it says so. */
static inline void until(const char *line, const char *says)
{
	CLEANUP(buf_finip) struct buf out = { 0 };
	uint64_t end = now_ms() + PATIENCE_MS;

	buf_init(&out, 0);
	do {
		run(line, &out);
		if (strstr(out.p ? out.p : "", says))
			return;
		usleep(100 * 1000);
	} while (now_ms() < end);
	fail_msg("%s: never '%s' but: %s", line, says, out.p);
}

static inline int free_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&a, size), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &size), 0);
	close(fd);
	return ntohs(a.sin_port);
}

static pid_t collector;
static int port;

static inline void run_collector(void)
{
	char config[128];

	snprintf(config, sizeof(config), "%s/c/collector.yaml", dir);
	collector = fork();
	if (!collector) {
		execl(COLLECTOR, COLLECTOR, "run", "--config", config, NULL);
		_exit(127);
	}
}

/* configure (nullable): a line that changes $d/c/collector.yaml first. */
static inline void start_with(const char *configure)
{
	CLEANUP(buf_finip) struct buf out = { 0 };
	char line[600];
	int enrol = free_port(), http = free_port();

	port = free_port();
	buf_init(&out, 0);
	snprintf(line, sizeof(line),
		 "$c init --dir $d/c --name localhost --listen tls+tcp://127.0.0.1:%d --enrol-listen tls+tcp://127.0.0.1:%d"
		 " --http 127.0.0.1:%d",
		 port, enrol, http);
	assert_int_equal(run(line, &out), 0);
	if (configure && run(configure, &out) != 0)
		fail_msg("%s: %s", configure, out.p);
	run_collector();
	snprintf(line, sizeof(line), "https://localhost:%d", http);
	setenv("PICKET_SERVER", line, 1);
	snprintf(line, sizeof(line), "%s/c/ca.pem", dir);
	setenv("PICKET_CA", line, 1);
	snprintf(line, sizeof(line), "%s/c/admin.token", dir);
	setenv("PICKET_TOKEN_FILE", line, 1);
	until("$ctl status", "alerts_open");
}

static inline void start(void)
{
	start_with(NULL);
}

struct agent {
	struct loop *loop;
	struct caller c;
	char id[64];
	struct buf ca, cert, key;
};

static inline void read_file(const char *name, struct buf *ret)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/agent/%s", dir, name);
	if (file_read(path, 65536, ret, &why) < 0)
		fail_msg("%s", why.msg);
}

static inline void join_fleet(struct agent *a)
{
	CLEANUP(buf_finip) struct buf token = { 0 };
	struct enrol_result res;
	char state[128];

	buf_init(&token, 0);
	assert_int_equal(run("$c token create --config $d/c/collector.yaml", &token), 0);
	token.p[strcspn(token.p, "\n")] = '\0';
	snprintf(state, sizeof(state), "%s/agent", dir);
	assert_int_equal(file_make_dirs(state, 0700, &why), 0);
	if (uplink_enrol(token.p, NULL, state, "host-1", "m1", false, PATIENCE_MS, &res, &why) < 0)
		fail_msg("%s", why.msg);
	snprintf(a->id, sizeof(a->id), "%s", res.agent_id);
	read_file("ca.pem", &a->ca);
	read_file("agent.pem", &a->cert);
	read_file("agent.key", &a->key);
	assert_int_equal(loop_new(&a->loop, &why), 0);
	const struct wire_tls tls = { .ca_pem = buf_slice(&a->ca), .cert_pem = buf_slice(&a->cert),
				      .key_pem = buf_slice(&a->key), .server_name = "localhost" };
	caller_dial(&a->c, a->loop, port, &tls);
	UNTIL(a->loop, a->c.ups);
}

static inline void leave_fleet(struct agent *a)
{
	caller_hang_up(&a->c);
	loop_free(a->loop);
	buf_fini(&a->ca);
	buf_fini(&a->cert);
	buf_fini(&a->key);
}

static inline const Picket__Reply *ask(struct agent *a, Picket__Request *rq)
{
	CLEANUP(buf_finip) struct buf b = { 0 };

	rq->protocol = PROTO_VERSION;
	rq->agent_id = a->id;
	buf_init(&b, LIMIT_MESSAGE_BYTES);
	if (msg_pack_request(rq, &b, &why) < 0)
		fail_msg("%s", why.msg);
	return caller_ask(&a->c, buf_slice(&b));
}

/* The group's setup and teardown. */
static inline int running_prepare(void **state)
{
	folder_make(dir);
	setenv("c", COLLECTOR, 1);
	setenv("ctl", PICKETCTL, 1);
	setenv("d", dir, 1);
	setenv("HOME", dir, 1);
	return 0;
}

static inline int running_end(void **state)
{
	if (collector > 0) {
		kill(collector, SIGTERM);
		waitpid(collector, NULL, 0);
	}
	folder_remove(dir);
	return 0;
}
