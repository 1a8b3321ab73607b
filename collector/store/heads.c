/* heads.c - see heads.h. The sum stands beside the heads, as that of an agent without a name. */
#include "collector/store/heads.h"

#include "collector/store/chain.h"

static void sign(struct store *s, const struct heads *h, uint8_t ret[CHAIN_BYTES])
{
	const struct chain_value v = { .count = h->count };
	char text[4 * 16 + 1];

	for (int i = 0; i < 4; i++)
		snprintf(text + 16 * i, 17, "%016llx", (unsigned long long)h->lanes[i]);
	chain_sign(s->history->key, "heads", text, 0, &v, ret);
}

/* Before the first head there is no sum. */
static int is_new(struct store *s, bool *ret, struct err *err)
{
	int64_t heads = 0;
	int r = db_number(&s->state, "SELECT EXISTS (SELECT 1 FROM history_chain) OR EXISTS (SELECT 1 FROM audit_chain)", NULL,
			  0, &heads, err);

	*ret = !heads;
	return r;
}

int heads_read(struct store *s, struct heads *ret, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	uint8_t mac[CHAIN_BYTES];
	int r = db_prepare(&s->state, "SELECT count, hash, mac FROM history_chain WHERE agent = '' AND class = 0", NULL, 0, &st,
			   err);

	*ret = (struct heads){ 0 };
	if (r >= 0)
		r = db_step(&s->state, st, err);
	if (r <= 0)
		return r < 0 ? r : is_new(s, &ret->is_ours, err);
	struct slice lanes = db_blob(st, 1);
	if (lanes.n != sizeof(ret->lanes))
		return 0;
	ret->count = db_u64(st, 0);
	memcpy(ret->lanes, lanes.p, lanes.n);
	sign(s, ret, mac);
	ret->is_ours = slice_eq(db_blob(st, 2), slice_from(mac, sizeof(mac)));
	return 0;
}

void heads_move(struct store *s, struct heads *h, const char *subject, unsigned class_no, const struct chain_value *from,
		const struct chain_value *to)
{
	uint64_t secret[4];

	if (from) {
		chain_secret(s->history->hasher, s->history->key, subject, class_no, from, secret);
		for (int i = 0; i < 4; i++)
			h->lanes[i] -= secret[i];
		h->count--;
	}
	if (to) {
		chain_secret(s->history->hasher, s->history->key, subject, class_no, to, secret);
		for (int i = 0; i < 4; i++)
			h->lanes[i] += secret[i];
		h->count++;
	}
}

int heads_write(struct store *s, const struct heads *h, struct err *err)
{
	uint8_t mac[CHAIN_BYTES];

	if (!h->is_ours)
		return 0;
	sign(s, h, mac);
	return DB_RUN(&s->state, err,
		      "INSERT INTO history_chain(agent, class, count, hash, mac) VALUES ('',0,?1,?2,?3)"
		      " ON CONFLICT(agent, class) DO UPDATE SET count = ?1, hash = ?2, mac = ?3",
		      B_INT(h->count), B_BLOB(slice_from(h->lanes, sizeof(h->lanes))), B_BLOB(slice_from(mac, sizeof(mac))));
}
