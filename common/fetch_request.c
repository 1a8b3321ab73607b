/* fetch_request.c - one request as a libcurl handle: checked, set up, and its end put into words. */
#include <errno.h>
#include <pthread.h>

#include "common/fetch_priv.h"
#include "common/text.h"

enum { DEFAULT_BODY_MAX = 8 << 20, CONNECT_TIMEOUT_MS = 10000, BUFFER_BYTES = 16384 };
static const uint64_t retry_after_max_ms = 7ULL * 86400000;

static void init_curl(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

void fetch_init(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, init_curl);
}

void fetch_destroy(struct fetch *f)
{
	if (!f)
		return;
	curl_easy_cleanup(f->easy); /* before what it points to */
	curl_slist_free_all(f->headers);
	curl_slist_free_all(f->mail_to);
	buf_fini(&f->answer);
	free(f->body);
	free(f->unix_socket);
	free(f);
}

/* Line ends in any of these would add lines to the request that nobody asked for. */
static int check_line(const char *what, const char *s, struct err *err)
{
	if (s && !text_is_clean(slice_of(s)))
		return err_set(err, EINVAL, "the %s contains control characters", what);
	return 0;
}

static int check_address(const char *s, struct err *err)
{
	int r = check_line("mail address", s, err);

	if (!r && s && strpbrk(s, " \t<>,;"))
		return err_set(err, EINVAL, "the mail address is more than an address");
	return r;
}

static int check_request(const struct fetch_request *rq, struct err *err)
{
	const struct {
		const char *what, *value;
	} lines[] = {
		{ "URL", rq->url },	{ "method", rq->method },
		{ "user", rq->user },	{ "password", rq->password },
	};
	int r = rq->url ? 0 : err_set(err, EINVAL, "no URL");

	for (size_t i = 0; !r && i < ARRAY_LEN(lines); i++)
		r = check_line(lines[i].what, lines[i].value, err);
	for (size_t i = 0; !r && rq->headers && rq->headers[i]; i++)
		r = check_line("header", rq->headers[i], err);
	if (!r)
		r = check_address(rq->mail_from, err);
	for (size_t i = 0; !r && rq->mail_to && rq->mail_to[i]; i++)
		r = check_address(rq->mail_to[i], err);
	return r;
}

static bool is_mail(const struct fetch_request *rq)
{
	return !strncasecmp(rq->url, "smtp", 4);
}

/* The body, for mail with every line end as CRLF, as the protocol wants it. */
static int copy_body(struct fetch *f, const struct fetch_request *rq, struct err *err)
{
	size_t extra = 0, n = 0;

	if (!rq->body.n)
		return 0;
	for (size_t i = 0; is_mail(rq) && i < rq->body.n; i++)
		extra += rq->body.p[i] == '\n' && (!i || rq->body.p[i - 1] != '\r');
	f->body = malloc(rq->body.n + extra);
	if (!f->body)
		return err_set(err, ENOMEM, "copy the request");
	for (size_t i = 0; i < rq->body.n; i++) {
		if (extra && rq->body.p[i] == '\n' && (!i || rq->body.p[i - 1] != '\r'))
			f->body[n++] = '\r';
		f->body[n++] = rq->body.p[i];
	}
	f->body_bytes = n;
	return 0;
}

static int add_to(struct curl_slist **list, const char *s, struct err *err)
{
	struct curl_slist *more = curl_slist_append(*list, s);

	if (!more)
		return err_set(err, ENOMEM, "copy the request");
	*list = more;
	return 0;
}

static int copy_lists(struct fetch *f, const struct fetch_request *rq, struct err *err)
{
	bool has_type = false;
	int r = 0;

	for (size_t i = 0; !r && rq->mail_to && rq->mail_to[i]; i++)
		r = add_to(&f->mail_to, rq->mail_to[i], err);
	for (size_t i = 0; !r && rq->headers && rq->headers[i]; i++) {
		has_type |= !strncasecmp(rq->headers[i], "Content-Type:", 13);
		r = add_to(&f->headers, rq->headers[i], err);
	}
	/* What libcurl would add by itself: a form's type, and a wait for "100 Continue". */
	if (!r && !has_type && !is_mail(rq))
		r = add_to(&f->headers, "Content-Type:", err);
	if (!r && !is_mail(rq))
		r = add_to(&f->headers, "Expect:", err);
	return r;
}

static size_t on_write(char *p, size_t size, size_t n, void *arg)
{
	struct fetch *f = arg;
	long status = 0;

	(void)size; /* always 1 */
	if (f->is_cancelled)
		return CURL_WRITEFUNC_ERROR;
	curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
	/* A refusal's text is no part of the stream: it is kept as the answer's body. */
	if (f->on_data && status / 100 == 2) {
		f->is_ended = !f->on_data(f->arg, slice_from(p, n));
		return f->is_ended ? CURL_WRITEFUNC_ERROR : n;
	}
	buf_add(&f->answer, p, n);
	return f->answer.failed ? CURL_WRITEFUNC_ERROR : n;
}

static size_t on_head(char *p, size_t size, size_t n, void *arg)
{
	struct fetch *f = arg;
	struct slice value = slice_from(p, n), name;

	(void)size; /* always 1 */
	if (f->is_cancelled)
		return CURL_WRITEFUNC_ERROR;
	/* Without a colon: the status line, or the empty one at the end. */
	if (slice_find_char(value, ':') >= 0 && slice_split(&value, ':', &name))
		f->on_header(f->arg, name, slice_trim(value));
	return n;
}

static size_t on_read(char *p, size_t size, size_t n, void *arg)
{
	struct fetch *f = arg;
	size_t left = f->body_bytes - f->sent_bytes;

	n *= size;
	if (n > left)
		n = left;
	if (n)
		memcpy(p, f->body + f->sent_bytes, n);
	f->sent_bytes += n;
	return n;
}

/* The first failure stays in rc. */
#define SET(option, value) (rc = rc ? rc : curl_easy_setopt(f->easy, (option), (value)))

static CURLcode set_common(struct fetch *f, const struct fetch_request *rq)
{
	uint64_t timeout_ms = rq->timeout_ms > INT32_MAX ? INT32_MAX : rq->timeout_ms;
	CURLcode rc = CURLE_OK;

	SET(CURLOPT_URL, rq->url);
	SET(CURLOPT_PRIVATE, (void *)f);
	SET(CURLOPT_ERRORBUFFER, f->curl_error);
	SET(CURLOPT_PROTOCOLS_STR, "http,https,smtp,smtps");
	SET(CURLOPT_FOLLOWLOCATION, 0L); /* a redirect would carry our token elsewhere */
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(CURLOPT_TIMEOUT_MS, (long)timeout_ms);
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
	SET(CURLOPT_TCP_KEEPALIVE, 1L);
	SET(CURLOPT_BUFFERSIZE, (long)BUFFER_BYTES);
	SET(CURLOPT_UPLOAD_BUFFERSIZE, (long)BUFFER_BYTES); /* its default is 64 KiB each */
	SET(CURLOPT_WRITEFUNCTION, on_write);
	SET(CURLOPT_WRITEDATA, (void *)f);
	if (rq->ca_file)
		SET(CURLOPT_CAINFO, rq->ca_file);
	if (rq->client_cert)
		SET(CURLOPT_SSLCERT, rq->client_cert);
	if (rq->client_key)
		SET(CURLOPT_SSLKEY, rq->client_key);
	if (rq->user)
		SET(CURLOPT_USERNAME, rq->user);
	if (rq->password)
		SET(CURLOPT_PASSWORD, rq->password);
	if (rq->unix_socket) {
		SET(CURLOPT_UNIX_SOCKET_PATH, rq->unix_socket);
		SET(CURLOPT_PROXY, ""); /* the environment's proxy is not for local sockets */
	}
	return rc;
}

static CURLcode set_http(struct fetch *f, const struct fetch_request *rq)
{
	const char *method = rq->method ? rq->method : f->body_bytes ? "POST" : "GET";
	bool sends_body = f->body_bytes || !strcmp(method, "POST") || !strcmp(method, "PUT") ||
			  !strcmp(method, "PATCH");
	CURLcode rc = CURLE_OK;

	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_USERAGENT, "picket/" PICKET_VERSION);
	SET(CURLOPT_HTTPHEADER, f->headers);
	if (f->on_header) {
		SET(CURLOPT_HEADERFUNCTION, on_head);
		SET(CURLOPT_HEADERDATA, (void *)f);
	}
	if (sends_body) {
		SET(CURLOPT_POST, 1L);
		SET(CURLOPT_POSTFIELDS, f->body ? f->body : ""); /* not copied: f owns it */
		SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)f->body_bytes);
	}
	if (!strcmp(method, "HEAD"))
		SET(CURLOPT_NOBODY, 1L);
	else if (strcmp(method, sends_body ? "POST" : "GET") != 0)
		SET(CURLOPT_CUSTOMREQUEST, method);
	return rc;
}

static CURLcode set_mail(struct fetch *f, const struct fetch_request *rq)
{
	long ssl = CURLUSESSL_TRY;
	CURLcode rc = CURLE_OK;

	/* A password never goes over a connection whose STARTTLS somebody has cut out. */
	if (rq->starttls == FETCH_TLS_REQUIRED || (!rq->starttls && rq->password))
		ssl = CURLUSESSL_ALL;
	else if (rq->starttls == FETCH_TLS_NONE)
		ssl = CURLUSESSL_NONE;
	SET(CURLOPT_USE_SSL, ssl);
	SET(CURLOPT_MAIL_FROM, rq->mail_from ? rq->mail_from : "");
	SET(CURLOPT_MAIL_RCPT, f->mail_to);
	SET(CURLOPT_MAIL_RCPT_ALLLOWFAILS, rq->allows_refused ? 1L : 0L);
	SET(CURLOPT_UPLOAD, 1L);
	SET(CURLOPT_READFUNCTION, on_read);
	SET(CURLOPT_READDATA, (void *)f);
	SET(CURLOPT_INFILESIZE_LARGE, (curl_off_t)f->body_bytes);
	return rc;
}

#undef SET

int fetch_prepare(const struct fetch_request *rq, struct fetch **ret, struct err *err)
{
	int r = check_request(rq, err);

	if (r < 0)
		return r;
	fetch_init();
	CLEANUP(fetch_destroyp) struct fetch *f = calloc(1, sizeof(*f));
	if (!f)
		return err_set(err, ENOMEM, "prepare a request");
	f->on_data = rq->on_data;
	f->on_header = rq->on_header;
	f->on_done = rq->on_done;
	f->arg = rq->arg;
	buf_init(&f->answer, rq->max_body_bytes ? rq->max_body_bytes : DEFAULT_BODY_MAX);
	f->easy = curl_easy_init();
	if (rq->unix_socket)
		f->unix_socket = strdup(rq->unix_socket);
	if (!f->easy || (rq->unix_socket && !f->unix_socket))
		return err_set(err, ENOMEM, "prepare a request");
	r = copy_body(f, rq, err);
	if (r < 0)
		return r;
	r = copy_lists(f, rq, err);
	if (r < 0)
		return r;
	CURLcode rc = set_common(f, rq);
	if (!rc)
		rc = is_mail(rq) ? set_mail(f, rq) : set_http(f, rq);
	if (rc)
		return err_set(err, EINVAL, "prepare a request: %s", curl_easy_strerror(rc));
	*ret = take_ptr(f);
	return 0;
}

static int to_code(CURLcode rc, long os_errno)
{
	switch (rc) {
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return EHOSTUNREACH;
	case CURLE_COULDNT_CONNECT:
		return os_errno > 0 ? (int)os_errno : ECONNREFUSED;
	case CURLE_OPERATION_TIMEDOUT:
		return ETIMEDOUT;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_CIPHER:
	case CURLE_USE_SSL_FAILED:
		return ERR_CRYPTO;
	case CURLE_LOGIN_DENIED:
	case CURLE_REMOTE_ACCESS_DENIED:
		return ERR_DENIED;
	case CURLE_OUT_OF_MEMORY:
		return ENOMEM;
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
		return EINVAL;
	default:
		return ERR_PEER;
	}
}

struct fetch_result fetch_judge(struct fetch *f, CURLcode rc)
{
	struct fetch_result r = { .message = f->message };
	curl_off_t retry_after_s = 0;
	long os_errno = 0;

	curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &r.status);
	curl_easy_getinfo(f->easy, CURLINFO_RETRY_AFTER, &retry_after_s);
	curl_easy_getinfo(f->easy, CURLINFO_OS_ERRNO, &os_errno);
	if (retry_after_s > 0)
		r.retry_after_ms = (uint64_t)retry_after_s > retry_after_max_ms / 1000 ?
					   retry_after_max_ms :
					   (uint64_t)retry_after_s * 1000;
	r.body = buf_slice(&f->answer);
	if (rc == CURLE_OK || f->is_ended) /* ended by on_data's wish: an answer like any other */
		return r;
	r.code = to_code(rc, os_errno);
	const char *words = f->curl_error[0] ? f->curl_error : curl_easy_strerror(rc);
	if (f->answer.failed) {
		r.code = ERR_LIMIT;
		snprintf(f->message, sizeof(f->message), "the answer is larger than %zu bytes",
			 f->answer.cap);
	} else if (rc == CURLE_COULDNT_CONNECT && f->unix_socket) {
		/* libcurl would speak of the URL's host, which nobody has connected to. */
		snprintf(f->message, sizeof(f->message), "connect to '%.120s': %s", f->unix_socket,
			 err_name(r.code));
	} else if (rc == CURLE_COULDNT_CONNECT && os_errno > 0) {
		snprintf(f->message, sizeof(f->message), "%s: %s", words, err_name(r.code));
	} else {
		snprintf(f->message, sizeof(f->message), "%s", words);
	}
	return r;
}
