/* mounts.h - which folders of a host are dangerous in a container, and which mounts a runtime makes by itself. */
#pragma once
#include "agent/audit/judge.h"

/* How bad it is that a container has this file or folder of the host (absolute path). Returns false where it is
 * nothing special. root_dir: of the engine. *ret_what: static words. */
bool mounts_sensitive(const char *path, bool is_writable, const char *root_dir, enum audit_severity *ret, const char **ret_what);
/* Made by the runtime for each container (its root, /proc, /sys, /dev, /etc/hosts …), not asked for. */
bool mounts_is_runtimes(const struct judge *j, const struct facts_mount *m);
/* The same for who does not judge. root_dir: of the engine. */
bool mounts_is_made(const struct facts_container *c, const char *root_dir, const struct facts_mount *m);
/* A path and one above it, or the same: by whole names. "/" is above all. */
bool mounts_is_below(const char *path, const char *above);
/* Where the engine keeps a volume's data. */
bool mounts_is_volume(const char *path, const char *root_dir);
/* What an asked mount really brings: the device behind a volume, else the source. "" for a tmpfs or a plain volume. */
const char *mounts_source(const struct facts_asked_mount *m, const char *root_dir);
/* /var/run is /run; trailing and double slashes are nothing. */
void mounts_normal(const char *path, char *dst, size_t size);
