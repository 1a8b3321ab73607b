#!/bin/sh
# smtpd.sh - a real mail server (Debian's postfix) for tests, on loopback, with everything in DIR.
#
#   . tests/e2e/smtpd.sh            or            tests/e2e/smtpd.sh start DIR PORT | stop DIR
#   start_smtpd DIR PORT [CERT KEY]   STARTTLS is required; any recipient is accepted.
#   stop_smtpd DIR
#
# Mails land as files in DIR/mail/new/ (one maildir for all recipients). Without CERT and KEY a CA
# and a certificate for 127.0.0.1 and localhost are made: DIR/ca.pem is what a client must trust.
# DIR/smtpd.log holds the server's words. Returns 77 where this host has no postfix, or we are not
# root (it drops its privileges). The host's own mail server, configuration and spool aren't touched.
#
# Why not OpenSMTPD: Debian 12's 6.8.0p2 can't do a TLS handshake with OpenSSL 3 (EC and RSA keys,
# TLS 1.2 and 1.3 alike: "SSL routines::EVP lib", as its private key lives in another process).

smtpd_certificate() { # DIR
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
		-subj '/CN=picket test mail CA' -keyout "$1/ca.key" -out "$1/ca.pem" 2>/dev/null &&
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj '/CN=localhost' \
		-keyout "$1/server.key" -out "$1/server.csr" 2>/dev/null &&
	printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\n' >"$1/server.ext" &&
	openssl x509 -req -in "$1/server.csr" -CA "$1/ca.pem" -CAkey "$1/ca.key" -CAcreateserial \
		-days 2 -extfile "$1/server.ext" -out "$1/server.pem" 2>/dev/null
}

smtpd_configure() { # DIR PORT
	mkdir -p "$1/conf" "$1/spool" "$1/data" "$1/mail" || return 1
	chown postfix "$1/data" && chown nobody "$1/mail" || return 1
	cat >"$1/conf/main.cf" <<-END
		compatibility_level = 3.6
		queue_directory = $1/spool
		data_directory = $1/data
		maillog_file = $1/smtpd.log
		maillog_file_prefixes = $1
		myhostname = localhost
		mydestination =
		mynetworks = 127.0.0.0/8
		inet_interfaces = 127.0.0.1
		inet_protocols = ipv4
		alias_maps =
		alias_database =
		virtual_mailbox_domains = static:all
		virtual_mailbox_maps = static:mail/
		virtual_mailbox_base = $1
		virtual_uid_maps = static:$(id -u nobody)
		virtual_gid_maps = static:$(id -g nobody)
		virtual_transport = virtual
		smtpd_recipient_restrictions = permit_mynetworks, reject
		smtpd_tls_security_level = encrypt
		smtpd_tls_cert_file = $1/server.pem
		smtpd_tls_key_file = $1/server.key
		smtpd_tls_loglevel = 1
	END
	cat >"$1/conf/master.cf" <<-END
		$2 inet n - n - - smtpd
		pickup unix n - n 60 1 pickup
		cleanup unix n - n - 0 cleanup
		qmgr unix n - n 300 1 qmgr
		tlsmgr unix - - n 1000? 1 tlsmgr
		rewrite unix - - n - - trivial-rewrite
		bounce unix - - n - 0 bounce
		defer unix - - n - 0 bounce
		trace unix - - n - 0 bounce
		verify unix - - n - 1 verify
		flush unix n - n 1000? 0 flush
		proxymap unix - - n - - proxymap
		smtp unix - - n - - smtp
		showq unix n - n - - showq
		error unix - - n - - error
		retry unix - - n - - error
		discard unix - - n - - discard
		virtual unix - n n - - virtual
		anvil unix - - n - 1 anvil
		scache unix - - n - 1 scache
		postlog unix-dgram n - n - 1 postlogd
	END
}

start_smtpd() { # DIR PORT [CERT KEY]
	PATH=$PATH:/usr/sbin
	command -v postfix >/dev/null 2>&1 || { echo 'smtpd.sh: no postfix here' >&2; return 77; }
	[ "$(id -u)" = 0 ] || { echo 'smtpd.sh: needs root' >&2; return 77; }
	mkdir -p "$1" || return 1
	smtpd_dir=$(cd "$1" && pwd) || return 1
	chmod 755 "$smtpd_dir"
	if [ -n "${3:-}" ]; then
		cp "$3" "$smtpd_dir/server.pem" && cp "$4" "$smtpd_dir/server.key" || return 1
	else
		smtpd_certificate "$smtpd_dir" || { echo 'smtpd.sh: no certificate made' >&2; return 1; }
	fi
	chmod 600 "$smtpd_dir/server.key"
	smtpd_configure "$smtpd_dir" "$2" || return 1
	if ! postfix -c "$smtpd_dir/conf" start >>"$smtpd_dir/start.log" 2>&1; then
		echo "smtpd.sh: postfix did not start: $(tail -n 2 "$smtpd_dir/start.log" "$smtpd_dir/smtpd.log" 2>&1 | tr '\n' ' ')" >&2
		return 1
	fi
	smtpd_tries=0
	while ! openssl s_client -connect "127.0.0.1:$2" -starttls smtp </dev/null >/dev/null 2>&1; do
		smtpd_tries=$((smtpd_tries + 1))
		if [ $smtpd_tries -gt 50 ]; then
			echo "smtpd.sh: no answer on port $2: $(tail -n 2 "$smtpd_dir/smtpd.log" | tr '\n' ' ')" >&2
			stop_smtpd "$smtpd_dir"
			return 1
		fi
		sleep 0.1
	done
	return 0
}

stop_smtpd() { # DIR
	PATH=$PATH:/usr/sbin
	[ -f "$1/conf/main.cf" ] || return 0
	postfix -c "$(cd "$1" && pwd)/conf" stop >>"$1/start.log" 2>&1
}

case "${0##*/}" in
smtpd.sh)
	case "${1:-}" in
	start) shift; start_smtpd "$@" ;;
	stop) stop_smtpd "$2" ;;
	*) echo 'usage: smtpd.sh start DIR PORT [CERT KEY] | stop DIR' >&2; exit 2 ;;
	esac
	;;
esac
