/* kills.c - the filter's kills as rows that the program at exec compares. */
#include "agent/probe/probe_priv.h"

#include <errno.h>

#include <bpf/bpf.h>

#include "agent/bpf/tables.h"

/* The row of one name and one program, of which either may be missing. */
static int make_row(const struct filter_kill *k, const char *comm, const struct filter_text *exe,
		    struct kill_row *row, struct err *err)
{
	if (k->is_memfd)
		row->flags |= RECORD_EXE_MEMFD;
	if (k->is_upper_layer)
		row->flags |= RECORD_EXE_UPPER;
	if (k->where == FILTER_HOST || k->where == FILTER_CONTAINER)
		row->where = (uint16_t)k->where;
	if (comm) {
		size_t n = strlen(comm);

		if (n > FILTER_COMM_MAX)
			return err_set(err, ERR_LIMIT, "kill of '%s': its name is too long",
				       k->rule);
		memcpy(row->comm, comm, n);
		row->has_comm = 1;
	}
	if (exe) {
		if (exe->kind != FILTER_EXACT && exe->kind != FILTER_PREFIX)
			return err_set(err, EINVAL, "kill of '%s': kind %d", k->rule, exe->kind);
		if (!exe->text.n || exe->text.n > KILL_EXE_MAX)
			return err_set(err, ERR_LIMIT,
				       "kill of '%s': its program's path is too long", k->rule);
		memcpy(row->exe, exe->text.p, exe->text.n);
		memset(row->exe_mask, 0xff, exe->text.n);
		row->exe_bytes = (uint16_t)exe->text.n;
		row->exe_is_whole = exe->kind == FILTER_EXACT;
	}
	if (!row->flags && !comm && !exe)
		return err_set(err, EINVAL, "kill of '%s' asks for nothing", k->rule);
	return 0;
}

static int add_kill(int map, uint32_t first, uint32_t *count, const struct filter_kill *k,
		    uint32_t index, struct err *err)
{
	size_t comms = k->comm_count ? k->comm_count : 1, exes = k->exe_count ? k->exe_count : 1;

	for (size_t i = 0; i < comms * exes; i++) {
		struct kill_row row = {.index = index};
		uint32_t key = first + *count;

		if (*count == KILL_ROWS_MAX)
			return err_set(err, ERR_LIMIT, "kills of more than %d names and programs",
				       (int)KILL_ROWS_MAX);
		int r = make_row(k, k->comm_count ? k->comms[i / exes] : NULL,
				 k->exe_count ? &k->exes[i % exes] : NULL, &row, err);
		if (r < 0)
			return r;
		r = bpf_map_update_elem(map, &key, &row, BPF_ANY);
		if (r < 0)
			return err_set(err, r, "give the kernel a kill");
		++*count;
	}
	return 0;
}

int kills_set(struct loaded *l, const struct filter *f, struct err *err)
{
	uint32_t bank = ~(l->reader->kills >> KILL_BANK_SHIFT) & 1, count = 0;

	for (size_t i = 0; i < f->kill_count; i++) {
		int r = add_kill(l->shared_fd[SHARED_KILLS], bank * KILL_ROWS_MAX, &count,
				 &f->kills[i], (uint32_t)i, err);
		if (r < 0)
			return r;
	}
	/* None: 0, whichever half, so that an exec looks no further. */
	__atomic_store_n(&l->reader->kills, count ? count | bank << KILL_BANK_SHIFT : 0,
			 __ATOMIC_SEQ_CST);
	return 0;
}
