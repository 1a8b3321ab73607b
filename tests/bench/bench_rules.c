/* bench_rules FILE...: what one exec costs the loaded rules, in ns, and the set in memory. Three programs:
 * one that no rule is for, a shell in a container, and one outside. */
#include <malloc.h>
#include <time.h>

#include "agent/rules/rules.h"
#include "agent/rules/rules_json.h"
#include "common/json.h"

enum { ROUNDS = 100000 };

#define FACTS                                                                                      \
	"\"evt.type\":\"execve\",\"evt.num\":5,\"user.uid\":1000,\"user.name\":\"app\",\"user.loginuid\":-1,\"proc.tty\":0,"   \
	"\"proc.cwd\":\"/app/\",\"proc.pname\":\"node\",\"proc.pcmdline\":\"node server.js\",\"proc.duration\":100,"       \
	"\"proc.aname\":[\"node\",\"containerd-shim\",\"systemd\"],\"proc.is_exe_upper_layer\":false,"                     \
	"\"proc.is_exe_from_memfd\":false,\"container.image.repository\":\"shop\",\"proc.vpid\":7,"

static const char *const events[] = {
	"{" FACTS "\"container.id\":\"0123456789ab\",\"proc.name\":\"convert\",\"proc.exe\":\"convert\",\"proc.args\":"
	"\"-resize 10 a b\",\"proc.cmdline\":\"convert -resize 10 a b\",\"proc.exepath\":\"/usr/bin/convert\"}",
	"{" FACTS "\"container.id\":\"0123456789ab\",\"proc.name\":\"sh\",\"proc.exe\":\"sh\",\"proc.args\":\"-c id\","
	"\"proc.cmdline\":\"sh -c id\",\"proc.exepath\":\"/bin/sh\"}",
	"{" FACTS "\"container.id\":\"host\",\"proc.name\":\"ls\",\"proc.exe\":\"ls\",\"proc.args\":\"-l\","
	"\"proc.cmdline\":\"ls -l\",\"proc.exepath\":\"/bin/ls\"}",
};

static void ignore(void *arg, const struct rules_match *m)
{
	(void)arg;
	(void)m;
}

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

int main(int argc, char **argv)
{
	CLEANUP(rules_freep) struct rules *r = NULL;
	struct err err;
	size_t before = mallinfo2().uordblks;

	if (rules_load((const char *const *)(argv + 1), (size_t)argc - 1, &r, NULL, &err) < 0) {
		fprintf(stderr, "%s\n", err.msg);
		return err_exit_code(err.code);
	}
	printf("%zu rules, %zu KiB\n", rules_count(r), (mallinfo2().uordblks - before) / 1024);
	for (size_t i = 0; i < ARRAY_LEN(events); i++) {
		CLEANUP(cJSON_Deletep) cJSON *json = NULL;
		unsigned matches = 0;

		if (json_parse(slice_of(events[i]), 1 << 20, &json, &err) < 0)
			return 1;
		struct rules_source src = rules_json_source(json);
		double start = now_ns();
		for (int k = 0; k < ROUNDS; k++)
			matches = rules_eval(r, "execve", &src, ignore, NULL);
		printf("event %zu: %.0f ns, %u matches\n", i, (now_ns() - start) / ROUNDS, matches);
	}
	return 0;
}
