/* err.c - see err.h. */
#include "common/err.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "common/slice.h"

static const char *const own_names[] = {
	[ERR_CORRUPT - 1024] = "data is damaged",
	[ERR_SYNTAX - 1024] = "wrong syntax",
	[ERR_LIMIT - 1024] = "limit passed",
	[ERR_DENIED - 1024] = "not allowed",
	[ERR_VERSION - 1024] = "version not understood",
	[ERR_PEER - 1024] = "the other side failed",
	[ERR_CRYPTO - 1024] = "key or certificate is wrong",
	[ERR_NOT_FOUND - 1024] = "not found",
	[ERR_USAGE - 1024] = "wrong usage",
};

const char *err_name(int code)
{
	if (code < 0)
		code = -code;
	if (code >= 1024 && (size_t)(code - 1024) < ARRAY_LEN(own_names))
		return own_names[code - 1024];
	const char *s = strerrordesc_np(code);
	return s ? s : "unknown error";
}

int err_set(struct err *err, int code, const char *fmt, ...)
{
	if (code < 0)
		code = -code;
	if (!code)
		code = EIO; /* an error without a code must still fail */
	if (err) {
		va_list ap;

		va_start(ap, fmt);
		int n = vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
		va_end(ap);
		err->code = code;
		if (n >= 0 && (size_t)n < sizeof(err->msg) - 4 && code < 1024)
			snprintf(err->msg + n, sizeof(err->msg) - (size_t)n, ": %s", err_name(code));
	}
	return -code;
}

int err_wrap(struct err *err, int r, const char *fmt, ...)
{
	if (!err)
		return r;
	char old[sizeof(err->msg)];
	va_list ap;

	memcpy(old, err->msg, sizeof(old));
	va_start(ap, fmt);
	int n = vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof(err->msg) - 4) {
		memcpy(err->msg + n, ": ", 2);
		slice_copy(slice_of(old), err->msg + n + 2, sizeof(err->msg) - (size_t)n - 2);
	}
	return r;
}

int err_exit_code(int code)
{
	switch (code < 0 ? -code : code) {
	case 0:
		return 0;
	case ERR_USAGE:
		return 2;
	case ERR_SYNTAX:
	case ERR_CORRUPT:
	case ERR_VERSION:
		return 3;
	case ERR_DENIED:
	case ERR_CRYPTO:
	case EACCES:
	case EPERM:
		return 4;
	case ERR_NOT_FOUND:
	case ENOENT:
		return 5;
	case ERR_PEER:
	case ECONNREFUSED:
	case ECONNRESET:
	case EHOSTUNREACH:
	case ENETUNREACH:
		return 6;
	case ETIMEDOUT:
		return 7;
	default:
		return 1;
	}
}
