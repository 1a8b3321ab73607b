/* vulndb_cli: a database built, looked at, signed and verified from the command line; what scripts rely on. */
#include "tests/agent/core/typed.h"

#include <errno.h>
#include <ftw.h>
#include <sys/stat.h>

#include "agent/vulndb_cli.h"
#include "common/file.h"

static char dir[64];

/* Runs the words of a line ("@" stands for the folder), outputs into `out` and `errors`. */
static int run(const char *line)
{
	char words[16][256];
	char *argv[16] = { (char *)"vulndb" };
	struct slice rest = slice_of(line), word;
	int argc = 1;

	while (slice_split(&rest, ' ', &word)) {
		snprintf(words[argc], sizeof(words[argc]), "%s%.*s", word.p[0] == '@' ? dir : "",
			 SLICE_FMT(slice_sub(word, word.p[0] == '@', SIZE_MAX)));
		argv[argc] = words[argc];
		argc++;
	}
	return typed(vulndb_cli, argc, argv);
}

static void put(const char *name, const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(file_write_atomic(path, slice_of(text), 0644, NULL), 0);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static int open_dir(void **state)
{
	strcpy(dir, "/tmp/picket-vulndb-cli-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int close_dir(void **state)
{
	return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static const char record[] =
	"{\"id\":\"GHSA-aaaa\",\"aliases\":[\"CVE-2024-0001\"],\"summary\":\"Bad\\u001b[31m thing\",\"details\":\"one\\ntwo\",\"affected\":"
	"[{\"package\":{\"ecosystem\":\"npm\",\"name\":\"a\"},\"ranges\":[{\"type\":\"SEMVER\",\"events\":[{\"introduced\":\"0\"},{\"fixed\":\"1.0.0\"}]}]}]}";

static void a_source_is_a_line(void **state)
{
	put("a.json", record);
	assert_int_equal(run("import --db @/v.db @/a.json"), 0);
	assert_string_equal(out, "osv:npm: 1 read, 1 added, 0 changed, 0 removed, 0 unchanged, 0 withdrawn, 0 bad\n");
	assert_string_equal(errors, "");
	assert_int_equal(run("import @/a.json --feed mine --db @/v.db"), 0);
	assert_non_null(strstr(out, "mine: 1 read, 1 added"));
}

static void one_of_several_may_be_wrong(void **state)
{
	put("a.json", record);
	put("b.json", "<html>");
	assert_int_equal(run("import --db @/v.db @/b.json @/a.json @/none.json"), 1);
	assert_non_null(strstr(out, "osv:npm: 1 read"));
	assert_non_null(strstr(errors, "b.json': it begins like none of OSV"));
	assert_non_null(strstr(errors, "none.json"));
	assert_int_equal(run("import --db @/v.db @/b.json"), 3);
	assert_int_equal(run("import --db @/v.db @/none.json"), 5);
	put("half.json", "[{\"id\":\"A-1\",\"affected\":[]},{\"id\":5}]");
	assert_int_equal(run("import --db @/v.db @/half.json"), 1);
	assert_non_null(strstr(out, ": the id is none)"));
}

static void a_folder_of_feeds_is_many_and_one_of_records_is_one(void **state)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/feeds/osv/npm", dir);
	assert_int_equal(file_make_dirs(path, 0755, NULL), 0);
	put("feeds/osv/npm/GHSA-aaaa.json", record);
	put("feeds/epss.csv", "cve,epss,percentile\nCVE-2024-0001,0.5,0.9\n");
	put("feeds/kev.json", "{\"catalogVersion\":\"1\",\"vulnerabilities\":[{\"cveID\":\"CVE-2024-0001\"}]}");
	assert_int_equal(run("import --db @/v.db @/feeds"), 0);
	assert_non_null(strstr(out, "epss: 1 read"));
	assert_non_null(strstr(out, "kev: 1 read"));
	assert_non_null(strstr(out, "osv:npm: 1 read"));
}

static void status_and_show_tell_what_is_there(void **state)
{
	put("a.json", record);
	run("import --db @/v.db @/a.json");
	assert_int_equal(run("status --db @/v.db"), 0);
	assert_non_null(strstr(out, "osv:npm                       1          0"));
	assert_non_null(strstr(out, "1 records, 1 ranges, generation 1"));
	assert_int_equal(run("status --json --db @/v.db"), 0);
	assert_non_null(strstr(out, "\"generation\":1,\"records\":1,\"ranges\":1"));
	assert_int_equal(run("show CVE-2024-0001 --db @/v.db"), 0);
	assert_non_null(strstr(out, "CVE-2024-0001 GHSA-aaaa\n"));
	assert_non_null(strstr(out, "\none\ntwo\n"));
	assert_non_null(strstr(out, "<1.0.0\n"));
	assert_null(strchr(out, '\x1b')); /* what others wrote does not reach the terminal as it is */
	assert_int_equal(run("show GHSA-aaaa --db @/v.db --json"), 0);
	assert_non_null(strstr(out, "\"affected\":[{\"feed\":\"osv:npm\",\"record\":\"GHSA-aaaa\""));
	assert_int_equal(run("show CVE-2024-9999 --db @/v.db"), 5);
	assert_int_equal(run("show CVE-2024-0001 --db @/none.db"), 5);
}

static void sign_and_verify_are_a_pair(void **state)
{
	char command[512];

	snprintf(command, sizeof(command), "cd %s && openssl genpkey -algorithm ed25519 -out k.pem 2>/dev/null && openssl pkey -in k.pem -pubout -out p.pem", dir);
	if (system(command) != 0)
		skip(); /* no openssl here */
	put("a.json", record);
	run("import --db @/v.db @/a.json");
	assert_int_equal(run("verify --db @/v.db --pubkey @/p.pem"), 3);
	assert_int_equal(run("sign --db @/v.db --key @/k.pem"), 0);
	assert_int_equal(run("verify --db @/v.db --pubkey @/p.pem"), 0);
	assert_non_null(strstr(out, "signature right, generation 1"));
	put("e.csv", "cve,epss,percentile\nCVE-2024-0001,0.5,0.9\n");
	run("import --db @/v.db @/e.csv");
	assert_int_equal(run("verify --db @/v.db --pubkey @/p.pem"), 3);
	assert_int_equal(run("status --db @/v.db --pubkey @/p.pem"), 3);
}

static void wrong_usage_is_said(void **state)
{
	static const char *const lines[] = { "", "nothing", "import", "import @/a.json", "import --db @/v.db", "status", "show --db @/v.db",
					     "import --db @/v.db --format sbom @/a.json", "sign --db @/v.db", "verify --db @/v.db",
					     "status --db @/v.db extra", "show A B --db @/v.db" };

	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		if (run(lines[i]) != 2)
			fail_msg("'%s' is right usage", lines[i]);
		assert_non_null(strstr(errors, "usage: picket-agent vulndb"));
	}
	assert_int_equal(run("--help"), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, open_dir, close_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_source_is_a_line),
		T(one_of_several_may_be_wrong),
		T(a_folder_of_feeds_is_many_and_one_of_records_is_one),
		T(status_and_show_tell_what_is_there),
		T(sign_and_verify_are_a_pair),
		T(wrong_usage_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
