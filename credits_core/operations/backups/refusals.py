"""The refusals of backups. In each of them the running ledger is as it was."""

from credits_core.errors import CreditsError


class UnknownBackup(CreditsError):
    """There is no backup of this name, or none at all."""

    code = "unknown_backup"
    http_status = 404

    def __init__(self, name: str, address: str) -> None:
        self.name = name
        self.address = address
        super().__init__(f"There is no backup {name} in {address}. See: python -m credits_core backup list")


class NoOwnBackup(CreditsError):
    """There are backups, but none is known to be of this ledger. `others` is how many there are."""

    code = "no_own_backup"
    http_status = 404

    def __init__(self, address: str, others: int) -> None:
        self.address = address
        self.others = others
        super().__init__(
            f"None of the {others:,} backups in {address} is known to be of this ledger. Name the one to take: "
            "python -m credits_core backup list"
        )


class NoProvedBackup(CreditsError):
    """No backup of this ledger was proved by a drill. `newest` is the name of the newest one."""

    code = "no_proved_backup"
    http_status = 409

    def __init__(self, newest: str) -> None:
        self.newest = newest
        super().__init__(
            f"No backup of this ledger is proved, so nothing was changed. The newest is {newest}: try it with backup "
            "drill, or take it unproved with --unproved."
        )


class BackupDamaged(CreditsError):
    """A backup is not what its manifest says."""

    code = "backup_damaged"
    http_status = 409

    def __init__(self, name: str, problem: str) -> None:
        self.name = name
        self.problem = problem
        super().__init__(f"The backup {name} is damaged: {problem}. Nothing was changed; take another backup.")


class BackupLocked(CreditsError):
    """A backup is encrypted, and the key that opens it is not here."""

    code = "backup_locked"
    http_status = 409

    def __init__(self, name: str, problem: str) -> None:
        self.name = name
        self.problem = problem
        super().__init__(f"The backup {name} is encrypted, and {problem}. Nothing was changed.")


class BackupFromNewerVersion(CreditsError):
    """A backup has a schema that this version does not know."""

    code = "backup_from_newer_version"
    http_status = 409

    def __init__(self, name: str, found: str, newest: str) -> None:
        self.name = name
        self.found = found
        self.newest = newest
        super().__init__(
            f"The backup {name} is from a newer version: it is at migration {found}, and the newest of this version is "
            f"{newest}. Nothing was changed; restore it with the version that made it, or a later one."
        )


class LedgerInUse(CreditsError):
    """A running process uses the database that is to be replaced."""

    code = "ledger_in_use"
    http_status = 409

    def __init__(self, database: str, users: str) -> None:
        self.database = database
        self.users = users
        super().__init__(f"{database} is in use by {users}. Stop the product first; nothing was changed.")


class LedgerExists(CreditsError):
    """There is a database already where a backup is to be restored."""

    code = "ledger_exists"
    http_status = 409

    def __init__(self, database: str) -> None:
        self.database = database
        super().__init__(
            f"{database} exists already, so nothing was changed. With --replace it is kept beside under another name."
        )


class BackupImpossible(CreditsError):
    """A program, a permission or a place that a backup needs is not there; the message says which."""

    code = "backup_impossible"
    http_status = 503
