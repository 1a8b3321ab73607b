/* test_prom.c - metrics as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/prom.h"

static void families_and_samples_are_as_prometheus_reads_them(void **state)
{
	CLEANUP(buf_finip) struct buf out = { 0 };

	(void)state;
	prom_one(&out, "a_total", PROM_COUNTER, "One\nline\\.", 7);
	prom_family(&out, "b", PROM_GAUGE, "B.");
	prom_u64(&out, "b", PROM_LABELS("host", "we\"b\\\n", "x", "1"), UINT64_MAX);
	prom_f64(&out, "b", PROM_LABELS("host", ""), 0.25);
	assert_string_equal(out.p, "# HELP a_total One\\nline\\\\.\n# TYPE a_total counter\na_total 7\n"
				   "# HELP b B.\n# TYPE b gauge\n"
				   "b{host=\"we\\\"b\\\\\\n\",x=\"1\"} 18446744073709551615\n"
				   "b{host=\"\"} 0.25\n");
}

static void durations_are_classed_and_added_up(void **state)
{
	CLEANUP(buf_finip) struct buf out = { 0 };
	struct prom_durations d = { 0 }, before;

	(void)state;
	prom_durations_add(&d, 1000000);
	prom_durations_add(&d, 1000001);
	prom_durations_add(&d, 20000000000ull);
	prom_durations_write(&out, "t_seconds", "T.", &d);
	assert_string_equal(out.p, "# HELP t_seconds T.\n# TYPE t_seconds histogram\n"
				   "t_seconds_bucket{le=\"0.001\"} 1\nt_seconds_bucket{le=\"0.005\"} 2\n"
				   "t_seconds_bucket{le=\"0.01\"} 2\nt_seconds_bucket{le=\"0.025\"} 2\n"
				   "t_seconds_bucket{le=\"0.05\"} 2\nt_seconds_bucket{le=\"0.1\"} 2\n"
				   "t_seconds_bucket{le=\"0.25\"} 2\nt_seconds_bucket{le=\"1\"} 2\n"
				   "t_seconds_bucket{le=\"2.5\"} 2\nt_seconds_bucket{le=\"10\"} 2\n"
				   "t_seconds_bucket{le=\"+Inf\"} 3\nt_seconds_sum 20.002\nt_seconds_count 3\n");
	assert_true(prom_durations_quantile(&d, NULL, 0.3) == 1000000);
	assert_true(prom_durations_quantile(&d, NULL, 0.6) == 5000000);
	assert_true(prom_durations_quantile(&d, NULL, 0.99) == UINT64_MAX);
	assert_int_equal(prom_durations_over(&d, NULL, 1000000), 2);
	assert_int_equal(prom_durations_over(&d, NULL, 1000001), 1);
	assert_int_equal(prom_durations_over(&d, &d, 1000001), 0);
	assert_int_equal(prom_durations_over(&d, NULL, 10000000001), 0);
	before = d;
	assert_true(prom_durations_quantile(&d, &before, 0.99) == 0);
	prom_durations_add(&d, 90000000);
	assert_true(prom_durations_quantile(&d, &before, 0.99) == 100000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(families_and_samples_are_as_prometheus_reads_them),
		cmocka_unit_test(durations_are_classed_and_added_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
