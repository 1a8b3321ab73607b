/* checks.h - the functions behind the rows of checks_*.def. */
#pragma once
#include "agent/audit/judge.h"

#define CIS(n) "1.6: " n
/* The same number in 1.8, where it was seen to mean the same. */
#define CIS18(n) "1.6: " n ", 1.8: " n

#define CHECK(fn, id, subject, severity, title, cis, mitre, why, fix) enum audit_status check_##fn(struct judge *j);
#define HOSTFILE(fn, id, severity, what, most, title, cis, why) enum audit_status check_##fn(struct judge *j);
#include "agent/audit/checks_container.def"
#include "agent/audit/checks_daemon.def"
#include "agent/audit/checks_host.def"
#include "agent/audit/checks_image.def"
#undef CHECK
#undef HOSTFILE
