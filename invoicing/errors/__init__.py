"""Every error this package raises, in one tree.

InvoicingError
├── UsageError                   the caller asked for something that cannot be meant (exit code 2)
│   ├── SettingsError            an environment variable holds a value that cannot be used
│   ├── AmbiguousAccountError    a text that should name one account means several
│   ├── NoSuchAccountNameError   no account's name contains this text
│   ├── ConfirmationError        the contract was not confirmed by the column's name
│   ├── ExplainError             statements of an async engine were to be explained without await
│   ├── InputFileError           a file to load cannot be read, or lacks a column
│   ├── PolicyError              the policy gate could not run
│   │   ├── PolicySettingsError  [tool.invoicing.policy] cannot be used
│   │   ├── PolicyPathError      a path to be checked is not there
│   │   ├── ModelsImportError    the package of the models cannot be imported
│   │   ├── UnknownRuleError     a slug is no rule's
│   │   └── BaselineError        a baseline cannot be read
│   ├── LoadingPathError         what was to be compared is no path of relationships
│   ├── ProfilingTargetError     what was to be recorded leads to no engine
│   ├── ProgramMissingError      a program that was to be profiled is not there
│   ├── QueriesMagicError        the line of %%queries is not understood
│   ├── QueryBudgetError         a query budget does not say what it allows
│   ├── RecorderInUseError       a recorder was entered while it records
│   └── UnknownFindingError      a slug is no finding's
├── LoadError                    files could not be loaded; the database is as it was
│   ├── BadRowsError             some of their rows are bad
│   ├── LoadInProgressError      another load is writing to this database
│   └── LoadFailedError          the database refused, or the connection was lost
├── TablesNotEmptyError          a sample would have to replace rows that are there
├── AccountNotFoundError         no account has this id
├── PostgresError                the embedded server cannot do what was asked
│   ├── InstallationNotFoundError   no PostgreSQL on this machine
│   ├── UnprivilegedUserError       root has no user to run it as
│   ├── FolderNotWritableError      this user may not write where it has to
│   ├── DiskFullError               no room for the data
│   ├── InitdbError                 a new data folder could not be made
│   ├── DataFolderVersionError      another major version made the data folder
│   ├── DataFolderOwnerError        the data folder is another user's
│   ├── DataFolderDamagedError      a part of the data folder is missing
│   ├── DataFolderElsewhereError    the link to the data folder is another home's
│   ├── DataFolderUnreachableError  the server's user cannot reach the data folder
│   ├── SocketFolderError           no private folder for the socket
│   ├── SocketInUseError            another server holds the socket
│   ├── ServerStartError            it ended while it started
│   ├── ServerStartTimeoutError     it does not come up
│   ├── ServerStopError             it does not go down
│   ├── ServerBusyError             another process is starting or stopping it
│   └── ServerNotRunningError       it has to be running for this
├── MigrationError
│   ├── MigrationsMissingError   the folder of migrations is not beside the package
│   └── MigrationInProgressError another operator is migrating this database
├── RenameError                  a rename cannot go on; what was done is kept
│   ├── RenameRefusedError       the plan found something that stands in the way
│   ├── RenameInProgressError    another operator is at work on this table
│   ├── RenameBlockedError       a statement could not have its lock in time
│   ├── RenamePhaseError         this phase's turn has not come, or is over
│   ├── RowsDifferError          rows do not have the same value in both columns
│   ├── ContractRefusedError     the old column may not be dropped yet
│   ├── RenameInterruptedError   the connection was lost
│   └── RenameFailedError        the server refused a statement
├── OfflineSqlError              the SQL of migrations could not be written or read
├── SquawkMissingError           the program that knows which statements lock is not there
├── NotebookFailedError          a notebook did not run to its end
├── FrameError                   rows cannot be made a DataFrame without losing something
├── StrategiesDifferError        two loading strategies did not bring the same objects
├── TooManyStatementsError       a block of code sent more than it may (also an AssertionError)
├── WastefulQueriesError         a block of code that may waste nothing did (an AssertionError too)
├── StatementFailedError         the server refused a statement
│   ├── ConnectionLostError      because the connection is gone
│   └── SchemaMissingError       because the tables are not there, or not those of this version
└── DatabaseUnavailableError     no connection to the database could be made

Each message says the fact with its identifiers and numbers, what it means, and what to run next.
Only the command line turns an error into one line on stderr and an exit code.
"""

from invoicing.errors.accounts import (
    AccountNotFoundError,
    AmbiguousAccountError,
    NoSuchAccountNameError,
)
from invoicing.errors.database import (
    ConnectionLostError,
    DatabaseUnavailableError,
    MigrationError,
    MigrationInProgressError,
    MigrationsMissingError,
    SchemaMissingError,
    StatementFailedError,
)
from invoicing.errors.loading import (
    BadRowsError,
    InputFileError,
    LoadError,
    LoadFailedError,
    LoadInProgressError,
    TablesNotEmptyError,
)
from invoicing.errors.migration_rules import (
    OfflineSqlError,
    SquawkMissingError,
)
from invoicing.errors.notebook import (
    FrameError,
    NotebookFailedError,
)
from invoicing.errors.policy import (
    BaselineError,
    ModelsImportError,
    PolicyError,
    PolicyPathError,
    PolicySettingsError,
    UnknownRuleError,
)
from invoicing.errors.postgres import (
    DataFolderDamagedError,
    DataFolderElsewhereError,
    DataFolderOwnerError,
    DataFolderUnreachableError,
    DataFolderVersionError,
    DiskFullError,
    FolderNotWritableError,
    InitdbError,
    InstallationNotFoundError,
    PostgresError,
    ServerBusyError,
    ServerNotRunningError,
    ServerStartError,
    ServerStartTimeoutError,
    ServerStopError,
    SocketFolderError,
    SocketInUseError,
    UnprivilegedUserError,
)
from invoicing.errors.profiling import (
    ExplainError,
    LoadingPathError,
    ProfilingTargetError,
    ProgramMissingError,
    QueriesMagicError,
    QueryBudgetError,
    RecorderInUseError,
    StrategiesDifferError,
    TooManyStatementsError,
    UnknownFindingError,
    WastefulQueriesError,
)
from invoicing.errors.rename import (
    ConfirmationError,
    ContractRefusedError,
    RenameBlockedError,
    RenameError,
    RenameFailedError,
    RenameInProgressError,
    RenameInterruptedError,
    RenamePhaseError,
    RenameRefusedError,
    RowsDifferError,
)
from invoicing.errors.root import (
    InvoicingError,
    SettingsError,
    UsageError,
)

__all__ = [
    "AccountNotFoundError",
    "AmbiguousAccountError",
    "BadRowsError",
    "BaselineError",
    "ConfirmationError",
    "ConnectionLostError",
    "ContractRefusedError",
    "DataFolderDamagedError",
    "DataFolderElsewhereError",
    "DataFolderOwnerError",
    "DataFolderUnreachableError",
    "DataFolderVersionError",
    "DatabaseUnavailableError",
    "DiskFullError",
    "ExplainError",
    "FolderNotWritableError",
    "FrameError",
    "InitdbError",
    "InputFileError",
    "InstallationNotFoundError",
    "InvoicingError",
    "LoadError",
    "LoadFailedError",
    "LoadInProgressError",
    "LoadingPathError",
    "MigrationError",
    "MigrationInProgressError",
    "MigrationsMissingError",
    "ModelsImportError",
    "NoSuchAccountNameError",
    "NotebookFailedError",
    "OfflineSqlError",
    "PolicyError",
    "PolicyPathError",
    "PolicySettingsError",
    "PostgresError",
    "ProfilingTargetError",
    "ProgramMissingError",
    "QueriesMagicError",
    "QueryBudgetError",
    "RecorderInUseError",
    "RenameBlockedError",
    "RenameError",
    "RenameFailedError",
    "RenameInProgressError",
    "RenameInterruptedError",
    "RenamePhaseError",
    "RenameRefusedError",
    "RowsDifferError",
    "SchemaMissingError",
    "ServerBusyError",
    "ServerNotRunningError",
    "ServerStartError",
    "ServerStartTimeoutError",
    "ServerStopError",
    "SettingsError",
    "SocketFolderError",
    "SocketInUseError",
    "SquawkMissingError",
    "StatementFailedError",
    "StrategiesDifferError",
    "TablesNotEmptyError",
    "TooManyStatementsError",
    "UnknownFindingError",
    "UnknownRuleError",
    "UnprivilegedUserError",
    "UsageError",
    "WastefulQueriesError",
]
