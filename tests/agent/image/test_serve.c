/* serve: a worker that an image has taken over, played by this program: whatever it says, its parent ends with an
 * error in bounded time and memory, and nothing is left behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "agent/image/image.h"
#include "agent/image/worker.h"
#include "common/buf.h"

/* ---- the worker ---- */

static struct chan_msg msg;

static void say(enum chan_kind kind, uint32_t what, uint64_t a, struct slice data)
{
	if (chan_send(WORKER_SOCK, kind, what, a, 0, data, -1, NULL) < 0)
		_exit(3);
}

/* The answer's error code, or 0. */
static uint32_t ask(uint32_t what, uint64_t a, struct slice data)
{
	say(CHAN_ASK, what, a, data);
	if (chan_receive(WORKER_SOCK, &msg, NULL) <= 0)
		_exit(3);
	if (msg.fd >= 0)
		close(msg.fd);
	return msg.what;
}

static void flood(void)
{
	for (;;)
		say(CHAN_PROGRESS, 3, 1, SLICE_NONE);
}

static void send_much(void)
{
	static char data[CHAN_DATA_BYTES];

	for (;;)
		say(CHAN_PART, CHAN_PART_INVENTORY, 0, slice_from(data, sizeof(data)));
}

static void send_rubbish(void)
{
	static char data[1000];

	memset(data, 0xfe, sizeof(data));
	say(CHAN_PART, CHAN_PART_INVENTORY, 0, slice_from(data, sizeof(data)));
	say(CHAN_DONE, 0, 0, SLICE_NONE);
}

static void send_nothing(void)
{
	say(CHAN_DONE, 0, 0, SLICE_NONE);
}

static void send_bad_part(void)
{
	say(CHAN_PART, 99, 0, SLICE_LIT("x"));
}

static void send_bad_kind(void)
{
	say((enum chan_kind)77, 0, 0, SLICE_NONE);
}

static void send_short(void)
{
	(void)!send(WORKER_SOCK, "x", 1, 0);
}

static void send_files(void)
{
	for (unsigned i = 0; i < 100; i++)
		(void)!chan_send(WORKER_SOCK, CHAN_PROGRESS, 0, 0, 0, SLICE_NONE, 0, NULL);
	say(CHAN_FAILED, 0, ERR_LIMIT, SLICE_LIT("\033[31mred\nline"));
}

static void ask_for_more(void)
{
	char path[4200];

	memset(path, 'a', sizeof(path));
	if (!ask(CHAN_ASK_LAYER, 999, SLICE_NONE) || !ask(CHAN_ASK_BLOB, 0, SLICE_LIT("../../etc/passwd")) ||
	    !ask(CHAN_ASK_ARCHIVE, 0, SLICE_NONE) || !ask(CHAN_ASK_CONFIG, 0, SLICE_NONE) || !ask(4711, 0, SLICE_NONE))
		_exit(4);
	/* of folders elsewhere there is nothing to be told */
	if (ask(CHAN_ASK_OPAQUE, 0, SLICE_LIT("../../etc")) || msg.a || ask(CHAN_ASK_OPAQUE, 99, SLICE_LIT("x")) || msg.a ||
	    ask(CHAN_ASK_OPAQUE, 0, slice_from(path, sizeof(path))) || msg.a)
		_exit(5);
	say(CHAN_FAILED, 0, ERR_LIMIT, SLICE_LIT("asked"));
}

static void crash(void)
{
	signal(SIGSEGV, SIG_DFL);
	raise(SIGSEGV);
}

static void be_killed(void)
{
	raise(SIGKILL);
}

static void hang(void)
{
	for (;;)
		pause();
}

static void close_and_stay(void)
{
	close(WORKER_SOCK);
	hang();
}

static void be_deaf(void)
{
	for (;;)
		say(CHAN_ASK, CHAN_ASK_OPAQUE, 0, SLICE_LIT("x"));
}

static void leave(void)
{
}

static const struct evil {
	const char *name;
	void (*act)(void);
	int code;
	const char *word;
} evils[] = {
	{ "flood", flood, ETIMEDOUT, "not done" },
	{ "much", send_much, ERR_LIMIT, "too large" },
	{ "rubbish", send_rubbish, ERR_CORRUPT, "" },
	{ "nothing", send_nothing, ERR_CORRUPT, "" },
	{ "part", send_bad_part, ERR_CORRUPT, "may not say" },
	{ "kind", send_bad_kind, ERR_CORRUPT, "may not say" },
	{ "short", send_short, ERR_CORRUPT, "broken message" },
	{ "files", send_files, ERR_LIMIT, "[31mred" },
	{ "ask", ask_for_more, ERR_CORRUPT, "what there is not" },
	{ "crash", crash, ERR_CORRUPT, "crashed" },
	{ "killed", be_killed, ERR_LIMIT, "killed" },
	{ "hang", hang, ETIMEDOUT, "not done" },
	{ "closed", close_and_stay, ERR_LIMIT, "killed" },
	{ "deaf", be_deaf, 0, "" },
	{ "leave", leave, ERR_CORRUPT, "without an answer" },
};

static int evil_main(void)
{
	struct job job = { 0 };

	while (chan_receive(WORKER_SOCK, &msg, NULL) > 0 && msg.kind != CHAN_GO)
		if (msg.kind == CHAN_JOB)
			memcpy(&job, msg.data.p, sizeof(job));
	for (size_t i = 0; i < ARRAY_LEN(evils); i++)
		if (!strcmp(job.platform, evils[i].name))
			evils[i].act();
	return 0;
}

/* ---- its parent ---- */

static unsigned count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void whatever_a_worker_does_its_parent_goes_on(void **state)
{
	char dir[] = "/tmp/image-testXXXXXX", target[64];

	assert_non_null(mkdtemp(dir));
	snprintf(target, sizeof(target), "dir:%s", dir);
	unsigned fds = count_fds();
	for (size_t i = 0; i < ARRAY_LEN(evils); i++) {
		const struct evil *e = &evils[i];
		CLEANUP(arena_freep) struct arena *a = arena_new(1 << 20);
		bool is_slow = e->code == ETIMEDOUT || !e->code;
		struct image_options o = { .platform = e->name, .limits.time_ms = is_slow ? 300 : 60000 };
		Picket__Inventory *inv = NULL;
		struct err err = { 0 };

		int r = image_take_stock(target, &o, a, &inv, NULL, &err);
		/* 0: any error */
		if (r >= 0 || (e->code && r != -e->code) || !strstr(err.msg, e->word) || strchr(err.msg, '\033'))
			fail_msg("%s: %d '%s'", e->name, r, err.msg);
		assert_null(inv);
		assert_int_equal(count_fds(), fds);
		assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left */
	}
	rmdir(dir);
}

static void messages_are_whole_or_none(void **state)
{
	int pair[2];
	struct err err;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	assert_int_equal(chan_send(pair[0], CHAN_REPLY, 1, 2, 3, SLICE_LIT("data"), 0, NULL), 0);
	assert_int_equal(chan_receive(pair[1], &msg, NULL), 1);
	assert_true(msg.kind == CHAN_REPLY && msg.what == 1 && msg.a == 2 && msg.b == 3);
	assert_true(slice_is(msg.data, "data") && msg.fd >= 0);
	close(msg.fd);
	/* longer than any message */
	static char large[CHAN_DATA_BYTES + 100];
	assert_int_equal(send(pair[0], large, sizeof(large), 0), sizeof(large));
	assert_int_equal(chan_receive(pair[1], &msg, &err), -ERR_CORRUPT);
	assert_int_equal(chan_send(pair[0], CHAN_REPLY, 0, 0, 0, slice_from(large, sizeof(large)), -1, &err), -ERR_LIMIT);
	close(pair[0]);
	assert_int_equal(chan_receive(pair[1], &msg, NULL), 0);
	assert_int_equal(chan_send(pair[1], CHAN_REPLY, 0, 0, 0, SLICE_NONE, -1, &err), -EPIPE);
	close(pair[1]);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whatever_a_worker_does_its_parent_goes_on),
		cmocka_unit_test(messages_are_whole_or_none),
	};

	if (argc >= 2 && !strcmp(argv[1], IMAGE_WORKER_COMMAND))
		return evil_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
