/* envelope.c - what dockerd wraps a request in: JSON with its body in base64; pure. */
#include "agent/guard/authz/authz_priv.h"

static int value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Standard, padded: what Go writes for []byte. */
static int unbase64(struct slice s, struct arena *a, struct slice *ret, struct err *err)
{
	char *p = arena_alloc(a, s.n / 4 * 3 + 1);
	size_t n = 0, pad = slice_ends(s, SLICE_LIT("==")) ? 2 : slice_ends(s, SLICE_LIT("=")) ? 1 : 0;

	if (!p)
		return err_set(err, ERR_LIMIT, "the body is too large");
	if (s.n % 4)
		return err_set(err, ERR_SYNTAX, "the body is no base64");
	for (size_t i = 0; i < s.n; i += 4) {
		uint32_t bits = 0;

		for (size_t k = 0; k < 4; k++) {
			int v = i + k >= s.n - pad ? 0 : value_of(s.p[i + k]);

			if (v < 0)
				return err_set(err, ERR_SYNTAX, "the body is no base64");
			bits = bits << 6 | (uint32_t)v;
		}
		p[n++] = (char)(bits >> 16);
		p[n++] = (char)(bits >> 8);
		p[n++] = (char)bits;
	}
	*ret = (struct slice){ p, n - pad };
	return 0;
}

int authz_envelope(struct slice text, struct arena *a, struct authz_request *ret, struct err *err)
{
	const struct authz_body *b, *headers;
	const char *method, *uri, *user, *how, *body, *type;
	struct authz_request rq = { 0 };
	int r;

	if ((r = authz_body_of_engine(text, a, &b, err)) < 0 || (r = authz_text(b, "RequestMethod", &method, err)) < 0 ||
	    (r = authz_text(b, "RequestUri", &uri, err)) < 0 || (r = authz_text(b, "User", &user, err)) < 0 ||
	    (r = authz_text(b, "UserAuthNMethod", &how, err)) < 0 || (r = authz_text(b, "RequestBody", &body, err)) < 0 ||
	    (r = authz_object(b, "RequestHeaders", &headers, err)) < 0 ||
	    (r = authz_text(headers, "Content-Type", &type, err)) < 0)
		return r;
	if (!*method || !*uri)
		return err_set(err, ERR_SYNTAX, "no RequestMethod or RequestUri");
	rq.method = slice_of(method);
	rq.uri = slice_of(uri);
	rq.user = slice_of(user);
	rq.user_method = slice_of(how);
	rq.content_type = slice_of(type);
	rq.has_body = *body != 0;
	if (rq.has_body && (r = unbase64(slice_of(body), a, &rq.body, err)) < 0)
		return r;
	*ret = rq;
	return 0;
}
