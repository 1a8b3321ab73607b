/* init.c - `picket-collector init`: a CA, a server certificate, a configuration, a first token. */
#include "collector/fleet/fleet.h"

#include <errno.h>
#include <sys/stat.h>

#include "common/file.h"
#include "common/text.h"

enum { CA_YEARS = 10, SERVER_DAYS = 825, PATH_BYTES = 4096 };

static const char config_text[] =
	"# picket-collector: every key with what it means is in `picket-collector config`.\n"
	"name: %s\n"
	"data_dir: %s/data\n"
	"listen: %s          # agents, mutual TLS\n"
	"enrol_listen: %s    # new agents, with a token\n"
	"http: %s            # API and inbox, HTTPS\n"
	"tls:\n"
	"  ca: %s/ca.pem\n"
	"  ca_key: %s/ca.key\n"
	"  cert: %s/server.pem\n"
	"  key: %s/server.key\n"
	"history:\n"
	"  days: 30\n"
	"notify:\n"
	"  webhooks: []\n"
	"#  - name: chat\n"
	"#    url: https://hooks.example.net/T0/B0\n"
	"#    preset: slack            # picket slack alertmanager falco\n"
	"#    secret_file: %s/webhook.secret\n"
	"#    min_severity: medium\n"
	"  mails: []\n"
	"#  - name: on-call\n"
	"#    url: smtp://mail.example.net:587\n"
	"#    from: picket@example.net\n"
	"#    to: [ops@example.net]\n"
	"#    starttls: required       # required when-offered none\n"
	"#    min_severity: high\n";

static int write_in(const char *dir, const char *name, struct slice data, mode_t mode, struct err *err)
{
	char path[PATH_BYTES];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return file_write_atomic(path, data, mode, err);
}

/* The server's chain carries the CA along: that is what a token's pin is checked against. */
static int make_server(const struct fleet_init *how, struct slice ca, struct slice ca_key,
		       const struct clock *clk, struct err *err)
{
	CLEANUP(buf_finip) struct buf key = { 0 }, csr = { 0 }, cert = { 0 };
	char self[256] = "";
	const char *names[] = { how->host, "localhost", "127.0.0.1", "::1", self, NULL };
	struct tls_sign sign = { .role = TLS_ROLE_SERVER,
				 .common_name = how->host,
				 .alt_names = names,
				 .valid_from_s = -3600,
				 .valid_for_s = (int64_t)SERVER_DAYS * 86400 };

	if (gethostname(self, sizeof(self) - 1) < 0 || !self[0])
		names[4] = NULL;
	int r = tls_key_new(&key, err);
	if (r >= 0)
		r = tls_csr_new(buf_slice(&key), how->host, &csr, err);
	if (r >= 0)
		r = tls_sign(ca, ca_key, buf_slice(&csr), &sign, clk, &cert, NULL, err);
	if (r >= 0) {
		buf_add_slice(&cert, ca);
		r = cert.failed ? err_set(err, ENOMEM, "server certificate") : 0;
	}
	if (r >= 0)
		r = write_in(how->dir, "server.pem", buf_slice(&cert), 0644, err);
	if (r >= 0)
		r = write_in(how->dir, "server.key", buf_slice(&key), 0600, err);
	return r;
}

static int make_config(const struct fleet_init *how, struct err *err)
{
	CLEANUP(buf_finip) struct buf text;
	const char *d = how->dir;

	buf_init(&text, 65536);
	buf_printf(&text, config_text, how->host, d, how->listen, how->enrol_listen, how->http, d, d, d, d, d);
	if (text.failed)
		return err_set(err, ENOMEM, "configuration");
	return write_in(d, "collector.yaml", buf_slice(&text), 0640, err);
}

static int make_store(const struct fleet_init *how, const struct clock *clk, struct err *err)
{
	CLEANUP(store_closep) struct store *s = NULL;
	char data[PATH_BYTES], token[64];
	uint8_t secret[24], hash[32];
	struct store_config cfg = { .dir = data };

	snprintf(data, sizeof(data), "%s/data", how->dir);
	int r = file_make_dirs(data, 0700, err);
	if (r >= 0)
		r = store_open(&cfg, clk, &s, err);
	if (r < 0)
		return r;
	text_random(secret, sizeof(secret));
	size_t n = text_base64url(secret, sizeof(secret), token);
	token[n] = '\n';
	tls_sha256(slice_from(token, n), hash);
	r = store_begin(s, err);
	if (r >= 0)
		r = store_api_token_add(s, hash, "admin", "admin", 0, err);
	if (r >= 0)
		r = store_commit(s, err);
	if (r >= 0)
		r = write_in(how->dir, "admin.token", slice_from(token, n + 1), 0600, err);
	return r;
}

int fleet_init(const struct fleet_init *how, const struct clock *clk, char ret_pin[65], struct err *err)
{
	CLEANUP(buf_finip) struct buf ca_key = { 0 }, ca = { 0 };
	char path[PATH_BYTES], name[300];
	uint8_t pin[TLS_PIN_BYTES];

	int r = file_make_dirs(how->dir, 0755, err);
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "%s/ca.key", how->dir);
	if (access(path, F_OK) == 0)
		return err_set(err, EEXIST, "'%s' holds a CA already; nothing was changed", how->dir);
	snprintf(name, sizeof(name), "picket CA %s", how->host);
	r = tls_key_new(&ca_key, err);
	if (r >= 0)
		r = tls_ca_new(buf_slice(&ca_key), name, CA_YEARS, clk, &ca, err);
	if (r >= 0)
		r = tls_cert_pin(buf_slice(&ca), pin, err);
	if (r >= 0)
		r = make_server(how, buf_slice(&ca), buf_slice(&ca_key), clk, err);
	if (r >= 0)
		r = make_store(how, clk, err);
	if (r >= 0)
		r = make_config(how, err);
	if (r >= 0)
		r = write_in(how->dir, "ca.pem", buf_slice(&ca), 0644, err);
	/* Last: its presence is what says "initialised". */
	if (r >= 0)
		r = write_in(how->dir, "ca.key", buf_slice(&ca_key), 0600, err);
	if (r < 0)
		return err_wrap(err, r, "init '%s'", how->dir);
	text_hex(pin, sizeof(pin), ret_pin);
	return 0;
}
