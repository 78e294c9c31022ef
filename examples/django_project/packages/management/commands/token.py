"""``manage.py token USER``: makes a token, and prints it this once."""

import secrets
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandParser

from pypi_registry.accounts import token_digest

from ...models import Token


class Command(BaseCommand):
    help = "Make a token of a user, and print it this once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user")

    def handle(self, *args: Any, **options: Any) -> None:
        secret = secrets.token_urlsafe(30)  # random and long, so that a plain digest gives nothing away
        Token.objects.create(sha256=token_digest(secret), user=User.objects.get(username=options["user"]))
        self.stdout.write(secret)
