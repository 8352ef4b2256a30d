//! Workflows: text that passes through a list of steps.
//!
//! The steps are a closed set of pure operations with bounded results, so a
//! workflow cannot reach anything outside itself or use much memory.

use axum::extract::rejection::JsonRejection;
use axum::routing::post;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use crate::error::ApiError;

const MAX_STEPS: usize = 64;
const MAX_TEXT: usize = 64 << 10;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Workflow {
    input: String,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
enum Step {
    Trim {},
    Uppercase {},
    Lowercase {},
    Append { text: String },
    Replace { from: String, to: String },
    Repeat { times: usize },
}

#[derive(Serialize)]
struct Outcome {
    output: String,
    steps: usize,
}

pub fn router() -> Router {
    Router::new().route("/workflows", post(run))
}

async fn run(workflow: Result<Json<Workflow>, JsonRejection>) -> Result<Json<Outcome>, ApiError> {
    let Json(workflow) = workflow?;
    workflow.run().map(Json).map_err(ApiError::bad_request)
}

impl Workflow {
    fn run(self) -> Result<Outcome, String> {
        let steps = self.steps.len();
        if steps == 0 || steps > MAX_STEPS {
            return Err(format!("steps must hold 1 to {MAX_STEPS} steps"));
        }
        let mut text = self.input;
        for (index, step) in self.steps.iter().enumerate() {
            text = step
                .apply(text)
                .and_then(|text| check_size(text.len()).map(|()| text))
                .map_err(|error| format!("steps[{index}]: {error}"))?;
        }
        Ok(Outcome {
            output: text,
            steps,
        })
    }
}

impl Step {
    /// Applies the step. Those that multiply text check its size beforehand.
    fn apply(&self, text: String) -> Result<String, String> {
        match self {
            Self::Trim {} => Ok(text.trim().to_owned()),
            Self::Uppercase {} => Ok(text.to_uppercase()),
            Self::Lowercase {} => Ok(text.to_lowercase()),
            Self::Append { text: suffix } => Ok(text + suffix),
            Self::Replace { from, .. } if from.is_empty() => Err("from must not be empty".into()),
            Self::Replace { from, to } => {
                let count = text.matches(from).count();
                check_size(text.len() - count * from.len() + count * to.len())?;
                Ok(text.replace(from, to))
            }
            Self::Repeat { times } => {
                check_size(text.len().saturating_mul(*times))?;
                Ok(text.repeat(*times))
            }
        }
    }
}

fn check_size(bytes: usize) -> Result<(), String> {
    if bytes > MAX_TEXT {
        return Err(format!("the text would exceed {MAX_TEXT} bytes"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::server::tests::{send, test_router};

    #[tokio::test]
    async fn workflows() {
        let steps = |steps: &str| format!(r#"{{"input":" Hello ","steps":[{steps}]}}"#);
        let trim = r#"{"op":"trim"}"#;
        for (body, status, want) in [
            (steps(trim), 200, r#"{"output":"Hello","steps":1}"#),
            (
                steps(
                    r#"{"op":"trim"},{"op":"lowercase"},{"op":"replace","from":"l","to":"r"},
                       {"op":"append","text":"!"},{"op":"repeat","times":2},{"op":"uppercase"}"#,
                ),
                200,
                r#"{"output":"HERRO!HERRO!","steps":6}"#,
            ),
            (String::new(), 400, "EOF"),
            (r#"{"input":"x"}"#.into(), 400, "missing field `steps`"),
            (steps(""), 400, "1 to 64 steps"),
            (steps(&[trim; 65].join(",")), 400, "1 to 64 steps"),
            (
                steps(r#"{"op":"exec","command":"id"}"#),
                400,
                "unknown variant `exec`",
            ),
            (
                steps(r#"{"op":"trim","sides":"both"}"#),
                400,
                "unknown field `sides`",
            ),
            (
                steps(r#"{"op":"replace","from":"","to":"x"}"#),
                400,
                "steps[0]: from must not be empty",
            ),
            (
                steps(r#"{"op":"trim"},{"op":"repeat","times":18446744073709551615}"#),
                400,
                "steps[1]: the text",
            ),
            (
                steps(r#"{"op":"repeat","times":9000},{"op":"replace","from":"l","to":"lllll"}"#),
                400,
                "steps[1]: the text",
            ),
        ] {
            let (got, response) = send(&test_router(), "POST", "/workflows", body.clone()).await;
            assert_eq!(got, status, "{body}: {response}");
            assert!(response.contains(want), "{body}: {response}");
            assert_eq!(
                got != 200,
                response.starts_with(r#"{"error":"#),
                "{response}"
            );
        }
    }
}
