/* alert_policy.h - the words and the document of an alert on what the policy refused. Pure. */
#pragma once
#include "common/buf.h"
#include "proto/msg.h"

#define ALERT_POLICY_RULE "Refused by policy"

/* "Refused: create of `web` on host-07 (rule AC-012, asked by carol): bind of /etc, writable". One line, whatever the
 * names hold. */
void alert_policy_title(struct buf *out, const char *host, const Picket__Event *ev);
/* As of a finding, with "admission" and, of a connection, "network". */
void alert_policy_document(struct buf *out, const Picket__Event *ev, struct slice title);
/* Of rule, host and who asked; without a name, which container. */
void alert_policy_fold_key(struct buf *out, const char *host, const Picket__Event *ev);
