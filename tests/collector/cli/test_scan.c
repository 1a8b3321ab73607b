/* test_scan.c - the whole collector as a process: an agent's inventory and uses over its real door, advisories by
 * its command line, the alert, the acceptance and the end by picketctl. */
#include "tests/collector/cli/running.h"

#include <zstd.h>

#include "tests/collector/stock.h"

#define WEB "sha256:aaaaaaaaaaaa00000000000000000000000000000000000000000000000000aa"

static void send_inventory(struct agent *a)
{
	static const char *const packages[] = { "deb openssl 3.0.11-1", "deb bash 5.2-1", NULL };
	CLEANUP(arena_freep) struct arena *mem = arena_new(1 << 20);
	CLEANUP(buf_finip) struct buf plain = { 0 };
	Picket__Request rq = PICKET__REQUEST__INIT;
	Picket__InventoryPart part = PICKET__INVENTORY_PART__INIT;
	Picket__Inventory *m = stock_inventory(mem, WEB, "web:1");
	uint8_t sha[32];
	char frame[4096];

	stock_add(m, stock_layer(mem, packages));
	stock_pack(m, &plain, sha);
	part.image_id = STOCK_TEXT(WEB);
	part.inventory_sha256 = (ProtobufCBinaryData){ 32, sha };
	part.parts = 1;
	part.data = msg_bytes(slice_from(frame, ZSTD_compress(frame, sizeof(frame), plain.p, plain.n, 3)));
	rq.body_case = PICKET__REQUEST__BODY_INVENTORY_PART;
	rq.inventory_part = &part;
	const Picket__Reply *r = ask(a, &rq);
	if (r->body_case != PICKET__REPLY__BODY_INVENTORY || !r->inventory->is_done)
		fail_msg("%d %s", (int)r->body_case,
			 r->body_case == PICKET__REPLY__BODY_REFUSAL ? r->refusal->message : "");
}

static void tell_uses(struct agent *a, uint64_t state, const char *image)
{
	Picket__Request rq = PICKET__REQUEST__INIT;
	struct stock_use u;

	stock_use(&u, state, image, NULL);
	rq.body_case = PICKET__REQUEST__BODY_IMAGES_IN_USE;
	rq.images_in_use = &u.state;
	const Picket__Reply *r = ask(a, &rq);
	assert_int_equal(r->body_case, PICKET__REPLY__BODY_IMAGES_IN_USE);
	assert_int_equal(r->images_in_use->n_unknown_images, 0);
}

/* Debian's tracker with one CVE of openssl; "" = none. */
static void import(const char *cve)
{
	CLEANUP(buf_finip) struct buf text = { 0 }, out = { 0 };
	char path[128];

	buf_init(&out, 0);
	buf_printf(&text,
		   "{\"%s\":{\"%s\":{\"description\":\"d\",\"releases\":{\"bookworm\":{\"status\":\"open\",\"repositories\":"
		   "{\"bookworm\":\"1\"},\"urgency\":\"high\"}}}}}",
		   cve[0] ? "openssl" : "other", cve[0] ? cve : "CVE-2026-9999");
	snprintf(path, sizeof(path), "%s/debian.json", dir);
	assert_int_equal(file_write_atomic(path, buf_slice(&text), 0600, &why), 0);
	if (run("$c feed import debian $d/debian.json --config $d/c/collector.yaml", &out) != 0)
		fail_msg("%s", out.p);
}

static void an_advisory_becomes_an_alert_and_ends_with_it(void **state)
{
	struct agent a = { 0 };

	start();
	join_fleet(&a);
	send_inventory(&a);
	tell_uses(&a, 1, WEB);
	import("CVE-2026-0001");
	until("$ctl alert list source=scan", "CVE-2026-0001");
	until("$ctl alert show 1 -o table", "`nginx:1.25` on host-1 has CVE-2026-0001 (high) in openssl 3.0.11-1; no fix is known");
	until("$ctl image list running:yes -o csv", "web:1");
	until("$ctl status", "\"exploited_and_running\":0");
	until("$ctl vuln accept CVE-2026-0001 --reason 'only for a day' --until 1d -o table", "is accepted until");
	until("$ctl alert list -o csv", "\"resolved\"");
	until("$ctl alert show 1 -o table", "closed        accepted by admin");
	until("$ctl vuln unaccept 1", "ended");
	until("$ctl alert list -o csv", "\"new\"");
	/* the advisory is taken back */
	import("");
	until("$ctl alert show 1 -o table", "no package of the image is affected any more");
	import("CVE-2026-0001");
	until("$ctl alert list -o csv", "\"new\"");
	/* a replay says nothing new */
	send_inventory(&a);
	tell_uses(&a, 1, WEB);
	until("$ctl alert list -o csv | wc -l", "2");
	leave_fleet(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(an_advisory_becomes_an_alert_and_ends_with_it) };

	return cmocka_run_group_tests(tests, running_prepare, running_end);
}
