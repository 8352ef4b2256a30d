//! Policies: a request is denied unless a policy allows it and none denies it.

use axum::extract::rejection::JsonRejection;
use axum::routing::post;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use crate::error::ApiError;

const MAX_POLICIES: usize = 100;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Evaluation {
    policies: Vec<Policy>,
    request: Request,
}

/// Applies to requests that match one pattern of each list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Policy {
    id: String,
    effect: Effect,
    subjects: Vec<String>,
    actions: Vec<String>,
    resources: Vec<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Effect {
    Allow,
    Deny,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    subject: String,
    action: String,
    resource: String,
}

/// The decision and the id of the policy behind it, if it is not the default.
#[derive(Serialize)]
struct Decision {
    decision: Effect,
    policy: Option<String>,
}

pub fn router() -> Router {
    Router::new().route("/policies/evaluate", post(evaluate))
}

async fn evaluate(
    evaluation: Result<Json<Evaluation>, JsonRejection>,
) -> Result<Json<Decision>, ApiError> {
    let Json(evaluation) = evaluation?;
    evaluation.validate().map_err(ApiError::bad_request)?;
    Ok(Json(evaluation.decide()))
}

impl Evaluation {
    fn validate(&self) -> Result<(), String> {
        if self.policies.len() > MAX_POLICIES {
            return Err(format!("policies must hold at most {MAX_POLICIES}"));
        }
        for (index, policy) in self.policies.iter().enumerate() {
            policy
                .validate()
                .map_err(|error| format!("policies[{index}]: {error}"))?;
        }
        Ok(())
    }

    fn decide(&self) -> Decision {
        let applicable = || self.policies.iter().filter(|p| p.applies_to(&self.request));
        let deciding = applicable()
            .find(|policy| policy.effect == Effect::Deny)
            .or_else(|| applicable().next());
        Decision {
            decision: deciding.map_or(Effect::Deny, |policy| policy.effect),
            policy: deciding.map(|policy| policy.id.clone()),
        }
    }
}

impl Policy {
    /// Empty lists are refused: a policy that never applies is a mistake.
    fn validate(&self) -> Result<(), &'static str> {
        if self.id.is_empty() {
            return Err("id must not be empty");
        }
        if self.subjects.is_empty() || self.actions.is_empty() || self.resources.is_empty() {
            return Err("subjects, actions and resources must not be empty");
        }
        Ok(())
    }

    fn applies_to(&self, request: &Request) -> bool {
        let any = |patterns: &[String], text| patterns.iter().any(|p| matches(p, text));
        any(&self.subjects, &request.subject)
            && any(&self.actions, &request.action)
            && any(&self.resources, &request.resource)
    }
}

/// Matches text against a pattern in which `*` stands for any text.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((prefix, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let (middle, suffix) = rest.rsplit_once('*').unwrap_or(("", rest));
    let Some(mut text) = text
        .strip_prefix(prefix)
        .and_then(|text| text.strip_suffix(suffix))
    else {
        return false;
    };
    // The leftmost place of each part leaves the most text to the parts after it.
    for part in middle.split('*') {
        let Some((_, after)) = text.split_once(part) else {
            return false;
        };
        text = after;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::tests::{send, test_router};

    #[test]
    fn patterns() {
        for (pattern, text, want) in [
            ("read", "read", true),
            ("read", "reader", false),
            ("", "", true),
            ("*", "", true),
            ("*", "anything", true),
            ("doc/*", "doc/1", true),
            ("doc/*", "docs", false),
            ("*.txt", "a.txt", true),
            ("ab*ba", "aba", false),
            ("ab*ba", "abba", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "ac", false),
            ("a**c", "abc", true),
            ("*é*", "caféine", true),
            ("a*b*b", "ab", false),
        ] {
            assert_eq!(matches(pattern, text), want, "{pattern:?} on {text:?}");
        }
    }

    fn body(policies: &[(&str, &str, &str)], resource: &str) -> String {
        let policies: Vec<_> = policies
            .iter()
            .map(|(id, effect, resources)| {
                format!(
                    r#"{{"id":"{id}","effect":"{effect}","subjects":["team:*"],
                        "actions":["read"],"resources":["{resources}"]}}"#
                )
            })
            .collect();
        format!(
            r#"{{"policies":[{}],"request":{{"subject":"team:a","action":"read","resource":"{resource}"}}}}"#,
            policies.join(",")
        )
    }

    #[tokio::test]
    async fn decisions() {
        let docs = ("docs", "allow", "doc/*");
        let secret = ("secret", "deny", "doc/secret*");
        for (body, want) in [
            (body(&[], "doc/1"), r#"{"decision":"deny","policy":null}"#),
            (
                body(&[docs], "img/1"),
                r#"{"decision":"deny","policy":null}"#,
            ),
            (
                body(&[docs, secret], "doc/1"),
                r#"{"decision":"allow","policy":"docs"}"#,
            ),
            (
                body(&[docs, secret], "doc/secret1"),
                r#"{"decision":"deny","policy":"secret"}"#,
            ),
        ] {
            let response = send(&test_router(), "POST", "/policies/evaluate", body).await;
            assert_eq!(response, (200, want.to_owned()));
        }
    }

    #[tokio::test]
    async fn invalid_input() {
        for (body, want) in [
            (String::new(), "EOF"),
            (r#"{"policies":[]}"#.into(), "missing field `request`"),
            (body(&[("p", "maybe", "*")], "x"), "unknown variant `maybe`"),
            (
                body(&[("", "allow", "*")], "x"),
                "policies[0]: id must not be empty",
            ),
            (body(&[("p", "allow", "*"); 101], "x"), "at most 100"),
            (
                body(&[("p", "allow", "*")], "x").replace(r#"["read"]"#, "[]"),
                "policies[0]: subjects, actions and resources must not be empty",
            ),
        ] {
            let (status, response) = send(&test_router(), "POST", "/policies/evaluate", body).await;
            assert_eq!(status, 400, "{response}");
            assert!(response.starts_with(r#"{"error":"#), "{response}");
            assert!(response.contains(want), "{response}");
        }
    }
}
