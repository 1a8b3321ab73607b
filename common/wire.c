/* wire.c - nng's errors in the house's terms, for both sides of the wire. */
#include "common/wire.h"

#include <errno.h>

#include "common/wire_priv.h"

static const struct {
	int rv, code;
	const char *words;
} errors[] = {
	{NNG_ENOMEM, ENOMEM, "out of memory"},
	{NNG_EINVAL, EINVAL, "invalid argument"},
	{NNG_ETIMEDOUT, ETIMEDOUT, "timed out"},
	{NNG_ECONNREFUSED, ECONNREFUSED, "connection refused"},
	{NNG_ECLOSED, ECONNRESET, "connection closed"},
	{NNG_EAGAIN, EAGAIN, "try again"},
	{NNG_ENOTSUP, ENOTSUP, "not supported"},
	{NNG_EADDRINUSE, EADDRINUSE, "address in use"},
	{NNG_EPROTO, ERR_PEER, "the other side does not speak our protocol"},
	{NNG_EUNREACHABLE, EHOSTUNREACH, "host unreachable"},
	{NNG_EADDRINVAL, EADDRNOTAVAIL, "no such address"},
	{NNG_EPERM, EACCES, "not permitted"},
	{NNG_ECONNABORTED, ECONNRESET, "connection aborted"},
	{NNG_ECONNRESET, ECONNRESET, "connection reset"},
	{NNG_ENOFILES, EMFILE, "too many open files"},
	{NNG_EPEERAUTH, ERR_CRYPTO, "TLS handshake failed"},
	{NNG_ECONNSHUT, ECONNRESET, "the other side closed the connection"},
	{NNG_EMSGSIZE, EMSGSIZE, "message too large"},
};

const char *wire_words(int rv)
{
	for (size_t i = 0; i < ARRAY_LEN(errors); i++)
		if (errors[i].rv == rv)
			return errors[i].words;
	return nng_strerror(rv);
}

int wire_err(struct err *err, int rv, const char *what)
{
	for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
		if (errors[i].rv != rv)
			continue;
		if (errors[i].code < 1024)
			return err_set(err, errors[i].code, "%s", what);
		return err_set(err, errors[i].code, "%s: %s", what, errors[i].words);
	}
	if (rv & NNG_ESYSERR)
		return err_set(err, rv & ~NNG_ESYSERR, "%s", what);
	return err_set(err, EIO, "%s: %s", what, nng_strerror(rv));
}
