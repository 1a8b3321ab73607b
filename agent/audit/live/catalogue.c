/* catalogue.c - see catalogue.h. */
#include "agent/audit/live/catalogue.h"

#include "agent/audit/live/frame.h"

void catalogue_init(struct catalogue *c, catalogue_ask_fn ask, void *arg)
{
	*c = (struct catalogue){ .ask = ask, .arg = arg };
	buf_init(&c->packed, FRAME_BYTES_MAX);
}

void catalogue_fini(struct catalogue *c)
{
	buf_fini(&c->packed);
}

static void ask(struct catalogue *c)
{
	Picket__Request m = PICKET__REQUEST__INIT;
	Picket__CheckCatalogue key_only = PICKET__CHECK_CATALOGUE__INIT, *whole = NULL;
	struct err err;

	if (!c->is_connected || !c->packed.n || c->state == CATALOGUE_KNOWN)
		return;
	if (c->state == CATALOGUE_SENT)
		whole = picket__check_catalogue__unpack(NULL, c->packed.n, (const uint8_t *)c->packed.p);
	key_only.key = c->key;
	m.body_case = PICKET__REQUEST__BODY_CHECK_CATALOGUE;
	m.check_catalogue = whole ? whole : &key_only;
	/* Busy or gone: the tick, or the next connection, asks again. */
	if (c->ask(c->arg, &m, &err) >= 0 && c->state == CATALOGUE_UNSAID)
		c->state = CATALOGUE_ASKED;
	if (whole)
		picket__check_catalogue__free_unpacked(whole, NULL);
}

void catalogue_put(struct catalogue *c, struct slice packed)
{
	Picket__CheckCatalogue *m = picket__check_catalogue__unpack(NULL, packed.n, (const uint8_t *)packed.p);

	if (!m)
		return;
	if (strcmp(m->key, c->key) != 0 && slice_copy(slice_of(m->key), c->key, sizeof(c->key))) {
		buf_reset(&c->packed);
		buf_add_slice(&c->packed, packed);
		c->state = CATALOGUE_UNSAID;
		ask(c);
	}
	picket__check_catalogue__free_unpacked(m, NULL);
}

void catalogue_connected(struct catalogue *c)
{
	c->is_connected = true;
	if (c->state != CATALOGUE_KNOWN)
		c->state = CATALOGUE_UNSAID;
	ask(c);
}

void catalogue_answer(struct catalogue *c, const Picket__Reply *reply)
{
	if (!reply || reply->body_case != PICKET__REPLY__BODY_CHECK_CATALOGUE) {
		c->state = CATALOGUE_UNSAID;
		return;
	}
	c->state = reply->check_catalogue->is_known ? CATALOGUE_KNOWN : CATALOGUE_SENT;
	ask(c);
}

void catalogue_tick(struct catalogue *c)
{
	if (c->state == CATALOGUE_UNSAID || c->state == CATALOGUE_SENT)
		ask(c);
}
