# ruff: noqa: S608 - every name in these queries is a constant, or the environment's checked identifier
"""What PostgreSQL must look like for backups: who may read all of it, and who may restore it.

    flowrex_backup   reads every table and sequence of the owner's, and writes nothing
    flowrex_restore  makes databases, fills them as the owner, and ends connections to the old one

Vault makes short-lived logins in both. Reading is granted table by table, and for those to come by
default privileges. PostgreSQL's own `pg_read_all_data` would be shorter, and reads `pg_authid` with
every role's password hash too. Restoring may do what the owner may, since it makes what the owner
owns, and no more.
"""

from __future__ import annotations

from generator.bootstrap.postgres_plan import (
    OWNER,
    Wish,
    admin_of,
    member_of_nothing,
    role,
)

BACKUP = "flowrex_backup"
RESTORE = "flowrex_restore"
# The database that a restore is led from, since it must not be connected to what it renames.
_LED_FROM = "postgres"


def cluster_wishes() -> tuple[Wish, ...]:
    """Return what must hold in the whole server."""
    return (
        role(BACKUP, "NOLOGIN"),
        role(RESTORE, "NOLOGIN CREATEDB"),
        member_of_nothing(BACKUP),
        members_of(RESTORE, OWNER, "pg_signal_backend"),
        admin_of(BACKUP),
        admin_of(RESTORE),
        connects(RESTORE, _LED_FROM),
    )


def database_wishes(database: str) -> tuple[Wish, ...]:
    """Return what must hold inside the platform's database.

    Args:
        database: the platform's database.
    """
    return (
        connects(BACKUP, database),
        connects(RESTORE, database),
        _reads_what_is_there(),
        _reads_what_comes("schemas", "n", "USAGE"),
        _reads_what_comes("tables", "r", "SELECT"),
        _reads_what_comes("sequences", "S", "SELECT"),
    )


def _reads_what_is_there() -> Wish:
    # Whichever schemas the owner's migrations have made.
    return Wish(
        f"rights of {BACKUP} to read",
        f"SELECT count(*) > 0, coalesce(bool_and(has_schema_privilege('{BACKUP}', n.oid, 'USAGE')"
        " AND NOT EXISTS (SELECT FROM pg_class AS c WHERE c.relnamespace = n.oid"
        " AND c.relkind IN ('r', 'p', 'v', 'm', 'S')"
        f" AND NOT has_table_privilege('{BACKUP}', c.oid, 'SELECT'))), false)"
        f" FROM pg_namespace AS n WHERE n.nspowner = '{OWNER}'::regrole",
        (
            "DO $$ DECLARE s text; BEGIN FOR s IN SELECT quote_ident(nspname) FROM pg_namespace"
            f" WHERE nspowner = '{OWNER}'::regrole LOOP"
            f" EXECUTE format('GRANT USAGE ON SCHEMA %s TO {BACKUP}', s);"
            f" EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA %s TO {BACKUP}', s);"
            f" EXECUTE format('GRANT SELECT ON ALL SEQUENCES IN SCHEMA %s TO {BACKUP}', s);"
            " END LOOP; END $$",
        ),
    )


def _reads_what_comes(things: str, letter: str, privilege: str) -> Wish:
    return Wish(
        f"default privileges of {BACKUP} on {things}",
        "SELECT count(*) > 0, count(*) > 0 FROM pg_default_acl, aclexplode(defaclacl) AS a"
        f" WHERE defaclrole = '{OWNER}'::regrole AND defaclnamespace = 0 AND defaclobjtype ="
        f" '{letter}' AND a.grantee = '{BACKUP}'::regrole",
        (
            f"ALTER DEFAULT PRIVILEGES FOR ROLE {OWNER}"
            f" GRANT {privilege} ON {things.upper()} TO {BACKUP}",
        ),
    )


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
