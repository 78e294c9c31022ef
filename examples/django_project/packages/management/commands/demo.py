"""``manage.py demo``: creates a group with two projects, and Ada, who publishes there."""

from typing import Any

from django.contrib.auth.models import Group, Permission, User
from django.core.management.base import BaseCommand

from ...models import Project


class Command(BaseCommand):
    help = "Create a group with two projects, and Ada, who publishes there."

    def handle(self, *args: Any, **options: Any) -> None:
        acme, _ = Group.objects.get_or_create(name="acme")
        acme.permissions.add(*Permission.objects.filter(content_type__app_label="packages", codename="add_package"))
        Project.objects.get_or_create(group=acme, slug="tools")
        Project.objects.get_or_create(group=acme, slug="open", defaults={"public": True})
        ada = User.objects.filter(username="ada").first() or User.objects.create_user("ada")
        ada.groups.add(acme)
