/* assembly.c - see assembly.h. */
#include "collector/vuln/assembly.h"

#include <errno.h>
#include <zstd.h>

#include "collector/vuln/limits.h"
#include "common/tls.h"

enum { AGENT_MAX = 64, WINDOW_LOG_MAX = 25 };

struct assembly {
	char agent[AGENT_MAX]; /* "": free */
	uint8_t sha256[LIMIT_KEY_BYTES];
	uint32_t parts, next;
	uint64_t last_boot_ns;
	struct buf data;
};
struct assemblies {
	struct assembly all[VULN_ASSEMBLIES];
	size_t bytes;
};

struct assemblies *assemblies_new(void)
{
	return calloc(1, sizeof(struct assemblies));
}

static void forget(struct assemblies *x, struct assembly *a)
{
	x->bytes -= a->data.n;
	buf_fini(&a->data);
	*a = (struct assembly){ 0 };
}

void assemblies_free(struct assemblies *x)
{
	for (size_t i = 0; x && i < VULN_ASSEMBLIES; i++)
		forget(x, &x->all[i]);
	free(x);
}

size_t assemblies_count(const struct assemblies *x)
{
	size_t n = 0;

	for (size_t i = 0; i < VULN_ASSEMBLIES; i++)
		n += x->all[i].agent[0] != 0;
	return n;
}

static struct assembly *find(struct assemblies *x, const char *agent, struct slice sha256)
{
	for (size_t i = 0; i < VULN_ASSEMBLIES; i++)
		if (!strcmp(x->all[i].agent, agent) &&
		    slice_eq(slice_from(x->all[i].sha256, LIMIT_KEY_BYTES), sha256))
			return &x->all[i];
	return NULL;
}

static void forget_idle(struct assemblies *x, uint64_t now)
{
	for (size_t i = 0; i < VULN_ASSEMBLIES; i++)
		if (x->all[i].agent[0] && now - x->all[i].last_boot_ns > VULN_ASSEMBLY_IDLE_MS * 1000000ull)
			forget(x, &x->all[i]);
}

/* A place for one more of this agent: its own oldest makes room, nobody else's. */
static struct assembly *begin(struct assemblies *x, const char *agent, const Picket__InventoryPart *p,
			      uint64_t now)
{
	struct assembly *oldest = NULL, *place = NULL;
	size_t own = 0;

	forget_idle(x, now);
	for (size_t i = 0; i < VULN_ASSEMBLIES; i++) {
		struct assembly *a = &x->all[i];

		if (!a->agent[0]) {
			place = place ? place : a;
		} else if (!strcmp(a->agent, agent)) {
			own++;
			oldest = !oldest || a->last_boot_ns < oldest->last_boot_ns ? a : oldest;
		}
	}
	if (own >= VULN_ASSEMBLIES_PER_AGENT) {
		forget(x, oldest);
		place = oldest;
	}
	if (!place || strlen(agent) >= AGENT_MAX)
		return NULL;
	slice_copy(slice_of(agent), place->agent, sizeof(place->agent));
	memcpy(place->sha256, p->inventory_sha256.data, LIMIT_KEY_BYTES);
	place->parts = p->parts;
	buf_init(&place->data, (size_t)LIMIT_PARTS * LIMIT_PART_BYTES);
	return place;
}

enum assembly_state assembly_add(struct assemblies *x, const char *agent, const Picket__InventoryPart *p,
				 uint64_t now_boot_ns, uint32_t *ret_next, struct slice *ret_whole)
{
	struct assembly *a = find(x, agent, msg_slice(p->inventory_sha256));

	if (a && (!p->part || a->parts != p->parts)) {
		forget(x, a);
		a = NULL;
	}
	*ret_next = a ? a->next : 0;
	if (p->part != *ret_next)
		return ASSEMBLY_MORE;
	if (x->bytes + p->data.len > VULN_ASSEMBLY_BYTES)
		return ASSEMBLY_BUSY;
	if (!a)
		a = begin(x, agent, p, now_boot_ns);
	if (!a)
		return ASSEMBLY_BUSY;
	buf_add_slice(&a->data, msg_slice(p->data));
	if (a->data.failed) {
		forget(x, a);
		return ASSEMBLY_BUSY;
	}
	x->bytes += p->data.len;
	a->last_boot_ns = now_boot_ns;
	*ret_next = ++a->next;
	*ret_whole = buf_slice(&a->data);
	return a->next == a->parts ? ASSEMBLY_WHOLE : ASSEMBLY_MORE;
}

void assembly_end(struct assemblies *x, const char *agent, struct slice sha256)
{
	struct assembly *a = find(x, agent, sha256);

	if (a)
		forget(x, a);
}

static int unpack(ZSTD_DStream *z, struct slice frame, struct buf *out, struct err *err)
{
	ZSTD_inBuffer in = { frame.p, frame.n, 0 };
	size_t left = 1;

	while (left) {
		size_t step = ZSTD_DStreamOutSize();
		char *at = buf_reserve(out, step);
		if (!at)
			return err_set(err, ERR_LIMIT, "an inventory of more than %d bytes", LIMIT_INVENTORY_BYTES);
		ZSTD_outBuffer o = { at, step, 0 };
		size_t before = in.pos;

		left = ZSTD_decompressStream(z, &o, &in);
		if (ZSTD_isError(left))
			return err_set(err, ERR_CORRUPT, "the inventory's frame: %s", ZSTD_getErrorName(left));
		buf_written(out, o.pos);
		if (out->n > LIMIT_INVENTORY_BYTES)
			return err_set(err, ERR_LIMIT, "an inventory of more than %d bytes", LIMIT_INVENTORY_BYTES);
		if (left && !o.pos && in.pos == before)
			return err_set(err, ERR_CORRUPT, "the inventory's frame is cut short");
	}
	return in.pos == in.size ? 0 : err_set(err, ERR_CORRUPT, "something follows the inventory's frame");
}

int assembly_unpack(struct slice frame, struct slice sha256, struct buf *out, struct err *err)
{
	ZSTD_DStream *z = ZSTD_createDStream();
	uint8_t is[LIMIT_KEY_BYTES];

	buf_fini(out);
	buf_init(out, LIMIT_INVENTORY_BYTES + 1024 * 1024);
	if (!z)
		return err_set(err, ENOMEM, "unpack an inventory");
	/* What a sender may make us keep at once. */
	ZSTD_DCtx_setParameter(z, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
	int r = unpack(z, frame, out, err);
	ZSTD_freeDStream(z);
	if (r < 0)
		return r;
	tls_sha256(buf_slice(out), is);
	if (!slice_eq(slice_from(is, sizeof(is)), sha256))
		return err_set(err, ERR_CORRUPT, "the inventory is not of the digest it was sent under");
	return 0;
}
