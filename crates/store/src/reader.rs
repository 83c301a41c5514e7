//! Asking the database whatever one likes, reading only and seeing no secrets.
//!
//! Questions are asked in a connection of their own, made for each and closed after it, by a login
//! role that may do nothing but read what is not secret. It is a login and not `SET ROLE`: whoever
//! gave up rights within a session takes them back within a statement
//! (`SELECT set_config('role', …)`), and the owner of the tables may be a superuser, who reads the
//! files of the machine and runs its programs. What the role may read is decided by the rights that
//! are granted to it; that the transaction reads only and is rolled back comes on top.

use std::{sync::Arc, time::Duration};

use futures_util::TryStreamExt as _;
use sqlx::{
    AssertSqlSafe, Column as _, ConnectOptions as _, Connection as _, Executor as _, PgConnection,
    SqlSafeStr as _, Statement as _, TypeInfo as _,
    postgres::{PgConnectOptions, PgDatabaseError, PgSslMode},
};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout_at},
};

use crate::{Error, Store};

/// The role of the private server.
pub const READER: &str = "strowger_reader";

/// Questions at once: the dialer needs the database too.
const AT_ONCE: usize = 2;

/// How long connecting and answering may take in all.
const WITHIN: Duration = Duration::from_secs(8);

/// Rows of an answer.
pub const MAX_ROWS: usize = 1_000;

/// Characters of a row, as JSON. Longer ones are cut by the server, before they come here.
const MAX_ROW: usize = 65_536;

/// Bytes of an answer.
const MAX_ANSWER: usize = 4 * 1024 * 1024;

/// Bytes of a question.
pub const MAX_QUESTION: usize = 20_000;

/// Tables of which nothing may be read: all that they hold proves who somebody is, or is sealed.
/// Of the others, columns whose names tell of a secret are left out, see [`rights`].
const SECRET_TABLES: &[&str] = &[
    "mfa_recovery_codes",
    "password_resets",
    "refresh_tokens",
    "user_mfa",
];

/// Columns that hold secrets under harmless names.
const SECRET_COLUMNS: &[&str] = &["settings.value", "trunks.register_string"];

/// Names of columns that hold secrets, or that may.
const SECRET_NAMES: &str = "(password|passwd|secret|token|sealed|hash|credential|private)";

/// Tables whose hashes are there to be compared.
const OPEN_HASHES: &[&str] = &["ledger", "ledger_heads"];

/// Why a question is not answered.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The question is at fault; the text is that of the server.
    #[error("{0}")]
    Refused(String),
    /// It is not a question.
    #[error("{0}")]
    NotReading(&'static str),
    /// It took too long.
    #[error("this takes longer than 5 seconds: ask for less")]
    TooLong,
    /// A row is too long.
    #[error(
        "a row has more than 65,536 characters: ask for fewer columns, or cut them with left(…)"
    )]
    LongRow,
    /// Others are asking.
    #[error("others are asking the database at the moment: try again")]
    Busy,
    /// The role may do more than it should.
    #[error(
        "questions are not answered, because the role {role} {what}: take that from it, or set database.reader_url to another role"
    )]
    Unsafe {
        /// The role.
        role: String,
        /// What it may.
        what: &'static str,
    },
    /// The database fails.
    #[error(transparent)]
    Database(Error),
}

/// A column of an answer, or of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnInfo {
    /// Its name.
    pub name: String,
    /// Its type, as PostgreSQL writes it.
    pub kind: String,
}

/// A table and those of its columns that may be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableInfo {
    /// Its name.
    pub name: String,
    /// Its columns, in their order.
    pub columns: Vec<ColumnInfo>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The columns in their order.
    pub columns: Vec<ColumnInfo>,
    /// The rows, each a JSON object.
    pub rows: Vec<String>,
    /// There are more rows than are shown.
    pub cut: bool,
}

/// Asks the database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Reader {
    options: PgConnectOptions,
    turns: Arc<Semaphore>,
}

/// What the role is granted: statements, each for a table. Whatever is not named is taken away.
async fn rights(store: &Store, role: &str) -> Result<Vec<String>, Error> {
    let secret_tables: Vec<String> = SECRET_TABLES.iter().map(ToString::to_string).collect();
    let secret_columns: Vec<String> = SECRET_COLUMNS.iter().map(ToString::to_string).collect();
    let open: Vec<String> = OPEN_HASHES.iter().map(ToString::to_string).collect();
    let statements = sqlx::query_scalar!(
        r#"SELECT statement AS "statement!" FROM (
             SELECT c.oid, 1 AS step, format('REVOKE ALL ON public.%I FROM %I', c.relname, $1::text) AS statement
             FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
             UNION ALL
             SELECT c.oid, 2, format('GRANT SELECT (%s) ON public.%I TO %I',
                 string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum), c.relname, $1::text)
             FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
             WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
               AND c.relname <> ALL($2)
               AND c.relname || '.' || a.attname <> ALL($3)
               AND (a.attname !~* $4 OR c.relname = ANY($5))
             GROUP BY c.oid, c.relname) s
           ORDER BY oid, step"#,
        role,
        &secret_tables,
        &secret_columns,
        SECRET_NAMES,
        &open
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(statements)
}

impl Reader {
    /// Makes the role [`READER`] in a server in which the daemon may make roles and which asks for
    /// no passwords: the private one.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn of_private_server(
        store: &Store,
        options: PgConnectOptions,
    ) -> Result<Self, Error> {
        let make = "DO $$ BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'strowger_reader') THEN
                CREATE ROLE strowger_reader LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION
                    NOBYPASSRLS NOINHERIT CONNECTION LIMIT 10;
                -- What a question may put aside on the disk.
                ALTER ROLE strowger_reader SET temp_file_limit = '256MB';
            END IF;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL; -- Somebody else makes it at this moment.
        END $$";
        sqlx::raw_sql(make).execute(&store.pool).await?;
        Self::of_role(store, options.username(READER)).await
    }

    /// With a role that the administrators of the server made, which these options log in as. It
    /// is granted what may be read.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn of_role(store: &Store, options: PgConnectOptions) -> Result<Self, Error> {
        let role = options.get_username();
        // The rights of the daemon itself are not to be taken away. Such a role is refused when it
        // is asked, see [`Reader::connect`].
        let is_daemon = sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1
                 AND (pg_has_role(oid, current_user, 'MEMBER') OR rolsuper)) AS "is_daemon!""#,
            role
        )
        .fetch_one(&store.pool)
        .await?;
        if !is_daemon {
            let mut tx = store.pool.begin().await?;
            for statement in rights(store, role).await? {
                tx.execute(AssertSqlSafe(statement)).await?;
            }
            tx.commit().await?;
        }
        let options = options
            .application_name("strowger reader")
            // Of this session from its first statement on.
            .options([
                ("default_transaction_read_only", "on"),
                ("statement_timeout", "5s"),
                ("idle_in_transaction_session_timeout", "10s"),
                ("search_path", "public"),
                ("jit", "off"),
            ])
            .statement_cache_capacity(0)
            .disable_statement_logging();
        Ok(Self {
            options,
            turns: Arc::new(Semaphore::new(AT_ONCE)),
        })
    }

    /// The tables and columns that may be read.
    ///
    /// # Errors
    /// [`QueryError`] when there is no answer.
    pub async fn tables(&self) -> Result<Vec<TableInfo>, QueryError> {
        let _turn = self.turns.try_acquire().map_err(|_| QueryError::Busy)?;
        let until = Instant::now() + WITHIN;
        let ask = async {
            let mut connection = self.connect().await?;
            let rows: Vec<(String, String, String)> = sqlx::query_as(
                "SELECT c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod)
                 FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
                   AND has_column_privilege(c.oid, a.attnum, 'SELECT')
                 ORDER BY c.relname, a.attnum",
            )
            .fetch_all(&mut connection)
            .await
            .map_err(failed)?;
            let _ = connection.close().await;
            Ok(rows)
        };
        let rows = timeout_at(until, ask)
            .await
            .map_err(|_| QueryError::TooLong)??;
        let mut tables: Vec<TableInfo> = Vec::new();
        for (table, name, kind) in rows {
            if tables.last().is_none_or(|last| last.name != table) {
                tables.push(TableInfo {
                    name: table,
                    columns: Vec::new(),
                });
            }
            if let Some(last) = tables.last_mut() {
                last.columns.push(ColumnInfo { name, kind });
            }
        }
        Ok(tables)
    }

    /// Answers one question: a `SELECT`, `WITH`, `VALUES` or `TABLE`.
    ///
    /// # Errors
    /// [`QueryError`] when there is no answer.
    pub async fn ask(&self, question: &str) -> Result<Found, QueryError> {
        let question = question.trim().trim_end_matches(';').trim_end();
        if question.is_empty() || question.len() > MAX_QUESTION || question.contains('\0') {
            return Err(QueryError::NotReading(
                "ask one question of at most 20,000 bytes",
            ));
        }
        let _turn = self.turns.try_acquire().map_err(|_| QueryError::Busy)?;
        let until = Instant::now() + WITHIN;
        let ask = async {
            let mut connection = self.connect().await?;
            let found = answer(&mut connection, question).await;
            // Nothing of a session goes over to the next question: no lock, no setting.
            let _ = connection.close_hard().await;
            found
        };
        timeout_at(until, ask)
            .await
            .map_err(|_| QueryError::TooLong)?
    }

    /// Connects, and makes sure that the role may not do more than it should.
    async fn connect(&self) -> Result<PgConnection, QueryError> {
        let mut connection = self
            .options
            .connect()
            .await
            .map_err(|error| QueryError::Database(Error::Unreachable(error)))?;
        let (role, all_powerful, member, sees_secrets, writes): (String, bool, bool, bool, bool) =
            sqlx::query_as(
                "SELECT session_user::text,
                   r.rolsuper OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication OR r.rolbypassrls,
                   EXISTS (SELECT FROM pg_auth_members m WHERE m.member = r.oid),
                   EXISTS (SELECT FROM pg_class c JOIN pg_attribute a
                       ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                     WHERE c.relnamespace = 'public'::regnamespace
                       AND (c.relname, a.attname) IN (('users', 'password_hash'), ('user_mfa', 'secret'),
                         ('refresh_tokens', 'hash'), ('settings', 'value'), ('trunks', 'password_sealed'))
                       AND has_column_privilege(c.oid, a.attnum, 'SELECT')),
                   EXISTS (SELECT FROM pg_class c
                     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
                       AND has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER'))
                 FROM pg_roles r WHERE r.rolname = session_user",
            )
            .fetch_one(&mut connection)
            .await
            .map_err(failed)?;
        let what = match (all_powerful, member, sees_secrets, writes) {
            (true, ..) => "may do more than log in",
            (_, true, ..) => "is a member of other roles",
            (_, _, true, _) => "may read secrets",
            (.., true) => "may change tables",
            (false, false, false, false) => return Ok(connection),
        };
        Err(QueryError::Unsafe { role, what })
    }
}

/// Answers a question within a transaction that reads only and is never committed.
async fn answer(connection: &mut PgConnection, question: &str) -> Result<Found, QueryError> {
    let mut tx = connection
        .begin_with("BEGIN READ ONLY")
        .await
        .map_err(failed)?;
    // By itself, as it is: this takes exactly one whole statement, so that what it is put into
    // below cannot be left, and tells what is wrong in terms of what was asked.
    let text = AssertSqlSafe(question.to_owned()).into_sql_str();
    let prepared = (&mut *tx).prepare(text).await.map_err(failed)?;
    if prepared.columns().is_empty() {
        return Err(NOT_READING);
    }
    let columns = prepared
        .columns()
        .iter()
        .map(|column| ColumnInfo {
            name: column.name().to_owned(),
            kind: column.type_info().name().to_lowercase(),
        })
        .collect();
    // Put into a question of ours, a statement can be nothing but a query; the server writes the
    // rows as JSON and cuts them before they are sent. The line break ends a comment.
    let inside = format!(
        "SELECT left(row_to_json(answer)::text, {}) FROM (\n{question}\n) AS answer LIMIT {}",
        MAX_ROW + 1,
        MAX_ROWS + 1
    );
    let (mut rows, mut cut, mut bytes) = (Vec::new(), false, 0);
    {
        let mut lines = sqlx::query_scalar::<_, String>(AssertSqlSafe(inside)).fetch(&mut *tx);
        while let Some(row) = lines.try_next().await.map_err(wrapped)? {
            bytes += row.len();
            if rows.len() == MAX_ROWS || bytes > MAX_ANSWER {
                cut = true;
                break;
            }
            // A character may have several bytes, and at least one.
            if row.len() > MAX_ROW && row.chars().count() > MAX_ROW {
                return Err(QueryError::LongRow);
            }
            rows.push(row);
        }
    }
    // The connection is closed after this, which rolls back as well.
    drop(tx);
    Ok(Found { columns, rows, cut })
}

const NOT_READING: QueryError =
    QueryError::NotReading("only reading is possible: ask with SELECT, WITH, VALUES or TABLE");

/// Why the server did not answer.
fn failed(error: sqlx::Error) -> QueryError {
    let sqlx::Error::Database(refused) = &error else {
        return QueryError::Database(Error::Database(error));
    };
    let code = refused.code().unwrap_or_default();
    match code.as_ref() {
        // query_canceled
        "57014" => QueryError::TooLong,
        // Class 08 connection, 53 resources, 57 operator, 58 system.
        code if ["08", "57", "58"]
            .iter()
            .any(|class| code.starts_with(class)) =>
        {
            QueryError::Database(Error::Database(error))
        }
        code => {
            let mut text = refused.message().to_owned();
            let server = refused.try_downcast_ref::<PgDatabaseError>();
            if let Some(hint) = server.and_then(PgDatabaseError::hint) {
                text = format!("{text} ({hint})");
            }
            // insufficient_privilege
            if code == "42501" {
                text.push_str(
                    "; columns that hold secrets cannot be read: name those that you want, instead of *",
                );
            }
            QueryError::Refused(text.chars().take(500).collect())
        }
    }
}

/// The same for a question that was taken by itself: what cannot be a part of another is no query.
fn wrapped(error: sqlx::Error) -> QueryError {
    let code = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code);
    // syntax_error; feature_not_supported: a WITH that changes something
    if code.is_some_and(|code| ["42601", "0A000"].contains(&code.as_ref())) {
        return NOT_READING;
    }
    failed(error)
}

/// Whether somebody can log in to a database.
///
/// # Errors
/// [`Error::Unreachable`] says why not.
pub async fn try_login(
    host: &str,
    port: u16,
    user: &str,
    password: &str,
    database: &str,
) -> Result<(), Error> {
    let options = PgConnectOptions::new_without_pgpass()
        .host(host)
        .port(port)
        .username(user)
        .password(password)
        .database(database)
        .ssl_mode(PgSslMode::Prefer)
        .application_name("strowger test")
        .disable_statement_logging();
    let connect = async {
        let mut connection = options.connect().await?;
        sqlx::query("SELECT 1").execute(&mut connection).await?;
        connection.close().await
    };
    match tokio::time::timeout(Duration::from_secs(5), connect).await {
        Ok(result) => result.map_err(Error::Unreachable),
        Err(_) => Err(Error::Unreachable(sqlx::Error::PoolTimedOut)),
    }
}
