"""The health pages: is the process up, and can it do its work."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache

from config.readiness import FAILED, readiness


@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    """Say that the process answers; looks at nothing else."""
    return JsonResponse({"status": "ok"})


@never_cache
def readyz(request: HttpRequest) -> HttpResponse:
    """Say what works and what does not: 200 while the product can serve (perhaps degraded), 503 when it can't."""
    report = readiness()
    return JsonResponse(report, status=503 if report["status"] == FAILED else 200)
