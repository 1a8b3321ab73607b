/* collector.h - the running collector: the one place where the rooms meet. */
#pragma once
#include "collector/config.h"
#include "common/clock.h"
#include "common/loop.h"

struct collector;

int collector_new(struct loop *l, const struct clock *clk, const struct collector_config *cfg,
		  struct collector **ret, struct err *err) WARN_UNUSED;
void collector_free(struct collector *c);
DEFINE_CLEANUP(struct collector, collector_free)

/* "tls+tcp://NAME:PORT" of a listener's URL, unless the configuration lists its own. The pointers in
 * ret (9 at most, NULL-terminated) are borrowed from cfg and from text. */
void collector_public_urls(const struct collector_config *cfg, const struct conf_list *own,
			   const char *listen, char text[512], const char *ret[9]);
