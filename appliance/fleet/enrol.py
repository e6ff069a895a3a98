"""``POST /enrol``: a machine gives its one-time code and gets the token of its node.

Nobody is signed in here: the code is what admits, so no cookie is read and no origin checked.
"""

import json
import logging
from typing import Any, Final

from django.core.cache import cache
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from appliance.fleet.services import enrolment
from appliance.lib.clients import address_of

log = logging.getLogger(__name__)

WINDOW_S: Final = 60
MOST_BY_ADDRESS: Final = 10
MOST_BY_ALL: Final = 100
"""Attempts in a window, in each web process. A code has 100 random bits, so this keeps the database
from work, not a guesser from luck."""

_MAX_BODY: Final = 1_000


@csrf_exempt
@never_cache
@require_POST
def enrol_view(request: HttpRequest) -> HttpResponse:
    """Take ``{"code": …}``; give ``{"token": …, "name": …}``, or ``{"error": …}``."""
    address = address_of(request)
    if _is_too_often(address):
        answer = JsonResponse({"error": "Too many attempts; try again in a minute."}, status=429)
        answer["Retry-After"] = str(WINDOW_S)
        return answer
    code = _code_of(request)
    if code is None:
        return JsonResponse({"error": 'A JSON object with "code" is expected.'}, status=400)
    try:
        node, token = enrolment.redeem(code, address, timezone.now())
    except enrolment.Refused as refusal:
        log.warning("enrolment refused: peer=%s", address)
        return JsonResponse({"error": str(refusal)}, status=403)
    log.info("node enrolled by code: node=%s peer=%s", node.name, address)
    return JsonResponse({"token": token.reveal(), "name": node.name})


def _code_of(request: HttpRequest) -> str | None:
    if int(request.META.get("CONTENT_LENGTH") or 0) > _MAX_BODY:
        return None
    try:
        plain: Any = json.loads(request.body)
    except (ValueError, RecursionError):
        return None
    code = plain.get("code") if isinstance(plain, dict) else None
    return code if isinstance(code, str) and code.isascii() else None


def _is_too_often(address: str) -> bool:
    window = int(timezone.now().timestamp()) // WINDOW_S
    return _count(f"enrol-{window}-all", MOST_BY_ALL) or _count(
        f"enrol-{window}-{address}", MOST_BY_ADDRESS
    )


def _count(key: str, most: int) -> bool:
    cache.add(key, 0, 2 * WINDOW_S)
    return bool(cache.incr(key) > most)
