/* test_facts_filter.c - what filters let through: assembled by libseccomp and by hand, and held against what the kernel
 * does to a child that has installed them. */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "common/text.h"
#include "facts_test.h"

enum { MAX = 4096 };
struct program {
	struct sock_filter v[MAX];
	size_t count;
};

/* Takes the context. */
static void assemble(scmp_filter_ctx ctx, struct program *p)
{
	int fd = memfd_create("bpf", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(seccomp_export_bpf(ctx, fd), 0);
	seccomp_release(ctx);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	ssize_t n = read(fd, p->v, sizeof(p->v));
	assert_true(n > 0);
	p->count = (size_t)n / sizeof(p->v[0]);
	close(fd);
}

static void evaluate(const struct program *p, size_t count, struct facts_filter *ret)
{
	struct facts_program programs[8];
	struct err err = { 0 };

	for (size_t i = 0; i < count; i++)
		programs[i] = (struct facts_program){ p[i].v, p[i].count };
	if (facts_filter_evaluate(programs, count, facts_native_arch(), ret, &err) < 0)
		fail_msg("%s", err.msg);
}

static scmp_filter_ctx allow_list(void)
{
	static const int names[] = { SCMP_SYS(exit),  SCMP_SYS(exit_group), SCMP_SYS(read),
				     SCMP_SYS(write), SCMP_SYS(getppid),    SCMP_SYS(rt_sigreturn) };
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(ENOSPC));

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_int_equal(seccomp_rule_add(ctx, SCMP_ACT_ALLOW, names[i], 0), 0);
	return ctx;
}

static void no_filter_lets_everything_through(void **state)
{
	struct facts_filter f;

	assert_int_equal(facts_filter_evaluate(NULL, 0, facts_native_arch(), &f, NULL), 0);
	assert_true(f.is_read && f.allows_other_abi);
	assert_int_equal(f.allowed, FACTS_SYSCALLS);
	assert_int_equal(f.instructions, 0);
}

static void an_allow_all_profile_lets_everything_through(void **state)
{
	struct program p;
	struct facts_filter f;

	assemble(seccomp_init(SCMP_ACT_ALLOW), &p);
	evaluate(&p, 1, &f);
	assert_int_equal(f.allowed, FACTS_SYSCALLS);
	assert_true(has_bit(f.always, SYS_mount));
	assert_int_equal(f.filters, 1);
	assert_int_equal(f.instructions, p.count);
}

static void a_default_deny_lets_its_list_through(void **state)
{
	struct program p;
	struct facts_filter f;

	assemble(allow_list(), &p);
	evaluate(&p, 1, &f);
	assert_int_equal(f.allowed, 6);
	assert_true(has_bit(f.allows, SYS_read) && has_bit(f.always, SYS_read) && has_bit(f.allows, SYS_getppid));
	assert_false(has_bit(f.allows, SYS_mount));
	assert_false(f.allows_other_abi);
}

static void arguments_make_a_call_allowed_but_not_always(void **state)
{
	scmp_filter_ctx ctx = allow_list();
	struct program p;
	struct facts_filter f;

	assert_int_equal(seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(personality), 1, SCMP_A0(SCMP_CMP_EQ, 8)), 0);
	assert_int_equal(
		seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, SCMP_A0(SCMP_CMP_MASKED_EQ, 0x7e020000, 0)),
		0);
	assert_int_equal(seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_NE, 40)), 0);
	assemble(ctx, &p);
	evaluate(&p, 1, &f);
	assert_int_equal(f.allowed, 9);
	assert_true(has_bit(f.allows, SYS_personality) && has_bit(f.allows, SYS_clone) &&
		    has_bit(f.allows, SYS_socket));
	assert_false(has_bit(f.always, SYS_personality) || has_bit(f.always, SYS_clone) ||
		     has_bit(f.always, SYS_socket));
}

static void of_several_filters_the_strictest_counts(void **state)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	struct program *p = calloc(2, sizeof(*p));
	struct facts_filter f;

	assert_int_equal(seccomp_rule_add(ctx, SCMP_ACT_KILL, SCMP_SYS(read), 0), 0);
	assemble(ctx, &p[0]);
	assemble(allow_list(), &p[1]);
	evaluate(p, 2, &f);
	assert_int_equal(f.allowed, 5);
	assert_false(has_bit(f.allows, SYS_read));
	assert_true(has_bit(f.always, SYS_write));
	assert_int_equal(f.filters, 2);
	free(p);
}

static void who_is_asked_counts_as_let_through(void **state)
{
	const struct {
		uint32_t action;
		bool lets;
	} rows[] = {
		{ SECCOMP_RET_ALLOW, true },	     { SECCOMP_RET_LOG, true },
		{ SECCOMP_RET_USER_NOTIF, true },    { SECCOMP_RET_TRACE | 7, true },
		{ SECCOMP_RET_ERRNO | 1, false },    { SECCOMP_RET_ERRNO, false },
		{ SECCOMP_RET_TRAP, false },	     { SECCOMP_RET_KILL_THREAD, false },
		{ SECCOMP_RET_KILL_PROCESS, false }, { 0x12340000, false } /* an action that is none kills */,
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct program p = { .count = 1, .v = { BPF_STMT(BPF_RET | BPF_K, rows[i].action) } };
		struct facts_filter f;

		evaluate(&p, 1, &f);
		if (f.allowed != (rows[i].lets ? FACTS_SYSCALLS : 0))
			fail_msg("%x: %u", rows[i].action, f.allowed);
	}
}

static void the_other_tables_of_calls_are_tried(void **state)
{
#ifdef __x86_64__
	scmp_filter_ctx ctx = allow_list();
	struct program p;
	struct facts_filter f;

	/* A rule counts for the tables that were there before it. */
	assert_int_equal(seccomp_arch_add(ctx, SCMP_ARCH_X86), 0);
	assert_int_equal(seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(getpid), 0), 0);
	assemble(ctx, &p);
	evaluate(&p, 1, &f);
	assert_int_equal(f.allowed, 7);
	assert_true(f.allows_other_abi);
	/* x32: the same arch, another bit in the number; whoever compares the number alone lets it through. */
	struct program q = { .count = 4,
			     .v = { BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
				    BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1),
				    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
				    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS) } };
	evaluate(&q, 1, &f);
	assert_int_equal(f.allowed, 0);
	assert_true(f.allows_other_abi);
#endif
}

/* Every instruction the kernel takes, in a program whose verdict is known. */
static void arithmetic_is_the_kernels(void **state)
{
	const struct {
		uint16_t code;
		uint32_t a, b, want;
	} rows[] = {
		{ BPF_ADD, 0xffffffff, 2, 1 }, { BPF_SUB, 1, 2, 0xffffffff },  { BPF_MUL, 0x10000, 0x10001, 0x10000 },
		{ BPF_DIV, 7, 2, 3 },	       { BPF_AND, 12, 10, 8 },	       { BPF_OR, 12, 10, 14 },
		{ BPF_XOR, 12, 10, 6 },	       { BPF_LSH, 1, 31, 0x80000000 }, { BPF_RSH, 0x80000000, 31, 1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows) * 2; i++) {
		const bool by_x = i & 1;
		const __typeof__(rows[0]) *r = &rows[i / 2];
		struct program p = { .count = 9,
				     .v = { BPF_STMT(BPF_LDX | BPF_IMM, r->b), BPF_STMT(BPF_STX, 3),
					    BPF_STMT(BPF_LD | BPF_MEM, 3), BPF_STMT(BPF_MISC | BPF_TAX, 0),
					    BPF_STMT(BPF_LD | BPF_IMM, r->a),
					    BPF_STMT((uint16_t)(BPF_ALU | r->code | (by_x ? BPF_X : BPF_K)), r->b),
					    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, r->want, 0, 1),
					    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
					    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO) } };
		struct facts_filter f;

		evaluate(&p, 1, &f);
		if (f.allowed != FACTS_SYSCALLS || !has_bit(f.always, 1))
			fail_msg("row %zu: %u", i, f.allowed);
	}
}

static void what_paths_disagree_about_is_not_known(void **state)
{
	/* if (arg0) A = ALLOW; else A = ERRNO; return A */
	struct program p = { .count = 6,
			     .v = { BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args)),
				    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 2),
				    BPF_STMT(BPF_LD | BPF_IMM, SECCOMP_RET_ERRNO), BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0),
				    BPF_STMT(BPF_LD | BPF_IMM, SECCOMP_RET_ALLOW), BPF_STMT(BPF_RET | BPF_A, 0) } };
	struct facts_filter f;

	evaluate(&p, 1, &f);
	assert_int_equal(f.allowed, FACTS_SYSCALLS);
	assert_false(has_bit(f.always, 1));
	/* A division by an argument may kill. */
	struct program q = { .count = 4,
			     .v = { BPF_STMT(BPF_LDX | BPF_W | BPF_LEN, 0), BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 16),
				    BPF_STMT(BPF_MISC | BPF_TAX, 0), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) } };
	evaluate(&q, 1, &f);
	assert_true(has_bit(f.always, 1));
	q.v[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 16);
	q.v[1] = (struct sock_filter)BPF_STMT(BPF_MISC | BPF_TAX, 0);
	q.v[2] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_DIV | BPF_X, 0);
	evaluate(&q, 1, &f);
	assert_true(has_bit(f.allows, 1) && !has_bit(f.always, 1));
}

static void what_the_kernel_would_not_take_is_refused(void **state)
{
	static const struct sock_filter bad[][2] = {
		{ BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0), BPF_STMT(BPF_RET | BPF_K, 0) },
		{ BPF_JUMP(BPF_JMP | BPF_JA, UINT32_MAX, 0, 0), BPF_STMT(BPF_RET | BPF_K, 0) },
		{ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0), BPF_STMT(BPF_RET | BPF_K, 0) },
		{ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 255), BPF_STMT(BPF_RET | BPF_K, 0) },
		{ BPF_STMT(BPF_LD | BPF_MEM, 16), BPF_STMT(BPF_RET | BPF_K, 0) },
		{ BPF_STMT(BPF_ST, UINT32_MAX), BPF_STMT(BPF_RET | BPF_K, 0) },
		{ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), BPF_STMT(BPF_RET | BPF_K, 0) },
		{ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2), BPF_STMT(BPF_RET | BPF_K, 0) },
		{ BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0), BPF_STMT(BPF_RET | BPF_K, 0) },
		{ BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), BPF_STMT(BPF_RET | BPF_K, 0) },
		{ BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 32), BPF_STMT(BPF_RET | BPF_K, 0) },
		{ BPF_STMT(0xffff, 0), BPF_STMT(BPF_RET | BPF_K, 0) },
		{ BPF_STMT(BPF_RET | BPF_K, 0), BPF_STMT(BPF_LD | BPF_IMM, 0) },
	};
	struct facts_filter f = { .allowed = 7 };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		const struct facts_program p = { bad[i], 2 };

		if (facts_filter_evaluate(&p, 1, facts_native_arch(), &f, NULL) != -ERR_CORRUPT)
			fail_msg("row %zu is taken", i);
	}
	const struct facts_program none = { NULL, 0 };
	assert_int_equal(facts_filter_evaluate(&none, 1, facts_native_arch(), &f, NULL), -ERR_CORRUPT);
	assert_int_equal(f.allowed, 7);
}

/* As many paths as there are subsets, and filters as long and as many as there may be: bounded, and told. */
static void a_filter_made_to_take_long_does_not(void **state)
{
	struct program *p = calloc(1, sizeof(*p));
	struct facts_program programs[FACTS_FILTERS_MAX + 1];
	struct facts_filter f;

	for (p->count = 0; p->count + 4 < MAX; p->count += 3) {
		p->v[p->count] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 16);
		p->v[p->count + 1] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 1, 0, 1);
		p->v[p->count + 2] = (struct sock_filter)BPF_STMT(BPF_ST, 0);
	}
	p->v[p->count++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	for (size_t i = 0; i < ARRAY_LEN(programs); i++)
		programs[i] = (struct facts_program){ p->v, p->count };
	assert_int_equal(facts_filter_evaluate(programs, 1, facts_native_arch(), &f, NULL), 0);
	assert_int_equal(f.allowed, FACTS_SYSCALLS);
	assert_int_equal(facts_filter_evaluate(programs, FACTS_FILTERS_MAX, facts_native_arch(), &f, NULL), -ERR_LIMIT);
	assert_int_equal(facts_filter_evaluate(programs, FACTS_FILTERS_MAX + 1, facts_native_arch(), &f, NULL),
			 -ERR_LIMIT);
	free(p);
}

/* ---- against the kernel ---- */

struct shared {
	int refused[FACTS_SYSCALLS]; /* 1 refused with ENOSPC, 0 let through, -1 not tried */
};

/* Calls that are harmless with arguments that mean nothing, and do not wait. */
static bool is_harmless(unsigned nr)
{
	static const unsigned names[] = {
		SYS_read,
		SYS_write,
		SYS_close,
		SYS_getppid,
		SYS_getuid,
		SYS_lseek,
		SYS_ioctl,
		SYS_mount,
		SYS_umount2,
		SYS_setns,
		SYS_bpf,
		SYS_keyctl,
		SYS_socket,
		SYS_personality,
		SYS_ptrace,
		SYS_chroot,
		SYS_init_module,
		SYS_finit_module,
		SYS_swapon,
		SYS_add_key,
		SYS_openat,
		SYS_fchmodat,
		SYS_mknodat,
		SYS_sched_getparam,
		SYS_kcmp,
		SYS_open_by_handle_at,
		SYS_perf_event_open,
		SYS_userfaultfd,
		SYS_acct,
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (names[i] == nr)
			return true;
	return false;
}

static void child_tries(const struct program *p, struct shared *s)
{
	const struct sock_fprog prog = { .len = (unsigned short)p->count, .filter = (struct sock_filter *)p->v };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog))
		_exit(3);
	for (unsigned n = 0; n < FACTS_SYSCALLS; n++)
		if (is_harmless(n))
			s->refused[n] = syscall(n, -1L, -1L, -1L, -1L, -1L, -1L) < 0 && errno == ENOSPC;
	syscall(SYS_exit_group, 0);
}

/* Random sets of calls: the kernel refuses those, and only those, that we say it does. */
static void the_kernel_agrees(void **state)
{
	struct shared *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned tried = 0, let = 0;

	assert_true(s != MAP_FAILED);
	for (unsigned round = 0; round < 12; round++) {
		scmp_filter_ctx ctx = seccomp_init(round % 2 ? SCMP_ACT_ERRNO(ENOSPC) : SCMP_ACT_ALLOW);
		struct program p;
		struct facts_filter f;
		uint8_t coin[FACTS_SYSCALLS];
		int status;

		text_random(coin, sizeof(coin));
		if (round % 4 > 1)
			(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree instead of a list */
		for (int n = 0; n < FACTS_SYSCALLS; n++)
			if ((coin[n] & 1 || (round % 2 && n == SYS_exit_group)) && (n != SYS_exit_group || round % 2))
				(void)seccomp_rule_add(ctx, round % 2 ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(ENOSPC), n, 0);
		assemble(ctx, &p);
		evaluate(&p, 1, &f);
		memset(s->refused, 0xff, sizeof(s->refused));
		pid_t pid = fork();
		assert_true(pid >= 0);
		if (!pid)
			child_tries(&p, s);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		if (WEXITSTATUS(status) == 3) {
			print_message("[  SKIPPED ] no filter can be installed here\n");
			skip();
		}
		for (unsigned n = 0; n < FACTS_SYSCALLS; n++) {
			if (s->refused[n] < 0)
				continue;
			if (has_bit(f.allows, n) != !s->refused[n] || has_bit(f.always, n) != !s->refused[n])
				fail_msg("round %u call %u: kernel %s, we say %d", round, n,
					 s->refused[n] ? "refuses" : "lets through", has_bit(f.allows, n));
			tried++;
			let += has_bit(f.allows, n);
		}
	}
	assert_true(tried > 100 && let > 30 && tried - let > 30);
	munmap(s, sizeof(*s));
}

/* ---- the engine's own profile ---- */

static void the_default_profile_is_as_published(void **state)
{
	const uint64_t caps = 0xa80425fb, sys_admin = 1ULL << 21;
	struct facts_filter f, more, old;

	facts_default_filter(caps, "28.2.2", &f);
	assert_true(f.is_read && f.allows_other_abi);
	assert_true(has_bit(f.always, SYS_openat) && has_bit(f.allows, SYS_clone) && has_bit(f.allows, SYS_chroot));
	assert_false(has_bit(f.always, SYS_clone) || has_bit(f.always, SYS_personality));
	assert_false(has_bit(f.allows, SYS_mount) || has_bit(f.allows, SYS_bpf) || has_bit(f.allows, SYS_keyctl) ||
		     has_bit(f.allows, SYS_unshare) || has_bit(f.allows, SYS_kexec_load) ||
		     has_bit(f.allows, SYS_io_uring_setup));
	facts_default_filter(caps, "20.10.24", &old);
	assert_true(has_bit(old.allows, SYS_io_uring_setup));
	assert_int_equal(old.allowed, f.allowed + 3);
	facts_default_filter(caps | sys_admin, "28.2.2", &more);
	assert_true(has_bit(more.allows, SYS_mount) && has_bit(more.allows, SYS_bpf) &&
		    has_bit(more.always, SYS_clone) && has_bit(more.allows, SYS_unshare));
	assert_false(has_bit(more.allows, SYS_keyctl) || has_bit(more.allows, SYS_init_module));
	unsigned bits = 0;
	for (unsigned n = 0; n < FACTS_SYSCALLS; n++) {
		bits += has_bit(more.allows, n);
		assert_true(has_bit(more.allows, n) || !has_bit(more.always, n));
	}
	assert_int_equal(bits, more.allowed);
	facts_default_filter(0, "", &f);
	assert_false(has_bit(f.allows, SYS_chroot));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_filter_lets_everything_through),
		cmocka_unit_test(an_allow_all_profile_lets_everything_through),
		cmocka_unit_test(a_default_deny_lets_its_list_through),
		cmocka_unit_test(arguments_make_a_call_allowed_but_not_always),
		cmocka_unit_test(of_several_filters_the_strictest_counts),
		cmocka_unit_test(who_is_asked_counts_as_let_through),
		cmocka_unit_test(the_other_tables_of_calls_are_tried),
		cmocka_unit_test(arithmetic_is_the_kernels),
		cmocka_unit_test(what_paths_disagree_about_is_not_known),
		cmocka_unit_test(what_the_kernel_would_not_take_is_refused),
		cmocka_unit_test(a_filter_made_to_take_long_does_not),
		cmocka_unit_test(the_kernel_agrees),
		cmocka_unit_test(the_default_profile_is_as_published),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
