/* detect: what a rule says, and whether an event is meant. */
#include "tests/collector/correlate/detect_world.h"

#include "common/buf.h"

static void add_detection(struct world *w, const char *detection)
{
	struct err err = { 0 };
	char *text = arena_printf(w->arena, "title: t\nlogsource: {product: linux}\nlevel: low\ndetection: %s\n", detection);

	if (world_add(w, text, &err) < 0)
		fail_msg("%s: %s", detection, err.msg);
}

struct row {
	const char *detection, *event;
	bool matches;
};

static void judge_rows(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct world w = world_new();

		add_detection(&w, rows[i].detection);
		struct world_event ev = world_event(&w, DETECT_SOURCE_PROCESS, rows[i].event);
		if (detect_match_one(w.set, 0, &ev.ev) != rows[i].matches)
			fail_msg("%zu: %s %s: expected %s", i, rows[i].detection, rows[i].event,
				 rows[i].matches ? "a match" : "none");
		world_fini(&w);
	}
}

static void texts_match_in_either_case_with_wildcards(void **state)
{
	static const struct row rows[] = {
		{ "{s: {F: abc}, condition: s}", "{F: abc}", true },
		{ "{s: {F: abc}, condition: s}", "{F: aBC}", true },
		{ "{s: {F: ABC}, condition: s}", "{F: abc}", true },
		{ "{s: {F: abc}, condition: s}", "{F: abcd}", false },
		{ "{s: {F: abc}, condition: s}", "{G: abc}", false },
		{ "{s: {F|cased: Abc}, condition: s}", "{F: Abc}", true },
		{ "{s: {F|cased: Abc}, condition: s}", "{F: abc}", false },
		{ "{s: {F: 'a*'}, condition: s}", "{F: abc}", true },
		{ "{s: {F: 'a*'}, condition: s}", "{F: a}", true },
		{ "{s: {F: 'a*'}, condition: s}", "{F: ba}", false },
		{ "{s: {F: '*c'}, condition: s}", "{F: abC}", true },
		{ "{s: {F: '*c'}, condition: s}", "{F: abcd}", false },
		{ "{s: {F: '*B*'}, condition: s}", "{F: abc}", true },
		{ "{s: {F: 'a*c'}, condition: s}", "{F: abbbc}", true },
		{ "{s: {F: 'a*c'}, condition: s}", "{F: abbbd}", false },
		{ "{s: {F: 'a*b*c*d'}, condition: s}", "{F: a1b2bc3cd}", true },
		{ "{s: {F: 'a?c'}, condition: s}", "{F: abc}", true },
		{ "{s: {F: 'a?c'}, condition: s}", "{F: ac}", false },
		{ "{s: {F: 'a?c'}, condition: s}", "{F: aéc}", true },
		{ "{s: {F: 'a??c'}, condition: s}", "{F: aéc}", false },
		{ "{s: {F: '*'}, condition: s}", "{F: ''}", true },
		{ "{s: {F: '*'}, condition: s}", "{G: x}", false },
		{ "{s: {F: '?*'}, condition: s}", "{F: ''}", false },
		{ "{s: {F: ''}, condition: s}", "{F: ''}", true },
		{ "{s: {F: ''}, condition: s}", "{F: x}", false },
		{ "{s: {F: ''}, condition: s}", "{F: ~}", false },
		/* escapes */
		{ "{s: {F: 'a\\*c'}, condition: s}", "{F: 'a*c'}", true },
		{ "{s: {F: 'a\\*c'}, condition: s}", "{F: abc}", false },
		{ "{s: {F: 'a\\?c'}, condition: s}", "{F: 'a?c'}", true },
		{ "{s: {F: 'a\\?c'}, condition: s}", "{F: abc}", false },
		{ "{s: {F: 'a\\b'}, condition: s}", "{F: 'a\\b'}", true },
		{ "{s: {F: 'a\\\\b'}, condition: s}", "{F: 'a\\b'}", true },
		{ "{s: {F: 'a\\\\\\b'}, condition: s}", "{F: 'a\\\\b'}", true },
		{ "{s: {F: 'a\\\\\\\\b'}, condition: s}", "{F: 'a\\\\b'}", true },
		{ "{s: {F: 'a\\\\*'}, condition: s}", "{F: 'a\\xyz'}", true },
		{ "{s: {F: 'a\\\\*'}, condition: s}", "{F: axyz}", false },
		{ "{s: {F: 'a\\\\\\*'}, condition: s}", "{F: 'a\\*'}", true },
		{ "{s: {F: 'a\\\\\\*'}, condition: s}", "{F: 'a\\b'}", false },
		{ "{s: {F: 'a\\'}, condition: s}", "{F: 'a\\'}", true },
		/* places */
		{ "{s: {F|contains: b}, condition: s}", "{F: aBc}", true },
		{ "{s: {F|contains: b}, condition: s}", "{F: ac}", false },
		{ "{s: {F|contains: ''}, condition: s}", "{F: ac}", true },
		{ "{s: {F|startswith: ab}, condition: s}", "{F: abc}", true },
		{ "{s: {F|startswith: bc}, condition: s}", "{F: abc}", false },
		{ "{s: {F|endswith: bc}, condition: s}", "{F: abc}", true },
		{ "{s: {F|endswith: ab}, condition: s}", "{F: abc}", false },
		{ "{s: {F|endswith: abcd}, condition: s}", "{F: abc}", false },
		{ "{s: {F|contains: 'a*d'}, condition: s}", "{F: xxabcdxx}", true },
		{ "{s: {F|contains: 'a*d'}, condition: s}", "{F: xxdcbaxx}", false },
		{ "{s: {F|contains: 'a\\*d'}, condition: s}", "{F: 'xa*dx'}", true },
		{ "{s: {F|contains|cased: Bc}, condition: s}", "{F: aBcd}", true },
		{ "{s: {F|contains|cased: Bc}, condition: s}", "{F: abcd}", false },
		/* only ASCII has two cases here */
		{ "{s: {F: É}, condition: s}", "{F: é}", false },
		{ "{s: {F: É}, condition: s}", "{F: É}", true },
	};

	judge_rows(rows, ARRAY_LEN(rows));
}

static void lists_are_any_and_maps_are_all(void **state)
{
	static const struct row rows[] = {
		{ "{s: {F: [a, b]}, condition: s}", "{F: b}", true },
		{ "{s: {F: [a, b]}, condition: s}", "{F: c}", false },
		{ "{s: {F: a, G: b}, condition: s}", "{F: a, G: b}", true },
		{ "{s: {F: a, G: b}, condition: s}", "{F: a, G: c}", false },
		{ "{s: [{F: a}, {G: b}], condition: s}", "{F: x, G: b}", true },
		{ "{s: [{F: a, G: c}, {G: b}], condition: s}", "{F: a, G: x}", false },
		{ "{s: {F|contains|all: [a, b]}, condition: s}", "{F: xbxax}", true },
		{ "{s: {F|contains|all: [a, b]}, condition: s}", "{F: xbx}", false },
		{ "{s: {F|all|contains: [a, b]}, condition: s}", "{F: xbx}", false },
		/* five and more are looked for in one pass */
		{ "{s: {F|contains: [she, he, his, hers, curl]}, condition: s}", "{F: usHERs}", true },
		{ "{s: {F|contains: [shell, hex, hist, herd, curl]}, condition: s}", "{F: ushers}", false },
		{ "{s: {F|contains: [abcd, bcx, cy, dz, q]}, condition: s}", "{F: abcy}", true },
		{ "{s: {F|contains: [abcd, bc, cy, dz, q]}, condition: s}", "{F: xabcx}", true },
		{ "{s: {F|contains|cased: [ABC, Bcd, Cde, Def]}, condition: s}", "{F: xBcdx}", true },
		{ "{s: {F|contains|cased: [ABC, Bcd, Cde, Def]}, condition: s}", "{F: xbcdx}", false },
		{ "{s: {F|contains: [ABC, Bcd, Cde, Def]}, condition: s}", "{F: xbCDx}", true },
		/* at both ends of what is long */
		{ "{s: {F|contains: wXyz}, condition: s}", "{F: WxYz------------------------}", true },
		{ "{s: {F|contains: wXyz}, condition: s}", "{F: ------------------------WxYz}", true },
		{ "{s: {F|contains: wXyz}, condition: s}", "{F: ---------wxy-----yz-----------}", false },
		{ "{s: {F: '*wX?z*'}, condition: s}", "{F: Wxyz------------------------}", true },
		{ "{s: {F|contains: [wx, ab, cd, ef]}, condition: s}", "{F: Wx----------------------}", true },
		{ "{s: {F|contains: [wx, ab, cd, z]}, condition: s}", "{F: ----------------------z}", true },
		{ "{k: [evil], condition: k}", "{F: evil-----------------, G: -}", true },
		/* a field with several values: any of them */
		{ "{s: {F: b}, condition: s}", "{F: [a, b]}", true },
		{ "{s: {F|contains|all: [a, b]}, condition: s}", "{F: [xa, xb]}", true },
		{ "{s: {F|contains|all: [a, c]}, condition: s}", "{F: [xa, xb]}", false },
		{ "{s: {F|neq: b}, condition: s}", "{F: [a, b]}", false },
		{ "{s: {F|neq: b}, condition: s}", "{F: [a, c]}", true },
	};

	judge_rows(rows, ARRAY_LEN(rows));
}

static void null_exists_and_neq(void **state)
{
	static const struct row rows[] = {
		{ "{s: {F: ~}, condition: s}", "{F: ~}", true },
		{ "{s: {F: ~}, condition: s}", "{G: a}", true },
		{ "{s: {F: ~}, condition: s}", "{F: ''}", false },
		{ "{s: {F: ~}, condition: not s}", "{F: a}", true },
		{ "{s: {F: [~, '', a]}, condition: s}", "{G: x}", true },
		{ "{s: {F: [~, '', a]}, condition: s}", "{F: a}", true },
		{ "{s: {F: [~, '', a]}, condition: s}", "{F: b}", false },
		{ "{s: {F: [~, ~]}, condition: s}", "{F: b}", false },
		{ "{s: {F|all: [~, a]}, condition: s}", "{F: a}", false },
		{ "{s: {F|exists: true}, condition: s}", "{F: ''}", true },
		{ "{s: {F|exists: true}, condition: s}", "{F: ~}", true },
		{ "{s: {F|exists: true}, condition: s}", "{G: a}", false },
		{ "{s: {F|exists: false}, condition: s}", "{G: a}", true },
		{ "{s: {F|exists: false}, condition: s}", "{F: a}", false },
		{ "{s: {nobody|exists: false}, condition: s}", "{F: a}", true },
		{ "{s: {nobody|exists: true}, condition: s}", "{F: a}", false },
		{ "{s: {nobody: ~}, condition: s}", "{F: a}", true },
		{ "{s: {nobody: [~, x]}, condition: s}", "{F: a}", true },
		{ "{s: {nobody: x}, condition: not s}", "{F: a}", true },
		{ "{s: {nobody|neq: x}, condition: s}", "{F: a}", false },
		/* neq: there, and none of them */
		{ "{s: {F|neq: a}, condition: s}", "{F: b}", true },
		{ "{s: {F|neq: a}, condition: s}", "{F: A}", false },
		{ "{s: {F|neq: a}, condition: s}", "{G: b}", false },
		{ "{s: {F|neq: [a, b]}, condition: s}", "{F: b}", false },
		{ "{s: {F|neq: [a, b]}, condition: s}", "{F: c}", true },
		{ "{s: {F|neq|all: [a, b]}, condition: s}", "{F: b}", false },
		{ "{s: {F|neq: ~}, condition: s}", "{F: b}", true },
		{ "{s: {F|neq: ~}, condition: s}", "{F: ~}", false },
		{ "{s: {F|neq: 7}, condition: s}", "{F: 8}", true },
		{ "{s: {F|neq: 7}, condition: s}", "{F: 7}", false },
		{ "{s: {F|contains|neq: b}, condition: s}", "{F: abc}", false },
		{ "{s: {F|re|neq: 'b+'}, condition: s}", "{F: abbc}", false },
		{ "{s: {F|cidr|neq: 10.0.0.0/8}, condition: s}", "{F: 10.1.2.3}", false },
		{ "{s: {F|cidr|neq: 10.0.0.0/8}, condition: s}", "{F: 11.1.2.3}", true },
	};

	judge_rows(rows, ARRAY_LEN(rows));
}

static void numbers_compare_as_numbers(void **state)
{
	static const struct row rows[] = {
		{ "{s: {F: 443}, condition: s}", "{F: 443}", true },
		{ "{s: {F: 443}, condition: s}", "{F: '443'}", true },
		{ "{s: {F: '443'}, condition: s}", "{F: 443}", true },
		{ "{s: {F: '4*'}, condition: s}", "{F: 443}", true },
		{ "{s: {F: [80, 443]}, condition: s}", "{F: 8080}", false },
		{ "{s: {F: -1}, condition: s}", "{F: -1}", true },
		{ "{s: {F|gt: 5}, condition: s}", "{F: 6}", true },
		{ "{s: {F|gt: 5}, condition: s}", "{F: 5}", false },
		{ "{s: {F|gte: 5}, condition: s}", "{F: 5}", true },
		{ "{s: {F|lt: 5}, condition: s}", "{F: 5}", false },
		{ "{s: {F|lt: 5}, condition: s}", "{F: -7}", true },
		{ "{s: {F|lte: 5}, condition: s}", "{F: 5}", true },
		{ "{s: {F|gt: 5}, condition: s}", "{F: '10'}", true },
		{ "{s: {F|gt: 5}, condition: s}", "{F: ten}", false },
		{ "{s: {F|gt: 5}, condition: s}", "{F: ''}", false },
		{ "{s: {F|gt: 5}, condition: s}", "{F: 0x10}", false },
		{ "{s: {F|gt: 5}, condition: s}", "{F: inf}", false },
		{ "{s: {F|lt: 5}, condition: s}", "{G: 1}", false },
		{ "{s: {F|gte: 1.5}, condition: s}", "{F: 1}", false },
		{ "{s: {F|gte: 1.5}, condition: s}", "{F: '1.75'}", true },
		{ "{s: {F|gt: 9223372036854775806}, condition: s}", "{F: 9223372036854775807}", true },
		{ "{s: {F|gt: 9223372036854775806}, condition: s}", "{F: 9223372036854775806}", false },
		{ "{s: {F|gt: [100, 5]}, condition: s}", "{F: 6}", true },
		{ "{s: {F|gt: 3, F|lt: 5}, condition: s}", "{F: 4}", true },
		{ "{s: {F|gt: 3, F|lt: 5}, condition: s}", "{F: 5}", false },
	};

	judge_rows(rows, ARRAY_LEN(rows));
}

static void times_have_parts(void **state)
{
	static const struct row rows[] = {
		{ "{s: {F|hour: 22}, condition: s}", "{F: '2026-11-30T22:05:59Z'}", true },
		{ "{s: {F|hour: 22}, condition: s}", "{F: '2026-11-30T21:05:59Z'}", false },
		{ "{s: {F|hour|gte: 22}, condition: s}", "{F: '2026-11-30T23:05:59Z'}", true },
		{ "{s: {F|hour|gte: 22}, condition: s}", "{F: '2026-11-30T21:05:59Z'}", false },
		{ "{s: {F|gte|hour: 22}, condition: s}", "{F: '2026-11-30T23:05:59Z'}", true },
		{ "{s: {F|minute: 5}, condition: s}", "{F: '2026-11-30T23:05:59Z'}", true },
		{ "{s: {F|day: 30}, condition: s}", "{F: '2026-11-30T23:05:59Z'}", true },
		{ "{s: {F|month: 11}, condition: s}", "{F: '2026-11-30T23:05:59Z'}", true },
		{ "{s: {F|year: 2026}, condition: s}", "{F: '2026-11-30T23:05:59Z'}", true },
		{ "{s: {F|year|neq: 2026}, condition: s}", "{F: '2026-11-30T23:05:59Z'}", false },
		{ "{s: {F|year|neq: 2026}, condition: s}", "{F: '2025-11-30T23:05:59Z'}", true },
		{ "{s: {F|hour: 1}, condition: s}", "{F: '2026-11-30T00:30:00-00:30'}", true }, /* in UTC */
		/* weeks of ISO 8601 */
		{ "{s: {F|week: 1}, condition: s}", "{F: '2026-01-01T00:00:00Z'}", true },
		{ "{s: {F|week: 53}, condition: s}", "{F: '2026-12-31T00:00:00Z'}", true },
		{ "{s: {F|week: 53}, condition: s}", "{F: '2027-01-01T00:00:00Z'}", true },
		{ "{s: {F|week: 1}, condition: s}", "{F: '2024-12-30T00:00:00Z'}", true },
		{ "{s: {F|week: 52}, condition: s}", "{F: '2024-12-29T00:00:00Z'}", true },
		{ "{s: {F|week: 52}, condition: s}", "{F: '2023-01-01T00:00:00Z'}", true },
		/* a time itself: seconds since 1970 */
		{ "{s: {F|hour: 1}, condition: s}", "{F: '@3600'}", true },
		{ "{s: {F|gt: 3599}, condition: s}", "{F: '@3600'}", true },
		{ "{s: {F|gt: 3600}, condition: s}", "{F: '@3600'}", false },
		{ "{s: {F|startswith: '1970-01-01T01:00:00'}, condition: s}", "{F: '@3600'}", true },
		{ "{s: {F|hour: 1}, condition: s}", "{F: 3600}", false },
		{ "{s: {F|hour: 1}, condition: s}", "{F: noon}", false },
	};

	judge_rows(rows, ARRAY_LEN(rows));
}

static void regular_expressions_look_anywhere(void **state)
{
	static const struct row rows[] = {
		{ "{s: {F|re: 'b+c'}, condition: s}", "{F: abbbcd}", true },
		{ "{s: {F|re: 'b+c'}, condition: s}", "{F: ABBC}", false },
		{ "{s: {F|re|i: 'b+c'}, condition: s}", "{F: ABBC}", true },
		{ "{s: {F|re: '^b'}, condition: s}", "{F: ab}", false },
		{ "{s: {F|re: '^b'}, condition: s}", "{F: \"a\\nb\"}", false },
		{ "{s: {F|re|m: '^b'}, condition: s}", "{F: \"a\\nb\"}", true },
		{ "{s: {F|re: 'a.b'}, condition: s}", "{F: \"a\\nb\"}", false },
		{ "{s: {F|re|s: 'a.b'}, condition: s}", "{F: \"a\\nb\"}", true },
		{ "{s: {F|re|i|m|s: '^B.C$'}, condition: s}", "{F: \"a\\nb\\nc\\nd\"}", true },
		{ "{s: {F|re: ['x', 'b']}, condition: s}", "{F: ab}", true },
		{ "{s: {F|re|all: ['x', 'b']}, condition: s}", "{F: ab}", false },
		{ "{s: {F|re|all: ['a', 'b']}, condition: s}", "{F: ab}", true },
		{ "{s: {F|re|contains: 'a\\*'}, condition: s}", "{F: 'xa*x'}", true },
		{ "{s: {F|re: '(?:\\d{1,3}\\.){3}\\d{1,3}'}, condition: s}", "{F: wget 10.1.2.3/x}", true },
		{ "{s: {F|re: '^$'}, condition: s}", "{F: ''}", true },
		{ "{s: {F|re: '.'}, condition: s}", "{G: x}", false },
	};

	judge_rows(rows, ARRAY_LEN(rows));
}

static void networks_contain_addresses(void **state)
{
	static const struct row rows[] = {
		{ "{s: {F|cidr: 10.0.0.0/8}, condition: s}", "{F: 10.255.1.2}", true },
		{ "{s: {F|cidr: 10.0.0.0/8}, condition: s}", "{F: 11.0.0.1}", false },
		{ "{s: {F|cidr: 10.1.128.0/17}, condition: s}", "{F: 10.1.129.1}", true },
		{ "{s: {F|cidr: 10.1.128.0/17}, condition: s}", "{F: 10.1.127.1}", false },
		{ "{s: {F|cidr: [10.0.0.0/8, 192.168.0.0/16]}, condition: s}", "{F: 192.168.7.7}", true },
		{ "{s: {F|cidr: 10.0.0.1}, condition: s}", "{F: 10.0.0.1}", true },
		{ "{s: {F|cidr: 10.0.0.0/8}, condition: s}", "{F: '::ffff:10.0.0.1'}", true },
		{ "{s: {F|cidr: '::ffff:10.0.0.0/104'}, condition: s}", "{F: 10.0.0.1}", true },
		{ "{s: {F|cidr: 'fe80::/10'}, condition: s}", "{F: 'febf::1'}", true },
		{ "{s: {F|cidr: 'fe80::/10'}, condition: s}", "{F: 'fec0::1'}", false },
		{ "{s: {F|cidr: '::/0'}, condition: s}", "{F: 10.0.0.1}", false },
		{ "{s: {F|cidr: 0.0.0.0/0}, condition: s}", "{F: 10.0.0.1}", true },
		{ "{s: {F|cidr: 10.0.0.0/8}, condition: s}", "{F: 10.0.0.1/8}", false },
		{ "{s: {F|cidr: 10.0.0.0/8}, condition: s}", "{F: ten}", false },
		{ "{s: {F|cidr: 10.0.0.0/8}, condition: s}", "{F: ''}", false },
	};

	judge_rows(rows, ARRAY_LEN(rows));
}

static void encodings_are_found(void **state)
{
	static const struct row rows[] = {
		/* printf foobar | base64: Zm9vYmFy */
		{ "{s: {F|base64: foobar}, condition: s}", "{F: Zm9vYmFy}", true },
		{ "{s: {F|base64: foobar}, condition: s}", "{F: zm9vymfy}", false },
		{ "{s: {F|base64: fooba}, condition: s}", "{F: Zm9vYmE=}", true },
		{ "{s: {F|base64: foob}, condition: s}", "{F: Zm9vYg==}", true },
		{ "{s: {F|base64|contains: foobar}, condition: s}", "{F: 'echo Zm9vYmFy | base64 -d'}", true },
		/* printf '#!/bin/bash', with nothing, x and xx before it, and something behind */
		{ "{s: {F|base64offset|contains: /bin/bash}, condition: s}", "{F: L2Jpbi9iYXNoIC1p}", true },
		{ "{s: {F|base64offset|contains: /bin/bash}, condition: s}", "{F: eC9iaW4vYmFzaCAtaQ==}", true },
		{ "{s: {F|base64offset|contains: /bin/bash}, condition: s}", "{F: eHgvYmluL2Jhc2ggLWk=}", true },
		{ "{s: {F|base64offset|contains: /bin/bash}, condition: s}", "{F: L2Jpbi9kYXNoIC1p}", false },
		{ "{s: {F|base64offset|contains|all: [/bin/bash, ' -i']}, condition: s}", "{F: L2Jpbi9iYXNoIC1p}", true },
		{ "{s: {F|base64offset|contains|all: [/bin/bash, wget]}, condition: s}", "{F: L2Jpbi9iYXNoIC1p}", false },
		/* UTF-16 of "ping" is p\0i\0n\0g\0: cABpAG4AZwA= */
		{ "{s: {F|wide|base64: ping}, condition: s}", "{F: cABpAG4AZwA=}", true },
		{ "{s: {F|utf16le|base64: ping}, condition: s}", "{F: cABpAG4AZwA=}", true },
		{ "{s: {F|utf16be|base64: ping}, condition: s}", "{F: AHAAaQBuAGc=}", true },
		{ "{s: {F|utf16|base64: ping}, condition: s}", "{F: //5wAGkAbgBnAA==}", true },
		{ "{s: {F|wide|base64: '\xf0\x9f\x98\x80'}, condition: s}", "{F: PdgA3g==}", true },
		{ "{s: {F|wide|base64offset|contains: ping}, condition: s}", "{F: eHBwAGkAbgBnAA==}", true },
		{ "{s: {F|base64: 'a\\*'}, condition: s}", "{F: YSo=}", true },
		/* dashes */
		{ "{s: {F|windash|contains: ' -f'}, condition: s}", "{F: x -f y}", true },
		{ "{s: {F|windash|contains: ' -f'}, condition: s}", "{F: x /F y}", true },
		{ "{s: {F|windash|contains: ' /f'}, condition: s}", "{F: x -f y}", true },
		{ "{s: {F|windash|contains: ' -f'}, condition: s}", "{F: x \xe2\x80\x95" "f y}", true },
		{ "{s: {F|windash|contains: ' -f'}, condition: s}", "{F: x +f y}", false },
		{ "{s: {F|contains|windash: ' -r '}, condition: s}", "{F: x /r y}", true },
		{ "{s: {F|windash|contains: ' --fo'}, condition: s}", "{F: x -/fo}", true },
		{ "{s: {F|windash|contains: ' --fo'}, condition: s}", "{F: x //fo}", false },
		{ "{s: {F|windash|contains: ' -f -g'}, condition: s}", "{F: x /f \xe2\x80\x93g y}", true },
		{ "{s: {F|windash|contains: 'a-b'}, condition: s}", "{F: a/b}", false },
		{ "{s: {F|windash|contains|all: [' -f', ' -g']}, condition: s}", "{F: x /g -f y}", true },
		{ "{s: {F|windash|base64offset|contains: ' -enc'}, condition: s}", "{F: eCAvZW5jIHk=}", true },
	};

	judge_rows(rows, ARRAY_LEN(rows));
}

static void fields_compare_with_fields(void **state)
{
	static const struct row rows[] = {
		{ "{s: {F|fieldref: G}, condition: s}", "{F: a, G: A}", true },
		{ "{s: {F|fieldref: G}, condition: s}", "{F: a, G: b}", false },
		{ "{s: {F|fieldref|cased: G}, condition: s}", "{F: a, G: A}", false },
		{ "{s: {F|fieldref: G}, condition: s}", "{F: 7, G: '7'}", true },
		{ "{s: {F|fieldref: G}, condition: s}", "{H: a}", false },
		{ "{s: {F|fieldref|neq: G}, condition: s}", "{F: a, G: b}", true },
		{ "{s: {F|fieldref|neq: G}, condition: s}", "{F: a, G: a}", false },
		{ "{s: {F|fieldref|startswith: G}, condition: s}", "{F: abc, G: AB}", true },
		{ "{s: {F|fieldref|endswith: G}, condition: s}", "{F: abc, G: bc}", true },
		{ "{s: {F|contains|fieldref: G}, condition: s}", "{F: abc, G: b}", true },
		{ "{s: {F|contains|fieldref: G}, condition: s}", "{F: b, G: abc}", false },
		{ "{s: {F|fieldref: [G, H]}, condition: s}", "{F: a, G: b, H: a}", true },
		{ "{s: {F|fieldref: nobody}, condition: s}", "{F: a}", false },
	};

	judge_rows(rows, ARRAY_LEN(rows));
}

static void keywords_are_looked_for_in_the_whole_event(void **state)
{
	static const struct row rows[] = {
		{ "{k: [evil, bad], condition: k}", "{F: x, G: an Evil one}", true },
		{ "{k: [evil, bad], condition: k}", "{F: x, G: good}", false },
		{ "{k: evil, condition: k}", "{G: an evil one}", true },
		{ "{k: {'|all': [evil, one]}, condition: k}", "{F: one, G: evil}", true },
		{ "{k: {'|all': [evil, two]}, condition: k}", "{F: one, G: evil}", false },
		{ "{k: ['a*z'], condition: k}", "{F: xxabczxx}", true },
		{ "{k: {'|re': '^ev.l$'}, condition: k}", "{F: evil}", true },
		{ "{k: {'|re': '^ev.l$'}, condition: k}", "{F: evils}", false },
		{ "{k: {'|contains': evil}, condition: k}", "{F: evils}", true },
		{ "{k: {'|cased': Evil}, condition: k}", "{F: evil}", false },
		{ "{k: [evil, {F: x}], condition: k}", "{F: x}", true },
		{ "{k: [evil, {F: x}], condition: k}", "{F: an evil one}", true },
		{ "{k: [evil, {F: x}], condition: k}", "{F: y}", false },
		{ "{k: [4242], condition: k}", "{F: port 4242}", true },
	};

	judge_rows(rows, ARRAY_LEN(rows));
}

static void conditions_join_selections(void **state)
{
#define ABC "{a: {F: 1}, b: {G: 1}, c: {H: 1}, "
	static const struct row rows[] = {
		{ ABC "condition: a and b}", "{F: 1, G: 1}", true },
		{ ABC "condition: a and b}", "{F: 1}", false },
		{ ABC "condition: a or b}", "{G: 1}", true },
		{ ABC "condition: not a}", "{G: 1}", true },
		{ ABC "condition: not not a}", "{F: 1}", true },
		/* not before and before or */
		{ ABC "condition: a or b and c}", "{F: 1}", true },
		{ ABC "condition: a or b and c}", "{G: 1}", false },
		{ ABC "condition: (a or b) and c}", "{F: 1}", false },
		{ ABC "condition: (a or b) and c}", "{F: 1, H: 1}", true },
		{ ABC "condition: not a and b}", "{G: 1}", true },
		{ ABC "condition: not a and b}", "{F: 1, G: 1}", false },
		{ ABC "condition: not (a and b)}", "{F: 1}", true },
		{ ABC "condition: not (a or b) or c}", "{F: 1}", false },
		{ ABC "condition: a AND NOT b}", "{F: 1}", true },
		{ ABC "condition: \"a\\n  and\\n  b\"}", "{F: 1, G: 1}", true },
		{ ABC "condition: 1 of them}", "{H: 1}", true },
		{ ABC "condition: 1 of them}", "{X: 1}", false },
		{ ABC "condition: any of them}", "{H: 1}", true },
		{ ABC "condition: all of them}", "{F: 1, G: 1, H: 1}", true },
		{ ABC "condition: all of them}", "{F: 1, G: 1}", false },
		{ ABC "condition: not 1 of them}", "{X: 1}", true },
		{ ABC "condition: [a and b, c]}", "{H: 1}", true },
		{ ABC "condition: [a and b, c]}", "{F: 1}", false },
		{ "{sel_a: {F: 1}, sel_b: {G: 1}, filter: {H: 1}, condition: 1 of sel_* and not filter}", "{G: 1}", true },
		{ "{sel_a: {F: 1}, sel_b: {G: 1}, filter: {H: 1}, condition: 1 of sel_* and not filter}", "{G: 1, H: 1}", false },
		{ "{sel_a: {F: 1}, sel_b: {G: 1}, filter: {H: 1}, condition: all of sel*}", "{F: 1, G: 1}", true },
		{ "{sel_a: {F: 1}, sel_b: {G: 1}, filter: {H: 1}, condition: all of sel*}", "{F: 1}", false },
		{ "{a_sel: {F: 1}, b_sel: {G: 1}, condition: 1 of *_sel}", "{G: 1}", true },
		{ "{a: {F: 1}, _b: {G: 1}, condition: 1 of them or nothing, nothing: {Z: 9}}", "{G: 1}", false },
		{ "{a: {F: 1}, _b: {G: 1}, condition: 1 of *}", "{G: 1}", false },
		{ "{a: {F: 1}, _b: {G: 1}, condition: a or 1 of _*}", "{G: 1}", true },
		{ "{1: {F: 1}, condition: '1'}", "{F: 1}", true },
		{ "{all: {F: 1}, condition: all}", "{F: 1}", true },
		{ "{sel-a.x: {F: 1}, condition: sel-a.x}", "{F: 1}", true },
		{ "{a: {F: 1}, condition: a and a and not not a or a}", "{F: 1}", true },
	};

	judge_rows(rows, ARRAY_LEN(rows));
}

/* Every condition of three selections agrees with what its words mean. */
static bool slow_or(const char **p, unsigned facts);

static bool slow_not(const char **p, unsigned facts)
{
	bool v;

	while (**p == ' ')
		++*p;
	if (!strncmp(*p, "not ", 4)) {
		*p += 4;
		return !slow_not(p, facts);
	}
	if (**p == '(') {
		++*p;
		v = slow_or(p, facts);
		while (**p == ' ')
			++*p;
		++*p;
		return v;
	}
	v = facts >> (**p - 'a') & 1;
	++*p;
	return v;
}

static bool slow_and(const char **p, unsigned facts)
{
	bool v = slow_not(p, facts);

	while (!strncmp(*p, " and ", 5)) {
		*p += 5;
		v &= slow_not(p, facts);
	}
	return v;
}

static bool slow_or(const char **p, unsigned facts)
{
	bool v = slow_and(p, facts);

	while (!strncmp(*p, " or ", 4)) {
		*p += 4;
		v |= slow_and(p, facts);
	}
	return v;
}

static void write_random(struct buf *b, unsigned *seed, unsigned depth)
{
	unsigned n = *seed = *seed * 1103515245U + 12345U;
	unsigned kind = (n >> 16) % (depth ? 6 : 1);

	if (kind < 2) {
		buf_add_char(b, (char)('a' + (n >> 8) % 4));
	} else if (kind == 2) {
		buf_add_str(b, "not ");
		write_random(b, seed, depth - 1);
	} else {
		bool has_braces = n >> 20 & 1;

		if (has_braces)
			buf_add_char(b, '(');
		write_random(b, seed, depth - 1);
		buf_add_str(b, kind == 3 ? " and " : " or ");
		write_random(b, seed, depth - 1);
		if (has_braces)
			buf_add_char(b, ')');
	}
}

static void random_conditions_mean_what_they_say(void **state)
{
	unsigned seed = 7;

	for (unsigned round = 0; round < 300; round++) {
		struct world w = world_new();
		CLEANUP(buf_finip) struct buf condition = { 0 }, text = { 0 };

		write_random(&condition, &seed, 5);
		/* d asks for what nobody has */
		buf_printf(&text, "{a: {F: 1}, b: {G: 1}, c: {H: 1}, d: {nobody: 1}, condition: %s}", condition.p);
		add_detection(&w, text.p);
		for (unsigned facts = 0; facts < 8; facts++) {
			char event[40];
			const char *p = condition.p;

			snprintf(event, sizeof(event), "{F: %u, G: %u, H: %u}", facts & 1, facts >> 1 & 1, facts >> 2 & 1);
			struct world_event ev = world_event(&w, DETECT_SOURCE_CALL, event);
			if (detect_match_one(w.set, 0, &ev.ev) != slow_or(&p, facts))
				fail_msg("%s with %s", condition.p, event);
		}
		world_fini(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_match_in_either_case_with_wildcards),
		cmocka_unit_test(lists_are_any_and_maps_are_all),
		cmocka_unit_test(null_exists_and_neq),
		cmocka_unit_test(numbers_compare_as_numbers),
		cmocka_unit_test(times_have_parts),
		cmocka_unit_test(regular_expressions_look_anywhere),
		cmocka_unit_test(networks_contain_addresses),
		cmocka_unit_test(encodings_are_found),
		cmocka_unit_test(fields_compare_with_fields),
		cmocka_unit_test(keywords_are_looked_for_in_the_whole_event),
		cmocka_unit_test(conditions_join_selections),
		cmocka_unit_test(random_conditions_mean_what_they_say),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
