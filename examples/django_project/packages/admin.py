"""Projects, where Django's users and groups are looked after."""

from django.contrib import admin

from .models import Project

admin.site.register(Project)
