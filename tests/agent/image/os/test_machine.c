/* Against the real thing on this machine: its dpkg, its Go programs, its jars. Each is skipped where it is not. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "collect.h"

/* What a command prints; NULL: it is not there. Caller frees. */
static char *output_of(const char *command)
{
	FILE *f = popen(command, "r");
	struct buf b;

	assert_non_null(f);
	buf_init(&b, 0);
	char *p = buf_reserve(&b, 1 << 22);
	buf_written(&b, fread(p, 1, 1 << 22, f));
	if (pclose(f) || !b.n) {
		buf_fini(&b);
		return NULL;
	}
	buf_add_char(&b, '\0');
	return b.p;
}

static int collect_file(struct collect *c, const char *as, const char *path)
{
	CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -ENOENT;
	const struct blob b = blob_from_fd(&fd, (uint64_t)st.st_size);
	return collect_blob(c, as, &b);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Lines in order, in place. Caller frees the array. */
static char **sorted(char *text, size_t *ret_n)
{
	char **lines = calloc(65536, sizeof(*lines));
	size_t n = 0;

	assert_non_null(lines);
	for (char *line = strtok(text, "\n"); line && n < 65536; line = strtok(NULL, "\n"))
		lines[n++] = line;
	qsort(lines, n, sizeof(*lines), by_text);
	*ret_n = n;
	return lines;
}

static void dpkg_query_says_the_same(void **state)
{
	struct collect c;
	size_t n, want_n;

	(void)state;
	CLEANUP(freep) char *query = output_of(
		"dpkg-query -W -f '${db:Status-Status} deb ${Package} ${Version} ${Architecture} ${source:Package} "
		"${source:Version}\\n' 2>/dev/null | grep -vE '^(config-files|not-installed|half-installed) ' | "
		"cut -d' ' -f2-");
	if (!query) {
		print_message("skipped: no dpkg-query\n");
		skip();
	}
	collect_init(&c);
	assert_int_equal(collect_file(&c, "var/lib/dpkg/status", "/var/lib/dpkg/status"), 0);
	CLEANUP(freep) char **got = sorted(c.packages.p, &n), **want = sorted(query, &want_n);
	assert_int_equal(n, want_n);
	for (size_t i = 0; i < n; i++) {
		char name[256], version[256], arch[64], source[256], source_version[256], line[1200];

		/* An empty source is the package itself, which dpkg-query writes out. */
		assert_int_equal(sscanf(got[i], "deb %255s %255s %63s %255s %255s", name, version, arch, source,
					source_version),
				 5);
		(void)snprintf(line, sizeof(line), "deb %s %s %s %s %s", name, version, arch,
			       strcmp(source, "-") ? source : name,
			       strcmp(source_version, "-") ? source_version : version);
		assert_string_equal(line, want[i]);
	}
	collect_fini(&c);
}

static void dpkg_knows_the_same_files(void **state)
{
	struct collect c;

	(void)state;
	CLEANUP(freep) char *files = output_of("dpkg-query -L bash 2>/dev/null");
	if (!files) {
		print_message("skipped: no dpkg-query\n");
		skip();
	}
	collect_init(&c);
	assert_int_equal(collect_file(&c, "var/lib/dpkg/info/bash.list", "/var/lib/dpkg/info/bash.list"), 0);
	unsigned count = 0;
	for (char *line = strtok(files, "\n"); line; line = strtok(NULL, "\n")) {
		char want[512];
		struct stat st;

		if (stat(line, &st) < 0 || S_ISDIR(st.st_mode)) /* or a link to one */
			continue;
		(void)snprintf(want, sizeof(want), "bash %s\n", line + 1);
		if (!strstr(collect_files(&c), want))
			fail_msg("not among the files: %s", want);
		count++;
	}
	assert_true(count > 10);
	collect_fini(&c);
}

/* The linker's words stand in the program as text: each dependency there is given, each given stands there. */
static void go_programs_name_their_modules(void **state)
{
	static const char *const programs[] = { "/usr/bin/containerd", "/usr/sbin/runc", "/usr/bin/docker",
						"/usr/local/bin/docker", "/usr/local/bin/terraform" };
	unsigned seen = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(programs); i++) {
		char command[512];
		struct collect c;

		if (access(programs[i], R_OK) < 0)
			continue;
		collect_init(&c);
		assert_int_equal(collect_file(&c, "ELF", programs[i]), 0);
		(void)snprintf(command, sizeof(command), "grep -aoE -m1 'buildinf:.{18}go1\\.[0-9.]+' %s | head -1 | tr -cd 'a-z0-9.' | grep -oE 'go1[0-9.]+'",
			       programs[i]);
		CLEANUP(freep) char *version = output_of(command);
		assert_non_null(strstr(collect_packages(&c), "golang stdlib 1."));
		if (version) {
			char want[128];

			version[strcspn(version, "\n")] = '\0';
			(void)snprintf(want, sizeof(want), "golang stdlib %s ", version + 2);
			assert_non_null(strstr(collect_packages(&c), want));
		}
		(void)snprintf(command, sizeof(command),
			       "grep -aoP '^dep\\t[^\\t\\n]+\\t[^\\t\\n]+\\th1:' %s | cut -f2,3 | tr '\\t' ' '", programs[i]);
		CLEANUP(freep) char *deps = output_of(command);
		for (char *dep = deps ? strtok(deps, "\n") : NULL; dep; dep = strtok(NULL, "\n")) {
			char want[512];

			(void)snprintf(want, sizeof(want), "golang %s - - -\n", dep);
			if (!strstr(collect_packages(&c), want))
				fail_msg("%s: no %s", programs[i], want);
		}
		collect_fini(&c);
		seen++;
	}
	if (!seen) {
		print_message("skipped: no Go program\n");
		skip();
	}
}

static void other_programs_have_none_and_no_error(void **state)
{
	static const char *const programs[] = { "/bin/sh", "/usr/bin/gcc", "/lib/x86_64-linux-gnu/libc.so.6",
						"/usr/bin/busybox" };
	struct collect c;

	(void)state;
	collect_init(&c);
	for (size_t i = 0; i < ARRAY_LEN(programs); i++) {
		if (access(programs[i], R_OK) < 0)
			continue;
		int r = collect_file(&c, "ELF", programs[i]);
		if (r < 0)
			fail_msg("%s: %s", programs[i], c.err.msg);
	}
	assert_int_equal(c.package_count, 0);
	collect_fini(&c);
}

/* "/root/org/apache/x/artifact/1.0/artifact-1.0.jar" -> "maven org.apache.x:artifact 1.0 ". False: its version
 * is none ("debian", "2.x"). */
static bool folder_name(char *path, const char *root, char *want, size_t size)
{
	char *parts[32];
	size_t n = 0;
	int len;

	for (char *part = strtok(path + strlen(root), "/"); part && n < ARRAY_LEN(parts); part = strtok(NULL, "/"))
		parts[n++] = part;
	if (n < 4 || strchr(parts[n - 2], 'x') || !strcmp(parts[n - 2], "debian"))
		return false;
	len = snprintf(want, size, "maven %s", parts[0]);
	for (size_t i = 1; i < n - 3; i++)
		len += snprintf(want + len, size - (size_t)len, ".%s", parts[i]);
	(void)snprintf(want + len, size - (size_t)len, ":%s %s ", parts[n - 3], parts[n - 2]);
	return true;
}

/* Debian's maven-repo has each jar at group/artifact/version. Its own changes (a group that is not upstream's, a
 * jar built without its pom.properties) are the tenth that differs. */
static void jars_of_a_repository_are_what_their_folders_say(void **state)
{
	static const char root[] = "/usr/share/maven-repo/";
	unsigned right = 0, count = 0;
	char *save = NULL;

	(void)state;
	CLEANUP(freep) char *jars = output_of("find /usr/share/maven-repo -name '*.jar' 2>/dev/null");
	if (!jars) {
		print_message("skipped: no %s\n", root);
		skip();
	}
	for (char *jar = strtok_r(jars, "\n", &save); jar; jar = strtok_r(NULL, "\n", &save)) {
		char want[800];
		struct collect c;

		collect_init(&c);
		assert_int_equal(collect_file(&c, jar, jar), 0);
		if (folder_name(jar, root, want, sizeof(want))) {
			bool is_right = strstr(collect_packages(&c), want);

			right += is_right;
			count++;
			if (!is_right)
				print_message("%s: %s", want, collect_packages(&c));
		}
		collect_fini(&c);
	}
	print_message("%u of %u jars named as their folders\n", right, count);
	assert_true(right * 10 >= count * 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dpkg_query_says_the_same),
		cmocka_unit_test(dpkg_knows_the_same_files),
		cmocka_unit_test(go_programs_name_their_modules),
		cmocka_unit_test(other_programs_have_none_and_no_error),
		cmocka_unit_test(jars_of_a_repository_are_what_their_folders_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
