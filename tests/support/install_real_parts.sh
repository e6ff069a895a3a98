#!/bin/sh
# Installs the real programs the tests talk to, from Debian's own packages.
# Called by `make test`. Without root it only says what is missing: the tests
# that need a missing program are then skipped, each one by name.
set -eu

# package:program that proves it is there
PARTS="
dovecot-core:/usr/sbin/dovecot
dovecot-imapd:/usr/lib/dovecot/imap
dovecot-pop3d:/usr/lib/dovecot/pop3
postfix:/usr/sbin/postfix
nginx:/usr/sbin/nginx
libnginx-mod-mail:/usr/lib/nginx/modules/ngx_mail_module.so
libssl-dev:/usr/include/openssl/ssl.h
redis-server:/usr/bin/redis-server
postgresql:/usr/bin/pg_createcluster
pebble:/usr/bin/pebble
bind9:/usr/sbin/named
bind9-dnsutils:/usr/bin/nsupdate
chromium:/usr/bin/chromium
curl:/usr/bin/curl
fetchmail:/usr/bin/fetchmail
isync:/usr/bin/mbsync
libnet-ssleay-perl:/usr/share/doc/libnet-ssleay-perl
libsasl2-modules:/usr/share/doc/libsasl2-modules
msmtp:/usr/bin/msmtp
mutt:/usr/bin/mutt
swaks:/usr/bin/swaks
systemd:/usr/bin/systemd-analyze
testssl.sh:/usr/bin/testssl
fonts-dejavu-core:/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf
"

missing=""
for part in $PARTS; do
    [ -e "${part#*:}" ] || missing="$missing ${part%%:*}"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "tests: not installed here, their tests will be skipped:$missing" >&2
    echo "tests: to run them all: sudo apt-get install --no-install-recommends$missing" >&2
    exit 0
fi

echo "tests: installing$missing" >&2
export DEBIAN_FRONTEND=noninteractive

# The tests start their own private copies on loopback. The distribution's
# services must not come up beside them just because a package arrived.
policy=/usr/sbin/policy-rc.d
made_policy=no
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    made_policy=yes
fi
cleanup() { [ "$made_policy" = no ] || rm -f "$policy"; }
trap cleanup EXIT INT TERM

echo "postfix postfix/main_mailer_type select No configuration" | debconf-set-selections 2>/dev/null || true
apt-get update -qq || true
# shellcheck disable=SC2086  # a list of words on purpose
apt-get install -y -qq --no-install-recommends $missing >/dev/null
