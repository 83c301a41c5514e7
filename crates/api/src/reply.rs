//! The shape of answers: `{"success": true, "data": …}`, lists with `next`.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::problem::Problem;

/// Entries of a page when nothing else is asked for.
const DEFAULT_LIMIT: u32 = 100;

/// Most entries of a page.
pub const MAX_LIMIT: u32 = 500;

/// An answer.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Data<T> {
    /// Always true.
    #[schema(example = true)]
    pub(crate) success: bool,
    /// What was asked for.
    pub(crate) data: T,
}

impl<T> Data<T> {
    pub(crate) fn of(data: T) -> axum::Json<Self> {
        axum::Json(Self {
            success: true,
            data,
        })
    }
}

/// An answer that only says that it was done.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Done {
    /// Always true.
    #[schema(example = true)]
    pub(crate) success: bool,
}

impl Done {
    pub(crate) fn ok() -> axum::Json<Self> {
        axum::Json(Self { success: true })
    }
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Page<T> {
    /// Always true.
    #[schema(example = true)]
    pub(crate) success: bool,
    /// The entries.
    pub(crate) data: Vec<T>,
    /// What to give as `cursor` for the next page; null on the last one.
    pub(crate) next: Option<String>,
}

impl<T> Page<T> {
    /// A page out of rows of which one more than `limit` was asked for.
    pub(crate) fn cut<R>(
        mut rows: Vec<R>,
        limit: u32,
        cursor: impl Fn(&R) -> String,
        view: impl Fn(R) -> T,
    ) -> axum::Json<Self> {
        let limit = limit as usize;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(cursor);
        axum::Json(Self {
            success: true,
            data: rows.into_iter().map(view).collect(),
            next,
        })
    }

    pub(crate) fn whole(data: Vec<T>) -> axum::Json<Self> {
        axum::Json(Self {
            success: true,
            data,
            next: None,
        })
    }
}

/// Which page of a list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// Most entries, 1 to 500; 100 when absent.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500, default = 100)]
    limit: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
}

impl PageQuery {
    /// Most entries of the page.
    pub(crate) fn limit(&self) -> Result<u32, Problem> {
        let Some(text) = self.limit.as_deref().filter(|text| !text.is_empty()) else {
            return Ok(DEFAULT_LIMIT);
        };
        match text.parse() {
            Ok(limit @ 1..=MAX_LIMIT) => Ok(limit),
            Ok(_) | Err(_) => Err(Problem::field(
                "limit",
                format!("a page has 1 to {MAX_LIMIT} entries"),
            )),
        }
    }

    /// Where the page begins.
    pub(crate) fn after<T: TryFrom<String>>(&self) -> Result<Option<T>, Problem> {
        self.cursor
            .clone()
            .filter(|text| !text.is_empty())
            .map(T::try_from)
            .transpose()
            .map_err(|_| {
                Problem::field(
                    "cursor",
                    "not a cursor: give `next` of the page before, or leave it out",
                )
            })
    }

    pub(crate) fn cursor(&self) -> Option<&str> {
        self.cursor.as_deref().filter(|text| !text.is_empty())
    }
}
