/* netlink.h - questions to the kernel's routing tables of a socket's namespace. */
#pragma once
#include "common/err.h"
#include "common/slice.h"

/* Sends one request and calls fn (nullable) for each answer. flags: NLM_F_DUMP, or 0 and the answer is one. */
int netlink_ask(int fd, uint16_t type, uint16_t flags, struct slice payload,
		void (*fn)(void *arg, uint16_t type, struct slice payload), void *arg, struct err *err) WARN_UNUSED;
/* Takes the first attribute off; false at the end, or where the rest is no attribute. Pure. */
bool netlink_attr(struct slice *rest, uint16_t *ret_type, struct slice *ret_value);
