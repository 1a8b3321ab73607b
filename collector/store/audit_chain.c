/* audit_chain.c - see audit_chain.h; and its verification. */
#include "collector/store/audit_chain.h"

#include "collector/store/heads.h"
#include "collector/store/verify_priv.h"

static const char *subject_of(bool is_agent)
{
	return is_agent ? "agents" : "people";
}

static void start(struct store *s, bool is_agent, struct chain_value *ret)
{
	chain_start(s->history->hasher, is_agent ? "audit log of agents" : "audit log of people", 0, ret);
}

static bool take_hash(struct slice hash, struct chain_value *v)
{
	if (hash.n != CHAIN_BYTES)
		return false;
	memcpy(v->hash, hash.p, CHAIN_BYTES);
	return true;
}

/* Signed with the newest id in the place of the count. */
static void sign(struct store *s, bool is_agent, const char *what, int64_t id, const struct chain_value *v,
		 uint8_t ret[CHAIN_BYTES])
{
	struct chain_value at = *v;

	at.count = (uint64_t)id;
	chain_sign(s->history->key, what, subject_of(is_agent), 0, &at, ret);
}

int audit_chain_read(struct store *s, bool is_agent, struct audit_chain *ret, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	uint8_t mac[CHAIN_BYTES];
	int r = DB_PREPARE(&s->state, &st, err, "SELECT count, hash, mac FROM audit_chain WHERE is_agent = ?",
			   B_INT(is_agent));

	*ret = (struct audit_chain){ 0 };
	start(s, is_agent, &ret->value);
	if (r >= 0)
		r = db_step(&s->state, st, err);
	if (r <= 0)
		return r;
	if (take_hash(db_blob(st, 1), &ret->value))
		ret->last = (int64_t)db_u64(st, 0);
	ret->noted = ret->value;
	ret->noted.count = (uint64_t)ret->last;
	sign(s, is_agent, "audit head", ret->last, &ret->value, mac);
	/* What follows is signed again: the break must stay to be seen. */
	if (!slice_eq(db_blob(st, 2), slice_from(mac, sizeof(mac))))
		chain_mix(s->history->hasher, &ret->value, SLICE_LIT("after a head that was not signed"));
	return 0;
}

void audit_chain_add(struct store *s, struct audit_chain *c, const struct store_audit *row, bool is_agent)
{
	CLEANUP(buf_finip) struct buf b = { 0 };

	buf_init(&b, 0);
	buf_printf(&b, "%lld %llu %d", (long long)row->id, (unsigned long long)row->time_unix_ns, is_agent);
	buf_add(&b, "", 1);
	buf_add(&b, row->who, strlen(row->who) + 1);
	buf_add(&b, row->what, strlen(row->what) + 1);
	buf_add(&b, row->subject, strlen(row->subject) + 1);
	chain_add_text(s->history->hasher, &c->value, buf_slice(&b));
	c->last = row->id;
}

int audit_chain_write(struct store *s, bool is_agent, const struct audit_chain *c, struct err *err)
{
	struct slice hash = slice_from(c->value.hash, CHAIN_BYTES);
	struct chain_value base, head = c->value;
	uint8_t mac[CHAIN_BYTES], base_mac[CHAIN_BYTES];
	struct heads sum;
	int r = heads_read(s, &sum, err);

	head.count = (uint64_t)c->last;
	heads_move(s, &sum, subject_of(is_agent), HEADS_AUDIT, c->noted.count ? &c->noted : NULL, &head);
	if (r >= 0)
		r = heads_write(s, &sum, err);
	if (r < 0)
		return r;
	start(s, is_agent, &base);
	sign(s, is_agent, "audit head", c->last, &c->value, mac);
	sign(s, is_agent, "audit base", 0, &base, base_mac);
	return DB_RUN(&s->state, err,
		      "INSERT INTO audit_chain(is_agent, first, base, base_hash, base_mac, count, hash, mac)"
		      " VALUES (?1,?2,0,?3,?4,?2,?5,?6)"
		      " ON CONFLICT(is_agent) DO UPDATE SET count = ?2, hash = ?5, mac = ?6",
		      B_INT(is_agent), B_INT(c->last), B_BLOB(slice_from(base.hash, CHAIN_BYTES)),
		      B_BLOB(slice_from(base_mac, sizeof(base_mac))), B_BLOB(hash),
		      B_BLOB(slice_from(mac, sizeof(mac))));
}

int audit_chain_rebase(struct store *s, bool is_agent, int64_t last, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	struct chain_value base = { 0 };
	uint8_t mac[CHAIN_BYTES];
	int r = DB_PREPARE(&s->state, &st, err, "SELECT chain FROM audit_log WHERE id = ?", B_INT(last));

	if (r >= 0)
		r = db_step(&s->state, st, err);
	if (r <= 0 || !take_hash(db_blob(st, 0), &base))
		return r < 0 ? r : 0; /* of before there were chains */
	sign(s, is_agent, "audit base", last, &base, mac);
	return DB_RUN(&s->state, err,
		      "UPDATE audit_chain SET base = ?, base_hash = ?, base_mac = ? WHERE is_agent = ?", B_INT(last),
		      B_BLOB(slice_from(base.hash, CHAIN_BYTES)), B_BLOB(slice_from(mac, sizeof(mac))), B_INT(is_agent));
}

/* ---- verification ---- */

struct noted {
	bool exists;
	int64_t first, base, last;
	struct chain_value base_value, value;
};

static int read_noted(struct verify *v, bool is_agent, struct noted *ret, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	struct store *s = v->s;
	uint8_t mac[CHAIN_BYTES], base_mac[CHAIN_BYTES];
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT first, base, base_hash, base_mac, count, hash, mac FROM audit_chain WHERE is_agent = ?",
			   B_INT(is_agent));

	*ret = (struct noted){ 0 };
	if (r >= 0)
		r = db_step(&s->state, st, err);
	if (r <= 0)
		return r;
	ret->exists = true;
	ret->first = sqlite3_column_int64(st, 0);
	ret->base = sqlite3_column_int64(st, 1);
	ret->last = sqlite3_column_int64(st, 4);
	bool is_read = take_hash(db_blob(st, 2), &ret->base_value);
	is_read &= take_hash(db_blob(st, 5), &ret->value);
	struct chain_value head = ret->value;
	head.count = (uint64_t)ret->last;
	heads_move(s, &v->heads, subject_of(is_agent), HEADS_AUDIT, NULL, &head);
	sign(s, is_agent, "audit base", ret->base, &ret->base_value, base_mac);
	sign(s, is_agent, "audit head", ret->last, &ret->value, mac);
	if (!is_read || !slice_eq(db_blob(st, 3), slice_from(base_mac, CHAIN_BYTES)) ||
	    !slice_eq(db_blob(st, 6), slice_from(mac, CHAIN_BYTES)))
		verify_fault(v, "audit log of %s: where its chain begins and ends is not signed by this store",
			     subject_of(is_agent));
	return 0;
}

static void check_row(struct verify *v, sqlite3_stmt *st, bool is_agent, struct audit_chain *at, const struct noted *no)
{
	const struct store_audit row = { .id = sqlite3_column_int64(st, 0),
					 .time_unix_ns = db_u64(st, 1),
					 .who = db_text(st, 2),
					 .what = db_text(st, 3),
					 .subject = db_text(st, 4) };
	struct slice chain = db_blob(st, 5);

	if (no->exists && row.id < no->first && !chain.n)
		return; /* of before there were chains */
	int64_t before = at->last;
	audit_chain_add(v->s, at, &row, is_agent);
	if (slice_eq(chain, slice_from(at->value.hash, CHAIN_BYTES)))
		return;
	verify_fault(v, "audit log of %s: row %lld is not the one that was written, or rows between %lld and it are missing",
		     subject_of(is_agent), (long long)row.id, (long long)before);
	(void)take_hash(chain, &at->value);
}

static int check_kind(struct verify *v, bool is_agent, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	struct audit_chain at = { 0 };
	struct noted no;
	int r = read_noted(v, is_agent, &no, err);

	if (r < 0)
		return r;
	start(v->s, is_agent, &at.value);
	if (no.exists && no.base) {
		at.value = no.base_value;
		at.last = no.base;
	}
	r = DB_PREPARE(&v->s->state, &st, err,
		       "SELECT id, at, who, what, subject, chain FROM audit_log WHERE is_agent = ? ORDER BY id",
		       B_INT(is_agent));
	while (r >= 0 && (r = db_step(&v->s->state, st, err)) > 0)
		check_row(v, st, is_agent, &at, &no);
	if (r >= 0 && no.exists && (at.last != no.last || memcmp(at.value.hash, no.value.hash, CHAIN_BYTES)))
		verify_fault(v, "audit log of %s: it ends with row %lld, the last written was %lld", subject_of(is_agent),
			     (long long)at.last, (long long)no.last);
	return r;
}

int verify_audit(struct verify *v, struct err *err)
{
	int r = check_kind(v, false, err);

	return r < 0 ? r : check_kind(v, true, err);
}
