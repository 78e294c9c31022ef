"""The application's own URLs, and the registry as a view."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import path

from .registry import mounted_at


def home(request: HttpRequest) -> HttpResponse:
    return HttpResponse("<!DOCTYPE html><title>Our projects</title><h1>Our projects</h1>")


urlpatterns = [
    path("", home),
    path("admin/", admin.site.urls),
    path("by-a-view/api/v4/<path:rest>", mounted_at("/by-a-view/api/v4")),
]
