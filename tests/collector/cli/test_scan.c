/* test_scan.c - the whole collector as a process: an agent's inventory and uses over its real door, advisories by
 * its command line, the alert, the acceptance and the end by picketctl. */
#include "tests/collector/caller.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <zstd.h>

#include "agent/uplink/uplink.h"
#include "common/file.h"
#include "tests/collector/stock.h"

#define WEB "sha256:aaaaaaaaaaaa00000000000000000000000000000000000000000000000000aa"

static char dir[64];
static struct err why;

static int run(const char *line, struct buf *out)
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
static void until(const char *line, const char *says)
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

static int free_port(void)
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

static void start(void)
{
	CLEANUP(buf_finip) struct buf out = { 0 };
	char line[600], config[128];
	int enrol = free_port(), http = free_port();

	port = free_port();
	buf_init(&out, 0);
	snprintf(line, sizeof(line),
		 "$c init --dir $d/c --name localhost --listen tls+tcp://127.0.0.1:%d --enrol-listen tls+tcp://127.0.0.1:%d"
		 " --http 127.0.0.1:%d",
		 port, enrol, http);
	assert_int_equal(run(line, &out), 0);
	snprintf(config, sizeof(config), "%s/c/collector.yaml", dir);
	collector = fork();
	if (!collector) {
		execl(COLLECTOR, COLLECTOR, "run", "--config", config, NULL);
		_exit(127);
	}
	snprintf(line, sizeof(line), "https://localhost:%d", http);
	setenv("PICKET_SERVER", line, 1);
	snprintf(line, sizeof(line), "%s/c/ca.pem", dir);
	setenv("PICKET_CA", line, 1);
	snprintf(line, sizeof(line), "%s/c/admin.token", dir);
	setenv("PICKET_TOKEN_FILE", line, 1);
	until("$ctl status", "alerts_open");
}

struct agent {
	struct loop *loop;
	struct caller c;
	char id[64];
	struct buf ca, cert, key;
};

static void read_file(const char *name, struct buf *ret)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/agent/%s", dir, name);
	if (file_read(path, 65536, ret, &why) < 0)
		fail_msg("%s", why.msg);
}

static void join_fleet(struct agent *a)
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

static const Picket__Reply *ask(struct agent *a, Picket__Request *rq)
{
	CLEANUP(buf_finip) struct buf b = { 0 };

	rq->protocol = PROTO_VERSION;
	rq->agent_id = a->id;
	buf_init(&b, LIMIT_MESSAGE_BYTES);
	if (msg_pack_request(rq, &b, &why) < 0)
		fail_msg("%s", why.msg);
	return caller_ask(&a->c, buf_slice(&b));
}

static void send_inventory(struct agent *a)
{
	static const char *const packages[] = { "deb openssl 3.0.11-1", "deb bash 5.2-1", NULL };
	CLEANUP(arena_freep) struct arena *mem = arena_new(1 << 20);
	CLEANUP(buf_finip) struct buf plain = { 0 };
	Picket__Request rq = PICKET__REQUEST__INIT;
	Picket__InventoryPart part = PICKET__INVENTORY_PART__INIT;
	Picket__Inventory *m = stock_inventory(mem, WEB, "web:1");
	uint8_t sha[32];
	char frame[4096];

	stock_add(m, stock_layer(mem, packages));
	stock_pack(m, &plain, sha);
	part.image_id = STOCK_TEXT(WEB);
	part.inventory_sha256 = (ProtobufCBinaryData){ 32, sha };
	part.parts = 1;
	part.data = msg_bytes(slice_from(frame, ZSTD_compress(frame, sizeof(frame), plain.p, plain.n, 3)));
	rq.body_case = PICKET__REQUEST__BODY_INVENTORY_PART;
	rq.inventory_part = &part;
	const Picket__Reply *r = ask(a, &rq);
	if (r->body_case != PICKET__REPLY__BODY_INVENTORY || !r->inventory->is_done)
		fail_msg("%d %s", (int)r->body_case,
			 r->body_case == PICKET__REPLY__BODY_REFUSAL ? r->refusal->message : "");
}

static void tell_uses(struct agent *a, uint64_t state, const char *image)
{
	Picket__Request rq = PICKET__REQUEST__INIT;
	struct stock_use u;

	stock_use(&u, state, image, NULL);
	rq.body_case = PICKET__REQUEST__BODY_IMAGES_IN_USE;
	rq.images_in_use = &u.state;
	const Picket__Reply *r = ask(a, &rq);
	assert_int_equal(r->body_case, PICKET__REPLY__BODY_IMAGES_IN_USE);
	assert_int_equal(r->images_in_use->n_unknown_images, 0);
}

/* Debian's tracker with one CVE of openssl; "" = none. */
static void import(const char *cve)
{
	CLEANUP(buf_finip) struct buf text = { 0 }, out = { 0 };
	char path[128];

	buf_init(&out, 0);
	buf_printf(&text,
		   "{\"%s\":{\"%s\":{\"description\":\"d\",\"releases\":{\"bookworm\":{\"status\":\"open\",\"repositories\":"
		   "{\"bookworm\":\"1\"},\"urgency\":\"high\"}}}}}",
		   cve[0] ? "openssl" : "other", cve[0] ? cve : "CVE-2026-9999");
	snprintf(path, sizeof(path), "%s/debian.json", dir);
	assert_int_equal(file_write_atomic(path, buf_slice(&text), 0600, &why), 0);
	if (run("$c feed import debian $d/debian.json --config $d/c/collector.yaml", &out) != 0)
		fail_msg("%s", out.p);
}

static void an_advisory_becomes_an_alert_and_ends_with_it(void **state)
{
	struct agent a = { 0 };

	start();
	join_fleet(&a);
	send_inventory(&a);
	tell_uses(&a, 1, WEB);
	import("CVE-2026-0001");
	until("$ctl alert list source=scan", "CVE-2026-0001");
	until("$ctl alert show 1 -o table", "`nginx:1.25` on host-1 has CVE-2026-0001 (high) in openssl 3.0.11-1; no fix is known");
	until("$ctl image list running:yes -o csv", "web:1");
	until("$ctl status", "\"exploited_and_running\":0");
	until("$ctl vuln accept CVE-2026-0001 --reason 'only for a day' --until 1d -o table", "is accepted until");
	until("$ctl alert list -o csv", "\"resolved\"");
	until("$ctl alert show 1 -o table", "closed        accepted by admin");
	until("$ctl vuln unaccept 1", "ended");
	until("$ctl alert list -o csv", "\"new\"");
	/* the advisory is taken back */
	import("");
	until("$ctl alert show 1 -o table", "no package of the image is affected any more");
	import("CVE-2026-0001");
	until("$ctl alert list -o csv", "\"new\"");
	/* a replay says nothing new */
	send_inventory(&a);
	tell_uses(&a, 1, WEB);
	until("$ctl alert list -o csv | wc -l", "2");
	caller_hang_up(&a.c);
	loop_free(a.loop);
	buf_fini(&a.ca);
	buf_fini(&a.cert);
	buf_fini(&a.key);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(an_advisory_becomes_an_alert_and_ends_with_it) };

	folder_make(dir);
	setenv("c", COLLECTOR, 1);
	setenv("ctl", PICKETCTL, 1);
	setenv("d", dir, 1);
	setenv("HOME", dir, 1);
	int r = cmocka_run_group_tests(tests, NULL, NULL);
	if (collector > 0) {
		kill(collector, SIGTERM);
		waitpid(collector, NULL, 0);
	}
	folder_remove(dir);
	return r;
}
