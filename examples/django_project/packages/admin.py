"""Projects, beside Django's users and groups in its admin."""

from django.contrib import admin

from .models import Project

admin.site.register(Project)
