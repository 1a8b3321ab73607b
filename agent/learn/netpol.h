/* netpol.h - network policies from what was seen, and to and from Kubernetes' (networking.k8s.io/v1 NetworkPolicy).
 *
 * Ours judges what a container reaches, by address. Kubernetes' has ports, pods by label, namespaces and who may come
 * in besides. What one can't say of the other is told in notes, a line each, "NAME:LINE:COL: what" where it has a
 * place; a note says whether more or less is let through for it. Pure. */
#pragma once
#include "agent/learn/reach.h"

enum { NETPOL_BYTES_MAX = 1 << 20, NETPOL_NODES_MAX = 20000, NETPOL_PREFIXES_MAX = 50000, NETPOL_NAMES_MAX = 1000 };

/* A NetworkPolicy that lets through what was seen of the container (an index of in), both ways, and nothing else. */
int netpol_to_kubernetes(const struct reach_input *in, size_t subject, struct arena *a, struct buf *out, struct buf *notes,
			 struct err *err) WARN_UNUSED;
/* The same for policy.yaml: a scope by the container's name, with a whitelist. */
int netpol_to_policy(const struct reach_input *in, size_t subject, struct arena *a, struct buf *out, struct buf *notes,
		     struct err *err) WARN_UNUSED;
/* A NetworkPolicy (text, called name in messages) for policy.yaml: a scope by label, by name where a label can't say it.
 * in: the containers whose addresses podSelector stands for. out stays empty where nothing of it can be said.
 * ERR_SYNTAX with name:line:col. */
int netpol_import(struct slice text, const char *name, const struct reach_input *in, struct arena *a, struct buf *out,
		  struct buf *notes, struct err *err) WARN_UNUSED;
