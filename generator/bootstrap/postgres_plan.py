# ruff: noqa: S608 - every name in these queries is a constant, or the environment's checked identifier
"""What PostgreSQL must look like: each wish as a question and the statements that fulfil it.

Five roles that never log in by themselves or only for Vault:

    flowrex_owner   owns the schema and all tables; migrations act as it
    flowrex_app     what the application may do: rows of the tables in `public`
    flowrex_worker  what the emergency's worker may do; migrations grant it
    flowrex_retention  calls the functions that delete what has expired; likewise
    flowrex_vault   Vault's login: makes and drops short-lived logins in the others
                    (and in those of backups, see `postgres_backup`)

The statements run on PostgreSQL 15 and 16. On 16 CREATEROLE alone grants no role to others, so
Vault's login holds both roles WITH ADMIN OPTION; NOINHERIT keeps it from using them by accident.
"""

from __future__ import annotations

from dataclasses import dataclass

OWNER = "flowrex_owner"
APP = "flowrex_app"
WORKER = "flowrex_worker"
RETENTION = "flowrex_retention"
VAULT = "flowrex_vault"
SCHEMA = "public"
# Alembic's version table lives apart, so that the application can't even read it.
MIGRATIONS = "migrations"


@dataclass(frozen=True)
class Wish:
    """One thing that PostgreSQL must have.

    Attributes:
        name: the step's name after `postgres `.
        question: a query that returns one row: whether it is there, and whether it is right.
        statements: what makes it so; each may be repeated.
        transactional: False for what PostgreSQL refuses inside a transaction.
    """

    name: str
    question: str
    statements: tuple[str, ...]
    transactional: bool = True


def cluster_wishes(database: str) -> tuple[Wish, ...]:
    """Return what must hold in the whole server: roles, memberships, the database.

    Args:
        database: the platform's database, an identifier that needs no quoting.
    """
    return (
        role(OWNER, "NOLOGIN"),
        role(APP, "NOLOGIN"),
        role(WORKER, "NOLOGIN"),
        role(RETENTION, "NOLOGIN"),
        role(VAULT, "LOGIN CREATEROLE NOINHERIT"),
        member_of_nothing(OWNER),
        member_of_nothing(APP),
        member_of_nothing(WORKER),
        member_of_nothing(RETENTION),
        admin_of(OWNER),
        admin_of(APP),
        admin_of(WORKER),
        admin_of(RETENTION),
        Wish(
            # So that a login that has ended can't go on in a connection that is still open.
            f"membership of {VAULT} in pg_signal_backend",
            f"SELECT m, m FROM (SELECT pg_has_role('{VAULT}', 'pg_signal_backend', 'MEMBER') AS m)"
            " AS f",
            (f"GRANT pg_signal_backend TO {VAULT}",),
        ),
        Wish(
            f"database {database}",
            "SELECT count(*) > 0, coalesce(bool_and(pg_get_userbyid(datdba) = "
            f"'{OWNER}'), false) FROM pg_database WHERE datname = '{database}'",
            (f"CREATE DATABASE {database} OWNER {OWNER} TEMPLATE template0 ENCODING 'UTF8'",),
            transactional=False,
        ),
        *(_closed(name, others=True) for name in ("postgres", "template1")),
    )


def database_wishes(database: str) -> tuple[Wish, ...]:
    """Return what must hold inside the platform's database.

    Args:
        database: the platform's database.
    """
    return (
        _closed(database),
        Wish(
            f"connections to {database}",
            "SELECT c, c FROM (SELECT "
            + " AND ".join(
                f"has_database_privilege('{role}', '{database}', 'CONNECT')"
                for role in (APP, WORKER, RETENTION, OWNER, VAULT)
            )
            + " AS c) AS f",
            (
                f"GRANT CONNECT ON DATABASE {database}"
                f" TO {APP}, {WORKER}, {RETENTION}, {OWNER}, {VAULT}",
            ),
        ),
        Wish(
            f"schema {SCHEMA}",
            f"SELECT true, pg_get_userbyid(nspowner) = '{OWNER}'"
            f" AND has_schema_privilege('{APP}', oid, 'USAGE')"
            f" AND NOT has_schema_privilege('{APP}', oid, 'CREATE')"
            " AND NOT EXISTS (SELECT FROM aclexplode(nspacl) WHERE grantee = 0)"
            f" FROM pg_namespace WHERE nspname = '{SCHEMA}'",
            (
                f"ALTER SCHEMA {SCHEMA} OWNER TO {OWNER}",
                f"REVOKE ALL ON SCHEMA {SCHEMA} FROM PUBLIC, {APP}",
                f"GRANT USAGE ON SCHEMA {SCHEMA} TO {APP}",
            ),
        ),
        Wish(
            f"schema {MIGRATIONS}",
            f"SELECT count(*) > 0, coalesce(bool_and(pg_get_userbyid(nspowner) = '{OWNER}'"
            f" AND NOT has_schema_privilege('{APP}', oid, 'USAGE')), false)"
            f" FROM pg_namespace WHERE nspname = '{MIGRATIONS}'",
            (
                f"CREATE SCHEMA IF NOT EXISTS {MIGRATIONS} AUTHORIZATION {OWNER}",
                f"ALTER SCHEMA {MIGRATIONS} OWNER TO {OWNER}",
                f"REVOKE ALL ON SCHEMA {MIGRATIONS} FROM PUBLIC, {APP}",
            ),
        ),
        _default_privileges("tables", "r", "SELECT, INSERT, UPDATE, DELETE"),
        _default_privileges("sequences", "S", "USAGE, SELECT"),
        _default_privileges("functions", "f", "EXECUTE"),
        Wish(
            "default privileges of PUBLIC on functions",
            "SELECT count(*) > 0, coalesce(bool_and(NOT EXISTS (SELECT FROM"
            " aclexplode(defaclacl) WHERE grantee = 0)), false) FROM pg_default_acl"
            f" WHERE defaclrole = '{OWNER}'::regrole AND defaclnamespace = 0"
            " AND defaclobjtype = 'f'",
            (f"ALTER DEFAULT PRIVILEGES FOR ROLE {OWNER} REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC",),
        ),
    )


def role(name: str, attributes: str) -> Wish:
    """Wish for a role with these attributes, and no superuser."""
    right = " AND ".join(_ATTRIBUTES[word] for word in attributes.split())
    return Wish(
        f"role {name}",
        f"SELECT count(*) > 0, coalesce(bool_and({right} AND NOT rolsuper), false)"
        f" FROM pg_roles WHERE rolname = '{name}'",
        (
            # CREATE ROLE has no IF NOT EXISTS.
            f"DO $$ BEGIN CREATE ROLE {name}; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
            f"ALTER ROLE {name} {attributes}",
        ),
    )


_ATTRIBUTES = {
    "LOGIN": "rolcanlogin",
    "NOLOGIN": "NOT rolcanlogin",
    "CREATEROLE": "rolcreaterole",
    "CREATEDB": "rolcreatedb",
    "NOINHERIT": "NOT rolinherit",
}


def member_of_nothing(role: str) -> Wish:
    """Wish that a role has no rights but its own."""
    return Wish(
        f"no memberships of {role}",
        # By name: the question must also be answered before the role is there.
        "SELECT count(*) > 0, coalesce(bool_and(NOT EXISTS (SELECT FROM pg_auth_members"
        f" WHERE member = oid)), false) FROM pg_roles WHERE rolname = '{role}'",
        (
            "DO $$ DECLARE wide regrole; BEGIN FOR wide IN SELECT roleid FROM pg_auth_members"
            f" WHERE member = '{role}'::regrole LOOP EXECUTE format('REVOKE %s FROM {role}', wide);"
            " END LOOP; END $$",
        ),
    )


def admin_of(role: str) -> Wish:
    """Wish that Vault may put logins into a role."""
    return Wish(
        f"membership of {VAULT} in {role}",
        "SELECT count(*) > 0, coalesce(bool_or(admin_option), false) FROM pg_auth_members"
        f" WHERE roleid = '{role}'::regrole AND member = '{VAULT}'::regrole",
        (f"GRANT {role} TO {VAULT} WITH ADMIN OPTION",),
    )


def _closed(database: str, *, others: bool = False) -> Wish:
    # A managed server keeps its own databases to itself: what is not ours to close is let be.
    unless = " OR NOT pg_has_role(datdba, 'USAGE')" if others else ""
    return Wish(
        f"no access of PUBLIC to {database}",
        "SELECT true, coalesce(bool_and(datacl IS NOT NULL AND NOT EXISTS (SELECT FROM"
        f" aclexplode(datacl) WHERE grantee = 0){unless}), true) FROM pg_database"
        f" WHERE datname = '{database}'",
        (f"REVOKE ALL ON DATABASE {database} FROM PUBLIC",),
    )


def _default_privileges(things: str, letter: str, privileges: str) -> Wish:
    wanted = len(privileges.split(","))
    return Wish(
        f"default privileges of {APP} on {things}",
        f"SELECT count(*) > 0, count(*) = {wanted} FROM pg_default_acl,"
        f" aclexplode(defaclacl) AS a WHERE defaclrole = '{OWNER}'::regrole"
        f" AND defaclnamespace = '{SCHEMA}'::regnamespace AND defaclobjtype = '{letter}'"
        f" AND a.grantee = '{APP}'::regrole",
        (
            f"ALTER DEFAULT PRIVILEGES FOR ROLE {OWNER} IN SCHEMA {SCHEMA}"
            f" GRANT {privileges} ON {things.upper()} TO {APP}",
        ),
    )
