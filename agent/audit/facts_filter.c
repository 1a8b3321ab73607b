/* facts_filter.c - which calls classic BPF programs let through, without running them on anybody.
 *
 * Each call number is tried with arguments that are not known: a value is a number or "any". Jumps only go forward, so
 * one pass over the program in its order is enough: where two paths meet, what they disagree about becomes "any". So a
 * refusal on all paths is one for certain, and the work is bounded by length times calls. */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include "agent/audit/facts_priv.h"

enum {
	/* Steps over all calls and programs: Docker's default takes about 120,000. ~50 ms at most. */
	STEPS_MAX = 8 << 20,
	DATA_BYTES = sizeof(struct seccomp_data),
	X32_BIT = 0x40000000,
};

struct value {
	uint32_t v;
	bool is_known;
};
static const struct value any = { 0, false };

struct regs {
	struct value a, x, m[BPF_MEMWORDS];
};

struct run {
	const struct facts_program *p;
	uint32_t nr, arch;
	struct regs *at; /* of each instruction; valid where stamp says so */
	uint32_t *stamp; /* round in which the instruction was reached */
	uint32_t round;
	size_t waiting; /* instructions reached and not yet done */
	size_t next[2]; /* where the last step leads; [1] with next_a for A */
	unsigned next_count;
	struct value next_a;
	uint64_t steps;
	bool may_allow, may_refuse;
};

/* ---- what a program may be ---- */

static bool is_target(const struct facts_program *p, size_t pc, uint32_t by)
{
	return by < p->count && pc + 1 + by < p->count;
}

static bool is_sound_instruction(const struct facts_program *p, size_t pc)
{
	const struct sock_filter *i = &p->v[pc];

	switch (i->code) {
	case BPF_LD | BPF_W | BPF_ABS:
		return i->k < DATA_BYTES && !(i->k & 3);
	case BPF_LD | BPF_W | BPF_LEN:
	case BPF_LDX | BPF_W | BPF_LEN:
	case BPF_LD | BPF_IMM:
	case BPF_LDX | BPF_IMM:
	case BPF_MISC | BPF_TAX:
	case BPF_MISC | BPF_TXA:
	case BPF_RET | BPF_K:
	case BPF_RET | BPF_A:
	case BPF_ALU | BPF_ADD | BPF_K:
	case BPF_ALU | BPF_ADD | BPF_X:
	case BPF_ALU | BPF_SUB | BPF_K:
	case BPF_ALU | BPF_SUB | BPF_X:
	case BPF_ALU | BPF_MUL | BPF_K:
	case BPF_ALU | BPF_MUL | BPF_X:
	case BPF_ALU | BPF_DIV | BPF_X:
	case BPF_ALU | BPF_AND | BPF_K:
	case BPF_ALU | BPF_AND | BPF_X:
	case BPF_ALU | BPF_OR | BPF_K:
	case BPF_ALU | BPF_OR | BPF_X:
	case BPF_ALU | BPF_XOR | BPF_K:
	case BPF_ALU | BPF_XOR | BPF_X:
	case BPF_ALU | BPF_LSH | BPF_X:
	case BPF_ALU | BPF_RSH | BPF_X:
	case BPF_ALU | BPF_NEG:
		return true;
	case BPF_ALU | BPF_DIV | BPF_K:
		return i->k;
	case BPF_ALU | BPF_LSH | BPF_K:
	case BPF_ALU | BPF_RSH | BPF_K:
		return i->k < 32;
	case BPF_LD | BPF_MEM:
	case BPF_LDX | BPF_MEM:
	case BPF_ST:
	case BPF_STX:
		return i->k < BPF_MEMWORDS;
	case BPF_JMP | BPF_JA:
		return is_target(p, pc, i->k);
	case BPF_JMP | BPF_JEQ | BPF_K:
	case BPF_JMP | BPF_JEQ | BPF_X:
	case BPF_JMP | BPF_JGT | BPF_K:
	case BPF_JMP | BPF_JGT | BPF_X:
	case BPF_JMP | BPF_JGE | BPF_K:
	case BPF_JMP | BPF_JGE | BPF_X:
	case BPF_JMP | BPF_JSET | BPF_K:
	case BPF_JMP | BPF_JSET | BPF_X:
		return is_target(p, pc, i->jt) && is_target(p, pc, i->jf);
	}
	return false; /* the kernel takes no other in a filter of calls */
}

static int check_program(const struct facts_program *p, struct err *err)
{
	if (!p->count || p->count > FACTS_INSTRUCTIONS_MAX)
		return err_set(err, ERR_CORRUPT, "a filter of %zu instructions", p->count);
	for (size_t i = 0; i < p->count; i++)
		if (!is_sound_instruction(p, i))
			return err_set(err, ERR_CORRUPT, "a filter's instruction %zu is none: %04x", i, p->v[i].code);
	if (BPF_CLASS(p->v[p->count - 1].code) != BPF_RET)
		return err_set(err, ERR_CORRUPT, "a filter does not end in a verdict");
	return 0;
}

/* ---- one step ---- */

static struct value known(uint32_t v)
{
	return (struct value){ v, true };
}

static struct value load(const struct run *r, uint32_t offset)
{
	if (offset == offsetof(struct seccomp_data, nr))
		return known(r->nr);
	if (offset == offsetof(struct seccomp_data, arch))
		return known(r->arch);
	return any;
}

static struct value alu(unsigned op, struct value a, struct value b)
{
	/* What holds whatever the other is. */
	if ((op == BPF_AND || op == BPF_MUL) && ((a.is_known && !a.v) || (b.is_known && !b.v)))
		return known(0);
	if (op == BPF_OR && ((a.is_known && a.v == UINT32_MAX) || (b.is_known && b.v == UINT32_MAX)))
		return known(UINT32_MAX);
	if (!a.is_known || !b.is_known)
		return any;
	switch (op) {
	case BPF_ADD:
		return known(a.v + b.v);
	case BPF_SUB:
		return known(a.v - b.v);
	case BPF_MUL:
		return known(a.v * b.v);
	case BPF_DIV:
		return known(b.v ? a.v / b.v : 0);
	case BPF_AND:
		return known(a.v & b.v);
	case BPF_OR:
		return known(a.v | b.v);
	case BPF_XOR:
		return known(a.v ^ b.v);
	case BPF_LSH: /* the kernel's own programs take the low five bits */
		return known(a.v << (b.v & 31));
	case BPF_RSH:
		return known(a.v >> (b.v & 31));
	}
	return any;
}

static void verdict(struct run *r, struct value v)
{
	if (!v.is_known) {
		r->may_allow = r->may_refuse = true;
		return;
	}
	switch (v.v & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_ALLOW:
	case SECCOMP_RET_LOG:
	case SECCOMP_RET_TRACE: /* a process may trace its own child and wave the call through */
	case SECCOMP_RET_USER_NOTIF:
		r->may_allow = true;
		break;
	default:
		r->may_refuse = true;
	}
}

static void meet_value(struct value *to, struct value from)
{
	if (to->is_known && (!from.is_known || from.v != to->v))
		*to = any;
}

static void reach(struct run *r, size_t pc, const struct regs *from)
{
	struct regs *to = &r->at[pc];

	if (r->stamp[pc] != r->round) {
		r->stamp[pc] = r->round;
		r->waiting++;
		*to = *from;
		return;
	}
	meet_value(&to->a, from->a);
	meet_value(&to->x, from->x);
	for (size_t i = 0; i < BPF_MEMWORDS; i++)
		meet_value(&to->m[i], from->m[i]);
}

/* 1 taken, 0 not, -1 either. */
static int compare(unsigned op, struct value a, struct value b)
{
	if (op == BPF_JSET && ((a.is_known && !a.v) || (b.is_known && !b.v)))
		return 0;
	if (op == BPF_JGE && b.is_known && !b.v)
		return 1;
	if (!a.is_known || !b.is_known)
		return -1;
	switch (op) {
	case BPF_JEQ:
		return a.v == b.v;
	case BPF_JGT:
		return a.v > b.v;
	case BPF_JGE:
		return a.v >= b.v;
	}
	return (a.v & b.v) != 0;
}

/* A comparison of something unknown with a number tells which it is where they are equal: a filter that compares the
 * same word twice is then followed down the one way there is. */
static void jump(struct run *r, const struct sock_filter *i, size_t pc, const struct regs *g)
{
	r->next_count = 1;
	if (BPF_OP(i->code) == BPF_JA) {
		r->next[0] = pc + 1 + i->k;
		return;
	}
	struct value b = BPF_SRC(i->code) == BPF_X ? g->x : known(i->k);
	int taken = compare(BPF_OP(i->code), g->a, b);
	r->next[0] = pc + 1 + (taken == 1 ? i->jt : i->jf);
	if (taken >= 0)
		return;
	r->next[r->next_count++] = pc + 1 + i->jt;
	r->next_a = BPF_OP(i->code) == BPF_JEQ && b.is_known ? b : g->a;
}

static void misc_or_alu(const struct sock_filter *i, struct regs *g)
{
	if (i->code == (BPF_MISC | BPF_TAX))
		g->x = g->a;
	else if (i->code == (BPF_MISC | BPF_TXA))
		g->a = g->x;
	else if (i->code == (BPF_ALU | BPF_NEG))
		g->a.v = -g->a.v;
	else
		g->a = alu(BPF_OP(i->code), g->a, BPF_SRC(i->code) == BPF_X ? g->x : known(i->k));
}

static void step(struct run *r, size_t pc, struct regs *g)
{
	const struct sock_filter *i = &r->p->v[pc];

	r->next_count = 0;
	switch (BPF_CLASS(i->code)) {
	case BPF_RET:
		verdict(r, i->code == (BPF_RET | BPF_A) ? g->a : known(i->k));
		return;
	case BPF_JMP:
		jump(r, i, pc, g);
		return;
	case BPF_LD:
	case BPF_LDX: {
		struct value v = BPF_MODE(i->code) == BPF_ABS	? load(r, i->k)
				 : BPF_MODE(i->code) == BPF_MEM ? g->m[i->k]
				 : BPF_MODE(i->code) == BPF_LEN ? known(DATA_BYTES)
								: known(i->k);
		if (BPF_CLASS(i->code) == BPF_LD)
			g->a = v;
		else
			g->x = v;
		break;
	}
	case BPF_ST:
		g->m[i->k] = g->a;
		break;
	case BPF_STX:
		g->m[i->k] = g->x;
		break;
	default:
		/* A division by what may be 0 may end the program with the verdict 0: killed. */
		if (i->code == (BPF_ALU | BPF_DIV | BPF_X) && (!g->x.is_known || !g->x.v)) {
			r->may_refuse = true;
			if (g->x.is_known)
				return;
		}
		misc_or_alu(i, g);
	}
	r->next[r->next_count++] = pc + 1;
}

/* ---- one call through one program ---- */

/* The first instruction from pc on that a path has reached: there is one. */
static size_t resume(struct run *r, size_t pc, struct regs *ret)
{
	while (r->stamp[pc] != r->round)
		pc++;
	r->waiting--;
	*ret = r->at[pc];
	return pc;
}

static int try_program(struct run *r, const struct facts_program *p, struct err *err)
{
	struct regs g = { .a = known(0), .x = known(0) };
	size_t pc = 0;

	r->p = p;
	r->round++;
	r->waiting = 0;
	r->may_allow = r->may_refuse = false;
	/* What a program has not written to its memory is "any". As long as there is one path only, nothing is copied.
	 */
	for (;;) {
		if (++r->steps > STEPS_MAX)
			return err_set(err, ERR_LIMIT, "the filters take too long to follow");
		step(r, pc, &g);
		if (r->next_count == 1 && !r->waiting) {
			pc = r->next[0];
			continue;
		}
		if (r->next_count)
			reach(r, r->next[0], &g);
		if (r->next_count > 1) {
			g.a = r->next_a;
			reach(r, r->next[1], &g);
		}
		if (!r->waiting)
			return 0;
		pc = resume(r, pc + 1, &g);
	}
}

/* Through all of them: the strictest verdict counts, so every one has to let it through. */
static int try_call(struct run *r, const struct facts_program *programs, size_t count, bool *ret_allows,
		    bool *ret_always, struct err *err)
{
	*ret_allows = *ret_always = true;
	for (size_t i = 0; i < count && *ret_allows; i++) {
		int e = try_program(r, &programs[i], err);

		if (e < 0)
			return e;
		*ret_allows &= r->may_allow;
		*ret_always &= !r->may_refuse;
	}
	*ret_always &= *ret_allows;
	return 0;
}

static int try_other_abi(struct run *r, const struct facts_program *programs, size_t count, struct facts_filter *f,
			 struct err *err)
{
	const struct {
		uint32_t of, arch, bit;
	} others[] = {
		{ AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, 0 },
		{ AUDIT_ARCH_X86_64, AUDIT_ARCH_X86_64, X32_BIT },
		{ AUDIT_ARCH_AARCH64, AUDIT_ARCH_ARM, 0 },
	};
	const uint32_t arch = r->arch;
	bool always;

	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		if (others[i].of != arch)
			continue;
		r->arch = others[i].arch;
		for (uint32_t n = 0; n < FACTS_SYSCALLS && !f->allows_other_abi; n++) {
			r->nr = n | others[i].bit;
			int e = try_call(r, programs, count, &f->allows_other_abi, &always, err);
			if (e < 0)
				return e;
		}
	}
	r->arch = arch;
	return 0;
}

static void set_bit(uint64_t *set, uint32_t n)
{
	set[n / 64] |= 1ULL << n % 64;
}

static int try_all(struct run *r, const struct facts_program *programs, size_t count, struct facts_filter *f,
		   struct err *err)
{
	bool allows, always;

	for (uint32_t n = 0; n < FACTS_SYSCALLS; n++) {
		r->nr = n;
		int e = try_call(r, programs, count, &allows, &always, err);
		if (e < 0)
			return e;
		if (allows)
			set_bit(f->allows, n);
		if (always)
			set_bit(f->always, n);
		f->allowed += allows;
	}
	return try_other_abi(r, programs, count, f, err);
}

int facts_filter_evaluate(const struct facts_program *programs, size_t count, uint32_t arch, struct facts_filter *ret,
			  struct err *err)
{
	struct facts_filter f = { .why = "", .is_read = true, .filters = (unsigned)count };
	size_t most = 1;

	if (count > FACTS_FILTERS_MAX)
		return err_set(err, ERR_LIMIT, "%zu filters on one process", count);
	for (size_t i = 0; i < count; i++) {
		int r = check_program(&programs[i], err);

		if (r < 0)
			return r;
		f.instructions += (unsigned)programs[i].count;
		most = programs[i].count > most ? programs[i].count : most;
	}
	CLEANUP(freep) struct regs *at = calloc(most, sizeof(*at));
	CLEANUP(freep) uint32_t *stamp = calloc(most, sizeof(*stamp));
	if (!at || !stamp)
		return err_set(err, ERR_LIMIT, "out of memory");
	struct run r = { .arch = arch, .at = at, .stamp = stamp };
	int e = try_all(&r, programs, count, &f, err);
	if (e < 0)
		return e;
	*ret = f;
	return 0;
}
