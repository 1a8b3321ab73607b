/* fetch over TLS: a certificate that is not trusted, or not for the name, ends the request. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

#include "common/fetch.h"
#include "common/file.h"
#include "common/tls.h"

static char dir[] = "/tmp/picket-test-fetch-tls-XXXXXX";
static char ca_path[100], cert_path[100], key_path[100];
static int listener, port, stop_pipe[2];
static SSL_CTX *ctx;
static pthread_t thread;

/* One connection at a time is enough. */
static void *serve(void *arg)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n"
				     "Connection: close\r\n\r\nsecret";

	for (;;) {
		struct pollfd p[] = { { .fd = listener, .events = POLLIN },
				      { .fd = stop_pipe[0], .events = POLLIN } };
		char request[4096];

		poll(p, 2, -1);
		if (p[1].revents)
			return NULL;
		int fd = accept(listener, NULL, NULL);
		SSL *ssl = SSL_new(ctx);
		SSL_set_fd(ssl, fd);
		if (SSL_accept(ssl) == 1 && SSL_read(ssl, request, sizeof(request)) > 0)
			SSL_write(ssl, answer, sizeof(answer) - 1);
		SSL_shutdown(ssl);
		SSL_free(ssl);
		close(fd);
	}
}

static int write_keys(void)
{
	static const char *const names[] = { "127.0.0.1", NULL };
	const struct tls_sign how = { .role = TLS_ROLE_SERVER, .common_name = "test",
				      .alt_names = names, .valid_from_s = -3600,
				      .valid_for_s = 86400 };
	struct buf ca_key CLEANUP(buf_finip) = { 0 }, ca CLEANUP(buf_finip) = { 0 };
	struct buf key CLEANUP(buf_finip) = { 0 }, csr CLEANUP(buf_finip) = { 0 };
	struct buf cert CLEANUP(buf_finip) = { 0 };
	struct err err;

	snprintf(ca_path, sizeof(ca_path), "%s/ca", dir);
	snprintf(cert_path, sizeof(cert_path), "%s/cert", dir);
	snprintf(key_path, sizeof(key_path), "%s/key", dir);
	return tls_key_new(&ca_key, &err) ||
	       tls_ca_new(buf_slice(&ca_key), "test CA", 1, clock_real(), &ca, &err) ||
	       tls_key_new(&key, &err) ||
	       tls_csr_new(buf_slice(&key), "x", &csr, &err) ||
	       tls_sign(buf_slice(&ca), buf_slice(&ca_key), buf_slice(&csr), &how, clock_real(),
			&cert, NULL, &err) ||
	       file_write_atomic(ca_path, buf_slice(&ca), 0600, &err) ||
	       file_write_atomic(cert_path, buf_slice(&cert), 0600, &err) ||
	       file_write_atomic(key_path, buf_slice(&key), 0600, &err);
}

static int start_server(void **state)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(a);

	setenv("no_proxy", "*", 1);
	signal(SIGPIPE, SIG_IGN);
	if (!mkdtemp(dir) || pipe(stop_pipe) || write_keys())
		return -1;
	ctx = SSL_CTX_new(TLS_server_method());
	if (SSL_CTX_use_certificate_file(ctx, cert_path, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_use_PrivateKey_file(ctx, key_path, SSL_FILETYPE_PEM) != 1)
		return -1;
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(listener, (struct sockaddr *)&a, size) || listen(listener, 8) ||
	    getsockname(listener, (struct sockaddr *)&a, &size))
		return -1;
	port = ntohs(a.sin_port);
	return pthread_create(&thread, NULL, serve, NULL);
}

static int stop_server(void **state)
{
	close(stop_pipe[1]);
	pthread_join(thread, NULL);
	close(stop_pipe[0]);
	close(listener);
	SSL_CTX_free(ctx);
	unlink(ca_path);
	unlink(cert_path);
	unlink(key_path);
	return rmdir(dir);
}

static int get(const char *host, const char *ca_file, struct buf *ret_body, struct err *err)
{
	char url[100];
	long status;

	snprintf(url, sizeof(url), "https://%s:%d/", host, port);
	return fetch_wait(&(struct fetch_request){ .url = url, .ca_file = ca_file, .timeout_ms = 20000 },
			  &status, ret_body, err);
}

static void a_trusted_certificate_for_the_name_is_taken(void **state)
{
	struct buf body CLEANUP(buf_finip) = { 0 };
	struct err err = { 0 };

	if (get("127.0.0.1", ca_path, &body, &err) < 0)
		fail_msg("%s", err.msg);
	assert_string_equal(body.p, "secret");
}

static void a_certificate_nobody_trusts_is_refused(void **state)
{
	struct buf body CLEANUP(buf_finip) = { 0 };
	struct err err = { 0 };

	assert_int_equal(get("127.0.0.1", NULL, &body, &err), -ERR_CRYPTO);
	assert_non_null(strstr(err.msg, "certificate"));
	assert_int_equal(body.n, 0);
}

static void a_certificate_for_another_name_is_refused(void **state)
{
	struct buf body CLEANUP(buf_finip) = { 0 };
	struct err err = { 0 };

	assert_int_equal(get("localhost", ca_path, &body, &err), -ERR_CRYPTO);
	assert_non_null(strstr(err.msg, "localhost"));
}

static void a_ca_file_that_is_not_there_is_an_error_not_a_default(void **state)
{
	struct buf body CLEANUP(buf_finip) = { 0 };
	struct err err = { 0 };

	assert_int_equal(get("127.0.0.1", "/nonexistent/ca.pem", &body, &err), -ERR_CRYPTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_trusted_certificate_for_the_name_is_taken),
		cmocka_unit_test(a_certificate_nobody_trusts_is_refused),
		cmocka_unit_test(a_certificate_for_another_name_is_refused),
		cmocka_unit_test(a_ca_file_that_is_not_there_is_an_error_not_a_default),
	};

	return cmocka_run_group_tests(tests, start_server, stop_server);
}
