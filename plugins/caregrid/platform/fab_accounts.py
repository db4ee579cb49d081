"""Airflow's accounts on servers: one per role, in Airflow's own database, with the passwords of the secret.

Run as a program within `environment()`, because it imports Airflow: python -m caregrid.platform.fab_accounts
"""

from __future__ import annotations

from typing import Any

from caregrid.platform import accounts


def ensure() -> dict[str, str]:
    """Make each account, give it its one role and its password; return {account: role}."""
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder

    made = {}
    with get_application_builder() as builder:
        security: Any = builder.sm
        for name, password in accounts.passwords().items():
            role = security.find_role(accounts.ROLES[name].capitalize())
            user = security.find_user(username=name)
            if user is None:
                # Nobody gets mail there; the name under .invalid says so.
                user = security.add_user(name, name, "CareGrid", f"{name}@caregrid.invalid", role, password)
            else:
                security.reset_password(user.id, password)
            if not user:
                raise SystemExit(f"the account {name} could not be made")
            made[name] = role.name
    return made


if __name__ == "__main__":
    for account, given in ensure().items():
        print(f"account {account} with the role {given}")
