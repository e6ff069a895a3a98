"""Django's settings: embedded defaults, everything changeable by environment (``POSTROAD_…``).

Embedded: SQLite, an in-process channel layer and a Celery broker of plain files, all in the state
directory. Grown up: ``POSTROAD_DATABASE_URL`` and ``POSTROAD_REDIS_URL``. Code is the same.
"""

import hashlib
from datetime import timedelta
from pathlib import Path
from socket import gethostname
from typing import Any

from django.templatetags.static import static
from django.urls import reverse_lazy

from appliance.lib import broker, clients, database, env, mail, state

BASE_DIR = Path(__file__).resolve().parent.parent

# --- state, secrets -----------------------------------------------------------------------------

STATE_DIR = state.make_private_directory(env.path("STATE_DIR", BASE_DIR / "var"))
SECRET_KEY_FILE = env.path("SECRET_KEY_FILE", STATE_DIR / "secret.key")
ENCRYPTION_KEYS = state.read_keys(SECRET_KEY_FILE)
"""Fernet keys, newest first (ADR-0010)."""


def _signing_key(encryption_key: str) -> str:
    # one file to keep safe; a key for one purpose must not serve another as it stands
    return hashlib.sha256(b"django-secret-key:" + encryption_key.encode()).hexdigest()


SECRET_KEY = _signing_key(ENCRYPTION_KEYS[0])
SECRET_KEY_FALLBACKS = [_signing_key(key) for key in ENCRYPTION_KEYS[1:]]

# --- where we are reached -----------------------------------------------------------------------

HTTP_ADDRESS = env.text("HTTP_ADDRESS", "127.0.0.1")
HTTP_PORT = env.integer("HTTP_PORT", 8000, maximum=65535)
IMAP_PORT = env.integer("IMAP_PORT", 1143, minimum=1, maximum=65535)
POP3_PORT = env.integer("POP3_PORT", 1110, minimum=1, maximum=65535)
SMTP_PORT = env.integer("SMTP_PORT", 1587, minimum=1, maximum=65535)
TLS = env.boolean("TLS", True)
"""A first start makes a self-signed certificate, offers STARTTLS and listens on these as well:"""
IMAPS_PORT = env.integer("IMAPS_PORT", 1993, maximum=65535)
POP3S_PORT = env.integer("POP3S_PORT", 1995, maximum=65535)
SMTPS_PORT = env.integer("SMTPS_PORT", 1465, maximum=65535)
"""Ports with TLS from the first octet; 0: none."""

LISTEN_ADDRESS = env.text("LISTEN_ADDRESS", "*")
"""Address of the mail listeners that a first start creates."""

_WILDCARDS = {"", "0.0.0.0", "::", "*"}  # noqa: S104  (compared with, not bound)
_LOOPBACK = ["localhost", "127.0.0.1", "[::1]"]


def _own_hosts(address: str) -> list[str]:
    if address in (*_WILDCARDS, "localhost", "127.0.0.1", "::1"):
        return _LOOPBACK
    return [*_LOOPBACK, f"[{address}]" if ":" in address else address]


DEBUG = env.boolean("DEBUG", False)
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", _own_hosts(HTTP_ADDRESS))
CSRF_TRUSTED_ORIGINS = env.words("CSRF_TRUSTED_ORIGINS", [])
TRUSTED_PROXIES = clients.networks(env.words("TRUSTED_PROXIES", []))
"""Addresses and networks of reverse proxies whose ``X-Forwarded-For`` is believed."""
BEHIND_HTTPS = env.boolean("HTTPS", False)
"""The admin is reached through a TLS front end: cookies and redirects insist on it."""
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = BEHIND_HTTPS
SECURE_HSTS_SECONDS = env.integer("HSTS_SECONDS", 31_536_000) if BEHIND_HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = BEHIND_HTTPS and env.boolean("HSTS_SUBDOMAINS", False)
SECURE_HSTS_PRELOAD = BEHIND_HTTPS and env.boolean("HSTS_PRELOAD", False)
SILENCED_SYSTEM_CHECKS = [
    # both bind hosts that are not ours, so they are the operator's to turn on
    "security.W005",
    "security.W021",
]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_HTTPS else None
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_AGE = env.integer("SESSION_HOURS", 12, minimum=1, maximum=720) * 3600
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_NAME = "postroad_session"
CSRF_COOKIE_NAME = "postroad_csrf"
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
CONTENT_SECURITY_POLICY: dict[str, Any] = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        # no script but our files; unfold's Alpine.js makes functions of its attributes (ADR-0029)
        "script-src": ["'self'", "'unsafe-eval'"],
        "style-src": ["'self'", "'unsafe-inline'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
}

# --- applications -------------------------------------------------------------------------------

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "axes",
    "channels",
    "appliance.lib",
    "appliance.audit",
    "appliance.publish",
    "appliance.alerts",
    "appliance.stats",
    "appliance.history",
    "appliance.certs",
    "appliance.acme",
    "appliance.servers",
    "appliance.routing",
    "appliance.credentials",
    "appliance.authhttp",
    "appliance.fleet",
    "appliance.proof",
]
MIDDLEWARE = [
    # before hosts, HTTPS and people are asked for: CAs have none of these
    "appliance.acme.middleware.AnswerChallenges",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "appliance.audit.actors.actor_middleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "appliance.lib.guards.GuardMiddleware",
    "appliance.publish.middleware.PublishOnSave",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "appliance.urls"
ASGI_APPLICATION = "appliance.asgi.application"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
STATIC_URL = "static/"
WHITENOISE_USE_FINDERS = True
"""Static files come from the packages themselves: nothing to collect before a start."""

# --- data ---------------------------------------------------------------------------------------

DATABASES = {"default": database.from_url(env.text("DATABASE_URL"), STATE_DIR / "db.sqlite3")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.text("REDIS_URL")
CHANNEL_LAYERS: dict[str, Any] = {
    "default": {
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        # longer than the layer waits for a message (5 s), or idle connections break; redis-py's
        # own default is just as long as that
        "CONFIG": {"hosts": [{"address": REDIS_URL, "socket_timeout": 15.0}]},
    }
    if REDIS_URL
    else {"BACKEND": "channels.layers.InMemoryChannelLayer"}
}

CACHES: dict[str, Any] = {
    # of each process
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
    # of all web processes: what is asked of nodes for a moment's look (ADR-0038)
    "shared": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "postroad",
        "OPTIONS": {
            "serializer": "appliance.lib.cache.JsonSerializer",
            "socket_timeout": 5.0,
            "socket_connect_timeout": 5.0,
        },
    }
    if REDIS_URL
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "shared"},
}

# --- background work ----------------------------------------------------------------------------

CELERY_TASK_IGNORE_RESULT = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BEAT_SCHEDULE_FILENAME = str(STATE_DIR / "beat")
if REDIS_URL:
    CELERY_BROKER_URL = REDIS_URL
else:
    _messages = str(state.make_private_directory(STATE_DIR / "broker" / "messages"))
    CELERY_BROKER_URL = broker.register()
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": _messages,
        "data_folder_out": _messages,
        "polling_interval": 0.2,
        "control_folder": str(state.make_private_directory(STATE_DIR / "broker" / "control")),
    }

ACME_HOOK_DIR = env.text("ACME_HOOK_DIR")
"""Directory of the programs that may set TXT records for DNS-01; blank: there are none."""

# --- telling people what is wrong -----------------------------------------------------------------

globals().update(mail.from_url(env.text("EMAIL_URL")))
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.text("EMAIL_FROM", f"Postroad <postroad@{gethostname()}>")
ADMIN_URL = env.text("ADMIN_URL")
"""Where people reach the admin, for links in messages: ``https://postroad.example.com``."""

# --- people -------------------------------------------------------------------------------------

PASSWORD_HASHERS = ["appliance.lib.hashing.StaffPasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AXES_FAILURE_LIMIT = env.integer("SIGN_IN_FAILURES", 5, minimum=1, maximum=1000)
"""Failed sign-ins of one name from one address after which it has to wait."""
AXES_COOLOFF_TIME = timedelta(minutes=env.integer("SIGN_IN_WAIT_MINUTES", 15, minimum=1))
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_LOCKOUT_CALLABLE = "appliance.lib.lockouts.page"
AXES_CLIENT_IP_CALLABLE = "appliance.lib.clients.address_of"
AXES_USERNAME_CALLABLE = "appliance.lib.lockouts.username_of"
AXES_DISABLE_ACCESS_LOG = True  # the audit trail has it
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False
LOGIN_URL = reverse_lazy("admin:login")
LOGIN_REDIRECT_URL = reverse_lazy("admin:index")

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-gb"
USE_I18N = False
FORMAT_MODULE_PATH = "appliance.lib.formats"

# --- the auth service, and how nodes ask it -----------------------------------------------------

AUTH_WAIT_S = env.integer("AUTH_WAIT_S", 3, maximum=3600)
"""How long a client waits after a refused login; 0 disconnects it instead."""
AUTH_HTTP_HOST = env.text(
    "AUTH_HTTP_HOST", "127.0.0.1" if HTTP_ADDRESS in _WILDCARDS else HTTP_ADDRESS
)
"""Where nodes reach the built-in auth service."""
AUTH_LISTEN_PORT = env.integer(
    "AUTH_LISTEN_PORT", HTTP_PORT + 1 if HTTP_PORT < 65535 else 0, maximum=65535
)
"""Port of the auth service's own process (ADR-0021); 0: there is none, the web server answers."""
AUTH_HTTP_PORT = env.integer("AUTH_HTTP_PORT", AUTH_LISTEN_PORT or HTTP_PORT, maximum=65535)
AUTH_HASH_QUEUE = env.integer("AUTH_HASH_QUEUE", 64, maximum=100_000)
"""Passwords that may wait to be hashed; who comes when it is full is told to try again later."""
AUTH_VERIFIED_TTL_S = env.integer("AUTH_VERIFIED_TTL_S", 900, maximum=86_400)
"""How long a password that was found right is not hashed again."""
REHASH_PASSWORDS = env.boolean("REHASH_PASSWORDS", True)
"""Replace an imported hash by argon2id at the next good login."""
CERTIFICATE_LOGIN = env.text("CERTIFICATE_LOGIN", "CN")
"""Attribute of a client certificate's subject that holds the login, for EXTERNAL."""
AUTH_HTTP_TIMEOUT_MS = env.integer("AUTH_HTTP_TIMEOUT_MS", 10_000, minimum=1)
AUTH_CACHE_TTL_MS = env.integer("AUTH_CACHE_TTL_MS", 60_000, maximum=86_400_000)
AUTH_CACHE_STALE_MS = env.integer("AUTH_CACHE_STALE_MS", 86_400_000, maximum=604_800_000)

# --- what is kept of sessions -------------------------------------------------------------------

HISTORY_DAYS = env.integer("HISTORY_DAYS", 90, minimum=1, maximum=3650)
"""How long it can be looked up who logged in from where, and what became of it."""
HISTORY_VISITS_DAYS = env.integer("HISTORY_VISITS_DAYS", 3, minimum=1, maximum=3650)
"""The same for connections that submitted no login: scanners, and probes of load balancers."""

# --- the audit trail ----------------------------------------------------------------------------

AUDIT_DAYS = env.integer("AUDIT_DAYS", 730, maximum=36_500)
"""How long entries are kept; 0: for ever."""

# --- statistics ---------------------------------------------------------------------------------

STATS_SAMPLES_KEPT_H = env.integer("STATS_SAMPLES_KEPT_H", 2, minimum=1, maximum=48)
"""How long what nodes report every five seconds is kept."""
STATS_MINUTES_KEPT_D = env.integer("STATS_MINUTES_KEPT_D", 3, minimum=2, maximum=400)
STATS_HOURS_KEPT_D = env.integer("STATS_HOURS_KEPT_D", 90, minimum=32, maximum=4000)
STATS_DAYS_KEPT_D = env.integer("STATS_DAYS_KEPT_D", 1825, minimum=366, maximum=40_000)
"""How long the roll-ups by minute, hour and day are kept."""
METRICS_TOKEN_FILE = env.text("METRICS_TOKEN_FILE")
"""File with the bearer token that collectors have to send to ``/metrics``."""
METRICS_NETWORKS = env.words("METRICS_NETWORKS", [])
"""Networks whose collectors need none."""
NODE_ALARM_S = env.integer("NODE_ALARM_S", 60, minimum=5, maximum=86_400)
"""How long a node may be silent, or behind, before people are told."""
LOGIN_ALARM_LEAST = env.integer("LOGIN_ALARM_LEAST", 50, maximum=1_000_000)
"""Failed logins of a server block in five minutes below which nobody is alarmed; 0: never."""
LOGIN_ALARM_FACTOR = env.integer("LOGIN_ALARM_FACTOR", 4, minimum=2, maximum=1000)
"""How many times as many as usual are a reason for an alarm."""

# --- looks --------------------------------------------------------------------------------------

UNFOLD = {
    "SITE_TITLE": "Postroad",
    "SITE_HEADER": "Postroad",
    "SITE_SUBHEADER": "Mail proxy",
    "SITE_SYMBOL": "forward_to_inbox",
    "SITE_FAVICONS": [
        {
            "rel": "icon",
            "type": "image/svg+xml",
            "href": lambda request: static("postroad/icon.svg"),
        }
    ],
    "SHOW_VIEW_ON_SITE": False,
    "SITE_URL": None,
    "DASHBOARD_CALLBACK": "appliance.fleet.overview.fill",
    "STYLES": [lambda request: static("postroad/admin.css")],
    "SIDEBAR": {"navigation": "appliance.lib.sidebar.build", "show_search": False},
}

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "filters": {"brief": {"()": "appliance.lib.logs.Brief"}},
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["brief"]}
    },
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {
        "django": {"handlers": [], "level": "WARNING", "propagate": True},
        "daphne": {"handlers": [], "level": "WARNING", "propagate": True},
        "axes": {"handlers": [], "level": "ERROR", "propagate": True},  # the audit trail has it
    },
}
