/* evidence.c - see evidence.h. */
#include "collector/evidence.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "common/file.h"

enum { HEADS_FILE_MAX = 64 * 1024 * 1024, HEADS_MAX = 1 << 19 };

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool hash_parse(struct slice text, uint8_t ret[STORE_HASH_BYTES])
{
	if (text.n != 2 * STORE_HASH_BYTES)
		return false;
	for (size_t i = 0; i < STORE_HASH_BYTES; i++) {
		int high = hex_digit(text.p[2 * i]), low = hex_digit(text.p[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		ret[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

bool evidence_head_parse(char *line, struct store_head *ret)
{
	struct slice rest = slice_of(line), agent, class_name, count;
	struct store_head h = { .agent = line, .class_no = STORE_CLASSES };

	if (!slice_split(&rest, ' ', &agent) || !agent.n || !slice_split(&rest, ' ', &class_name) ||
	    !slice_split(&rest, ' ', &count) || !slice_to_u64(count, &h.count) || !hash_parse(rest, h.hash))
		return false;
	for (unsigned c = 0; c < STORE_CLASSES; c++)
		if (slice_is(class_name, store_class_name((enum store_class)c)))
			h.class_no = (enum store_class)c;
	if (h.class_no == STORE_CLASSES)
		return false;
	line[agent.n] = 0;
	*ret = h;
	return true;
}

static int print_head(void *arg, const struct store_head *h)
{
	(void)arg;
	printf("%s %s %" PRIu64 " ", h->agent, store_class_name(h->class_no), h->count);
	for (size_t i = 0; i < STORE_HASH_BYTES; i++)
		printf("%02x", h->hash[i]);
	puts("");
	return 0;
}

int evidence_print_heads(struct store *s, struct err *err)
{
	return store_heads_each(s, print_head, NULL, err);
}

/* text is cut into lines; ret: caller frees. */
static int read_heads(char *text, struct store_head **ret, size_t *ret_count, struct err *err)
{
	CLEANUP(freep) struct store_head *heads = calloc(HEADS_MAX, sizeof(*heads));
	size_t count = 0;
	char *rest = text, *line;
	unsigned number = 0;

	if (!heads)
		return err_set(err, ENOMEM, "heads");
	while ((line = strsep(&rest, "\n"))) {
		number++;
		if (!line[0])
			continue;
		if (count == HEADS_MAX || !evidence_head_parse(line, &heads[count]))
			return err_set(err, ERR_SYNTAX, "line %u: not AGENT CLASS COUNT HASH, as `heads` prints it",
				       number);
		count++;
	}
	*ret_count = count;
	*ret = take_ptr(heads);
	return 0;
}

static void print_fault(void *arg, const char *fault)
{
	++*(uint64_t *)arg;
	puts(fault);
}

int evidence_verify(struct store *s, const char *heads_path, struct err *err)
{
	CLEANUP(buf_finip) struct buf text = { 0 };
	CLEANUP(freep) struct store_head *heads = NULL;
	struct store_verify how = { 0 };
	uint64_t faults = 0;
	int r = 0;

	if (heads_path) {
		r = file_read(heads_path, HEADS_FILE_MAX, &text, err);
		if (r >= 0 && text.n)
			r = read_heads(text.p, &heads, &how.head_count, err);
		if (r < 0)
			return err_wrap(err, r, "--heads '%s'", heads_path);
		how.heads = heads;
	}
	r = store_verify_heads(s, &how, print_fault, &faults, err);
	if (r < 0)
		return r;
	fprintf(stderr, "%" PRIu64 " records read, %" PRIu64 " faults\n", how.ret_records, faults);
	if (how.ret_unchained)
		fprintf(stderr, "%" PRIu64 " of them were stored before there were chains\n", how.ret_unchained);
	return faults ? err_set(err, EIO, "stored data is damaged in %" PRIu64 " places", faults) : 0;
}
