/* wire_link.h - one connection of a client: nng's socket and dialer, and the thread that waits for
 * nng.
 *
 * nng's dial blocks, its close may block for ever, and it has been seen to forget both (faults 4
 * and 6 in nng_guard.h). So nobody waits for it but the link's own thread. Whoever lets go of a
 * link goes on; the thread ends the connection behind it, or stays behind for good, and wire_lost()
 * counts it. */
#pragma once
#include "common/wire_priv.h"

struct wire_link;

/* Sets up all that can fail but the dial. hub: borrowed until wire_link_close; only one link of a
 * hub may be in use. wake_fd: an eventfd (duplicated); 1 is added when the dial has ended and when
 * the connection has. *ret: let go of with wire_link_close. Returns an NNG error. */
int wire_link_new(struct tls_hub *hub, const char *url, int wake_fd,
		  struct wire_link **ret) WARN_UNUSED;
/* Starts to dial. Once. */
void wire_link_dial(struct wire_link *l);
/* False while it dials. *ret_rv: 0 or an NNG error. */
bool wire_link_has_dialed(struct wire_link *l, int *ret_rv);
/* Has the connection ended? */
bool wire_link_is_removed(struct wire_link *l);
/* Borrowed until wire_link_close. */
nng_socket wire_link_socket(const struct wire_link *l);
/* Lets go of it, whatever it is doing; what is open ends. A connection that has begun is given up
 * to max_ms to be gone when this returns. NULL is fine. */
void wire_link_close(struct wire_link *l, unsigned max_ms);
