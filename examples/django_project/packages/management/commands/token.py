"""``manage.py token USER``: creates a token and prints it, once."""

import secrets
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandParser

from pypi_registry.accounts import token_digest

from ...models import Token


class Command(BaseCommand):
    help = "Create a token of a user and print it, once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user")

    def handle(self, *args: Any, **options: Any) -> None:
        secret = secrets.token_urlsafe(30)  # a long random secret cannot be guessed from its digest
        Token.objects.create(sha256=token_digest(secret), user=User.objects.get(username=options["user"]))
        self.stdout.write(secret)
