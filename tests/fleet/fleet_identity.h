/* fleet_identity.h - certificates for simulated agents, and a collector's store that knows them. */
#pragma once
#include <openssl/x509.h>

#include "common/buf.h"
#include "common/err.h"

/* The store in data_dir knows count agents "sim-0000" … from then on, with certificates of the CA, all in the
 * one file path. A file that is there is used as it is: a second start is quick. */
int identity_make(const char *ca_file, const char *ca_key_file, const char *data_dir, unsigned count, const char *path,
		  struct err *err) WARN_UNUSED;
/* fn takes cert and key. Each agent of the file, at most count. */
int identity_each(const char *path, unsigned count,
		  int (*fn)(void *arg, unsigned index, const char *id, const char *host, X509 *cert, EVP_PKEY *key),
		  void *arg, struct err *err) WARN_UNUSED;
