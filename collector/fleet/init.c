/* init.c - `picket-collector init`: a CA, a server certificate, a configuration, a first token. */
#include "collector/fleet/fleet.h"

#include <errno.h>
#include <sys/stat.h>

#include "common/file.h"
#include "common/text.h"

enum { CA_YEARS = 10, SERVER_DAYS = 825, PATH_BYTES = 4096 };

/* What init leaves to its reader; the keys it knows stand before it. */
static const char config_rest[] =
	"history:\n"
	"  days: 30\n"
	"notify:\n"
	"  webhooks: []\n"
	"#  - name: chat\n"
	"#    url: https://hooks.example.net/T0/B0\n"
	"#    preset: slack            # picket slack teams pagerduty alertmanager falco\n"
	"#    secret_file: /etc/picket/webhook.secret\n"
	"#    min_severity: medium\n"
	"  mails: []\n"
	"#  - name: on-call\n"
	"#    url: smtp://mail.example.net:587\n"
	"#    from: picket@example.net\n"
	"#    to: [ops@example.net]\n"
	"#    starttls: required       # required when-offered none\n"
	"#    min_severity: high\n"
	"#  syslogs:\n"
	"#  - {name: siem, url: 'tls://siem.example.net:6514', format: cef}   # or rfc5424\n"
	"#  routes:                    # a receiver that no route names hears everything, at once\n"
	"#  - name: night\n"
	"#    receivers: [on-call]\n"
	"#    filter: 'severity>=high host=web-*'\n"
	"#    hours: ['22:00-06:00', 'sat,sun']\n"
	"#    time_zone: Europe/Berlin\n"
	"#    group_by: [rule, host]   # container image severity source alert, or none\n"
	"#    group_wait: 30s\n"
	"#    group_interval: 5m\n"
	"#    repeat_interval: 4h      # while it is open and nobody took it\n"
	"#    continue: true           # later routes are looked at, too\n"
	"feeds:\n"
	"  every: 6h                  # looked at by a process of its own\n"
	"  stale: 48h                 # older data raises an alert\n"
	"  sources: []\n"
	"#  - {name: debian, format: debian, url: 'https://security-tracker.debian.org/tracker/data/json'}\n"
	"#  - {name: alpine, format: alpine, url: 'https://secdb.alpinelinux.org/v3.20/main.json'}\n"
	"#  - {name: npm, format: osv, url: 'https://osv-vulnerabilities.storage.googleapis.com/npm/all.zip'}\n"
	"#  - {name: pypi, format: osv, url: 'https://osv-vulnerabilities.storage.googleapis.com/PyPI/all.zip'}\n"
	"#  - {name: go, format: osv, url: 'https://osv-vulnerabilities.storage.googleapis.com/Go/all.zip'}\n"
	"#  - {name: kev, format: kev, url: 'https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json'}\n"
	"#  - {name: epss, format: epss, url: 'https://epss.empiricalsecurity.com/epss_scores-current.csv.gz'}\n"
	"images:\n"
	"  alert_severity: high       # of running images; exploited ones always\n";

/* dst holds PATH_BYTES. */
static int path_in(const char *dir, const char *name, char *dst, struct err *err)
{
	int n = snprintf(dst, PATH_BYTES, "%s/%s", dir, name);

	if (n < 0 || n >= PATH_BYTES)
		return err_set(err, ENAMETOOLONG, "'%.60s...'", dir);
	return 0;
}

static int write_in(const char *dir, const char *name, struct slice data, mode_t mode, struct err *err)
{
	char path[PATH_BYTES];
	int r = path_in(dir, name, path, err);

	return r < 0 ? r : file_write_atomic(path, data, mode, err);
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

/* A double-quoted YAML text: a path or "[::]:8443" may hold anything. */
static void add_quoted(struct buf *out, const char *text)
{
	buf_add_char(out, '"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			buf_add_char(out, '\\');
		if ((unsigned char)*text < ' ')
			buf_printf(out, "\\x%02x", (unsigned char)*text);
		else
			buf_add_char(out, *text);
	}
	buf_add_str(out, "\"\n");
}

static int make_config(const struct fleet_init *how, struct err *err)
{
	const struct {
		const char *before, *text, *file; /* one of the two */
	} rows[] = {
		{ "name: ", how->host, NULL },
		{ "data_dir: ", NULL, "data" },
		{ "# agents, mutual TLS\nlisten: ", how->listen, NULL },
		{ "# new agents, with a token\nenrol_listen: ", how->enrol_listen, NULL },
		{ "# API and inbox, HTTPS\nhttp: ", how->http, NULL },
		{ "tls:\n  ca: ", NULL, "ca.pem" },
		{ "  ca_key: ", NULL, "ca.key" },
		{ "  cert: ", NULL, "server.pem" },
		{ "  key: ", NULL, "server.key" },
		{ "# Sigma rules, read again when they change\ncorrelate:\n  correlations: ", NULL, "correlations.d" },
		{ "  rules: ", NULL, "sigma.d" },
	};
	CLEANUP(buf_finip) struct buf text = { 0 };
	char path[PATH_BYTES];

	buf_init(&text, 65536);
	buf_add_str(&text, "# picket-collector: `picket-collector config` prints every key and what it means.\n");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int r = rows[i].file ? path_in(how->dir, rows[i].file, path, err) : 0;

		if (r < 0)
			return r;
		buf_add_str(&text, rows[i].before);
		add_quoted(&text, rows[i].file ? path : rows[i].text);
	}
	buf_add_str(&text, config_rest);
	if (text.failed)
		return err_set(err, ENOMEM, "configuration");
	return write_in(how->dir, "collector.yaml", buf_slice(&text), 0640, err);
}

static int make_store(const struct fleet_init *how, const struct clock *clk, struct err *err)
{
	CLEANUP(store_closep) struct store *s = NULL;
	char data[PATH_BYTES], token[64];
	uint8_t secret[24], hash[32];
	struct store_config cfg = { .dir = data };

	int r = path_in(how->dir, "data", data, err);
	if (r >= 0)
		r = file_make_dirs(data, 0700, err);
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
	if (r >= 0)
		r = path_in(how->dir, "ca.key", path, err);
	if (r < 0)
		return r;
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
