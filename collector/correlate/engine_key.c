/* engine_key.c - what an event says, as bytes: the key of its group, the value that is counted. */
#include <math.h>

#include "collector/correlate/correlation_priv.h"
#include "collector/correlate/engine_priv.h"

/* ---- SipHash-1-3: containers choose what stands in keys ---- */

static inline uint64_t rotate(uint64_t x, unsigned n)
{
	return x << n | x >> (64 - n);
}

static inline void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

uint64_t engine_hash(const uint8_t seed[16], const void *p, size_t n)
{
	const uint8_t *b = p;
	uint64_t k[2], m, last = (uint64_t)n << 56;

	memcpy(k, seed, sizeof(k));
	uint64_t v[4] = { k[0] ^ 0x736f6d6570736575, k[1] ^ 0x646f72616e646f6d, k[0] ^ 0x6c7967656e657261, k[1] ^ 0x7465646279746573 };
	for (; n >= 8; n -= 8, b += 8) {
		memcpy(&m, b, 8);
		v[3] ^= m;
		sip_round(v);
		v[0] ^= m;
	}
	for (size_t i = 0; i < n; i++)
		last |= (uint64_t)b[i] << (8 * i);
	v[3] ^= last;
	sip_round(v);
	v[0] ^= last;
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* ---- values as bytes: 's' length(2) text, 'i' 8 bytes, 'r' 8 bytes ---- */

enum { TEXT_KEPT = ENGINE_TEXT_MAX - 17 };

static size_t put_text(const struct engine *e, struct slice s, uint8_t *dst)
{
	char cut[ENGINE_TEXT_MAX + 1];

	if (s.n > ENGINE_TEXT_MAX) {
		memcpy(cut, s.p, TEXT_KEPT);
		snprintf(cut + TEXT_KEPT, sizeof(cut) - TEXT_KEPT, "~%016llx", (unsigned long long)engine_hash(e->config.seed, s.p, s.n));
		s = slice_from(cut, ENGINE_TEXT_MAX);
	}
	dst[0] = 's';
	dst[1] = (uint8_t)s.n;
	dst[2] = (uint8_t)(s.n >> 8);
	if (s.n)
		memcpy(dst + 3, s.p, s.n);
	return 3 + s.n;
}

/* A real number that is whole is the integer: 1.0 and 1 are one group. */
static size_t put_number(struct engine_value v, uint8_t *dst)
{
	if (v.kind == ENGINE_REAL && fabs(v.real) < 9e15 && v.real == floor(v.real))
		v = (struct engine_value){ .kind = ENGINE_INT, .i = (int64_t)v.real };
	dst[0] = v.kind == ENGINE_INT ? 'i' : 'r';
	memcpy(dst + 1, &v.i, 8);
	return 9;
}

static size_t put_value(const struct engine *e, struct engine_value v, uint8_t *dst)
{
	switch (v.kind) {
	case ENGINE_TEXT:
		return put_text(e, v.text, dst);
	case ENGINE_INT:
		return put_number(v, dst);
	case ENGINE_REAL:
		return isfinite(v.real) ? put_number(v, dst) : 0;
	case ENGINE_ABSENT:
		break;
	}
	return 0;
}

size_t engine_key_build(const struct engine *e, const struct engine_value *values, size_t count, uint8_t *dst)
{
	size_t at = 0;

	for (size_t i = 0; i < count; i++) {
		size_t n = put_value(e, values[i], dst + at);

		if (!n)
			return 0;
		at += n;
	}
	return at;
}

bool engine_key_split(struct slice key, struct engine_value *ret, size_t count)
{
	size_t at = 0;

	for (size_t i = 0; i < count; i++) {
		const uint8_t *p = (const uint8_t *)key.p + at;
		size_t left = key.n - at, n = 9;

		if (left < 3)
			return false;
		if (p[0] == 's') {
			n = p[1] | (size_t)p[2] << 8;
			if (n > ENGINE_TEXT_MAX || left < n + 3)
				return false;
			ret[i] = (struct engine_value){ .kind = ENGINE_TEXT, .text = slice_from(p + 3, n) };
			n += 3;
		} else if ((p[0] == 'i' || p[0] == 'r') && left >= 9) {
			ret[i].kind = p[0] == 'i' ? ENGINE_INT : ENGINE_REAL;
			memcpy(&ret[i].i, p + 1, 8);
			if (p[0] == 'r' && !isfinite(ret[i].real))
				return false;
		} else {
			return false;
		}
		at += n;
	}
	return at == key.n;
}

/* ---- of an event ---- */

static struct engine_value value_of(const struct origin *o, int32_t field)
{
	struct engine_value v = { .kind = ENGINE_ABSENT };

	if (field < 0)
		return v;
	if (!o->event)
		return o->group[field];
	o->event->get(o->event->arg, (unsigned)field, &v);
	return v;
}

static size_t build(struct engine *e, const int32_t *fields, size_t count, const struct origin *o, uint8_t *dst)
{
	struct engine_value values[CORRELATION_GROUP_MAX];

	for (size_t i = 0; i < count; i++) {
		values[i] = value_of(o, fields[i]);
		if (values[i].kind == ENGINE_ABSENT)
			return 0;
	}
	return engine_key_build(e, values, count, dst);
}

bool engine_key(struct engine *e, const struct subscription *s, const struct origin *o, struct slice *ret_key, uint64_t *ret_hash)
{
	const struct correlation *c = e->rules[s->rule].c;
	const struct correlation_ref *ref = &c->refs[s->ref];
	size_t n;

	if (!o->event) { /* each has its own; behind those of the event, taken back with it */
		uint8_t *dst = e->keys + e->keys_used;

		n = build(e, ref->group, c->group_by.count, o, dst);
		if (c->group_by.count && !n)
			return false;
		*ret_key = slice_from(dst, n);
		*ret_hash = engine_hash(e->config.seed, dst, n);
		return true;
	}
	struct spec *spec = &e->specs[s->spec];
	if (spec->stamp != e->stamp) {
		n = spec->is_missing ? 0 : build(e, spec->fields, spec->count, o, e->keys + e->keys_used);
		spec->stamp = e->stamp;
		spec->has_key = n || !spec->count;
		spec->key_at = (uint32_t)e->keys_used;
		spec->key_count = (uint32_t)n;
		spec->hash = spec->has_key ? engine_hash(e->config.seed, e->keys + e->keys_used, n) : 0;
		e->keys_used += n;
	}
	*ret_key = slice_from(e->keys + spec->key_at, spec->key_count);
	*ret_hash = spec->hash;
	return spec->has_key;
}

static bool number_of(struct engine_value v, double *ret)
{
	switch (v.kind) {
	case ENGINE_TEXT:
		return correlation_number(v.text, ret);
	case ENGINE_INT:
		*ret = (double)v.i;
		return true;
	case ENGINE_REAL:
		*ret = v.real;
		return fabs(v.real) < 1e300;
	case ENGINE_ABSENT:
		break;
	}
	return false;
}

bool engine_value_of(struct engine *e, const struct subscription *s, const struct origin *o, struct hit *ret)
{
	const struct correlation *c = e->rules[s->rule].c;
	const struct correlation_ref *ref = &c->refs[s->ref];
	uint8_t bytes[ENGINE_KEY_MAX];
	size_t n;

	ret->time_ns = o->time_ns;
	ret->hash = 0;
	switch (c->type) {
	case CORRELATION_EVENT_COUNT:
		return true;
	case CORRELATION_TEMPORAL:
	case CORRELATION_TEMPORAL_ORDERED:
		ret->order = o->order;
		ret->ref = s->ref;
		return true;
	case CORRELATION_VALUE_COUNT:
		n = build(e, ref->field, c->fields.count, o, bytes);
		if (n)
			ret->hash = engine_hash(e->config.seed, bytes, n);
		if (n && ret->hash < 1u << 20) /* a slot's count must not be all there is of it */
			ret->hash |= 1u << 20;
		return n;
	case CORRELATION_VALUE_SUM:
	case CORRELATION_VALUE_AVG:
	case CORRELATION_VALUE_PERCENTILE:
		if (number_of(value_of(o, ref->field[0]), &ret->number))
			return true;
		ret->number = NAN;
		return false;
	case CORRELATION_TYPE_COUNT:
		break;
	}
	return false;
}
