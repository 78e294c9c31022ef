"""``manage.py demo``: makes a group with two projects, and Ada, who publishes there."""

from typing import Any

from django.contrib.auth.models import Group, Permission, User
from django.core.management.base import BaseCommand

from ...models import Project


class Command(BaseCommand):
    help = "Make a group with two projects, and Ada, who publishes there."

    def handle(self, *args: Any, **options: Any) -> None:
        acme = Group.objects.create(name="acme")
        acme.permissions.set(Permission.objects.filter(content_type__app_label="packages", codename="add_package"))
        Project.objects.create(group=acme, slug="tools")
        Project.objects.create(group=acme, slug="open", public=True)
        User.objects.create_user("ada").groups.add(acme)
