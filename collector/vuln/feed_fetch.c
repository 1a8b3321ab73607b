/* feed_fetch.c - one download, straight into a file: only what is new (ETag, Last-Modified), only over TLS, only
 * so much. Runs in the process of its own that updates feeds, so it may wait. */
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "collector/vuln/vuln_priv.h"
#include "common/text.h"

enum { CONNECT_S = 15, WHOLE_S = 3600, SLOW_BYTES_PER_S = 512, SLOW_S = 60, REDIRECTS = 5 };

struct download {
	CURL *curl;
	FILE *out;
	uint64_t bytes;
	struct feed_answer got; /* of the last answer: redirects have headers, too */
	bool is_too_large;
};

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
	struct download *d = arg;
	long status = 0;

	(void)size; /* always 1 */
	curl_easy_getinfo(d->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status != 200)
		return n; /* an error's page is nobody's feed */
	d->bytes += n;
	d->is_too_large = d->bytes > VULN_FEED_BYTES_MAX;
	return d->is_too_large ? 0 : fwrite(p, 1, n, d->out);
}

static bool take_header(struct slice line, const char *name, char *dst, size_t size)
{
	size_t n = strlen(name);

	if (line.n <= n || strncasecmp(line.p, name, n) != 0)
		return false;
	struct slice value = slice_trim(slice_sub(line, n, line.n));
	/* It is sent back as it came: what isn't one line of text is no name of a copy. */
	if (!text_is_clean(value) || !slice_copy(value, dst, size))
		dst[0] = '\0';
	return true;
}

static size_t on_header(char *p, size_t size, size_t n, void *arg)
{
	struct download *d = arg;
	struct slice line = slice_from(p, n);

	(void)size;
	if (slice_starts(line, SLICE_LIT("HTTP/")))
		d->got = (struct feed_answer){ 0 };
	if (!take_header(line, "ETag:", d->got.etag, sizeof(d->got.etag)))
		take_header(line, "Last-Modified:", d->got.modified, sizeof(d->got.modified));
	return n;
}

static struct curl_slist *request_headers(const struct feed_answer *a)
{
	struct curl_slist *list = NULL;
	char line[512];

	if (a->etag[0]) {
		snprintf(line, sizeof(line), "If-None-Match: %s", a->etag);
		list = curl_slist_append(list, line);
	}
	if (a->modified[0]) {
		snprintf(line, sizeof(line), "If-Modified-Since: %s", a->modified);
		list = curl_slist_append(list, line);
	}
	return list;
}

static void set_up(struct download *d, const struct vuln_feed *f, struct curl_slist *headers, char *error)
{
	CURL *c = d->curl;

	curl_easy_setopt(c, CURLOPT_URL, f->url);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "https");
	curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, "https");
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 1L);
	curl_easy_setopt(c, CURLOPT_MAXREDIRS, (long)REDIRECTS);
	if (f->ca_file && f->ca_file[0]) {
		curl_easy_setopt(c, CURLOPT_CAINFO, f->ca_file);
		curl_easy_setopt(c, CURLOPT_CAPATH, NULL);
	}
	curl_easy_setopt(c, CURLOPT_USERAGENT, "picket/" PICKET_VERSION);
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, d);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, d);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
	curl_easy_setopt(c, CURLOPT_TIMEOUT, (long)WHOLE_S);
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, (long)SLOW_BYTES_PER_S);
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, (long)SLOW_S);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, error);
}

static int judge(const struct download *d, CURLcode rc, const char *error, struct err *err)
{
	long status = 0;

	curl_easy_getinfo(d->curl, CURLINFO_RESPONSE_CODE, &status);
	if (d->is_too_large)
		return err_set(err, ERR_LIMIT, "more than %llu MiB", VULN_FEED_BYTES_MAX >> 20);
	if (rc == CURLE_WRITE_ERROR)
		return err_set(err, ENOSPC, "keep what was downloaded");
	if (rc == CURLE_OPERATION_TIMEDOUT)
		return err_set(err, ETIMEDOUT, "%s", error);
	if (rc != CURLE_OK)
		return err_set(err, ERR_PEER, "%s", error[0] ? error : curl_easy_strerror(rc));
	if (status == 304)
		return 0;
	if (status != 200)
		return err_set(err, ERR_PEER, "the server answers %ld", status);
	return 1;
}

static int download(const struct vuln_feed *f, FILE *out, struct feed_answer *a, struct err *err)
{
	char error[CURL_ERROR_SIZE] = "";
	struct download d = { .curl = curl_easy_init(), .out = out };
	struct curl_slist *headers = request_headers(a);

	if (!d.curl) {
		curl_slist_free_all(headers);
		return err_set(err, ENOMEM, "download");
	}
	set_up(&d, f, headers, error);
	CURLcode rc = curl_easy_perform(d.curl);
	int r = judge(&d, rc, error, err);
	curl_easy_cleanup(d.curl);
	curl_slist_free_all(headers);
	if (r <= 0)
		return r;
	if (fflush(out) != 0)
		return err_set(err, errno, "keep what was downloaded");
	d.got.bytes = d.bytes;
	*a = d.got;
	return 1;
}

/* A file or folder on this machine: its time and size stand for the server's word. A folder's time says little,
 * so it is always read. */
static int look_at_file(const struct vuln_feed *f, struct feed_answer *a, struct err *err)
{
	struct feed_answer is = { 0 };
	struct stat st;

	if (stat(f->url, &st) < 0)
		return err_set(err, errno, "'%s'", f->url);
	is.bytes = (uint64_t)st.st_size;
	snprintf(is.etag, sizeof(is.etag), "%lld.%09ld %llu", (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
		 (unsigned long long)is.bytes);
	if (S_ISREG(st.st_mode) && !strcmp(is.etag, a->etag))
		return 0;
	*a = is;
	return 1;
}

int feed_fetch(const struct vuln_feed *f, const char *path, struct feed_answer *a, struct err *err)
{
	if (f->url[0] == '/')
		return look_at_file(f, a, err);
	if (strncmp(f->url, "https://", 8) != 0)
		return err_set(err, ERR_SYNTAX, "'%.100s': https://… or a path", f->url);
	FILE *out = fopen(path, "wex");
	if (!out)
		return err_set(err, errno, "'%s'", path);
	int r = download(f, out, a, err);
	if (fclose(out) != 0 && r > 0)
		r = err_set(err, errno, "'%s'", path);
	return r;
}
