# ruff: noqa: S608 - every name in these queries is a constant, or the environment's checked identifier
"""What PostgreSQL must look like for backups: who may read all of it, and who may restore it.

    flowrex_backup   reads every table and sequence, of every schema, and writes nothing
    flowrex_restore  makes databases, fills them as the owner, and ends connections to the old one

Vault makes short-lived logins in both. Reading is `pg_read_all_data`, and not superuser: a dump of
a table with row security then fails aloud, and the roles' passwords stay out of it; Vault makes
those logins anew anyway. Restoring may do what the owner may, since it makes what the owner owns,
and no more.
"""

from __future__ import annotations

from generator.bootstrap.postgres_plan import OWNER, Wish, admin_of, role

BACKUP = "flowrex_backup"
RESTORE = "flowrex_restore"
# The database that a restore is led from, since it must not be connected to what it renames.
_LED_FROM = "postgres"


def cluster_wishes() -> tuple[Wish, ...]:
    """Return what must hold in the whole server."""
    return (
        role(BACKUP, "NOLOGIN"),
        role(RESTORE, "NOLOGIN CREATEDB"),
        members_of(BACKUP, "pg_read_all_data"),
        members_of(RESTORE, OWNER, "pg_read_all_data", "pg_signal_backend"),
        admin_of(BACKUP),
        admin_of(RESTORE),
        connects(RESTORE, _LED_FROM),
    )


def database_wishes(database: str) -> tuple[Wish, ...]:
    """Return what must hold inside the platform's database.

    Args:
        database: the platform's database.
    """
    return (connects(BACKUP, database), connects(RESTORE, database))


def connects(name: str, database: str) -> Wish:
    """Let a role connect to a database."""
    return Wish(
        f"connections of {name} to {database}",
        f"SELECT c, c FROM (SELECT has_database_privilege('{name}', '{database}', 'CONNECT') AS c)"
        " AS f",
        (f"GRANT CONNECT ON DATABASE {database} TO {name}",),
    )


def members_of(name: str, *groups: str) -> Wish:
    """Make a role a member of these groups and of no other."""
    listed = ", ".join(f"'{group}'" for group in groups)
    return Wish(
        f"memberships of {name}",
        # By name: the question must also be answered before the role is there.
        f"SELECT count(*) > 0, coalesce(array_agg(g.rolname ORDER BY g.rolname)"
        f" = (SELECT array_agg(w ORDER BY w) FROM unnest(ARRAY[{listed}]::name[]) AS w), false)"
        " FROM pg_auth_members AS m JOIN pg_roles AS g ON g.oid = m.roleid"
        f" JOIN pg_roles AS r ON r.oid = m.member WHERE r.rolname = '{name}'",
        (
            "DO $$ DECLARE wide regrole; BEGIN FOR wide IN SELECT roleid FROM pg_auth_members"
            f" WHERE member = '{name}'::regrole LOOP EXECUTE format('REVOKE %s FROM {name}', wide);"
            " END LOOP; END $$",
            f"GRANT {', '.join(groups)} TO {name}",
        ),
    )
