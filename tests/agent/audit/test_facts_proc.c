/* test_facts_proc.c - the kernel's texts, as recorded and as nobody should write them. */
#include <linux/audit.h>
#include <sys/sysmacros.h>

#include "common/text.h"
#include "facts_test.h"

static void a_status_is_read(void **state)
{
	static const char text[] = "Name:\tsh\\nUid:\t7\nUmask:\t0022\nState:\tS (sleeping)\nUid:\t1000\t0\t1000\t1000\nGid:\t0\t0\t0\t0\nCapInh:\t0000000000000001\n"
				   "CapPrm:\t000001ffffffffff\nCapEff:\t00000000a80425fb\nCapBnd:\t00000000A80425FB\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\n"
				   "Seccomp:\t2\nSeccomp_filters:\t3\nUid:\t5\t5\t5\t5\n";
	struct facts_process p;

	facts_process_init(&p);
	assert_int_equal(facts_parse_status(slice_of(text), &p), 0);
	assert_int_equal(p.uid, 1000);
	assert_int_equal(p.euid, 0);
	assert_true(p.cap_effective == 0xa80425fb && p.cap_bounding == 0xa80425fb && p.cap_permitted == 0x1ffffffffff && p.cap_inheritable == 1);
	assert_true(p.no_new_privs);
	assert_int_equal(p.seccomp, SECCOMP_FILTERED);
	assert_int_equal(p.seccomp_filters, 3);
}

static void a_status_that_says_little_is_not_guessed(void **state)
{
	struct facts_process p;

	facts_process_init(&p);
	assert_int_equal(facts_parse_status(SLICE_LIT("Uid:\t0\t0\t0\t0\nSeccomp:\t9\nCapEff:\tzz\nCapBnd:\t00000000000000000\nNoNewPrivs:\t99999999999999\n"), &p), 0);
	assert_int_equal(p.seccomp, SECCOMP_UNKNOWN);
	assert_true(!p.cap_effective && !p.cap_bounding && !p.no_new_privs);
	assert_int_equal(facts_parse_status(SLICE_LIT("Name:\tx\n"), &p), -ERR_CORRUPT);
	assert_int_equal(facts_parse_status(SLICE_NONE, &p), -ERR_CORRUPT);
	facts_process_init(&p);
	assert_int_equal(facts_parse_status(SLICE_LIT("Uid:\t99999999999\t0\n"), &p), 0);
	assert_int_equal(p.uid, (uid_t)-1);
}

static void mountinfo_is_read(void **state)
{
	static const char text[] =
		"36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n"
		"40 36 0:50 / /a\\040b\\134c ro,nosuid,nodev,noexec shared:7 master:2 propagate_from:3 - tmpfs my\\011fs rw,size=64k\n"
		"41 36 0:51 / /c rw - overlay overlay ro,lowerdir=/x\n"
		"garbage\n\n"
		"42 x 0:51 / /d rw - t s o\n"
		"43 36 0:51\n"
		"44 36 999999999999:1 / /e rw - t s o\n"
		"45 36 0:51 / /f rw -\n"
		"46 36 8:1 /docker.sock /s rw - tmpfs tmpfs rw\n";
	struct facts_mount *m;
	size_t n;

	assert_int_equal(facts_parse_mountinfo(slice_of(text), *state, &m, &n, NULL), 0);
	assert_int_equal(n, 5);
	assert_int_equal(m[0].id, 36);
	assert_true(m[0].dev == makedev(98, 0));
	assert_string_equal(m[0].root, "/mnt1");
	assert_string_equal(m[0].point, "/mnt2");
	assert_true(m[0].is_writable && m[0].is_slave && !m[0].is_shared);
	assert_string_equal(m[1].point, "/a b\\c");
	assert_string_equal(m[1].source, "my\tfs");
	assert_string_equal(m[1].super_options, "rw,size=64k");
	assert_true(!m[1].is_writable && m[1].is_nosuid && m[1].is_nodev && m[1].is_noexec && m[1].is_shared && m[1].is_slave);
	assert_false(m[2].is_writable); /* the file system is read-only, whatever the mount says */
	assert_string_equal(m[4].root, "/docker.sock");
}

static void mounts_are_cut_at_their_bound(void **state)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct facts_mount *m;
	size_t n;

	buf_init(&b, 0);
	for (size_t i = 0; i < 2000; i++)
		buf_printf(&b, "%zu 1 0:1 / /%zu rw - t s rw\n", i, i);
	assert_int_equal(facts_parse_mountinfo(buf_slice(&b), *state, &m, &n, NULL), 0);
	assert_int_equal(n, FACTS_MOUNTS_MAX);
	struct arena *small = arena_new(2048);
	assert_int_equal(facts_parse_mountinfo(buf_slice(&b), small, &m, &n, NULL), -ERR_LIMIT);
	arena_free(small);
}

static void listening_sockets_are_found(void **state)
{
	static const char tcp[] =
		"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
		"   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1234 1 x 100 0 0 10 0\n"
		"   1: 00000000:0050 00000000:0000 0A 0\n"
		"   2: 0100007F:1F91 0100007F:9999 01 0\n"
		"   3: 0100007F:0000 00000000:0000 0A 0\n"
		"   4: 0100007F:1FFFF 00000000:0000 0A 0\n"
		"   5: 0100007:1F90 00000000:0000 0A 0\n"
		"   6: G100007F:1F90 00000000:0000 0A 0\n"
		"   7:\n";
	static const char tcp6[] = "   0: 00000000000000000000000000000000:0016 00000000000000000000000000000000:0000 0A 0\n"
				   "   1: 0000000000000000FFFF00000100007F:0017 00000000000000000000000000000000:0000 0A 0\n"
				   "   2: 000080FE00000000FF565002BD69D8FE:0018 00000000000000000000000000000000:0000 0A 0\n";
	static const char udp[] = "   9: 00000000:0035 00000000:0000 07 0\n  10: 00000000:0036 01020304:0035 01 0\n  11: 00000000:0037 01020304:0035 07 0\n";
	struct facts_listener *l;
	size_t n;

	assert_int_equal(facts_parse_sockets(slice_of(tcp), "tcp", *state, &l, &n, NULL), 0);
	assert_int_equal(n, 2);
	assert_string_equal(l[0].address, "127.0.0.1");
	assert_int_equal(l[0].port, 8080);
	assert_string_equal(l[1].address, "0.0.0.0");
	assert_int_equal(facts_parse_sockets(slice_of(tcp6), "tcp6", *state, &l, &n, NULL), 0);
	assert_int_equal(n, 3);
	assert_string_equal(l[0].address, "::");
	assert_string_equal(l[1].address, "::ffff:127.0.0.1");
	assert_string_equal(l[2].address, "fe80::250:56ff:fed8:69bd");
	assert_int_equal(facts_parse_sockets(slice_of(udp), "udp", *state, &l, &n, NULL), 0);
	assert_int_equal(n, 1);
	assert_int_equal(l[0].port, 53);
	assert_string_equal(l[0].protocol, "udp");
}

static void a_uid_map_tells_whose_root_it_is(void **state)
{
	uid_t root;

	assert_true(facts_parse_uid_map(SLICE_LIT("         0          0 4294967295\n"), &root));
	assert_int_equal(root, 0);
	assert_false(facts_parse_uid_map(SLICE_LIT("         0     100000      65536\n"), &root));
	assert_int_equal(root, 100000);
	assert_false(facts_parse_uid_map(SLICE_LIT("0 0 1\n1 100000 65536\n"), &root)); /* its root is the host's, still */
	assert_int_equal(root, 0);
	assert_false(facts_parse_uid_map(SLICE_LIT("1000 1000 1\nx y z\n0 5\n0 7 0\n"), &root));
	assert_int_equal(root, (uid_t)-1);
	assert_false(facts_parse_uid_map(SLICE_NONE, &root));
}

static void audit_rules_name_what_they_watch(void **state)
{
	static const char text[] = "# -w /not\n-D\n-w /usr/bin/dockerd -p wa -k docker\n  -w /etc/docker/ -k d\n-a always,exit -F path=/usr/bin/runc -F perm=x\n"
				   "-a exit,never -F path=/never\n-a always,exit -F dir=\"/var/lib/docker\" -k x\n-w\n-w relative\n-a\n";
	struct facts_out o = { .a = *state };
	struct facts_texts t;

	assert_true(facts_texts_open(&o, &t, FACTS_LIST_MAX));
	facts_parse_audit_rules(slice_of(text), &o, &t);
	assert_int_equal(t.count, 4);
	assert_true(has_text(&t, "/usr/bin/dockerd") && has_text(&t, "/etc/docker") && has_text(&t, "/usr/bin/runc") && has_text(&t, "/var/lib/docker"));
}

static void a_rule_of_the_kernel_names_what_it_watches(void **state)
{
	char data[sizeof(struct audit_rule_data) + 64];
	struct audit_rule_data r = { .action = AUDIT_ALWAYS, .field_count = 4 };
	struct facts_out o = { .a = *state };
	struct facts_texts t;

	r.fields[0] = AUDIT_FILTERKEY;
	r.values[0] = 3;
	r.fields[1] = AUDIT_PERM;
	r.values[1] = 10;
	r.fields[2] = AUDIT_WATCH;
	r.values[2] = 4;
	r.fields[3] = AUDIT_DIR;
	r.values[3] = 9;
	memcpy(data + sizeof(r), "key/etc/var/lib/", 16);
	memcpy(data, &r, sizeof(r));
	assert_true(facts_texts_open(&o, &t, FACTS_LIST_MAX));
	facts_parse_audit_rule(slice_from(data, sizeof(r) + 16), &o, &t);
	assert_int_equal(t.count, 2);
	assert_string_equal(t.v[0], "/etc");
	assert_string_equal(t.v[1], "/var/lib");
	/* Longer than what is there, cut, of another kind. */
	t.count = 0;
	facts_parse_audit_rule(slice_from(data, sizeof(r) + 15), &o, &t);
	assert_int_equal(t.count, 1);
	facts_parse_audit_rule(slice_from(data, sizeof(r) - 1), &o, &t);
	r.field_count = UINT32_MAX;
	r.values[0] = UINT32_MAX;
	memcpy(data, &r, sizeof(r));
	facts_parse_audit_rule(slice_from(data, sizeof(data)), &o, &t);
	r.values[0] = 3;
	r.action = AUDIT_NEVER;
	r.field_count = 4;
	memcpy(data, &r, sizeof(r));
	facts_parse_audit_rule(slice_from(data, sizeof(r) + 16), &o, &t);
	assert_int_equal(t.count, 1);
}

static void random_bytes_are_survived(void **state)
{
	for (unsigned i = 0; i < 3000; i++) {
		unsigned char bytes[300];
		uint16_t n;
		struct facts_process p;
		struct facts_mount *m;
		struct facts_listener *l;
		size_t count;
		uid_t root;

		text_random(bytes, sizeof(bytes));
		text_random(&n, sizeof(n));
		/* Mostly of the characters that matter. */
		for (size_t k = 0; k < sizeof(bytes) && i % 2; k++)
			bytes[k] = (unsigned char)" \t\n:-/\\0123456789ABCDEFrwUidCapBnd"[bytes[k] % 34];
		char *exact = malloc(n % 300 + 1);
		memcpy(exact, bytes, n % 300);
		struct slice s = slice_from(exact, n % 300);
		(void)facts_parse_status(s, &p);
		assert_int_equal(facts_parse_mountinfo(s, *state, &m, &count, NULL), 0);
		assert_int_equal(facts_parse_sockets(s, "tcp", *state, &l, &count, NULL), 0);
		(void)facts_parse_uid_map(s, &root);
		free(exact);
		arena_reset(*state);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_status_is_read),
		cmocka_unit_test(a_status_that_says_little_is_not_guessed),
		with_arena(mountinfo_is_read),
		with_arena(mounts_are_cut_at_their_bound),
		with_arena(listening_sockets_are_found),
		cmocka_unit_test(a_uid_map_tells_whose_root_it_is),
		with_arena(audit_rules_name_what_they_watch),
		with_arena(a_rule_of_the_kernel_names_what_it_watches),
		with_arena(random_bytes_are_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
