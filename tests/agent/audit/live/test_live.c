/* test_live.c - what is audited when, and what a worker that hangs, dies or talks nonsense does to it.
 *
 * The worker is this program again; its --docker-socket says how it behaves. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/audit/live/frame.h"
#include "agent/audit/live/live.h"
#include "common/file.h"

#define ID_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ID_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define IMAGE "sha256:1111111111111111111111111111111111111111111111111111111111111111"
#define KEY "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

/* ---- the worker ---- */

static void write_report(struct buf *out, const char *subject, const char *id, const char *trigger)
{
	Picket__AuditReport m = PICKET__AUDIT_REPORT__INIT;
	uint8_t packed[1024];

	m.subject = (char *)(uintptr_t)subject;
	m.subject_id = (char *)(uintptr_t)id;
	m.trigger = (char *)(uintptr_t)trigger;
	m.catalogue = (char *)(uintptr_t)KEY;
	frame_add(out, FRAME_REPORT, slice_from(packed, picket__audit_report__pack(&m, packed)));
}

static void write_catalogue(struct buf *out)
{
	Picket__CheckCatalogue m = PICKET__CHECK_CATALOGUE__INIT;
	Picket__Check check = PICKET__CHECK__INIT, *checks[] = { &check };
	uint8_t packed[1024];

	check.id = (char *)(uintptr_t)"PKT-C-001";
	m.key = (char *)(uintptr_t)KEY;
	m.n_checks = 1;
	m.checks = checks;
	frame_add(out, FRAME_CATALOGUE, slice_from(packed, picket__check_catalogue__pack(&m, packed)));
}

/* Which images there are stands in a file: the engine's list changes while the worker lives. */
static void write_images(struct buf *out)
{
	CLEANUP(buf_finip) struct buf text = { 0 };
	const char *path = getenv("PICKET_TEST_IMAGES");

	buf_init(&text, 0);
	if (path && file_read(path, 4096, &text, NULL) >= 0)
		frame_add(out, FRAME_IMAGES, buf_slice(&text));
}

static int fake_worker(const char *mode)
{
	char line[300], subject[20], id[100], trigger[30];
	CLEANUP(buf_finip) struct buf out = { 0 };
	int asked = 0;

	buf_init(&out, 0);
	write_catalogue(&out);
	setvbuf(stdin, NULL, _IONBF, 0);
	while (fgets(line, sizeof(line), stdin) && sscanf(line, "%19s %99s %29[^\n]", subject, id, trigger) == 3) {
		char marker[200];

		asked++;
		if (!strcmp(mode, "hang"))
			pause();
		if (!strcmp(mode, "die"))
			abort();
		if (!strcmp(mode, "once")) /* dies the first time, over all of its lives */ {
			snprintf(marker, sizeof(marker), "%s", getenv("PICKET_TEST_MARKER"));
			if (access(marker, F_OK) < 0) {
				fclose(fopen(marker, "w"));
				abort();
			}
		}
		if (!strcmp(mode, "idle") && asked == 2) /* ended by itself, a moment before it was asked */
			return 0;
		if (!strcmp(mode, "garbage"))
			buf_add_str(&out, "no frame");
		else if (!strcmp(mode, "error"))
			frame_add(&out, FRAME_ERROR, SLICE_LIT("engine: gone away"));
		else if (!strcmp(subject, "images"))
			write_images(&out);
		else if (strcmp(subject, "ready") != 0)
			write_report(&out, subject, id, trigger);
		if (!strcmp(subject, "container")) {
			snprintf(marker, sizeof(marker), "%s a80425fb", id);
			frame_add(&out, FRAME_RIGHTS, slice_of(marker));
			snprintf(marker, sizeof(marker), "%s filter-%d", id, asked);
			if (!strcmp(mode, "filter"))
				frame_add(&out, FRAME_KNOWN, slice_of(marker));
		}
		frame_add(&out, FRAME_DONE, SLICE_NONE);
		(void)!write(1, out.p, out.n);
		buf_reset(&out);
	}
	return 0;
}

/* ---- the agent's side ---- */

struct fixture {
	struct loop *loop;
	struct audit_live *live;
	char log[4096]; /* "container aaaa start;" */
	unsigned reports, asked_keys, asked_whole, refuse;
};

static struct fixture fx;

static void on_report(void *arg, const Picket__AuditReport *r)
{
	struct fixture *f = arg;
	size_t n = strlen(f->log);

	if (r->is_gone && !strcmp(r->subject, "container"))
		assert_true(slice_is(msg_slice(r->image), "nginx:1") && slice_is(msg_slice(r->subject_name), "web"));
	snprintf(f->log + n, sizeof(f->log) - n, "%s %.4s %s%s;", r->subject, r->subject_id, r->trigger,
		 r->is_gone ? " gone" : "");
	f->reports++;
}

static int on_ask(void *arg, Picket__Request *m, struct err *err)
{
	struct fixture *f = arg;

	assert_int_equal(m->body_case, PICKET__REQUEST__BODY_CHECK_CATALOGUE);
	assert_string_equal(m->check_catalogue->key, KEY);
	if (f->refuse)
		return err_set(err, ENOTCONN, "not connected");
	if (m->check_catalogue->n_checks)
		f->asked_whole++;
	else
		f->asked_keys++;
	return 0;
}

static void open_live(const char *mode, uint64_t limit_ms)
{
	static const struct audit_live_ops ops = { on_report, on_ask };
	struct audit_live_config cfg = { .docker_socket = mode, .limit_ms = limit_ms };
	struct err err;

	fx = (struct fixture){ 0 };
	assert_int_equal(loop_new(&fx.loop, &err), 0);
	assert_int_equal(audit_live_new(fx.loop, clock_real(), &cfg, &ops, &fx, &fx.live, &err), 0);
}

static void close_live(void)
{
	audit_live_free(fx.live);
	loop_free(fx.loop);
}

static struct container of(const char *id)
{
	struct container c = { .name = "web", .image = "nginx:1", .image_id = IMAGE, .engine = "docker", .is_running = true };

	assert_true(slice_copy(slice_of(id), c.id, sizeof(c.id)));
	return c;
}

static void tell(const char *id, enum world_change change)
{
	struct container c = of(id);

	audit_live_container(fx.live, &c, change);
}

static void until_reports(unsigned count)
{
	for (unsigned i = 0; i < 3000 && fx.reports < count; i++)
		loop_step(fx.loop, 10);
	assert_int_equal(fx.reports, count);
}

static void until_quiet(void)
{
	struct audit_live_stats s = { .waiting = 1 };

	for (unsigned i = 0; i < 3000 && s.waiting; i++) {
		loop_step(fx.loop, 10);
		audit_live_stats(fx.live, &s);
	}
	assert_int_equal(s.waiting, 0);
}

static void a_container_is_audited_as_it_starts_and_closed_when_it_is_gone(void **state)
{
	open_live("fine", 0);
	tell(ID_A, WORLD_CREATED);
	tell(ID_A, WORLD_STARTED);
	tell(ID_A, WORLD_UPDATED);
	until_reports(2);
	assert_string_equal(fx.log, "container aaaa start;image sha2 image;");
	tell(ID_A, WORLD_UPDATED); /* the image is known by now */
	tell(ID_A, WORLD_CHANGED);
	until_reports(3);
	tell(ID_A, WORLD_REMOVED);
	until_reports(4);
	assert_string_equal(fx.log,
			    "container aaaa start;image sha2 image;container aaaa update;container aaaa gone gone;");
	tell(ID_B, WORLD_REMOVED); /* nothing was ever said of it */
	until_quiet();
	assert_int_equal(fx.reports, 4);
	close_live();
}

static void a_stopped_container_is_looked_at_again_unless_it_goes(void **state)
{
	open_live("fine", 0);
	tell(ID_A, WORLD_STARTED);
	tell(ID_B, WORLD_STARTED);
	until_reports(2);
	tell(ID_A, WORLD_STOPPED);
	tell(ID_B, WORLD_STOPPED);
	tell(ID_B, WORLD_REMOVED);
	until_reports(4);
	assert_string_equal(fx.log, "container aaaa start;container bbbb start;container bbbb gone gone;container aaaa stop;");
	close_live();
}

static void the_same_is_not_asked_twice(void **state)
{
	open_live("fine", 0);
	tell(ID_A, WORLD_STARTED); /* is asked at once */
	for (unsigned i = 0; i < 10; i++)
		tell(ID_B, WORLD_CHANGED);
	until_quiet();
	assert_string_equal(fx.log, "container aaaa start;container bbbb update;");
	close_live();
}

static void a_program_with_more_rights_is_a_reason(void **state)
{
	struct event_process less = { .cap_effective = 0x25fb }, more = { .cap_effective = 0x3fffffffff };
	struct container c = of(ID_A);

	open_live("fine", 0);
	audit_live_exec(fx.live, &c, &more); /* nobody knows what it may have */
	tell(ID_A, WORLD_STARTED);
	until_quiet();
	audit_live_exec(fx.live, &c, &less);
	until_quiet();
	assert_string_equal(fx.log, "container aaaa start;");
	audit_live_exec(fx.live, &c, &more);
	until_quiet();
	audit_live_exec(fx.live, &c, &more); /* not again within a minute */
	until_quiet();
	assert_string_equal(fx.log, "container aaaa start;container aaaa exec;");
	close_live();
}

static void the_engine_and_its_file_are_audited(void **state)
{
	open_live("fine", 0);
	audit_live_engine(fx.live, true);
	until_reports(2);
	audit_live_engine(fx.live, true);
	audit_live_changed(fx.live, "daemon");
	until_reports(3);
	tell(ID_A, WORLD_STARTED);
	until_reports(4);
	audit_live_changed(fx.live, "policy");
	until_reports(5);
	assert_string_equal(fx.log, "host - agent;daemon - daemon;daemon - daemon;container aaaa start;container aaaa policy;");
	close_live();
}

static void what_is_known_of_a_filter_is_sent_along(void **state)
{
	open_live("filter", 0);
	tell(ID_A, WORLD_STARTED);
	until_reports(1);
	tell(ID_A, WORLD_CHANGED);
	until_reports(2);
	tell(ID_A, WORLD_CHANGED);
	until_reports(3);
	assert_string_equal(fx.log, "container aaaa start;container aaaa update filter-1;container aaaa update filter-2;");
	close_live();
}

static void until_log(const char *words)
{
	for (unsigned i = 0; i < 400 && !strstr(fx.log, words); i++)
		loop_step(fx.loop, 10);
	assert_non_null(strstr(fx.log, words));
}

static void images_are(const char *path, const char *list)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(list, f);
	fclose(f);
	audit_live_images(fx.live);
}

static void an_image_is_audited_once_when_it_appears_and_closed_when_it_is_gone(void **state)
{
	char path[] = "/tmp/picket-images-XXXXXX";
	struct audit_live_stats s;

	close(mkstemp(path));
	setenv("PICKET_TEST_IMAGES", path, 1);
	open_live("fine", 0);
	audit_live_engine(fx.live, true);
	until_reports(2);
	images_are(path, "sha256:aa sha256:bb nonsense");
	until_log("image sha2 image;image sha2 image;");
	until_quiet();
	assert_int_equal(fx.reports, 4);
	images_are(path, "sha256:bb sha256:aa"); /* another name, or a build that failed */
	images_are(path, "sha256:bb");
	until_log("image sha2 gone gone;");
	until_quiet();
	assert_int_equal(fx.reports, 5);
	images_are(path, "sha256:bb sha256:cc");
	until_log("gone gone;image sha2 image;");
	until_quiet();
	assert_int_equal(fx.reports, 6);
	/* a question for what is known by then, and no more of what is gone */
	audit_live_stocked(fx.live, "sha256:aa");
	audit_live_stocked(fx.live, "sha256:cc");
	until_log("image sha2 stock;");
	until_quiet();
	assert_int_equal(fx.reports, 7);
	audit_live_stats(fx.live, &s);
	assert_int_equal(s.audits, 6); /* lists are none */
	close_live();
	unlink(path);
	unsetenv("PICKET_TEST_IMAGES");
}

static void stock_of_its_image_is_a_reason_to_judge_a_container_again(void **state)
{
	open_live("fine", 0);
	tell(ID_A, WORLD_STARTED);
	tell(ID_A, WORLD_UPDATED);
	until_reports(2);
	audit_live_stocked(fx.live, IMAGE);
	until_reports(4);
	assert_string_equal(fx.log, "container aaaa start;image sha2 image;image sha2 stock;container aaaa stock;");
	close_live();
}

static void who_starts_goes_before_all_that_waits(void **state)
{
	struct audit_live_stats s;

	open_live("fine", 0);
	audit_live_changed(fx.live, "daemon"); /* is asked at once */
	audit_live_engine(fx.live, true);
	tell(ID_B, WORLD_CHANGED);
	tell(ID_A, WORLD_STARTED);
	until_quiet();
	assert_string_equal(fx.log, "daemon - daemon;container aaaa start;host - agent;daemon - daemon;container bbbb update;");
	audit_live_stats(fx.live, &s);
	assert_int_equal(s.starts, 1);
	assert_true(s.sum_took_ns > 0 && s.sum_took_ns == s.last_took_ns && s.last_took_ns == s.worst_took_ns);
	close_live();
}

static void a_container_that_is_made_wakes_the_worker(void **state)
{
	struct audit_live_stats s;

	open_live("fine", 0);
	tell(ID_A, WORLD_CREATED);
	audit_live_stats(fx.live, &s);
	assert_int_equal(s.waiting, 1);
	until_quiet();
	audit_live_stats(fx.live, &s);
	assert_int_equal(s.audits, 0);
	assert_int_equal(fx.reports, 0);
	close_live();
}

static void the_catalogue_is_sent_only_where_it_is_not_known(void **state)
{
	Picket__Reply reply = PICKET__REPLY__INIT;
	Picket__CheckCatalogueReply known = PICKET__CHECK_CATALOGUE_REPLY__INIT;

	reply.body_case = PICKET__REPLY__BODY_CHECK_CATALOGUE;
	reply.check_catalogue = &known;
	open_live("fine", 0);
	audit_live_connected(fx.live);
	assert_int_equal(fx.asked_keys, 0); /* no worker has said it yet */
	tell(ID_A, WORLD_STARTED);
	until_quiet();
	assert_int_equal(fx.asked_keys, 1);
	audit_live_answer(fx.live, &reply);
	assert_int_equal(fx.asked_whole, 1);
	known.is_known = true;
	audit_live_answer(fx.live, &reply);
	audit_live_connected(fx.live); /* known there is known there */
	assert_int_equal(fx.asked_keys + fx.asked_whole, 2);
	close_live();
}

static void a_catalogue_that_got_no_answer_is_asked_again(void **state)
{
	open_live("fine", 0);
	fx.refuse = 1;
	audit_live_connected(fx.live);
	tell(ID_A, WORLD_STARTED);
	until_quiet();
	assert_int_equal(fx.asked_keys, 0);
	fx.refuse = 0;
	for (unsigned i = 0; i < 300 && !fx.asked_keys; i++)
		loop_step(fx.loop, 10);
	assert_int_equal(fx.asked_keys, 1);
	audit_live_answer(fx.live, NULL);
	for (unsigned i = 0; i < 300 && fx.asked_keys < 2; i++)
		loop_step(fx.loop, 10);
	assert_int_equal(fx.asked_keys, 2);
	close_live();
}

/* One try more, then it is a failure that the status names; and the next thing is audited. */
static void a_worker_that_fails_is_started_again(void **state)
{
	static const struct {
		const char *mode, *why;
		unsigned killed;
	} cases[] = { { "hang", "it took too long", 2 }, { "die", "ended by signal 6", 2 }, { "garbage", "ended by signal 9", 2 } };
	struct audit_live_stats s;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		open_live(cases[i].mode, strcmp(cases[i].mode, "hang") ? 0 : 300);
		tell(ID_A, WORLD_STARTED);
		until_quiet();
		audit_live_stats(fx.live, &s);
		assert_int_equal(s.failed, 1);
		assert_int_equal(s.killed, cases[i].killed);
		assert_non_null(strstr(s.why, cases[i].why));
		assert_int_equal(fx.reports, 0);
		close_live();
	}
}

static void one_failure_is_made_good(void **state)
{
	char marker[] = "/tmp/picket-audit-XXXXXX";
	struct audit_live_stats s;

	assert_non_null(mkdtemp(marker));
	char path[64];
	snprintf(path, sizeof(path), "%s/died", marker);
	setenv("PICKET_TEST_MARKER", path, 1);
	open_live("once", 0);
	tell(ID_A, WORLD_STARTED);
	until_reports(1);
	audit_live_stats(fx.live, &s);
	assert_int_equal(s.killed, 1);
	assert_int_equal(s.failed, 0);
	close_live();
	unlink(path);
	rmdir(marker);
}

static void a_worker_that_ended_with_nothing_to_do_loses_no_question(void **state)
{
	open_live("idle", 0);
	tell(ID_A, WORLD_STARTED);
	until_reports(1);
	tell(ID_B, WORLD_STARTED);
	until_reports(2);
	assert_string_equal(fx.log, "container aaaa start;container bbbb start;");
	close_live();
}

static void what_could_not_be_audited_is_told(void **state)
{
	struct audit_live_stats s;

	open_live("error", 0);
	tell(ID_A, WORLD_STARTED);
	until_quiet();
	audit_live_stats(fx.live, &s);
	assert_int_equal(s.failed, 1);
	assert_non_null(strstr(s.why, "engine: gone away"));
	close_live();
}

static void what_is_no_docker_container_is_left_alone(void **state)
{
	struct container c = of(ID_A);

	open_live("fine", 0);
	c.engine = "podman";
	audit_live_container(fx.live, &c, WORLD_STARTED);
	c = of("1234");
	audit_live_container(fx.live, &c, WORLD_STARTED);
	until_quiet();
	assert_int_equal(fx.reports, 0);
	close_live();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_container_is_audited_as_it_starts_and_closed_when_it_is_gone),
		cmocka_unit_test(a_stopped_container_is_looked_at_again_unless_it_goes),
		cmocka_unit_test(the_same_is_not_asked_twice),
		cmocka_unit_test(a_program_with_more_rights_is_a_reason),
		cmocka_unit_test(the_engine_and_its_file_are_audited),
		cmocka_unit_test(what_is_known_of_a_filter_is_sent_along),
		cmocka_unit_test(an_image_is_audited_once_when_it_appears_and_closed_when_it_is_gone),
		cmocka_unit_test(stock_of_its_image_is_a_reason_to_judge_a_container_again),
		cmocka_unit_test(who_starts_goes_before_all_that_waits),
		cmocka_unit_test(a_container_that_is_made_wakes_the_worker),
		cmocka_unit_test(the_catalogue_is_sent_only_where_it_is_not_known),
		cmocka_unit_test(a_catalogue_that_got_no_answer_is_asked_again),
		cmocka_unit_test(a_worker_that_fails_is_started_again),
		cmocka_unit_test(one_failure_is_made_good),
		cmocka_unit_test(a_worker_that_ended_with_nothing_to_do_loses_no_question),
		cmocka_unit_test(what_could_not_be_audited_is_told),
		cmocka_unit_test(what_is_no_docker_container_is_left_alone),
	};

	if (argc > 3 && !strcmp(argv[1], "audit-worker"))
		return fake_worker(argv[3]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
