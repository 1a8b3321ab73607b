/* test_api.c - the real HTTPS API over loopback. */
#include "tests/collector/api/asked.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>

static int start(void **state)
{
	(void)state;
	served_start(&srv);
	return 0;
}

static const cJSON *get(const cJSON *o, const char *key)
{
	return cJSON_GetObjectItemCaseSensitive(o, key);
}

static void roles_and_tokens_decide_who_may_what(void **state)
{
	static const struct {
		const char *method, *path, *token, *body;
		long status;
	} cases[] = {
		{ "GET", "/healthz", NULL, NULL, 200 },
		{ "GET", "/", NULL, NULL, 200 },
		{ "GET", "/alerts/1", NULL, NULL, 200 },
		{ "GET", "/api/v1/alerts", NULL, NULL, 401 },
		{ "GET", "/metrics", NULL, NULL, 401 },
		{ "GET", "/api/v1/alerts", "wrong", NULL, 401 },
		{ "GET", "/api/v1/alerts", "viewer-token", NULL, 200 },
		{ "GET", "/metrics", "viewer-token", NULL, 200 },
		{ "GET", "/api/v1/correlations", "viewer-token", NULL, 404 }, /* this API has no collector behind it */
		{ "GET", "/api/v1/correlations?limit=5", "viewer-token", NULL, 400 },
		{ "POST", "/api/v1/correlations/explain", "viewer-token", "{\"rule\":\"x\",\"time\":1}", 400 },
		{ "POST", "/api/v1/backtests", "viewer-token", "{}", 403 },
		{ "POST", "/api/v1/backtests", "analyst-token", "[]", 400 },
		{ "GET", "/api/v1/backtests/x", "analyst-token", NULL, 404 },
		{ "POST", "/api/v1/alerts/1/ack", "viewer-token", "{}", 403 },
		{ "POST", "/api/v1/alerts/1/ack", "admin-token", "{}", 200 },
		{ "POST", "/api/v1/alerts/1/comment", "admin-token", "{\"comment\":\"ours\"}", 200 },
		{ "POST", "/api/v1/alerts/1/comment", "admin-token", "{}", 400 },
		{ "POST", "/api/v1/alerts/1/assign", "admin-token", "{\"assignee\":\"a\\u001bb\"}", 400 },
		{ "POST", "/api/v1/alerts/1/ack", "admin-token", "{nonsense", 400 },
		{ "POST", "/api/v1/alerts", "admin-token", "{}", 405 },
		{ "GET", "/api/v1/alerts/99", "admin-token", NULL, 404 },
		{ "GET", "/api/v1/alerts/1%00", "admin-token", NULL, 404 },
		{ "GET", "/api/v1/alerts/x", "admin-token", NULL, 404 },
		{ "GET", "/api/v1/nothing", "admin-token", NULL, 404 },
		{ "GET", "/api/v1/alerts?limit=0", "admin-token", NULL, 400 },
		{ "GET", "/api/v1/alerts?limit=1001", "admin-token", NULL, 400 },
		{ "GET", "/api/v1/alerts?nonsense=1", "admin-token", NULL, 400 },
		{ "GET", "/api/v1/alerts?since=yesterday", "admin-token", NULL, 400 },
		{ "GET", "/api/v1/alerts?cursor=zzz", "admin-token", NULL, 400 },
		{ "GET", "/api/v1/hosts/nobody", "admin-token", NULL, 404 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		long status = ask(cases[i].method, cases[i].path, cases[i].token, cases[i].body, NULL);

		if (status != cases[i].status)
			fail_msg("%s %s: %ld, not %ld", cases[i].method, cases[i].path, status,
				 cases[i].status);
	}
}

static void a_wrong_filter_says_at_which_column(void **state)
{
	cJSON *doc;

	(void)state;
	assert_int_equal(ask("GET", "/api/v1/alerts?filter=host%3Dx%20sevrity%3Dhigh", "admin-token", NULL,
			     &doc), 400);
	assert_int_equal(json_get_u64(doc, "column", 0), 8);
	assert_true(slice_find(json_get_str(doc, "detail"), SLICE_LIT("severity")) > 0);
	cJSON_Delete(doc);
}

static void a_cursor_gives_every_alert_once(void **state)
{
	char path[300], cursor[200] = "";
	unsigned count = 0, seen = 0;

	(void)state;
	do {
		cJSON *doc;

		snprintf(path, sizeof(path), "/api/v1/alerts?limit=1%s%s", cursor[0] ? "&cursor=" : "", cursor);
		assert_int_equal(ask("GET", path, "viewer-token", NULL, &doc), 200);
		const cJSON *items = get(doc, "items");
		if (cJSON_GetArraySize(items)) {
			seen |= 1u << atoi(get(cJSON_GetArrayItem(items, 0), "id")->valuestring);
			count++;
		}
		slice_copy(json_get_str(doc, "cursor"), cursor, sizeof(cursor));
		cJSON_Delete(doc);
	} while (cursor[0] && count < 10);
	assert_int_equal(count, 3);
	assert_int_equal(seen, 0xe);
}

static void events_carry_parent_exit_and_gap(void **state)
{
	cJSON *doc;

	(void)state;
	assert_int_equal(ask("GET", "/api/v1/events?order=asc", "viewer-token", NULL, &doc), 200);
	const cJSON *items = get(doc, "items");
	assert_int_equal(cJSON_GetArraySize(items), 9);
	const cJSON *exec = cJSON_GetArrayItem(items, 0), *ended = cJSON_GetArrayItem(items, 1),
		    *gap = cJSON_GetArrayItem(items, 2);
	assert_string_equal(get(exec, "type")->valuestring, "exec");
	assert_string_equal(get(exec, "id")->valuestring, "6f1c3b1e-0000-4000-8000-000000000001:5:1");
	assert_string_equal(get(exec, "host")->valuestring, "host-07");
	assert_string_equal(get(get(exec, "container"), "image")->valuestring, "nginx:1.25");
	assert_string_equal(get(get(get(exec, "process"), "parent"), "name")->valuestring, "sh");
	assert_int_equal(json_get_u64(get(ended, "exit"), "code", 0), 3);
	assert_int_equal(json_get_u64(get(ended, "exit"), "duration_ns", 0), 2500);
	assert_int_equal(json_get_u64(get(gap, "gap"), "lost", 0), 12);
	cJSON_Delete(doc);
}

static void events_carry_file_connection_call_and_response(void **state)
{
	cJSON *doc;

	(void)state;
	assert_int_equal(ask("GET", "/api/v1/events?order=asc", "viewer-token", NULL, &doc), 200);
	const cJSON *items = get(doc, "items"), *opened = cJSON_GetArrayItem(items, 3),
		    *refused = cJSON_GetArrayItem(items, 4), *renamed = cJSON_GetArrayItem(items, 5),
		    *connected = cJSON_GetArrayItem(items, 6), *mounted = cJSON_GetArrayItem(items, 7),
		    *action = cJSON_GetArrayItem(items, 8);
	assert_string_equal(get(opened, "type")->valuestring, "file");
	assert_string_equal(get(opened, "call")->valuestring, "openat");
	assert_int_equal(json_get_u64(opened, "result", 0), 3);
	assert_string_equal(get(opened, "summary")->valuestring, "openat /etc/shadow (read)");
	const cJSON *file = get(opened, "file");
	assert_string_equal(get(file, "path")->valuestring, "/etc/shadow");
	assert_string_equal(get(file, "raw")->valuestring, "../etc/shadow");
	assert_string_equal(get(file, "flags")->valuestring, "O_RDONLY|O_CLOEXEC");
	assert_string_equal(get(file, "file_mode")->valuestring, "0100640");
	assert_int_equal(json_get_u64(file, "inode", 0), 77);
	assert_string_equal(get(refused, "result")->valuestring, "EACCES");
	assert_string_equal(get(get(refused, "file"), "flags")->valuestring, "O_WRONLY|O_CREAT|O_TRUNC");
	assert_string_equal(get(get(refused, "file"), "mode")->valuestring, "0600");
	assert_string_equal(get(get(renamed, "file"), "target")->valuestring, "/usr/bin/b");
	assert_null(get(get(renamed, "file"), "flags"));
	assert_string_equal(get(connected, "type")->valuestring, "network");
	const cJSON *net = get(connected, "network");
	assert_string_equal(get(net, "protocol")->valuestring, "tcp");
	assert_string_equal(get(net, "remote_address")->valuestring, "203.0.113.9");
	assert_int_equal(json_get_u64(net, "remote_port", 0), 443);
	assert_string_equal(get(net, "local_address")->valuestring, "10.0.0.7");
	assert_string_equal(get(mounted, "type")->valuestring, "call");
	assert_string_equal(get(mounted, "args")->valuestring, "dev=/dev/sda1 dir=/mnt type=ext4 flags=0");
	assert_string_equal(get(action, "type")->valuestring, "action");
	assert_string_equal(get(get(action, "action"), "kind")->valuestring, "kill");
	assert_true(cJSON_IsTrue(get(get(action, "action"), "dry_run")));
	cJSON_Delete(doc);
}

static void the_audit_log_tells_analysts_what_people_and_agents_did(void **state)
{
	static const char *const filters[] = { "", "&filter=who%3Dagent*", "&filter=what%3Dalert.comment" };
	cJSON *doc;

	(void)state;
	assert_int_equal(ask("GET", "/api/v1/audit-log", "viewer-token", NULL, NULL), 403);
	assert_int_equal(ask("GET", "/api/v1/audit-log?filter=whom%3Dx", "analyst-token", NULL, NULL), 400);
	assert_int_equal(ask("GET", "/api/v1/audit-log?cursor=a1", "analyst-token", NULL, NULL), 400);
	assert_int_equal(ask("POST", "/api/v1/alerts/1/comment", "analyst-token", "{\"comment\":\"mine\"}", NULL),
			 200);
	for (size_t i = 0; i < ARRAY_LEN(filters); i++) {
		char path[128];

		snprintf(path, sizeof(path), "/api/v1/audit-log?limit=1%s", filters[i]);
		assert_int_equal(ask("GET", path, "analyst-token", NULL, &doc), 200);
		const cJSON *row = cJSON_GetArrayItem(get(doc, "items"), 0);
		assert_string_equal(get(row, "who")->valuestring,
				    i == 1 ? "agent host-07 (rule Download tool in container)" : "anna");
		assert_string_equal(get(row, "what")->valuestring,
				    i == 1 ? "action.kill (dry run)" : "alert.comment");
		if (i == 1)
			assert_non_null(strstr(get(row, "subject")->valuestring, "dry run: would kill wget (pid 42) in container web-1"));
		cJSON_Delete(doc);
	}
}

static void an_alert_shows_what_was_done_about_it(void **state)
{
	cJSON *doc;

	(void)state;
	assert_int_equal(ask("GET", "/api/v1/alerts/1", "viewer-token", NULL, &doc), 200);
	const cJSON *action = cJSON_GetArrayItem(get(doc, "actions"), 0);
	assert_string_equal(get(action, "kind")->valuestring, "kill");
	assert_string_equal(get(action, "event")->valuestring, "6f1c3b1e-0000-4000-8000-000000000001:5:9");
	assert_false(cJSON_IsTrue(get(action, "done")));
	cJSON_Delete(doc);
}

static void an_alert_says_what_its_host_lost_around_it(void **state)
{
	cJSON *doc;

	(void)state;
	assert_int_equal(ask("GET", "/api/v1/alerts/1", "viewer-token", NULL, &doc), 200);
	assert_int_equal(json_get_u64(get(doc, "lost"), "process", 0), 12);
	assert_int_equal(json_get_u64(get(doc, "lost"), "volume", 7), 0);
	const cJSON *gaps = get(get(doc, "lost"), "gaps"), *gap = cJSON_GetArrayItem(gaps, 0);
	assert_int_equal(cJSON_GetArraySize(gaps), 1);
	assert_int_equal(json_get_u64(gap, "lost", 0), 12);
	assert_string_equal(get(gap, "class")->valuestring, "process");
	assert_true(get(gap, "host")->valuestring[0] && get(gap, "from")->valuestring[0]);
	cJSON_Delete(doc);
	assert_int_equal(ask("GET", "/api/v1/alerts/2", "viewer-token", NULL, &doc), 200);
	assert_int_equal(json_get_u64(get(doc, "lost"), "process", 1), 0); /* another host */
	cJSON_Delete(doc);
}

static void an_alert_is_acknowledged_assigned_and_resolved(void **state)
{
	cJSON *doc;

	(void)state;
	assert_int_equal(ask("POST", "/api/v1/alerts/2/ack", "admin-token", NULL, &doc), 200);
	assert_string_equal(get(doc, "status")->valuestring, "acknowledged");
	cJSON_Delete(doc);
	assert_int_equal(ask("POST", "/api/v1/alerts/2/assign", "admin-token", "{\"assignee\":\"alice\"}", &doc),
			 200);
	assert_string_equal(get(doc, "assignee")->valuestring, "alice");
	assert_string_equal(get(doc, "status")->valuestring, "acknowledged");
	cJSON_Delete(doc);
	assert_int_equal(ask("POST", "/api/v1/alerts/2/resolve", "admin-token",
			     "{\"reason\":\"benign\",\"comment\":\"ours\"}", &doc), 200);
	assert_string_equal(get(doc, "status")->valuestring, "resolved");
	cJSON_Delete(doc);
}

static void hosts_are_found_by_name_and_filtered(void **state)
{
	cJSON *doc;

	(void)state;
	assert_int_equal(ask("GET", "/api/v1/hosts/host-08", "viewer-token", NULL, &doc), 200);
	assert_string_equal(get(doc, "id")->valuestring, "6f1c3b1e-0000-4000-8000-000000000002");
	assert_true(cJSON_IsObject(get(doc, "spool")));
	cJSON_Delete(doc);
	assert_int_equal(ask("GET", "/api/v1/hosts?filter=host%3D*-07", "viewer-token", NULL, &doc), 200);
	assert_int_equal(cJSON_GetArraySize(get(doc, "items")), 1);
	cJSON_Delete(doc);
	assert_int_equal(ask("GET", "/api/v1/hosts?limit=1", "viewer-token", NULL, &doc), 200);
	assert_string_equal(get(doc, "cursor")->valuestring, "1");
	cJSON_Delete(doc);
}

static void status_counts_what_the_store_holds(void **state)
{
	cJSON *doc;

	(void)state;
	assert_int_equal(ask("GET", "/api/v1/status", "viewer-token", NULL, &doc), 200);
	assert_int_equal(json_get_u64(doc, "agents", 0), 2);
	cJSON_Delete(doc);
}

static void metrics_count_folded_findings_responses_and_loss_by_class(void **state)
{
	static const char *const lines[] = { "\npicket_agent_folded_total 2\n", "\npicket_agent_actions_total 1\n",
					     "\npicket_agent_lost_total{class=\"process\"} 0\n",
					     "\npicket_agent_lost_total{class=\"volume\"} 7\n" };

	(void)state;
	metrics_have(lines, ARRAY_LEN(lines));
}

static void a_body_or_a_header_past_the_bound_is_refused(void **state)
{
	static char big[300 * 1024], path[20 * 1024];

	(void)state;
	memset(big, ' ', sizeof(big) - 1);
	assert_int_equal(ask("POST", "/api/v1/alerts/1/ack", "admin-token", big, NULL), 413);
	memset(path, 'a', 400);
	path[0] = '/';
	assert_int_equal(ask("GET", path, NULL, NULL, NULL), 404);
}

static int connect_raw(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct timeval tv = { .tv_sec = 5 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	at.sin_port = htons((uint16_t)atoi(strrchr(srv.url, ':') + 1));
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	return fd;
}

static void plain_http_gets_no_answer(void **state)
{
	static const char text[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
	char answer[64];
	int fd = connect_raw();

	(void)state;
	assert_true(write(fd, text, sizeof(text) - 1) > 0);
	ssize_t n = read(fd, answer, sizeof(answer));
	assert_true(n <= 0 || memcmp(answer, "HTTP", 4) != 0);
	close(fd);
}

static void one_address_cannot_take_every_connection(void **state)
{
	int fds[80];
	char byte;
	unsigned cut = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		fds[i] = connect_raw();
	usleep(300 * 1000);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		cut += recv(fds[i], &byte, 1, MSG_DONTWAIT) == 0;
	assert_true(cut >= 16);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
	usleep(300 * 1000);
	assert_int_equal(ask("GET", "/healthz", NULL, NULL, NULL), 200);
}

/* Several at once, so that a busy machine does not ask more slowly than the bucket fills. */
static void guessing_tokens_is_slowed_down(void **state)
{
	enum { GUESSERS = 8, GUESSES = 12 };
	unsigned denied = 0, slowed = 0;
	pid_t pids[GUESSERS];

	(void)state;
	sleep(1); /* the bucket is full again */
	for (int i = 0; i < GUESSERS; i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (pids[i])
			continue;
		int n = 0;
		for (int k = 0; k < GUESSES; k++) {
			long status = ask("GET", "/api/v1/status", "guess", NULL, NULL);

			n += status == 401 ? 16 : status == 429;
		}
		_exit(n > 255 ? 255 : n);
	}
	for (int i = 0; i < GUESSERS; i++) {
		int status;

		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_true(WIFEXITED(status));
		denied += (unsigned)WEXITSTATUS(status) / 16;
		slowed += (unsigned)WEXITSTATUS(status) % 16;
	}
	assert_true(denied >= 10 && slowed >= 5);
	sleep(2);
	assert_int_equal(ask("GET", "/api/v1/status", "viewer-token", NULL, NULL), 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(roles_and_tokens_decide_who_may_what),
		cmocka_unit_test(a_wrong_filter_says_at_which_column),
		cmocka_unit_test(a_cursor_gives_every_alert_once),
		cmocka_unit_test(events_carry_parent_exit_and_gap),
		cmocka_unit_test(events_carry_file_connection_call_and_response),
		cmocka_unit_test(the_audit_log_tells_analysts_what_people_and_agents_did),
		cmocka_unit_test(an_alert_shows_what_was_done_about_it),
		cmocka_unit_test(an_alert_says_what_its_host_lost_around_it),
		cmocka_unit_test(an_alert_is_acknowledged_assigned_and_resolved),
		cmocka_unit_test(hosts_are_found_by_name_and_filtered),
		cmocka_unit_test(status_counts_what_the_store_holds),
		cmocka_unit_test(metrics_count_folded_findings_responses_and_loss_by_class),
		cmocka_unit_test(a_body_or_a_header_past_the_bound_is_refused),
		cmocka_unit_test(plain_http_gets_no_answer),
		cmocka_unit_test(one_address_cannot_take_every_connection),
		cmocka_unit_test(guessing_tokens_is_slowed_down),
	};

	return cmocka_run_group_tests(tests, start, asked_stop);
}
