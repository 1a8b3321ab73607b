/* chain.c - see chain.h. */
#include "collector/store/chain.h"

#include <stdlib.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

struct chain_hasher {
	EVP_MD_CTX *ctx;
};

struct chain_hasher *chain_hasher_new(void)
{
	struct chain_hasher *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->ctx = EVP_MD_CTX_new();
	if (h->ctx && EVP_DigestInit_ex(h->ctx, EVP_sha256(), NULL) == 1)
		return h;
	chain_hasher_free(h);
	return NULL;
}

void chain_hasher_free(struct chain_hasher *h)
{
	if (!h)
		return;
	EVP_MD_CTX_free(h->ctx);
	free(h);
}

static void put_u64(uint8_t *dst, uint64_t v)
{
	for (int i = 0; i < 8; i++)
		dst[i] = (uint8_t)(v >> (8 * i));
}

/* The next value: SHA-256 over head and rest. What goes wrong here is no input's fault. */
static void digest(struct chain_hasher *h, struct slice head, struct slice rest, uint8_t ret[CHAIN_BYTES])
{
	uint8_t sum[EVP_MAX_MD_SIZE] = { 0 };

	/* no type: the one it was made with, which costs no look-up */
	if (EVP_DigestInit_ex(h->ctx, NULL, NULL) != 1 || EVP_DigestUpdate(h->ctx, head.p, head.n) != 1 ||
	    EVP_DigestUpdate(h->ctx, rest.p ? rest.p : "", rest.n) != 1 ||
	    EVP_DigestFinal_ex(h->ctx, sum, NULL) != 1)
		abort();
	memcpy(ret, sum, CHAIN_BYTES);
}

void chain_start(struct chain_hasher *h, const char *agent, unsigned class_no, struct chain_value *ret)
{
	char head[] = "picket history 1_";

	head[sizeof(head) - 2] = (char)('0' + class_no);
	*ret = (struct chain_value){ 0 };
	digest(h, slice_from(head, sizeof(head)), slice_of(agent), ret->hash);
}

void chain_add(struct chain_hasher *h, struct chain_value *c, uint64_t epoch, uint64_t seq, struct slice packed)
{
	uint8_t head[CHAIN_BYTES + 16];

	memcpy(head, c->hash, CHAIN_BYTES);
	put_u64(head + CHAIN_BYTES, epoch);
	put_u64(head + CHAIN_BYTES + 8, seq);
	digest(h, slice_from(head, sizeof(head)), packed, c->hash);
	c->count++;
}

void chain_mix(struct chain_hasher *h, struct chain_value *c, struct slice text)
{
	uint8_t head[CHAIN_BYTES];

	memcpy(head, c->hash, CHAIN_BYTES);
	digest(h, slice_from(head, sizeof(head)), text, c->hash);
}

void chain_add_text(struct chain_hasher *h, struct chain_value *c, struct slice text)
{
	chain_mix(h, c, text);
	c->count++;
}

void chain_secret(struct chain_hasher *h, const uint8_t key[CHAIN_KEY_BYTES], const char *subject, unsigned class_no,
		  const struct chain_value *v, uint64_t ret[4])
{
	uint8_t head[CHAIN_KEY_BYTES + 16 + CHAIN_BYTES], sum[EVP_MAX_MD_SIZE] = { 0 };

	memcpy(head, key, CHAIN_KEY_BYTES);
	put_u64(head + CHAIN_KEY_BYTES, class_no);
	put_u64(head + CHAIN_KEY_BYTES + 8, v->count);
	memcpy(head + CHAIN_KEY_BYTES + 16, v->hash, CHAIN_BYTES);
	if (EVP_DigestInit_ex(h->ctx, NULL, NULL) != 1 || EVP_DigestUpdate(h->ctx, head, sizeof(head)) != 1 ||
	    EVP_DigestUpdate(h->ctx, subject, strlen(subject)) != 1 || EVP_DigestFinal_ex(h->ctx, sum, NULL) != 1)
		abort();
	memcpy(ret, sum, 4 * sizeof(*ret));
}

bool chain_is(const struct chain_value *a, const struct chain_value *b)
{
	return a->count == b->count && !memcmp(a->hash, b->hash, CHAIN_BYTES);
}

static void put_varint(struct buf *out, uint64_t v)
{
	for (; v > 127; v >>= 7)
		buf_add_char(out, (char)(v | 128));
	buf_add_char(out, (char)v);
}

void chain_link_put(struct buf *out, const struct chain_link *l)
{
	put_varint(out, (uint64_t)l->no);
	put_varint(out, l->from);
	put_varint(out, l->n);
	buf_add(out, l->end, CHAIN_BYTES);
}

static bool take_varint(struct slice *s, uint64_t *ret)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < 9 && i < s->n; i++) {
		uint64_t byte = (unsigned char)s->p[i];

		v |= (byte & 127) << (7 * i);
		if (!(byte & 128)) {
			*s = slice_sub(*s, i + 1, s->n);
			*ret = v;
			return true;
		}
	}
	return false;
}

bool chain_link_take(struct slice *s, struct chain_link *ret)
{
	struct slice rest = *s;
	uint64_t no, from, n;

	if (!take_varint(&rest, &no) || !take_varint(&rest, &from) || !take_varint(&rest, &n) ||
	    rest.n < CHAIN_BYTES || !n || n > INT64_MAX || from > INT64_MAX - n)
		return false;
	*ret = (struct chain_link){ .no = (int64_t)no, .from = from, .n = n };
	memcpy(ret->end, rest.p, CHAIN_BYTES);
	*s = slice_sub(rest, CHAIN_BYTES, rest.n);
	return true;
}

void chain_sign(const uint8_t key[CHAIN_KEY_BYTES], const char *what, const char *subject, unsigned class_no,
		const struct chain_value *v, uint8_t ret[CHAIN_BYTES])
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	uint8_t sum[EVP_MAX_MD_SIZE] = { 0 }, number[8];
	unsigned n = sizeof(sum);

	buf_init(&b, 0);
	buf_add(&b, what, strlen(what) + 1);
	buf_add(&b, subject, strlen(subject) + 1);
	put_u64(number, class_no);
	buf_add(&b, number, sizeof(number));
	put_u64(number, v->count);
	buf_add(&b, number, sizeof(number));
	buf_add(&b, v->hash, CHAIN_BYTES);
	if (b.failed || !HMAC(EVP_sha256(), key, CHAIN_KEY_BYTES, (const uint8_t *)b.p, b.n, sum, &n))
		abort();
	memcpy(ret, sum, CHAIN_BYTES);
}
